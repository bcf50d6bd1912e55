"""From a graph of equations to the scene of its cell, for any cell.

Elements are put into a grid (`placement`), lines are found between them (`routing`), and what is
used of the grid gets its coordinates here. docs/drawing.md tells the whole way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, NamedTuple, final

from ..errors import DrawError
from .elements import Element, Elements, elements, name_text
from .placement import LARGE, Placement, Slot, placements
from .routing import DOWN, LEFT, RIGHT, STEPS, UP, Demand, Full, Router, Vertex, side_of
from .scene import Scene
from .shapes import LETTER, Box, Label, Line, Shape, text_width

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
MOST_TRACKS = 50
MOST_NODES = 400
"""Values of the greatest cell that is drawn: it takes seconds, and nobody could read a greater."""
TRIED = 6
"""Placements that are routed, to keep the one with the fewest bends and crossings."""


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
    found = elements(graph)
    tried = TRIED if len(found.wires) <= LARGE else 1
    routed = [_route(found, placed) for placed in placements(found)[:tried]]
    best = min(range(len(routed)), key=lambda n: (routed[n].price, n))
    return _Composition(found, routed[best]).scene()


class _Routed(NamedTuple):
    """Lines in the grid of tracks."""

    placed: Placement
    tracks: int  # between two columns or rows
    paths: dict[tuple[str, str], list[Vertex]]
    price: float


def _route(found: Elements, placed: Placement) -> _Routed:
    """Route all lines, with as many tracks as it takes."""
    tracks = 3
    while True:
        try:
            return _Wiring(found, placed, tracks).route()
        except Full:
            if tracks > MOST_TRACKS:
                name = found.graph.name
                raise DrawError(f"{name} has too many lines for a picture") from None
            tracks *= 2


@final
class _Wiring:
    """The demands of a placement, on a grid with some number of tracks."""

    def __init__(self, found: Elements, placed: Placement, tracks: int) -> None:
        self.found, self.placed, self.tracks = found, placed, tracks
        cells = [*placed.cells.values(), placed.output]
        self.left = min(cell.column for cell in cells)
        self.low = min(cell.row for cell in cells)
        columns = max(cell.column for cell in cells) - self.left
        rows = max(cell.row for cell in cells) - self.low
        between = [0.1] * (tracks - 1)
        self.router = Router(
            [0.5, *between, 0.5] * columns,
            [0.4, *between, 0.4] * rows,
            {self.vertex(cell) for cell in cells},
        )
        self.belt = {key for keys in placed.belts.values() for key in keys}

    def vertex(self, cell: Slot) -> Vertex:
        """Return the middle of a cell."""
        scale = self.tracks + 1
        return (cell.column - self.left) * scale, (cell.row - self.low) * scale

    def route(self) -> _Routed:
        """Route all lines: the shortest first, those on belts before all others."""
        paths: dict[tuple[str, str], list[Vertex]] = {}
        wires = [(wire.source, wire.target) for wire in self.found.wires]
        for source, target in sorted(wires, key=self._rank):
            paths[source, target] = self.router.connect(self._demand(source, target))
        net = self.found.sources(f"{self.found.graph.output}'")[0]
        cells = self.placed.cells
        paths[net, "output"] = self.router.connect(
            Demand(
                net,
                self.vertex(cells[net]),
                self.vertex(self.placed.output),
                self._leave(net, "output"),
                {DOWN: 0.0},
            )
        )
        lengths = sum(len(path) for path in paths.values())
        price = 3 * self.router.crossings + 2 * self.router.bends + 0.05 * lengths
        return _Routed(self.placed, self.tracks, paths, price)

    def _rank(self, wire: tuple[str, str]) -> tuple[float, ...]:
        source, target = wire
        a, b = self.placed.cells[source], self.placed.cells[target]
        length = abs(a.column - b.column) + abs(a.row - b.row)
        if self._on_belt(source, target):
            return (0, length, a.column, a.row, b.column, b.row)
        if self.found.elements[source].role in ("join", "input", "state"):
            return (2, -a.row, -length, a.column, b.column, b.row)  # the farthest lays the trunk
        return (1, length, a.column, a.row, b.column, b.row)

    def _on_belt(self, source: str, target: str) -> bool:
        belts = self.placed.belts.items()
        return any(
            (source, target) in pairwise([state, *keys, f"{state}'"]) for state, keys in belts
        )

    def _demand(self, source: str, target: str) -> Demand:
        cells = self.placed.cells
        return Demand(
            source,
            self.vertex(cells[source]),
            self.vertex(cells[target]),
            self._leave(source, target),
            self._enter(source, target),
        )

    def _leave(self, source: str, target: str) -> dict[int, float]:
        """Return the sides through which a value leaves its element, with prices."""
        element = self.found.elements[source]
        if element.role in ("state", "join") or source in self.belt:
            return {RIGHT: 0.0}
        if element.role == "input":
            return {UP: 0.0}
        if element.role == "layer":
            return {UP: 0.0, RIGHT: 1.0, LEFT: 1.5}
        if self._falls(source):
            return {DOWN: 0.0, RIGHT: 0.5, LEFT: 1.0, UP: 2.0}
        return {UP: 0.0, RIGHT: 0.3, LEFT: 1.0, DOWN: 1.0}

    def _falls(self, key: str) -> bool:
        """Return whether an operation stands after a belt: its value goes down."""
        row = self.placed.cells[key].row
        targets = [self.placed.cells[t].row for t in self.found.targets(key)]
        return bool(targets) and max(targets) < row

    def _enter(self, source: str, target: str) -> dict[int, float]:
        """Return the sides through which a value enters, with prices."""
        role = self.found.elements[target].role
        if role == "next" or self._on_belt(source, target):
            return {LEFT: 0.0}
        if role == "join":
            return {LEFT: 0.0, DOWN: 0.3, UP: 0.6}
        if role == "layer":
            bundle = self.found.sources(target)[0] == source
            return {DOWN: 0.0} if bundle else {LEFT: 0.0, RIGHT: 0.2}
        if target in self.belt:
            return {DOWN: 0.0, UP: 0.5}
        return {LEFT: 0.1, DOWN: 0.0, UP: 0.1, RIGHT: 0.6}


class _Extent(NamedTuple):
    """The reach of something from its middle."""

    left: float
    right: float
    down: float
    up: float

    def union(self, other: _Extent) -> _Extent:
        return _Extent(*map(max, self, other))


NONE = _Extent(0.0, 0.0, 0.0, 0.0)


@final
@dataclass
class _Composition:
    """Coordinates for what was placed and routed."""

    found: Elements
    routed: _Routed
    shapes: list[Shape] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.placed = self.routed.placed
        self.wiring = _Wiring(self.found, self.placed, self.routed.tracks)
        self.vertices = {key: self.wiring.vertex(cell) for key, cell in self.placed.cells.items()}
        self.vertices["output"] = self.wiring.vertex(self.placed.output)
        self.places = {node: n for n, node in enumerate(self.found.graph.order)}
        self.sizes = {key: self._size(element) for key, element in self.found.elements.items()}
        self.sizes["output"] = (0.62, 0.62)
        self.out, self.marks = self._sides()
        self.xs, self.ys = self._coordinates()

    # What stands where.

    def _size(self, element: Element) -> tuple[float, float]:
        """Return width and height of the shape of an element."""
        lines = element.text.split("\n")
        width = max(text_width(line) for line in lines)
        if element.role == "layer":
            return max(0.78, width + 0.28), 0.52 + 0.26 * (len(lines) - 1)
        if element.role in ("operation", "learned", "constant"):
            return max(2 * RADIUS, width * 0.92 + 0.2), 2 * RADIUS
        return (0.62, 0.62) if element.role == "input" else (0.0, 0.0)

    def _sides(self) -> tuple[dict[str, int], dict[str, list[tuple[int, str]]]]:
        """Return the side through which each value leaves, and the marks at lines that come in."""
        out: dict[str, int] = {}
        marks: dict[str, list[tuple[int, str]]] = {}
        text = {(wire.source, wire.target): wire.mark for wire in self.found.wires}
        for (source, target), path in self.routed.paths.items():
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
        return extent

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
            UP: (x + 0.1, y + dy + half + 0.03, "left"),
            DOWN: (x + 0.1, y - dy - half - 0.03, "left"),
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
        dx, dy, half = width / 2 + 0.03, height / 2 + 0.12, LETTER * 0.46
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
        used_x: set[int] = {v[0] for v in self.vertices.values()}
        used_y: set[int] = {v[1] for v in self.vertices.values()}
        for path in self.routed.paths.values():
            for a, b in pairwise(path):
                if a[0] == b[0]:
                    used_x.add(a[0])
                else:
                    used_y.add(a[1])
        wide: dict[int, _Extent] = {}
        high: dict[int, _Extent] = {}
        for key, (i, j) in self.vertices.items():
            extent = self._extent(key)
            wide[i] = wide.get(i, NONE).union(extent)
            high[j] = high.get(j, NONE).union(extent)
        first, last, lowest, top = self.placed.inside
        scale = self.routed.tracks + 1
        inside_x = ((first - self.wiring.left) * scale, (last - self.wiring.left) * scale)
        inside_y = ((lowest - self.wiring.low) * scale, (top - self.wiring.low) * scale)
        return (
            _spread(
                sorted(used_x), {i: (e.left, e.right) for i, e in wide.items()}, inside_x, scale
            ),
            _spread(sorted(used_y), {j: (e.down, e.up) for j, e in high.items()}, inside_y, scale),
        )

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
        self._output()
        return Scene(tuple(self.shapes), self.found.graph.name)

    def _frame(self, lines: list[Line]) -> Box:
        keys = [
            k for k, e in self.found.elements.items() if e.role not in ("input", "state", "next")
        ]
        sides: list[tuple[float, float, float, float]] = []
        for key in keys:
            x, y = self._at(key)
            e = self._extent(key)
            sides.append((x - e.left, y - e.down, x + e.right, y + e.up))
        sides += [(x, y, x, y) for line in lines for x, y in line.points[1:-1]]
        for state in self.found.graph.states:
            for key in (state, f"{state}'"):
                y, x = self._at(key)[1], (sides or [(0.0, 0.0)])[0][0]
                sides.append((x, y, x, y))
        left, down, right, up = (
            pick(side)
            for pick, side in zip((min, min, max, max), zip(*sides, strict=True), strict=True)
        )
        left, right = left - EDGE, right + EDGE
        down, up = down - EDGE, up + EDGE
        return Box(
            "frame", "frame", (left + right) / 2, (down + up) / 2, right - left, up - down, 0.3
        )

    def _lines(self) -> list[Line]:
        order = {(wire.source, wire.target): n for n, wire in enumerate(self.found.wires)}
        paths = sorted(self.routed.paths.items(), key=lambda item: order.get(item[0], len(order)))
        return [self._line(source, target, path) for (source, target), path in paths]

    def _line(self, source: str, target: str, path: list[Vertex]) -> Line:
        points = [(self.xs[i], self.ys[j]) for i, j in _corners(path)]
        points[0] = self._border(source, points[0], side_of(path[0], path[1]))
        points[-1] = self._border(target, points[-1], side_of(path[-1], path[-2]))
        element = self.found.elements.get(target)
        joins = element is not None and element.role == "join"
        return Line(
            f"{source} -> {target}",
            tuple(points),
            source=source,
            target=target,
            net=source,
            arrow=not joins,
            merge=(1.0, 0.0) if joins else None,
        )

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
        radius = 0.1 if role == "layer" else height / 2
        self.shapes.append(Box(key, role, x, y, width, height, radius, text, nodes=nodes))
        self.shapes += [*self._names(key, x, y), *self._signs(key, x, y)]

    def _terminal(
        self, key: str, text: str, x: float, y: float, align: Literal["left", "right"]
    ) -> None:
        names = self.found.elements[key].names
        self.shapes.append(Label(f"name {key}", text, x, y, "state", align, names=names))

    def _output(self) -> None:
        x, y = self._at("output")
        name = self.found.graph.output
        self.shapes.append(Box("output", "output", x, y, 0.62, 0.62, 0.31, name_text(name)))


def _aliases(text: str, element: Element) -> str:
    """Return the text of a terminal whose value has further names."""
    return " = ".join([text, *(name_text(name) for name in element.names)])


def _corners(path: list[Vertex]) -> list[Vertex]:
    """Return a path without the vertices that it passes straight through."""
    return [
        vertex
        for n, vertex in enumerate(path)
        if n in (0, len(path) - 1) or side_of(path[n - 1], vertex) != side_of(vertex, path[n + 1])
    ]


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
            elif before in extents or index in extents:
                at += max(reach + PADDING, TRACK)
            else:
                at += TRACK
            crosses = before < inside[0] <= index or before <= inside[1] < index
            crosses = crosses or before < inside[0] < index
            outer = before < inside[0] and before % scale == 0
            outer = outer or (index > inside[1] and index % scale == 0)
            at += (LEAD + EDGE - GAP) if (outer and crosses) or outer else 0.0
        places[index] = at
    return places
