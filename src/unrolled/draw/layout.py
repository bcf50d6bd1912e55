"""From a graph of equations to the scene of its cell, for any cell.

Elements are put into a grid (`placement`), lines are found between them (`routing`, `wiring`), the
best of many layouts is kept (`search`), and what is used of the grid gets its coordinates here.
docs/drawing.md tells the whole way.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, NamedTuple, final

from ..errors import DrawError
from ..printing.latex import decimal, learned_symbol
from .elements import Element, Elements, elements, name_text
from .placement import Slot
from .routing import DOWN, LEFT, RIGHT, STEPS, UP, Vertex, side_of
from .scene import Scene
from .search import best
from .shapes import LETTER, Bounds, Box, Label, Line, Point, Shape, hull, text_width
from .wiring import Wiring, corners

if TYPE_CHECKING:
    from ..graph.graph import Graph

TRACK = 0.28
"""Between lines that run side by side."""
PADDING = 0.3
"""Between an element, with its labels, and the nearest track."""
GAP = 0.4
"""Between neighbours without a line between them."""
EDGE = 0.36
"""Between the frame and what is inside."""
LEAD = 0.5
"""Between the frame and the ends of lines outside."""
RADIUS = 0.21
CURVE = 0.16
"""The radius of a line's corners."""
CLEAR = 0.08
"""Between the border of an element and the name of its value: a subscript hangs below the name."""
APART = 0.09
"""Between the border of an element and the sign of a value that comes in at its side."""
TERMINAL = 0.62
"""The height of inputs and outputs, and the width, unless a name needs more."""
STUB = 0.16
"""Between a port and the layer at which it stands."""
MOST_NODES = 400
"""Values of the greatest cell that is drawn: it takes seconds, and nobody could read a greater."""


def scene(graph: Graph) -> Scene:
    """Return the picture of a cell.

    The ids of its shapes: the names of inputs and old states, ``h'`` for the next value of h, ``box
    f`` and ``op c`` for what computes f and c, ``source -> target`` for lines, ``name f`` for
    labels, ``frame``, and ``output`` for the output at the top.

    >>> from unrolled import cells
    >>> picture = scene(cells.rnn_tanh.graph)
    >>> [line.id for line in picture.lines][:3]
    ['x -> join 0', 'h -> join 0', 'join 0 -> box h']

    Raises:
        DrawError: of a cell that is too large for a picture.
    """
    if len(graph.order) > MOST_NODES:
        raise DrawError(
            f"{graph.name} has {len(graph.order):,} values: a picture holds at most {MOST_NODES}"
        )
    return _scene(graph)


@lru_cache(maxsize=64)
def _scene(graph: Graph) -> Scene:
    wiring = best(elements(graph))
    return _Composition(wiring.found, wiring).scene()


class _Extent(NamedTuple):
    """The reach of something from its middle."""

    left: float
    right: float
    down: float
    up: float

    def union(self, other: _Extent) -> _Extent:
        return _Extent(*map(max, self, other))


