import math
from pathlib import Path

import pytest

from ..tables import LESS, run, write


def waves(count: int = 120) -> list[str]:
    rows = [
        f"2020-{1 + n // 28 % 12:02}-{1 + n % 28:02},{10 + math.sin(n * math.pi / 6):.6f},{n % 3}"
        for n in range(count)
    ]
    return ["date,sales,rain", *rows]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(tmp_path / "sales.csv", waves())


def test_a_wave_is_learned_forecast_and_resumed(file: Path, tmp_path: Path) -> None:
    train = ("train", "series", file, "--target", "sales", "--out", tmp_path / "run")
    options = ("--hidden", 16, "--lr", 0.02, "--steps", 60, "--evaluate-every", 20, "--horizon", 4)
    text = run(*train, *options, "--dropout", 0)
    assert "120 values of 'sales' from 2020-01-01 to" in text
    assert "a season of 12; values as they are; 36 are read and the next 4 forecast" in text
    assert "84 values to train on, the next 18 to choose the best model by, the last 18" in text
    assert "seasonal naive (12)" in text
    assert "last value" in text
    assert "the best naive forecast, seasonal naive" in text
    lines = run("forecast", tmp_path / "run", file).splitlines()
    assert lines[0] == "step,date,sales,last value,seasonal naive (12)"
    cells = [line.split(",") for line in lines[1:]]
    assert {row.pop(1)[:5] for row in cells} == {"2020-"}
    assert [row[0] for row in cells] == ["+1", "+2", "+3", "+4"]
    for step, row in enumerate(cells):
        truth = 10 + math.sin((120 + step) * math.pi / 6)
        assert float(row[1]) == pytest.approx(truth, abs=0.5)
        assert float(row[2]) == pytest.approx(10 + math.sin(119 * math.pi / 6), abs=1e-3)
        assert float(row[3]) == pytest.approx(truth, abs=1e-3)
    resume = ("train", "series", file, "--resume", "--out", tmp_path / "run")
    assert "is at step 62 of 62" in run(*resume, "--steps", 62)
    assert "this run has --window 36, not 12" in run(*resume, "--window", 12, code=2)


def test_further_columns_are_read(file: Path, tmp_path: Path) -> None:
    train = ("train", "series", file, "--target", "sales", "--also", "rain", "--out")
    text = run(*train, tmp_path / "run", "--horizon", 2, *LESS)
    assert "reads 3 columns: date (time, " in text
    assert len(run("forecast", tmp_path / "run", file).splitlines()) == 3


def test_empty_cells_are_errors_or_interpolated(tmp_path: Path) -> None:
    lines = waves()
    lines[8] = lines[8].replace(lines[8].split(",")[1], "NA")
    file = write(tmp_path / "gaps.csv", lines)
    train = ("train", "series", file, "--target", "sales", "--out", tmp_path / "run", *LESS)
    assert "line 9, column 'sales': the cell is empty ('NA'): a number" in run(*train, code=2)
    assert "1 empty cell is interpolated" in run(*train, "--missing", "interpolate")
    end = [*lines, "2021-01-01,,0"]
    write(file, end)
    last = run(*train, "--missing", "interpolate", "--overwrite", code=2)
    assert "line 122, column 'sales': the cell is empty: there is no value after it" in last


