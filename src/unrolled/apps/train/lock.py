"""One process at a time in the folder of a run."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ...errors import UserError

NAME = ".lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """While entered, nobody else can enter with the same folder; a killed process has left.

    Raises:
        UserError: somebody has entered, or the lock cannot be written.
    """
    lock = FileLock(folder / NAME, blocking=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise UserError(
            f"{folder} is in use by another process that trains there: wait for its end, or name "
            "another folder by --out"
        ) from error
    except OSError as error:
        raise UserError(f"cannot lock {folder}: {error.strerror or error}") from error
    try:
        yield
    finally:
        lock.release()
