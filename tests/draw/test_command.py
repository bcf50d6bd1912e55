from pathlib import Path

import pytest
from typer.testing import CliRunner

from unrolled.cli import app
from unrolled.draw.drawings import DRAWINGS

CELL = """
import unrolled
from unrolled import affine, tanh

@unrolled.cell
def mine(x, h):
    h = tanh(affine(x)) * h
    return locals()
"""


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["draw", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def test_list() -> None:
    code, output = run("--list")
    assert code == 0
    assert [line.split()[0] for line in output.splitlines()] == list(DRAWINGS)


def test_a_drawing(tmp_path: Path) -> None:
    code, output = run("lstm-cell", "--cell", "gru", "-o", tmp_path / "gru.svg")
    assert (code, output.strip()) == (0, str(tmp_path / "gru.svg"))
    assert "<svg" in (tmp_path / "gru.svg").read_text(encoding="utf-8")


def test_a_cell_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "cells.py").write_text(CELL)
    code, _ = run("lstm-cell", "--cell", f"{tmp_path / 'cells.py'}:mine", "-o", tmp_path / "a.json")
    assert code == 0
    assert '"mine"' in (tmp_path / "a.json").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lstm-cel"], "no drawing is called 'lstm-cel'; did you mean lstm-cell"),
        (["lstm-cell", "--cell", "lstmm"], "no cell is called 'lstmm'; did you mean lstm"),
        (["lstm-cell", "--cell", "none.py:mine"], "there is no file none.py"),
        (["lstm-cell", "-o", "a.bmp"], "its ending .bmp is not one of"),
        (["loop", "-o", "a.gif"], "nothing moves"),
        (["loop", "-o", "none/a.png"], "there is no folder none"),
        (["loop", "--text", "abc"], "loop does not take --text"),
        (["loop", "--cell", "gru"], "loop does not take --cell"),
        (["memory", "--run", "none"], "there is no checkpoint at none"),
        (["memory", "--run", "none", "--cell", "gru"], "contradict each other"),
        (["loop", "--lang", "de"], "--lang is en or zh"),
        (["--list", "loop"], "got NAME and --list"),
        ([], "got none of them"),
        (["--all", "a", "--text", "b"], "leave out --cell, --run, --text and -o"),
    ],
)
def test_bad_input(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, output = run(*arguments)
    assert code == 2
    assert message in output
    assert "Traceback" not in output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.usefixtures("small_models")
def test_all(tmp_path: Path) -> None:
    code, output = run("--all", tmp_path / "all")
    assert code == 0, output
    expected = {
        f"{each.name}.{kind}"
        for each in DRAWINGS.values()
        if not each.chart
        for kind in ("png", "svg", *(["gif"] if each.moves else []))
    }
    found = {path.name: path.stat().st_size for path in (tmp_path / "all").iterdir()}
    assert set(found) == expected
    assert max(found.values()) < 3_000_000
