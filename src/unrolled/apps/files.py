"""Files of data: those that programs write, and those that they read more than once."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import weakref
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, final

from .. import atomic
from ..errors import UserError, refusing


@final
class Input:
    """A file that can be read again and again.

    What can be read only once, a pipe or standard input, is copied to a temporary file, which
    stays as long as this.

    Args:
        path: as it was given; ``-`` is standard input.

    Attributes:
        name: for messages.
        path: where it can be read.

    Raises:
        UserError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.name, self.path = str(path), path
        with refusing(f"read {path}"):
            if str(path) == "-":
                self.name = "standard input"
                self.path = self._copied(sys.stdin.buffer)
            elif path.exists() and not path.is_file() and not path.is_dir():
                with path.open("rb") as stream:
                    self.path = self._copied(stream)

    def _copied(self, stream: IO[bytes]) -> Path:
        handle, name = tempfile.mkstemp(prefix=f"{self.name.replace(' ', '-').split('/')[-1]}-")
        weakref.finalize(self, Path(name).unlink, missing_ok=True)
        with os.fdopen(handle, "wb") as copy:
            shutil.copyfileobj(stream, copy, 2**20)
        return Path(name)


def dated(version: int, **data: Any) -> dict[str, Any]:
    """Return data under the version of its format and the time."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {"version": version, "date": now, **data}


def require_place(option: str, path: Path, *endings: str) -> None:
    """Raise UserError for a file that cannot be written, or is not to be replaced, before work is
    done for it.

    Args:
        option: that names it, for messages.
        path: of the file.
        endings: of its name: a file of any other kind that is there already is not replaced.
    """
    folder = path.absolute().parent
    if path.is_dir():
        raise UserError(f"{option} {path}: it is a folder, expected the name of a file")
    if not folder.is_dir():
        raise UserError(f"{option} {path}: there is no folder {folder}")
    if path.exists() and path.suffix.lower() not in endings:
        raise UserError(
            f"{option} {path}: it is there already and is no {' or '.join(endings)} file: it is "
            "not replaced"
        )
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise UserError(f"{option} {path}: there is no permission to write it")


def write_json(path: Path, data: dict[str, Any]) -> None:
    """Write data as indented JSON, whole or not at all.

    Raises:
        UserError: it cannot be written; what was there stands.
    """
    text = json.dumps(data, indent=1) + "\n"
    with refusing(f"write {path}"):
        atomic.write(path, text.encode())
