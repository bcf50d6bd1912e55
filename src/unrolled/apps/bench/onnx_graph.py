"""A problem's layer as an ONNX model, for the libraries that read one."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from .problem import Problem

ORDERS = {"rnn": (0,), "gru": (1, 0, 2), "lstm": (0, 3, 1, 2)}
"""ONNX stacks the gates as z r h and as i o f c; PyTorch as r z n and as i f g o."""

OPSET, IR = 17, 8


def model(problem: Problem) -> bytes:
    """The model: inputs x and a state each, outputs output and a state each, of fixed sizes.

    The operators are ONNX's RNN, GRU and LSTM; GRU with the reset gate after the product, as in
    PyTorch.
    """
    from onnx import TensorProto, helper, numpy_helper  # pyright: ignore[reportMissingImports]

    shape = problem.shape
    state = (1, shape.B, shape.H)
    names = [f"state{place}" for place in range(len(problem.feed.states))]

    def value(name: str, *shape: int) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))

    options: dict[str, Any] = {"linear_before_reset": 1} if problem.cell == "gru" else {}
    node = helper.make_node(
        problem.cell.upper(),
        ["x", "W", "R", "B", "", *names],
        ["raw", *(f"last_{name}" for name in names)],
        hidden_size=shape.H,
        **options,
    )
    axes = numpy_helper.from_array(np.array([1]), "axes")
    squeeze = helper.make_node("Squeeze", ["raw", "axes"], ["output"])
    weights = [numpy_helper.from_array(array, name) for name, array in _weights(problem).items()]
    graph = helper.make_graph(
        [node, squeeze],
        problem.cell,
        [value("x", shape.T, shape.B, shape.I), *(value(name, *state) for name in names)],
        [
            value("output", shape.T, shape.B, shape.H),
            *(value(f"last_{name}", *state) for name in names),
        ],
        [*weights, axes],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    made.ir_version = IR
    return made.SerializeToString()


def inputs(problem: Problem) -> dict[str, np.ndarray]:
    """What the model is called with, by name."""
    states = {f"state{place}": state.numpy() for place, state in enumerate(problem.feed.states)}
    return {"x": problem.feed.data.numpy(), **states}


def _weights(problem: Problem) -> dict[str, np.ndarray]:
    weights = dict(problem.theirs.named_parameters())

    def blocks(name: str) -> Tensor:
        """The rows in ONNX's order."""
        parts = weights[f"{name}_l0"].detach().unflatten(0, (-1, problem.shape.H))
        return parts[list(ORDERS[problem.cell])].flatten(0, 1)

    biases = np.concatenate([blocks("bias_ih").numpy(), blocks("bias_hh").numpy()])
    return {
        "W": blocks("weight_ih").numpy()[None],
        "R": blocks("weight_hh").numpy()[None],
        "B": biases[None],
    }
