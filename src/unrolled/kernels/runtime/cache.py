"""What calls leave behind for later ones, up to a number of bytes; all limits stand here."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple, TypeVar, final

from ... import locks
from ..tuning import CALLS, KERNELS

V = TypeVar("V")


def _no_cache() -> None:
    """What belongs to entries that have been added before."""


class _Entry(NamedTuple):
    """One entry of a cache, as its budget remembers it.

    Attributes:
        begin: bytes of all entries before it.
        end: bytes of these and of itself.
        cache: it may be gone.
        key: of the entry.
        value: its id: another value may stand under the key by now.
    """

    begin: int
    end: int
    cache: Callable[[], Any] = _no_cache
    key: Hashable = None
    value: int = 0


@final
class Budget:
    """Bytes that some caches share: an entry goes once so many have been added after it.

    The order is that of adding, not of use: so nothing has to be noted when an entry is used, and
    what is used often is made anew once in a long while.

    Args:
        most: bytes.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._entries: deque[_Entry] = deque()  # never empty once something was added

    def charge(self, size: int, *entry: Any) -> None:
        """Count so many bytes more, of a new entry or of an older one; the oldest entries may go.

        Args:
            size: bytes.
            entry: its cache, by weak reference, its key and the value's id, if it is new.
        """
        with _lock():
            begin = self._entries[-1].end if self._entries else 0
            self._entries.append(_Entry(begin, begin + size, *entry))
            while self._entries and self._entries[0].begin < begin + size - self.most:
                oldest = self._entries[0]
                known = oldest.cache()
                if known is not None and id(known.get(oldest.key)) == oldest.value:
                    known.pop(oldest.key, None)
                self._entries.popleft()  # last: what an interrupt leaves undone is done again


_lock = locks.Lock()

calls = Budget(CALLS)
kernels = Budget(KERNELS)


@final
class Cache(dict[Any, Any]):
    """Values by what they were made for; looking one up is looking into a dictionary.

    A copy, and what is read from a file, begins with none.

    Args:
        budget: from which they take their bytes.

    >>> cache = Cache(Budget(most=100))
    >>> cache.keep("a", 1, size=60), cache.keep("b", 2, size=60)
    (1, 2)
    >>> cache
    {'b': 2}
    """

    __slots__ = ("__weakref__", "_budget")

    def __init__(self, budget: Budget) -> None:
        super().__init__()
        self._budget = budget

    def keep(self, key: Hashable, value: V, size: int) -> V:
        """Keep a value under a key; return it, or the one that another thread was first to keep.

        It is not kept if it takes more than there is.

        Args:
            key: what the value was made for.
            value: to be kept.
            size: bytes that the value takes, and the key.
        """
        if size > self._budget.most:
            return value
        self._budget.charge(size, weakref.ref(self), key, id(value))
        return self.setdefault(key, value)

    def replace(self, key: Hashable, value: object, size: int) -> None:
        """Keep a value instead of the one that may stand under the key."""
        self.pop(key, None)
        self.keep(key, value, size)

    def __deepcopy__(self, memo: dict[int, Any]) -> Cache:
        return Cache(self._budget)

    def __reduce__(self) -> tuple[Any, ...]:
        return _read, ()


def _read() -> Cache:
    return Cache(calls)
