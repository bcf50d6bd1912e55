"""The developers' comparison of two revisions, as far as it can be tested without git."""

import subprocess
import sys
from pathlib import Path

import pytest

import unrolled

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = """
import sys
sys.path.insert(0, {folder!r})
import against
options = dict(own=["3,2,4,5"], rows=["inference"], cells=["gru"], quick=False, threads=1)
sides = [against.Side(against.Path({source!r}), options) for _ in range(2)]
print(against.compare(*sides, seconds=0.0))
for side in sides:
    side.close()
"""


@pytest.mark.slow
def test_two_processes_measure_in_turn() -> None:
    source = str(Path(str(unrolled.__file__)).parents[1])
    script = SCRIPT.format(folder=str(ROOT / "benchmarks"), source=source)
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stderr
    assert "GRU inference" in result.stdout
    assert "geometric means" in result.stdout
    assert result.stdout.splitlines()[-1] == "0"
