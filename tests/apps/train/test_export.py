"""Runs as programs of C: they read and write what the runs do."""

import ctypes
import math
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy
import pytest

import unrolled
from unrolled.apps.train import checkpoint as checkpoints
from unrolled.apps.train.series.options import Choice
from unrolled.apps.train.series.task import open_task
from unrolled.apps.train.settings import Settings
from unrolled.apps.train.table import open_table
from unrolled.apps.train.training import Training
from unrolled.errors import UserError

from .tables import LESS, run, write

pytestmark = [
    pytest.mark.broad,
    pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed"),
]
STATE = 200_000


def compiled(folder: Path, name: str) -> Any:
    library = folder / "all.so"
    strict = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]
    build = ["gcc", *strict, "-O1", "-shared", "-fPIC", str(folder / f"{name}.c"), "-o", library]
    done = subprocess.run([*build, "-lm"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return ctypes.CDLL(str(library))


def pointer(array: numpy.ndarray) -> Any:
    return numpy.ascontiguousarray(array).ctypes.data_as(ctypes.c_void_p)


def wave(number: int, shop: int) -> float:
    return round(10 + 50 * shop + math.sin(number / 2) + number / 40, 4)


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize("known", [True, False])
def test_series_are_forecast(known: bool, relative: bool, tmp_path: Path) -> None:
    rows = [f"{name},{wave(n, k)},{n % 3}" for k, name in enumerate("ab") for n in range(60)]
    file = write(tmp_path / "t.csv", ["shop,sales,open", *rows])
    options: Any = {"known": ["open"]} if known else {"also": ["open"]}
    choice = Choice(
        target="sales", series="shop", horizon=3, window=8, season=6, relative=relative, **options
    )
    task = open_task(Settings(hidden=7, batch=4), open_table(file), choice)
    training = Training(task, unrolled.cells.gru)
    (tmp_path / "run").mkdir()
    checkpoints.save(tmp_path / "run" / checkpoints.NAME, training.checkpoint())
    loaded = unrolled.load(tmp_path / "run")
    loaded.export(tmp_path / "out", name="m", dtype="double")
    library = compiled(tmp_path / "out", "m")
    after = [[1], [2], [0]]
    table: dict[str, list[Any]] = {"shop": [], "sales": [], "open": []}
    for k, name in enumerate("ab"):
        for n in range(60):
            for column, cell in zip(table.values(), (name, wave(n, k), n % 3), strict=True):
                column.append(cell)
        for each in after if known else []:
            for column, cell in zip(table.values(), (name, None, each[0]), strict=True):
                column.append(cell)
    expected = loaded.forecast(table).values.reshape(2, 3)
    state = ctypes.create_string_buffer(STATE)
    for k in range(2):
        values = numpy.array([[wave(n, k), n % 3] for n in range(52, 60)], "float64")
        found = numpy.full(3, numpy.nan)
        more = [pointer(numpy.array(after, "float64"))] if known else []
        assert library.m_forecast(state, k, pointer(values), *more, pointer(found)) == 0
        assert found == pytest.approx(expected[k], rel=1e-5)
    for k in (-1, 2):
        assert library.m_forecast(state, k, None, *([None] if known else []), None) == -1
    names = (ctypes.c_char_p * 2).in_dll(library, "m_series")
    assert list(names) == [b"a", b"b"]


def test_texts_are_read_and_classified(tmp_path: Path) -> None:
    rows = [f"{('ü?b', 'xyz')[n % 2]}{n % 5},{('gut', 'a/*b')[n % 2]}" for n in range(40)]
    file = write(tmp_path / "t.csv", ["text,kind", *rows])
    run("train", "classify", file, "--by", "characters", "--out", tmp_path / "run", *LESS)
    text = run("export", tmp_path / "run", "-o", tmp_path / "out", "--name", "m", "--double")
    assert text.splitlines()[1] == str(tmp_path / "out" / "m.c")
    library = compiled(tmp_path / "out", "m")
    loaded = unrolled.load(tmp_path / "run")
    count = len(loaded.problem.reading.alphabet)
    symbols = (ctypes.c_char_p * count).in_dll(library, "m_symbols")
    assert [each.decode() for each in symbols] == ["", *loaded.problem.reading.alphabet.symbols]
    answers = (ctypes.c_char_p * 2).in_dll(library, "m_answers")
    assert [each.decode() for each in answers] == list(loaded.problem.classes)
    library.m_symbol.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
    for given in ("ü?b1", "xyz€ü"):
        state, y = ctypes.create_string_buffer(STATE), (ctypes.c_double * 2)()
        library.m_reset(state)
        rest, used, read = given.encode(), ctypes.c_int(), []
        while rest:
            read.append(library.m_symbol(rest, ctypes.byref(used)))
            library.m_step(state, read[-1], y)
            rest = rest[used.value :]
        assert read == loaded.problem.reading.alphabet.encode(given)
        library.m_softmax(y)
        told = loaded.predict([given])[0]
        best = max(range(2), key=lambda k: y[k])
        assert loaded.problem.classes[best] == told.label
        assert y[best] == pytest.approx(told.probability, rel=1e-5)


def test_numbers_are_scaled(tmp_path: Path) -> None:
    rows = [f"{100 + n},{n % 7},{'ab'[n % 2]}" for n in range(40)]
    file = write(tmp_path / "t.csv", ["u,v,kind", *rows])
    options = ("--sequence", "u", "--sequence", "v", "--label", "kind", "--step", 2)
    run("train", "classify", file, *options, "--out", tmp_path / "run", *LESS)
    loaded = unrolled.load(tmp_path / "run")
    loaded.export(tmp_path / "out", name="m", dtype="double")
    library = compiled(tmp_path / "out", "m")
    x = numpy.empty(2)
    library.m_encode(pointer(numpy.array([120.0, 3.0])), x.ctypes.data_as(ctypes.c_void_p))
    assert x == pytest.approx(loaded.problem.encode([[120.0, 3.0]])[0].tolist(), rel=1e-6)


def test_characters_of_a_text_are_told_apart(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("zwölf Boxkämpfer jagen Viktor.\n" * 40, encoding="utf-8")
    options = ("--window", 8, "--held-out", 0.2, "--out", tmp_path / "run")
    run("train", "text", text, *options, *LESS)
    loaded = unrolled.load(tmp_path / "run")
    loaded.export(tmp_path / "out", name="m")
    library = compiled(tmp_path / "out", "m")
    used = ctypes.c_int()
    for place, letter in enumerate(loaded.problem.vocabulary):
        assert library.m_symbol(letter.encode() + b"x", ctypes.byref(used)) == place
        assert used.value == len(letter.encode())
    for strange, bytes_ in (("Ж", 2), ("€", 3), ("", 0)):
        assert library.m_symbol(strange.encode() + b"\0", ctypes.byref(used)) == -1
        assert used.value == bytes_


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    pairs = [f"{a}{b}\t{b}{a}" for a in "abcdef" for b in "xyzuvw"]
    run("train", "pairs", write(tmp_path / "p.tsv", pairs), "--out", tmp_path / "run", *LESS)
    with pytest.raises(UserError, match=r"train pairs` cannot be exported as a whole"):
        unrolled.load(tmp_path / "run").export(tmp_path / "out")
    assert not (tmp_path / "out").exists()
    text = run("export", tmp_path / "run", "-o", tmp_path / "out", "--to", "fortran", code=2)
    assert "train pairs" in text or "--to must be one of c" in text
