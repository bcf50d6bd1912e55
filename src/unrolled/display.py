"""The look of results in a console and in a notebook: short as text, whole as a page.

Text is bounded whatever is shown, and says what it leaves out; a page leaves out nothing.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import fields, is_dataclass
from html import escape
from io import StringIO
from itertools import islice
from typing import TYPE_CHECKING, Any

from .errors import DrawError
from .printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

LINES = 15
"""Lines of a result's text, at most."""
LETTERS = 2000
"""Letters of a result's text, at most."""
WORDS = 200
"""Letters of one line, or of one value in it."""
ITEMS = 6
"""Items of a value that are named."""
WIDTH = 100
"""Columns of results that are laid out as a terminal would."""


# Text.


def short(text: str, most: int = WORDS) -> str:
    """Return text in one line, its end cut off where it is long.

    >>> short("a long story", 8)
    'a long …'
    """
    text = printable(" ".join(text.split()))
    return text if len(text) <= most else f"{text[: most - 1]}…"


def counted(count: int, things: str) -> str:
    """Return how many things there are, in the singular where there is one.

    Args:
        count: how many.
        things: in the plural, which ends in s.

    >>> counted(1, "hidden units"), counted(2400, "steps")
    ('1 hidden unit', '2,400 steps')
    """
    return f"{count:,} {things.removesuffix('s') if count == 1 else things}"


def brief(value: Any) -> str:
    """Return any value in one short line: of arrays the shape, of collections the first items.

    >>> brief({"a": [1.0, 2.0], "b": "text"})
    "{a: [1.0, 2.0], b: 'text'}"
    >>> brief(list(range(1000)))
    '[0, 1, 2, 3, 4, 5, … 1000 in all]'
    """
    if isinstance(value, str):
        return repr(short(value, 60))
    if _is_array(value):
        return f"{_shape(value)} {_dtype(value)}"
    if isinstance(value, float):
        return f"{value:.6g}" if value % 1 or not math.isfinite(value) else repr(value)
    if hasattr(type(value), "_repr_html_"):
        return short(repr(value), 80)
    if isinstance(value, Mapping):
        first = islice(value.items(), ITEMS)
        parts = [f"{short(str(name), 40)}: {brief(each)}" for name, each in first]
        return _items(parts, len(value), "{}")
    if isinstance(value, (list, tuple)) and not hasattr(type(value), "_fields"):
        brackets = "[]" if isinstance(value, list) else "()"
        return _items([brief(each) for each in value[:ITEMS]], len(value), brackets)
    if isinstance(value, Set):
        return _items([brief(each) for each in sorted(value, key=str)[:ITEMS]], len(value), "{}")
    if _has_fields(value):
        return type(value).__name__
    if hasattr(type(value), "named_modules"):
        return type(value).__name__  # of a model, which may be of any size
    return short(repr(value), 80)


def _items(parts: Sequence[str], count: int, brackets: str) -> str:
    more = [f"… {count} in all"] if count > len(parts) else []
    return short(f"{brackets[0]}{', '.join([*parts, *more])}{brackets[1]}")


def _is_array(value: Any) -> bool:
    return hasattr(type(value), "shape") and hasattr(type(value), "dtype")


def _shape(value: Any) -> str:
    return f"({', '.join(map(str, value.shape))}{',' * (len(value.shape) == 1)})"


def _dtype(value: Any) -> str:
    return str(value.dtype).removeprefix("torch.")


def bounded(head: str, lines: Iterable[str] = ()) -> str:
    """Return a result as text: a head, and lines of which the last ones are counted if there are
    too many.

    >>> print(bounded("30 in all", map(str, range(30))).splitlines()[-1])
      … 17 more
    """
    lines = [_clipped(line.rstrip()) for line in lines]
    head = short(head)
    kept, left = [], LETTERS - len(head) - 40
    for line in lines:
        left -= len(line) + 1
        if left < 0 or len(kept) == LINES - 1:
            break
        kept.append(printable(line))
    if len(kept) < len(lines):
        kept = kept[: LINES - 2]
        kept.append(f"  … {len(lines) - len(kept)} more")
    return "\n".join([head, *kept])


def _clipped(line: str) -> str:
    """Return a line, the end of a long one cut off; it stays as far from the edge as it was."""
    inner = line.lstrip()
    return line if len(line) <= WORDS else line[: len(line) - len(inner)] + short(inner)


