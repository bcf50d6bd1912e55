import datetime
import zoneinfo
from pathlib import Path

import msgspec
import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.apps.train.series import axis as axis_module
from unrolled.apps.train.series import order
from unrolled.apps.train.series.axis import Axis
from unrolled.apps.train.series.dates import recognise
from unrolled.apps.train.series.form import Form
from unrolled.errors import UserError
from unrolled.schema import checked, parse

HOUR = datetime.timedelta(hours=1)


def axis(cells: list[str]) -> Axis:
    form = recognise(cells, None, "t")
    found = Axis.of(form.read(cells), form, "t")
    assert checked(parse(msgspec.json.encode(found)), Axis) == found
    return found


def places(cells: list[str]) -> list[int]:
    form = recognise(cells, None, "t")
    moments = form.read(cells)
    return numpy.concatenate(list(Axis.of(moments, form, "t").places(moments))).tolist()


def days(first: str, count: int, step: int = 1) -> list[str]:
    start = datetime.date.fromisoformat(first)
    return [(start + datetime.timedelta(step * place)).isoformat() for place in range(count)]


def weekdays(first: str, count: int, kept: str) -> list[str]:
    return [
        day for day in days(first, count) if str(datetime.date.fromisoformat(day).weekday()) in kept
    ]


def local(zone: str, hours: int, step: datetime.timedelta = HOUR) -> list[datetime.datetime]:
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    count = int(hours * (HOUR / step))
    return [(start + place * step).astimezone(zoneinfo.ZoneInfo(zone)) for place in range(count)]


@pytest.mark.parametrize(
    ("cells", "description", "after"),
    [
        (days("2020-02-20", 9), "daily", ["2020-02-29", "2020-03-01"]),
        (days("2020-02-20", 9)[::-1], "daily, newest first: turned round", ["2020-02-29"]),
        (
            ["2020-02-28", "2020-03-01", "2020-03-02"],
            "daily, 1 day missing (2020-02-29)",
            ["2020-03-03"],
        ),
        (weekdays("2020-01-01", 31, "01234"), "business days (Mon to Fri)", ["2020-02-03"]),
        (weekdays("2020-01-01", 60, "024"), "daily (Mon, Wed, Fri)", ["2020-03-02"]),
        (days("2020-01-01", 9, 7), "weekly", ["2020-03-04"]),
        (days("2020-01-01", 9, 28), "every 4 weeks", ["2020-09-09"]),
        (["2020-07-01", "2020-08-01", "2020-09-01"], "monthly", ["2020-10-01"]),
        (["2019-12-31", "2020-01-31", "2020-02-29"], "monthly (month ends)", ["2020-03-31"]),
        (["2020-01-30", "2020-02-29", "2020-03-30"], "monthly (on day 30)", ["2020-04-30"]),
        (["2020-01-31", "2020-02-28", "2020-03-31"], "monthly (the day varies)", ["2020-04"]),
        (["1959Q1", "1959Q2", "1959Q4"], "quarterly, 1 quarter missing (1959-Q3)", ["1960-Q1"]),
        (["2019-12-31", "2020-03-31", "2020-06-30"], "quarterly (month ends)", ["2020-09-30"]),
        (["1700", "1701", "1703"], "yearly, 1 year missing (1702)", ["1704"]),
        (["2018-01-01", "2019-01-01", "2020-01-01", "2021-01-01"], "yearly", ["2022-01-01"]),
        (["2020-W52", "2020-W53", "2021-W01"], "weekly", ["2021-W02"]),
        (["2020-01-01 00:00", "2020-01-01 00:15"], "every 15 minutes", ["2020-01-01T00:30"]),
        (["0", "5", "10", "20"], "counted by 5, 1 step missing (15)", ["25"]),
        (["0.0", "0.1", "0.2"], "counted", ["0.3"]),
        (["2020-01-01"], "one record", []),
    ],
)
def test_regular_axes(cells: list[str], description: str, after: list[str]) -> None:
    found = axis(cells)
    assert found.description() == description
    assert found.after(len(after)) == after
    missing = found.missing
    assert places(cells)[-1] == len(cells) - 1 + missing


def test_events_are_irregular() -> None:
    found = axis(["2020-01-01 10:03", "2020-01-01 11:17", "2020-01-01 11:19", "2020-01-02 07:00"])
    assert (
        found.description() == "irregular (mostly every 2 minutes): records are read as they come"
    )
    assert found.after(3) == []


@given(
    start=st.dates(datetime.date(1900, 1, 1), datetime.date(2090, 1, 1)),
    step=st.sampled_from([1, 7, 14, 28]),
    gone=st.sets(st.integers(1, 38), max_size=8),
    backwards=st.booleans(),
)
def test_places_and_what_is_missing(
    start: datetime.date, step: int, gone: set[int], backwards: bool
) -> None:
    every = days(start.isoformat(), 42, step)
    kept = [place for place in range(40) if place not in gone]
    cells = [every[place] for place in kept]
    cells = cells[::-1] if backwards else cells
    found = axis(cells)
    if found.step is not None and found.step.week != "1111111":
        return  # days that are gone may be all those of one day of the week
    assert places(cells) == kept
    assert found.missing == len(gone)
    assert list(found.first_missing) == [every[place] for place in sorted(gone)][:3]
    assert found.after(2) == every[40:]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Sydney"])
