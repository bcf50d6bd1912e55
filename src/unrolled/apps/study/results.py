"""The outcomes of a study in one JSON file, to which trials are added one by one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal, final

import msgspec

from ...errors import UserError, refusing
from ...schema import checked, parse
from ..bench.machine import machine
from ..files import write_json
from .outcome import Outcome

VERSION = 1


@final
class Results:
    """Outcomes by their keys; every addition rewrites the file whole.

    Args:
        path: of the file; None: nothing is kept.

    Raises:
        UserError: the file is there, but is not one of results.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._outcomes: dict[tuple[Any, ...], Outcome] = {}
        if path is not None and path.exists():
            for outcome in _read(path):
                self._outcomes[outcome.key] = outcome

    def __contains__(self, key: tuple[Any, ...]) -> bool:
        return key in self._outcomes

    def __getitem__(self, key: tuple[Any, ...]) -> Outcome:
        return self._outcomes[key]

    def __iter__(self) -> Iterator[Outcome]:
        return iter(self._outcomes.values())

    def __len__(self) -> int:
        return len(self._outcomes)

    def add(self, outcome: Outcome) -> None:
        """Keep an outcome, in the file too."""
        self._outcomes[outcome.key] = outcome
        self.save()

    def save(self) -> None:
        """Write the file, whole or not at all.

        Raises:
            UserError: it cannot be written.
        """
        if self.path is None:
            return
        data = {
            "version": VERSION,
            "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "machine": machine(),
            "outcomes": [outcome.to_json() for outcome in self],
        }
        with refusing(f"write {self.path}"):
            self.path.parent.mkdir(parents=True, exist_ok=True)
        write_json(self.path, data)


class Stored(msgspec.Struct, forbid_unknown_fields=True):
    """The file."""

    version: Literal[1]
    date: str
    machine: dict[str, Any]
    outcomes: list[Any]


def _read(path: Path) -> list[Outcome]:
    try:
        if not path.is_file():  # to open a pipe would wait for ever
            raise UserError(f"{path} is no regular file: a study's results are expected")
        data = parse(path.read_text(encoding="utf-8"))
        if isinstance(data, dict) and data.get("version", VERSION) != VERSION:
            raise UserError(f"{path} has format {data['version']}, expected {VERSION}")
        return [Outcome.from_json(each) for each in checked(data, Stored).outcomes]
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise UserError(
            f"{path} is damaged or not a study's results ({error}): name another file by --out"
        ) from error
