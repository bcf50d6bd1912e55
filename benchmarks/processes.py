"""How much faster two processes of one thread train than one of them.

    python benchmarks/processes.py [--hidden 256] [--batch 32] [--window 64] [--steps 80]

One process and two, each with one thread, train the character model of `unrolled train text` on
Python's help topics: with the same batch, and with the same rows for every process. Printed are
characters per second, medians over the second half of the steps. Needs the extra `train`.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path


def speed(processes: int, batch: int, given: argparse.Namespace) -> float:
    """Characters per second of a run."""
    with tempfile.TemporaryDirectory() as folder:
        options = {
            "out": folder,
            "devices": processes,
            "threads": 1,
            "batch": batch,
            "hidden": given.hidden,
            "window": given.window,
            "steps": given.steps,
            "evaluate-every": 10**6,
            "evaluate-at-most": 1000,
            "save-every": 10**6,
        }
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        subprocess.run(
            [sys.executable, "-m", "unrolled", "train", "text", *words],
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        lines = (Path(folder) / "log.jsonl").read_text().splitlines()
    return statistics.median(json.loads(line)["speed"] for line in lines[len(lines) // 2 :])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in {"hidden": 256, "batch": 32, "window": 64, "steps": 80}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    one = speed(1, given.batch, given)
    print(f"one process,   batch {given.batch}: {one:,.0f} characters/s")
    for batch in (given.batch, 2 * given.batch):
        two = speed(2, batch, given)
        print(f"two processes, batch {batch}: {two:,.0f} characters/s, {two / one:.2f} times")


if __name__ == "__main__":
    main()
