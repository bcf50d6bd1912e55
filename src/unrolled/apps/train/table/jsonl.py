"""Tables of one JSON object a line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import final

from ....errors import UserError
from ....schema import parse
from .file import FileTable
from .lines import Lines, opened
from .table import Record


@final
class JsonLines(FileTable):
    """A file of one JSON object a line; the columns are the names in the first one.

    Raises:
        UserError: the file cannot be read, or a line is no object.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        with opened(path) as file:
            for line in Lines(path, file):
                if line.strip():
                    self.columns = tuple(_object(path, 1, line))
                    return
        raise UserError(f"{path} has no records: one JSON object a line is expected")

    def _records(self, lines: Lines, first: bool) -> Iterator[Record]:
        place = lines.offset
        for line in lines:
            if line.strip():
                found = _object(self.path, lines.number, line)
                yield Record(place, lines.number, [found.get(name) for name in self.columns])
            place = lines.offset


def _object(path: Path, number: int, line: str) -> dict[str, object]:
    try:
        found = parse(line)
    except ValueError as error:
        raise UserError(f"{path}, line {number}: not JSON: {error}") from error
    if not isinstance(found, dict):
        raise UserError(
            f"{path}, line {number}: a JSON object is expected, not {line.strip()[:40]!r}"
        )
    return found