@pytest.mark.parametrize(
    ("lines", "options", "message"),
    [
        (["y", *"123456789"], ("--horizon", 5), "has 9 values: --held-out 0.3 leaves 6 to train"),
        (["y", *"12345678"] * 1, ("--horizon", 9), "at least --horizon 9"),
        (["y", *["1"] * 40], ("--horizon", 2, "--window", 30), "--window 30 with --horizon 2"),
        (["y", *["1"] * 40], ("--season", 30, "--horizon", 2), "--season must be less, not 30"),
        (["y", "1", "x"], ("--target", "z"), "has no column 'z': it has 'y'"),
        (["y", "1", "x"], (), "line 3, column 'y': 'x' is not a finite number"),
        (["y", "1", "inf"], (), "line 3, column 'y': 'inf' is not a finite number"),
        (["a,b", "1,2"], (), "has several columns of numbers: name the one to forecast"),
        (["a,b", "x,y"], (), "has no column of numbers"),
        (["y"], (), "has no records"),
        (
            ["date,y", *(f"2020-01-{day:02},1" for day in (1, 2, 3, 5, 4, 6))],
            (),
            "line 6: 2020-01-04 stands after 2020-01-05, where most are oldest first",
        ),
        (
            ["year,y", *(f"{year},1" for year in (1999, 1998, 1997, 1999))],
            (),
            "column 'year', line 5: 1999 stands after 1997, where most are newest first",
        ),
        (["y", "1"], ("--horizon", 0), "--horizon must be from 1 to 2**20, not 0"),
        (["y", "1"], ("--target", "y", "--also", "y"), "the column 'y' is the target"),
        (["y", "1"], ("--missing", "drop"), "--missing must be one of error, interpolate, not"),
    ],
)
def test_what_cannot_be_learned_is_named(
    tmp_path: Path, lines: list[str], options: tuple[object, ...], message: str
) -> None:
    file = write(tmp_path / "bad.csv", lines)
    text = run("train", "series", file, *options, "--out", tmp_path / "run", code=2)
    assert message in text
    assert not (tmp_path / "run").exists()


def test_a_series_too_short_to_forecast_from_is_named(file: Path, tmp_path: Path) -> None:
    train = ("train", "series", file, "--target", "sales", "--out", tmp_path / "run", *LESS)
    run(*train)
    short = write(tmp_path / "short.csv", waves(20))
    text = run("forecast", tmp_path / "run", short, code=2)
    assert "has 20 values: the run reads the last 36" in text


def test_sunspots_are_there(tmp_path: Path) -> None:
    text = run("train", "series", "--out", tmp_path / "run", *LESS)
    assert "statsmodels' sunspots: 309 values of 'sunspots' from 1700 to 2008" in text
    assert "a season of 11" in text


def test_a_number_beyond_all_use_is_named(tmp_path: Path) -> None:
    lines = ["year,sales", *(f"{1900 + n},{n % 7}" for n in range(90)), "1990,1e300"]
    text = run("train", "series", write(tmp_path / "s.csv", lines), *LESS, code=2)
    assert "line 92, column 'sales': '1e300' is beyond 1e+100" in text


def test_a_series_that_never_changes_leaves_nothing_to_learn(tmp_path: Path) -> None:
    lines = ["year,sales", *(f"{1900 + n},5" for n in range(90))]
    file = write(tmp_path / "s.csv", lines)
    text = run("train", "series", file, "--out", tmp_path / "run", *LESS)
    assert "last value, is always right: nothing is left to learn" in text
    assert "0% above" not in text


def test_a_season_is_not_blamed_on_the_horizon(tmp_path: Path) -> None:
    lines = ["year,sales", *(f"{1900 + n},{n % 7 + n / 99}" for n in range(100))]
    file = write(tmp_path / "s.csv", lines)
    text = run("train", "series", file, "--season", 99, *LESS, code=2)
    assert "the training part has 70 values: --season must be less, not 99" in text
    text = run("train", "series", file, "--season", 40, "--out", tmp_path / "run", *LESS)
    assert "a season of 40" in text
    assert "the next 15 forecast" in text  # as many as a held-out part has


def test_a_forecast_reads_a_table_as_it_is_told(tmp_path: Path) -> None:
    rows = [(1900 + n, f"{n % 7},{n % 10}") for n in range(90)]
    german = write(tmp_path / "a.csv", ["jahr;wert", *(f"{a};{b}" for a, b in rows)])
    other = write(tmp_path / "b.txt", ["jahr|wert", *(f"{a}|{b}" for a, b in rows)])
    folder = tmp_path / "run"
    run("train", "series", german, "--target", "wert", "--horizon", 2, "--out", folder, *LESS)
    expected = run("forecast", folder, german)
    assert run("forecast", folder, other) == expected
    assert run("forecast", folder, other, "--separator", "pipe") == expected
    assert "no column 'jahr'" in run("forecast", folder, other, "--separator", "tab", code=2)
