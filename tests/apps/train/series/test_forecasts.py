"""Forecasts that have dates, of several series, and with what is known for the future."""

import datetime
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy
import pandas
import polars
import pytest

import unrolled
from unrolled.apps.train import checkpoint as checkpoints
from unrolled.apps.train.series.options import AS_USUAL, Choice, Reading
from unrolled.apps.train.series.run import SeriesRun
from unrolled.apps.train.series.task import open_task
from unrolled.apps.train.settings import Settings
from unrolled.apps.train.table import open_table
from unrolled.apps.train.training import Training
from unrolled.errors import UserError

from ..tables import run, write

FIRST = datetime.date(2020, 1, 1)
SETTINGS = Settings(hidden=6, batch=4)
OPTIONS = {"target": "sales", "horizon": 4, "season": 7, "window": 9}


def day(number: int) -> datetime.date:
    return FIRST + datetime.timedelta(number)


def sales(number: int, shop: int = 0) -> str:
    return f"{10 + 100 * shop + math.sin(number * math.pi / 3.5):.4f}"


def untrained(
    folder: Path, lines: Sequence[str], reading: Reading = AS_USUAL, **options: object
) -> SeriesRun:
    """A run in the moment in which its training begins."""
    folder.mkdir()
    table = open_table(write(folder / "own.csv", lines))
    task = open_task(SETTINGS, table, Choice(**{**OPTIONS, **options}), None, reading)  # pyright: ignore
    checkpoints.save(folder / checkpoints.NAME, Training(task, unrolled.cells.gru).checkpoint())
    return SeriesRun.load(folder)


US = ["date,sales", *(f"{day(n):%m/%d/%Y},{sales(n)}" for n in reversed(range(80)))]
"""Newest first, as American programs write it."""
SHOPS = [
    "shop,date,sales,open",
    *(
        f"{name},{day(n)},{sales(n, shop) if n < 80 else ''},{n % 2}"
        for n in range(86)
        for shop, name in enumerate(["north", "south"])
    ),
]
MONTHS = ["month,sales", *(f"{2010 + n // 12}-{n % 12 + 1:02},{sales(n)}" for n in range(80))]


def cells(text: str) -> list[list[str]]:
    return [line.split(",") for line in text.splitlines()]


def test_forecasts_go_on_in_time(tmp_path: Path) -> None:
    trained = untrained(tmp_path / "run", US)
    told = cells(run("forecast", tmp_path / "run", "--steps", 9))[:-1]
    assert told[0] == ["step", "date", "sales", "last value", "seasonal naive (7)"]
    assert [row[1] for row in told[1:]] == [str(day(80 + n)) for n in range(9)]
    assert float(told[1][3]) == pytest.approx(float(sales(79)), rel=1e-4)
    assert trained.forecast(steps=2).times == ("2020-03-21", "2020-03-22")
    assert "last 9 values of 'sales'" in trained.reads


def test_other_files_are_read_as_the_run_reads_its_own(tmp_path: Path) -> None:
    trained = untrained(tmp_path / "run", US)
    expected = run("forecast", tmp_path / "run")
    for name, lines in {
        "same": US,
        "forwards": [US[0], *reversed(US[1:])],
        "iso": ["date,sales", *(f"{day(n)},{sales(n)}" for n in range(80))],
        "short": US[:10],
    }.items():
        assert run("forecast", tmp_path / "run", write(tmp_path / name, lines)) == expected
    few = ["date,sales", *(f"{n:02}/02/2021,{sales(n)}" for n in range(1, 13))]
    text = run("forecast", tmp_path / "run", write(tmp_path / "few", few), code=2)
    assert "the times are monthly" in text
    assert "the run was trained on times that are daily" in text
    later = ["date,sales", *(f"{day(n):%m/%d/%Y},{sales(n)}" for n in range(100))]
    assert trained.forecast(open_table(write(tmp_path / "later", later))).times[0] == "2020-04-10"
    untold = write(tmp_path / "untold", ["sales", *(sales(n) for n in range(80))])
    assert "has no column 'date'" in run("forecast", tmp_path / "run", untold, code=2)


