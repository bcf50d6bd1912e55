"""Steps that share their weights: the gradients of those are made once for all of them.

A loop over steps, written in Python, would make whole gradients of the weights at every step and
add them up. Instead, all steps hang on one node. On the way back each hands in the few rows that
the gradients are made of; the node, which PyTorch runs after all steps, makes one product.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, final
from weakref import WeakValueDictionary

import torch
from torch import Tensor

from ... import _torch
from ..runtime.buffers import solid
from ..runtime.call import Call
from ..runtime.memory import reserve
from ..tuning import MOST_ROWS
from .gradients import by_definition
from .node import derivative, needs_definition, told, train
from .weight_gradients import Summed, WeightProducts


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

    def passing(self) -> _Pass:
        """Return what was handed in during the backward pass that is going on.

        Raises:
            RuntimeError: a weight was changed in place since the steps were taken.
        """
        task = _torch.graph_task()
        known = self._passes.get(task)
        if known is None:
            self._check()
            known = self._passes[task] = _Pass()
            _torch.at_end_of_backward(lambda: self._forget(task))
        return known

    def _check(self) -> None:
        for name, weight, version in zip(self._names, self.weights, self._versions, strict=True):
            now = _torch.version(weight)
            if now != version:
                raise RuntimeError(
                    "one of the variables needed for gradient computation has been modified by an "
                    f"inplace operation: {name} is at version {now}; expected version {version} "
                    "instead"
                )

    def _forget(self, task: int) -> None:
        self._passes.pop(task, None)

    def finish(self) -> list[Tensor | None]:
        """Return the gradients of the weights, of all that was handed in."""
        known = self._passes.pop(_torch.graph_task(), None)
        found = {} if known is None else known.total()
        return [found.get(name) for name in self._names]


@final
class _Pass:
    """All that steps hand in during one backward pass."""

    def __init__(self) -> None:
        self._waiting: dict[Any, _Waiting] = {}  # by kind of products
        self._found: dict[str, Tensor] = {}

    def hand_in(self, products: WeightProducts, rows: Sequence[Tensor], summed: Summed) -> None:
        """Take what the gradients of one step are made of: see `WeightProducts.of_steps`."""
        waiting = self._waiting.get(products.kind)
        if waiting is None:
            waiting = self._waiting[products.kind] = _Waiting(products)
        waiting.steps.append((rows, summed))
        waiting.rows += products.outline.batch
        if waiting.rows >= MOST_ROWS:
            self._multiply(products.kind)

    def add(self, found: Summed) -> None:
        """Take gradients of weights."""
        for name, gradient in found.items():
            known = self._found.get(name)
            self._found[name] = gradient if known is None else known + gradient

    def total(self) -> Summed:
        """Return the gradients of all that was handed in."""
        for kind in list(self._waiting):
            self._multiply(kind)
        return self._found

    def _multiply(self, kind: Any) -> None:
        waiting = self._waiting.pop(kind)
        self.add(waiting.products.of_steps(waiting.steps, waiting.rows))


@final
@dataclass
class _Waiting:
    """Steps, of any batch sizes, of which no product has been made yet."""

    products: WeightProducts
    steps: list[tuple[Sequence[Tensor], Summed]] = field(default_factory=list)
    rows: int = 0


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
        """Return the gradients of the weights, of all steps."""
        return None, *ctx.collector.finish()


class CollectedStep(torch.autograd.Function):
    """One step of a cell, or a layer over one step, that hangs on the node of its weights."""

    @staticmethod
    def forward(
        ctx: Any, call: Call, anchor: Anchor, _: Tensor, *tensors: Tensor
    ) -> tuple[Tensor, ...]:
        """Return recorded values and the states after the step, of sources and states before."""
        store = reserve.take(call.recurrence.dtype, call.store.size)
        ctx.call, ctx.anchor = call, anchor
        ctx.save_for_backward(*tensors, store)
        ctx.set_materialize_grads(False)
        count = len(call.outline.sources)
        given = tensors[:count], tensors[count:], anchor.collector.weights
        recorded, last = train(call, given, store)
        return (*recorded, *last)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        """Return the gradients of sources and states; hand in what those of weights are made of."""
        if _torch.is_profiled():
            wanted = (*ctx.needs_input_grad[3:], *ctx.anchor.collector.wanted)
            with told([ctx.call], wanted):
                return _step_backward(ctx, gradients)
        return _step_backward(ctx, gradients)


def _step_backward(ctx: Any, gradients: Sequence[Tensor | None]) -> tuple[Tensor | None, ...]:
    """Return the gradients of what `CollectedStep.forward` took."""
    call, collector = ctx.call, ctx.anchor.collector
    count = call.outline.taken - len(call.outline.weights)
    if all(gradient is None for gradient in gradients):
        return (None,) * (3 + count)
    handed_in = collector.passing()
    *tensors, store = map(solid, ctx.saved_tensors)
    tensors += collector.weights
    wanted = (*ctx.needs_input_grad[3:], *collector.wanted)
    if needs_definition(tensors, gradients):
        found = by_definition(call, tensors, gradients, wanted)
        pairs = zip(call.outline.weights, found[count:], strict=True)
        handed_in.add({name: each for name, each in pairs if each is not None})
        return None, None, None, *found[:count]
    backward = derivative(call, wanted)
    begun = backward.begin(call, tensors, store, gradients)
    begun.launch.run(begun.tensors)
    found, summed = backward.before(begun)
    products = backward.weights
    rows = products.gather(call, begun.sources, begun.store, begun.buffers)
    handed_in.hand_in(products, rows, summed)
    return None, None, None, *found


take_step: Any = super(torch.autograd.Function, CollectedStep).apply  # pyright: ignore
"""Apply `CollectedStep`; its own `apply` looks for functorch's transforms, as guards have done."""


@final
class Anchor:
    """The hold of steps on the node of their weights, alive as long as the graph of one of them.

    Attributes:
        collector: of the steps.
        tensor: that stands for the weights in the graph.
    """

    __slots__ = ("__weakref__", "collector", "tensor")

    def __init__(self, call: Call, weights: Sequence[Tensor]) -> None:
        self.collector = Collector(call, weights)
        self.tensor: Tensor = Collect.apply(self.collector, *weights)


_anchors: WeakValueDictionary[tuple[Any, ...], Anchor] = WeakValueDictionary()


def anchored(call: Call, weights: Sequence[Tensor], known: Anchor | None) -> Anchor:
    """Return what steps with these weights hang on: what is known, another step's, or a new one."""
    if known is not None and known.collector.serves(weights):
        return known
    key = *call.outline.weights, *((id(weight), weight.requires_grad) for weight in weights)
    found = _anchors.get(key)  # it holds its weights: no other tensor has their ids
    if found is None or not found.collector.serves(weights):
        found = _anchors[key] = Anchor(call, weights)
    return found


def suits(call: Call, weights: Sequence[Tensor]) -> bool:
    """Return whether steps can share the node of their weights."""
    is_step = call.time.is_dense and call.time.steps == 1
    wanted = any(weight.requires_grad for weight in weights)
    return _torch.tells_backward_passes and is_step and wanted
