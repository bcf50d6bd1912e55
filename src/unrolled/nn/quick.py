"""Calls of a layer that are like earlier ones: their checks have been made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
    count, batch = layer.num_layers * layer._directions, x.shape[1]
    shapes = [(count, batch, units) for units in layer._state_units]
    given = None
    if hx is not None:
        given = hx if isinstance(hx, tuple) else (hx,)
        if isinstance(hx, tuple) != (len(shapes) > 1) or not _fit(given, shapes, x):
            return None
    graph = torch.is_grad_enabled() and any(
        tensor is not None and tensor.requires_grad
        for tensor in (x, *(given or ()), *layer._parameters.values())
    )
    found = (_train if graph else _infer)(layer, x, given, shapes)
    if found is None:
        return None
    output, last = found
    if layer.batch_first:
        output = output.transpose(0, 1)
    return output, tuple(last) if len(last) > 1 else last[0]


Shapes = list[tuple[int, ...]]
Found = tuple[Tensor, list[Tensor]]


def _infer(
    layer: Layer, x: Tensor, given: tuple[Tensor, ...] | None, shapes: Shapes
) -> Found | None:
    """All layers and directions, without a graph."""
    last = [torch.empty(shape, dtype=x.dtype, device="cpu") for shape in shapes]

    def one(suffix: str, data: Tensor, place: int) -> Tensor | None:
        old = None if given is None else _rows(given, place)
        return _runner(layer).quick_run(suffix, data, old, _rows(last, place), layer._parameters)

    output = _all(layer, x, one)
    return None if output is None else (output, last)


def _train(
    layer: Layer, x: Tensor, given: tuple[Tensor, ...] | None, shapes: Shapes
) -> Found | None:
    """All layers and directions, on the graph."""
    finals: list[list[Tensor]] = [[] for _ in shapes]

    def one(suffix: str, data: Tensor, place: int) -> Tensor | None:
        old = None if given is None else [state[place] for state in given]
        found = _runner(layer).quick_training(suffix, data, old, layer._parameters)
        if found is None:
            return None
        for states, state in zip(finals, found[1], strict=True):
            states.append(state)
        return found[0]

    output = _all(layer, x, one)
    if output is None:
        return None
    return output, [s[0].unsqueeze(0) if len(s) == 1 else torch.stack(s) for s in finals]


def _all(
    layer: Layer, x: Tensor, one: Callable[[str, Tensor, int], Tensor | None]
) -> Tensor | None:
    """The output of the last layer."""
    place, data = 0, x
    for suffixes in layer._all_suffixes:
        outputs = []
        for suffix in suffixes:
            output = one(suffix, data, place)
            if output is None:
                return None
            outputs.append(output)
            place += 1
        data = outputs[0] if len(outputs) == 1 else torch.cat(outputs, -1)
    return data


def _runner(layer: Layer) -> Runner:
    return layer._training_runner if layer.training else layer._runner


def _is_special(layer: Layer) -> bool:
    """Whether a call is more than the equations on zeros or given states."""
    if layer._probes or torch.compiler.is_compiling() or layer.learn_initial_states:
        return True
    return layer.training and layer.dropout > 0


def _fit(states: tuple[Any, ...], shapes: list[tuple[int, ...]], x: Tensor) -> bool:
    """Whether states can be read as they are."""
    return len(states) == len(shapes) and all(
        type(state) in PLAIN
        and state.shape == shape
        and state.dtype is x.dtype
        and state.is_cpu
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
    if masks or steps.batch_sizes is not None or x.dim() != 3:
        return
    if _is_special(layer) or not x.is_contiguous():
        return
    keys = {name: f"{name}{suffix}" for name in weights}
    runner.learn_run(suffix, weights, inputs, states, reverse, keys, layer._parameters)
