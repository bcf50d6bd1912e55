import datetime
from dataclasses import replace

import msgspec
import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unrolled.apps.train.series.dates import Recogniser, recognise
from unrolled.apps.train.series.form import Form
from unrolled.apps.train.series.spelling import DAY, formats
from unrolled.errors import UserError
from unrolled.schema import checked, parse

EPOCH = datetime.datetime(1970, 1, 1)
MICROSECOND = datetime.timedelta(microseconds=1)


def micros(moment: datetime.datetime) -> int:
    return (moment - EPOCH) // MICROSECOND


def dates(cells: list[str], date_format: str | None = None, name: str = "t") -> list[str]:
    """What cells are read as, in ISO form."""
    form = recognise(cells, date_format, name)
    assert checked(parse(msgspec.json.encode(form)), Form) == form
    return [form.write(moment) for moment in form.read(cells).tolist()]


def spelled(moment: datetime.datetime, date_format: str) -> str:
    date_format = date_format.replace("%q", str((moment.month + 2) // 3))
    return moment.strftime(date_format.replace("%Y", f"{moment.year:04}"))


@settings(max_examples=200)
@given(
    date_format=st.sampled_from(formats()),
    start=st.dates(datetime.date(1970, 1, 1), datetime.date(2020, 1, 1)),
    time=st.sampled_from(["", " %H:%M", "T%H:%M:%S", " %I:%M %p", " %H:%M:%S.%f"]),
    offset=st.sampled_from(["", "Z", "+01:00", "-03:30"]),
)
def test_any_form_is_written_and_read_back(
    date_format: str, start: datetime.date, time: str, offset: str
) -> None:
    if "%y" in date_format:
        start = start.replace(year=1990 + start.year % 8, day=1)
    is_fine = any(part in date_format for part in ("%d", "%j", "%u")) and "%H" not in date_format
    tail = time if is_fine else ""
    zone = offset if tail else ""
    begin = datetime.datetime.combine(start, datetime.time(5, 6, 7, 89))
    moments = [begin + datetime.timedelta(days=29 * step) for step in range(40)]
    cells = [spelled(moment, date_format + tail) + zone for moment in moments]
    form = recognise(cells, None, "year")
    read = form.read(cells)
    for moment, got in zip(moments, read.tolist(), strict=True):
        wall = got + (0 if not zone or zone == "Z" else {"+": 60, "-": -210}[zone[0]] * 60_000_000)
        assert spelled(EPOCH + wall * MICROSECOND, date_format + tail) + zone in cells
        if "%d" in date_format and not tail and "%H" not in date_format:
            assert wall == micros(datetime.datetime.combine(moment.date(), datetime.time()))
        if "%S" in tail:
            assert abs(wall - micros(moment)) < 1_000_000
    again = [form.write(moment) for moment in read.tolist()]
    other = recognise(again, None, "year")
    assert (other.read(again) == read).all()
    assert other.unit == form.unit


def test_days_of_a_leap_year_and_weeks_over_its_end() -> None:
    days = [f"{month}/{day}/2020" for month, day in ((2, 28), (2, 29), (3, 1))]
    form = recognise(days, None, "t")
    assert numpy.diff(form.read(days)).tolist() == [DAY, DAY]
    weeks = ["2020-W52", "2020-W53", "2021-W01"]
    read = recognise(weeks, None, "t").read(weeks)
    assert numpy.diff(read).tolist() == [7 * DAY, 7 * DAY]
    assert EPOCH + int(read[2]) * MICROSECOND == datetime.datetime(2021, 1, 4)
    assert dates(weeks) == weeks


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1/31/2020 1:30 PM", "2/1/2020 12:05 AM"], ["2020-01-31T13:30", "2020-02-01T00:05"]),
        (["13.02.2020", "1.3.2020"], ["2020-02-13", "2020-03-01"]),
        (["01/01/2018", "01/01/2019"], ["2018-01-01", "2019-01-01"]),
        (["30.01.20", "31.01.20", "01.02.20"], ["2020-01-30", "2020-01-31", "2020-02-01"]),
        (["20-01-30", "20-01-31", "20-02-01"], ["2020-01-30", "2020-01-31", "2020-02-01"]),
        (["1-Mar-98", "2-Mar-98"], ["1998-03-01", "1998-03-02"]),
        (["March 3, 2020", "April 12, 2020"], ["2020-03-03", "2020-04-12"]),
        (["Mon Mar  2 10:00:00 2020"], ["2020-03-02T10:00:00"]),
        (["Mon, 02 Mar 2020 10:00:00 GMT"], ["2020-03-02T10:00:00Z"]),
        (["10/Oct/2000:13:55:36 -0700"], ["2000-10-10T13:55:36-07:00"]),
        (["2020-01-01 00:00:00", "2020-01-02 00:00:00"], ["2020-01-01", "2020-01-02"]),
        (["2020-01-01 23:00", "2020-01-01 24:00"], ["2020-01-01T23:00", "2020-01-02T00:00"]),
        (["2020-01-01", "2020-01-01 12:00"], ["2020-01-01T00:00", "2020-01-01T12:00"]),
        (["1700.0", "1701.0"], ["1700", "1701"]),
        (["1749.042", "1749.123", "1749.204", "1749.288"], [f"1749-0{each}" for each in "1234"]),
        (["1959.0", "1959.25", "1959.5"], ["1959-Q1", "1959-Q2", "1959-Q3"]),
        (["1871.01", "1871.09", "1871.1", "1871.11"], ["1871-01", "1871-09", "1871-10", "1871-11"]),
        (["1577836800", "1577923200"], ["2020-01-01", "2020-01-02"]),
        (["1577836800000", "1577836801500"], ["2020-01-01T00:00:00Z", "2020-01-01T00:00:01.5Z"]),
        (["1577836800000000000"], ["2020-01-01"]),
        (["2020010123", "2020010200"], ["2020-01-01T23:00", "2020-01-02T00:00"]),
        (["0", "1", "2"], ["0", "1", "2"]),
        (["-0.5", "0", "0.25"], ["-0.5", "0", "0.25"]),
        (["2020年1月5日", "2020年12月5日"], ["2020-01-05", "2020-12-05"]),
    ],
)
def test_times_as_people_have_them(cells: list[str], expected: list[str]) -> None:
    assert dates(cells) == expected


