"""The work that recurrent layers are timed at: sizes, inputs, a call and perhaps its gradients."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias, final

import torch
from torch import Tensor
from torch.nn import Module
from torch.nn.utils.rnn import PackedSequence

from ... import nn
from .contender import Contender, Results
from .library import UserError


class Shape(NamedTuple):
    """T steps of B rows of I features, into H units."""

    T: int
    B: int
    I: int  # noqa: E741  the field's name
    H: int

    def __str__(self) -> str:
        return ",".join(map(str, self))


GRID = tuple(
    itertools.starmap(
        Shape,
        (
            (100, 1, 32, 32), (100, 32, 32, 64), (50, 64, 128, 128), (100, 64, 256, 256),
            (100, 1, 256, 256), (100, 32, 512, 512), (128, 1, 1024, 1024), (6, 3, 10, 20),
            (35, 20, 650, 650), (1000, 16, 64, 128), (50, 128, 1024, 1024),
        ),
    )
)  # fmt: skip
"""From a toy to what fills a server: thin, long, odd and large."""

QUICK = GRID[:3]
"""Some of the grid, each a matter of milliseconds."""

MIDDLE = GRID[2:4]
"""Where one cell is compared with another: large enough that products are most of the work."""

SMALL = (Shape(20, 16, 64, 64), Shape(5, 4, 20, 20))
"""Where what is done around a kernel shows."""

STREAM = Shape(100, 1, 64, 64)
"""A stream: T steps, each its own call."""


def parsed_shape(text: str) -> Shape:
    """Return the shape that a user wrote.

    Raises:
        UserError: unless it is four whole numbers above 0, and its arrays fit into memory.

    >>> parsed_shape("50,64,128,128")
    Shape(T=50, B=64, I=128, H=128)
    """
    parts = text.split(",")
    if len(parts) != 4 or not all(part.strip().isdecimal() and int(part) for part in parts):
        raise UserError(
            f"--own {text!r}: expected T,B,I,H, four whole numbers above 0, such as 50,64,128,128"
        )
    shape = Shape(*map(int, parts))
    states, rows = 4 * shape.H, shape.T * shape.B
    floats = 6 * states * (shape.I + shape.H) + 4 * rows * (shape.I + 3 * states)
    if 4 * floats > (free := _free_bytes()):
        raise UserError(
            f"--own {text}: an LSTM of this shape beside others takes about "
            f"{4 * floats / 2**30:,.0f} GiB, and {free / 2**30:,.0f} GiB are free"
        )
    return shape


def _free_bytes() -> float:
    """Return how much memory is free, in bytes; without limit where the system does not say."""
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return math.inf


Work: TypeAlias = Callable[[], list[Tensor]]


class Feed(NamedTuple):
    """Input and states of a layer.

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
        """The number of rows of all steps together."""
        return self.data.shape[:-1].numel()

    def to(self, dtype: torch.dtype) -> Feed:
        """Return the same numbers in another type."""
        states = tuple(state.to(dtype) for state in self.states)
        return Feed(self.data.to(dtype), states, self.batch_sizes)

    def arguments(self, states: tuple[Tensor, ...], data: Tensor) -> tuple[Any, Any]:
        """Return the arguments of a layer."""
        hx = states[0] if len(states) == 1 else states
        if self.batch_sizes is None:
            return data, hx
        return PackedSequence(data, self.batch_sizes), hx


def feed(shape: Shape, units: Iterable[int], ragged: bool = False) -> Feed:
    """Draw random input and states, `units` wide.

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
    """Return the call alone: output and last states."""
    input, hx = given.arguments(given.states, given.data)

    @torch.inference_mode()
    def work() -> list[Tensor]:
        return _flat(*module(input, hx))

    return work


def training(module: Module, given: Feed) -> Work:
    """Return the call, and the gradients of input, states and weights."""
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
    """Return a function that names what `inference` or `training` hand back."""
    states = [f"state {place}" for place in range(len(given.states))]
    names = ["output", *states]
    weights = [name for name, _ in module.named_parameters()]
    names += [f"the gradient of {name}" for name in ("x", *states, *weights)]
    return lambda values: dict(zip(names, values, strict=False))


class Step(NamedTuple):
    """Kind of call of a layer: the call alone, or its gradients too.

    Attributes:
        make: returns the work, from a layer and what it is called with.
        passes: how many times the operations of a forward pass it takes.
    """

    make: Callable[[Module, Feed], Work]
    passes: int


INFERENCE, TRAINING = Step(inference, 1), Step(training, 3)


def contender(
    name: str, step: Step, module: Module, given: Feed, expected: Callable[[], Results]
) -> Contender:
    """Return a layer as a contender."""
    count = step.passes * flops(module, given.rows)
    return Contender(name, step.make(module, given), named(module, given), expected, count)


def results(step: Step, module: Module, given: Feed) -> Results:
    """Return what a layer gives in one call, by name."""
    return named(module, given)(step.make(module, given)())


def flops(module: Module, rows: int) -> int:
    """Count the operations of the products for so many rows; training takes three times as many."""
    return 2 * rows * sum(weight.numel() for weight in module.parameters() if weight.dim() == 2)


def _like(values: list[Tensor]) -> Iterator[Tensor]:
    """Yield random numbers, the same in float32 and float64."""
    generator = torch.Generator().manual_seed(1)
    for each in values:
        yield torch.randn(each.shape, generator=generator).to(each.dtype)


def _flat(output: Any, states: Any) -> list[Tensor]:
    data = output.data if isinstance(output, PackedSequence) else output
    return [data, *((states,) if isinstance(states, Tensor) else states)]


def drawn(make: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Return a module, always with the same weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make(*arguments, **options)


CLASSES = {"rnn": "RNN", "gru": "GRU", "lstm": "LSTM"}


@final
@dataclass(frozen=True)
class StandardLayer:
    """One layer of a standard cell at one shape.

    Attributes:
        cell: rnn, gru or lstm.
        projected: whether the hidden state is projected to half its units (LSTM alone).
        ragged: whether the rows have different lengths.
    """

    cell: str
    shape: Shape
    projected: bool = False
    ragged: bool = False

    @cached_property
    def theirs(self) -> Module:
        """The layer of torch.nn."""
        return drawn(self._layer, torch.nn)

    @cached_property
    def ours(self) -> Module:
        """Ours, with the same weights."""
        layer = self._layer(nn)
        layer.load_state_dict(self.theirs.state_dict())
        return layer

    @cached_property
    def exact(self) -> Module:
        """That of torch.nn in float64."""
        layer = self._layer(torch.nn).double()
        layer.load_state_dict(self.theirs.state_dict())
        return layer

    @cached_property
    def feed(self) -> Feed:
        """The input and states that all of them are called with."""
        hidden = self._options.get("proj_size", self.shape.H)
        units = (hidden, self.shape.H) if self.cell == "lstm" else (hidden,)
        return feed(self.shape, units, self.ragged)

    @property
    def flops(self) -> int:
        """Of the products, forward."""
        return flops(self.theirs, self.feed.rows)

    def _layer(self, library: Any) -> Module:
        """Return a layer of a library."""
        return getattr(library, CLASSES[self.cell])(self.shape.I, self.shape.H, **self._options)

    @property
    def _options(self) -> dict[str, Any]:
        return {"proj_size": max(1, self.shape.H // 2)} if self.projected else {}
