"""What the columns of tables are, as their names and cells tell."""

import datetime
from collections.abc import Sequence

import pytest

from unrolled.apps.train.series.options import Choice
from unrolled.apps.train.series.roles import Roles, found, unread
from unrolled.apps.train.table.memory import memory_table
from unrolled.errors import UserError

DAYS = [datetime.date(2020, 1, 1) + datetime.timedelta(n) for n in range(60)]
HOURS = [datetime.datetime(2020, 1, 1) + datetime.timedelta(hours=n) for n in range(60)]
LOAD = [str(n % 7 + 0.5) for n in range(60)]


def roles(columns: dict[str, Sequence[object]], **options: object) -> tuple[Roles, list[str]]:
    rows = [list(map(str, row)) for row in zip(*columns.values(), strict=True)]
    return found(memory_table("t.csv", list(columns), rows), Choice(**options))  # pyright: ignore


@pytest.mark.parametrize(
    ("columns", "time", "target"),
    [
        ({"load": LOAD}, (), "load"),
        ({"date": DAYS, "load": LOAD}, ("date",), "load"),
        ({"load": LOAD, "Datum": DAYS}, ("Datum",), "load"),
        ({"1": DAYS, "load": LOAD}, ("1",), "load"),  # an unnamed index of days
        ({"1": range(60), "load": LOAD}, ("1",), "load"),
        ({"Unnamed: 0": range(60), "day": DAYS, "load": LOAD}, ("day",), "load"),
        ({"measured on": DAYS, "load": LOAD}, ("measured on",), "load"),
        ({"Messtag": [f"{d:%d/%m/%Y}" for d in DAYS[:12]], "x": LOAD[:12]}, ("Messtag",), "x"),
        ({"Year": range(1900, 1960), "x": LOAD}, ("Year",), "x"),
        ({"stamp": [1_600_000_000 + 60 * n for n in range(60)], "x": LOAD}, ("stamp",), "x"),
        ({"year": [d.year for d in DAYS], "month": [d.month for d in DAYS],
          "day": [d.day for d in DAYS], "x": LOAD}, ("year", "month", "day"), "x"),
        ({"date": [t.date() for t in HOURS], "hour": [t.hour for t in HOURS], "x": LOAD},
         ("date", "hour"), "x"),
        ({"date": [t.date() for t in HOURS], "timestamp": HOURS, "x": LOAD}, ("timestamp",), "x"),
        ({"load": ["", *LOAD[1:]], "date": DAYS}, ("date",), "load"),
    ],
)  # fmt: skip
def test_times_and_targets_are_told(
    columns: dict[str, Sequence[object]], time: tuple[str, ...], target: str
) -> None:
    assert roles(columns)[0] == Roles(target, time=time)


def test_what_repeats_itself_is_no_time_and_no_target() -> None:
    columns = {"hour": [n % 24 for n in range(60)], "weekday": list("abcdefghij") * 6, "x": LOAD}
    told, notes = roles(columns)
    assert told == Roles("x")
    assert notes == ["'hour' repeats itself: it is no time"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"time": ["none"]}, Roles("x")),
        ({"time": ["b"]}, Roles("x", time=("b",))),
        ({"time": ["a", "b"]}, Roles("x", time=("a", "b"))),
        ({"series": "kind"}, Roles("x", time=("a",), series="kind")),
        ({"also": ["n"], "known": ["m"]}, Roles("x", ("n",), ("m",), ("a",))),
        ({"target": "n"}, Roles("n", time=("a",))),
    ],
)
def test_options_have_the_last_word(options: dict[str, object], expected: Roles) -> None:
    columns = {"a": DAYS, "b": DAYS, "kind": ["u"] * 60, "x": LOAD, "n": LOAD, "m": LOAD}
    options = {"target": "x", **options}
    assert roles(columns, **options)[0] == expected


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        ({"a": LOAD, "b": LOAD}, {}, "several columns of numbers: name the one .* 'a', 'b'"),
        ({"a": ["u", "v"]}, {}, "has no column of numbers"),
        ({"a": LOAD}, {"target": "b"}, "has no column 'b'"),
        ({"a": LOAD}, {"time": ["when"]}, "has no column 'when'"),
        ({"a": LOAD}, {"target": "a", "known": ["a"]}, "'a' is the target"),
        ({"a": LOAD, "b": LOAD}, {"target": "a", "also": ["b", "b"]}, "'b' is named already"),
        ({"a": []}, {}, "has no records"),
    ],
)
def test_roles_that_cannot_be_are_named(
    columns: dict[str, Sequence[object]], options: dict[str, object], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        roles(columns, **options)


def test_columns_that_are_not_read_are_named() -> None:
    table = memory_table("t", ["x", *(f"c{n}" for n in range(10))], [["1"] * 11])
    assert unread(table, Roles("x")).endswith("'c6', 'c7' and 2 more")
    assert unread(table, Roles("x", tuple(table.columns[1:]))) == ""
