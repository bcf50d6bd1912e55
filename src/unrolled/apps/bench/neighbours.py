"""Rows of calls that differ in something harmless, beside the call that they differ from."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn import Module

from ... import nn
from .contender import Contender, Contest, Results, numbered
from .library import eager_only
from .rivals import Rival
from .rows import Maker
from .work import Shape, drawn, flops

CALLS = 20
"""Calls of one piece of work."""

Arguments: TypeAlias = tuple[Any, ...]
Side: TypeAlias = tuple[Module, Callable[[int], tuple[Arguments, dict[str, Any]]]]
"""One of two that are compared: a module, and what returns the arguments of its call with some
number, by position and by name."""
Pair: TypeAlias = Callable[[Shape], tuple[Side, Side]]
"""Makes both sides: the call that is different, and its neighbour."""


def _numbers(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def _drawn(kind: type[Module], shape: Shape, **options: Any) -> Any:
    return drawn(kind, shape.I, shape.H, **options).eval()


def _always(module: Module, *arguments: Any) -> Side:
    """Return a module that is called with the same arguments each time."""
    return module, lambda _: (arguments, {})


def _calls(
    make: Callable[[Tensor, Tensor, Tensor], Arguments],
    kind: type[Module] = nn.LSTM,
    plain: bool = False,
    **options: Any,
) -> Pair:
    """Return how both sides are made.

    Args:
        make: makes the arguments of the call, from input (T, B, I) and states (1, B, H); those of
            a cell are (B, I) and (B, H).
        kind: of module: LSTM or LSTMCell.
        plain: whether the neighbour is called without states.
        options: of the module, which its neighbour does not have.
    """

    def pair(shape: Shape) -> tuple[Side, Side]:
        x, h = _numbers(shape.B, shape.I), _numbers(shape.B, shape.H)
        if kind is nn.LSTM:
            x, h = _numbers(shape.T, *x.shape), _numbers(1, *h.shape)
        neighbour = (x,) if plain else (x, (h, -h))
        return (
            _always(_drawn(kind, shape, **options), *make(x, h, -h)),
            _always(_drawn(kind, shape), *neighbour),
        )

    return pair


def _strided(x: Tensor) -> Tensor:
    return torch.stack([x, x], -1)[..., 0]


def _turns(sizes: Callable[[Shape, int], tuple[int, int]]) -> Pair:
    """Return how calls of several lengths and batch sizes in turn are made.

    The neighbour is always called with the size in the middle.
    """

    def pair(shape: Shape) -> tuple[Side, Side]:
        layer = _drawn(nn.LSTM, shape)
        every = [(_numbers(*sizes(shape, n), shape.I),) for n in range(CALLS)]
        return (layer, lambda n: (every[n % CALLS], {})), _always(layer, *every[CALLS // 2])

    return pair


def _lengths(shape: Shape) -> tuple[Side, Side]:
    """Return lengths that are new in each call; the neighbour's are the same in all."""
    layer, x = _drawn(nn.LSTM, shape), _numbers(shape.T, shape.B, shape.I)

    def lengths(number: int) -> tuple[Arguments, dict[str, Any]]:
        rows = random.Random(number)
        return (x,), {"lengths": [rows.randint(1, shape.T) for _ in range(shape.B)]}

    same = lengths(0)
    return (layer, lengths), (layer, lambda _: same)


_ARGUMENTS: dict[str, Callable[[Tensor, Tensor, Tensor], Arguments]] = {
    "one tensor for both states": lambda x, h, c: (x, (h, h)),
    "no states": lambda x, h, c: (x,),
    "batch_first": lambda x, h, c: (x.transpose(0, 1).contiguous(), (h, c)),
    "a sliced input": lambda x, h, c: (torch.cat([x, x], -1)[:, : x.shape[1]], (h, c)),
    "a strided input": lambda x, h, c: (_strided(x), (h, c)),
    "an expanded input": lambda x, h, c: (x[:1].expand_as(x), (h, c)),
    "strided states": lambda x, h, c: (x, (_strided(h), _strided(c))),
}
"""By what is different, the arguments of a call, from its input and states."""

CELLS: dict[str, Pair] = {
    name: _calls(make, nn.LSTMCell)
    for name, make in _ARGUMENTS.items()
    if name not in ("batch_first", "a strided input")
}
"""By what is different, how the two sides are made: a cell's calls."""

LAYERS: dict[str, Pair] = {
    **{
        name: _calls(make, batch_first=name == "batch_first")
        for name, make in _ARGUMENTS.items()
        if name != "a sliced input"
    },
    "two batch sizes": _turns(lambda s, n: (s.T, s.B + n % 2)),
    "twenty lengths": _turns(lambda s, n: (s.T + n, s.B)),
    "twenty batch sizes": _turns(lambda s, n: (s.T, s.B + n)),
    "new lengths=": _lengths,
    "learned states": _calls(lambda x, h, c: (x,), learn_initial_states=True),
    "zoneout": _calls(lambda x, h, c: (x,), plain=True, zoneout=0.1),
}
"""The same of a layer's."""


def beside_neighbour(pair: Pair, learns: bool = False) -> Maker:
    """Return how calls are compared with those that they differ from.

    Args:
        pair: makes both.
        learns: whether the gradients of the weights are taken, too.
    """

    def make(cell: str, shape: Shape, rivals: Sequence[Rival]) -> Contest:
        ours, neighbour = (
            _contender(name, pair, which, shape, learns)
            for which, name in enumerate(("unrolled", "neighbour"))
        )
        return Contest(ours, (neighbour,))

    return make


def _contender(name: str, pair: Pair, which: int, shape: Shape, learns: bool) -> Contender:
    work = partial(_work, pair, which, shape, learns)

    def expected() -> Results:
        with eager_only():
            return numbered("result", work()())

    module, _ = pair(shape)[which]
    rows = shape.B * (1 if isinstance(module, nn.LSTMCell) else shape.T)
    operations = flops(module, CALLS * rows)
    return Contender(name, work(), partial(numbered, "result"), expected, operations, steps=CALLS)


def _work(pair: Pair, which: int, shape: Shape, learns: bool) -> Callable[[], list[Tensor]]:
    """Return what makes the next calls, and gives the results of the last."""
    module, arguments = pair(shape)[which]
    numbers, weights = count(), list(module.parameters())

    def call() -> list[Tensor]:
        given, named = arguments(next(numbers))
        values = _flat(module(*given, **named))
        if not learns:
            return values
        return [*values, *torch.autograd.grad(values[0].sum(), weights)]

    @torch.inference_mode(not learns)
    def work() -> list[Tensor]:
        return [call() for _ in range(CALLS)][-1]

    return work


def _flat(values: Any) -> list[Tensor]:
    """Return all tensors that a module gives back."""
    if isinstance(values, Tensor):
        return [values]
    return [tensor for value in values for tensor in _flat(value)]
