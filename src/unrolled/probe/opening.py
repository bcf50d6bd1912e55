"""Opening the gates that keep a state, before training: by a bias, or by the steps to remember."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from numbers import Integral, Real
from typing import NamedTuple, final

import torch
from torch import Tensor
from torch.nn import Module

from ..display import bounded, number, page, paragraph, table
from ..graph.graph import Graph
from ..nn.adopt import adopt, release
from .gates import Keeping, WeightRows, fixed, keepers, learned_terms, offsets, writers
from .names import Place
from .watch import chosen

SHORTEST = 2
"""Steps: the shortest memory that can be asked for, a gate that is half open."""


@final
@dataclass(frozen=True)
class Opening:
    """What `open_gate` did to a model.

    Attributes:
        changed: for each gate, by its dotted name, its bias now and the rows that hold it.
        left: for each layer without such a gate, why it was left alone.
    """

    changed: Mapping[str, str]
    left: Mapping[str, str]

    def __repr__(self) -> str:
        rows = self._rows()
        width = max(len(name) for name, _ in rows)
        return bounded(self._head(), (f"  {name:{width}}  {text}" for name, text in rows))

    def _repr_html_(self) -> str:
        return page(paragraph(self._head()), table(("gate", "its biases"), self._rows()))

    def _head(self) -> str:
        return f"{len(self.changed)} changed, {len(self.left)} left alone"

    def _rows(self) -> list[tuple[str, str]]:
        return [*self.changed.items(), *((name, f"left: {why}") for name, why in self.left.items())]


def open_gate(
    model: Module,
    value: float | None = None,
    *,
    steps: int | tuple[int, int] | None = None,
    of: str | Iterable[str] = "*",
) -> Opening:
    """Open the gates that keep a state, so that gradients reach far back from the start.

    That is the forget gate of an LSTM, the update gate of a GRU, and whatever gate multiplies the
    old state in the equations of any other cell. A gate that keeps the state where it is closed,
    as in ``(1 - z) * h``, is closed. Weights are changed in place, biases alone; what is added to
    the gate's sum besides them, such as ``bias_hh``, becomes 0. Call it before training: what was
    learned is lost.

    Args:
        model: with layers or cells of this library, or of `torch.nn`, anywhere in it.
        value: the bias before the sigmoid; 1 if neither it nor `steps` is given (Gers et al. 2000,
            Jozefowicz et al. 2015). With 1 a step keeps 73 % of the state, with 3 it keeps 95 %.
        steps: how many steps the state is to last, instead of a value: the units' biases are those
            of memories spread evenly from the first to the second number, log(steps - 1), or from
            2 to the only one. A gate of its own for what is written, ``i`` of an LSTM, is closed
            as far (chrono initialisation; Tallec & Ollivier 2018).
        of: which layers, by name: one glob or several, such as ``encoder.*``.

    Returns:
        What was changed, by the dotted name of the gate, and which layers have no such gate.

    Raises:
        TypeError: if `model` is no module, or a value or steps are no numbers.
        ValueError: for a model without recurrent modules, a name that matches none, a cell without
            such a gate if no layer has one, a gate without a bias, weights that are computed from
            others (`parametrize`, pruning) or on the meta device, both `value` and `steps`, and
            numbers out of range. Nothing has been changed then.

    >>> import torch, unrolled
    >>> model = torch.nn.ModuleDict({"lstm": torch.nn.LSTM(3, 4), "rnn": torch.nn.RNN(4, 4)})
    >>> unrolled.open_gate(model)
    1 changed, 1 left alone
      lstm.l0.f  bias 1 in bias_ih_l0[4:8], 0 in bias_hh_l0[4:8]
      rnn.l0     left: rnn_tanh has no gate that keeps its state
    >>> unrolled.open_gate(unrolled.GRU(3, 4), steps=(20, 40))
    1 changed, 0 left alone
      l0.z  bias 2.94 to 3.66 in bias_ih_l0[4:8], 0 in bias_hh_l0[4:8]
    """
    wanted = _wanted(value, steps)
    with _ours(model, of) as places:
        left = {
            place.name: f"{place.module.cell.name} has no gate that keeps its state"
            for place in places
            if not keepers(place.module.graph)
        }
        if len(left) == len(places):
            name, why = next(iter(left.items()))
            raise ValueError(f"open_gate: {name}: {why}: expected a cell such as lstm or gru")
        changes = [
            change for place in places if place.name not in left for change in _plan(place, wanted)
        ]
        with torch.no_grad():
            for change in changes:
                for rows, number in change.numbers:
                    rows.copy_(number)
    return Opening({change.name: change.text for change in changes}, left)


@final
@dataclass(frozen=True)
class Bias:
    """A bias that all units get."""

    value: float

    def numbers(self, units: int, gates: int) -> Tensor:
        """Return the biases, (units,), of each of so many gates of one state."""
        return torch.full((units,), self.value, dtype=torch.float64)


@final
@dataclass(frozen=True)
class Lifetimes:
    """The steps that a state is to last: 1 / (1 - f) of what a step keeps, f."""

    least: int
    most: int

    def numbers(self, units: int, gates: int) -> Tensor:
        """Return the biases, (units,), of each of so many gates of one state."""
        lasting = torch.linspace(self.least, self.most, units, dtype=torch.float64)
        return torch.logit((1 - 1 / lasting) ** (1 / gates))


def _wanted(value: float | None, steps: int | tuple[int, int] | None) -> Bias | Lifetimes:
    """Return what is asked for, checked."""
    if steps is None:
        value = 1.0 if value is None else value
        if isinstance(value, bool) or not isinstance(value, Real):
            raise TypeError(f"open_gate: value should be a number, got {value!r}")
        if not math.isfinite(value):
            raise ValueError(f"open_gate: value should be finite, got {value!r}")
        return Bias(float(value))
    if value is not None:
        raise ValueError("open_gate: expected value or steps, got both")
    pair = steps if isinstance(steps, (tuple, list)) else (SHORTEST, steps)
    is_number = [isinstance(each, Integral) and not isinstance(each, bool) for each in pair]
    if len(pair) != 2 or not all(is_number):
        raise TypeError(f"open_gate: steps should be an int or a pair of them, got {steps!r}")
    if not SHORTEST <= pair[0] <= pair[1]:
        raise ValueError(
            f"open_gate: steps should be at least {SHORTEST}, the smaller number first, "
            f"got {steps!r}"
        )
    return Lifetimes(int(pair[0]), int(pair[1]))


@contextmanager
def _ours(model: Module, of: str | Iterable[str]) -> Iterator[Sequence[Place]]:
    """Choose layers while modules of `torch.nn` are ours; none may be left out unsaid."""
    globs = [of] if isinstance(of, str) else list(of)
    adoption = adopt(model)
    try:
        for name, why in adoption.left.items():
            if any(fnmatchcase(name, g) or fnmatchcase(name, f"{g}.*") for g in globs):
                raise ValueError(
                    f"open_gate: {name or type(model).__name__}: {why}: name other layers by of=, "
                    "or open it before that is done to it"
                )
        yield chosen(model, globs, "open_gate")
    finally:
        for name in adoption.changed:
            release(model.get_submodule(name))


class GateChange(NamedTuple):
    """What is done for one gate: numbers for views of weights, and what is said of it."""

    name: str
    numbers: list[tuple[Tensor, Tensor]]
    text: str


def _plan(place: Place, wanted: Bias | Lifetimes) -> list[GateChange]:
    """Return the changes at one place, after all checks."""
    graph = place.module.graph
    kept = keepers(graph)
    closed = writers(graph) if isinstance(wanted, Lifetimes) else ()
    changes = []
    for each in (*kept, *closed):
        gates = sum(other.state == each.state for other in kept)
        rows = offsets(graph, each.gate)
        if not rows and each in closed:  # it can be opened without
            continue
        views = _views(place, _title(graph, each), rows)
        numbers = each.sign * wanted.numbers(len(views[0]), gates) - fixed(each.gate)
        zero = torch.zeros((), dtype=torch.float64)
        given = [numbers / rows[0].times + 0.0, *(zero for _ in rows[1:])]  # -0.0 becomes 0.0
        texts = [
            f"{_range(number)} in {_slice(place, each_rows, view)}"
            for number, each_rows, view in zip(given, rows, views, strict=True)
        ]
        name = f"{place.name}.{_title(graph, each)}"
        changes.append(
            GateChange(name, list(zip(views, given, strict=True)), f"bias {', '.join(texts)}")
        )
    return changes


def _title(graph: Graph, each: Keeping) -> str:
    """Return the name of a gate, or else of what is learned in it or of the value it stands in."""
    learned = [term.attribute.name for term in learned_terms(each.gate)]
    return graph.names.get(each.gate) or next(iter(learned), graph.owners[each.gate])


def _views(place: Place, gate: str, rows: Sequence[WeightRows]) -> list[Tensor]:
    """Return the rows as views of the module's own parameters."""
    if not rows:
        raise ValueError(
            f"open_gate: {place.name}: the gate {gate} has no bias: make the module with bias=True"
        )
    found = []
    for each in rows:
        name = f"{each.name}{place.suffix}"
        weight = place.module._parameters.get(name)
        if weight is None:
            raise ValueError(
                f"open_gate: {place.name}: {name} is computed from other parameters: open the "
                "gate before it is parametrized or pruned"
            )
        if weight.is_meta:
            raise ValueError(
                f"open_gate: {place.name}: {name} is on the meta device and has no numbers: "
                "give it memory first, by to_empty() and reset_parameters()"
            )
        found.append(each.of(weight.detach()))
    if len({view.data_ptr() for view in found}) < len(found):
        raise ValueError(
            f"open_gate: {place.name}: the biases of {gate} share their memory: set them by hand"
        )
    return found


def _range(numbers: Tensor) -> str:
    """Return the first and last of some numbers, or the only one."""
    first, last = (number(numbers.flatten()[place].item(), 3) for place in (0, -1))
    return first if first == last else f"{first} to {last}"


def _slice(place: Place, rows: WeightRows, view: Tensor) -> str:
    """Return the parameter that rows belong to, and which of its rows they are."""
    name = f"{rows.name}{place.suffix}"
    if rows.blocks == 1:
        return name
    start = rows.block * len(view)
    return f"{name}[{start}:{start + len(view)}]"
