"""Files of data that programs write for users and other programs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .. import atomic
from ..errors import refusing


def dated(version: int, **data: Any) -> dict[str, Any]:
    """Return data under the version of its format and the time."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {"version": version, "date": now, **data}


def write_json(path: Path, data: dict[str, Any]) -> None:
    """Write data as indented JSON, whole or not at all.

    Raises:
        UserError: it cannot be written; what was there stands.
    """
    text = json.dumps(data, indent=1) + "\n"
    with refusing(f"write {path}"):
        atomic.write(path, text.encode())
