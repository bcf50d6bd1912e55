"""Mutated files of runs, by the thousand: each works, or is refused with words.

    python -m tests.fuzz.files --count 100000 --first 0 --jobs 2

A case is a seed. Workers go through their seeds one by one, with a bound on memory; one that dies
or answers too late is named by its seed and started anew.

    python -m tests.fuzz.files --seed 4711     one case again, in this process
"""

from __future__ import annotations

import argparse
import faulthandler
import multiprocessing
import os
import random
import resource
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, final

import torch

from . import files_others
from .files_uses import Finding, Kitchen

PATIENCE, WAITING = 10.0, 120.0
"""Seconds of processor time that a case may take, and of a clock: on a busy machine a process may
stand still for long, and one that waits for ever takes no time of a processor."""
MEMORY = 1 << 30
"""Bytes of addresses that a worker may take beside those it has when it begins. Files have some
kilobytes; kernels take most of it, which stay."""
OTHERS = 0.15
"""The part of the cases that are no checkpoints."""
STACK = "stack.log"
"""Where a worker that takes too long writes what it is at."""
EVERY = 20.0
"""Seconds between lines of progress."""


def case(kitchen: Kitchen, seed: str) -> Finding | None:
    """Mutate a file and use it; everything follows from the seed."""
    draw = random.Random(seed)
    if draw.random() < OTHERS:
        return files_others.case(kitchen.folder, draw)
    return kitchen.case(draw)


def work(pipe: Connection, folder: str, spare: Sequence[str]) -> None:
    """Answer seeds with findings, until there are no more."""
    faulthandler.enable()
    stack = (Path(folder) / STACK).open("w")
    faulthandler.register(signal.SIGUSR1, stack, all_threads=True)
    torch.set_num_threads(1)
    kitchen = Kitchen(Path(folder), tuple(spare))
    kitchen.warm()
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    pipe.send(None)
    while (seed := pipe.recv()) is not None:
        pipe.send(case(kitchen, seed))


@final
class Worker:
    """A process that goes through cases.

    Attributes:
        seed: of the case it is at; None while it waits for one.
        began: when it was given that.
        spent: processor time until then, in seconds.
    """

    def __init__(self, runs: str, spare: Sequence[str]) -> None:
        self.runs, self.spare = runs, spare
        self.seed: str | None = None
        self.began = self.spent = 0.0
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")  # a fork would inherit torch's threads
        place = Path("/dev/shm")
        self.folder = tempfile.TemporaryDirectory(dir=place if place.is_dir() else None)
        shutil.copytree(self.runs, self.folder.name, dirs_exist_ok=True)
        self.pipe, theirs = context.Pipe()
        arguments = (theirs, self.folder.name, self.spare)
        self.process = context.Process(target=work, args=arguments, daemon=True)
        self.process.start()
        theirs.close()
        self.pipe.recv()

    def give(self, seed: str) -> None:
        """Let it begin with a case."""
        self.seed, self.began, self.spent = seed, time.monotonic(), self._spent()
        self.pipe.send(seed)

    def _spent(self) -> float:
        """Seconds of processor time of the process so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def answer(self) -> Finding | None:
        """What it found, or how it died; then it is ready for the next case."""
        self.seed = None
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            self.process.join(5)
            code = self.process.exitcode
            self.end()
            self._start()
            return Finding(f"the process died, exit code {code}", "")

    def late(self) -> Finding | None:
        """A finding if it has taken too long; then it is started anew."""
        waited = time.monotonic() - self.began
        if self.seed is None or waited < PATIENCE:
            return None
        if waited < WAITING and self._spent() - self.spent < PATIENCE:
            return None
        self.seed = None
        os.kill(self.process.pid or 0, signal.SIGUSR1)
        time.sleep(1)
        stack = (Path(self.folder.name) / STACK).read_text()
        self.end()
        self._start()
        return Finding(f"more than {PATIENCE:.0f} s", stack)

    def end(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.join()
        self.pipe.close()
        self.folder.cleanup()


def findings(
    seeds: Sequence[str], jobs: int, spare: Sequence[str] = ()
) -> Iterator[tuple[str, Finding | None]]:
    """Every seed with what was found, as they are done."""
    left = iter(seeds)
    with tempfile.TemporaryDirectory() as runs:
        Kitchen(Path(runs))
        files_others.begin(Path(runs))
        workers = [Worker(runs, spare) for _ in range(jobs)]
        try:
            for worker in workers:
                _next(worker, left)
            while busy := [worker for worker in workers if worker.seed is not None]:
                ready = wait([worker.pipe for worker in busy], timeout=0.5)
                for worker in busy:
                    seed = worker.seed
                    assert seed is not None
                    found = worker.answer() if worker.pipe in ready else worker.late()
                    if worker.seed is None:
                        yield seed, found
                        _next(worker, left)
        finally:
            for worker in workers:
                worker.end()


def _next(worker: Worker, left: Iterator[str]) -> None:
    seed = next(left, None)
    if seed is not None:
        worker.give(seed)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="how many files")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after so long")
    parser.add_argument("--seed", help="one case, in this process")
    parser.add_argument("--spare", nargs="*", default=[], help="entries of headers to leave alone")
    given = parser.parse_args()
    if given.seed is not None:
        _again(given)
        return
    seeds = [str(given.first + number) for number in range(given.count)]
    kinds: Counter[str] = Counter()
    began = shown = time.monotonic()
    done = 0
    for seed, found in findings(seeds, given.jobs, given.spare):
        done += 1
        if found is not None:
            kinds[found.kind] += 1
            if kinds[found.kind] <= 3:
                print(f"seed {seed}: {found.kind}\n{found.text}", flush=True)
        now = time.monotonic()
        if now - shown > EVERY:
            shown = now
            rate = done / (now - began)
            print(f"{done} files, {kinds.total()} findings, {rate:.0f} files/s", flush=True)
        if now - began > given.seconds:
            break
    print(f"{done} files from seed {given.first} on, {kinds.total()} findings")
    for kind, count in kinds.most_common():
        print(f"{count:6}  {kind}")
    raise SystemExit(bool(kinds))


def _again(given: Any) -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        files_others.begin(Path(folder))
        found = case(Kitchen(Path(folder), tuple(given.spare)), given.seed)
    print(found.kind, found.text, sep="\n") if found else print("nothing found")


if __name__ == "__main__":
    from tests.code_cache_folder import temporary

    with temporary():
        main()
