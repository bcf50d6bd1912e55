"""Requests like earlier ones: their checks have been made, and their launches prepared."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any, final

import torch
from torch import Tensor

from .. import _torch
from .autograd import collector
from .autograd.collector import Anchor, take_step
from .autograd.node import Loop, Operands
from .request import Request, Results, is_step
from .runtime.abi import FITS
from .runtime.buffers import is_lazy, picker
from .runtime.cache import Cache
from .runtime.call import Call
from .runtime.guards import Guards
from .runtime.launch import Launch, run_concurrently
from .runtime.memory import empty, rows_like
from .runtime.torch_state import undisturbed
from .tuning import NOTE, OBJECT, VARIANTS


@final
class Replay:
    """A call that is made again and again.

    Args:
        call: which `suits`.
        names: of the weights of a request.
        inputs: names of the inputs of a request.
        request: the first of its kind.
    """

    def __init__(
        self, call: Call, names: Sequence[str], inputs: Sequence[str], request: Request
    ) -> None:
        recurrence, time = call.recurrence, call.time
        self.call = call
        self._sources = picker(inputs, [name for (name,) in call.outline.sources])
        self._weights = picker(names, call.outline.weights)
        lead = () if is_step(request) else (1,)
        missing = call.outline.states.values() if request.states is None else ()
        self.zeros = [
            torch.zeros(*lead, time.batch, units, dtype=recurrence.dtype, device="cpu")
            for units in missing
        ]
        inputs_, states = ([t.contiguous() for t in g or ()] for g in request[1:3])
        self._guards = Guards([*inputs_, *states, *request.weights])
        self._product = recurrence.product
        self._recorded = call.recorded_shapes
        self._count = len(call.record)
        tensors = [*request.inputs, *request.weights, *(request.states or ())]
        self.trains = torch.is_grad_enabled() and any(each.requires_grad for each in tensors)
        self._is_bare = not self._recorded and self._product is None
        self._is_shared = call.outline.shared
        self._collects = self.trains and collector.suits(call, self._weights(request.weights))
        self._anchor: weakref.ref[Anchor] | None = None
        self._launch: Launch | None = None
        if self.trains:
            self.alone = call.alone("forward")
        else:
            self._launch = call.launch("single" if call.is_single else "inference")
            self.alone = None if call.is_single else call.alone("inference")

    def operands(self, request: Request) -> Operands | None:
        """Return the tensors of a request; None if they are not like those of the first."""
        weights, inputs, states = request[:3]
        given = inputs if states is None else (*inputs, *states)
        for each in given:  # a guard ends the process where there are no strides
            if each.is_nested or each.is_mkldnn:
                return None
        if not self._guards.same(*given, *weights):
            inputs = [each.contiguous() for each in inputs]
            states = None if states is None else [each.contiguous() for each in states]
            if not self._guards.alike([*inputs, *(states or ()), *weights]):
                return None
        states = self.zeros if states is None else states
        return self._sources(inputs), states, self._weights(weights)

    def run(self, operands: Operands) -> Results | None:
        """Return recorded values and last states; None if a tensor is not as it has to be."""
        if self._launch is None:
            sources, states, weights = operands
            if self._collects and not _torch.hooks_saved_tensors():
                anchor = self._anchored(weights)
                return self.split(take_step(self.call, anchor, anchor.tensor, *sources, *states))
            return self.split(Loop.apply((self.call,), *sources, *states, *weights))
        tensors, recorded, last = self.arrays(operands)
        return (recorded, last) if self._launch.start(tensors) == FITS else None

    def _anchored(self, weights: Sequence[Tensor]) -> Anchor:
        """Return what steps with these weights hang on, the same as before if they still do."""
        known = None if self._anchor is None else self._anchor()
        anchor = collector.anchored(self.call, weights, known)
        if anchor is not known:
            self._anchor = weakref.ref(anchor)
        return anchor

    def arrays(self, operands: Operands) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Return all operands of a launch without a graph, and which are its results."""
        sources, states, weights = operands
        last = self.call.last(states) if self._is_shared else list(map(rows_like, states))
        if self._is_bare:
            return [*sources, *weights, *states, *last], [], last
        recorded = [empty(last[0], *shape) for shape in self._recorded]
        if self._product is not None:
            sources = self._product.run(sources, weights, self.call.time.total)
        return [*sources, *weights, *states, *last, *recorded], recorded, last

    def split(self, results: Sequence[Tensor]) -> Results:
        """Return recorded values and last states of what autograd's node returns."""
        return results[: self._count], results[self._count :]


