"""Series in their order of time: turned round, taken apart, their gaps named or filled."""

import datetime
from collections.abc import Sequence
from itertools import pairwise

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.apps.train.series import axis, ordered
from unrolled.apps.train.series.options import AS_USUAL, Reading
from unrolled.apps.train.series.ordered import interpolated
from unrolled.apps.train.series.roles import Roles
from unrolled.apps.train.series.values import Values
from unrolled.apps.train.table.memory import memory_table
from unrolled.errors import UserError

FIRST = datetime.date(2020, 1, 1)
FILLED = Reading(missing="interpolate", fill_gaps=True)
CELLS = Reading(missing="interpolate")


def day(number: int) -> str:
    return str(FIRST + datetime.timedelta(number))


def values(rows: Sequence[Sequence[object]], reading: Reading = AS_USUAL, **more: object) -> Values:
    """Values of a table with the columns date, x, and others that are named."""
    names = ["date", "x", *(["shop"] if "series" in more else []), *more.get("known", ())]  # pyright: ignore
    table = memory_table("t", names, [list(row) for row in rows])
    return Values(table, Roles("x", time=("date",), **more), reading)  # pyright: ignore


def numbers(found: Values) -> list[float]:
    return found.series[0].tolist()


@pytest.mark.parametrize("backwards", [False, True])
def test_series_run_forwards(backwards: bool) -> None:
    rows = [(day(n), str(n)) for n in range(20)]
    found = values(rows[::-1] if backwards else rows)
    assert numbers(found) == list(range(20))
    (span,) = found.spans
    assert (span.first, span.last, len(span)) == (day(0), day(19), 20)
    assert span.axis is not None
    assert span.axis.after(1) == [day(20)]
    assert ("turned round" in found.description()) == backwards


@pytest.mark.parametrize("backwards", [False, True])
def test_gaps_are_named_or_filled(backwards: bool) -> None:
    rows = [(day(n), "" if n == 7 else str(n * n)) for n in range(20) if n not in (3, 4, 11)]
    rows = rows[::-1] if backwards else rows
    with pytest.raises(UserError, match="column 'x': the cell is empty: a number is expected"):
        values(rows)
    kept = values(rows, CELLS)
    assert len(kept) == 17
    assert kept.filled == 1
    assert kept.notes()[1].startswith("3 steps without a record are left out")
    filled = values(rows, FILLED)
    expected = numpy.arange(20.0) ** 2
    expected[3:5] = 4 + (25 - 4) * numpy.array([1, 2]) / 3
    expected[[7, 11]] = (36 + 64) / 2, (100 + 144) / 2
    assert numbers(filled) == pytest.approx(expected.tolist())
    assert numbers(kept) == pytest.approx(numpy.delete(expected, [3, 4, 11]).tolist())
    assert "3 steps without a record are interpolated" in filled.notes()


@given(
    gaps=st.sets(st.integers(1, 38), max_size=18),
    empty=st.sets(st.integers(1, 38), max_size=30),
    backwards=st.booleans(),
    chunk=st.integers(1, 9),
)
def test_filling_is_interpolation_in_time(
    gaps: set[int], empty: set[int], backwards: bool, chunk: int
) -> None:
    there = [n for n in range(40) if n not in gaps]
    level = numpy.random.default_rng(0).normal(size=40)
    places = [n for n in there if n not in empty]
    expected = numpy.interp(numpy.arange(40), places, level[places])
    parts = [there[start : start + chunk] for start in range(0, len(there), chunk)]
    cells = [numpy.where(numpy.isin(part, list(empty)), numpy.nan, level[part]) for part in parts]
    found = interpolated(iter(map(numpy.array, parts)), iter(cells), True)
    assert numpy.concatenate(list(found)).tolist() == pytest.approx(expected.tolist())
    found = interpolated(iter(map(numpy.array, parts)), iter(cells), False)
    assert numpy.concatenate(list(found)).tolist() == pytest.approx(expected[there].tolist())
    if any(b - a == 1 for a, b in pairwise(there)) and len(gaps) < 15:
        rows = [(day(n), "" if n in empty else repr(float(level[n]))) for n in there]
        told = values(rows[::-1] if backwards else rows, FILLED)
        assert numbers(told) == pytest.approx(expected.tolist())


