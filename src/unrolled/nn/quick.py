"""Calls of a layer without a graph that are like earlier ones: their checks have been made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..kernels.surroundings import PLAIN

if TYPE_CHECKING:
    from ..kernels.dispatch import Runner
    from .layer import Layer
    from .sequence import Sequence
    from .weights import States


def run(layer: Layer, input: Any, hx: States | None) -> tuple[Tensor, States] | None:
    """What the layer returns; None if the call is not like an earlier one."""
    if type(input) is not Tensor or input.dim() != 3 or not input.is_cpu or _is_special(layer):
        return None
    x = input.transpose(0, 1).contiguous() if layer.batch_first else input
    count = layer.num_layers * len(layer._suffixes(0))
    shapes = [(count, x.shape[1], layer._units[size]) for size in layer.graph.states.values()]
    given = None
    if hx is not None:
        given = hx if isinstance(hx, tuple) else (hx,)
        if isinstance(hx, tuple) != (len(shapes) > 1) or not _fit(given, shapes, x):
            return None
    last = [torch.empty(shape, dtype=x.dtype, device="cpu") for shape in shapes]
    runner = layer._training_runner if layer.training else layer._runner
    place, data = 0, x
    for number in range(layer.num_layers):
        outputs = []
        for suffix in layer._suffixes(number):
            old = None if given is None else _rows(given, place)
            output = runner.quick_run(suffix, data, old, _rows(last, place), layer._parameters)
            if output is None:
                return None
            outputs.append(output)
            place += 1
        data = outputs[0] if len(outputs) == 1 else torch.cat(outputs, -1)
    if layer.batch_first:
        data = data.transpose(0, 1)
    return data, tuple(last) if len(last) > 1 else last[0]


def _is_special(layer: Layer) -> bool:
    """Whether a call is more than the equations on zeros or given states."""
    if layer._probes or torch.compiler.is_compiling() or layer.learn_initial_states:
        return True
    return (layer.training and layer.dropout > 0) or (torch.is_grad_enabled() and _learns(layer))


def _learns(layer: Layer) -> bool:
    return any(p is not None and p.requires_grad for p in layer._parameters.values())


def _fit(states: tuple[Any, ...], shapes: list[tuple[int, ...]], x: Tensor) -> bool:
    """Whether states can be read as they are."""
    return len(states) == len(shapes) and all(
        type(state) in PLAIN
        and state.shape == shape
        and state.dtype is x.dtype
        and state.is_cpu
        and not (state.requires_grad and torch.is_grad_enabled())
        and state.is_contiguous()
        for state, shape in zip(states, shapes, strict=True)
    )


def _rows(states: Any, place: int) -> list[int]:
    """Where the states of one layer and direction stand."""
    return [s.data_ptr() + place * s.stride(0) * s.element_size() for s in states]


def learn(
    layer: Layer,
    runner: Runner,
    steps: Sequence,
    suffix: str,
    weights: Mapping[str, Tensor],
    inputs: Mapping[str, Tensor],
    states: Mapping[str, Tensor],
    reverse: bool,
) -> None:
    """Remember how a call was made, if its like can be made quickly."""
    (x, *masks) = inputs.values()
    if masks or steps.batch_sizes is not None or x.dim() != 3 or torch.is_grad_enabled():
        return
    if torch.compiler.is_compiling() or not x.is_contiguous():
        return
    keys = {name: f"{name}{suffix}" for name in weights}
    runner.learn_run(suffix, weights, inputs, states, reverse, keys, layer._parameters)
