"""A run as data, for other programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ... import atomic
from ...errors import UserError
from .outcome import Outcome
from .summary import means

VERSION = 1


def report(
    machine: dict[str, Any], ceiling: dict[int, float], threads: int, outcomes: Sequence[Outcome]
) -> dict[str, Any]:
    """The run as JSON has it; times in seconds, rates in billions of operations a second."""
    return {
        "version": VERSION,
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": machine,
        "threads": threads,
        "ceiling_gflops": {str(count): value for count, value in ceiling.items()},
        "rows": [_row(outcome, ceiling[threads]) for outcome in outcomes],
        "means": [mean._asdict() for mean in means(outcomes)],
    }


def write(path: Path, data: dict[str, Any]) -> None:
    """Write the file whole or not at all.

    Raises:
        UserError: it cannot be written.
    """
    try:
        atomic.write(path, (json.dumps(data, indent=1) + "\n").encode())
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error


def _row(outcome: Outcome, ceiling: float) -> dict[str, Any]:
    row = outcome.row
    head = {"kind": row.kind, "title": row.title, "cell": row.cell, "shape": row.shape}
    if outcome.wrong is not None:
        return {**head, "wrong": outcome.wrong}
    return {
        **head,
        "contenders": [
            {
                "name": each.name,
                "flops": each.flops // each.steps,
                "seconds": outcome.times[each.name],
            }
            for each in outcome.contenders
        ],
        "gflops": outcome.gflops,
        "part_of_ceiling": outcome.gflops / ceiling,
        "ratios": {name: each._asdict() for name, each in outcome.ratios.items()},
    }
