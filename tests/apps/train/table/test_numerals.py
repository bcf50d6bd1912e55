"""Numbers as cells write them."""

import math

import numpy
import polars
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.apps.train.table.numerals import Numerals, is_listed, numbers, recognised
from unrolled.apps.train.table.spill import Spill, Store
from unrolled.errors import UserError

ENGLISH, GERMAN, SWISS = Numerals(".", ","), Numerals(",", "."), Numerals(".", "'")


@pytest.mark.parametrize(
    ("numerals", "cell", "value"),
    [
        (Numerals(), " 1.5 ", 1.5),
        (Numerals(), "-1e-3", -0.001),
        (Numerals(), "\N{MINUS SIGN}5", -5.0),
        (Numerals(), ".5", 0.5),
        (Numerals(), "1_0", None),
        (Numerals(), "inf", None),
        (Numerals(), "nan", None),
        (Numerals(), "1e999", None),
        (Numerals(), "0x10", None),
        (Numerals(), "１２", None),
        (Numerals(), "1,5", None),
        (ENGLISH, "1,725.50", 1725.5),
        (ENGLISH, "1,72.50", None),
        (ENGLISH, "1,2,3", None),
        (GERMAN, "1.725,5", 1725.5),
        (GERMAN, "0,8", 0.8),
        (GERMAN, "0.8", None),
        (SWISS, "-12'000.5", -12000.5),
        (Numerals(",", "\u202f"), "1\u202f234,5", 1234.5),
    ],
)
def test_a_cell_is_a_number_or_none(numerals: Numerals, cell: str, value: float | None) -> None:
    assert numerals.number(cell) == value
    found = numerals.read(polars.Series([cell, None]))
    assert found.missing.tolist() == [cell in ("nan",), True]
    assert bool(found.wrong[0]) == (value is None and cell != "nan")
    assert math.isnan(found.values[0]) if value is None else found.values[0] == value


@given(st.lists(st.floats(-1e100, 1e100), min_size=1))
def test_any_number_is_read_exactly(values: list[float]) -> None:
    found = Numerals().read(polars.Series(list(map(repr, values))))
    assert found.values.tolist() == values
    assert not found.wrong.any()


@pytest.mark.parametrize("mark", [".", "-", "NA", "n/a", "NaN", "NULL", "#N/A", "?", " ", ""])
def test_marks_are_no_numbers(mark: str) -> None:
    assert Numerals().missing(mark)
    assert Numerals().read(polars.Series([mark])).missing.all()
    assert not Numerals().marked(mark)
    assert Numerals(marks=(mark.strip(),)).marked(mark)


@pytest.mark.parametrize(
    ("cells", "separator", "marks"),
    [
        (["1.5", "2"], ",", (".", "")),
        (["1,725.00"], ",", (".", ",")),
        (["1,725"], ",", (".", ",")),
        (["1,725", "0.5"], ";", (".", ",")),
        (["1,725,000"], ";", (".", ",")),
        (["1.725,00"], ";", (",", ".")),
        (["0,8", "1,5"], ";", (",", "")),
        (["0,125"], ";", (",", "")),
        (["12'000"], ",", (".", "'")),
        (["1\u00a0234,5"], ";", (",", "\u00a0")),
        (["1.234.567"], ";", (".", ".")),
        (["a, b", "x"], ";", (".", "")),
    ],
)
def test_marks_in_numbers_are_seen(
    cells: list[str], separator: str, marks: tuple[str, str]
) -> None:
    if marks == (".", "."):
        marks = (",", ".")
    assert recognised(cells, separator, "t") == marks


def test_what_can_be_read_in_two_ways_is_asked() -> None:
    with pytest.raises(UserError, match=r"t: is '1,725' about one.*--decimal , or --thousands ,"):
        recognised(["1,725", "2,000"], ";", "t")


@pytest.mark.parametrize(
    ("cell", "steps"),
    [
        ("[1, 2.5]", [[1.0], [2.5]]),
        ("[0.1 1. 0.]", [[0.1], [1.0], [0.0]]),
        ("[[1. 2.]\n [3. -4.]]", [[1.0, 2.0], [3.0, -4.0]]),
        ("(1, 2)", [[1.0], [2.0]]),
        ("((1, 2), (3, 4))", [[1.0, 2.0], [3.0, 4.0]]),
        ("(1,)", [[1.0]]),
        ("[ 1e-3  2.e+00]", [[0.001], [2.0]]),
        ("1 2 3", [[1.0], [2.0], [3.0]]),
        ("1;2;3", [[1.0], [2.0], [3.0]]),
        ("7", [[7.0]]),
        ("[]", []),
        ("[1, NaN]", None),
        ("[nan 1.]", None),
        ("[[1, 2], [3]]", None),
        ("[1, true]", None),
        ("1 two", None),
        ("one", None),
        (None, None),
    ],
)
def test_lists_however_they_were_printed(cell: str | None, steps: list[list[float]] | None) -> None:
    found = numbers(cell)
    assert (None if found is None else found.tolist()) == steps
    if steps and len(steps) > 1:
        assert is_listed(cell)


def test_lists_with_decimal_commas() -> None:
    found = numbers("0,5;1", GERMAN)
    assert found is not None
    assert found.tolist() == [[0.5], [1.0]]


def test_numbers_on_disk() -> None:
    spill = Spill("float64", chunk=3)
    assert len(spill.array()) == 0
    for value in range(10):
        spill.append(value / 4)
    assert len(spill) == 10
    assert spill.array().tolist() == [value / 4 for value in range(10)]


def test_pieces_on_disk() -> None:
    store, pieces = Store(), [bytes([n]) * (n % 5) for n in range(50)]
    for piece in pieces:
        store.append(piece)
    assert [store[n] for n in numpy.random.default_rng(0).permutation(50)] == [
        pieces[n] for n in numpy.random.default_rng(0).permutation(50)
    ]
