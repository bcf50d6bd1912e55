"""The files of an export, and the options of its language."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import atomic
from ..errors import UserError, refusing


def written(files: Mapping[Path, bytes]) -> list[Path]:
    """Write files, each whole or not at all."""
    for file, data in files.items():
        with refusing(f"write {file}"):
            file.parent.mkdir(parents=True, exist_ok=True)
            atomic.write(file, data)
    return list(files)


def taken(options: dict[str, Any], **known: Any) -> list[Any]:
    """Return the values of options, in the order of those that are known with their defaults.

    Raises:
        UserError: there are others.
    """
    for each in options:
        if each not in known:
            names = ", ".join(known) or "none"
            raise UserError(f"there is no option {each!r} of this language: it has {names}")
    return [options.get(each, default) for each, default in known.items()]
