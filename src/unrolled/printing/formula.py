"""Equations as formulas: what LaTeX, MathML and text have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from ..graph.notation import Rule, Writer
from ..graph.operation import Operation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..graph.graph import Graph
    from ..graph.node import Node

GREEK = {
    name: chr(code)
    for name, code in zip(
        (
            *("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota"),
            *("kappa", "lambda", "mu", "nu", "xi", "pi", "rho", "sigma", "tau", "upsilon"),
            *("phi", "chi", "psi", "omega"),
        ),
        (*range(0x3B1, 0x3BF), *range(0x3C0, 0x3C2), *range(0x3C3, 0x3CA)),
        strict=True,
    )
}
"""Names that are printed as Greek letters, with the letters; omicron looks like an o."""


@final
@dataclass(frozen=True)
class Style:
    """A way to write formulas.

    Attributes:
        rules: for each operation, how to write it.
        parentheses: how to wrap text that holds too loosely.
        letter: the text of a name without subscripts.
        scripted: the text of a letter, what is raised and what is below it (a letter each, or
            empty), and whether a bar is over it.
    """

    rules: Mapping[Operation, Rule]
    parentheses: str
    letter: Callable[[str], str]
    scripted: Callable[[str, str, str, bool], str]

    def symbol(self, name: str, time: str, barred: bool = False) -> str:
        """Return a value at a time: ``c`` at ``t-1``, ``m_new`` and ``h_2`` at ``t``."""
        base, _, exponent = name.partition("_")
        if exponent.isdigit():  # h_2 is the second h, not the square of it
            return self.scripted(self.letter(base), "", f"{exponent},{time}", barred)
        raised = self.letter(exponent) if exponent else ""
        return self.scripted(self.letter(base), raised, time, barred)

    def equations(self, graph: Graph) -> dict[str, tuple[str, str]]:
        """Return the left and right side of each line in print (see `Graph.lines`)."""
        graph = graph.as_written
        return {
            value: (self._left_side(graph, value), self._right_side(graph, value, node))
            for value, node in graph.lines.items()
        }

    def _left_side(self, graph: Graph, name: str) -> str:
        return self._backward(graph, name) if graph.backward else self.symbol(name, "t")

    def _right_side(self, graph: Graph, line: str, value: Node) -> str:
        def name(node: Node) -> str | None:
            if graph.backward and node.operation in (Operation.INPUT, Operation.STATE):
                return self._old(graph, node)
            found = graph.line_names.get(node)
            return None if found is None or found == line else self._left_side(graph, found)

        return Writer(self.rules, self.parentheses, name).operand(value)

    def _backward(self, graph: Graph, name: str) -> str:
        """Return a value of a derivative: a bar marks the gradient with respect to what is under
        it.

        What one step hands to the step before it is marked with a plus: it is not yet the whole
        gradient with respect to that step's new state.
        """
        if name in graph.states:
            return self.scripted(self.letter(name[2:]), "+", "t-1", True)
        plain = name.removeprefix("d_")
        if f"d_{plain.removesuffix('_new')}" in graph.states:
            plain = plain.removesuffix("_new")
        if not name.startswith("d_"):
            return self.symbol(plain, "t")
        base, _, index = plain.partition("_")
        if base in ("W", "b") and index:
            below = self.letter(index) if len(index) > 2 else index
            return self.scripted(base, "", below, True)
        return self.symbol(plain, "t", barred=True)

    def _old(self, graph: Graph, node: Node) -> str:
        """Return what a backward step is given: x at its own time, the other inputs from the step
        before.
        """
        name = node.attribute
        if node.operation is Operation.STATE:
            return self.scripted(self.letter(name[2:]), "+", "t", True)
        return self.symbol(name, "t" if name == next(iter(graph.inputs)) else "t-1")