def test_python_gives_times_in_every_way(tmp_path: Path) -> None:
    trained = untrained(tmp_path / "run", US)
    expected = trained.forecast()
    days, level = [day(n) for n in range(80)], [float(sales(n)) for n in range(80)]
    indexed = pandas.DataFrame({"sales": level}, index=pandas.DatetimeIndex(map(str, days)))
    for given in (
        {"date": days, "sales": level},
        {"date": list(map(str, days))[::-1], "sales": numpy.array(level)[::-1]},
        polars.DataFrame({"sales": level, "date": days}),
        pandas.DataFrame({"date": pandas.to_datetime(days), "sales": level}),
        indexed,
        indexed["sales"],
        polars.LazyFrame({"sales": level, "date": days}),
        indexed.tz_localize("UTC"),
    ):
        found = trained.forecast(given)
        assert [time[:10] for time in found.times] == list(expected.times)
        assert found.values == pytest.approx(expected.values)
    assert trained.forecast({"sales": level}).times == ()
    assert trained.forecast(level).values == pytest.approx(expected.values)
    frame = pandas.DataFrame(expected.columns)
    assert list(frame.columns) == ["date", "sales", "last value", "seasonal naive (7)"]
    with pytest.raises(UserError, match="line 3, column 'sales': the cell is empty"):
        trained.forecast({"date": days, "sales": [1.0, 2.0, None, *level[3:]]})


def test_months_end_and_counts_have_no_dates(tmp_path: Path) -> None:
    assert untrained(tmp_path / "a", MONTHS).forecast().times[:2] == ("2016-09", "2016-10")
    counts = ["step,sales", *(f"{n},{sales(n)}" for n in range(80))]
    assert "date" not in untrained(tmp_path / "b", counts).forecast().columns
    odd = ["date,sales", *(f"{day(n * n // 9 + n)},{sales(n)}" for n in range(80))]
    untrained(tmp_path / "c", odd)
    text = run("forecast", tmp_path / "c")
    assert text.splitlines()[0] == "step,sales,last value,seasonal naive (7)"
    assert "there are no dates: the times are irregular (mostly every" in text


def test_several_series_share_a_network_and_have_their_own_scale(tmp_path: Path) -> None:
    rows = [line for line in SHOPS if line.split(",")[2] != ""]
    trained = untrained(tmp_path / "run", rows, series="shop")
    north, south = numpy.array(trained.problem.mean)
    assert south - north == pytest.approx(100)
    told = cells(run("forecast", tmp_path / "run"))
    assert told[0][:4] == ["shop", "step", "date", "sales"]
    assert [row[:3] for row in told[1:6]] == [
        *(["north", f"+{n + 1}", str(day(80 + n))] for n in range(4)),
        ["south", "+1", str(day(80))],
    ]
    values = trained.forecast().values
    assert values[4:] - values[:4] == pytest.approx(100, abs=1e-3)  # the same but for the level
    one = [rows[0], *(row for row in rows if row.startswith("south"))]
    found = trained.forecast(open_table(write(tmp_path / "one.csv", one)))
    assert found.values == pytest.approx(values[4:])
    assert trained.encode().shape == (2, 9, 6)
    other = write(tmp_path / "o.csv", [line.replace("south", "east") for line in one])
    text = run("forecast", tmp_path / "run", other, code=2)
    assert "series 'east' is none of those that the run was trained on: 'north', 'south'" in text
    with pytest.raises(UserError, match="several series: give them by name, 'shop', 'date'"):
        trained.forecast([1.0] * 20)


def test_series_are_learned_apart(tmp_path: Path) -> None:
    """No window and no truth goes over the end of a series."""
    rows = [f"{name},{n + 1000 * k}" for k, name in enumerate("ab") for n in range(100)]
    table = open_table(write(tmp_path / "t.csv", ["shop,sales", *rows]))
    task = open_task(SETTINGS, table, Choice(**{**OPTIONS, "series": "shop"}))  # pyright: ignore
    every = task._origin(numpy.arange(task._ends[-1]))
    assert sorted(every % 100) == sorted([*range(9, 87)] * 2)
    for origins in (every, task._validated, task._origins("test", "count", 1000)):
        before = task.values.before(origins, 9)[:, :, 0].T
        windows = numpy.concatenate([before, task.truth(origins)], 1)
        assert (numpy.diff(windows, axis=1) == 1).all()
    assert task.problem.mean == pytest.approx((44.5, 1044.5))


