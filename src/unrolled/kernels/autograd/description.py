"""A cell as a text, which means the same in every process, and what operators take from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, final

import msgspec
import torch

from ...errors import CellError
from ...graph import parameters, storage
from ...graph.graph import Graph
from ...graph.node import Size
from ...graph.verify import check_step
from .. import eager
from ..planning.training import TrainingPlan
from ..runtime import cache
from ..runtime.cache import Cache
from ..tuning import ALIGNED, OBJECT

if TYPE_CHECKING:
    from ..runtime.recurrence import Recurrences


def describe(
    graph: Graph,
    sizes: Mapping[Size, int],
    weights: Sequence[str],
    record: Sequence[str],
    recompute: bool = False,
) -> str:
    """Return a cell at one size, the order of its parameters, and what every step returns."""
    data = {
        "graph": storage.equations(graph),
        "sizes": dict(sizes),
        "weights": list(weights),
        "record": list(record),
        "recompute": recompute,
    }
    return msgspec.json.encode(data).decode()


MOST_UNITS = 2**24
"""Units of one size: with all rows that a cell can have, no array's length is beyond 64 bits."""

Units = Annotated[int, msgspec.Meta(ge=0, le=MOST_UNITS)]


class Description(msgspec.Struct, forbid_unknown_fields=True):
    """The text of `describe`: calls by hand can hold any."""

    graph: storage.StoredGraph
    sizes: dict[Size, Units]
    weights: list[str]
    record: list[str]
    recompute: bool

    def read(self) -> Graph:
        """Return the graph, verified, as is what is said about it; CellError if it is wrong."""
        graph = self.graph.read()
        check_step(graph)
        if not graph.inputs or not graph.states:
            raise CellError(f"{graph.name} needs an input and at least one state")
        sizes = self.sizes
        if missing := {"one", *graph.sizes.values()} - set(sizes):
            raise CellError(f"{graph.name}: how many units are {', '.join(sorted(missing))}?")
        if sizes["one"] != 1 or any(sizes[s] == 0 for s in graph.sizes.values()):
            raise CellError(f"{graph.name}: the sizes {sizes} cannot be")
        names = sorted(parameter.name for parameter in parameters(graph))
        if sorted(self.weights) != names:
            raise CellError(f"{graph.name} learns {', '.join(names)}, not these weights")
        for name in self.record:
            if name not in graph.probes:
                raise CellError(f"{graph.name} has no value {name!r}")
        return graph


@final
class Described:
    """The cell of a text, for one dtype.

    Attributes:
        program: the eager definition.
        recurrences: the kernels.
        inputs, states, weights: the names of the operands.
        record: the names of the recorded values.
        widths: how many units those have.
        saved: how many numbers a row stores at most besides states.
        units: how many units the states have.
    """

    def __init__(self, cell: str, dtype: torch.dtype) -> None:
        from ..runtime.recurrence import recurrences

        try:
            description = msgspec.json.decode(cell, type=Description)
        except (msgspec.DecodeError, RecursionError) as error:
            raise CellError(f"not the description of a cell: {error}") from None
        graph, sizes = description.read(), description.sizes
        self.program = eager.Program(graph, sizes)
        self.recurrences: Recurrences = recurrences(graph, sizes, dtype, description.recompute)
        self.inputs, self.states = tuple(graph.inputs), tuple(graph.states)
        self.weights, self.record = tuple(description.weights), tuple(description.record)
        many = self.recurrences.many
        self.widths = [many.probe_width(name) for name in self.record]
        plan = TrainingPlan(many.split, self.record, many.sizes, many.recompute)
        self.saved = sum(sizes[many.split.step.sizes[node]] for node in plan.saved.values())
        self.units = [sizes[size] for size in graph.states.values()]

    def stored(self, total: Any, batch: Any) -> Any:
        """Return how many numbers a backward pass needs at most, of N rows in all and B states."""
        arrays = total * self.saved + sum((batch + total) * units for units in self.units)
        return arrays + ALIGNED * (1 + len(self.units))


_described = Cache(cache.kernels)


def described(cell: str, dtype: torch.dtype) -> Described:
    """Return what a text says; the last ones are remembered."""
    known = _described.get((cell, dtype))
    if known is None:
        size = OBJECT + 8 * len(cell)  # the graph and the plan of training
        known = _described.keep((cell, dtype), Described(cell, dtype), size)
    return known
