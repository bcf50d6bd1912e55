"""Ranges of seeds, on several processes: where one dies, its seed has failed."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty, Queue
from threading import Lock
from typing import Any, TextIO

import torch

from .cases import as_test, case
from .check import check
from .features import features, pairs, unseen
from .shrink import isolated, shrunk

SECONDS = 180.0
"""How long a seed may take before its process is ended; shrinking included."""

SEEDS = 300
"""How many seeds a process takes: kernels stay in memory."""

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "tests.fuzz", "--work")

Result = dict[str, Any]


def result(seed: int, seconds: float = 60.0) -> Result:
    """What came of a seed, as data; a failing case is shrunk for so long."""
    cell, call = case(seed)
    verdict = check(cell, call)
    found = {
        "seed": seed,
        "status": verdict.status,
        "detail": verdict.detail,
        "way": verdict.way.partition(",")[0],
        "features": features(cell, call),
    }
    if verdict.status == "failed" and seconds:
        *smaller, last = shrunk(cell, call, verdict, seconds=seconds)
        found["test"] = as_test(*smaller, last.detail)
    return found


def work(seeds: TextIO, results: TextIO) -> None:
    """Take seeds, a line each, and answer with results, a line each."""
    torch.set_num_threads(1)
    for line in iter(seeds.readline, ""):
        results.write(json.dumps(result(int(line))) + "\n")
        results.flush()


class _Worker:
    """A process that takes seeds; another one follows where one has died."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._left = 0

    def take(self, seed: int) -> Result:
        """What came of a seed; a failure too if the process died of it, or was at it too long."""
        process = self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{seed}\n".encode())
        process.stdin.flush()
        self._left -= 1
        ready, _, _ = select.select([process.stdout], [], [], SECONDS)
        line = process.stdout.readline() if ready else b""
        if line:
            return json.loads(line)
        if not ready:
            process.kill()
        process.communicate()
        self._process = None
        code = process.returncode
        detail = f"the process ended with {code}" if ready else f"no answer in {SECONDS:.0f} s"
        return _lost(seed, detail)

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._left == 0:
            self.end()
        if self._process is None:
            environment = {**os.environ, "OMP_NUM_THREADS": "1"}
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                cwd=ROOT,
                env=environment,
            )
            self._left = SEEDS
        return self._process

    def end(self) -> None:
        """Let the process finish."""
        if self._process is not None:
            self._process.communicate()
            self._process = None


def _lost(seed: int, detail: str) -> Result:
    """The failure of a seed that ended its process; shrunk if it ends another one too."""
    cell, call = case(seed)
    last = isolated(cell, call)
    found = {"seed": seed, "status": "failed", "detail": detail, "way": ""}
    found["features"] = features(cell, call)
    if last.status == "failed":
        cell, call, last = shrunk(cell, call, last, isolated)
    return {**found, "test": as_test(cell, call, last.detail or detail)}


def sweep(
    seeds: Iterable[int],
    processes: int,
    tell: Callable[[Result], None] = lambda result: None,
    command: Sequence[str] = COMMAND,
) -> list[Result]:
    """What came of each seed; `tell` is called with each as it is known."""
    left: Queue[int] = Queue()
    for seed in seeds:
        left.put(seed)
    found: list[Result] = []
    lock = Lock()

    def run() -> None:
        worker = _Worker(command)
        while True:
            try:
                seed = left.get_nowait()
            except Empty:
                return worker.end()
            new = worker.take(seed)
            with lock:
                found.append(new)
                tell(new)

    with ThreadPoolExecutor(processes) as pool:
        for future in [pool.submit(run) for _ in range(processes)]:
            future.result()
    return sorted(found, key=lambda each: each["seed"])


def summary(results: Sequence[Result], seconds: float) -> dict[str, Any]:
    """Of some results: how many there are of each kind, of each pair of features, and failures."""
    counts: Counter[tuple[str, str]] = Counter()
    single: Counter[str] = Counter()
    for each in results:
        single.update(each["features"])
        counts.update(pairs(each["features"]))
    missing = unseen(counts, single)
    rarest = sorted(counts.items(), key=lambda item: item[1])[:10]
    return {
        "seeds": [min(each["seed"] for each in results), max(each["seed"] for each in results)],
        "cells": len(results),
        "seconds": round(seconds, 1),
        "status": dict(Counter(each["status"] for each in results)),
        "ways": dict(Counter(each["way"] for each in results).most_common()),
        "excuses": dict(Counter(e["detail"] for e in results if e["status"] == "excused")),
        "features": dict(single.most_common()),
        "pairs": {
            "seen": len(counts),
            "unseen": [" + ".join(pair) for pair in missing],
            "least": 0 if missing else rarest[0][1],
            "rarest": {" + ".join(pair): count for pair, count in rarest},
            "counts": {" + ".join(pair): count for pair, count in sorted(counts.items())},
        },
        "failures": [each for each in results if each["status"] not in ("same", "excused")],
    }


class Progress:
    """Tells on a terminal or in a log how far a sweep is."""

    def __init__(self, total: int, every: float = 10.0) -> None:
        self._total = total
        self._every = every
        self._begun = self._told = time.monotonic()
        self._counts: Counter[str] = Counter()

    def __call__(self, new: Result) -> None:
        self._counts[new["status"]] += 1
        now = time.monotonic()
        if new["status"] not in ("same", "excused"):
            print(f"seed {new['seed']} {new['status']}: {new['detail']}", flush=True)
        done = sum(self._counts.values())
        if now - self._told >= self._every or done == self._total:
            self._told = now
            each = (now - self._begun) / done
            left = each * (self._total - done)
            counts = ", ".join(f"{count} {status}" for status, count in self._counts.items())
            print(
                f"{done} of {self._total}: {counts}; {each:.3f} s each, {left / 60:.1f} min to go",
                flush=True,
            )
