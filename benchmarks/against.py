"""How fast the working tree is beside another revision: python benchmarks/against.py HEAD~3

Two processes, one for each, measure our layers in turn. Both use the working tree's benchmark, so
that a revision from before it, or with another one, can be measured too.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any, final

ROOT = Path(__file__).resolve().parents[1]
LEAST, MOST = 5, 200


@final
class Side:
    """A process that measures one source tree."""

    def __init__(self, source: Path, options: dict[str, Any]) -> None:
        command = [sys.executable, str(ROOT / "benchmarks" / "side.py"), str(source)]
        self._process = subprocess.Popen(
            [*command, json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.rows: list[list[str]] = self._answer()

    def ready(self, row: int) -> str | None:
        """Make a row ready; what is wrong with its results, or None."""
        return self._ask({"row": row})

    def sample(self) -> float:
        """Seconds a step of that row takes now."""
        return self._ask({"sample": True})

    def close(self) -> None:
        """End the process."""
        self._process.stdin.close()
        self._process.wait()

    def _ask(self, request: dict[str, Any]) -> Any:
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit("against.py: a measuring process ended early; it says why above")
        return json.loads(answer)


def extract(revision: str, folder: Path) -> Path:
    """The revision's source in a folder; the repository is only read."""
    command = ["git", "-C", str(ROOT), "archive", "--format=tar", revision, "src"]
    archive = subprocess.run(command, capture_output=True)
    if archive.returncode:
        raise SystemExit(f"against.py: {revision}: {archive.stderr.decode().strip()}")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(folder, filter="data")
    return folder / "src"


def turns(before: Side, now: Side, seconds: float) -> tuple[list[float], list[float]]:
    """Samples of both, taken in turn for about so long."""
    old, new = [], []
    end = time.perf_counter() + seconds
    while len(old) < LEAST or (len(old) < MOST and time.perf_counter() < end):
        pair = [(before, old), (now, new)]
        for side, samples in pair if len(old) % 2 else reversed(pair):
            samples.append(side.sample())
    return old, new


def compare(before: Side, now: Side, seconds: float) -> int:
    """Measure and print all rows; how many were wrong."""
    from statistics import median

    from unrolled.apps.bench.clock import geometric_mean, ratio, short
    from unrolled.apps.bench.run import duration

    print(f"{'T,B,I,H':<16} {'before':>8} {'now':>8} {'times as fast':>14}")
    ratios: dict[str, list[float]] = {}
    wrong = 0
    for number, (title, shape) in enumerate(now.rows):
        if title not in ratios:
            print(f"\n{title}")
        means = ratios.setdefault(title, [])
        complaints = [before.ready(number), now.ready(number)]
        if any(complaints):
            wrong += 1
            for side, complaint in zip(("before", "now"), complaints, strict=True):
                print(f"{shape:<16} {side}: {complaint or 'right'}; not timed", flush=True)
            continue
        old, new = turns(before, now, seconds)
        found = ratio(new, old)
        means.append(found.median)
        times = f"{duration(median(old)):>8} {duration(median(new)):>8}"
        print(f"{shape:<16} {times} {found!s:>14}", flush=True)
    print("\ngeometric means")
    for title, values in ratios.items():
        if values:
            print(f"{title:<46} {short(geometric_mean(values)):>6}")
    return wrong


def main() -> int:
    """Read the options, which are those of `unrolled bench`, and compare."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("revision")
    parser.add_argument("--own", action="append", default=[], metavar="T,B,I,H")
    parser.add_argument("--rows", action="append", default=[])
    parser.add_argument("--cells", action="append", default=[])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--threads", type=int)
    options = vars(parser.parse_args())
    revision, seconds = options.pop("revision"), options.pop("seconds")
    with tempfile.TemporaryDirectory() as folder:
        before = Side(extract(revision, Path(folder)), options)
        now = Side(ROOT / "src", options)
        try:
            return 1 if compare(before, now, seconds) else 0
        finally:
            before.close()
            now.close()


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "src"))
    sys.exit(main())
