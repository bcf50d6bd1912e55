import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from unrolled import cells
from unrolled.apps.cli import app
from unrolled.apps.draw.models import trained
from unrolled.apps.draw.request import _list, subject
from unrolled.draw import drawings
from unrolled.draw.drawings import DRAWINGS
from unrolled.errors import DrawError

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
    assert [line.split()[0] for line in output.splitlines()] == ["cell", *DRAWINGS]


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
        (["intent", "--run", "none"], "intent does not take --run"),
        (["lstm-cell", "-o", "."], "its ending (none) is not one of"),
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


@pytest.mark.parametrize(
    ("source", "name", "message"),
    [
        (CELL, "other", "cells.py has no cell called 'other': it has mine"),
        ("def broken(:", "broken", "cells.py cannot be run: SyntaxError"),
        ("raise RuntimeError('no')", "a", "cells.py cannot be run: RuntimeError: no"),
        ("mine = 3", "mine", "cells.py has no cell called 'mine': write it under @unrolled.cell"),
        (CELL.replace("* h", "* k"), "mine", "mine: unknown name: name 'k' is not defined"),
        (CELL.replace("    h = tanh", "    k = tanh"), "mine", "h has no next value"),
    ],
)
def test_cells_that_cannot_be_drawn(
    source: str, name: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("cells.py").write_text(source)
    code, output = run("lstm-cell", "--cell", f"cells.py:{name}", "-o", "a.png")
    assert code == 2
    assert message in output
    assert [path.name for path in tmp_path.glob("a*")] == []


@pytest.mark.broad
@pytest.mark.usefixtures("small_models")
def test_runs_that_do_not_fit(tmp_path: Path, small_models: Path) -> None:
    trained("gru")
    (run_of_a_gru,) = small_models.glob("gru-*-4.safetensors")
    for name, message in (
        ("terms", "gru has no state beside h"),
        ("paths", "a cell with two states: gru has 1"),
        ("surface", "gru has none; take a run of lstm"),
        ("film", "give --run once for each of them"),
    ):
        code, output = run(name, "--run", run_of_a_gru, "-o", tmp_path / "a.png")
        assert code == 2
        assert message in output
    assert not (tmp_path / "a.png").exists()
    code, output = run(
        "gates", "--run", run_of_a_gru, "--text", "ab" * 50, "-o", tmp_path / "a.svg"
    )
    assert code == 0
    assert "the text has 100 characters: the drawing shows the last 54" in output
    assert [path.name for path in tmp_path.glob("a*")] == ["a.svg"]


def test_without_ffmpeg_there_is_no_film(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    code, output = run("forget", "-o", tmp_path / "a.mp4")
    assert code == 2
    assert "needs the program ffmpeg" in output
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.png").write_text("mine")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("unrolled.atomic.os.replace", fail)
    code, output = run("loop", "-o", tmp_path / "a.png")
    assert code == 2
    assert "No space left on device" in output
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    assert (tmp_path / "a.png").read_text() == "mine"


@pytest.mark.broad
def test_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = {name: DRAWINGS[name] for name in ("loop", "forget", "gates")}
    monkeypatch.setattr(drawings, "DRAWINGS", chosen)
    code, output = run("--all", tmp_path / "new" / "all")
    assert code == 0, output
    found = [path.name for path in (tmp_path / "new" / "all").iterdir()]
    still = [f"{name}.{kind}" for name in chosen for kind in ("png", "svg")]
    assert sorted(found) == sorted([*still, "forget.gif"])
    (tmp_path / "file").write_text("")
    code, output = run("--all", tmp_path / "file")
    assert code == 2
    assert "cannot make the folder" in output


@pytest.mark.parametrize("name", [each.name for each in DRAWINGS.values() if "cell" in each.takes])
def test_a_drawing_that_refuses_a_cell_says_of_which_it_is(name: str) -> None:
    """Of a cell with one state and no gate; `--list` says it too."""
    found = DRAWINGS[name]
    try:
        found.picture(subject(cells.rnn_tanh))
    except DrawError:
        assert found.cells
        (line,) = (each for each in _list() if each.startswith(f"{name} "))
        assert line.endswith(f", of a cell with {found.cells}")
    else:
        assert not found.cells
