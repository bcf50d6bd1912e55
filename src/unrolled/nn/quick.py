"""Calls of a layer that are like earlier ones: their checks have been made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, final

import torch
from torch import Tensor

from ..kernels.runtime.buffers import Buffers, is_lazy
from ..kernels.runtime.cache import OBJECT, Cache
from .weights import States

if TYPE_CHECKING:
    from ..kernels.runtime.quick import QuickLone, QuickRun, QuickTraining
    from .layer import Layer


NOTE = 512
"""Bytes of a note that a call of some kind was made."""


def key(input: Tensor, hx: Any) -> Any:
    """What calls have to have in common for one to be made like another."""
    return input.shape, hx is None, torch.is_grad_enabled(), torch.is_inference_mode_enabled()


def is_first(known: Cache, key: Any) -> bool:
    """Whether no call of a kind was met before; then note that one was."""
    if key in known:
        return False
    known.keep(key, None, NOTE)
    return True


def given(hx: Any, count: int) -> tuple[Any, ...] | None:
    """The states that a call of a cell with so many is given; None if it takes another form."""
    if hx is None:
        return ()
    if count == 1:
        return (hx,) if isinstance(hx, Tensor) else None
    return hx if isinstance(hx, tuple) and len(hx) == count else None


def _key(layer: Layer, input: Tensor, hx: Any) -> Any:
    return key(input, hx), layer.batch_first


def run(layer: Layer, input: Any, hx: States | None) -> tuple[Tensor, States] | None:
    """What the layer returns; None if the call is not like an earlier one."""
    if type(input) is not Tensor or _is_special(layer):
        return None
    way: Inference | Training | None = layer._known.get(_key(layer, input, hx))
    if way is None:
        return None
    states = given(hx, len(layer._state_units))
    if states is None:
        return None
    own = layer._parameters
    try:
        parameters: Any = [own[name] for name in way.names]
    except KeyError:  # it is computed from others now
        return None
    handed = (input, *states, *parameters)
    places = way.buffers.places(handed)
    if places is None or not way.like.holds(handed):
        return None
    x = input.transpose(0, 1).contiguous() if layer.batch_first else input
    if isinstance(way, Training):
        output, last = way.run(x, states, parameters)
    else:
        output, last = way.run(x, places[1 : 1 + len(states)], places[1 + len(states) :])
    if layer.batch_first:
        output = output.transpose(0, 1)
    return output, tuple(last) if len(last) > 1 else last[0]


def _is_special(layer: Layer) -> bool:
    """Whether a call is more than the equations on zeros or given states."""
    if torch.compiler.is_compiling() or layer._probes or layer.learn_initial_states:
        return True
    return layer.training and (layer._is_noisy or layer.dropout > 0)


@final
class _Places:
    """The layers and directions of a stack.

    Args:
        ways: of each layer, each direction's.
        suffixes: of the parameters of each.
    """

    def __init__(self, ways: Sequence[Sequence[Any]], suffixes: Sequence[Sequence[str]]) -> None:
        self.names: list[str] = []
        self.layers: list[list[tuple[int, Any, slice]]] = []
        place = 0
        for row, endings in zip(ways, suffixes, strict=True):
            self.layers.append([])
            for way, suffix in zip(row, endings, strict=True):
                begin = len(self.names)
                self.names += [f"{name}{suffix}" for name in way.names]
                self.layers[-1].append((place, way, slice(begin, len(self.names))))
                place += 1


@final
class Inference:
    """All layers and directions, without a graph.

    Args:
        ways: of each layer, each direction's.
        suffixes: of the parameters of each.
        states: batch and units of each.
        width: bytes of a number.

    Attributes:
        names: of the parameters.
        like: what calls have to be like.
        buffers: what they are handed.
    """

    def __init__(
        self,
        ways: Sequence[Sequence[QuickRun | QuickLone]],
        suffixes: Sequence[Sequence[str]],
        states: Sequence[tuple[int, int]],
        width: int,
    ) -> None:
        places = _Places(ways, suffixes)
        self.names = places.names
        count = sum(map(len, ways))
        self._shapes = [(count, *shape) for shape in states]
        sizes = [batch * units * width for batch, units in states]
        self._layers = [
            [(way, [place * size for size in sizes], own) for place, way, own in row]
            for row in places.layers
        ]
        self._lone = ways[0][0] if count == 1 else None
        self._together = [_together(row) for row in ways]
        self.like: Any = None
        self.buffers: Any = None

    def run(
        self, x: Tensor, states: Sequence[int], parameters: Sequence[int]
    ) -> tuple[Tensor, list[Tensor]]:
        """The output of the last layer, (T, B, units), and the last states, (L, B, units).

        Args:
            x: (T, B, I), laid out row by row.
            states: where the first ones stand; none if they are 0.
            parameters: where those stand that `names` tells.
        """
        last = [x.new_empty(shape) for shape in self._shapes]
        old = states or None
        new = [state.data_ptr() for state in last]
        addresses = parameters
        if self._lone is not None:
            return self._lone.run(x, old, new, addresses), last
        for row, together in zip(self._layers, self._together, strict=True):
            runs = [
                (way, old and _moved(old, begins), _moved(new, begins), addresses[own])
                for way, begins, own in row
            ]
            if together is not None:
                outputs = together(runs, x)
            else:
                outputs = [way.run(x, *rest) for way, *rest in runs]
            x = outputs[0] if len(outputs) == 1 else torch.cat(outputs, -1)
        return x, last


def _together(ways: Sequence[Any]) -> Callable[..., list[Any]] | None:
    """What runs all directions of a layer at once, if that is faster."""
    if len(ways) == 1 or torch.get_num_threads() == 1:
        return None
    lone = [getattr(way, "lone", None) for way in ways]
    return None if None in lone else ways[0].abreast


def _moved(addresses: Sequence[int], offsets: list[int]) -> list[int]:
    return [address + offset for address, offset in zip(addresses, offsets, strict=True)]


@final
class Training:
    """All layers and directions, on the graph; arguments and attributes as of `Inference`."""

    def __init__(
        self, ways: Sequence[Sequence[QuickTraining]], suffixes: Sequence[Sequence[str]]
    ) -> None:
        places = _Places(ways, suffixes)
        self.names, self._layers = places.names, places.layers
        self._together = [_together(row) for row in ways]
        self.like: Any = None
        self.buffers: Any = None

    def run(
        self, x: Tensor, states: Sequence[Tensor], parameters: Sequence[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        """The output of the last layer, (T, B, units), and the last states, (L, B, units)."""
        finals = []
        for row, together in zip(self._layers, self._together, strict=True):
            runs = [
                (way, [state[place] for state in states] if states else None, parameters[own])
                for place, way, own in row
            ]
            if together is not None:
                results = together(runs, x)
            else:
                results = [way.run(x, *rest) for way, *rest in runs]
            outputs = [output for output, _ in results]
            finals += [last for _, last in results]
            x = outputs[0] if len(outputs) == 1 else torch.cat(outputs, -1)
        if len(finals) == 1:
            return x, [state.unsqueeze(0) for state in finals[0]]
        return x, [torch.stack(of_all) for of_all in zip(*finals, strict=True)]


def learn(layer: Layer, input: Any, hx: States | None) -> None:
    """Remember how a call was made that took kernels, if its like can be made quickly.

    It is remembered at the second call of its kind: lengths that are new in each call are many.
    """
    if type(input) is not Tensor or input.dim() != 3 or _is_special(layer):
        return
    states = given(hx, len(layer._state_units))
    if states is None:
        return
    shape = (input.shape[1], input.shape[0]) if layer.batch_first else tuple(input.shape[:2])
    if not all(state.is_contiguous() for state in states) or len(set(map(id, states))) < len(
        states
    ):
        return  # the check takes each tensor once
    if not layer.batch_first and not input.is_contiguous():
        return
    if is_first(layer._known, _key(layer, input, hx)):
        return
    calls = _calls(layer, input, shape)
    if calls is None:
        return
    from ..kernels.runtime import quick

    everything = [input, *states, *layer._parameters.values()]
    graph = torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in everything)
    if graph:
        ways = [[quick.QuickTraining(call) for call in row] for row in calls]
        way = Training(ways, layer._all_suffixes)
    else:
        kind = quick.QuickLone if shape[0] == 1 else quick.QuickRun
        way = Inference(
            [[kind(call) for call in row] for row in calls],
            layer._all_suffixes,
            [(shape[1], units) for units in layer._state_units],
            input.element_size(),
        )
    parameters: Any = [layer._parameters[name] for name in way.names]
    if not graph and not all(p is not None and p.is_contiguous() for p in parameters):
        return
    handed = [input, *states, *parameters]
    if any(map(is_lazy, handed)):
        return
    way.like = quick.Likeness(handed)
    labels = ["input", *(f"hx[{place}]" for place in range(len(states))), *way.names]
    way.buffers = Buffers.like(type(layer).__name__, labels, handed)
    states_size = sum(shape[1] * units for units in layer._state_units) * input.element_size()
    size = (OBJECT + states_size) * sum(map(len, calls))
    layer._known.replace(_key(layer, input, hx), way, size)


def _calls(layer: Layer, input: Tensor, shape: tuple[int, ...]) -> list[list[Any]] | None:
    """The call of each layer and direction; None if one cannot be made quickly."""
    runner = layer._training_runner if layer.training else layer._runner
    found = []
    width = input.shape[-1]
    for suffixes in layer._all_suffixes:
        x = input.new_empty(1).expand(*shape, width)  # of that shape, without memory
        found.append([])
        for direction, suffix in enumerate(suffixes):
            weights: Mapping[str, Any] = layer._weights(suffix)
            owned = layer._parameters
            if any(owned.get(f"{name}{suffix}") is not value for name, value in weights.items()):
                return None
            call = runner.known(weights, x, direction == 1)
            if call is None:
                return None
            found[-1].append(call)
        width = layer.output_size * len(suffixes)
    return found
