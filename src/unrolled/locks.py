"""The locks of the library: an interrupt leaves none of them held, and a fork waits for them.

A process that is forked while another thread holds a lock gets a copy of it that nobody will ever
release, and a copy of whatever that thread was in the middle of. So a fork takes all locks first:
then nothing is in the middle of anything, LLVM included.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, final

_all: list[Any] = []  # in the order in which a fork takes them
_held: list[Any] = []  # by the thread that is forking


def known(lock: Any) -> Any:
    """Return a lock of `threading` that a fork is going to wait for.

    It is to guard moments: who holds it waits for no other.
    """
    _all.append(lock)
    return lock


@final
class Lock:
    """A lock that a thread may take again: a finalizer may need what its thread is changing.

    >>> changing = Lock()
    >>> with changing():
    ...     pass
    """

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = known(threading.RLock())

    def __call__(self) -> _Hold:
        """Take it for the body of a `with` statement."""
        return _Hold(self._lock)


@final
class _Hold:
    """A lock while it is held: at the latest it is released with this object.

    An interrupt may come between any two lines, even between those of a `with` statement and its
    body. To take the lock and to note it, and to release it once, is one call of C each.
    """

    _taken: Any = ()  # as long as it is not made

    def __init__(self, lock: Any) -> None:
        self._lock = lock
        self._taken = []
        self._release = map(lock.__exit__, self._taken)

    def __enter__(self) -> None:
        self._taken.extend(map(self._lock.acquire, (True,)))

    def __exit__(self, *_: object) -> None:
        if self._taken:
            next(self._release, None)

    def __del__(self) -> None:
        if self._taken:
            next(self._release, None)


compiling = Lock()
"""Held while a kernel is made, which may take seconds: the first that a fork takes.

One for all kernels: LLVM is used by one thread at a time anyway.
"""


def _take() -> None:
    for lock in _all:
        lock.acquire()
        _held.append(lock)


def _release() -> None:
    while _held:
        _held.pop().release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_take, after_in_parent=_release, after_in_child=_release)


class _Property:
    """A value that is computed when first asked for, and kept in the instance's `__dict__`.

    As of Python 3.12; before, all instances share a lock, which a fork may find held. If several
    threads ask first, all compute, and all get what the first to finish has computed.
    """

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function
        self.__doc__ = function.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        return instance.__dict__.setdefault(self.name, self.function(instance))


if TYPE_CHECKING or sys.version_info >= (3, 12):
    from functools import cached_property as cached_property
else:
    cached_property = _Property
