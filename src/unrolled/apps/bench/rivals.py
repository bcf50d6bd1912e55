"""Other libraries that run the same layers, and those that take part."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
import torch
from torch import Tensor

from .contender import Contender, RefusalError, Results, numbered
from .library import UserError
from .work import StandardLayer

Ready: TypeAlias = "Callable[[StandardLayer, int], Callable[[], Any]]"
"""Makes, from a problem and a number of threads, what computes the problem's layer, and hands back
output and last states as arrays."""


@final
@dataclass(frozen=True)
class Rival:
    """A library that can compute an RNN, GRU or LSTM layer without gradients.

    Attributes:
        key: by which a user asks for it.
        name: for the table.
        packages: that it needs.
        ready: makes what is timed.
    """

    key: str
    name: str
    packages: tuple[str, ...]
    ready: Ready

    def available(self) -> str | None:
        """Say why it cannot be used here; None if it can."""
        return missing(*self.packages)

    def contender(
        self, problem: StandardLayer, threads: int, expected: Callable[[], Results]
    ) -> Contender:
        """Return the rival at a problem; RefusalError if it cannot be made ready."""
        try:
            work = self.ready(problem, threads)
        except Exception as error:
            raise RefusalError(self.name, error) from error
        return Contender(self.name, work, _named, expected, problem.flops)


def missing(*packages: str) -> str | None:
    """Say why a rival that needs some packages cannot be used; None if all are installed."""
    absent = [package for package in packages if importlib.util.find_spec(package) is None]
    return f"{' and '.join(absent)} not installed" if absent else None


def _named(values: Any) -> Results:
    output, *states = (torch.from_numpy(np.array(value)) for value in values)
    return {"output": output, **numbered("state", states)}


ORDERS = {"rnn": (0,), "gru": (1, 0, 2), "lstm": (0, 3, 1, 2)}
"""ONNX stacks the gates as z r h and as i o f c; PyTorch as r z n and as i f g o."""

OPSET, IR = 17, 8


def onnx_model(problem: StandardLayer) -> bytes:
    """Return the model: inputs x and a state each, outputs output and a state each, of fixed sizes.

    The operators are ONNX's RNN, GRU and LSTM; GRU with the reset gate after the product, as in
    PyTorch.
    """
    from onnx import TensorProto, helper, numpy_helper  # pyright: ignore[reportMissingImports]

    shape = problem.shape
    state = (1, shape.B, shape.H)
    names = [f"state{place}" for place in range(len(problem.feed.states))]

    def value(name: str, *shape: int) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))

    options = {"linear_before_reset": 1} if problem.cell == "gru" else {}
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


def onnx_inputs(problem: StandardLayer) -> dict[str, np.ndarray]:
    """Return what the model is called with, by name."""
    states = {f"state{place}": state.numpy() for place, state in enumerate(problem.feed.states)}
    return {"x": problem.feed.data.numpy(), **states}


def _weights(problem: StandardLayer) -> dict[str, np.ndarray]:
    weights = dict(problem.theirs.named_parameters())

    def blocks(name: str) -> Tensor:
        """Return the rows in ONNX's order."""
        parts = weights[f"{name}_l0"].detach().unflatten(0, (-1, problem.shape.H))
        return parts[list(ORDERS[problem.cell])].flatten(0, 1)

    biases = torch.cat([blocks("bias_ih"), blocks("bias_hh")])
    stored = {"W": blocks("weight_ih"), "R": blocks("weight_hh"), "B": biases}
    return {name: value.numpy()[None] for name, value in stored.items()}


def onnx_runtime(problem: StandardLayer, threads: int) -> Callable[[], Any]:
    """Return a run of a session on the processor, its threads put to sleep between calls."""
    import onnxruntime  # pyright: ignore[reportMissingImports]

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.force_spinning_stop", "1")
    session = onnxruntime.InferenceSession(
        onnx_model(problem), options, providers=["CPUExecutionProvider"]
    )
    given = onnx_inputs(problem)
    return lambda: session.run(None, given)


