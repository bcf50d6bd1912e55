"""The gates of a cell, found in its graph: what squashes, what keeps the memory, and its bias."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, final

import torch
from torch import Tensor

from ..display import page_of, text_of
from ..equations.language import log_sigmoid
from ..graph import parameters
from ..graph.graph import Graph
from ..graph.node import Node, constant, ordered
from ..graph.notation import expression
from ..graph.operation import Operation
from ..graph.rewrite import states_as_inputs
from .jacobian import evaluated, opened
from .passage import Passage
from .paths import carrier, coefficient, without_layers

SQUASHING = (Operation.SIGMOID, Operation.TANH)
BOUND = 0.05
"""The distance from an end of its range within which an activation counts as saturated."""


ONE = constant(1)
"""The term that stands for the constant of a sum; see `linear`."""


class Keeping(NamedTuple):
    """A gate that keeps a state: the forget gate of an LSTM, the update gate of a GRU.

    Attributes:
        gate: what squashes; its first argument is the sum before it.
        sign: 1 if the state is kept where the gate is open, -1 where it is closed.
        state: the name of the state.
    """

    gate: Node
    sign: int
    state: str


@lru_cache(maxsize=256)
def squashing(graph: Graph) -> dict[str, Node]:
    """Return every sigmoid and tanh of a cell, by its name or its equation."""
    nodes = [node for node in graph.order if node.operation in SQUASHING]
    return {graph.names.get(node) or _title(graph, node): node for node in nodes}


def _title(graph: Graph, node: Node) -> str:
    """Return the equation of an activation without a name, or where it stands if that is long."""
    text = expression(node, graph.names)
    return text if len(text) <= 24 else f"{node.operation.value} in {graph.owners[node]}"


@lru_cache(maxsize=256)
def keeping(graph: Graph) -> Keeping | None:
    """Return the first gate that keeps the memory; see `keepers`."""
    found = keepers(graph)
    return found[0] if found and found[0].state == carrier(graph) else None


@lru_cache(maxsize=256)
def keepers(graph: Graph) -> tuple[Keeping, ...]:
    """Return the gates that multiply the old value of a state, those of the memory first.

    Gates are found in the factor of the direct path: g, 1 - g, products of such, and
    exp(log_sigmoid(g) + ...).
    """
    memory, originals = carrier(graph), _originals(graph)
    found: dict[Node, Keeping] = {}
    for state in (memory, *(each for each in graph.states if each != memory)):
        factor = coefficient(graph, state)
        for gate, sign in () if factor is None else _in_sum(factor):
            if gate in originals:
                found.setdefault(originals[gate], Keeping(originals[gate], sign, state))
    return tuple(found.values())


@lru_cache(maxsize=256)
def writers(graph: Graph) -> tuple[Keeping, ...]:
    """Return the gates that multiply what a step adds to the memory and do nothing to the old one.

    ``i`` of an LSTM, with the sign -1: the less it writes, the longer the memory lasts. None of a
    GRU, whose update gate does both.
    """
    state = carrier(graph)
    taken = {node for each in keepers(graph) for node in learned_terms(each.gate)}
    found: dict[Node, Keeping] = {}
    for term in linear(graph.values[state]):
        parts = _multiplied(term)
        if not any(part is Node(Operation.STATE, (), state) for part in parts):
            for gate, sign in (pair for part in parts for pair in _in_part(part)):
                if gate not in taken and taken.isdisjoint(learned_terms(gate)):
                    found.setdefault(gate, Keeping(gate, -sign, state))
    return tuple(found.values())


def _in_sum(factor: Node) -> list[tuple[Node, int]]:
    """Return the gates of a state's factor, each with the sign by which it keeps.

    Of several terms the one with the fewest parts that are no gates counts: others, such as those
    through the peephole of an LSTM, are its derivative.
    """
    if found := _in_part(factor):
        return found
    terms = [_multiplied(term) for term, times in linear(factor).items() if times > 0]
    ranked = [(sum(not _in_part(part) for part in parts), parts) for parts in terms]
    for _, parts in sorted(ranked, key=lambda pair: pair[0]):
        if found := [pair for part in parts for pair in _in_part(part)]:
            return found
    return _complements(factor)


def _in_part(part: Node) -> list[tuple[Node, int]]:
    """Return the gate that one factor of a product is; empty if it is none."""
    while part.operation is Operation.BROADCAST:
        part = part.arguments[0]
    if part.operation is Operation.SIGMOID:
        return [(part, 1)]
    if part.operation is Operation.EXP:
        terms = linear(part.arguments[0])
        return [(each, 1) for each, times in terms.items() if times == 1 and _is_log(each, terms)]
    return _complements(part) if len(linear(part)) == 2 else []


def _complements(node: Node) -> list[tuple[Node, int]]:
    """Return the gates g of a sum 1 - g + ..."""
    terms = linear(node)
    if terms.get(ONE, 0) <= 0:
        return []
    gates = (term for term, times in terms.items() if times < 0)
    return [(gate, -1) for gate in gates if gate.operation is Operation.SIGMOID]


def _is_log(node: Node, terms: Mapping[Node, float]) -> bool:
    """Return whether a term of a sum begins the logarithm of a sigmoid, as the language writes it:
    minimum(a, 0) - log(1 + exp(-abs(a))).
    """
    if node.operation is not Operation.MINIMUM or node.arguments[1] is not constant(0):
        return False
    rest = linear(log_sigmoid(node.arguments[0]))
    return all(terms.get(term) == times for term, times in rest.items())


def linear(node: Node) -> dict[Node, float]:
    """Return what a sum is made of, and how often each term is in it; `ONE` is its constant."""
    order = ordered([node])
    times: dict[Node, float] = dict.fromkeys(order, 0.0)
    times[node] = 1.0
    found: dict[Node, float] = {}
    for part in reversed(order):
        if not (own := times[part]):
            continue
        for argument, by in _summands(part):
            times[argument] += own * by
        if part.operation is Operation.CONSTANT:
            found[ONE] = found.get(ONE, 0.0) + own * part.attribute
        elif not _summands(part):
            found[part] = own
    return dict(reversed(found.items()))


def _summands(node: Node) -> list[tuple[Node, float]]:
    """Return the arguments of a sum, each with what it is multiplied by; of other nodes none."""
    arguments = node.arguments
    match node.operation:
        case Operation.ADD:
            return [(arguments[0], 1.0), (arguments[1], 1.0)]
        case Operation.SUB:
            return [(arguments[0], 1.0), (arguments[1], -1.0)]
        case Operation.NEG:
            return [(arguments[0], -1.0)]
        case Operation.MUL:
            for number, other in (arguments, arguments[::-1]):
                if number.operation is Operation.CONSTANT:
                    return [(other, number.attribute)]
        case Operation.DIV if arguments[1].operation is Operation.CONSTANT:
            return [(arguments[0], 1 / arguments[1].attribute)]
    return []


def _multiplied(node: Node) -> list[Node]:
    """Return the parts of a product."""
    if node.operation is not Operation.MUL:
        return [node]
    return [part for argument in node.arguments for part in _multiplied(argument)]


def _originals(graph: Graph) -> dict[Node, Node]:
    """Return for each node in a factor the node of the cell that it stands for."""
    cuts = without_layers(graph)  # as in `cut`, and as a derivative sees it
    new = states_as_inputs(cuts.values())
    return {new[changed]: node for node, changed in cuts.items()}


def learned_terms(gate: Node) -> dict[Node, float]:
    """Return the learned layers and vectors in the sum before a gate, and how often each counts."""
    kinds = (Operation.AFFINE, Operation.LEARNED)
    terms = linear(gate.arguments[0])
    return {term: times for term, times in terms.items() if term.operation in kinds}


class WeightRows(NamedTuple):
    """Rows of a weight that are added to a sum, whatever is read: of a bias, or a learned vector.

    Attributes:
        name: of the weight, such as ``bias_ih``.
        block: which of `blocks` equal parts of it.
        blocks: how many it has.
        times: what they are multiplied by.
    """

    name: str
    block: int
    blocks: int
    times: float

    def of(self, weight: Tensor) -> Tensor:
        """Return them as a view, (units,)."""
        return weight.unflatten(0, (self.blocks, -1))[self.block]


def offsets(graph: Graph, gate: Node) -> list[WeightRows]:
    """Return all that is added to the sum before a gate whatever is read, biases first."""
    counts = {each.name: len(each.rows) for each in parameters(graph)}
    found: list[WeightRows] = []
    vectors: list[WeightRows] = []
    for term, times in learned_terms(gate).items():
        if term.operation is Operation.LEARNED:
            vectors.append(WeightRows(term.attribute.name, 0, 1, times))
            continue
        for block in term.attribute.blocks:
            if block.bias is not None:
                name = f"bias_{block.group}"
                found.append(WeightRows(name, block.bias, counts[name], times))
    return found + vectors


def fixed(gate: Node) -> float:
    """Return the number that the equations themselves add to the sum before a gate."""
    return linear(gate.arguments[0]).get(ONE, 0.0)


def bias(graph: Graph, weights: Mapping[str, Tensor]) -> Tensor | None:
    """Return how far the bias alone opens the memory's gate, (H,); None without a bias."""
    found = keeping(graph)
    if found is None:
        return None
    parts = [rows.of(weights[rows.name]) * rows.times for rows in offsets(graph, found.gate)]
    if not parts and not fixed(found.gate):
        return None
    learned = torch.stack(parts).sum(0) if parts else torch.zeros(1)
    return found.sign * (learned + fixed(found.gate))


