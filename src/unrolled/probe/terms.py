"""A step's Jacobian and the way of a cell state, term by term."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import final

import torch
from torch import Tensor

from ..graph.graph import Graph
from ..graph.learned import Size
from ..graph.node import Node, ordered
from ..graph.operation import Operation
from ..graph.rewrite import rewrite, states_as_inputs
from ..kernels.eager import run
from .jacobian import Stretch, backward, identity, program, rows_of
from .passage import Passage
from .paths import DIRECT, contributions

AROUND = "around"


@final
@dataclass(frozen=True, eq=False)
class Terms:
    """The dependence of a cell state on an earlier one of itself: (H, H) matrices in float64.

    The earlier state is changed within its step, so that what the step makes of it, such as
    h = o tanh(c), follows; all inputs are held fixed.

    Attributes:
        state: which state; ``c`` of an LSTM.
        exact: the derivative of the later value by the earlier one.
        shares: its terms by the last learned layer on the way: ``direct`` for none, ``i``,
            ``f``, ``g`` of an LSTM, and ``around``: all that reaches the last step through other
            states that did not come from this state one step before. In an LSTM that is the path
            through the output gate. They add up to `exact`.
        popular: the product over steps of all terms but ``around``, the usual formula.
        gates: the product over steps of the direct terms alone, "the product of forget gates".
    """

    state: str
    exact: Tensor
    shares: Mapping[str, Tensor]
    popular: Tensor
    gates: Tensor

    @property
    def popular_error(self) -> float:
        """The error of the usual formula, relative to the exact derivative (Frobenius norm)."""
        return self._error(self.popular)

    @property
    def gates_error(self) -> float:
        """The error of the product of forget gates."""
        return self._error(self.gates)

    def _error(self, other: Tensor) -> float:
        norm = torch.linalg.matrix_norm
        return (norm(other - self.exact) / norm(self.exact)).item()


def carrier(graph: Graph) -> str:
    """Return the state that carries the memory: the first whose next value the output reads, else
    it.

    ``c`` of an LSTM, ``h`` of a GRU.
    """
    below = set(ordered([graph.values[graph.output]]))
    for state in graph.states:
        old, value = Node(Operation.STATE, (), state), graph.values[state]
        is_read = state != graph.output and value in below and bool(value.arguments)
        if is_read and old in set(ordered([value])):
            return state
    return graph.output


@lru_cache(maxsize=256)
def _readout(graph: Graph, state: str) -> Graph:
    """Return the new states as functions of one of them: a cell whose input is that new state."""
    name, new = f"{state} new", states_as_inputs(graph.values.values())
    target, leaf = new[graph.values[state]], Node(Operation.INPUT, (), name)
    again = rewrite(new.values(), lambda node: leaf if node is target else None)
    states: dict[str, Size] = {f"old {other}": size for other, size in graph.states.items()}
    renamed = {f"old {other}": again[new[graph.values[other]]] for other in graph.states}
    inputs: dict[str, Size] = {**graph.inputs, **graph.states, name: graph.states[state]}
    return backward(Graph(graph.name, inputs, states, renamed), (), (name,))


def readout(step: Stretch, state: str) -> Tensor:
    """Return the derivative of the joined new states by one of them within its step, (S, H).

    For an LSTM and c: diag(o tanh'(c)) over the identity.
    """
    graph, widths = _readout(step.graph, state), step.widths
    inputs = {name: step.given[name] for name in step.graph.inputs}
    old = {name: step.given[name][0] for name in widths}
    _, new = run(program(step.graph, step.units), step.weights, inputs, old, [])
    given = {**step.given, f"{state} new": new[state].unsqueeze(0)}
    spread = {name: value.unsqueeze(-2) for name, value in given.items()}
    parts = identity(step).split(list(widths.values()), -1)
    seeds = {f"d_old {name}": part for name, part in zip(widths, parts, strict=True)}
    name = f"d_{state} new"
    found, _ = run(program(graph, step.units), step.weights, spread, seeds, [name], reverse=True)
    return found[name][0].expand(1, step.size, widths[state])[0]


def terms(passage: Passage, later: int, earlier: int, row: int, state: str | None) -> Terms:
    """Return the terms of one state between two steps; see `Terms`.

    Raises:
        ValueError: for a layer, step, row or state that there is not, for steps in the wrong
            order, and without a step between them.
    """
    state = carrier(passage.graph) if state is None else state
    if state not in passage.widths:
        raise ValueError(
            f"{passage.name}: state should be one of {', '.join(passage.widths)}, got {state!r}"
        )
    steps = passage.way(later, earlier, row)
    if not steps:
        raise ValueError(f"{passage.name}: terms need an earlier step before step {later}")
    own = rows_of(state, passage.widths)
    eye = passage.identity
    outs = [readout(passage.step(row, step), state) for step in [earlier, *steps[:-1]]]
    popular = gates = eye[own, own]
    shares: dict[str, Tensor] = {}
    for step, out in zip(steps, outs, strict=True):
        found = contributions(passage.step(row, step), eye[own].unsqueeze(0))
        shares = {name: value[0] for name, value in found.items()}
        popular = torch.stack(list(shares.values())).sum(0) @ out @ popular
        gates = shares[DIRECT][:, own] @ gates
    before = passage.carried(eye, steps[:-1], row) @ outs[0]
    through = outs[-1] @ before[own]
    whole = torch.stack(list(shares.values())).sum(0)
    found = {name: share @ through for name, share in shares.items()}
    found[AROUND] = whole @ (before - through)
    return Terms(state, whole @ before, found, popular, gates)
