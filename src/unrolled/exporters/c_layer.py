"""One layer of a network as a function of C."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, final

import numpy
from numpy.typing import NDArray

from ..graph.learned import Size
from ..graph.node import Node
from ..graph.notation import NOTATION, Writer
from ..graph.operation import Operation
from ..printing.c import UNITS, Body, array_of
from ..printing.loops import Loops, Product
from .c_weights import Weights
from .network import Direction


@final
class CLayer:
    """One layer in one direction, as a function of C.

    Args:
        weights: of the program.
        direction: the layer.
        name: of it, such as l0.
    """

    def __init__(self, weights: Weights, direction: Direction, name: str) -> None:
        self.store, self.direction, self.name = weights, direction, name
        self.loops = Loops(direction.graph)
        used = {*direction.graph.sizes.values(), *direction.graph.states.values(), "input"}
        self.units: dict[Size, str] = {
            size: "1" if size == "one" else f"{name.upper()}_{UNITS[size]}"
            for size in direction.units
            if size in used or size == "one"
        }
        units = self.units
        self._arrays: list[str] = []
        self.body = Body(self.loops, self._product, units)

    def text(self) -> str:
        """Return its arrays and its function."""
        graph, direction = self.direction.graph, self.direction
        x = self.body.spelled[next(iter(graph.inputs))]
        states = [self.body.spelled[state] for state in graph.states]
        arguments = [f"const real *RESTRICT {x}", *(f"real *RESTRICT {s}" for s in states)]
        lines, pointers = self.body.lines(), []
        for node in graph.learned:
            name = self.body.spelled[node.attribute.name]
            if any(_mentions(line, name) for line in lines):
                values = numpy.atleast_1d(direction.weights[node.attribute.name])
                self._arrays.append(self.store.array(f"{self.name}_{name}", values))
                pointers.append(f"    const real *const {name} = {self.name}_{name};")
        reads_x = any(_mentions(line, x) for line in lines)
        unused = [] if reads_x else [f"    (void){x};"]
        for state, values in direction.initial.items():
            self._arrays.append(
                self.store.array(f"{self.name}_{self.body.spelled[state]}_0", values)
            )
        head = f"static void layer_{self.name}({', '.join(arguments)})"
        sizes = [
            f"#define {name} {direction.units[size]}"
            for size, name in self.units.items()
            if size != "one"
        ]
        return "\n".join(
            [*sizes, "", *self._arrays, "", head, "{", *unused, *pointers, *lines, "}"]
        )

    def _product(self, number: int, product: Product) -> Iterator[str]:
        """Give the lines of a product."""
        graph, spelled = self.direction.graph, self.body.spelled
        weight = numpy.concatenate([self._rows(node) for node in product.layers])
        bias = numpy.concatenate([self._bias(node) for node in product.layers])
        packed = self.store.packed(weight, bias)
        self._arrays.append(self.store.array(f"{self.name}_W{number}", packed.weights))
        self._arrays.append(self.store.array(f"{self.name}_b{number}", packed.bias))
        for node in product.layers:
            text = Writer(NOTATION, "({})", self._name).equation(node).text
            yield f"/* {spelled[self.loops.names[node]]} = {text} */"
        sizes = [self.units[graph.sizes[source]] for source in product.sources]
        sources = [array_of(source, self.loops, spelled) for source in product.sources]
        joined = sources[0]
        if len(sources) > 1:
            joined = f"joined{number}"
            yield f"real {joined}[{' + '.join(sizes)}];"
            start = ""
            for source, size in zip(sources, sizes, strict=True):
                yield f"for (int k = 0; k < {size}; k++) {joined}[{start}k] = {source}[k];"
                start += f"{size} + "
        yield f"real sums{number}[{len(packed.bias)}];"
        names = f"{self.name}_W{number}", f"{self.name}_b{number}", " + ".join(sizes)
        yield from packed.calls(*names, joined, f"sums{number}")
        start = ""
        for node in product.layers:
            name = spelled[self.loops.names[node]]
            yield f"const real *const {name} = sums{number}{start};"
            start += f" + {self.units[node.attribute.size]}"

    def _rows(self, node: Node) -> NDArray[Any]:
        layer = node.attribute
        weights = [self.direction.weights[layer.weight(k)] for k in range(len(layer.blocks))]
        return numpy.concatenate(weights, 1)

    def _bias(self, node: Node) -> NDArray[Any]:
        layer = node.attribute
        total = numpy.zeros(self.direction.units[layer.size])
        for place, block in enumerate(layer.blocks):
            if block.bias is not None:
                total = total + self.direction.weights[layer.weight(place, "b")]
        return total

    def _name(self, node: Node) -> str | None:
        if node.operation in (Operation.INPUT, Operation.STATE):
            return node.attribute
        return None if node.operation is Operation.AFFINE else self.loops.names.get(node)


def _mentions(line: str, name: str) -> bool:
    return re.search(rf"\b{re.escape(name)}\b", line) is not None
