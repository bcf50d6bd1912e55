"""Calls like earlier ones: their checks have been made, and their launches prepared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from .. import _torch
from .autograd.node import Loop
from .request import Request, Results
from .runtime.buffers import is_lazy
from .runtime.cache import OBJECT, Cache
from .runtime.call import Call
from .runtime.guards import Guards
from .runtime.launch import Launch, run_concurrently

NOTE = 512
"""Bytes of a note that a call of some kind was made."""


@final
class Replay:
    """A call that is made again and again.

    Args:
        call: which `suits`.
        request: the first of its kind.
    """

    def __init__(self, call: Call, request: Request) -> None:
        self.call = call
        self._sources = [name for (name,) in call.sources]
        dtype = call.recurrence.dtype
        self._zeros = [
            torch.zeros(call.time.batch, units, dtype=dtype, device="cpu")
            for units in call.states.values()
        ]
        sources, states, weights = self._operands(request)
        self._guards = Guards(sources, *([state] for state in states), weights)
        self.trains = torch.is_grad_enabled() and any(
            tensor.requires_grad for tensor in (*sources, *states, *weights)
        )
        steps = 1 if call.time.batch == call.time.total else 2
        self._is_single = steps == 1 and call.states.keys() >= set(call.record)

    def _operands(
        self, request: Request
    ) -> tuple[Sequence[Tensor], Sequence[Tensor], Sequence[Tensor]]:
        """Return sources, states and weights, in the order of the call."""
        given, weights = request.states, request.weights
        states = self._zeros if given is None else [given[name] for name in self.call.states]
        inputs = request.inputs
        return (
            [inputs[name] for name in self._sources],
            states,
            [weights[name] for name in self.call.weights],
        )

    def matches(self, request: Request) -> bool:
        """Return whether a request is like the first one."""
        sources, states, weights = self._operands(request)
        return self._guards.hold(sources, *([state] for state in states), weights)

    @property
    def launch(self) -> Launch:
        """What is launched without a graph."""
        return self.call.single if self._is_single else self.call.inference

    def alone(self) -> bool:
        """Return whether it runs best on one thread beside another."""
        call = self.call
        if self.trains:
            return call.forward_alone is not None
        return not self._is_single and call.inference_alone is not None

    def arrays(self, request: Request) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Return all operands of `launch`, recorded values and last states among them."""
        sources, states, _ = self._operands(request)
        last, recorded = self.call.arrays(sources[0])
        read = self.call.read(sources, request.weights)
        pairs: list[Tensor] = []
        if not self._is_single:
            pairs = [sources[0].new_empty(form.shape) for form in self.call.pairs.values()]
        return [*read, *states, *last, *recorded, *pairs], recorded, last

    def flat(self, request: Request) -> list[Tensor]:
        """Return what autograd's node takes."""
        sources, states, weights = self._operands(request)
        return [*sources, *states, *weights]

    def split(self, results: Sequence[Tensor]) -> Results:
        """Return recorded values and last states of what autograd's node returns."""
        count = len(self.call.record)
        return results[:count], results[count:]


def replay(known: Cache, requests: Sequence[Request]) -> list[Results] | None:
    """Return the results of requests on one input; None unless all are like earlier ones.

    Several are run at the same time, each on a thread, where that is faster.
    """
    found: list[Replay] = []
    for request in requests:
        one = known.get(request.key)
        if one is None or not one.matches(request):
            return None
        found.append(one)
    try:
        if len(found) > 1 and torch.get_num_threads() > 1 and all(each.alone() for each in found):
            return _together(found, requests)
        return [_one(one, request) for one, request in zip(found, requests, strict=True)]
    except RuntimeError:  # said in better words by the call that then goes the long way
        return None


def _one(one: Replay, request: Request) -> Results:
    if one.trains:
        return one.split(Loop.apply((one.call,), *one.flat(request)))
    tensors, recorded, last = one.arrays(request)
    one.launch.run(tensors)
    return recorded, last


def _together(found: Sequence[Replay], requests: Sequence[Request]) -> list[Results]:
    pairs = list(zip(found, requests, strict=True))
    if all(one.trains for one in found):
        calls = tuple(one.call for one in found)
        results = Loop.apply(calls, *(t for one, request in pairs for t in one.flat(request)))
        size = len(results) // len(found)
        return [one.split(results[n * size : (n + 1) * size]) for n, one in enumerate(found)]
    if any(one.trains for one in found):
        return [_one(one, request) for one, request in pairs]
    arrays = [one.arrays(request) for one, request in pairs]
    launches = [one.call.inference_alone for one in found]
    run_concurrently(
        [
            (launch, tensors)
            for launch, (tensors, *_) in zip(launches, arrays, strict=True)
            if launch
        ]
    )
    return [(recorded, last) for _, recorded, last in arrays]


def learn(known: Cache, call: Call, request: Request) -> None:
    """Prepare for requests like one that was served by a call.

    It is prepared at the second request of its kind: lengths that are new in each call are many.
    """
    key = request.key
    if key not in known:
        known.keep(key, None, NOTE)
        return
    if not suits(call):
        return
    tensors = [*request.inputs.values(), *request.weights.values()]
    if len(set(map(id, tensors))) < len(tensors) or any(map(is_lazy, tensors)):
        return
    if request.states is not None and any(map(is_lazy, request.states.values())):
        return
    one = Replay(call, request)
    numbers = sum(state.nbytes for state in one._zeros)
    known.replace(key, one, 2 * OBJECT + numbers)


def suits(call: Call) -> bool:
    """Return whether a call reads nothing but inputs as they are given."""
    recurrence = call.recurrence
    alone = recurrence.reads_inputs_alone or recurrence.is_whole
    return _torch.has_guards and alone and call.time.is_dense
