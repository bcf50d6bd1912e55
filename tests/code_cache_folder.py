"""A folder of a run's own for compiled kernels, which all its processes share."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def temporary() -> Iterator[None]:
    """Keep compiled kernels as long as this lasts, unless UNROLLED_CACHE says where or not to."""
    if "UNROLLED_CACHE" in os.environ:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="unrolled-") as folder:
        os.environ["UNROLLED_CACHE"] = folder
        try:
            yield
        finally:
            del os.environ["UNROLLED_CACHE"]
