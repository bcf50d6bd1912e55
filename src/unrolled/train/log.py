"""The log of a run: one JSON object a line, one line a step."""

import json
from pathlib import Path

NAME = "log.jsonl"


def cut(path: Path, step: int) -> None:
    """Cut the log at ``path`` back to the lines up to ``step``, so that none is written twice.

    A line that a kill left unfinished goes as well; a missing log is left missing.
    """
    if not path.exists():
        return
    kept = 0
    with path.open("rb") as file:
        for line in file:
            try:
                if not line.endswith(b"\n") or json.loads(line)["step"] > step:
                    break
            except (ValueError, KeyError, TypeError):
                break
            kept += len(line)
    with path.open("rb+") as file:
        file.truncate(kept)
