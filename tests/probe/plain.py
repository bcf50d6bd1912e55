"""A plain loop over the equations, one value after the other, with changes made by hand."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from unrolled.graph.graph import Graph
from unrolled.graph.node import Node
from unrolled.graph.operation import Operation
from unrolled.kernels.eager import EAGER, NUMBERED

Hand = Callable[[str, int, Tensor], Tensor]
"""What becomes of a value: its name, the step, and the value (B, units)."""


def weights(module: Any, suffix: str) -> dict[str, Tensor]:
    """The parameters of one layer and direction by name."""
    return dict(zip(module._names, module._weights(suffix), strict=True))


def untouched(name: str, step: int, value: Tensor) -> Tensor:
    return value


def loop(
    graph: Graph,
    weights: Mapping[str, Tensor],
    x: Tensor,
    states: Mapping[str, Tensor],
    hand: Hand = untouched,
    reverse: bool = False,
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """All values of every step, (T, B, units), and the last states."""
    steps = range(len(x) - 1, -1, -1) if reverse else range(len(x))
    found: dict[int, dict[str, Tensor]] = {}
    states = dict(states)
    name = next(iter(graph.inputs))
    for t in steps:
        seen = _Step(graph, weights, {name: hand(name, t, x[t])}, states, t, hand).values()
        found[t] = seen
        states = {state: seen[state] for state in states}
    return {name: torch.stack([found[t][name] for t in range(len(x))]) for name in found[0]}, states


def lengthwise(
    graph: Graph, weights: Any, x: Tensor, states: Any, lengths: list[int], **options: Any
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The same row by row, each up to its length; 0 after it."""
    found: dict[str, Tensor] = {}
    last = {state: value.clone() for state, value in states.items()}
    for row, length in enumerate(lengths):
        if length:
            first = {state: value[row : row + 1] for state, value in states.items()}
            values, final = loop(graph, weights, x[:length, row : row + 1], first, **options)
            for name, value in values.items():
                whole = found.setdefault(name, x.new_zeros(*x.shape[:2], value.shape[-1]))
                whole[:length, row : row + 1] = value
            for state, value in final.items():
                last[state][row] = value[0]
    return found, last


class _Step:
    def __init__(
        self, graph: Graph, weights: Any, inputs: Any, states: Any, t: int, hand: Hand
    ) -> None:
        self.graph, self.weights, self.inputs, self.states = graph, weights, inputs, states
        self.t, self.hand = t, hand
        self.owner: dict[Node, str] = {}
        for name, node in graph.probes.items():
            if node.arguments:
                self.owner.setdefault(node, name)
        self.known: dict[Node, Tensor] = {}

    def values(self) -> dict[str, Tensor]:
        rows = len(next(iter(self.states.values())))
        found = dict(self.inputs)
        for name, node in self.graph.probes.items():
            value = self.value(node)
            if self.owner.get(node) != name:
                value = self.hand(name, self.t, value)
            found[name] = value.expand(rows, -1)
        return found

    def value(self, node: Node) -> Tensor:
        if node not in self.known:
            value = self.computed(node)
            name = self.owner.get(node)
            self.known[node] = value if name is None else self.hand(name, self.t, value)
        return self.known[node]

    def computed(self, node: Node) -> Tensor:
        like = next(iter(self.states.values()))
        leaves: dict[Operation, Callable[[], Tensor]] = {
            Operation.CONSTANT: lambda: like.new_full((1, 1), node.attribute),
            Operation.INPUT: lambda: self.inputs[node.attribute],
            Operation.STATE: lambda: self.states[node.attribute],
            Operation.LEARNED: lambda: self.weights[node.attribute.name][None],
        }
        if node.operation in leaves:
            return leaves[node.operation]()
        arguments = [self.value(argument) for argument in node.arguments]
        if node.operation is Operation.AFFINE:
            return self.affine(node, arguments)
        function = EAGER[node.operation]
        assert function is not None
        return function(*arguments, *([node.attribute] if node.operation in NUMBERED else []))

    def affine(self, node: Node, sources: list[Tensor]) -> Tensor:
        total = torch.zeros(())
        size = node.attribute.size
        state = next(state for state, units in self.graph.states.items() if units == size)
        height = self.states[state].shape[-1]
        for block, source in zip(node.attribute.blocks, sources, strict=True):
            weight = self.weights[f"weight_{block.group}"]
            total = total + source @ weight[block.row * height : (block.row + 1) * height].T
            if block.bias is not None:
                bias = self.weights[f"bias_{block.group}"]
                total = total + bias[block.bias * height : (block.bias + 1) * height]
        return total
