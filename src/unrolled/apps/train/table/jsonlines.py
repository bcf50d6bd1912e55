"""Tables in JSON: an object a line, or one array of objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any

from ....errors import UserError
from ....schema import parse
from .format import Format, FormatOptions
from .lines import Lines, encoding_of
from .memory import cell
from .source import Source
from .table import Record, Table

LOOKED_AT = 1000
"""How many records are looked at for the names of columns."""

LARGEST = 2**29
"""Characters of an array; JSON lines may have any number."""


def json_table(source: Source, reading: FormatOptions) -> Table:
    """Return a table of JSON objects; the columns are the names in the first thousand.

    Raises:
        UserError: it cannot be read, or something else than an object stands there.
    """
    encoding = reading.encoding or encoding_of(source.beginning)
    with source.opened() as file:
        objects = _objects(Lines(source.name, file, encoding), source.name)
        first = list(islice(objects, LOOKED_AT))
        if not first:
            raise UserError(f"{source.name} has no records: one JSON object a line is expected")
        columns = list(dict.fromkeys(name for _, found in first for name in found))
        found = Format("json", encoding=encoding, marks=tuple(reading.missing_marks or ()))
        records = _records(source.name, columns, chain(first, objects))
        return Table(source.name, columns, records, lambda: source.digest, found)


Object = tuple[int, dict[str, Any]]
"""A line and what stands there."""


def _records(name: str, columns: list[str], objects: Iterable[Object]) -> Iterator[Record]:
    known = set(columns)
    for line, found in objects:
        if strange := found.keys() - known:
            raise UserError(
                f"{name}, line {line}: the name {min(strange)!r} stands in none of the first "
                f"{LOOKED_AT:,} records: give it there, null if need be"
            )
        yield Record(line, [cell(found.get(column)) for column in columns])


def _objects(lines: Lines, name: str) -> Iterator[Object]:
    """Yield the objects of a file, with their lines; those of an array have its first."""
    begun = False
    for line in lines:
        if line.lstrip().startswith("[") and not begun:
            yield from _array(line, lines, name)
            return
        if line.strip():
            begun = True
            yield lines.number, _object(name, lines.number, line)


def _array(first: str, lines: Lines, name: str) -> Iterator[Object]:
    number, parts, letters = lines.number, [first], len(first)
    for line in lines:
        parts.append(line)
        letters += len(line)
        if letters > LARGEST:
            raise UserError(
                f"{name}: an array of more than {LARGEST:,} characters: write one object a line"
            )
    found = _parsed(name, number, "".join(parts))
    for place, each in enumerate(found, 1):
        if not isinstance(each, dict):
            raise UserError(
                f"{name}: JSON objects are expected; the array's item {place} is {_short(each)}"
            )
        yield number, each


def _object(name: str, number: int, line: str) -> dict[str, Any]:
    if line.strip() == "{":
        raise UserError(
            f"{name}, line {number}: an object over several lines: one a line is expected, or an "
            "array of them"
        )
    found = _parsed(name, number, line)
    if not isinstance(found, dict):
        raise UserError(f"{name}, line {number}: a JSON object is expected, not {_short(found)}")
    if found and all(isinstance(each, dict) for each in found.values()):
        raise UserError(
            f"{name}, line {number}: objects in an object: one object for each record is "
            "expected, as pandas writes them by to_json(orient='records', lines=True)"
        )
    return found


def _short(value: Any) -> str:
    return repr(str(cell(value))[:40])


def _parsed(name: str, number: int, text: str) -> Any:
    try:
        return parse(text)
    except ValueError as error:
        raise UserError(f"{name}, line {number}: not JSON: {error}") from error
