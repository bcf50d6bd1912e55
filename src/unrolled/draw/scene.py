"""A scene: a plain description of a picture, as data that matplotlib or a page can draw.

One unit is about the height of a learned layer's box; y points up. Texts may hold mathematics
between dollar signs, in the part of LaTeX that matplotlib's mathtext knows.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, ClassVar, Literal, final

Light = Literal["plain", "lit", "dim"]
"""Whether a shape is highlighted, put back, or neither."""

Point = tuple[float, float]


@final
@dataclass(frozen=True)
class Box:
    """A rectangle with round corners; with a radius of half its height, a circle or a pill.

    Attributes:
        role: what it stands for, which decides its colours: layer, operation, learned, ...
        x, y: its centre.
        text: what stands in it.
        nodes: places in ``graph.order`` of the nodes that it stands for.
        value: a number that it is coloured by.
    """

    kind: ClassVar = "box"
    id: str
    role: str
    x: float
    y: float
    width: float
    height: float
    radius: float = 0.1
    text: str = ""
    size: float = 1.0
    nodes: tuple[int, ...] = ()
    value: float | None = None
    light: Light = "plain"

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, bottom, right, top."""
        w, h = self.width / 2, self.height / 2
        return self.x - w, self.y - h, self.x + w, self.y + h

    def moved(self, dx: float, dy: float) -> Box:
        """The same box elsewhere."""
        return replace(self, x=self.x + dx, y=self.y + dy)


@final
@dataclass(frozen=True)
class Line:
    """A line with round corners through points, from one shape to another.

    Attributes:
        source, target: ids of the shapes that it joins, empty where there is none.
        net: lines of one net carry the same value and may run on top of each other.
        arrow: whether its end has a head.
        merge: where it joins another line: the direction in which that line goes on.
    """

    kind: ClassVar = "line"
    id: str
    points: tuple[Point, ...]
    role: str = "wire"
    source: str = ""
    target: str = ""
    net: str = ""
    arrow: bool = True
    merge: Point | None = None
    width: float = 1.0
    radius: float = 0.16
    value: float | None = None
    light: Light = "plain"

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, bottom, right, top."""
        xs, ys = zip(*self.points, strict=True)
        return min(xs), min(ys), max(xs), max(ys)

    def moved(self, dx: float, dy: float) -> Line:
        """The same line elsewhere."""
        return replace(self, points=tuple((x + dx, y + dy) for x, y in self.points))


@final
@dataclass(frozen=True)
class Label:
    """A piece of text.

    Attributes:
        align: which side of the text (x, y) is: left, center, right.
        size: in units of the usual label.
        names: the values of the graph that it names.
    """

    kind: ClassVar = "label"
    id: str
    text: str
    x: float
    y: float
    role: str = "name"
    align: Literal["left", "center", "right"] = "center"
    size: float = 1.0
    names: tuple[str, ...] = ()
    light: Light = "plain"

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, bottom, right, top, by an estimate of the text's width."""
        tall = 2.6 if "\\frac" in self.text else 1.15
        width, height = text_width(self.text) * self.size, LETTER * tall * self.size
        left = {"left": 0.0, "center": width / 2, "right": width}[self.align]
        return self.x - left, self.y - height / 2, self.x - left + width, self.y + height / 2

    def moved(self, dx: float, dy: float) -> Label:
        """The same label elsewhere."""
        return replace(self, x=self.x + dx, y=self.y + dy)


@final
@dataclass(frozen=True)
class Strip:
    """A vector: a row of small fields coloured by numbers.

    Attributes:
        x, y: its centre.
        values: from -1 to 1.
        across: whether the fields stand side by side rather than on top of each other.
    """

    kind: ClassVar = "strip"
    id: str
    x: float
    y: float
    values: tuple[float, ...]
    role: str = "vector"
    field: float = 0.2
    across: bool = False
    light: Light = "plain"

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, bottom, right, top."""
        long, short = len(self.values) * self.field / 2, self.field / 2
        w, h = (long, short) if self.across else (short, long)
        return self.x - w, self.y - h, self.x + w, self.y + h

    def moved(self, dx: float, dy: float) -> Strip:
        """The same strip elsewhere."""
        return replace(self, x=self.x + dx, y=self.y + dy)


Shape = Box | Line | Label | Strip
KINDS: dict[str, type[Shape]] = {shape.kind: shape for shape in (Box, Line, Label, Strip)}
LETTER = 0.3
"""The height of a label's letters."""


