"""A cell as lines that can be drawn at random, run, printed as Python, and shrunk."""

from __future__ import annotations

import random
import warnings
from typing import Any, NamedTuple

import unrolled
from unrolled.equations import Cell

Size = str


class Kind(NamedTuple):
    """What a line does with its arguments.

    Attributes:
        text: Python, with a place for each argument.
        feature: under which it is counted.
        result: the size of its value; "same" as that of its arguments, which have to agree.
        weight: how often it is drawn, relative to others.
    """

    text: str
    feature: str
    result: Size = "same"
    weight: float = 1.0

    @property
    def arguments(self) -> int:
        """How many there are."""
        return sum(f"{{{place}}}" in self.text for place in range(3))


KINDS = {
    kind.text: kind
    for kind in (
        # Of one value.
        Kind("tanh({0})", "tanh", weight=4),
        Kind("sigmoid({0})", "sigmoid", weight=4),
        Kind("relu({0})", "relu", weight=2),
        Kind("abs({0})", "abs", weight=2),
        Kind("-{0}", "negation"),
        Kind("1 - {0}", "number"),
        Kind("{0} * 0.5", "number"),
        Kind("{0} - 0.25", "number"),
        Kind("{0} / 2", "number"),
        Kind("{0} + 0.0", "neutral number", weight=0.5),
        Kind("1.0 * {0}", "neutral number", weight=0.5),
        Kind("tanh({0}) ** 2", "power"),
        Kind("sigmoid({0}) ** 3", "power", weight=0.5),
        Kind("exp(tanh({0}))", "exp"),
        Kind("exp(-abs({0}))", "exp"),
        Kind("log({0} * {0} + 0.5)", "log"),
        Kind("log(1 + exp(tanh({0})))", "log"),
        Kind("log_sigmoid({0})", "log"),
        Kind("sqrt({0} * {0} + 0.5)", "sqrt"),
        Kind("sqrt(abs({0}) + 0.25)", "sqrt"),
        Kind("1 / (abs({0}) + 0.5)", "div"),
        Kind("minimum({0}, 0.3)", "minimum"),
        Kind("maximum(0.1, {0})", "maximum"),
        Kind("where({0} > 0.1, {0}, 0.5)", "where"),
        Kind("where({0} <= 0.2, 0.5, -0.5)", "where", weight=0.5),
        Kind("{0}", "second name"),
        # Over the units.
        Kind("mean({0})", "mean", "one", 2),
        Kind("{0} - mean({0})", "mean"),
        Kind("normalize({0})", "normalize", weight=1.5),
        Kind("layer_norm({0})", "layer norm", weight=2),
        # Learned.
        Kind("vector() * {0}", "vector", weight=2),
        Kind("vector(0.9) + {0}", "vector"),
        Kind("sigmoid(vector()) * {0}", "vector"),
        Kind("maximum({0}, tanh(vector()) - 0.1)", "vector"),
        Kind("tanh(vector()) * (1 - sigmoid(vector())) + {0}", "vector"),
        Kind("{0} / (1 + vector() ** 2)", "vector"),
        Kind("where({0} < vector(), {0}, 0.1)", "vector"),
        Kind("scalar() * {0}", "scalar", weight=2),
        Kind("scalar(0.5) + {0}", "scalar"),
        Kind("exp(scalar(-0.3)) * {0}", "scalar"),
        Kind("{0} / (scalar() * scalar() + 1)", "scalar"),
        Kind("affine({0})", "affine", "hidden", 3),
        Kind("affine({0}, bias=False)", "affine without bias", "hidden"),
        Kind("project({0})", "project", "projection", 2),
        # Of several values.
        Kind("{0} + {1}", "sum", weight=3),
        Kind("{0} - {1}", "sum"),
        Kind("-{0} + -{1}", "sum", weight=0.5),
        Kind("{0} * {1}", "product", weight=2),
        Kind("{0} * tanh({1})", "product"),
        Kind("sigmoid({0}) * {1}", "product", weight=2),
        Kind("{0} / ({1} * {1} + 1)", "div"),
        Kind("tanh({0}) / (1 + exp(tanh({1})))", "div"),
        Kind("minimum({0}, {1})", "minimum", weight=1.5),
        Kind("maximum({0}, {1})", "maximum", weight=1.5),
        Kind("where({0} < {1}, {0}, {1} * 0.5)", "where"),
        Kind("where({0} <= {1}, 0.25, tanh({0}))", "where"),
        Kind("where({0} > {1}, 0.5, {2})", "where"),
        Kind("where({0} < {1}, {2}, {0})", "where"),
        Kind("{0} * {1} + (1 - {0}) * {2}", "product", weight=1.5),
        Kind("affine({0}, {1})", "affine", "hidden", 4),
        Kind("affine({0}, {1}, bias=False)", "affine without bias", "hidden"),
        Kind("affine({0}, {1}, {2})", "affine", "hidden"),
        Kind("tanh(affine({0}, bias=False) + affine({1}))", "affine", "hidden", 0.5),
        Kind("affine(sigmoid(affine({0})) * {0})", "affine", "hidden", 0.5),
        Kind("sigmoid(affine({0}, {1})) * affine({0}, {1})", "several layers", "hidden", 1.5),
        Kind(
            "sigmoid(affine({0})) * tanh(affine({0})) + affine({0})", "several layers", "hidden", 1
        ),
        # Of none.
        Kind("0.5", "constant", "one", 0.3),
        Kind("scalar(0.7)", "learned constant", "one", 0.6),
        Kind("tanh(scalar())", "learned constant", "one", 0.6),
        Kind("sigmoid(0.3)", "constant", "one", 0.2),
        Kind("vector()", "learned name", "hidden", 0.6),
        Kind("vector(0.4) * vector()", "learned constant", "hidden", 1),
        Kind("normalize(vector())", "learned constant", "hidden", 0.4),
        Kind("scalar()", "learned name", "one", 0.3),
    )
}
"""What a line can be, by its text. All are bounded where their arguments are."""