def test_several_series_stand_one_behind_the_other() -> None:
    rows = [(day(n), str(n + 100 * k), "abc"[k]) for n in range(12) for k in (2, 0, 1)]
    found = values(rows, series="shop")
    assert [span.name for span in found.spans] == ["c", "a", "b"]
    for span, level in zip(found.spans, (200, 0, 100), strict=True):
        assert found.series[0][span.start : span.stop].tolist() == [level + n for n in range(12)]
        assert (span.first, span.last) == (day(0), day(11))
    blocks = sorted(rows, key=lambda row: row[2])
    assert [span.name for span in values(blocks, series="shop").spans] == ["a", "b", "c"]
    turned = values([*blocks[:12], *blocks[12:24][::-1], *blocks[24:]], series="shop")
    assert numbers(turned) == numbers(values(blocks, series="shop"))


def test_what_is_known_for_the_future_is_no_value() -> None:
    rows = [(day(n), str(n) if n < 9 else "", str(n % 2)) for n in range(12)]
    for each in (rows, rows[::-1]):
        found = values(each, known=("open",))
        (span,) = found.spans
        assert numbers(found) == list(range(9))
        assert span.future.tolist() == [[1], [0], [1]]
        assert span.times == (day(9), day(10), day(11))
        assert (span.last, span.axis and span.axis.last) == (day(8), 8)
    alone = values(rows[9:], known=("open",))
    assert len(alone) == 0
    assert alone.spans[0].times == (day(9), day(10), day(11))


@pytest.mark.parametrize(
    ("rows", "reading", "message"),
    [
        ([(day(n), str(n), "") for n in range(5)], Reading(), "line 1, column 'shop': .*name of a"),
        ([(day(0), "", "a"), (day(1), "1", "a")], CELLS, "no value before it to interpolate"),
        ([(day(0), "1", "a"), (day(1), "", "a")], CELLS, "no value after it to interpolate"),
        (
            [(day(0), "1", "a"), (day(1), "1", "a"), (day(1), "2", "a")],
            Reading(),
            "series 'a': 2020-01-02 stands twice, in lines 2 and 3",
        ),
        (
            [(day(n), "1", "a") for n in (0, 1, 2, 40)],
            FILLED,
            "--fill-gaps: t, series 'a' has 4 records and 37 steps without",
        ),
        ([(day(n * n), "1", "a") for n in range(9)], FILLED, "--fill-gaps: .* is irregular"),
        ([("never", "1", "a"), (day(1), "2", "a")], Reading(), "'never' is not a time: .*none if"),
    ],
)
def test_what_is_no_series_is_named(
    rows: Sequence[Sequence[str]], reading: Reading, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        values(rows, reading, series="shop")


def test_records_after_the_end_lack_no_step() -> None:
    rows = [(day(n), str(n) if n < 9 else "", "1") for n in range(12) if n != 10]
    with pytest.raises(
        UserError, match=r"2020-01-12 is known .* 2020-01-09 number 2 is 2020-01-11"
    ):
        values(rows, known=("open",))
    rows = [(day(n), str(n) if n < 9 else "", "1" if n != 10 else "") for n in range(12)]
    with pytest.raises(UserError, match="line 11, column 'open': the cell is empty: it is known"):
        values(rows, known=("open",))


def test_a_row_of_totals_is_no_step() -> None:
    table = memory_table("t", ["x", "kind"], [["1", "a"], ["2", "b"], ["3", "Total"]])
    with pytest.raises(UserError, match="line 3, column 'kind': 'Total': a row of totals"):
        Values(table, Roles("x"))
    table = memory_table("t", ["x", "kind"], [["1", "total"], ["3", "total"]])
    assert len(Values(table, Roles("x"))) == 2


def test_long_columns_go_through_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ordered, axis:
        monkeypatch.setattr(module, "CHUNK", 7)
    rows = [(day(n), "" if n % 5 == 2 else str(n)) for n in range(60) if n % 11 != 3]
    assert numbers(values(rows, FILLED)) == pytest.approx(list(range(60)))
