"""Passages: all that went through a layer in a run, enough to differentiate every step."""

from __future__ import annotations

from bisect import bisect
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate, groupby
from typing import final

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge

from ..display import counted, text_of
from ..graph.derivative import returned_input
from ..graph.graph import Graph
from ..graph.learned import Size
from ..graph.node import Node
from ..graph.operation import Operation
from ..kernels import eager
from ..locks import cached_property
from ..nn.call import ProbedCall, Values
from .jacobian import Stretch, backward, program, rows_of, walk
from .names import Place
from .recording import Layout, in_time

CHUNK = 64
"""The number of steps in memory at a time."""
ALL = slice(0, None)


@final
@dataclass(eq=False)
class Visit:
    """One call of a layer in one direction, or of a cell.

    Attributes:
        call: as it was made.
        layout: of the module's output.
        weights: copies of its weights, float64.
        before, after: the states before and after every step, in the order of the inputs.
        edges: where gradients of the loss arrive: at the output of every step, under an empty
            name, and at each state after the last step.
        arriving: these gradients, once there is a loss; None where it does not depend on them.
    """

    call: ProbedCall
    layout: Layout
    weights: Values
    before: Values
    after: Values
    edges: dict[str, GradientEdge]
    arriving: dict[str, Tensor | None] = field(default_factory=dict)

    __repr__ = text_of

    @property
    def steps(self) -> int:
        """T of this call."""
        return self.call.form.steps

    @property
    def empty(self) -> bool:
        """Whether no row takes a step."""
        return 0 in self.call.form.data.shape[:-1]

    @cached_property
    def given(self) -> Values:
        """The inputs and the states before every step, (T, B, units), 0 after a row's end."""
        shape = self.call.form.data.shape[:-1]
        return {
            name: self.call.form.spread(value.expand(*shape, value.shape[-1]))
            for name, value in {**self.call.inputs, **self.before}.items()
        }

    @cached_property
    def valid(self) -> Tensor:
        """Which steps of which rows there are, (T, B)."""
        times = torch.arange(self.steps).unsqueeze(1)
        return (times < self.call.form.lengths).to(self.call.form.data.device)

    @cached_property
    def spread_after(self) -> Values:
        """The states after every step, (T, B, units), 0 after a row's end."""
        return {state: self.call.form.spread(value) for state, value in self.after.items()}

    def gradients(self) -> Iterator[tuple[slice, Values]]:
        """Yield the gradient of the loss with respect to the states after every step, in pieces.

        The states of a step are taken for variables of their own: h does not follow from c, so
        that the gradient is what the Jacobians of later steps multiply.

        Yields:
            Which of the inputs' rows a piece stands for, and the gradients there, float64.
        """
        graph, sizes = self.call.graph, self.call.form.batch_sizes
        if self.empty:
            yield (
                ALL,
                {state: torch.zeros_like(self.after[state]).double() for state in graph.states},
            )
            return
        carried = {f"d_{s}": self._arrived(s, self.call.states[s]) for s in graph.states}
        output = self.after[graph.output]
        if self.steps == 1 and sizes is None:
            total = dict(zip(graph.states, carried.values(), strict=True))
            total[graph.output] = total[graph.output] + self._arrived("", output).squeeze(0)
            yield ALL, {state: value.unsqueeze(0) for state, value in total.items()}
            return
        loop = program(_summed(graph), self.call.program.sizes)
        names = {state: f"total {state}" for state in graph.states}
        for steps in _pieces(self.steps if sizes is None else len(sizes), self.call.reverse):
            part, rows = None, steps
            if sizes is not None:
                part = sizes[steps]
                rows = slice(sum(sizes[: steps.start]), sum(sizes[: steps.stop]))
            given = {k: v[rows].double() for k, v in {**self.call.inputs, **self.before}.items()}
            given[returned_input(graph, graph.output)] = self._arrived("", output, rows)
            count = None if part is None else part[0]
            seeds = {name: value[:count] for name, value in carried.items()}
            found, last = eager.run(
                loop, self.weights, given, seeds, list(names.values()), part, not self.call.reverse
            )
            yield rows, {state: found[name] for state, name in names.items()}
            carried = {k: torch.cat([last[k], v[len(last[k]) :]]) for k, v in carried.items()}

    def _arrived(self, name: str, like: Tensor, rows: slice = ALL) -> Tensor:
        """Return the gradient that reaches some rows of an output or a last state from outside."""
        found = self.arriving.get(name)
        return torch.zeros_like(like[rows]).double() if found is None else found[rows].double()


