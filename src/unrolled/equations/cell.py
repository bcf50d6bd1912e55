"""A cell: equations with a name, from which everything else about it is made."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Annotated, Any, final

from msgspec import Meta, Struct

from ..display import listed, page, paragraph, pictured
from ..errors import CellError
from ..graph import limits, storage
from ..graph.graph import Graph
from ..graph.node import advice, cited
from ..graph.rewrite import map_graph, simplified
from ..graph.verify import check_cell
from ..printing import c, latex, mathml, python, text
from .backward import Derivative
from .function import CellFunction
from .trace import trace

if TYPE_CHECKING:
    from collections.abc import Callable


@final
class Cell:
    """The equations of one step of a recurrent network.

    Made by `unrolled.cell` from a function; it prints as LaTeX and as Python, has a derivative,
    and is what `unrolled.Recurrent` makes a layer of.

    Attributes:
        name: the function's name.
        doc: the function's docstring.
        graph: the equations of one step.
        hyperparameters: numbers that the equations take, by name; calling the cell changes them.

    Raises:
        CellError: unless the graph is a step of one input, within the limits of `limits`.
    """

    def __init__(
        self,
        graph: Graph,
        doc: str = "",
        function: CellFunction | None = None,
        hyperparameters: dict[str, float] | None = None,
    ) -> None:
        check_cell(graph)
        self.name = graph.name
        self.doc = doc
        self.graph = graph
        self.hyperparameters = hyperparameters or {}
        self._function = function

    def __call__(self, *sizes: object, **hyperparameters: float) -> Cell:
        """Return the same cell with other hyperparameters: ``cornn(dt=0.1)``.

        Raises:
            CellError: for a name that the cell's function does not take, or what is no number.
        """
        if self._function is None:
            raise CellError(f"{self.name} was read from a file: it has equations but no function")
        unknown = sorted(set(hyperparameters) - set(self.hyperparameters))
        if sizes or unknown or not hyperparameters:
            raise CellError(
                f"{self.name} takes {', '.join(self.hyperparameters) or 'no hyperparameters'}, "
                f"got {', '.join(map(str, [*sizes, *unknown])) or 'nothing'}; a layer is made by "
                f"unrolled.Recurrent({self.name}, input_size, hidden_size)"
            )
        for name, value in hyperparameters.items():
            if isinstance(value, bool) or not isinstance(value, Real):
                raise CellError(
                    f"{self.name}: the hyperparameter {name} must be a number, "
                    f"got {cited(value)}{advice(value)}"
                )
        return _traced(self._function, {**self.hyperparameters, **hyperparameters})

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return self.doc.strip().partition("\n")[0]

    @property
    def states(self) -> tuple[str, ...]:
        """The names of the states, in the order of the signature."""
        return tuple(self.graph.states)

    @property
    def output(self) -> str:
        """The state that is the cell's output."""
        return self.graph.output

    @property
    def projects(self) -> bool:
        """Whether the equations hold a projection, so that layers need a `proj_size`."""
        return "projection" in self.graph.sizes.values()

    @property
    def derivative(self) -> Derivative:
        """One step backwards in time: a graph that prints as the cell does."""
        return Derivative.of(self.graph)

    def latex(self) -> str:
        """Return the equations as LaTeX."""
        return latex.latex(self.graph)

    def text(self, width: int | None = None) -> str:
        """Return the equations as lines of text, of at most so many columns if told."""
        return text.text(self.graph, width)

    def python(self) -> str:
        """Return the equations as Python code that runs on NumPy vectors."""
        return python.python(self.graph, self.summary)

    def c(self) -> str:
        """Return the equations as a function of C, for one step."""
        return c.c(self.graph, self.summary)

    def to_json(self) -> dict[str, Any]:
        """Return the cell as data; `from_json` reads it back."""
        return {"doc": self.doc, "graph": storage.to_json(self.graph)}

    @classmethod
    def from_json(cls, data: Any) -> Cell:
        """Return the cell of `to_json`; raise CellError if the data is anything else."""
        stored: StoredCell = storage.converted(data, StoredCell, "a cell")
        return cls(stored.read(), stored.doc)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Cell):
            return NotImplemented
        return storage.equations(self.graph) == storage.equations(other.graph)

    def __hash__(self) -> int:
        return hash((self.name, tuple(self.graph.values)))

    def __reduce__(self) -> tuple[Any, ...]:
        return Cell.from_json, (self.to_json(),)

    def __deepcopy__(self, memo: dict[int, Any]) -> Cell:
        return self

    def __repr__(self) -> str:
        return f"Cell({self.name}: {listed([*self.graph.inputs, *self.graph.states], 20)})"

    def _repr_html_(self) -> str:
        """Return the picture and the formula; the formula alone without the extra for drawing."""
        summary = paragraph(self.summary, f"{self.name}{':' * bool(self.summary)}")
        return page(summary, pictured(self.graph), mathml.mathml(self.graph))

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"


class StoredCell(Struct, forbid_unknown_fields=True):
    """A cell in a file."""

    doc: Annotated[str, Meta(max_length=limits.DOC)]
    graph: storage.StoredGraph

    def read(self) -> Graph:
        """Return the equations; CellError for more of them than a cell can have, unread."""
        graph = self.graph
        for what, count, most in (
            ("nodes", len(graph.nodes), limits.NODES),
            ("values", len(graph.values), limits.VALUES),
            ("states", len(graph.states), limits.STATES),
        ):
            limits.check_count("a stored cell", what, count, most)
        return _simple(graph.read())


def _simple(graph: Graph) -> Graph:
    """Return the graph as tracing would simplify it; files of cells hold simple ones already."""
    again = map_graph(graph, simplified)
    same = all(again.values[name] is node for name, node in graph.values.items())
    return graph if same else again


def cell(function: Callable[..., Any]) -> Cell:
    """Make a cell of the function that writes down its equations.

    The function takes the input, then the states; it assigns each state's next value to the
    state's own name and ends with ``return locals()``. Keyword-only arguments with numbers as
    defaults are hyperparameters. The state called h, or the first one, is the cell's output.

    Args:
        function: a function, a bound method, an object with ``__call__`` or a `functools.partial`
            of one of these. The cell has its name; an object without one gives that of its class.

    Raises:
        CellError: if the equations make no sense; the message names the value and what is wrong.

    Warns:
        CellWarning: if they hardly mean what they say, such as a value that nothing uses.

    >>> import unrolled
    >>> from unrolled import affine, sigmoid, tanh
    >>> @unrolled.cell
    ... def gated(x, h):
    ...     '''A gate between the old state and a candidate.'''
    ...     z = sigmoid(affine(x, h))
    ...     n = tanh(affine(x))
    ...     h = z * h + (1 - z) * n
    ...     return locals()
    >>> print(gated.latex())
    \\begin{aligned}
    z_t &= \\sigma\\left(W_{iz} x_t + b_{iz} + W_{hz} h_{t-1} + b_{hz}\\right) \\\\
    n_t &= \\tanh\\left(W_{in} x_t + b_{in}\\right) \\\\
    h_t &= z_t \\odot h_{t-1} + \\left(1 - z_t\\right) \\odot n_t \\\\
    \\end{aligned}
    """
    if isinstance(function, Cell):
        raise CellError(f"{function.name} is a cell already")
    written = CellFunction(function)
    return _traced(written, written.hyperparameters)


def _traced(function: CellFunction, hyperparameters: dict[str, float]) -> Cell:
    return Cell(trace(function, hyperparameters), function.doc, function, hyperparameters)
