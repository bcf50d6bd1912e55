"""Texts that are to be translated: the lines of a file, or a column of a table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..given_texts import STDIN, lines_of
from ..table.format import AS_FOUND, FormatOptions
from .problem import Translation
from .task import table

TABLES = (".csv", ".tsv", ".tab", ".json", ".jsonl", ".ndjson", ".parquet", ".arrow")
"""How files end that hold a table."""


def texts_of(
    problem: Translation, file: Path, source: str | None, options: FormatOptions = AS_FOUND
) -> Iterator[str]:
    """Yield texts in their order.

    Args:
        problem: of the run: a table is read as its own was.
        file: ``-`` is standard input.
        source: the column of a table; None: the first.
        options: how a table is read; what is told makes any file a table.

    Raises:
        UserError: it cannot be read, or there is no such column.
    """
    ends = {suffix.lower() for suffix in file.suffixes}
    is_plain = str(file) == STDIN or not ends & set(TABLES)
    if source is None and options == AS_FOUND and is_plain:
        yield from (line.strip() for line in lines_of(file))
        return
    found = table(file, options, problem.format)
    place = 0 if source is None else found.column(source)
    for frame in found.frames([place]):
        yield from ((cell or "").strip() for cell in frame[str(place)])
