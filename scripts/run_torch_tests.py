"""Run PyTorch's own tests of recurrent modules with our classes in the place of its own.

    python scripts/run_torch_tests.py CHECKOUT [FILE...] [--to RESULT.json]

CHECKOUT is a folder with PyTorch's source, at best of the installed version; FILEs are under its
`test` (test_nn.py, test_modules.py, some of nn, ... if none are named). Each file runs twice: with
PyTorch's classes, to know which tests make a recurrent module and pass here, and then those tests
with ours. Needs pytest and expecttest. Ends with 1 if a test fails with ours that is not among the
exceptions of docs/torch-tests.md.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
EXCEPTIONS = ROOT / "docs" / "torch-tests.md"

FILES = (
    "test_nn.py",
    "test_modules.py",
    "nn/test_load_state_dict.py",
    "nn/test_module_hooks.py",
    "nn/test_packed_sequence.py",
    "nn/test_parametrization.py",
    "nn/test_pruning.py",
    "test_expanded_weights.py",
)
"""Where PyTorch tests recurrent modules on a CPU, within `test`."""


def main() -> int:
    """Run both, print what differs, and return whether that was to be expected."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("checkout", type=Path, help="a folder with PyTorch's source")
    parser.add_argument("files", nargs="*", default=FILES, help="within its folder test")
    parser.add_argument("--to", type=Path, help="where results go as JSON")
    given = parser.parse_args()
    tests: Path = given.checkout / "test"
    if not tests.is_dir():
        parser.error(f"{given.checkout} has no folder test: expected a checkout of PyTorch")
    found: dict[str, str] = {}
    for name in given.files:
        if not (tests / name).exists():
            print(f"{name}: not in this checkout")
            continue
        stock = _run(tests, name, ours=False)
        passed = [test for test, result in stock.items() if result == "passed"]
        ours = _run(tests, name, ours=True, only=passed) if passed else {}
        print(
            f"{name}: {sum(r == 'passed' for r in ours.values())} of {len(passed)} pass", flush=True
        )
        found |= {f"{name}::{test}": ours.get(test, "missing") for test in passed}
    if given.to is not None:
        given.to.write_text(json.dumps(found, indent=1), encoding="utf-8")
    return _judge(found)


def _judge(found: dict[str, str]) -> int:
    """Print what fails with ours; return 1 unless all of it is among the exceptions."""
    known = list(_exceptions())
    failed = [test for test, result in found.items() if result != "passed"]
    unknown = [test for test in failed if not any(pattern.search(test) for pattern in known)]
    passed = len(found) - len(failed)
    print(f"\n{passed} of {len(found)} tests that PyTorch's classes pass pass with ours")
    for test in failed:
        print(f"  {found[test]}: {test}{'' if test in unknown else ' (an exception)'}")
    return 1 if unknown else 0


def _exceptions() -> Iterator[re.Pattern[str]]:
    """Yield the patterns of tests that are exceptions: code that begins the rows of the table."""
    for line in EXCEPTIONS.read_text(encoding="utf-8").splitlines():
        if match := re.match(r"\| `([^`]+)`", line):
            yield re.compile(match[1])


def _run(tests: Path, name: str, ours: bool, only: list[str] | None = None) -> dict[str, str]:
    """Return the result of each test of a file that makes a recurrent module."""
    with tempfile.TemporaryDirectory() as folder:
        results, chosen = Path(folder) / "results.json", Path(folder) / "chosen.json"
        chosen.write_text(json.dumps(only), encoding="utf-8")
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(
                [str(Path(__file__).parent), str(tests), os.environ.get("PYTHONPATH", "")]
            ),
            "SWAPPED_OURS": "1" if ours else "",
            "SWAPPED_TO": str(results),
            "SWAPPED_ONLY": str(chosen),
        }
        options = [
            "-q",
            "-p",
            "swapped_classes",
            "-p",
            "no:cacheprovider",
            "--rootdir",
            str(tests),
            "--noconftest",
        ]
        options += ["--continue-on-collection-errors", "-c", os.devnull, "-W", "ignore"]
        command = [sys.executable, "-m", "pytest", *options, str(tests / name)]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        if not results.exists():
            raise SystemExit(f"{name}: no test ran\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        report: dict[str, Any] = json.loads(results.read_text(encoding="utf-8"))
        if report["unread"]:
            print(f"{name}: cannot be read by this PyTorch: {report['unread']}")
        return report["results"]


if __name__ == "__main__":
    sys.exit(main())
