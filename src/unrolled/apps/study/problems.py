"""The problems by their names."""

from __future__ import annotations

from ...errors import UserError
from .adding import Adding
from .copying import Copying
from .problem import Problem
from .sentences import Sentences

GAPS: dict[str, tuple[int, ...]] = {
    "short": (1,),
    "long": (1, 10, 30, 100, 300, 500),
    "adding": (200,),
    "copy": (100, 200, 300),
}
"""The gaps that are measured unless told otherwise, by task."""
LEAST = {"short": 1, "long": 1, "adding": 2, "copy": 1}


def problem(task: str, gap: int) -> Problem:
    """The problem of a task and a gap.

    Raises:
        UserError: for an unknown task or a gap that it cannot have.

    >>> problem("long", 100).asked
    1
    """
    if task not in GAPS:
        raise UserError(f"there is no task {task!r}: it is one of {', '.join(GAPS)}")
    if not LEAST[task] <= gap <= 10_000:
        raise UserError(f"--gaps: the task {task} takes {LEAST[task]} to 10000, got {gap}")
    if task == "adding":
        return Adding(gap)
    return Copying(gap) if task == "copy" else Sentences(task, gap)
