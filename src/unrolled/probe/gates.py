"""The gates of a cell, found in its graph: what squashes, what keeps the memory, and its bias."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, final

import torch
from torch import Tensor

from ..graph import parameters
from ..graph.graph import Graph
from ..graph.node import Node, ordered
from ..graph.notation import expression
from ..graph.operation import Operation
from ..graph.rewrite import states_as_inputs
from .jacobian import evaluated, opened
from .passage import Passage
from .paths import carrier, coefficient, without_layers

SQUASHING = (Operation.SIGMOID, Operation.TANH)
BOUND = 0.05
"""The distance from an end of its range within which an activation counts as saturated."""


class Keeping(NamedTuple):
    """The gate that keeps the memory: the forget gate of an LSTM, the update gate of a GRU."""

    gate: Node
    sign: int  # 1 if the memory is kept where the gate is open, -1 where it is closed


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
    """Return the gate that is by itself, as g or 1 - g, a term of the memory's factor."""
    factor = coefficient(graph, carrier(graph))
    if factor is None:
        return None
    originals = _originals(graph)
    for term in _terms(factor):
        if term in originals and originals[term].operation is Operation.SIGMOID:
            return Keeping(originals[term], 1)
        if term.operation is Operation.SUB and term.arguments[1] in originals:
            one, gate = term.arguments[0], originals[term.arguments[1]]
            if one.attribute == 1.0 and gate.operation is Operation.SIGMOID:
                return Keeping(gate, -1)
    return None


def _terms(node: Node) -> dict[Node, int]:
    """Return what a sum is made of, and how often each term stands in it."""
    order = ordered([node])
    counts = Counter({node: 1})
    for part in reversed(order):
        if part.operation is Operation.ADD:
            for argument in part.arguments:
                counts[argument] += counts[part]
    return {p: counts[p] for p in order if counts[p] and p.operation is not Operation.ADD}


def _originals(graph: Graph) -> dict[Node, Node]:
    """Return for each node in a factor the node of the cell that it stands for."""
    cuts = without_layers(graph)  # as in `cut`, and as a derivative sees it
    new = states_as_inputs(cuts.values())
    return {new[changed]: node for node, changed in cuts.items()}


def bias(graph: Graph, weights: Mapping[str, Tensor]) -> Tensor | None:
    """Return how far the bias alone opens the memory's gate, (H,); None without a bias."""
    found = keeping(graph)
    if found is None:
        return None
    terms = _terms(found.gate.arguments[0])
    layers = {term: count for term, count in terms.items() if term.operation is Operation.AFFINE}
    total = None
    for layer, count in layers.items():
        for rows in biases(graph, weights, layer):
            total = rows * count if total is None else total + rows * count
    return None if total is None else found.sign * total


def biases(graph: Graph, weights: Mapping[str, Tensor], layer: Node) -> Iterator[Tensor]:
    """Yield the rows of the biases that a learned layer adds, as views, (units,) each."""
    counts = {each.name: len(each.rows) for each in parameters(graph)}
    for block in layer.attribute.blocks:
        if block.bias is not None:
            name = f"bias_{block.group}"
            yield weights[name].unflatten(0, (counts[name], -1))[block.bias]


@final
@dataclass(frozen=True, eq=False)
class Saturation:
    """The fractions of all steps and rows, (H,), at which an activation is at its ends.

    Attributes:
        low, high: near its least and its greatest value.
        keeps: the end at which the memory is kept and nothing is wrong: "low", "high" or "".
        reads: whether it squashes a state that keeps a memory, as tanh(c) does: it is no gate, and
            the memories of trained networks grow far beyond its ends.
    """

    low: Tensor
    high: Tensor
    keeps: str
    reads: bool

    @property
    def harmful(self) -> Tensor:
        """(H,) how often it is at an end that lets no gradient through and serves no memory."""
        if self.reads:
            return torch.zeros_like(self.low)
        parts = {"low": self.low, "high": self.high}
        return torch.stack([part for end, part in parts.items() if end != self.keeps]).sum(0)


def saturation(passage: Passage) -> dict[str, Saturation]:
    """Return the saturation of every sigmoid and tanh, by name."""
    nodes, keep = squashing(passage.graph), keeping(passage.graph)
    counts: dict[str, Tensor] = {}
    total = 0
    for stretch, valid in passage.pieces():
        total += int(valid.sum())
        for name, value in evaluated(stretch, _activations(passage.graph)).items():
            low = 0.0 if nodes[name].operation is Operation.SIGMOID else -1.0
            ends = torch.stack([value[valid] < low + BOUND, value[valid] > 1 - BOUND])
            counts[name] = ends.double().sum(1) + counts.get(name, 0)
    found = {}
    for name, ends in counts.items():
        low, high = ends / max(total, 1)
        is_keeping = keep is not None and nodes[name] is keep.gate
        keeps = ("high" if keep.sign > 0 else "low") if keep and is_keeping else ""
        found[name] = Saturation(low, high, keeps, reads(passage.graph, nodes[name]))
    return found


def reads(graph: Graph, node: Node) -> bool:
    """Return whether an activation is that of the next value of a state that keeps a memory."""
    state = carrier(graph)
    return state != graph.output and node.arguments[0] is graph.values[state]


@lru_cache(maxsize=256)
def _activations(graph: Graph) -> Graph:
    """Return the sigmoids and tanhs as functions of inputs and old states alone."""
    return opened(graph, squashing(graph))
