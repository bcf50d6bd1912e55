"""Tables at any width: in columns or row by row, and nothing is lost."""

from io import StringIO

import pytest
from rich.console import Console
from rich.text import Text

from unrolled.columns import Columns

TITLES = ("layer", "cell", "steps", "reach")
ROWS = [("encoder.recurrent.l0", "lstm", "128", "> 9"), ("[bold]", "gru", "7", None)]


def printed(table: Columns, width: int) -> list[str]:
    stream = StringIO()
    Console(file=stream, width=width, color_system=None, force_jupyter=False).print(table)
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def test_columns_stand_where_they_fit() -> None:
    lines = printed(Columns(TITLES, ROWS, left=2), 40)
    assert lines == [
        "layer                 cell  steps  reach",
        "encoder.recurrent.l0  lstm    128    > 9",
        "[bold]                gru       7",
    ]


def test_where_they_do_not_each_row_is_told_whole() -> None:
    lines = printed(Columns(TITLES, ROWS, left=2), 39)
    assert lines == [
        "encoder.recurrent.l0",
        "  cell lstm, steps 128, reach > 9",
        "[bold]",
        "  cell gru, steps 7",
    ]


@pytest.mark.parametrize("width", range(12, 130, 3))
def test_nothing_is_cut(width: int) -> None:
    prose = "Long short-term memory that forgets (Gers et al. 2000)."
    lines = printed(Columns((*TITLES, "summary"), [(*ROWS[0], prose)], prose=True), width)
    assert max(map(len, lines)) <= width
    letters = "".join("".join(lines).split())
    for text in ("encoder.recurrent.l0", "lstm", "128"):
        assert text in letters
    assert "…" not in letters
    rest = iter(letters)
    assert all(letter in rest for letter in prose.replace(" ", ""))


def test_styles_are_those_of_their_rows_and_cells() -> None:
    stream = StringIO()
    console = Console(file=stream, width=30, force_terminal=True, color_system="standard")
    console.print(Columns(("a", "b"), [("x", Text("1", "bold")), ("y", "2")], styles=["", "dim"]))
    lines = stream.getvalue().splitlines()
    assert "\x1b[1m" in lines[1]
    assert "\x1b[2m" in lines[2]