def test_series_of_other_steps_or_lengths_are_refused(tmp_path: Path) -> None:
    rows = [f"a,{day(n)},{sales(n)}" for n in range(60)]
    weekly = [f"b,{day(7 * n)},{sales(n)}" for n in range(60)]
    table = open_table(write(tmp_path / "t.csv", ["shop,date,sales", *rows, *weekly]))
    with pytest.raises(UserError, match="series 'b' is weekly, and series 'a' is daily"):
        open_task(SETTINGS, table, Choice(target="sales", series="shop"))
    table = open_table(write(tmp_path / "u.csv", ["shop,date,sales", *rows, *weekly[:2]]))
    with pytest.raises(UserError, match="series 'b'"):
        open_task(SETTINGS, table, Choice(target="sales", series="shop"))


def test_what_is_known_is_read_to_the_end_of_the_horizon(tmp_path: Path) -> None:
    lines = [line.split(",", 1)[1] for line in SHOPS if not line.startswith("south")]
    trained = untrained(tmp_path / "run", lines, known=["open"])
    stored = trained.forecast(steps=6)
    assert stored.times == tuple(str(day(80 + n)) for n in range(6))
    assert trained.forecast(open_table(tmp_path / "run" / "own.csv"), steps=6).values == (
        pytest.approx(stored.values)
    )
    after = [lines[0], *(f"{day(80 + n)},,{n % 2}" for n in range(6))]
    found = trained.forecast(open_table(write(tmp_path / "after.csv", after)), steps=6)
    assert found.values == pytest.approx(stored.values)
    other = [lines[0], *(f"{day(80 + n)},,{3 if n == 2 else n % 2}" for n in range(6))]
    found = trained.forecast(open_table(write(tmp_path / "other.csv", other)), steps=6)
    assert found.values[:2] == pytest.approx(stored.values[:2])  # it reads no further
    assert abs(found.values[2] - stored.values[2]) > 1e-6
    gap = [lines[0], *(f"{day(81 + n)},,1" for n in range(6))]
    text = run("forecast", tmp_path / "run", write(tmp_path / "gap.csv", gap), code=2)
    assert (
        "2020-03-22 is known for the future, and the series of the run goes on at 2020-03-21"
        in text
    )
    text = run("forecast", tmp_path / "run", "--steps", 7, code=2)
    assert "forecasts need 'open' of the 7 steps after the end, and 6 are there" in text
    text = run("forecast", tmp_path / "run", "--text", "[[1, 2]]", code=2)
    assert "the run reads the last 9" in text
    assert trained.encode().shape == (9, 6)


def test_gaps_are_filled_as_in_training(tmp_path: Path) -> None:
    lines = [line for n, line in enumerate(US) if n not in (5, 40)]
    trained = untrained(tmp_path / "run", lines, Reading(fill_gaps=True))
    assert trained.problem.fill_gaps
    expected = trained.forecast().values
    file = open_table(tmp_path / "run" / "own.csv")
    assert trained.forecast(file).values == pytest.approx(expected)
    kept = trained.forecast(file, reading=Reading(fill_gaps=False)).values
    assert kept != pytest.approx(expected)


def test_a_run_is_resumed_as_it_began(tmp_path: Path) -> None:
    file = write(tmp_path / "own.csv", US)
    train = ("train", "series", file, "--hidden", 4, "--steps", 2, "--out", tmp_path / "run")
    first = run(*train, "--horizon", 3, "--date-format", "%m/%d/%Y")
    assert "reads 2 columns: date (time, daily, newest first: turned round), sales (tar" in first
    resume = ("train", "series", file, "--resume", "--steps", 3, "--out", tmp_path / "run")
    assert "newest first: turned round" in run(*resume)
    record = json.loads(run("forecast", tmp_path / "run", "--format", "jsonl").splitlines()[0])
    assert (record["step"], record["date"]) == (1, "2020-03-21")


def test_a_series_that_is_too_short_is_named_and_no_option_blamed(tmp_path: Path) -> None:
    rows = [f"a,{day(n)},{sales(n)}" for n in range(90)] + [f"b,{day(n)},1" for n in range(8)]
    table = open_table(write(tmp_path / "t.csv", ["shop,date,sales", *rows]))
    with pytest.raises(UserError, match="series 'b' has 8 values: too few beside series with a se"):
        open_task(replace(SETTINGS, held_out=0.5), table, Choice(target="sales", series="shop"))
