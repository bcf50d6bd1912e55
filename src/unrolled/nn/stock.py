"""The module of torch.nn that computes what a layer or step of this library does."""

from __future__ import annotations

import warnings
from typing import Any

from torch import Tensor, nn
from torch.overrides import is_tensor_like

from .. import _torch
from . import fused
from .stack import Stack
from .weights import Weighted

LAYERS: dict[str, type[nn.Module]] = {
    "rnn_tanh": nn.RNN,
    "rnn_relu": nn.RNN,
    "lstm": nn.LSTM,
    "lstm_projected": nn.LSTM,
    "gru": nn.GRU,
}
"""By cell, the layer that PyTorch has for it."""

STEPS: dict[str, type[nn.Module]] = {
    "rnn_tanh": nn.RNNCell,
    "rnn_relu": nn.RNNCell,
    "lstm": nn.LSTMCell,
    "gru": nn.GRUCell,
}
"""By cell, the single step that PyTorch has for it."""

OPTIONS = ("zoneout", "variational_dropout", "learn_initial_states")
"""What no layer of PyTorch has, and what changes results."""


def kind(module: Weighted) -> type[nn.Module] | None:
    """Return the class of PyTorch with the equations of a module of ours."""
    known = LAYERS if isinstance(module, Stack) else STEPS
    return known.get(module.cell.name) if fused.is_standard(module.cell) else None


def obstacle(module: Weighted) -> str | None:
    """Return why no module of PyTorch computes what a module of ours does; None if one does."""
    known = kind(module)
    if known is None:
        return f"torch.nn has no {module.cell.name}"
    further = [name for name in OPTIONS if getattr(module, name, None)]
    return f"torch.nn.{known.__name__} has no {further[0]}" if further else None


def made(module: Any) -> nn.Module:
    """Return a module of PyTorch with the options of one of ours, and no memory for parameters."""
    make: Any = kind(module)
    options: dict[str, Any] = {"bias": module.bias, "device": "meta"}
    if module.cell.name.startswith("rnn_"):
        options["nonlinearity"] = module.cell.name.removeprefix("rnn_")
    if isinstance(module, Stack):
        names = ["num_layers", "batch_first", "bidirectional"]
        names += ["proj_size"] if module.proj_size else []
        options |= {name: getattr(module, name) for name in names}
    return make(module.input_size, module.hidden_size, **options)


def computes(module: Weighted, *given: Any) -> bool:
    """Return whether a call is PyTorch's to answer: it is given what only looks like a tensor.

    PyTorch hands that its own function, to do with it what it likes. What its function does not do
    (zoneout, a recording) is not left out in silence: such a call is refused as a wrong type.
    """
    parts = [each for one in given for each in (one if type(one) in (tuple, list) else (one,))]
    if not any(not isinstance(each, Tensor) and is_tensor_like(each) for each in parts):
        return False
    is_known = isinstance(module, (nn.RNNBase, nn.RNNCellBase)) and not module._probes
    return is_known and obstacle(module) is None


def run(module: Any, input: Any, hx: Any) -> Any:
    """Return what PyTorch's module would, with the parameters of this one."""
    known: Any = kind(module)
    return known.forward(module, input, hx)


def scriptable(module: Weighted) -> nn.Module:
    """Return what torch.jit.script compiles in the place of a module: PyTorch's, same parameters.

    Raises:
        RuntimeError: where PyTorch has none.
    """
    name, reason = type(module).__name__, obstacle(module)
    if module._probes:
        reason = "record() and edit() need plain calls: leave their context first"
    twin: Any = made(module) if reason is None else nn.Module()
    if reason is None and twin._parameters.keys() != module._parameters.keys():
        reason = "its weights are made of others"
    if reason is not None:
        raise RuntimeError(
            f"torch.jit.script cannot compile {name}({module.extra_repr()}): {reason}. "
            "Put torch.jit.trace(layer, example) in its place, which takes any number of steps and "
            "rows; or export the model by torch.export"
        )
    if isinstance(module, Stack):
        twin.dropout = module.dropout  # not when it is made: that warns of dropout in one layer
    for own in nn.Module().__dict__:
        twin.__dict__[own] = module.__dict__[own]
    if isinstance(twin, nn.RNNBase):
        _torch.renew_flat_weights(twin)
    warnings.warn(
        f"torch.jit.script compiles torch.nn.{type(twin).__name__} in the place of {name}, with "
        f"the same parameters. If it found the {name} inside a model, torch.nn's now stands there: "
        "unrolled.adopt(model) turns it back",
        stacklevel=2,
    )
    return twin