@final
@dataclass
class _Composition:
    """Coordinates for what was placed and routed."""

    found: Elements
    wiring: Wiring
    shapes: list[Shape] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.placed = self.wiring.placed
        cells = {**self.placed.cells, "output": self.placed.output}
        self.vertices = {key: self.wiring.vertex(cell) for key, cell in cells.items()}
        self.places = {node: n for n, node in enumerate(self.found.graph.order)}
        known = {**self.found.elements, **self.found.ports}
        self.sizes = {key: self._size(element) for key, element in known.items()}
        self.sizes["output"] = _terminal_size(name_text(self.found.graph.output))
        wires = [wire for wire in self.found.wires if wire.port]
        self.ports = {(wire.source, wire.target): wire.port for wire in wires}
        self.out, self.marks = self._sides()
        self.xs, self.ys = self._coordinates()

    # What stands where.

    def _size(self, element: Element) -> tuple[float, float]:
        """Return width and height of the shape of an element."""
        lines = element.text.split("\n")
        width = max(text_width(line) for line in lines)
        if element.role == "layer" or element.mixes:
            return max(0.78, width + 0.28), 0.52 + 0.26 * (len(lines) - 1)
        if element.role in ("operation", "learned", "constant"):
            return max(2 * RADIUS, width * 0.92 + 0.2), 2 * RADIUS
        if element.role == "input":
            return _terminal_size(_aliases(name_text(element.key), element))
        return 0.0, 0.0

    def _sides(self) -> tuple[dict[str, int], dict[str, list[tuple[int, str]]]]:
        """Return the side through which each value leaves, and the marks at lines that come in."""
        out: dict[str, int] = {}
        marks: dict[str, list[tuple[int, str]]] = {}
        text = {(wire.source, wire.target): wire.mark for wire in self.found.wires}
        for (source, target), path in self.wiring.paths.items():
            out[source] = side_of(path[0], path[1])
            if mark := text.get((source, target)):
                marks.setdefault(target, []).append((side_of(path[-1], path[-2]), mark))
        return out, marks

    def _extent(self, key: str) -> _Extent:
        """Return how much room an element takes, with its labels."""
        width, height = self.sizes[key]
        extent = _Extent(width / 2, width / 2, height / 2, height / 2)
        for label in [*self._names(key, 0.0, 0.0), *self._signs(key, 0.0, 0.0)]:
            left, down, right, up = label.bounds
            extent = extent.union(_Extent(-left, right, -down, up))
        for wire, port in self.ports.items():
            if wire[1] == key:
                reach = width / 2 + STUB + self.sizes[port][0]
                left = self._side_in(wire) == LEFT
                extent = extent.union(_Extent(reach * left, reach * (not left), 0.0, 0.0))
        return extent

    def _side_in(self, wire: tuple[str, str]) -> int:
        """Return the side through which a line enters its target."""
        path = self.wiring.paths[wire]
        return side_of(path[-1], path[-2])

    def _names(self, key: str, x: float, y: float) -> list[Label]:
        """Return the label of an element's value, beside the line that leaves it."""
        element = self.found.elements.get(key)
        if element is None or not element.names or element.role in ("next", "input", "state"):
            return []
        text = ", ".join(name_text(name) for name in element.names)
        side = self.out.get(key, UP)
        width, height = self.sizes[key]
        dx, dy = width / 2, height / 2
        half = LETTER * 0.58
        place: dict[int, tuple[float, float, str]] = {
            UP: (x + 0.1, y + dy + half + CLEAR, "left"),
            DOWN: (x + 0.1, y - dy - half - CLEAR, "left"),
            RIGHT: (x + dx + 0.08, y + half + 0.06, "left"),
            LEFT: (x - dx - 0.08, y + half + 0.06, "right"),
        }
        at_x, at_y, align = place[side]
        return [
            Label(f"name {key}", text, at_x, at_y, align=align, names=element.names)  # pyright: ignore[reportArgumentType]
        ]

    def _signs(self, key: str, x: float, y: float) -> list[Label]:
        """Return the signs beside lines whose order matters."""
        width, height = self.sizes[key]
        dx, dy, half = width / 2 + APART, height / 2 + 0.15, LETTER * 0.46
        # On the right, below its line, unless the name of a value that leaves down stands there.
        named = self.out.get(key) == DOWN and self._names(key, x, y)
        right = y + half + 0.03 if named else y - half - 0.03
        place: dict[int, tuple[float, float, str]] = {
            LEFT: (x - dx, y + half + 0.03, "right"),
            UP: (x - 0.08, y + dy + half, "right"),
            DOWN: (x - 0.08, y - dy - half, "right"),
            RIGHT: (x + dx, right, "left"),
        }
        return [
            Label(f"sign {key} {side}", mark, *place[side][:2], "sign", place[side][2], 0.8)  # pyright: ignore[reportArgumentType]
            for side, mark in self.marks.get(key, [])
        ]

    # Coordinates.

    def _coordinates(self) -> tuple[dict[int, float], dict[int, float]]:
        """Return the place of every track and middle that is used."""
        first, last, lowest, top = self.placed.inside
        corners = [self.wiring.vertex(cell) for cell in (Slot(first, lowest), Slot(last, top))]
        pieces = [piece for path in self.wiring.paths.values() for piece in pairwise(path)]
        places = []
        for axis, ends in enumerate(zip(*corners, strict=True)):
            used = {a[axis] for a, b in pieces if a[axis] == b[axis]}
            extents: dict[int, tuple[float, float]] = {}
            for key, vertex in self.vertices.items():
                low, high = self._extent(key)[2 * axis : 2 * axis + 2]
                known = extents.get(vertex[axis], (0.0, 0.0))
                extents[vertex[axis]] = (max(known[0], low), max(known[1], high))
            places.append(
                _spread(sorted(used | set(extents)), extents, ends, self.wiring.scales[axis])
            )
        return places[0], places[1]

    def _at(self, key: str) -> tuple[float, float]:
        i, j = self.vertices[key]
        return self.xs[i], self.ys[j]

    # Shapes.

    def scene(self) -> Scene:
        """Return the shapes: frame, lines, boxes, labels."""
        lines = self._lines()
        self.shapes.append(self._frame(lines))
        self.shapes += lines
        for element in self.found.elements.values():
            self._element(element)
        for wire, port in self.ports.items():
            self._port(wire, self.found.ports[port])
        self._output()
        self._numbers()
        return Scene(tuple(self.shapes), self.found.graph.name)

    def _frame(self, lines: list[Line]) -> Box:
        sides: list[Bounds] = []
        for key, element in self.found.elements.items():
            if element.role not in ("input", "state", "next"):
                (x, y), e = self._at(key), self._extent(key)
                sides.append((x - e.left, y - e.down, x + e.right, y + e.up))
        sides += [(x, y, x, y) for line in lines for x, y in line.points[1:-1]]
        inside = sides[0][0] if sides else 0.0
        for state in self.found.graph.states:
            for key in (state, f"{state}'"):
                y = self._at(key)[1]
                sides.append((inside, y, inside, y))
        left, down, right, up = hull(sides)
        left, right = left - EDGE, right + EDGE
        down, up = down - EDGE, up + EDGE
        middle = (left + right) / 2, (down + up) / 2
        return Box("frame", "frame", *middle, right - left, up - down, 0.3)

    def _lines(self) -> list[Line]:
        order = {(wire.source, wire.target): n for n, wire in enumerate(self.found.wires)}
        paths = sorted(self.wiring.paths.items(), key=lambda item: order.get(item[0], len(order)))
        lines = []
        for (source, target), path in paths:
            line = self._line(source, target, path)
            port = self.ports.get((source, target))
            lines += [line] if port is None else self._through(line, port)
        return lines

    def _through(self, line: Line, port: str) -> list[Line]:
        """Return a line that ends at a port, and the stub from there to its target."""
        x, y = self._port_at((line.source, line.target))
        away = 1 if x > line.points[-1][0] else -1
        width = self.sizes[port][0] / 2
        end, start = (x + away * width, y), (x - away * width, y)
        onward = replace(
            line,
            id=f"{port} -> {line.target}",
            points=(start, line.points[-1]),
            source=port,
            net=port,
            arrow=False,
        )
        into = f"{line.source} -> {port}"
        return [replace(line, id=into, points=(*line.points[:-1], end), target=port), onward]

    def _port_at(self, wire: tuple[str, str]) -> Point:
        """Return the middle of the port at the end of a wire."""
        x, y = self._at(wire[1])
        side = 1 if self._side_in(wire) == RIGHT else -1
        width = self.sizes[self.ports[wire]][0]
        return x + side * (self.sizes[wire[1]][0] / 2 + STUB + width / 2), y

    def _port(self, wire: tuple[str, str], element: Element) -> None:
        width, height = self.sizes[element.key]
        nodes = tuple(self.places[node] for node in element.nodes)
        x, y = self._port_at(wire)
        look = (element.key, element.role, x, y, width, height, height / 2, element.text)
        self.shapes.append(Box(*look, nodes=nodes))

    def _line(self, source: str, target: str, path: list[Vertex]) -> Line:
        points = [(self.xs[i], self.ys[j]) for i, j in corners(path)]
        points[0] = self._border(source, points[0], side_of(path[0], path[1]))
        points[-1] = self._border(target, points[-1], side_of(path[-1], path[-2]))
        if source in self.found.elements and self.found.elements[source].role == "join":
            points[0] = self._joined(source, points[0])
        joins = target != "output" and self.found.elements[target].role == "join"
        return Line(
            f"{source} -> {target}",
            tuple(points),
            source=source,
            target=target,
            net=source,
            arrow=not joins,
            merge=(1.0, 0.0) if joins else None,
        )

    def _joined(self, join: str, point: Point) -> Point:
        """Return where a line begins to which others join: later, if none of them goes straight
        on, so that nothing sticks out of the corner.
        """
        ways = [path for (_, target), path in self.wiring.paths.items() if target == join]
        straight = any(side_of(path[-1], path[-2]) == LEFT for path in ways)
        return point if straight else (point[0] + CURVE, point[1])

    def _border(self, key: str, point: tuple[float, float], side: int) -> tuple[float, float]:
        """Return where a line leaves or enters the shape of an element."""
        width, height = self.sizes[key]
        dx, dy = STEPS[side]
        return point[0] + dx * width / 2, point[1] + dy * height / 2

    def _element(self, element: Element) -> None:
        key, role = element.key, element.role
        x, y = self._at(key)
        width, height = self.sizes[key]
        nodes = tuple(self.places[node] for node in element.nodes if node in self.places)
        if role in ("state", "next", "join"):
            self.shapes.append(Box(key, role, x, y, 0, 0, 0, nodes=nodes))
            if role == "state":
                self._terminal(key, _aliases(name_text(key, "t-1"), element), x - 0.1, y, "right")
            elif role == "next":
                self._terminal(key, name_text(element.names[0]), x + 0.12, y, "left")
            return
        text = _aliases(name_text(key), element) if role == "input" else element.text
        radius = 0.1 if role == "layer" or element.mixes else height / 2
        # A learned norm can stand on a belt, as no layer does, but it looks like one.
        look = "layer" if role == "learned" and element.mixes else role
        self.shapes.append(Box(key, look, x, y, width, height, radius, text, nodes=nodes))
        self.shapes += [*self._names(key, x, y), *self._signs(key, x, y)]

    def _terminal(
        self, key: str, text: str, x: float, y: float, align: Literal["left", "right"]
    ) -> None:
        names = self.found.elements[key].names
        self.shapes.append(Label(f"name {key}", text, x, y, "state", align, names=names))

    def _output(self) -> None:
        x, y = self._at("output")
        name = self.found.graph.output
        width, height = self.sizes["output"]
        look = ("output", "output", x, y, width, height, height / 2, name_text(name))
        self.shapes.append(Box(*look))

    def _numbers(self) -> None:
        """Write the values of hyperparameters under the cell."""
        numbers = self.found.numbers
        if not numbers:
            return
        text = ", ".join(f"${learned_symbol(n)} = {decimal(v)}$" for n, v in numbers.items())
        frame = next(shape.bounds for shape in self.shapes if shape.id == "frame")
        x, y = frame[2] - EDGE / 2, frame[1] - LETTER
        label = Label("numbers", text, x, y, "caption", "right", 0.85)
        below = [s.bounds for s in self.shapes if s.bounds[1] < frame[1] and s.id != "frame"]
        if any(label.bounds[0] < right + GAP / 2 for _, _, right, _ in below):
            label = replace(label, y=min(down for _, down, _, _ in below) - LETTER)
        self.shapes.append(label)


def _terminal_size(text: str) -> tuple[float, float]:
    """Return width and height of an input or output: a circle, for a long name a pill."""
    return max(TERMINAL, text_width(text) + 0.16), TERMINAL


def _aliases(text: str, element: Element) -> str:
    """Return the text of a terminal whose value has further names."""
    return " = ".join([text, *(name_text(name) for name in element.names)])


def _spread(
    used: list[int], extents: dict[int, tuple[float, float]], inside: tuple[int, int], scale: int
) -> dict[int, float]:
    """Return coordinates for the tracks and middles in use, from left to right or upwards."""
    places: dict[int, float] = {}
    at = 0.0
    for n, index in enumerate(used):
        if n:
            before = used[n - 1]
            reach = extents.get(before, (0.0, 0.0))[1] + extents.get(index, (0.0, 0.0))[0]
            if before in extents and index in extents:
                at += reach + GAP
            else:
                at += (
                    max(reach + PADDING, TRACK) if before in extents or index in extents else TRACK
                )
            is_first = before < inside[0] and before % scale == 0
            if is_first or (index > inside[1] and index % scale == 0):
                at += LEAD + EDGE - GAP
        places[index] = at
    return places
