"""A seed's cell and call, and as text that can be pasted as a test."""

from __future__ import annotations

import random

from . import calls, written
from .calls import Call
from .written import Written


def case(seed: int) -> tuple[Written, Call]:
    """The cell and the call of a seed: lines that make no cell are drawn anew."""
    source = random.Random(seed)
    for _ in range(100):
        cell = written.drawn(source)
        try:
            projects = cell.cell().projects
        except Exception:  # sizes that do not agree
            continue
        return cell, calls.drawn(source, projects)
    raise AssertionError(f"seed {seed} draws no cell")


def as_test(cell: Written, call: Call, detail: str) -> str:
    """A case as Python text: its cell, and how it is run again."""
    lines = "\n".join(f"        {line!r}," for line in cell.lines)
    return "\n".join(
        [
            cell.source(),
            "",
            f"# {detail}",
            f"written = Written({cell.states!r}, (",
            lines,
            f"), {cell.x!r})",
            f"assert check(written, {call.text()}).status == 'same'",
        ]
    )
