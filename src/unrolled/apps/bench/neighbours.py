"""Rows of calls that differ in something harmless, beside the call that they differ from."""

from __future__ import annotations

import copy
import random
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any, ClassVar, final

import torch
from torch import Tensor
from torch.nn import Module

from ... import nn
from .contender import Contender, Contest, Results
from .layers import Row
from .library import eager_only
from .rivals import Rival
from .work import Shape, flops

CALLS = 20
"""Calls of one piece of work."""

Arguments = tuple[Any, ...]
"""Of a call; a dictionary at the end has those with names."""


@final
@dataclass(frozen=True)
class Side:
    """One of two that are compared.

    Attributes:
        module: that is called.
        arguments: returns those of the call with some number.
    """

    module: Module
    arguments: Callable[[int], Arguments]


Pair = tuple[Side, Side]
Maker = Callable[[Shape], Pair]

LAYERS: dict[str, Maker] = {}
"""By what is different, how the two sides are made: a layer's calls."""

CELLS: dict[str, Maker] = {}
"""The same of a cell's."""


def _numbers(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def _drawn(kind: type[Module], shape: Shape, **options: Any) -> Any:
    """Return a module, always with the same weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return kind(shape.I, shape.H, **options).eval()


def _states(shape: Shape, *lead: int) -> tuple[Tensor, Tensor]:
    h = _numbers(*lead, shape.B, shape.H)
    return h, -h


def _cell(make: Callable[[Tensor, Tensor, Tensor], Arguments]) -> Maker:
    """Return how a cell's call is made, of its input and states, and its neighbour."""

    def pair(shape: Shape) -> Pair:
        cell, x, (h, c) = _drawn(nn.LSTMCell, shape), _numbers(shape.B, shape.I), _states(shape)
        given = make(x, h, c)
        return Side(cell, lambda _: given), Side(cell, lambda _: (x, (h, c)))

    return pair


def _layer(
    make: Callable[[Tensor, Tensor, Tensor], Arguments], plain: bool = False, **options: Any
) -> Maker:
    """Return the same of a layer.

    Args:
        make: the call, of input (T, B, I) and states (1, B, H).
        plain: whether the neighbour is called without states.
        options: of the layer, which its neighbour does not have.
    """

    def pair(shape: Shape) -> Pair:
        other, layer = _drawn(nn.LSTM, shape, **options), _drawn(nn.LSTM, shape)
        x, (h, c) = _numbers(shape.T, shape.B, shape.I), _states(shape, 1)
        given, neighbour = make(x, h, c), (x,) if plain else (x, (h, c))
        return Side(other, lambda _: given), Side(layer, lambda _: neighbour)

    return pair


def _strided(x: Tensor) -> Tensor:
    return torch.stack([x, x], -1)[..., 0]


def _turns(sizes: Callable[[Shape, int], tuple[int, int]]) -> Maker:
    """Return how calls of several lengths and batch sizes in turn are made.

    The neighbour is always called with the size in the middle.
    """

    def pair(shape: Shape) -> Pair:
        layer = _drawn(nn.LSTM, shape)
        every = [(_numbers(*sizes(shape, n), shape.I),) for n in range(CALLS)]
        middle = every[CALLS // 2]
        return Side(layer, lambda n: every[n % CALLS]), Side(layer, lambda _: middle)

    return pair


def _lengths(shape: Shape) -> Pair:
    """Lengths that are new in each call; the neighbour's are the same in all."""
    layer, x = _drawn(nn.LSTM, shape), _numbers(shape.T, shape.B, shape.I)

    def drawn(number: int) -> Arguments:
        rows = random.Random(number)
        return x, None, {"lengths": [rows.randint(1, shape.T) for _ in range(shape.B)]}

    same = drawn(0)
    return Side(layer, drawn), Side(layer, lambda _: same)


CELLS["one tensor for both states"] = _cell(lambda x, h, c: (x, (h, h)))
CELLS["no states"] = _cell(lambda x, h, c: (x,))
CELLS["a sliced input"] = _cell(lambda x, h, c: (torch.cat([x, x], -1)[:, : x.shape[1]], (h, c)))
CELLS["an expanded input"] = _cell(lambda x, h, c: (x[:1].expand_as(x), (h, c)))
CELLS["strided states"] = _cell(lambda x, h, c: (x, (_strided(h), _strided(c))))
LAYERS["one tensor for both states"] = _layer(lambda x, h, c: (x, (h, h)))
LAYERS["no states"] = _layer(lambda x, h, c: (x,))
LAYERS["batch_first"] = _layer(
    lambda x, h, c: (x.transpose(0, 1).contiguous(), (h, c)), batch_first=True
)
LAYERS["a strided input"] = _layer(lambda x, h, c: (_strided(x), (h, c)))
LAYERS["an expanded input"] = _layer(lambda x, h, c: (x[:1].expand_as(x), (h, c)))
LAYERS["strided states"] = _layer(lambda x, h, c: (x, (_strided(h), _strided(c))))
LAYERS["two batch sizes"] = _turns(lambda s, n: (s.T, s.B + n % 2))
LAYERS["twenty lengths"] = _turns(lambda s, n: (s.T + n, s.B))
LAYERS["twenty batch sizes"] = _turns(lambda s, n: (s.T, s.B + n))
LAYERS["new lengths="] = _lengths
LAYERS["learned states"] = _layer(lambda x, h, c: (x,), learn_initial_states=True)
LAYERS["zoneout"] = _layer(lambda x, h, c: (x,), plain=True, zoneout=0.1)


@dataclass(frozen=True)
class NeighbourRow(Row):
    """Abstract: calls beside those that they differ from.

    Attributes:
        difference: a key of `makers`.
        learns: whether the gradients of the weights are taken, too.
    """

    kind = "neighbours"
    makers: ClassVar[Mapping[str, Maker]]
    learns: ClassVar[bool] = False

    difference: str

    @property
    def title(self) -> str:
        """The heading, and what is different."""
        return f"{super().title}: {self.difference}"

    def contest(self, rivals: Sequence[Rival]) -> Contest:
        """Make both sides."""
        return Contest(self._contender("unrolled", 0), (self._contender("neighbour", 1),))

    def _contender(self, name: str, which: int) -> Contender:
        def expected() -> Results:
            with eager_only():
                return _named(self._work(which)())

        module = self.makers[self.difference](self.shape)[which].module
        rows = self.shape.B * (1 if self.makers is CELLS else self.shape.T)
        operations = flops(module, CALLS * rows)
        return Contender(name, self._work(which), _named, expected, operations, steps=CALLS)

    def _work(self, which: int) -> Callable[[], list[Tensor]]:
        """Return what makes the next calls, and gives the results of the last."""
        side, numbers = self.makers[self.difference](self.shape)[which], count()
        weights = list(side.module.parameters())

        def call() -> list[Tensor]:
            *given, last = side.arguments(next(numbers))
            named = last if isinstance(last, dict) else {}
            values = _flat(side.module(*given, *([] if named else [last]), **named))
            if not self.learns:
                return values
            return [*values, *torch.autograd.grad(values[0].sum(), weights)]

        @torch.inference_mode(not self.learns)
        def work() -> list[Tensor]:
            return [call() for _ in range(CALLS)][-1]

        return work


@final
class NeighbourCellRow(NeighbourRow):
    """Steps of a cell."""

    heading = "LSTMCell inference"
    makers = CELLS


@final
class NeighbourInferenceRow(NeighbourRow):
    """Calls of a layer."""

    heading = "LSTM inference"
    makers = LAYERS


@final
class NeighbourTrainingRow(NeighbourRow):
    """Calls of a layer, and the gradients of its weights."""

    heading = "LSTM training"
    makers = LAYERS
    learns = True


class LoopedRow(Row):
    """Abstract: a loop over steps in Python that is trained, beside the same with torch.nn."""

    kind = "neighbours"
    name: ClassVar[str]

    def contest(self, rivals: Sequence[Rival]) -> Contest:
        """Make both loops with the same weights."""
        modules = [getattr(each, self.name)(self.shape.I, self.shape.H) for each in (nn, torch.nn)]
        ours, theirs = modules
        theirs.load_state_dict(ours.state_dict())
        x, states = _numbers(self.shape.T, self.shape.B, self.shape.I), self.states()

        def looped(module: Module, x: Tensor, hx: Any) -> list[Tensor]:
            total = torch.zeros((), dtype=x.dtype)
            for step in self.steps(x):
                output, hx = self.step(module, step, hx)
                total = total + output.sum()
            return [total, *torch.autograd.grad(total, list(module.parameters()))]

        def expected() -> Results:
            exact = copy.deepcopy(theirs).double()
            return _named(looped(exact, x.double(), tuple(state.double() for state in states)))

        def contender(name: str, module: Module) -> Contender:
            count, steps = 3 * flops(module, self.shape.T * self.shape.B), self.shape.T
            work = partial(looped, module, x, states)
            return Contender(name, work, _named, expected, count, steps=steps)

        return Contest(contender("unrolled", ours), (contender("torch.nn", theirs),))

    @abstractmethod
    def states(self) -> tuple[Tensor, Tensor]:
        """Return the states before the first step."""

    @abstractmethod
    def steps(self, x: Tensor) -> Sequence[Tensor]:
        """Return the input of each step."""

    @abstractmethod
    def step(self, module: Module, x: Tensor, hx: Any) -> tuple[Tensor, Any]:
        """Return the output of a step, and the states after it."""


@final
class LoopedCellRow(LoopedRow):
    """LSTMCell."""

    heading = "LSTMCell in a loop of Python, for each step of training"
    name = "LSTMCell"

    def states(self) -> tuple[Tensor, Tensor]:
        """Return (B, H)."""
        return _states(self.shape)

    def steps(self, x: Tensor) -> Sequence[Tensor]:
        """Return (B, I)."""
        return x.unbind()

    def step(self, module: Module, x: Tensor, hx: Any) -> tuple[Tensor, Any]:
        """Take it."""
        states = module(x, hx)
        return states[0], states


@final
class LoopedLayerRow(LoopedRow):
    """LSTM, called with T = 1."""

    heading = "LSTM with T = 1 in a loop of Python, for each step of training"
    name = "LSTM"

    def states(self) -> tuple[Tensor, Tensor]:
        """Return (1, B, H)."""
        return _states(self.shape, 1)

    def steps(self, x: Tensor) -> Sequence[Tensor]:
        """Return (1, B, I)."""
        return x.split(1)

    def step(self, module: Module, x: Tensor, hx: Any) -> tuple[Tensor, Any]:
        """Take it."""
        return module(x, hx)


def neighbours(shapes: Sequence[Shape]) -> Iterator[Row]:
    """Return all rows of neighbours."""
    for shape in shapes:
        yield from (NeighbourCellRow("lstm", shape, difference) for difference in CELLS)
        yield from (NeighbourInferenceRow("lstm", shape, difference) for difference in LAYERS)
        yield from (NeighbourTrainingRow("lstm", shape, difference) for difference in LAYERS)
        yield LoopedCellRow("lstm", shape)
        yield LoopedLayerRow("lstm", shape)


def _flat(values: Any) -> list[Tensor]:
    """Return all tensors that a module gives back."""
    if isinstance(values, Tensor):
        return [values]
    return [tensor for value in values for tensor in _flat(value)]


def _named(values: Any) -> Results:
    return {f"result {place}": value for place, value in enumerate(values)}