def listed(names: Sequence[str], most: int = ITEMS) -> str:
    """Return names in one line, those that are too many counted.

    >>> listed(["a", "b"])
    'a, b'
    """
    more = f", … {len(names)} in all" if len(names) > most else ""
    return ", ".join(short(name, 40) for name in names[:most]) + more


def attributes(result: Any) -> dict[str, Any]:
    """Return the public values of a result by name: the fields of a dataclass, named tuple or
    struct.
    """
    if is_dataclass(result):
        names = [each.name for each in fields(result)]
    else:
        names = getattr(result, "_fields", None) or result.__struct_fields__
    return {name: getattr(result, name) for name in names if not name.startswith("_")}


def text_of(self: Any) -> str:
    """Return a result with fields as text: for its ``__repr__``.

    >>> from typing import NamedTuple
    >>> class Pair(NamedTuple):
    ...     first: float
    ...     second: list[int]
    ...     __repr__ = text_of
    >>> Pair(1.5, [1] * 100)
    Pair(first=1.5, second=[1, 1, 1, 1, 1, 1, … 100 in all])
    """
    parts = [f"{name}={brief(value)}" for name, value in attributes(self).items()]
    name = type(self).__name__
    whole = f"{name}({', '.join(parts)})"
    return whole if len(whole) <= WORDS else bounded(name, (f"  {part}" for part in parts))


def plain(result: Any) -> str:
    """Return what a terminal would show of a result of rich, without colours.

    >>> plain("[bold]fine[/bold]")
    'fine'
    """
    stream = StringIO()
    _console(stream).print(result)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines())


def _console(stream: StringIO) -> Console:
    """Return a console that writes to a stream alone: in a notebook rich would show it itself."""
    from rich.console import Console

    return Console(
        file=stream, width=WIDTH, color_system=None, force_terminal=False, force_jupyter=False
    )


# Numbers.

PLAIN = -3, 4
"""Powers of ten: a number from the first one on, below the second, is written without a power."""


def number(value: float, digits: int = 2) -> str:
    """Return a number as reports, pictures and pages write it: in so many digits, with a true minus
    sign, very large and very small ones with a power of ten.

    >>> number(0.25), number(-160.4), number(1e6), number(-5e-24), number(1234.5, 4)
    ('0.25', '−160', '1.0·10⁶', '−5.0·10⁻²⁴', '1234')
    >>> number(float("inf")), number(float("nan")), number(0.0)
    ('∞', 'NaN', '0')
    """
    size = abs(value)
    if math.isnan(size):
        return "NaN"
    sign = "−" if value < 0 else ""
    if math.isinf(size):
        return f"{sign}∞"
    mantissa, _, tail = f"{size:.{digits - 1}e}".partition("e")
    power = int(tail)
    if size == 0:
        return "0"
    if not PLAIN[0] <= power < max(digits, PLAIN[1]):
        return f"{sign}{mantissa}·10{str(power).translate(RAISED)}"
    text = f"{size:.{max(0, digits - 1 - power)}f}"
    return sign + (text.rstrip("0").rstrip(".") if "." in text else text)


RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

LEAST = 1e-38
"""The least size of a gradient that is told: models train in float32, whose normal numbers end
here. It is measured in float64, but what is smaller is lost in any training."""


def gradient_size(value: float) -> str:
    """Return the size of a gradient; of one below what float32 can tell, that it is below.

    >>> gradient_size(3.2e-31), gradient_size(9e-46), gradient_size(0.0)
    ('3.2·10⁻³¹', '< 10⁻³⁸', '0')
    """
    return "< 10⁻³⁸" if 0 < value < LEAST else number(value)


# Pages.


def titled(name: str, about: str) -> str:
    """Return a name with what it is about, where that is known.

    >>> titled("lstm", "Long short-term memory."), titled("mine", " ")
    ('lstm: Long short-term memory.', 'mine')
    """
    return f"{name}: {about}" if about.strip() else name


STYLE = "border-collapse:collapse;margin:0.3em 0"
WORDWISE = "overflow-wrap:normal;word-break:normal"
"""Lines broken between words: a notebook's own style breaks them anywhere on a narrow page."""
CELL = f"padding:0.15em 0.7em 0.15em 0;text-align:{{}};vertical-align:top;{WORDWISE}"


def page(*parts: str) -> str:
    """Return parts of a page as one, wider ones with a bar to scroll by."""
    return f"<div style='overflow-x:auto;max-width:100%'>{''.join(parts)}</div>"


def paragraph(text: str, title: str = "") -> str:
    """Return a paragraph, with a title in bold before it."""
    bold = f"<b>{escape(printable(title))}</b> " if title else ""
    return f"<p style='margin:0.3em 0;max-width:60em'>{bold}{escape(printable(text))}</p>"