@pytest.mark.parametrize("step", [HOUR, HOUR / 4])
def test_wall_times_over_changes_of_summer_time(zone: str, step: datetime.timedelta) -> None:
    moments = local(zone, 9000, step)
    cells = [moment.strftime("%Y-%m-%d %H:%M") for moment in moments]
    assert len(set(cells)) < len(cells)
    for each in cells, cells[::-1]:
        found = axis(each)
        assert "2 changes of summer time (an hour stands twice" in found.description()
        assert found.missing == 0
        assert places(each) == list(range(len(cells)))
    expected = (moments[-1].replace(tzinfo=None) + step).isoformat(timespec="minutes")
    assert found.after(1) == [expected]
    told = axis([moment.isoformat(timespec="minutes") for moment in moments])
    assert told.missing == 0
    assert told.after(1) == [(moments[-1] + step).isoformat(timespec="minutes")]


def test_days_with_offsets_follow_the_wall() -> None:
    zone = zoneinfo.ZoneInfo("Europe/Berlin")
    midnights = [datetime.datetime(2020, 3, 1 + day, tzinfo=zone) for day in range(31)]
    found = axis([each.isoformat() for each in midnights])
    assert found.description() == "daily"
    assert found.after(1) == ["2020-04-01T00:00:00+02:00"]
    months = [datetime.datetime(2020, month, 1, tzinfo=zone) for month in range(1, 12)]
    assert axis([each.isoformat() for each in months]).after(1) == ["2020-12-01T00:00:00+01:00"]


def test_an_hour_missing_from_times_of_utc_is_missing() -> None:
    cells = [moment.strftime("%Y-%m-%d %H:%M") for moment in local("UTC", 9000)]
    cells.remove("2020-03-29 02:00")
    assert axis(cells).description() == "hourly, 1 hour missing (2020-03-29T02:00)"


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (
            ["2020-01-01", "2020-01-02", "2020-01-02", "2020-01-03"],
            "2020-01-02 stands twice, in lines 12 and 13: .*--series COLUMN",
        ),
        (
            ["2020-01-03", "2020-01-02", "2020-01-02", "2020-01-01"],
            "2020-01-02 stands twice, in lines 12 and 13",
        ),
        (["2020-01-01", "2020-01-01"], "stands twice, in lines 11 and 12"),
        (
            ["2020-01-01", "2020-01-03", "2020-01-02", "2020-01-04"],
            "t, line 13: 2020-01-02 stands after 2020-01-03, where most are oldest first: sort",
        ),
        (
            ["2020-01-04", "2020-01-02", "2020-01-03", "2020-01-01"],
            "t, line 13: 2020-01-03 stands after 2020-01-02, where most are newest first",
        ),
        (
            [*days("2020-01-01", 5), *days("2020-01-01", 5)],
            "line 16: 2020-01-01 stands after 2020-01-05.*--series COLUMN",
        ),
        (
            ["2020-05-03 02:00", "2020-05-03 03:00", "2020-05-03 03:00", "2020-05-03 04:00"],
            "2020-05-03T03:00 stands twice",
        ),
    ],
)
def test_times_in_no_order_are_refused(cells: list[str], message: str) -> None:
    form = recognise(cells, None, "t")
    with pytest.raises(UserError, match=message):
        Axis.of(form.read(cells), form, "t", range(11, 11 + len(cells)))


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cells = [moment.strftime("%Y-%m-%d %H:%M") for moment in local("Europe/Berlin", 9000)]
    cells = [cell for place, cell in enumerate(cells) if place % 1009 != 5]
    form = recognise(cells, None, "t")
    moments = form.read(cells)
    moments.tofile(tmp_path / "moments")
    mapped = numpy.memmap(tmp_path / "moments", "int64", "r")
    whole, expected = Axis.of(moments, form, "t"), places(cells)
    assert whole.missing == 9
    for module in (order, axis_module):
        monkeypatch.setattr(module, "CHUNK", 997)
    assert Axis.of(mapped, form, "t") == whole
    assert numpy.concatenate(list(whole.places(mapped))).tolist() == expected


def test_a_damaged_axis_is_refused() -> None:
    stored = msgspec.to_builtins(axis(["2019-12-31", "2020-01-31"]))
    with pytest.raises(ValueError, match="start: it does not lie on a step"):
        checked({**stored, "start": stored["start"] - 86_400_000_000}, Axis)
    with pytest.raises(ValueError, match="need as many steps"):
        checked({**stored, "records": 5}, Axis)
    assert isinstance(axis(["1"]).form, Form)
