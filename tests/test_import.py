"""What `import unrolled` reads, and what it leaves for later."""

import subprocess
import sys

import pytest

import unrolled

LATER = (
    "llvmlite",
    "rich",
    "matplotlib",
    "unrolled.draw",
    "unrolled.kernels.codegen",
    "unrolled.probe",
    "unrolled.structures",
)


def test_what_is_not_needed_is_not_read() -> None:
    code = (
        "import sys, unrolled; unrolled.LSTM; "
        f"print([name for name in {LATER} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", [*unrolled.__all__, "probe"])
def test_every_name_is_found(name: str) -> None:
    assert name in dir(unrolled)
    assert getattr(unrolled, name) is not None


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match="'unrolled' has no attribute 'recrod'"):
        unrolled.recrod  # noqa: B018  # pyright: ignore
