"""Records that commands print: CSV, or an object of JSON a line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import typer

from ...errors import UserError
from ...printable import ACTING, printable
from .. import completion
from .settings import Rule, one_of

FORMAT = one_of("csv", "jsonl")
FORMAT_OR_TEXT = one_of("text", "csv", "jsonl")


def format_option(default: str, help: str, rule: Rule) -> Any:
    """Return the option of a command that says how its records are printed."""
    return typer.Option(default, "--format", help=help, autocompletion=completion.of(rule.names))


def lines(
    form: str,
    columns: Sequence[str],
    records: Iterable[Sequence[Any]],
    signs: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[str]:
    r"""Yield records as lines that a terminal can show.

    Args:
        form: csv, with a header, or jsonl.
        columns: their names.
        records: their values.
        signs: how values are written in CSV, by the names of their columns, as `format` has it;
            JSON has all digits.

    Raises:
        UserError: two columns of JSON have one name.

    >>> list(lines("csv", ["a", "b"], [["x,y", 0.12345]], {"b": ".2f"}))
    ['a,b', '"x,y",0.12']
    >>> list(lines("jsonl", ["a", "b"], [["x\x9b", 0.12345]]))
    ['{"a": "x\\u009b", "b": 0.12345}']
    """
    from .table.delimited import row

    if form == "jsonl" and len(set(columns)) < len(columns):
        names = ", ".join(map(repr, columns))
        raise UserError(f"two columns are called the same, which JSON cannot hold: {names}")
    if form == "csv":
        yield printable(row(columns))
    for record in records:
        if form == "csv":
            cells = zip(columns, record, strict=True)
            yield printable(row(format(value, signs.get(name, "")) for name, value in cells))
        else:
            text = json.dumps(dict(zip(columns, record, strict=True)), ensure_ascii=False)
            yield ACTING.sub(lambda found: json.dumps(found[0])[1:-1], text)
