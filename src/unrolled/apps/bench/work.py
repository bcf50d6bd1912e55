"""What a recurrent layer is timed at: a call, or a call and its gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch.nn import Module
from torch.nn.utils.rnn import PackedSequence

from .contender import Results
from .shape import Shape

Work: TypeAlias = Callable[[], list[Tensor]]


class Feed(NamedTuple):
    """What a layer is called with.

    Attributes:
        data: (T, B, I), or the rows of a packed sequence.
        states: each (1, B, units).
        batch_sizes: of a packed sequence.
    """

    data: Tensor
    states: tuple[Tensor, ...]
    batch_sizes: Tensor | None = None

    @property
    def rows(self) -> int:
        """How many rows all steps have together."""
        return self.data.shape[:-1].numel()

    def to(self, dtype: torch.dtype) -> Feed:
        """The same numbers in another type."""
        states = tuple(state.to(dtype) for state in self.states)
        return Feed(self.data.to(dtype), states, self.batch_sizes)

    def arguments(self, states: tuple[Tensor, ...], data: Tensor) -> tuple[Any, Any]:
        """The arguments of a layer."""
        hx = states[0] if len(states) == 1 else states
        if self.batch_sizes is None:
            return data, hx
        return PackedSequence(data, self.batch_sizes), hx


def feed(shape: Shape, units: Iterable[int], ragged: bool = False) -> Feed:
    """Random input and states, `units` wide.

    If `ragged`, the rows' lengths are spread evenly between T/4 and T.
    """
    T, B = shape.T, shape.B
    generator = torch.Generator().manual_seed(0)
    states = tuple(torch.randn(1, B, width, generator=generator) / 2 for width in units)
    if not ragged:
        return Feed(torch.randn(T, B, shape.I, generator=generator), states)
    lengths = torch.linspace(T, max(1, T // 4), B).long()
    sizes = torch.tensor([int((lengths > t).sum()) for t in range(T)])
    return Feed(torch.randn(int(sizes.sum()), shape.I, generator=generator), states, sizes)


def inference(module: Module, given: Feed) -> Work:
    """The call alone: output and last states."""
    input, hx = given.arguments(given.states, given.data)

    @torch.inference_mode()
    def work() -> list[Tensor]:
        return _flat(*module(input, hx))

    return work


def training(module: Module, given: Feed) -> Work:
    """The call, and the gradients of input, states and weights."""
    data, *states = [each.clone().requires_grad_() for each in (given.data, *given.states)]
    input, hx = given.arguments(tuple(states), data)
    wanted = [data, *states, *module.parameters()]
    upstream: list[Tensor] = []

    def work() -> list[Tensor]:
        values = _flat(*module(input, hx))
        if not upstream:
            upstream.extend(_like(values))
        return [*values, *torch.autograd.grad(values, wanted, upstream)]

    return work


def named(module: Module, given: Feed) -> Callable[[list[Tensor]], Results]:
    """Gives names to what `inference` or `training` hand back."""
    states = [f"state {place}" for place in range(len(given.states))]
    names = ["output", *states]
    weights = [name for name, _ in module.named_parameters()]
    names += [f"the gradient of {name}" for name in ("x", *states, *weights)]
    return lambda values: dict(zip(names, values, strict=False))


def flops(module: Module, rows: int) -> int:
    """Of the products with every weight, for so many rows; training takes three times as many."""
    return 2 * rows * sum(weight.numel() for weight in module.parameters() if weight.dim() == 2)


def _like(values: list[Tensor]) -> Iterator[Tensor]:
    """Random numbers, the same in float32 and float64."""
    generator = torch.Generator().manual_seed(1)
    for each in values:
        yield torch.randn(each.shape, generator=generator).to(each.dtype)


def _flat(output: Any, states: Any) -> list[Tensor]:
    data = output.data if isinstance(output, PackedSequence) else output
    return [data, *((states,) if isinstance(states, Tensor) else states)]