def test_names_of_months_in_other_languages() -> None:
    pytest.importorskip("babel")
    assert dates(["1. März 2020", "2. Mai 2020"]) == ["2020-03-01", "2020-05-02"]
    assert dates(["mar 2020", "abr 2020"]) == ["2020-03", "2020-04"]
    with pytest.raises(UserError, match="another month in another language"):
        recognise(["1 listopad 2020"], None, "t")  # November in Polish, October in Croatian


def test_offsets_are_kept_and_ordered_by_instants() -> None:
    cells = ["2020-10-25 02:30+02:00", "2020-10-25 02:00+01:00", "2020-10-25 02:30+01:00"]
    form = recognise(cells, None, "t")
    assert numpy.diff(form.read(cells)).tolist() == [DAY // 48, DAY // 48]
    assert form.write(int(form.read(cells)[2]) + DAY // 24) == "2020-10-25T03:30+01:00"
    newest_first = recognise(cells[::-1], None, "t")
    assert newest_first.offset == "+01:00"


def test_what_is_ambiguous_is_asked_with_the_options_to_type() -> None:
    cells = ["01/01/2020", "03/04/2020"]
    with pytest.raises(UserError) as caught:
        recognise(cells, None, "t.csv, column 'day'")
    assert str(caught.value) == (
        "t.csv, column 'day': '03/04/2020' can be read in 2 ways: 2020-04-03: --date-format "
        "%d/%m/%Y, or 2020-03-04: --date-format %m/%d/%Y"
    )
    assert dates(cells, "%d/%m/%Y") == ["2020-01-01", "2020-04-03"]
    assert dates(cells, "MM/DD/YYYY") == ["2020-01-01", "2020-03-04"]
    assert dates(["3/4/2020 10:30"], "%d/%m/%Y") == ["2020-04-03T10:30"]


def test_all_of_a_column_decides() -> None:
    recogniser = Recogniser(None, "t")
    recogniser.see(["01/02/2020"] * 1000)
    recogniser.see(["02/13/2020"])
    assert recogniser.form().format == "%m/%d/%Y"


def test_numbers_as_told() -> None:
    assert dates(["43831", "43832"], "excel") == ["2020-01-01", "2020-01-02"]
    assert dates(["43831.5"], "excel") == ["2020-01-01T12:00:00"]
    assert dates(["20200101", "20200102"], "number") == ["20200101", "20200102"]


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["2021-02-28", "2021-02-30"], "t, line 12: '2021-02-30': there is no such day"),
        (["31/12/2020", "31/02/2021"], "line 12: '31/02/2021': there is no such day"),
        (["2019-W52", "2019-W53"], "line 12: '2019-W53': there is no such day"),
        (["20210227", "20210230"], "line 12: '20210230': there is no such day"),
        (["2020-01-05", "06/01/2020"], r"line 12: '06/01/2020' does not fit the others \(2020-01"),
        (["13/01/2020", "01/13/2020"], "line 12: '01/13/2020' does not fit the others"),
        (["2020-01-05", ""], "line 12: the time is empty"),
        (["2020-01-05", "Total"], "line 12: 'Total' is no time: a row of totals"),
        (["1959Q1", "合计"], "line 12: '合计' is no time: a row of totals"),
        (["1959", "Grand total"], "line 12: 'Grand total' is no time: a row of totals"),
        (["2020-01-01 10:00Z", "2020-01-01 11:00"], "line 12: .*offset from UTC"),
        (["2020-01-01 10:00 CET"], "line 11: .* names a time zone: write its offset"),
        (["13:45"], "line 11: '13:45' is a time of day without a date"),
        (["1-01", "1-02"], "line 11: '1-01' is not a time: .*--date-format"),
        (["43831", "43832"], r"43831 looks like a day as spreadsheets count .* \(2020-01-01\)"),
        (["1958.2027", "1958.2219"], "1958.2027 looks like a year with a fraction"),
        (["1-Mar-45", "2-Mar-45"], "century of '1-Mar-45' .*--date-format %d-%b-%y"),
        (["01-02-03", "02-02-03"], "read in 3 ways: 2003-02-01: .* 2003-01-02: .* 2001-02-03: "),
        ([*["20210101"] * 20, "20211301"], "line 31: '20211301' does not fit the others"),
    ],
)
def test_what_is_refused_is_named(cells: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        recognise(cells, None, "t", range(11, 11 + len(cells)))


def test_a_form_refuses_what_it_does_not_read() -> None:
    form = recognise(["31/12/2020"], None, "t")
    for cell, message in [
        ("2020-12-31", "t, row 1: '2020-12-31' does not fit the others"),
        ("12/31/2020", "does not fit the others"),
        ("31/04/2020", "no such day"),
        (None, "is empty"),
    ]:
        with pytest.raises(UserError, match=message):
            form.read([cell], name="t")
    with pytest.raises(UserError, match="expected one such as"):
        recognise(["1"], "%k", "t")
    with pytest.raises(ValueError, match="offset"):
        checked({**msgspec.to_builtins(replace(form, offset="+01:00")), "offset": "1"}, Form)
