"""Machine code on disk: a process need not compile what an earlier one has compiled.

What is read from here is executed. So the folder has to belong to the user, and nobody else may be
able to write to it; the same holds for every entry, which is a plain file under a checksum. What
goes wrong with the disk is never an error: then kernels are compiled.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import sys
import tempfile
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

from ..tuning import DISK, DISK_PARTS

FORMAT = 1
"""To be raised when entries, or what LLVM is told to make of a text, become others."""

MAGIC = b"unrolled kernel\n"

OTHERS = stat.S_IWGRP | stat.S_IWOTH

_name = re.compile(r"[0-9a-f]{64}\.(kernel|\w+\.partial)")


def key(*parts: str) -> str:
    """Return the name of what is compiled from these texts, names and versions."""
    return hashlib.sha256(repr((FORMAT, *parts)).encode()).hexdigest()


def read(key: str) -> bytes | None:
    """Return the code that was written under a key; None if there is none, or not as written."""
    folder = _folder()
    with suppress(OSError):
        if folder is not None and _is_safe(folder):
            return _content(_path(folder, key), key)
    return None


def write(key: str, code: bytes) -> None:
    """Keep code under a key, if there is a place for it."""
    folder = _folder()
    if folder is None or len(code) > DISK // DISK_PARTS:
        return
    with suppress(OSError):
        _make(folder)
        if _is_safe(folder):
            _put(folder, key, _header(key, code) + code)
            _trim(folder, key[0])


def _folder() -> Path | None:
    """Return where entries stand; None if there are to be none."""
    chosen = os.environ.get("UNROLLED_CACHE", "")
    if chosen == "0":
        return None
    if chosen:
        return Path(chosen).expanduser().absolute()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA", "")
    elif sys.platform == "darwin":
        base = os.path.expanduser("~/Library/Caches")
    else:
        base = os.environ.get("XDG_CACHE_HOME", "")
        base = base if os.path.isabs(base) else os.path.expanduser("~/.cache")
    return Path(base, "unrolled", "kernels") if os.path.isabs(base) else None


def _make(folder: Path) -> None:
    """Create the folder, and what is missing above it, for this user alone."""
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def _is_safe(folder: Path) -> bool:
    """Return whether nobody else can have put code into the folder; say so once if one can."""
    fault = _fault(folder.lstat(), stat.S_ISDIR)
    if fault is not None:
        _warn(folder, fault)
    return fault is None


def _fault(status: os.stat_result, is_kind: Callable[[int], bool]) -> str | None:
    """Say why something on the disk may not be this user's own; None if it is."""
    if not is_kind(status.st_mode):
        return "a link, or another kind of file"
    if os.name != "posix":  # other systems have no modes; the folder is the user's own
        return None
    if status.st_uid != os.geteuid():
        return f"owned by user {status.st_uid}"
    if status.st_mode & OTHERS:
        return f"of mode {stat.S_IMODE(status.st_mode):o}"
    return None


@cache
def _warn(folder: Path, fault: str) -> None:
    warnings.warn(
        f"compiled kernels are not kept: {folder} should be a folder of your own that nobody else "
        f"can write to, is {fault}. Correct that (`chmod 700`), set UNROLLED_CACHE to another "
        "folder, or set it to 0",
        RuntimeWarning,
        stacklevel=2,
    )


def _path(folder: Path, key: str) -> Path:
    return folder / f"{key}.kernel"


def _header(key: str, code: bytes) -> bytes:
    """Return what an entry begins with."""
    return MAGIC + hashlib.sha256(key.encode() + code).digest()


def _content(path: Path, key: str) -> bytes | None:
    """Return the code of an entry that is whole and this user's own, and note that it was used."""
    flags = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    with open(os.open(path, os.O_RDONLY | flags), "rb") as file:
        if _fault(os.fstat(file.fileno()), stat.S_ISREG) is not None:
            return None
        data = file.read(2 * DISK // DISK_PARTS)
    size = len(MAGIC) + hashlib.sha256().digest_size
    code = data[size:]
    if data[:size] != _header(key, code):
        return None
    with suppress(OSError):
        os.utime(path)
    return code


def _put(folder: Path, key: str, data: bytes) -> None:
    """Write an entry under a name of its own, and give it the other in one move."""
    file, partial = tempfile.mkstemp(".partial", f"{key}.", folder)
    try:
        with open(file, "wb") as opened:
            opened.write(data)
        os.replace(partial, _path(folder, key))
    except BaseException:
        with suppress(OSError):
            os.unlink(partial)
        raise


def _trim(folder: Path, part: str) -> None:
    """Remove what was used longest ago, as long as a part has more than its share.

    What a process that was killed left half-written counts, and goes likewise.
    """
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(part) and _name.fullmatch(entry.name):
                with suppress(FileNotFoundError):  # another process removes, too
                    status = entry.stat(follow_symlinks=False)
                    found.append((status.st_mtime_ns, status.st_size, entry.path))
    excess = sum(size for _, size, _ in found) - DISK // DISK_PARTS
    for _, size, path in sorted(found):
        if excess <= 0:
            break
        with suppress(FileNotFoundError):
            os.unlink(path)
        excess -= size