BOUNDED = ("tanh({0})", "sigmoid({0})", "sigmoid({0}) * {1}", "{0} * {1} + (1 - {0}) * {2}")
"""What the next value of a state often is."""

NAMES = ("d_h", "h_new", "hoisted_0", "hoisted_1", "mask_ih", "mask_hh", "f_pre", "W_hh", "gain")
NAMES += ("zoneout_h", "returned_h", "edit_h", "d_x", "saved", "v1_pre", "norm_weight_v2")
"""Names of values that the library makes too."""

STATES = (("h", "c", "n"), ("h", "c", "m"), ("s", "h", "u"), ("a", "b", "c"), ("h", "d_h", "h_new"))
STATES += (("hoisted_0", "mask_ih", "h"), ("h", "zoneout_h", "returned_h"))
"""Names of states; of the last, some that the library makes too."""

INPUTS = ("x", "mask_ih", "hoisted_0", "returned_h", "zoneout_h")
"""Names of the input, likewise."""


class Line(NamedTuple):
    """One line of a cell.

    Attributes:
        name: of its value; that of a state if it is the state's next value.
        kind: the text of its kind.
        arguments: names of the input, of states, or of lines above.
        kept: whether the value keeps its name, so that it can be watched.
    """

    name: str
    kind: str
    arguments: tuple[str, ...]
    kept: bool = True

    def __str__(self) -> str:
        return f"{self.name} = {self.kind.format(*self.arguments)}"


class Written(NamedTuple):
    """A cell."""

    states: tuple[str, ...]
    lines: tuple[Line, ...]
    x: str = "x"

    def source(self, name: str = "fuzzed") -> str:
        """The Python text of the cell."""
        gone = [line.name for line in self.lines if not line.kept and line.name not in self.states]
        body = [*map(str, self.lines), *([f"del {', '.join(gone)}"] if gone else [])]
        lines = [f"def {name}({self.x}, {', '.join(self.states)}):", *body, "return locals()"]
        return "\n".join(["@unrolled.cell", "\n    ".join(lines)])

    def cell(self, name: str = "fuzzed") -> Cell:
        """The cell; CellError if its lines make no sense together."""
        space: dict[str, Any] = {**vars(unrolled), "unrolled": unrolled}
        with warnings.catch_warnings():  # what is drawn means nothing
            warnings.simplefilter("ignore", unrolled.CellWarning)
            exec(self.source(name), space)
        return space[name]


def drawn(random: random.Random) -> Written:
    """A cell at random."""
    return _Draw(random).cell()


