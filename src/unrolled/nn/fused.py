"""PyTorch's own fused layers and steps, taken off the CPU for the three cells that it has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from .. import _torch, cells
from ..equations import Cell
from ..kernels.runtime.torch_state import computes_itself, is_read_elsewhere
from .ended import EndedPacked, EndedPadded
from .sequence import Sequences
from .stack import Stack
from .weights import Weighted

FUSED: dict[str, tuple[Callable[..., Any], str]] = {
    "rnn_tanh": (torch.rnn_tanh, "RNN_TANH"),
    "rnn_relu": (torch.rnn_relu, "RNN_RELU"),
    "gru": (torch.gru, "GRU"),
    "lstm": (torch.lstm, "LSTM"),
    "lstm_projected": (torch.lstm, "LSTM"),
}
"""By cell, PyTorch's function and what cuDNN calls it."""


STEP_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "rnn_tanh": torch.rnn_tanh_cell,
    "rnn_relu": torch.rnn_relu_cell,
    "gru": torch.gru_cell,
    "lstm": torch.lstm_cell,
}
"""By cell, PyTorch's function of a single step."""


def is_elsewhere(device: torch.device) -> bool:
    """Return whether tensors lie where no kernel of this library reads them: on a GPU, say."""
    return device.type not in ("cpu", "meta")


def is_standard(cell: Cell) -> bool:
    """Return whether PyTorch has functions for these equations, not just for a cell so named."""
    if cell.name not in FUSED:
        return False
    known = cells.CELLS[cell.name]
    return cell is known or cell == known  # to compare equations takes a millisecond


def has_function(module: Weighted) -> bool:
    """Return whether PyTorch has a function that computes this layer or step."""
    if not isinstance(module, Stack):
        return module.standard and module.cell.name in STEP_FUNCTIONS
    plain = not module.zoneout and not (module.training and module.variational_dropout)
    return plain and module.standard


def applies(layer: Stack, steps: Sequences) -> bool:
    """Return whether a call goes to PyTorch's fused layer."""
    if is_read_elsewhere():  # a function of PyTorch is traced for any length, and exported for one
        traced = not torch.compiler.is_compiling() and not isinstance(steps, EndedPadded)
        return traced and has_function(layer)
    if not is_elsewhere(steps.data.device) or not has_function(layer):
        return False
    return steps.batch_sizes is None or steps.batch_sizes[:1] == [steps.batch]


def run(
    layer: Stack, steps: Sequences, states: Sequence[Tensor]
) -> tuple[Tensor, Sequence[Tensor]]:
    """Return the output and the last states of all layers and directions at once."""
    function, _ = FUSED[layer.cell.name]
    hx = tuple(states) if len(states) > 1 else states[0]
    options = (
        list(chain.from_iterable(layer.all_weights)),
        layer.bias,
        layer.num_layers,
        layer.dropout,
        layer.training,
        layer.bidirectional,
    )
    if isinstance(steps, EndedPacked):
        output, *last = function(steps.packed.data, steps.packed.batch_sizes, hx, *options)
    elif steps.batch_sizes is None:
        output, *last = function(steps.data, hx, *options, False)
    else:
        output, *last = function(steps.data, torch.tensor(steps.batch_sizes), hx, *options)
    return output, last


def applies_to_step(module: Weighted, x: Tensor, weights: Sequence[Tensor]) -> bool:
    """Return whether a step goes to PyTorch's function, which classes of their own do not know."""
    is_there = is_elsewhere(x.device) and has_function(module)
    return is_there and not computes_itself(weights)


def step(
    module: Weighted, x: Tensor, states: Sequence[Tensor], weights: Sequence[Tensor]
) -> Sequence[Tensor]:
    """Return the states, (B, H), after a step."""
    function = STEP_FUNCTIONS[module.cell.name]
    biases = weights[2:] or (None, None)
    found = function(x, tuple(states) if len(states) > 1 else states[0], *weights[:2], *biases)
    return found if isinstance(found, tuple) else (found,)


def flatten(layer: Stack) -> None:
    """Lay the parameters out in one piece of memory where cuDNN can use that."""
    if not has_function(layer):
        return
    weights = list(chain.from_iterable(layer.all_weights))
    first = weights[0]
    if not first.is_cuda:
        return
    if not all(w.dtype == first.dtype and torch.backends.cudnn.is_acceptable(w) for w in weights):
        return
    if len({weight.data_ptr() for weight in weights}) != len(weights):
        return  # tied parameters cannot be laid out one after the other
    mode = torch.backends.cudnn.rnn.get_cudnn_mode(FUSED[layer.cell.name][1])
    with torch.cuda.device_of(first), torch.no_grad():
        _torch.flatten_for_cudnn(
            weights,
            len(layer.all_weights[0]),
            layer.input_size,
            mode,
            layer.hidden_size,
            layer.proj_size,
            layer.num_layers,
            False,
            layer.bidirectional,
        )
