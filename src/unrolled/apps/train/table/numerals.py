"""Numbers as cells write them: 1725.5, 1,725.50, 1.725,50; and what stands where there is none."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, final

import numpy
from numpy.typing import NDArray

from ....errors import UserError
from ....schema import parse
from .format import Format
from .table import LINE, Cell, Table

if TYPE_CHECKING:
    import polars

MARKS = frozenset({"", ".", "-", "--", "?", "na", "n/a", "#n/a", "nan", "null", "none", "nil"})
"""What stands in a cell that should hold a number and has none, in lower case."""

GREATEST = 1e100
"""The greatest number that is computed with: of its square there is one still."""

PLAIN = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
GROUPED = re.compile(
    r"[-+]?[0-9]{1,3}(?P<group>[.,'\u2019\u00a0\u202f])[0-9]{3}(?:(?P=group)[0-9]{3})*"
)
"""A whole number in groups of three digits."""
WITH_BOTH = re.compile(GROUPED.pattern + r"(?P<mark>[.,])[0-9]*")
"""The same with a decimal mark."""
COMMA = re.compile(r"[-+]?[0-9]*,[0-9]+([eE][-+]?[0-9]+)?")


class Read(NamedTuple):
    """A column as numbers.

    Attributes:
        values: float64, (n,); NaN where there is none.
        missing: bool, (n,): the cell is empty, or a mark says that it is.
        wrong: bool, (n,): something else stands there, or no finite number.
    """

    values: NDArray[Any]
    missing: NDArray[Any]
    wrong: NDArray[Any]


@final
@dataclass(frozen=True)
class Numerals:
    """How the numbers of a table are written.

    >>> english, german = Numerals(".", ","), Numerals(",", ".")
    >>> english.number("1,725.50"), german.number("1.725,50"), english.number("n/a")
    (1725.5, 1725.5, None)
    """

    decimal: str = "."
    thousands: str = ""
    marks: tuple[str, ...] = ()

    @classmethod
    def of(cls, found: Format) -> Numerals:
        """Return those of a table's format."""
        return cls(found.decimal, found.thousands, found.marks)

    def missing(self, cell: Cell) -> bool:
        """Return whether a cell that should hold a number has none."""
        return cell is None or self.marked(cell) or cell.strip().lower() in MARKS

    def marked(self, cell: Cell) -> bool:
        """Return whether a cell of any kind has no value: it is empty, or the user's mark."""
        return cell is None or cell.strip() in self.marks

    def number(self, cell: Cell) -> float | None:
        """Return the finite number in a cell, or None."""
        if cell is None:
            return None
        text = self._plain(cell)
        if not PLAIN.fullmatch(text):
            return None
        found = float(text)
        return found if numpy.isfinite(found) else None

    def _plain(self, cell: str) -> str:
        """Return a cell with a point as decimal mark, and without marks between thousands."""
        text = cell.strip().replace("\N{MINUS SIGN}", "-")
        if self.thousands and self.thousands in text:
            whole, mark, rest = text.partition(self.decimal)
            first, *groups = whole.lstrip("+-").split(self.thousands)
            if 1 <= len(first) <= 3 and all(len(group) == 3 for group in groups):
                text = whole.replace(self.thousands, "") + mark + rest
        if self.decimal == ",":
            text = text.replace(".", "!").replace(",", ".")  # a point is then no mark
        return text

    def read(self, cells: polars.Series) -> Read:
        """Return a column of cells as numbers."""
        import polars

        bare = cells.str.strip_chars()
        text = bare.str.replace_all("\N{MINUS SIGN}", "-", literal=True)
        if self.thousands or self.decimal == ",":
            plain = [None if cell is None else self._plain(cell) for cell in cells.to_list()]
            text = polars.Series(plain, dtype=polars.String)
        fits = text.str.contains(rf"^(?:{PLAIN.pattern})$").fill_null(False)
        numbers = polars.DataFrame({"text": text, "fits": fits}).select(
            polars.when("fits").then("text").cast(polars.Float64, strict=False)
        )
        empty = bare.str.to_lowercase().is_in(sorted(MARKS)) | bare.is_in(list(self.marks))
        missing = empty.fill_null(True).to_numpy()
        values = numbers.to_series().fill_null(numpy.nan).to_numpy()
        values = numpy.where(missing, numpy.nan, values)
        wrong = ~missing & ~(numpy.abs(values) <= GREATEST)
        return Read(numpy.where(wrong, numpy.nan, values), missing, wrong)

    def column(self, table: Table, frame: polars.DataFrame, place: int) -> NDArray[Any]:
        """Return the numbers in a column of a chunk, float64 (n,).

        Raises:
            UserError: a cell has none; the message names line, column and value.
        """
        values = self.column_with_gaps(table, frame, place)
        missing = numpy.isnan(values)
        if missing.any():
            index = int(missing.argmax())
            raise UserError(f"{_empty(table, frame, place, index)}: a number is expected")
        return values

    def column_with_gaps(self, table: Table, frame: polars.DataFrame, place: int) -> NDArray[Any]:
        """Return the numbers in a column of a chunk, float64 (n,); NaN where there is none.

        Raises:
            UserError: something else stands in a cell; the message names line, column and value.
        """
        values, _, wrong = self.read(frame[str(place)])
        if wrong.any():
            index = int(wrong.argmax())
            where, cell = table.where(frame[LINE][index], place), frame[str(place)][index]
            is_number = self.number(cell) is not None
            what = f"is beyond {GREATEST:g}" if is_number else "is not a finite number"
            raise UserError(f"{where}: {cell[:60]!r} {what}")
        return values


