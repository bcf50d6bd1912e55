"""The derivative of a cell, as it is shown to people: a graph that prints."""

from __future__ import annotations

from functools import partial
from typing import Any, final

from ..display import code, listed, page, paragraph
from ..errors import CellError
from ..graph import storage
from ..graph.derivative import derivative
from ..graph.graph import Graph
from ..graph.node import Node
from ..graph.scalars import equals, is_scalar, leaves_of
from ..graph.written import Written, matched
from ..printing import latex, mathml, python, text


@final
class Derivative(Graph):
    """One step of a cell backwards in time, which prints as LaTeX and as Python.

    A bar over a value, or ``d_`` before its name, marks the gradient of the loss with respect to
    it. A step takes what the forward step took, and the gradients with respect to the new states;
    it hands on those with respect to the old ones. ``d_W_hn`` is what one row and one step
    contribute to the gradient of a weight: to be summed over both. It can be used wherever a
    graph can.

    >>> import unrolled
    >>> backward = unrolled.cells.rnn_tanh.derivative
    >>> backward
    Derivative(rnn_tanh_backward: x, h, d_h)
    >>> print(backward.latex().splitlines()[3])
    \\bar{h}^{\\mathrm{pre}}_t &= \\bar{h}^{+}_t \\odot \\left(1 - h_t \\odot h_t\\right) \\\\
    >>> print(backward.python())  # print(backward) shows both
    from numpy import outer, tanh
    <BLANKLINE>
    <BLANKLINE>
    def rnn_tanh_backward(
        x, h, d_h,
        W_ih, b_ih, W_hh, b_hh,
    ):
        \"\"\"One step of rnn_tanh, backwards.\"\"\"
        d_h_new = d_h
        h_new = tanh(W_ih @ x + b_ih + W_hh @ h + b_hh)
        d_h_pre = d_h * (1 - h_new * h_new)
        d_b_ih = d_h_pre
        d_b_hh = d_h_pre
        d_h = W_hh.T @ d_h_pre
        d_x = W_ih.T @ d_h_pre
        d_W_ih = outer(d_h_pre, x)
        d_W_hh = outer(d_h_pre, h)
        return d_h
    <BLANKLINE>
    """

    @classmethod
    def of(cls, graph: Graph) -> Derivative:
        """Return the derivative of a cell's graph."""
        found = cls._of(derivative(graph))
        found.tell(partial(_written, graph, found))
        return found

    @classmethod
    def _of(cls, graph: Graph) -> Derivative:
        return cls(graph.name, graph.inputs, graph.states, graph.values, graph.backward)

    def latex(self) -> str:
        """Return the equations as LaTeX."""
        return latex.latex(self)

    def text(self, width: int | None = None) -> str:
        """Return the equations as lines of text, of at most so many columns if told."""
        return text.text(self, width)

    def python(self) -> str:
        """Return the equations as Python code that runs on NumPy vectors.

        Raises:
            CellError: for a cell that has states called h and d_h: two arguments of one name.
        """
        return python.python(self, f"One step of {self.name.removesuffix('_backward')}, backwards.")

    @classmethod
    def from_json(cls, data: Any) -> Derivative:
        """Return the derivative from data, verified; CellError for anything else."""
        graph = storage.from_json(data)
        found = cls._of(graph)
        found.tell(graph.author)
        return found

    def __reduce__(self) -> tuple[Any, ...]:
        return Derivative.from_json, (storage.to_json(self),)

    def __str__(self) -> str:
        return f"{self.latex()}\n\n{self._code()}"

    def _code(self) -> str:
        try:
            return self.python()
        except CellError as error:
            return f"# no code: {error}\n"

    def __repr__(self) -> str:
        return f"Derivative({self.name}: {listed([*self.inputs, *self.states], 20)})"

    def _repr_html_(self) -> str:
        """Return the formula and the code."""
        return page(paragraph("", self.name), mathml.mathml(self), code(self._code()))

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"


def _written(graph: Graph, backward: Graph) -> Written:
    """Return what stands in the derivative where the author of the cell wrote hyperparameters.

    The equations as they are written, hyperparameters being learned, have the same derivative but
    for these.
    """
    known = graph.written.hyperparameters
    again = derivative(graph.as_written)

    def scalar(number: Node, there: Node) -> Node | None:
        is_known = is_scalar(there) and leaves_of([there])
        return there if is_known and equals(there, known, number.attribute) else None

    there = [again.values[name] for name in backward.values]
    numbers, _ = matched(list(backward.values.values()), there, scalar)
    return Written(frozenset(backward.values), {}, known).standing(numbers)
