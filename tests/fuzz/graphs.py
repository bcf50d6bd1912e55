"""Stored cells of strangers, by thousands: ``python tests/fuzz/graphs.py --count 10000``.

Each seed is one text, loaded and used in a process of its own kind: workers have a bound on memory,
take one seed at a time, and are replaced when one dies or takes longer than it may.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import resource
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve()
FINE = ("refused", "no JSON", "kernel", "definition", "large")
"""Outcomes with which nothing is wrong; see `graphs_judge.Verdict`."""

SECONDS = 10.0
"""How long the processor may work at one case."""

WAITING = 90.0
"""How long one case may take on a machine that has much else to do."""

START = 120.0
"""How long a worker may take to start."""

MEMORY = 6 << 30
"""Bytes of address space of a worker; PyTorch and LLVM take half of it at the start."""


def work() -> None:
    """Judge the seeds that come in, line by line."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    import torch

    from fuzz.graphs_cases import case
    from fuzz.graphs_judge import Verdict, judge

    torch.set_num_threads(1)
    judge("{}")
    print("ready", flush=True)
    for line in sys.stdin:
        seed = int(line)
        kind, text = case(seed)
        start = time.process_time()
        try:
            verdict = judge(text, backward=seed % 5 == 0)
        except Exception as error:
            verdict = Verdict(f"raw {type(error).__name__}", str(error)[:300])
        seconds = time.process_time() - start
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        print(json.dumps([kind, *verdict, seconds, len(text), memory]), flush=True)


class Worker:
    """A process that judges seeds."""

    def __init__(self) -> None:
        path = os.pathsep.join([str(HERE.parents[2] / "src"), str(HERE.parents[1])])
        self.process = subprocess.Popen(
            [sys.executable, str(HERE), "--work"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "UNROLLED_CACHE": "0"},
        )
        self.lines: queue.Queue[str] = queue.Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        self.lines.get(timeout=START)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put("")

    def judge(self, seed: int) -> list[Any]:
        """Return [kind, outcome, note, seconds of work, letters, MiB at most so far]."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{seed}\n")
        self.process.stdin.flush()
        try:
            line = self.lines.get(timeout=WAITING)
        except queue.Empty:
            return ["?", "hang", "", WAITING, 0, 0]
        if not line:
            return ["?", "crash", f"exit status {self.process.wait()}", 0.0, 0, 0]
        found = json.loads(line)
        if found[3] > SECONDS:
            found[1] = "hang"
        return found

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.reader.join()  # before the pipe that it reads is closed
        self.process.communicate()


def sweep(seeds: range, say: Any = lambda seed, found: None) -> Counter[tuple[str, str]]:
    """Judge seeds; return how often each kind had each outcome."""
    counts: Counter[tuple[str, str]] = Counter()
    worker = Worker()
    try:
        for seed in seeds:
            found = worker.judge(seed)
            counts[found[0], found[1]] += 1
            say(seed, found)
            if found[1] in ("hang", "crash"):
                worker.close()
                worker = Worker()
    finally:
        worker.close()
    return counts


def main() -> None:
    """Judge a range of seeds and say what came out."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", action="store_true", help="be a worker")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0, help="the first")
    arguments = parser.parse_args()
    if arguments.work:
        return work()
    slowest, letters, memory, done, start = 0.0, 0, 0, 0, time.time()

    def say(seed: int, found: list[Any]) -> None:
        nonlocal slowest, letters, memory, done
        slowest, letters = max(slowest, found[3]), max(letters, found[4])
        memory, done = max(memory, found[5]), done + 1
        if done % 100 == 0:
            print(f"{done} of {arguments.count}", flush=True)
        if found[1] not in FINE:
            print(f"seed {seed}: {found[0]}: {found[1]}: {found[2]}", flush=True)

    counts = sweep(range(arguments.seed, arguments.seed + arguments.count), say)
    for (kind, outcome), count in sorted(counts.items()):
        print(f"{count:6d}  {kind}: {outcome}")
    print(
        f"slowest {slowest:.1f} s; longest text {letters:,} letters; {memory:,} MiB at most; "
        f"{time.time() - start:.0f} s in all"
    )


if __name__ == "__main__":
    main()
