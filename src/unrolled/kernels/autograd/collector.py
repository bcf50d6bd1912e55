"""Steps that share their weights: the gradients of those are made once for all of them.

A loop over steps, written in Python, would make whole gradients of the weights at every step and
add them up. Instead, all steps hang on one node. On the way back each hands in the few rows that
the gradients are made of; the node, which PyTorch runs after all steps, makes one product.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import torch
from torch import Tensor

from ... import _torch
from ..runtime.buffers import solid
from ..runtime.call import Call
from ..runtime.memory import reserve
from ..tuning import MOST_ROWS
from .gradients import Gradients, by_definition
from .node import are_special, derivative, is_batched, train

Found = dict[str, Tensor]


@final
class Collector:
    """The weights of some steps, and what these hand in on the way back.

    Args:
        call: of a step.
        weights: in the order of the call.

    Attributes:
        wanted: whether the gradient of each weight is asked for.
    """

    def __init__(self, call: Call, weights: Sequence[Tensor]) -> None:
        self.weights = weights
        self._names = call.outline.weights
        self._versions = [_torch.version(weight) for weight in weights]
        self._passes: dict[int, _Pass] = {}  # by number of the backward pass
        self.wanted = tuple(weight.requires_grad for weight in weights)

    def serves(self, weights: Sequence[Tensor]) -> bool:
        """Return whether a step with these weights can hang on the same node."""
        for weight, known, version in zip(weights, self.weights, self._versions, strict=True):
            if weight is not known or _torch.version(weight) != version:
                return False
        return True

    def _check(self) -> None:
        """Raise RuntimeError if a weight was changed in place since the steps were taken."""
        for name, weight, version in zip(self._names, self.weights, self._versions, strict=True):
            now = _torch.version(weight)
            if now != version:
                raise RuntimeError(
                    "one of the variables needed for gradient computation has been modified by an "
                    f"inplace operation: {name} is at version {now}; expected version {version} "
                    "instead"
                )

    def passing(self) -> _Pass:
        """Return what was handed in during the backward pass that is going on."""
        task = _torch.graph_task()
        known = self._passes.get(task)
        if known is None:
            self._check()
            known = self._passes[task] = _Pass()
            _torch.at_end_of_backward(lambda: self._forget(task))
        return known

    def _forget(self, task: int) -> None:
        self._passes.pop(task, None)

    def finish(self) -> list[Tensor | None]:
        """Return the gradients of the weights, of all that was handed in."""
        known = self._passes.pop(_torch.graph_task(), None)
        found = {} if known is None else known.total()
        return [found.get(name) for name in self._names]


@final
class _Pass:
    """What steps hand in during one backward pass."""

    def __init__(self) -> None:
        self._rows: dict[Gradients, list[Sequence[Tensor]]] = {}
        self._summed: dict[Gradients, list[Found]] = {}
        self._found: Found = {}

    def hand_in(self, gradients: Gradients, rows: Sequence[Tensor], summed: Found) -> None:
        """Take the rows of one step."""
        known = self._rows.setdefault(gradients, [])
        known.append(rows)
        self._summed.setdefault(gradients, []).append(summed)
        if len(known) * gradients.outline.batch >= MOST_ROWS:
            self._make(gradients)

    def add(self, found: Found) -> None:
        """Take gradients of weights."""
        for name, gradient in found.items():
            known = self._found.get(name)
            self._found[name] = gradient if known is None else known + gradient

    def total(self) -> Found:
        """Return the gradients of all that was handed in."""
        for gradients in list(self._rows):
            self._make(gradients)
        return self._found

    def _make(self, gradients: Gradients) -> None:
        rows, summed = self._rows.pop(gradients), self._summed.pop(gradients)
        self.add(gradients.of_steps(rows, summed))


class Collect(torch.autograd.Function):
    """The node on which steps hang that share their weights."""

    @staticmethod
    def forward(ctx: Any, collector: Collector, *weights: Tensor) -> Tensor:
        """Return a tensor that stands for the weights."""
        ctx.collector = collector
        ctx.set_materialize_grads(False)
        return weights[0].new_empty(0)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        """The gradients of the weights, of all steps."""
        return None, *ctx.collector.finish()


class CollectedStep(torch.autograd.Function):
    """One step of a cell, or a layer over one step, that hangs on the node of its weights."""

    @staticmethod
    def forward(
        ctx: Any, call: Call, anchor: Anchor, _: Tensor, *tensors: Tensor
    ) -> tuple[Tensor, ...]:
        """The recorded values and the states after the step, of sources and states before it."""
        store = reserve.take(call.recurrence.dtype, call.store.size)
        ctx.call, ctx.anchor = call, anchor
        ctx.save_for_backward(*tensors, store)
        ctx.set_materialize_grads(False)
        count = len(call.outline.sources)
        weights = anchor.collector.weights
        recorded, last = train(call, tensors[:count], tensors[count:], weights, store)
        return (*recorded, *last)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        """The gradients of sources and states; rows for those of the weights are handed in."""
        call, collector = ctx.call, ctx.anchor.collector
        count = call.outline.taken - len(call.outline.weights)
        if all(gradient is None for gradient in gradients):
            return (None,) * (3 + count)
        handed_in = collector.passing()
        *tensors, store = (solid(each) for each in ctx.saved_tensors)
        tensors += collector.weights
        wanted = (*ctx.needs_input_grad[3:], *collector.wanted)
        again = torch.is_grad_enabled()
        if again or any(map(is_batched, gradients)) or are_special(tensors, gradients):
            found = by_definition(call, tensors, gradients, wanted, again)
            pairs = zip(call.outline.weights, found[count:], strict=True)
            handed_in.add({name: each for name, each in pairs if each is not None})
            return None, None, None, *found[:count]
        backward = derivative(call, wanted)
        begun = backward.through(call, tensors, store, gradients)
        found, summed = backward.before(begun)
        handed_in.hand_in(backward, backward.gather(begun), summed)
        return None, None, None, *found


@final
class Anchor:
    """What steps hang on; it lives as long as the graph of one of them.

    Attributes:
        collector: of the steps.
        tensor: that stands for the weights in the graph.
    """

    __slots__ = ("__weakref__", "collector", "tensor")

    def __init__(self, call: Call, weights: Sequence[Tensor]) -> None:
        self.collector = Collector(call, weights)
        self.tensor: Tensor = Collect.apply(self.collector, *weights)


def suits(call: Call, weights: Sequence[Tensor]) -> bool:
    """Return whether steps can share the node of their weights."""
    if not (_torch.tells_backward_passes and call.time.is_dense and call.time.steps == 1):
        return False
    return any(each.requires_grad for each in weights) and all(each.is_leaf for each in weights)
