"""The plan of a training step: what the forward pass stores, and where gradients go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping
from itertools import groupby
from typing import NamedTuple, final

from ...graph import derivative
from ...graph.graph import Graph
from ...graph.learned import Block, Size
from ...graph.node import Node, ordered
from ...graph.operation import ACTIVATIONS, CONDITIONS, POINTWISE, Operation
from ...graph.rewrite import rewrite, simplified, states_as_inputs
from ..runtime.abi import Buffer, Role
from .plan import Plan
from .split import Split


class Place(NamedTuple):
    """Columns of a buffer, (N, width)."""

    buffer: int
    start: int
    stop: int

    @property
    def units(self) -> int:
        """Their number."""
        return self.stop - self.start


class LayerGradient(NamedTuple):
    """The place of the gradients of some learned layers, and what the layers read."""

    place: Place
    blocks: tuple[Block, ...]  # of the first layer; the others follow it row by row
    sources: tuple[Node, ...]
    layers: int  # how many


@final
class TrainingPlan:
    """The plan of what a training step computes, stores and adds up.

    The forward pass stores what the derivative cannot cheaply compute again: the values next above
    a matrix product or a sum over units. Everything else is pointwise and computed once more.
    States are stored anyway.

    Args:
        parts: of the graph.
        record: names of the values that are returned for every step.
        sizes: how many units I, H, P and 1 are.
        recompute: whether nothing but states is stored: the backward pass computes each step again.
        whole: whether the layers that are computed before the loop are a part of the plan.

    Attributes:
        backward: the derivative of the loop.
        saved: values of the loop that the forward pass stores, by buffer.
        sources: what layers read and the forward pass does not store: the backward pass does, each
            in a buffer.
        given: what the backward pass reads instead of computing it, and from which buffer.
        gradients: what the backward pass stores, by buffer, and where.
        widths: of the buffers that hold the gradients.
        hoisted: for each bank of hoisted values, the buffer of its gradient; None if it is 0.
        reduced: gradients that are summed over rows and steps, by what they belong to.
        layers: the gradients of learned layers.
        written: of each parameter of a learned layer, how many rows have gradients.
    """

    def __init__(
        self,
        parts: Split,
        record: tuple[str, ...],
        sizes: Mapping[Size, int],
        recompute: bool = False,
        whole: bool = False,
    ) -> None:
        step = parts.step
        self.sizes = sizes
        self.backward = derivative(step, record)
        self.again = _again(step)
        self.gradients: dict[Buffer, tuple[Node, Place]] = {}
        self.widths: list[int] = []
        self.hoisted = {names: self._bank(names) for names in parts.banks}
        self.layers = self._layers(step) + (self._before(parts) if whole else [])
        self.written: Counter[str] = Counter()
        for layer in self.layers:
            for block in layer.blocks:
                self.written[f"weight_{block.group}"] += layer.place.units
                if block.bias is not None:
                    self.written[f"bias_{block.group}"] += layer.place.units
        self.reduced = self._reduced(parts)
        new = {self.again[step.values[s]]: Buffer(Role.AFTER, s) for s in step.states}
        self.given = {node: buffer for node, buffer in new.items() if node.arguments}
        read = dict.fromkeys(source for layer in self.layers for source in layer.sources)
        sources = [n for n in read if n.arguments and self.again[n] not in self.given]
        self.saved = {} if recompute else self._saved(step, sources)
        again = sources if recompute else []
        self.sources = {node: self._buffer([self.again[node]]).buffer for node in again}
        self.given.update({self.again[node]: buffer for buffer, node in self.saved.items()})

    @property
    def optional(self) -> set[int]:
        """The buffers that nothing but the gradient of a bank is read from."""
        needed = {layer.place.buffer for layer in self.layers}
        return {buffer for buffer in self.hoisted.values() if buffer is not None} - needed

    def stored(self, buffers: Container[int]) -> dict[Buffer, tuple[Node, Place]]:
        """Return what the backward pass stores if of optional buffers only some are filled."""
        optional = self.optional
        return {
            buffer: (node, place)
            for buffer, (node, place) in self.gradients.items()
            if place.buffer in buffers or place.buffer not in optional
        }

    def _bank(self, names: tuple[str, ...]) -> int | None:
        """Return the buffer of a bank's gradient; None if nothing depends on the bank."""
        nodes = [self.backward.values[f"d_{name}"] for name in names]
        return None if all(map(_is_zero, nodes)) else self._buffer(nodes).buffer

    def _buffer(self, nodes: list[Node]) -> Place:
        """Return all columns of a new buffer that holds some gradients side by side."""
        start, number = 0, len(self.widths)
        for node in nodes:
            stop = start + self.sizes[self.backward.sizes[node]]
            buffer = Buffer(Role.GRADIENT, str(len(self.gradients)))
            self.gradients[buffer] = (node, Place(number, start, stop))
            start = stop
        self.widths.append(start)
        return Place(number, 0, start)

    def _layers(self, step: Graph) -> list[LayerGradient]:
        """Return each bank's gradient; that of a hoisted bank often is the same."""
        found = {
            node.attribute.layer: node.arguments[0]
            for node in self.backward.values.values()
            if node.operation is Operation.OUTER
        }
        layers = []
        for bank in dict.fromkeys(Plan(step).banks.values()):
            for has_gradient, run in groupby(bank, lambda layer: layer.attribute in found):
                if has_gradient:
                    first, *others = run
                    nodes = [found[layer.attribute] for layer in (first, *others)]
                    place = self._known(nodes) or self._buffer(nodes)
                    blocks = first.attribute.blocks
                    layers.append(LayerGradient(place, blocks, first.arguments, len(nodes)))
        return layers

    def _before(self, parts: Split) -> list[LayerGradient]:
        """Return the layers computed before the loop: each bank's gradient is the loop's."""
        layers = []
        for names, buffer in self.hoisted.items():
            if buffer is not None:
                node = parts.hoisted.values[names[0]]
                place = Place(buffer, 0, self.widths[buffer])
                blocks = node.attribute.blocks
                layers.append(LayerGradient(place, blocks, node.arguments, len(names)))
        return layers

    def _known(self, nodes: list[Node]) -> Place | None:
        """Return where some gradients already stand side by side."""
        entries = list(self.gradients.values())
        for start in range(len(entries) - len(nodes) + 1):
            window = entries[start : start + len(nodes)]
            same = all(known is node for (known, _), node in zip(window, nodes, strict=True))
            if same and len({place.buffer for _, place in window}) == 1:
                first, last = window[0][1], window[-1][1]
                return Place(first.buffer, first.start, last.stop)
        return None

    def _reduced(self, parts: Split) -> dict[str, Node]:
        names = [node.attribute.name for node in parts.step.learned] + sorted(parts.vectors)
        gradients = {name: self.backward.values.get(f"d_{name}") for name in names}
        return {n: g for n, g in gradients.items() if g is not None and not _is_zero(g)}

    def _saved(self, step: Graph, sources: list[Node]) -> dict[Buffer, Node]:
        """Return what the backward pass needs of the forward pass, and what layers read."""
        forward = {node: old for old, node in self.again.items()}
        roots = [node for node, _ in self.gradients.values()] + list(self.reduced.values())
        roots += [self.backward.values[f"d_{state}"] for state in step.states]
        needed: dict[Node, None] = {}
        seen = set(self.given)
        stack = roots[::-1]
        while stack:
            node = stack.pop()
            if node in seen:
                continue
            seen.add(node)
            if node in forward and node.arguments and _is_worth_saving(node):
                needed[node] = None
                continue
            spread = node.operation is Operation.BROADCAST
            stack += reversed(node.arguments[:1] if spread else node.arguments)
        needed |= dict.fromkeys(self.again[node] for node in sources)
        return {Buffer(Role.SAVED, str(i)): forward[node] for i, node in enumerate(needed)}


def _again(step: Graph) -> dict[Node, Node]:
    """Return for each node of the loop the one of the simplified derivative that stands for it."""
    inputs = states_as_inputs(step.values.values())
    simple = rewrite(inputs.values(), simplified)
    return {node: simple[new] for node, new in inputs.items()}


def _is_zero(gradient: Node) -> bool:
    """Return whether nothing depends on what this is the gradient of."""
    if gradient.operation is not Operation.BROADCAST:
        return False
    return gradient.arguments[0].operation is Operation.CONSTANT


def _is_worth_saving(node: Node) -> bool:
    """Return whether a value of the forward step costs more to compute again than to store."""
    if node.operation not in POINTWISE:
        return True
    if node.operation in CONDITIONS:
        return False
    if any(argument.operation is Operation.AFFINE for argument in node.arguments):
        return True
    return node.operation in ACTIVATIONS and _has_product(node)


def _has_product(node: Node) -> bool:
    below = ordered([node])
    return any(other.arguments and other.operation not in POINTWISE for other in below)
