"""``python -m tests.fuzz``: one seed, or a range of seeds for as long as it takes."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import torch

from ..code_cache_folder import temporary
from .cases import as_test, case
from .shrink import isolated, shrunk
from .sweep import Progress, summary, sweep, work


def main() -> int:
    """Return 1 if a seed failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, help="one seed: shows its case, and shrinks a failure")
    parser.add_argument("--seeds", type=int, nargs=2, metavar=("FIRST", "STOP"))
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--to", type=Path, help="where the summary of a range is written, as JSON")
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(sys.stdin, sys.stdout)
        return 0
    if options.seed is None and options.seeds is None:
        parser.error("say --seed or --seeds")
    with temporary():
        if options.seed is not None:
            return _one(options.seed)
        return _range(*options.seeds, options.processes, options.to)


def _one(seed: int) -> int:
    """Run a seed in a process of its own, and show it."""
    torch.set_num_threads(1)
    cell, call = case(seed)
    verdict = isolated(cell, call)
    print(as_test(cell, call, " ".join(filter(None, verdict))))
    if verdict.status != "failed":
        return 0
    cell, call, verdict = shrunk(cell, call, verdict, isolated)
    print("\n# shrunk:\n")
    print(as_test(cell, call, verdict.detail))
    return 1


def _range(first: int, stop: int, processes: int, to: Path | None) -> int:
    begun = time.monotonic()
    results = sweep(range(first, stop), processes, Progress(stop - first))
    found = summary(results, time.monotonic() - begun)
    if to is not None:
        to.write_text(json.dumps(found, indent=1), encoding="utf-8")
    for failure in found["failures"]:
        print(f"\n# seed {failure['seed']}\n{failure.get('test', failure['detail'])}")
    shown = {name: found[name] for name in ("seeds", "cells", "seconds", "status", "ways")}
    shown["pairs"] = {name: found["pairs"][name] for name in ("seen", "unseen", "least", "rarest")}
    print(json.dumps(shown, indent=1))
    return 1 if found["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