def code(text: str) -> str:
    """Return lines of code or text as they are."""
    style = f"white-space:pre-wrap;font-family:monospace;{WORDWISE}"
    return f"<pre style='{style}'>{escape(printable(text))}</pre>"


def drawing(svg: str) -> str:
    """Return a picture for a page, no wider than it."""
    at = svg.index("<svg")
    return f"<svg style='max-width:100%;height:auto;background:#fff'{svg[at + 4 :]}"


def table(titles: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table; numbers stand at the right, strings of `Markup` as they are."""
    rows = list(rows)
    sides = map(_side, rows[0]) if rows else ("left" for _ in titles)
    head = "".join(
        f"<th scope='col' style='{CELL.format(side)}'>{escape(title)}</th>"
        for title, side in zip(titles, sides, strict=False)
    )
    top = f"<thead><tr>{head}</tr></thead>" if head else ""
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    inner = f"<table style='{STYLE}'>{top}<tbody>{body}</tbody></table>"
    return f"<div style='overflow-x:auto'>{inner}</div>"


class Markup(str):
    """HTML that is put into a page as it is."""


def _cell(value: Any) -> str:
    inner = value if isinstance(value, Markup) else escape(printable(written(value)))
    side = _side(value)
    whole = ";white-space:nowrap" * (side == "right")  # a number of one piece
    return f"<td style='{CELL.format(side)}{whole}'>{inner}</td>"


def _side(value: Any) -> str:
    """Return the side of its column at which a value stands."""
    return "right" if not isinstance(value, str) or NUMBERS.fullmatch(value) else "left"


NUMBERS = re.compile(r"[-−–>+\d.e%·∞⁰¹²³⁴⁵⁶⁷⁸⁹⁻ ]+|NaN")
"""Of a text that is a number, or from one to another."""


def written(value: Any) -> str:
    """Return a number with four digits, None as a dash, anything else as its text."""
    if value is None:
        return "–"
    return number(value, 4) if isinstance(value, float) else str(value)


def page_of(self: Any) -> str:
    """Return a result with fields as a page: for its ``_repr_html_``. Nothing is cut."""
    rows = [(name, _described(value)) for name, value in attributes(self).items()]
    return page(paragraph("", type(self).__name__), table(("name", "value"), rows))


def _described(value: Any) -> Any:
    """Return one value for a table; of arrays their shape and range, of collections all items."""
    if _is_array(value):
        return f"{_shape(value)} {_dtype(value)}{_range(value)}"
    if hasattr(type(value), "_repr_html_"):
        return Markup(value._repr_html_())
    if isinstance(value, Mapping) and value:
        return Markup(table((), [(str(name), _described(each)) for name, each in value.items()]))
    if _is_collection(value):
        return ", ".join(map(_item, _items_of(value)))
    return value if value is None or isinstance(value, (str, int, float)) else _item(value)


def _is_collection(value: Any) -> bool:
    return isinstance(value, (list, tuple, Set)) and not hasattr(type(value), "_fields")


def _items_of(value: Any) -> Iterable[Any]:
    """Return what is in a collection, that of a set in order."""
    return sorted(value, key=str) if isinstance(value, Set) else value


def _item(value: Any) -> str:
    """Return one item of a collection in one line, all of it: collections in brackets."""
    if isinstance(value, (str, int, float)):
        return written(value)
    if isinstance(value, Mapping):
        inside = ", ".join(f"{name}: {_item(each)}" for name, each in value.items())
        return f"{{{inside}}}"
    if _is_collection(value):
        inside = ", ".join(map(_item, _items_of(value)))
        left, right = "[]" if isinstance(value, list) else "{}" if isinstance(value, Set) else "()"
        return f"{left}{inside}{right}"
    if _is_array(value) or hasattr(type(value), "named_modules"):
        return brief(value)
    if hasattr(type(value), "_repr_html_") or not _has_fields(value):
        return " ".join(repr(value).split())
    inside = ", ".join(f"{name}={_item(each)}" for name, each in attributes(value).items())
    return f"{type(value).__name__}({inside})"


def _has_fields(value: Any) -> bool:
    return is_dataclass(value) or hasattr(type(value), "_fields")


MOST = 10_000_000
"""Numbers of an array up to which its range is looked for when it is shown."""


def _range(value: Any) -> str:
    """Return from where to where the finite numbers of an array go, and how many there are."""
    size, kind = math.prod(value.shape), _dtype(value)
    is_number = any(kind.startswith(each) for each in ("float", "bfloat", "int", "uint"))
    if not 0 < size <= MOST or not is_number or getattr(value, "is_meta", False):
        return ""
    try:
        # of torch and of numpy; NaN is not less
        finite = value if "int" in kind else value[abs(value) < math.inf]
        count = math.prod(finite.shape)
        more = f", {count:,} of {size:,} finite" if count < size else ""
        between = (
            f", {number(float(finite.min()), 4)} to {number(float(finite.max()), 4)}"
            if count
            else ""
        )
    except (NotImplementedError, RuntimeError):  # of float8 and of sparse tensors
        return ""
    return between + more


_picture: list[Callable[[Any], str]] = []


def show_graphs_by(picture: Callable[[Any], str]) -> None:
    """Let cells be shown with a picture; this room knows no drawing, and stands below the one that
    does.

    Args:
        picture: returns the SVG of a graph.
    """
    _picture[:] = [picture]


def pictured(graph: Any) -> str:
    """Return the picture of a graph for a page, or nothing where none can be drawn."""
    try:
        return "".join(picture(graph) for picture in _picture)
    except (ImportError, DrawError):
        return ""


def curve(values: Sequence[float | str], title: str, height: int = 24, width: int = 160) -> Markup:
    """Return a small curve of numbers over steps, with the least and the greatest in words.

    Where steps have no number that is finite the curve has a gap, and a line under it counts them.

    Args:
        values: by step a number, or a word for what there is in its place.
        title: what the numbers are.
        height: pixels.
        width: pixels.

    >>> curve([1.0, math.nan, 2.0], "mean").partition("<br>")[2]
    '<small>2 of 3 steps finite</small>'
    """
    found = [v for v in values if not isinstance(v, str) and math.isfinite(v)]
    gaps = _gaps(values)
    if not found:
        return Markup(gaps and f"<small>{escape(gaps)}</small>")
    over = gaps or f"over {counted(len(values), 'steps')}"
    says = escape(
        f"{title}: from {number(min(found), 3)} to {number(max(found), 3)}"
        f"{'; ' if gaps else ' '}{over}"
    )
    below = f"<br><small>{escape(gaps)}</small>" if gaps else ""
    return Markup(
        f"<svg role='img' aria-label='{says}' width='{width}' height='{height}' "
        "style='max-width:none'>"
        f"<title>{says}</title>{_strokes(values, min(found), max(found), height, width)}</svg>"
        f"{below}"
    )


def _gaps(values: Sequence[float | str]) -> str:
    """Return what there is where no finite number is; nothing if all are."""
    words = [v if isinstance(v, str) else "" if math.isfinite(v) else "not finite" for v in values]
    counts = Counter(word for word in words if word)
    steps = counted(len(values), "steps")
    broken = counts.pop("not finite", 0)
    parts = [f"{len(values) - broken} of {steps} finite"] if broken else []
    return ", ".join([*parts, *(f"{word} at {n} of {steps}" for word, n in counts.items())])


def _strokes(
    values: Sequence[float | str], least: float, greatest: float, height: int, width: int
) -> str:
    """Return the lines of a curve: one for each run of finite numbers, a dot for one alone."""
    across = (width - 4) / max(len(values) - 1, 1)
    high = (greatest / 2 - least / 2) or 1.0  # halves: their difference is finite
    runs: list[list[tuple[float, float]]] = [[]]
    for i, v in enumerate(values):
        if isinstance(v, str) or not math.isfinite(v):
            runs.append([])
            continue
        y = (1 - (v / 2 - least / 2) / high) * (height - 4) + 2
        runs[-1].append((i * across + 2, y))
    strokes = []
    for run in filter(None, runs):
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in _visible(run, across))
        strokes.append(
            f"<polyline points='{points}' fill='none' stroke='currentColor'/>"
            if len(run) > 1
            else "<circle cx='{:.1f}' cy='{:.1f}' r='1.5' fill='currentColor'/>".format(*run[0])
        )
    return "".join(strokes)


def _visible(run: list[tuple[float, float]], across: float) -> list[tuple[float, float]]:
    """Return the ends of a run and, of points nearer than can be seen, the extremes."""
    count = max(1, int(1 / across))
    if count < 3:
        return run
    kept = {0, len(run) - 1}
    for start in range(0, len(run), count):
        part = range(start, min(start + count, len(run)))
        kept |= {min(part, key=lambda i: run[i][1]), max(part, key=lambda i: run[i][1])}
    return [run[i] for i in sorted(kept)]