def _empty(table: Table, frame: polars.DataFrame, place: int, index: int) -> str:
    """Return where a chunk's cell is empty, in words."""
    cell = frame[str(place)][index]
    return f"{table.where(frame[LINE][index], place)}: the cell is empty" + (
        f" ({cell[:60]!r})" if cell else ""
    )


def recognised(cells: Iterable[Cell], separator: str, name: str) -> tuple[str, str]:
    """Return the decimal mark of some cells and the mark between thousands, "" for none.

    Args:
        cells: numbers and whatever else stands in a table.
        separator: of the cells.
        name: of the table, for messages.

    Raises:
        UserError: they can be read in two ways.

    >>> recognised(["1,725.00", "a"], ",", "t"), recognised(["0,8", "1.000"], ";", "t")
    (('.', ','), (',', '.'))
    """
    groups: set[str] = set()
    decimals: set[str] = set()
    unsure: dict[str, str] = {}
    for cell in cells:
        text = (cell or "").strip().replace("\N{MINUS SIGN}", "-")
        both = WITH_BOTH.fullmatch(text)
        if both and both["mark"] != both["group"]:
            groups.add(both["group"])
            decimals.add(both["mark"])
        elif found := GROUPED.fullmatch(text):
            sign = found["group"]
            if text.count(sign) > 1:
                groups.add(sign)
            elif text.lstrip("+-").startswith("0"):
                decimals.add(sign)
            else:
                unsure.setdefault(sign, text)
        elif COMMA.fullmatch(text):
            decimals.add(",")
        elif PLAIN.fullmatch(text) and "." in text:
            decimals.add(".")
    return _decided(groups, decimals, unsure, separator, name)


def _decided(
    groups: set[str], decimals: set[str], unsure: dict[str, str], separator: str, name: str
) -> tuple[str, str]:
    if "." in groups - decimals or ("," in decimals and "." not in decimals):
        return ",", next(iter(groups - {","}), "." if "." in unsure else "")
    marks = groups - decimals
    spaces = [sign for sign in unsure if sign not in ".,"]
    if "," in unsure and not marks:
        if "." in decimals or separator == ",":
            return ".", ","
        raise UserError(
            f"{name}: is {unsure[',']!r} about one, or some thousand? Say --decimal , or "
            "--thousands ,"
        )
    return ".", next(iter(marks), spaces[0] if spaces else "")


def numbers(cell: Cell, numerals: Numerals = Numerals()) -> NDArray[Any] | None:
    """Return the steps in a cell that holds a list: of numbers, or of lists of as many; else None.

    Lists are JSON, as NumPy and Python print them, or numbers with signs between them.

    >>> numbers("[1, 2.5]").tolist(), numbers("1 2 3").tolist(), numbers("one")
    ([[1.0], [2.5]], [[1.0], [2.0], [3.0]], None)
    >>> numbers("[[1. 2.]\\n [3. 4.]]").tolist(), numbers("(0.5, 1)").tolist()
    ([[1.0, 2.0], [3.0, 4.0]], [[0.5], [1.0]])
    """
    text = (cell or "").strip()
    value = _nested(text) if text[:1] in ("[", "(") else _flat(text, numerals)
    if not isinstance(value, list):
        return None
    steps = [step if isinstance(step, list) else [step] for step in value]
    if not steps or [] in steps or len({len(step) for step in steps}) > 1:
        return numpy.empty((0, 1)) if value == [] else None
    if not all(type(each) in (int, float) for step in steps for each in step):
        return None
    try:
        found = numpy.array(steps, "float64")
    except OverflowError:
        return None
    return found if (numpy.abs(found) <= GREATEST).all() else None


def is_listed(cell: Cell) -> bool:
    """Return whether a cell looks like a list, be it right or not.

    >>> is_listed("[1, nan]"), is_listed("1 2 x"), is_listed("2 0.5")
    (True, False, True)
    """
    text = (cell or "").strip()
    if text[:1] in ("[", "(") and text[-1:] in ("]", ")"):
        return bool(re.search(r"\d", text)) or len(text) == 2
    parts = BETWEEN.split(text)
    return len(parts) > 1 and all(PLAIN.fullmatch(part) for part in parts)


BETWEEN = re.compile(r"\s*[,;|]\s*|\s+")


def _flat(text: str, numerals: Numerals) -> list[float | None] | None:
    """Return the numbers of a list without brackets."""
    between = re.compile(r"\s*[;|]\s*|\s+") if numerals.decimal == "," else BETWEEN
    return [numerals.number(part) for part in between.split(text)] if text else None


def _nested(text: str) -> Any:
    """Return a list in brackets, however it was printed."""
    try:
        return parse(text)
    except ValueError:
        pass
    text = text.replace("(", "[").replace(")", "]").replace("\n", " ")
    text = re.sub(r"(?<=[\d.\]])\s+(?=[-+.\d\[])", ", ", text)  # as NumPy prints it
    text = re.sub(r",\s*\]", "]", text)
    text = re.sub(r"(?<![\d.])\.(?=\d)", "0.", re.sub(r"(?<=\d)\.(?!\d)", ".0", text))
    try:
        return parse(re.sub(r"(?<=[\[,\s])\+(?=\d)", "", text))
    except ValueError:
        return None
