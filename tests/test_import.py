"""What `import unrolled` reads, and what it leaves for later."""

import pydoc
import re
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


@pytest.mark.parametrize("name", [*unrolled.__all__, "abs", "draw", "probe", "testing"])
def test_every_name_is_found(name: str) -> None:
    assert name in dir(unrolled)
    assert getattr(unrolled, name) is not None


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match="'unrolled' has no attribute 'recrod'"):
        unrolled.recrod  # noqa: B018  # pyright: ignore


def test_what_is_listed_is_what_a_user_needs() -> None:
    shown = {name for name in dir(unrolled) if not name.startswith("_")}
    assert shown - set(unrolled.__all__) == {"abs", "draw", "probe", "testing"}
    assert shown >= set(unrolled.__all__)
    assert dir(unrolled.cells) == sorted(["CELLS", "find", *unrolled.cells.CELLS])


def entries() -> list[str]:
    """The names that the page of the package introduces, one line for one or a few."""
    lines = re.findall(r"^    (\w+(?:, \w+)*)  +\S", unrolled.__doc__ or "", re.MULTILINE)
    return [name for line in lines for name in line.split(", ")]


def test_the_page_introduces_every_name_once() -> None:
    assert sorted(entries()) == sorted(name for name in dir(unrolled) if not name.startswith("_"))


def test_help_begins_with_the_page() -> None:
    text = pydoc.plain(pydoc.render_doc(unrolled))
    before, _, after = text.partition("DESCRIPTION")
    assert len(before.splitlines()) < 10
    assert after.index("gradient_flow    follow a loss") < after.index("PACKAGE CONTENTS")
