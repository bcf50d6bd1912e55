"""How the C library hands out memory while a model is trained."""

from __future__ import annotations

import ctypes
import sys

TRIM, MMAP = -1, -3
"""Of mallopt(3): M_TRIM_THRESHOLD and M_MMAP_THRESHOLD."""
KEPT, LARGE = 2**28, 2**25
"""Bytes of free memory that are kept, and of a piece that is always given back; the latter is the
most that glibc takes."""


def keep_freed() -> bool:
    """Keep memory that a step of training has freed for the next one; whether that can be done.

    Every step takes and frees the same few megabytes. glibc gives them back to the system and asks
    for them again, page by page, which may take longer than all else that is not a product of
    matrices. Other C libraries are left as they are.

    >>> keep_freed() in (True, False)
    True
    """
    if sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another library than glibc
        return False
    return all([mallopt(MMAP, LARGE), mallopt(TRIM, KEPT)])