def openvino(problem: StandardLayer, threads: int) -> Callable[[], Any]:
    """Return a request of a compiled model, called one at a time, in float32 throughout."""
    import openvino  # pyright: ignore[reportMissingImports]

    core = openvino.Core()
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
    }
    compiled = core.compile_model(core.read_model(onnx_model(problem)), "CPU", settings)
    request, given = compiled.create_infer_request(), onnx_inputs(problem)

    def work() -> list[Any]:
        found = request.infer(given, share_inputs=True, share_outputs=True)
        return [found[place] for place in range(len(found))]

    return work


def jax(problem: StandardLayer, threads: int) -> Callable[[], Any]:
    """Return `lax.scan` over the steps, compiled; products with the input are done for all steps
    at once.

    JAX makes its threads once in a process, so the number of the first problem holds.
    """
    os.environ.setdefault("NPROC", str(threads))  # from which XLA takes its number of threads
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    import jax  # pyright: ignore[reportMissingImports]
    from jax import lax, nn  # pyright: ignore[reportMissingImports]
    from jax import numpy as jnp  # pyright: ignore[reportMissingImports]

    def rnn(x: Any, product: Any, h: Any) -> tuple[Any, ...]:
        return (jnp.tanh(x + product),)

    def gru(x: Any, product: Any, h: Any) -> tuple[Any, ...]:
        (x_r, x_z, x_n), (h_r, h_z, h_n) = jnp.split(x, 3, -1), jnp.split(product, 3, -1)
        z = nn.sigmoid(x_z + h_z)
        n = jnp.tanh(x_n + nn.sigmoid(x_r + h_r) * h_n)
        return ((1 - z) * n + z * h,)

    def lstm(x: Any, product: Any, h: Any, c: Any) -> tuple[Any, ...]:
        i, f, g, o = jnp.split(x + product, 4, -1)
        c = nn.sigmoid(f) * c + nn.sigmoid(i) * jnp.tanh(g)
        return nn.sigmoid(o) * jnp.tanh(c), c

    weights = {
        name.removesuffix("_l0"): jnp.asarray(weight.detach().numpy())
        for name, weight in problem.theirs.named_parameters()
    }
    step = {"rnn": rnn, "gru": gru, "lstm": lstm}[problem.cell]

    @jax.jit
    def layer(x: Any, states: Any) -> Any:
        hoisted = x @ weights["weight_ih"].T + weights["bias_ih"]

        def body(states: Any, each: Any) -> tuple[Any, Any]:
            product = states[0] @ weights["weight_hh"].T + weights["bias_hh"]
            states = step(each, product, *states)
            return states, states[0]

        states, output = lax.scan(body, tuple(state[0] for state in states), hoisted)
        return output, *(state[None] for state in states)

    x = jnp.asarray(problem.feed.data.numpy())
    states = tuple(jnp.asarray(state.numpy()) for state in problem.feed.states)
    return lambda: jax.block_until_ready(layer(x, states))


RIVALS = (
    Rival("onnxruntime", "ONNX Runtime", ("onnx", "onnxruntime"), onnx_runtime),
    Rival("openvino", "OpenVINO", ("onnx", "openvino"), openvino),
    Rival("jax", "JAX", ("jax",), jax),
)


def chosen(keys: Sequence[str]) -> tuple[Rival, ...]:
    """Return the rivals that a user named; none if that is their name.

    Raises:
        UserError: for one that is unknown, or cannot be used here.
    """
    if list(keys) == ["none"]:
        return ()
    known = {rival.key: rival for rival in RIVALS}
    for key in keys:
        if key not in known:
            raise UserError(
                f"--rivals: no rival is called {key!r}; known: none, {', '.join(known)}"
            )
        reason = known[key].available()
        if reason is not None:
            raise UserError(f"--rivals: {known[key].name} cannot take part: {reason}")
    return tuple(rival for rival in RIVALS if rival.key in keys)


def present() -> tuple[Rival, ...]:
    """Return the rivals that can be used here."""
    return tuple(rival for rival in RIVALS if rival.available() is None)
