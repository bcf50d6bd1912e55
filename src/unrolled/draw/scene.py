"""A scene: shapes that make up a picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Set
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, final

from ..display import brief, drawing
from . import render
from .shapes import KINDS, Bounds, Box, Label, Light, Line, Shape, hull


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
    def bounds(self) -> Bounds:
        """Left, bottom, right, top of everything."""
        return hull([shape.bounds for shape in self.shapes] or [(0.0, 0.0, 1.0, 1.0)])

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
        """Return the same scene elsewhere."""
        return replace(self, shapes=tuple(shape.moved(dx, dy) for shape in self.shapes))

    def renamed(self, prefix: str) -> Scene:
        """Return the same scene with other ids, to stand beside itself."""

        def new(shape: Shape) -> Shape:
            named = replace(shape, id=prefix + shape.id)
            if not isinstance(named, Line):
                return named
            ends = {end: getattr(named, end) for end in ("source", "target", "net")}
            return replace(named, **{end: prefix + id_ for end, id_ in ends.items() if id_})

        return replace(self, shapes=tuple(new(shape) for shape in self.shapes))

    def lit(self, ids: Set[str], plain: Set[str] = frozenset()) -> Scene:
        """Return the scene with the shapes of some ids highlighted, the others put back but for
        those that stay plain.
        """

        def light(id_: str) -> Light:
            return "lit" if id_ in ids else "plain" if id_ in plain else "dim"

        return replace(self, shapes=tuple(replace(s, light=light(s.id)) for s in self.shapes))

    def to_json(self) -> dict[str, Any]:
        """Return the scene as data; `from_json` reads it back."""
        shapes = [{"kind": shape.kind, **asdict(shape)} for shape in self.shapes]
        return {"title": self.title, "bounds": self.bounds, "shapes": shapes}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Scene:
        """Return the scene of `to_json`; raise ValueError for anything else."""
        try:
            return cls(tuple(map(_shape, data["shapes"])), data["title"])
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a scene: {error!r}") from error

    def __repr__(self) -> str:
        kinds = Counter(shape.kind for shape in self.shapes)
        counts = ", ".join(f"{count} of {kind}" for kind, count in kinds.items())
        return f"Scene({brief(self.title)}: {counts or 'empty'})"

    def _repr_html_(self) -> str:
        return drawing(self._repr_svg_())

    def _repr_svg_(self) -> str:
        return render.svg(self.shapes, self.bounds, self.title)


def _shape(entry: dict[str, Any]) -> Shape:
    kind = KINDS[entry["kind"]]
    known = {each.name for each in fields(kind)}
    return kind(**{key: _tuples(value) for key, value in entry.items() if key in known})


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value