def replay(known: Cache, requests: Sequence[Request]) -> list[Results] | None:
    """Return the results of requests on one input; None unless all are like earlier ones.

    Several are run at the same time, each on a thread, where that is faster.
    """
    if not undisturbed():
        return None
    found: list[tuple[Replay, Operands]] = []
    try:
        for request in requests:
            if request.batch_sizes is not None:
                return None
            variants = known.get(_key(request), ())
            for number, one in enumerate(variants):
                operands = one.operands(request)
                if operands is not None:
                    if number:  # likely next, too; a variant that a race drops is learned again
                        variants[0], variants[number] = one, variants[0]
                    found.append((one, operands))
                    break
            else:
                return None
        if len(found) > 1:
            return _several(found)
        one, operands = found[0]
        results = one.run(operands)
    except RuntimeError:  # said in better words by the call that then goes the long way
        return None
    return None if results is None else [results]


def _all(results: list[Results | None]) -> list[Results] | None:
    return None if None in results else results  # pyright: ignore[reportReturnType]


def _several(found: Sequence[tuple[Replay, Operands]]) -> list[Results] | None:
    """Run several at the same time, if each runs best on one thread beside another."""
    one, _ = found[0]
    few = torch.get_num_threads() == 1
    if few or any(other.alone is None or other.trains != one.trains for other, _ in found):
        return _all([other.run(operands) for other, operands in found])
    if one.trains:
        calls = tuple(other.call for other, _ in found)
        flat = [tensor for _, groups in found for group in groups for tensor in group]
        results = Loop.apply(calls, *flat)
        size = len(results) // len(found)
        return [other.split(results[n * size :][:size]) for n, (other, _) in enumerate(found)]
    arrays = [other.arrays(operands) for other, operands in found]
    launches: list[Any] = [other.alone for other, _ in found]
    run_concurrently([(launch, each[0]) for launch, each in zip(launches, arrays, strict=True)])
    return [(recorded, last) for _, recorded, last in arrays]


def _key(request: Request) -> tuple[object, ...]:
    """Return what requests have in common that are served alike, but for what guards compare."""
    _, inputs, states, record, _, reverse = request
    around = torch.get_num_threads(), torch.is_grad_enabled(), torch.is_inference_mode_enabled()
    return inputs[0].shape, states is None, record, reverse, around


def learn(
    known: Cache, call: Call, names: Sequence[str], inputs: Sequence[str], request: Request
) -> None:
    """Prepare for requests like one that was served by a call.

    It is prepared at the second request of its kind: lengths that are new in each call are many.
    """
    variants = known.get(_key(request))
    if variants is None:
        known.keep(_key(request), (), NOTE)
        return
    tensors = [*request.inputs, *request.weights, *(request.states or ())]
    if not suits(call) or any(map(is_lazy, tensors)):
        return
    if any(each.is_nested or each.is_mkldnn for each in tensors):
        return
    one = Replay(call, names, inputs, request)
    variants = [one, *variants][:VARIANTS]
    numbers = sum(state.nbytes for state in one.zeros)
    known.replace(_key(request), variants, len(variants) * (2 * OBJECT + numbers))


def suits(call: Call) -> bool:
    """Return whether a call reads nothing but inputs as they are given."""
    recurrence = call.recurrence
    alone = recurrence.reads_inputs_alone or recurrence.is_whole
    return _torch.has_guards and alone and call.time.is_dense