@final
@dataclass(frozen=True)
class Scene:
    """Shapes, in the order in which they are drawn.

    >>> scene = Scene((Box("a", "layer", 0, 0, 2, 1),))
    >>> scene.bounds
    (-1.0, -0.5, 1.0, 0.5)
    >>> Scene.from_json(scene.to_json()) == scene
    True
    """

    shapes: tuple[Shape, ...] = ()
    title: str = field(default="", compare=False)

    def __add__(self, other: Scene) -> Scene:
        return Scene((*self.shapes, *other.shapes), self.title or other.title)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, bottom, right, top of everything."""
        sides = list(zip(*(shape.bounds for shape in self.shapes), strict=True))
        if not sides:
            return 0.0, 0.0, 1.0, 1.0
        return min(sides[0]), min(sides[1]), max(sides[2]), max(sides[3])

    @property
    def boxes(self) -> dict[str, Box]:
        """The boxes by their ids."""
        return {shape.id: shape for shape in self.shapes if isinstance(shape, Box)}

    @property
    def lines(self) -> tuple[Line, ...]:
        """The lines."""
        return tuple(shape for shape in self.shapes if isinstance(shape, Line))

    @property
    def labels(self) -> tuple[Label, ...]:
        """The labels."""
        return tuple(shape for shape in self.shapes if isinstance(shape, Label))

    def moved(self, dx: float, dy: float) -> Scene:
        """The same scene elsewhere."""
        return replace(self, shapes=tuple(shape.moved(dx, dy) for shape in self.shapes))

    def renamed(self, prefix: str) -> Scene:
        """The same scene with other ids, to stand beside itself."""

        def new(shape: Shape) -> Shape:
            named = replace(shape, id=prefix + shape.id)
            if isinstance(named, Line):
                ends = {
                    end: prefix + getattr(named, end)
                    for end in ("source", "target", "net")
                    if getattr(named, end)
                }
                named = replace(named, **ends)
            return named

        return replace(self, shapes=tuple(new(shape) for shape in self.shapes))

    def only(self, *ids: str) -> Scene:
        """Some of the shapes."""
        return replace(self, shapes=tuple(shape for shape in self.shapes if shape.id in ids))

    def lit(self, ids: set[str], others: Light = "dim") -> Scene:
        """The scene with the shapes of some ids highlighted."""
        shapes = (replace(s, light="lit" if s.id in ids else others) for s in self.shapes)
        return replace(self, shapes=tuple(shapes))

    def to_json(self) -> dict[str, Any]:
        """The scene as data; `from_json` reads it back."""
        shapes = [{"kind": shape.kind, **asdict(shape)} for shape in self.shapes]
        return {"title": self.title, "bounds": self.bounds, "shapes": shapes}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Scene:
        """The scene of `to_json`; ValueError for anything else."""
        try:
            shapes = tuple(_shape(entry) for entry in data["shapes"])
            return cls(shapes, data["title"])
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a scene: {error!r}") from error

    def _repr_svg_(self) -> str:
        from .output import svg

        return svg(self)


def _shape(entry: dict[str, Any]) -> Shape:
    kind = KINDS[entry["kind"]]
    known = {each.name for each in fields(kind)}
    return kind(**{key: _tuples(value) for key, value in entry.items() if key in known})


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value


NARROW = frozenset("ijl.,:;'|!()[]ft1")
COMMANDS = {"tanh": 4, "exp": 3, "log": 3, "max": 3, "min": 3, "relu": 4}


def text_width(text: str) -> float:
    """About how wide a label is: letters by their class, subscripts smaller.

    >>> text_width("wide") > text_width("$f_t$") > 0
    True
    """
    width, scale, index = 0.0, 1.0, 0
    while index < len(text):
        letter = text[index]
        if letter == "\\":
            end = index + 1
            while end < len(text) and text[end].isalpha():
                end += 1
            name = text[index + 1 : end]
            width += 0.0 if name in STYLES else COMMANDS.get(name, 1) * 0.55 * scale
            index = max(end, index + 2)
            continue
        if letter in "_^":
            scale = 0.7
        elif letter == "}":
            scale = 1.0
        elif letter not in "${":
            wide = 1.0 if ord(letter) > 0x2E80 else 0.36 if letter in NARROW else 0.6
            width += wide * scale
            if scale < 1 and text[index - 1] in "_^":
                scale = 1.0
        index += 1
    return width * LETTER


STYLES = frozenset({"mathrm", "mathbf", "mathit", "left", "right"})
"""Commands of LaTeX that take no room."""
