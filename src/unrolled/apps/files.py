"""Files of data that programs write for users and other programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .. import atomic
from ..errors import refusing


def write_json(path: Path, data: dict[str, Any]) -> None:
    """Write data as indented JSON, whole or not at all.

    Raises:
        UserError: it cannot be written; what was there stands.
    """
    text = json.dumps(data, indent=1) + "\n"
    with refusing(f"write {path}"):
        atomic.write(path, text.encode())
