"""How a table stands in a file: separator, quotation, encoding, decimal mark, header."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

import msgspec

from ..settings import ANY, Options, Rule, declare, one_of

NAMED = {"tab": "\t", "space": " ", "comma": ",", "semicolon": ";", "pipe": "|", "none": ""}
"""Signs that are hard to type, by their names."""

SIGN = Rule(lambda value: len(_sign(value)) == 1, f"one sign, or one of {', '.join(NAMED)}")
SIGN_OR_NONE = Rule(lambda value: len(_sign(value)) <= 1, SIGN.expected)
SKIPPED = Rule(lambda value: 0 <= value <= 10_000, "from 0 to 10000")


@final
class Format(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a table stands in a file; a run keeps it, so that others are read in the same way.

    Attributes:
        kind: delimited, json, parquet or arrow.
        separator, quote: of a delimited table; a quote of "" means that marks mean nothing.
        encoding: of the text.
        header: whether the first record names the columns.
        skip: how many lines stand before it.
        comment: what a line begins with that is no record; "" for none.
        decimal, thousands: the marks in numbers; "" for none.
        marks: what stands in a cell that has no value, whatever the cell should hold; empty: the
            usual marks, in cells that should hold a number.
    """

    kind: Literal["delimited", "json", "parquet", "arrow"] = "delimited"
    separator: str = ","
    quote: str = '"'
    encoding: str = "utf-8"
    header: bool = True
    skip: int = 0
    comment: str = ""
    decimal: str = "."
    thousands: str = ""
    marks: tuple[str, ...] = ()


@final
@dataclass(frozen=True)
class FormatOptions(Options):
    """Options of how a table is read; what is None is found out, and said."""

    separator: str | None = declare(None, "Between cells: a sign, tab or space.", SIGN, "found out")
    quote: str | None = declare(
        None, "Around cells with separators in them: a sign, or none.", SIGN_OR_NONE, "found out"
    )
    encoding: str | None = declare(
        None, "Of the text, such as latin-1 or gb18030.", ANY, "utf-8, utf-16"
    )
    header: bool | None = declare(
        None,
        "Whether the first record names the columns.",
        shown="found out",
        flags="--header/--no-header",
    )
    skip_rows: int | None = declare(None, "Lines before the table.", SKIPPED, "found out")
    decimal: str | None = declare(
        None, "Decimal mark, a point or a comma.", one_of(".", ","), "found out"
    )
    thousands: str | None = declare(
        None, "Mark between thousands, or none.", SIGN_OR_NONE, "found out"
    )
    missing_marks: list[str] | None = declare(  # noqa: RUF009
        None,
        "What stands in any cell that has no value; may be repeated.",
        ANY,
        "NA, null, - and others, for numbers",
    )

    def sign(self, name: str) -> str | None:
        """Return the sign that an option names; None if it was not given."""
        value = getattr(self, name)
        return None if value is None else _sign(value)


def _sign(value: str) -> str:
    return NAMED.get(value, value)


CSV = Format()
"""The usual format."""

AS_FOUND = FormatOptions()
"""Nothing is told of how a table is read."""