@final
@dataclass(frozen=True, eq=False)
class Saturation:
    """The fractions of all steps and rows, (H,), at which an activation is at its ends.

    Attributes:
        low, high: near its least and its greatest value.
        keeps: the end at which the memory is kept and nothing is wrong: "low", "high" or "".
        reads: whether it squashes a state that keeps a memory, as tanh(c) does: it is no gate, and
            the memories of trained networks grow far beyond its ends.
        resting: (H,) how often a gate that writes is closed while the memory is kept, as it is
            where a memory lasts many steps.
    """

    low: Tensor
    high: Tensor
    keeps: str
    reads: bool
    resting: Tensor

    __repr__ = text_of
    _repr_html_ = page_of

    @property
    def harmful(self) -> Tensor:
        """(H,) how often it is at an end that lets no gradient through and serves no memory."""
        if self.reads:
            return torch.zeros_like(self.low)
        parts = {"low": self.low, "high": self.high}
        ends = torch.stack([part for end, part in parts.items() if end != self.keeps]).sum(0)
        return ends - self.resting


def saturation(passage: Passage) -> dict[str, Saturation]:
    """Return the saturation of every sigmoid and tanh, by name."""
    graph = passage.graph
    nodes, keep = squashing(graph), keeping(graph)
    writing = {each.gate: each.sign for each in writers(graph)}
    counts: dict[str, Tensor] = {}
    total = 0
    for stretch, valid in passage.pieces():
        total += int(valid.sum())
        values = evaluated(stretch, _activations(graph))
        ends = {name: _ends(nodes[name], value[valid]) for name, value in values.items()}
        kept = [ends[name][_end(keep.sign)] for name in ends if keep and nodes[name] is keep.gate]
        for name, each in ends.items():
            rests, sign = torch.zeros_like(each[0]), writing.get(nodes[name])
            if sign and kept and kept[0].shape == rests.shape:  # unit by unit
                rests = each[_end(sign)] & kept[0]
            found = torch.stack([*each, rests]).double().sum(1)
            counts[name] = found + counts.get(name, 0)
    return {
        name: Saturation(
            *(each / max(total, 1))[:2],
            keeps=("low", "high")[_end(keep.sign)] if keep and nodes[name] is keep.gate else "",
            reads=reads(graph, nodes[name]),
            resting=each[2] / max(total, 1),
        )
        for name, each in counts.items()
    }


def _end(sign: int) -> int:
    """Return the place of the end at which a gate keeps: 0 for low, 1 for high."""
    return int(sign > 0)


def _ends(node: Node, value: Tensor) -> tuple[Tensor, Tensor]:
    """Return where an activation, (N, H), is near its least value, and near its greatest."""
    least = 0.0 if node.operation is Operation.SIGMOID else -1.0
    return value < least + BOUND, value > 1 - BOUND


def reads(graph: Graph, node: Node) -> bool:
    """Return whether an activation is that of the next value of a state that keeps a memory."""
    state = carrier(graph)
    return state != graph.output and node.arguments[0] is graph.values[state]


@lru_cache(maxsize=256)
def _activations(graph: Graph) -> Graph:
    """Return the sigmoids and tanhs as functions of inputs and old states alone."""
    return opened(graph, squashing(graph))
