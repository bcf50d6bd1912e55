"""Passages: all that went through a layer in a run, enough to differentiate every step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import final

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge

from ..graph.derivative import returned_input
from ..graph.graph import Graph
from ..graph.learned import Size
from ..graph.node import Node
from ..graph.operation import Operation
from ..kernels import eager
from ..locks import cached_property
from ..nn.call import Call, Values
from .jacobian import Stretch, backward, program, transported, walk
from .names import Place

CHUNK = 64
"""The number of steps in memory at a time."""


@final
@dataclass(eq=False)
class Visit:
    """One call of a layer in one direction, or of a cell.

    Attributes:
        call: as it was made.
        weights: copies of its weights, float64.
        before, after: the states before and after every step, in the order of the inputs.
        edges: where gradients of the loss arrive: at the output of every step, under an empty
            name, and at each state after the last step.
        arriving: these gradients, once there is a loss; None where it does not depend on them.
    """

    call: Call
    weights: Values
    before: Values
    after: Values
    edges: dict[str, GradientEdge]
    arriving: dict[str, Tensor | None] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        """T of this call."""
        return self.call.form.steps

    @cached_property
    def given(self) -> Values:
        """The inputs and the states before every step, (T, B, units), 0 after a row's end."""
        shape = self.call.form.data.shape[:-1]
        return {
            name: self.call.form.spread(value.expand(*shape, value.shape[-1]))
            for name, value in {**self.call.inputs, **self.before}.items()
        }

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
        carried = {f"d_{state}": self._at_the_end(state) for state in graph.states}
        if self.steps == 1 and sizes is None:
            total = dict(zip(graph.states, carried.values(), strict=True))
            total[graph.output] = total[graph.output] + self._returned(slice(0, None)).squeeze(0)
            yield slice(0, None), {state: value.unsqueeze(0) for state, value in total.items()}
            return
        loop = program(_summed(graph), self.call.program.sizes)
        names = {state: f"total {state}" for state in graph.states}
        for steps in _pieces(self.steps if sizes is None else len(sizes), self.call.reverse):
            part = None if sizes is None else sizes[steps]
            rows = (
                steps
                if sizes is None
                else slice(sum(sizes[: steps.start]), sum(sizes[: steps.stop]))
            )
            given = {k: v[rows].double() for k, v in {**self.call.inputs, **self.before}.items()}
            given[returned_input(graph, graph.output)] = self._returned(rows)
            count = None if part is None else part[0]
            seeds = {name: value[:count] for name, value in carried.items()}
            found, last = eager.run(
                loop, self.weights, given, seeds, list(names.values()), part, not self.call.reverse
            )
            yield rows, {state: found[name] for state, name in names.items()}
            carried = {k: torch.cat([last[k], v[len(last[k]) :]]) for k, v in carried.items()}

    def _returned(self, rows: slice) -> Tensor:
        """Return the gradient that reaches the output of every step from outside."""
        found = self.arriving.get("")
        like = self.after[self.call.graph.output][rows]
        return (
            like.new_zeros(like.shape, dtype=torch.float64)
            if found is None
            else found[rows].double()
        )

    def _at_the_end(self, state: str) -> Tensor:
        """Return the gradient with respect to a state after the last step, (B, units)."""
        found, first = self.arriving.get(state), self.call.states[state]
        return (
            first.new_zeros(first.shape, dtype=torch.float64) if found is None else found.double()
        )


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
        place: the layer in one direction, or the cell.
        visits: its calls.
    """

    def __init__(self, place: Place, visits: Sequence[Visit]) -> None:
        self.place = place
        self.visits = list(visits)
        counts = {visit.call.form.batch for visit in visits}
        if len(counts) > 1:
            raise ValueError(
                f"{place.name} is called with different numbers of rows "
                f"({', '.join(map(str, sorted(counts)))}): give the model one batch"
            )
        self.graph = visits[0].call.graph

    @property
    def name(self) -> str:
        """The name of the place."""
        return self.place.name

    @property
    def reverse(self) -> bool:
        """Whether steps are taken from the last to the first."""
        return self.place.reverse

    @property
    def steps(self) -> int:
        """T of all calls together."""
        return sum(visit.steps for visit in self.visits)

    @property
    def rows(self) -> int:
        """B."""
        return self.visits[0].call.form.batch

    @property
    def units(self) -> Mapping[Size, int]:
        """The number of units of I, H, P and 1."""
        return {**self.visits[0].call.program.sizes, "input": self.place.input_size}

    @property
    def widths(self) -> dict[str, int]:
        """The number of units of each state, in the order of the signature."""
        return {state: self.units[size] for state, size in self.graph.states.items()}

    @property
    def identity(self) -> Tensor:
        """The identity of all states joined, (S, S), float64."""
        device = self.visits[0].call.form.data.device
        return torch.eye(sum(self.widths.values()), dtype=torch.float64, device=device)

    @cached_property
    def lengths(self) -> list[list[int]]:
        """For each call, how many steps each row has."""
        return [visit.call.form.lengths.tolist() for visit in self.visits]

    def last(self, row: int) -> int:
        """Return the last step that a row takes, in the order in which its steps are taken."""
        order = self.order(row)
        if not order:
            raise ValueError(f"{self.name}: row {row} has length 0: it takes no step")
        return order[-1]

    def order(self, row: int) -> list[int]:
        """Return the steps of a row in the order in which they are taken."""
        found, start = [], 0
        for visit, lengths in zip(self.visits, self.lengths, strict=True):
            steps = range(start, start + lengths[row])
            found += reversed(steps) if self.reverse else steps
            start += visit.steps
        return found

    def stretches(self, row: int, steps: Sequence[int]) -> list[Stretch]:
        """Return some steps of a row, in the order given; one stretch for each set of weights."""
        pieces: list[tuple[Visit, dict[str, list[Tensor]]]] = []
        for visit, indices in self._located(steps):
            given = {name: value[indices, row : row + 1] for name, value in visit.given.items()}
            if not pieces or pieces[-1][0].weights is not visit.weights:
                pieces.append((visit, {name: [] for name in given}))
            for name, value in given.items():
                pieces[-1][1][name].append(value.double())
        return [
            self._stretch(visit, {name: torch.cat(values) for name, values in given.items()})
            for visit, given in pieces
        ]

    def _stretch(self, visit: Visit, given: Values) -> Stretch:
        return Stretch(visit.call.graph, self.units, visit.weights, given)

    def _located(self, steps: Sequence[int]) -> Iterator[tuple[Visit, list[int]]]:
        """Yield runs of steps in one call, with their places there."""
        starts = [0]
        for visit in self.visits:
            starts.append(starts[-1] + visit.steps)
        number, indices = -1, []
        for step in steps:
            here = next(i for i in range(len(self.visits)) if step < starts[i + 1])
            if here != number:
                if indices:
                    yield self.visits[number], indices
                number, indices = here, []
            indices.append(step - starts[here])
        if indices:
            yield self.visits[number], indices

    def pieces(self) -> Iterator[tuple[Stretch, Tensor]]:
        """Yield all steps of all rows, some at a time, and which of them there are, (T, B)."""
        for visit in self.visits:
            lengths = visit.call.form.lengths
            for start in range(0, visit.steps, CHUNK):
                steps = slice(start, min(start + CHUNK, visit.steps))
                given = {name: value[steps].double() for name, value in visit.given.items()}
                times = torch.arange(steps.start, steps.stop).unsqueeze(1)
                stretch = self._stretch(visit, given)
                yield stretch, (times < lengths).to(stretch.device)

    def seams(self, row: int) -> set[int]:
        """Return the first steps of calls that do not go on from the states of the call before."""
        found: set[int] = set()
        start, last = 0, None
        for visit, lengths in zip(self.visits, self.lengths, strict=True):
            length = lengths[row]
            if length:
                first, end = (length - 1, 0) if self.reverse else (0, length - 1)
                begin = {state: visit.given[state][first, row] for state in self.graph.states}
                if last is not None and any(not begin[s].equal(last[s]) for s in begin):
                    found.add(start + first)
                last = {state: visit.spread_after[state][end, row] for state in begin}
            start += visit.steps
        return found

    def valid(self) -> Tensor:
        """Return which steps of which rows there are, (T, B)."""
        found = [
            torch.arange(visit.steps).unsqueeze(1) < visit.call.form.lengths
            for visit in self.visits
        ]
        like = next(iter(self.visits[0].given.values()))
        return torch.cat(found).to(like.device)

    def states(self) -> Values:
        """Return the states after every step, (T, B, units), 0 after a row's end."""
        return {
            state: torch.cat([visit.spread_after[state] for visit in self.visits])
            for state in self.graph.states
        }

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
        for stretch in reversed(self.stretches(row, steps)):
            vectors = transported(stretch, vectors.unsqueeze(0))[0]
        return vectors

    def walk(self, vectors: Tensor, steps: Sequence[int], row: int) -> Iterator[Tensor]:
        """Yield vectors times the Jacobians of the last of some steps, of the last two, ..."""
        for stretch in reversed(self.stretches(row, steps)):
            for vectors in walk(stretch, vectors):  # noqa: B020
                yield vectors
