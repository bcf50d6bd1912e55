"""Calls like earlier ones: their checks have been made, and their launches prepared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

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
from .runtime.launcher import FITS, SCATTERED
from .runtime.memory import empty

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
        recurrence, time = call.recurrence, call.time
        self.call = call
        self._sources = [name for (name,) in call.sources]
        self._states, self._weights = list(call.states), list(call.weights)
        self.zeros = [
            torch.zeros(time.batch, units, dtype=recurrence.dtype, device="cpu")
            for units in call.states.values()
        ]
        self._product = recurrence.product
        sources, states, weights = groups = self.operands(request)
        self.holds = Guards(sources, weights, *([state] for state in states)).hold
        self._count = len(call.record)
        self._finals = [(time.batch, units) for units in call.states.values()]
        self._recorded = [(*call.shape, units) for units in call.widths.values()]
        self.trains = torch.is_grad_enabled() and any(
            tensor.requires_grad for group in groups for tensor in group
        )
        is_step = time.batch == time.total and call.states.keys() >= set(call.record)
        self._pairs = [] if is_step else [form.shape for form in call.pairs.values()]
        self._launch: Launch | None = None
        self.alone: Launch | None = None
        if self.trains:
            self.alone = call.forward_alone
        else:
            self._launch = call.single if is_step else call.inference
            self.alone = None if is_step else call.inference_alone

    def operands(self, request: Request) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Return sources, states and weights, in the order of the call."""
        weights, inputs, given = request[:3]
        return (
            [inputs[name] for name in self._sources],
            self.zeros if given is None else [given[name] for name in self._states],
            [weights[name] for name in self._weights],
        )

    def run(
        self, sources: list[Tensor], states: list[Tensor], weights: list[Tensor]
    ) -> Results | None:
        """Return recorded values and last states; None if a tensor is not as it has to be."""
        if self._launch is None:
            return self.split(Loop.apply((self.call,), *sources, *states, *weights))
        tensors, recorded, last = self.arrays(sources, states, weights)
        worst = self._launch.start(tensors)
        if worst == SCATTERED:
            worst = self._launch.start([each.contiguous() for each in tensors])
        return None if worst != FITS else (recorded, last)

    def arrays(
        self, sources: list[Tensor], states: list[Tensor], weights: list[Tensor]
    ) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Return all operands of a launch without a graph, and which are its results."""
        new = sources[0].new_empty
        last = [new(shape) for shape in self._finals]
        recorded = [empty(sources[0], *shape) for shape in self._recorded]
        if self._product is not None:
            named = dict(zip(self._weights, weights, strict=True))
            sources = self._product.run(sources, named, self.call.time.total)
        pairs = [new(shape) for shape in self._pairs]
        return [*sources, *weights, *states, *last, *recorded, *pairs], recorded, last

    def split(self, results: Sequence[Tensor]) -> Results:
        """Return recorded values and last states of what autograd's node returns."""
        return results[: self._count], results[self._count :]


def replay(known: Cache, requests: Sequence[Request]) -> list[Results] | None:
    """Return the results of requests on one input; None unless all are like earlier ones.

    Several are run at the same time, each on a thread, where that is faster.
    """
    found: list[tuple[Replay, Any]] = []
    for request in requests:
        one: Replay | None = known.get(request.key)
        if one is None:
            return None
        sources, states, weights = operands = one.operands(request)
        if not one.holds(sources, weights, *[(state,) for state in states]):
            return None
        found.append((one, operands))
    try:
        if len(found) > 1 and torch.get_num_threads() > 1:
            return _several(found)
        results = [one.run(*operands) for one, operands in found]
    except RuntimeError:  # said in better words by the call that then goes the long way
        return None
    return None if None in results else results  # pyright: ignore[reportReturnType]


def _several(found: Sequence[tuple[Replay, Any]]) -> list[Results] | None:
    """Run several at the same time, if each runs best on one thread beside another."""
    one, _ = found[0]
    if any(other.alone is None or other.trains != one.trains for other, _ in found):
        results = [other.run(*operands) for other, operands in found]
        return None if None in results else results  # pyright: ignore[reportReturnType]
    if one.trains:
        calls = tuple(other.call for other, _ in found)
        flat = [tensor for _, groups in found for group in groups for tensor in group]
        results = Loop.apply(calls, *flat)
        size = len(results) // len(found)
        return [other.split(results[n * size :][:size]) for n, (other, _) in enumerate(found)]
    arrays = [other.arrays(*operands) for other, operands in found]
    launches: list[Any] = [other.alone for other, _ in found]
    run_concurrently([(launch, each[0]) for launch, each in zip(launches, arrays, strict=True)])
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
    numbers = sum(state.nbytes for state in one.zeros)
    known.replace(key, one, 2 * OBJECT + numbers)


def suits(call: Call) -> bool:
    """Return whether a call reads nothing but inputs as they are given."""
    recurrence = call.recurrence
    alone = recurrence.reads_inputs_alone or recurrence.is_whole
    return _torch.has_guards and alone and call.time.is_dense