@lru_cache(maxsize=256)
def _summed(graph: Graph) -> Graph:
    """Return one backward step, with all that reaches each state after the step: ``total h``."""
    back = backward(graph, (graph.output,))
    values = dict(back.values)
    for state in graph.states:
        total = Node(Operation.STATE, (), f"d_{state}")
        if state == graph.output:
            total = total + Node(Operation.INPUT, (), returned_input(graph, state))
        values[f"total {state}"] = total
    return Graph(back.name, back.inputs, back.states, values, backward=True)


def _pieces(steps: int, reverse: bool) -> list[slice]:
    """Return the steps in pieces, in the order of a backward pass."""
    pieces = [slice(start, min(start + CHUNK, steps)) for start in range(0, steps, CHUNK)]
    return pieces if reverse else pieces[::-1]


@final
class Passage:
    """All that went through one place of a model, in the order of its calls.

    Attributes:
        name: of the place.
        suffix: of its parameters' names.
        reverse: whether steps are taken from the last to the first.
        visits: its calls.
        graph: the equations.
        steps, rows: T of all calls together, and B, the most rows of a call: a row takes no step in
            a call that has no such row.
        layout: of the module's output; with a batch if a call had one.
        units: the number of units of I, H, P and 1.
        widths: the number of units of each state, in the order of the signature.
    """

    def __init__(self, place: Place, visits: Sequence[Visit]) -> None:
        self.visits = list(visits)
        first = visits[0].call
        self.name, self.suffix, self.reverse = place.name, place.suffix, place.reverse
        self.graph = first.graph
        self.rows = max(visit.call.form.batch for visit in visits)
        batched = any(visit.layout.batched for visit in visits)
        self.layout = Layout(visits[0].layout.batch_first, batched)
        self.units: Mapping[Size, int] = {**first.program.sizes, "input": place.input_size}
        self.widths = {state: self.units[size] for state, size in self.graph.states.items()}
        self._starts = [0, *accumulate(visit.steps for visit in visits)]
        self.steps = self._starts[-1]

    def __repr__(self) -> str:
        steps, rows = counted(self.steps, "steps"), counted(self.rows, "rows")
        return f"Passage({self.name}: {self.graph.name}, {steps}, {rows})"

    @property
    def identity(self) -> Tensor:
        """The identity of all states joined, (S, S), float64."""
        device = self.visits[0].call.form.data.device
        return torch.eye(sum(self.widths.values()), dtype=torch.float64, device=device)

    @cached_property
    def lengths(self) -> list[list[int]]:
        """For each call, how many steps each row has; 0 for rows that it has not."""
        found = [visit.call.form.lengths.tolist() for visit in self.visits]
        return [lengths + [0] * (self.rows - len(lengths)) for lengths in found]

    def last(self, row: int) -> int:
        """Return the last step that a row takes, in the order in which its steps are taken."""
        order = self.order(row)
        if not order:
            raise ValueError(f"{self.name}: row {row} has length 0: it takes no step")
        return order[-1]

    def order(self, row: int) -> list[int]:
        """Return the steps of a row in the order in which they are taken."""
        found: list[int] = []
        for start, lengths in zip(self._starts, self.lengths, strict=False):
            steps = range(start, start + lengths[row])
            found += reversed(steps) if self.reverse else steps
        return found

    def step(self, row: int, step: int) -> Stretch:
        """Return one step of a row."""
        (stretch,) = self.stretches(row, [step])
        return stretch

    def stretches(self, row: int, steps: Sequence[int]) -> list[Stretch]:
        """Return some steps of a row, in the order given; one stretch for each set of weights."""
        found: list[Stretch] = []
        for _, run in groupby(self._located(steps), lambda part: id(part[0].weights)):
            parts = list(run)
            given = {
                name: torch.cat(
                    [v.given[name][steps, row : row + 1].double() for v, steps in parts]
                )
                for name in parts[0][0].given
            }
            found.append(self._stretch(parts[0][0], given))
        return found

    def _stretch(self, visit: Visit, given: Values) -> Stretch:
        return Stretch(visit.call.graph, self.units, visit.weights, given)

    def _located(self, steps: Sequence[int]) -> Iterator[tuple[Visit, list[int]]]:
        """Yield runs of steps in one call, with their places there."""
        for number, run in groupby(steps, lambda step: bisect(self._starts, step) - 1):
            yield self.visits[number], [step - self._starts[number] for step in run]

    def pieces(self) -> Iterator[tuple[Stretch, Tensor]]:
        """Yield all steps of the rows of each call, some at a time, and which there are, (T, B)."""
        for visit in self.visits:
            for steps in [] if visit.empty else _pieces(visit.steps, True):
                given = {name: value[steps].double() for name, value in visit.given.items()}
                yield self._stretch(visit, given), visit.valid[steps]

    def seams(self, row: int) -> set[int]:
        """Return the first steps of calls that do not go on from the states of the call before."""
        found: set[int] = set()
        last = None
        for visit, start, lengths in zip(self.visits, self._starts, self.lengths, strict=False):
            length = lengths[row]
            if length:
                first, end = (length - 1, 0) if self.reverse else (0, length - 1)
                begin = {state: visit.given[state][first, row] for state in self.graph.states}
                if last is not None and any(not begin[s].equal(last[s]) for s in begin):
                    found.add(start + first)
                last = {state: visit.spread_after[state][end, row] for state in begin}
        return found

    def valid(self) -> Tensor:
        """Return which steps of which rows there are, (T, B)."""
        return in_time([visit.valid for visit in self.visits], self.rows)

    def states(self) -> Values:
        """Return the states after every step, (T, B, units), 0 after a row's end."""
        return {
            state: in_time([visit.spread_after[state] for visit in self.visits], self.rows)
            for state in self.graph.states
        }

    @cached_property
    def finite(self) -> Tensor:
        """After which steps of which rows all states are finite, (T, B)."""
        return torch.stack([s.isfinite().all(-1) for s in self.states().values()]).all(0)

    # The way from one step of a row to a later one.

    def check_row(self, row: object) -> None:
        """Raise ValueError unless there is such a row."""
        if isinstance(row, bool) or not isinstance(row, int) or not 0 <= row < self.rows:
            raise ValueError(f"{self.name}: row should be from 0 to {self.rows - 1}, got {row!r}")

    def check_step(self, step: object, row: int, name: str) -> None:
        """Raise ValueError unless the row takes such a step."""
        self.last(row)
        order = self.order(row)
        if isinstance(step, bool) or not isinstance(step, int) or step not in order:
            kinds = "" if len(order) == self.steps else f" of row {row}"
            raise ValueError(
                f"{self.name}: {name} should be a step{kinds} from {min(order)} to {max(order)}, "
                f"got {step!r}"
            )

    def way(self, later: int, earlier: int, row: int) -> list[int]:
        """Return the steps after `earlier` up to `later`, in the order in which they are taken.

        Raises:
            ValueError: for a step or row that there is not, for steps in the wrong order, and where
                the states are changed on the way.
        """
        self.check_row(row)
        self.check_step(later, row, "later")
        self.check_step(earlier, row, "earlier")
        order = self.order(row)
        first, last = order.index(earlier), order.index(later)
        if first > last:
            backwards = " (this direction runs from the last step to the first)"
            raise ValueError(
                f"{self.name}: step {later} is taken before step {earlier}"
                f"{backwards if self.reverse else ''}: exchange later and earlier"
            )
        steps = order[first + 1 : last + 1]
        self.check_unbroken(steps, row)
        return steps

    def check_unbroken(self, steps: Sequence[int], row: int) -> None:
        """Raise ValueError where the model, not the cell, decides the states between the steps."""
        broken = self.seams(row) & set(steps)
        if broken:
            step = next(step for step in steps if step in broken)
            raise ValueError(
                f"{self.name}: the states given to step {step} are not those that the step before "
                "it returned: the model changes or resets them between its calls, so there is no "
                "product of Jacobians across this step; ask for steps on one side of it"
            )

    def unbroken(self, row: int) -> list[int]:
        """Return all steps of a row as `order`; raise ValueError where they do not go on."""
        self.check_row(row)
        order = self.order(row)
        self.check_unbroken(order, row)
        return order

    def carried(self, vectors: Tensor, steps: Sequence[int], row: int) -> Tensor:
        """Return vectors (K, S) times the Jacobians of some consecutive steps of a row."""
        last = deque(self._walk(vectors, steps, row), maxlen=1)
        return last[0] if last else vectors

    def fading(
        self, row: int, later: int | None = None, state: str | None = None
    ) -> Iterator[Tensor]:
        """Yield the derivative of a state by all states before it, for k = 0, 1, ... steps between.

        Args:
            row: of the batch.
            later: the step after which the state is taken; the row's last if left out.
            state: which; the output state if left out.

        Yields:
            (H, S) each.
        """
        self.check_row(row)
        order = self.order(row)
        if later is not None:
            self.check_step(later, row, "later")
            order = order[: order.index(later) + 1]
        self.check_unbroken(order[1:], row)
        vectors = self.identity[rows_of(state or self.graph.output, self.widths)]
        yield vectors
        yield from self._walk(vectors, order[1:], row)

    def _walk(self, vectors: Tensor, steps: Sequence[int], row: int) -> Iterator[Tensor]:
        """Yield vectors times the Jacobians of the last of some steps, of the last two, ..."""
        vectors = vectors.unsqueeze(0)
        for stretch in reversed(self.stretches(row, steps)):
            for vectors in walk(stretch, vectors):  # noqa: B020
                yield vectors[0]
