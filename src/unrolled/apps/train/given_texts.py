"""Texts that a command is given: by an option, in a file, or on standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from ...errors import UserError, refusing

STDIN = "-"
"""Stands for standard input, everywhere."""


def one_input(file: Path | None, texts: Sequence[str] | None, option: str = "--text") -> None:
    """Refuse both a file and texts, and texts that are empty.

    Raises:
        UserError: for these.
    """
    if file is not None and texts:
        raise UserError(f"a FILE and {option} contradict each other: give one of them")
    if any(not text for text in texts or ()):
        raise UserError(f"{option} is empty: a text is expected")


def lines_of(file: Path) -> Iterator[str]:
    """Yield the lines of a UTF-8 file, or of standard input, as they come, without their ends.

    Args:
        file: ``-`` is standard input.

    Raises:
        UserError: it cannot be read, is empty, or no text.
    """
    from .text import BOM, decoded

    stdin, empty = str(file) == STDIN, True
    name = Path("standard input") if stdin else file
    with refusing(f"read {name}"), ExitStack() as stack:
        try:
            stream = sys.stdin.buffer if stdin else stack.enter_context(file.open("rb"))
        except FileNotFoundError:
            raise UserError(
                f"there is no file {str(file)!r}: a text itself is given by --text"
            ) from None
        offset = 0
        for data in stream:
            if offset == 0:
                data = data.removeprefix(BOM)
            yield from decoded(name, data, offset).removesuffix("\n").split("\n")
            offset += len(data)
            empty = False
    if empty:
        raise UserError(f"{name} is empty: a text is expected")
