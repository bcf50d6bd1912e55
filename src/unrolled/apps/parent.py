"""Processes that end with the one that started them."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time

EVERY = 0.5
"""Seconds between two looks at who the parent is."""


def end_with_parent() -> None:
    """Let this process end as soon as the one that started it is gone, however that ended."""
    threading.Thread(target=_watch, args=(os.getppid(),), daemon=True).start()


def _watch(first: int) -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    else:
        while os.getppid() == first:  # who loses a parent is given another
            time.sleep(EVERY)
    os._exit(1)