class _Draw:
    """Draws lines of which each does something with the values above it."""

    def __init__(self, random: random.Random) -> None:
        self.random = random
        count = random.choices((1, 2, 3), (5, 5, 1))[0]
        usual = random.random() < 0.9
        self.states = random.choice(STATES[:4] if usual else STATES)[:count]
        free = [name for name in INPUTS if name not in self.states]
        self.x = "x" if usual else random.choice(free)
        self.projects = random.random() < 0.2
        self.sizes: dict[str, Size] = {self.x: "input"}
        self.wanted: dict[str, Size] = {}
        for state in self.states:
            sizes = ("hidden", "projection", "one")
            weights = (8, 6 if self.projects else 0, 1)
            self.wanted[state] = self.sizes[state] = random.choices(sizes, weights)[0]
        self.recent: list[str] = []
        self.lines: list[Line] = []

    def cell(self) -> Written:
        """All lines: values, and among them the states' next values."""
        random = self.random
        count = random.choices((0, 1, 2, 3, 4, 5, 7, 10, 20), (1, 2, 3, 4, 4, 3, 2, 0.5, 0.1))[0]
        if random.random() < 0.75:  # most cells read something
            self._add(self._fresh(), random.choice(("affine({0})", "affine({0}, {1})")), (self.x,))
        for _ in range(count):
            self._value()
        for state in self.states:
            self._state(state)
            if random.random() < 0.15:
                self._value()
        return Written(self.states, tuple(self.lines), self.x)

    def _fresh(self) -> str:
        if self.random.random() < 0.1:
            free = [name for name in NAMES if name not in self.sizes]
            if free:
                return self.random.choice(free)
        return f"v{len(self.lines)}"

    def _value(self) -> None:
        kinds = [kind for kind in KINDS.values() if kind.result != "projection" or self.projects]
        kind = self.random.choices(kinds, [kind.weight for kind in kinds])[0]
        self._add(self._fresh(), kind.text)

    def _state(self, state: str) -> None:
        """The next value of a state."""
        random, size = self.random, self.wanted[state]
        if random.random() < 0.03:  # a number, for every unit
            return self._add(state, random.choice(("0.5", "tanh(scalar())")))
        if size == "projection" and random.random() < 0.6:
            return self._add(state, "project({0})")
        if size == "one" and random.random() < 0.6:
            return self._add(state, "mean({0})")
        like = [name for name, found in self.sizes.items() if found == size]
        if not [name for name in like if name not in self.states] and size != "one":
            maker = {"hidden": "affine({0})", "projection": "project({0})"}[size]
            name = self._fresh()
            self._add(name, maker)
            like.append(name)
        kinds = [kind for kind in KINDS.values() if kind.result == "same"]
        text = random.choices(kinds, [kind.weight for kind in kinds])[0].text
        if random.random() < 0.6:
            text = random.choice(BOUNDED)
        first = random.choice([name for name in self.recent if name in like] or like)
        return self._add(state, text, (first,))

    def _add(self, name: str, text: str, first: tuple[str, ...] = ()) -> None:
        """A line; arguments that are not given are drawn, newer values more often."""
        random, kind = self.random, KINDS[text]
        arguments = list(first)
        while len(arguments) < kind.arguments:
            arguments.append(self._argument(kind, arguments))
        sizes = [self.sizes[argument] for argument in arguments]
        if "where(" in text and "{2}" in text:
            sizes = [size for size in sizes if size != "one"] or ["one"]
        known = [size for size in sizes if size != "one"]
        result = kind.result if kind.result != "same" else (known[0] if known else "one")
        if result == "one" and "vector(" in text:
            result = "hidden"
        self.lines.append(Line(name, text, tuple(arguments), random.random() < 0.6))
        self.sizes[name] = result
        if name not in self.states:
            self.recent = [*self.recent[-3:], name]

    def _argument(self, kind: Kind, others: list[str]) -> str:
        """A value that goes together with the others."""
        fitting = list(self.sizes)
        if kind.result != "hidden" and kind.result != "projection":
            known = {self.sizes[other] for other in others} - {"one"}
            fitting = [n for n in fitting if not known or self.sizes[n] in {*known, "one"}]
        else:
            fitting = [name for name in fitting if name not in others] or fitting
        recent = [name for name in self.recent if name in fitting]
        if recent and self.random.random() < 0.5:
            return self.random.choice(recent)
        return self.random.choice(fitting)
