import pytest

from unrolled.apps.train.series.dates import recognise
from unrolled.apps.train.series.parts import cyclic, joined, time_columns
from unrolled.errors import UserError


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"Year": ["1959.0"], "Quarter": ["1.0"]}, ["1959-Q1"]),
        ({"year": ["2010"], "month": ["Feb"]}, ["2010-02"]),
        ({"year": ["2020"], "week": ["5"]}, ["2020-W05"]),
        ({"year": ["2010"], "month": ["1"], "day": ["2"], "hour": ["0"]}, ["2010-01-02T00:00"]),
        ({"yr": ["2010"], "mo": ["1"], "dd": ["2"], "hr": ["24"]}, ["2010-01-03T00:00"]),
        ({"Date": ["16/12/2006"], "Time": ["17:24:00"]}, ["2006-12-16T17:24:00"]),
        ({"date": ["2020-01-05 00:00:00"], "time": ["930"]}, ["2020-01-05T09:30"]),
        ({"date": ["2020-01-05"], "hour": ["13:00"]}, ["2020-01-05T13:00"]),
        ({"date": ["2020-01-05"], "time": ["1:30 PM"]}, ["2020-01-05T13:30"]),
    ],
)
def test_times_split_over_columns(columns: dict[str, list[str]], expected: list[str]) -> None:
    assert time_columns([*columns, "load"]) == tuple(columns)
    cells = joined(columns)
    form = recognise(cells, None, "t")
    written = [form.write(moment) for moment in form.read(cells).tolist()]
    if expected[0].endswith("T00:00"):  # one midnight alone is a day
        expected = [expected[0][:10]]
    assert written == expected


def test_columns_that_tell_no_time() -> None:
    assert time_columns(["date", "min", "max"]) == ()
    assert time_columns(["month", "day", "load"]) == ()
    assert time_columns(["year", "load"]) == ()
    assert joined({"year": ["2010", None], "month": ["1", "2"]}) == ["2010-01", ""]
    with pytest.raises(UserError, match="tell no time together"):
        joined({"year": ["2010"], "load": ["1"]})


@pytest.mark.parametrize(
    "cells",
    [
        [hour % 24 for hour in range(5, 100)],
        [hour % 24 + 1 for hour in range(50)],
        [month // 4 % 12 + 1 for month in range(100)],
        [float(day % 7) for day in range(20)],
        [day % 31 + 1 for day in range(40)],
        [*range(2, 29), *range(1, 32), *range(1, 31)],
        [quarter % 4 + 1 for quarter in range(9)],
        [11 - month % 12 for month in range(30)],
        ["Monday", "Tuesday"],
        ["Jan", "Feb"],
        ["23:00", "00:00"],
    ],
)
def test_cyclic_columns_are_no_time(cells: list[object]) -> None:
    assert cyclic([str(cell) for cell in cells])


@pytest.mark.parametrize(
    "cells",
    [range(24), range(100, 0, -1), [1, 5, 2, 9, 3], [*range(40), *range(40)], [1959, 1960]],
)
def test_what_does_not_turn_is_not_cyclic(cells: list[int]) -> None:
    assert not cyclic([str(cell) for cell in cells])
    assert not cyclic(["2020-01-01", "2020-01-02"])
    assert not cyclic([])
