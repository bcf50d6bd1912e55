"""The log of a run: one JSON object a line, one line a step."""

from pathlib import Path
from typing import final

import msgspec

from ...schema import Count, Finite, checked, parse

NAME = "log.jsonl"


@final
class Stamp(msgspec.Struct):
    """What places a line of the log; other names in it do not matter."""

    step: Count


class HeldOut(msgspec.Struct):
    """What a line says of an evaluation; further measures do not matter."""

    loss: Finite


@final
class Line(msgspec.Struct):
    """What a learning curve takes of a line of the log."""

    step: Count
    loss: Finite
    held_out: HeldOut | None = None


def cut(path: Path, step: int) -> None:
    """Cut the log at ``path`` back to the lines up to ``step``, so that none is written twice.

    A line that a kill left unfinished goes as well; a missing log is left missing.
    """
    if not path.is_file():
        return
    kept = 0
    with path.open("rb") as file:
        for line in file:
            try:
                if not line.endswith(b"\n") or checked(parse(line), Stamp).step > step:
                    break
            except ValueError:
                break
            kept += len(line)
    with path.open("rb+") as file:
        file.truncate(kept)


def lines(path: Path) -> list[Line]:
    """The lines of the log at ``path``.

    Raises:
        OSError, ValueError: it cannot be read, or is damaged.
    """
    if not path.is_file():  # to open a pipe would wait for ever
        raise FileNotFoundError(path)
    text = path.read_text(encoding="utf-8")
    return [checked(parse(line), Line) for line in text.splitlines() if line.strip()]
