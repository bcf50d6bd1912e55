import re
from pathlib import Path

import pytest

from unrolled import cells
from unrolled.apps.cell import cell_of
from unrolled.errors import CellWarning, UserError

from .report.runs import PLAIN, command, train

MINE = '''
import unrolled
from unrolled import affine, tanh

@unrolled.cell
def leaky(x, h, *, alpha=0.9):
    """A leaky integrator."""
    h = (1 - alpha) * h + alpha * tanh(affine(x, h))
    return locals()
'''


def test_a_cell_of_ones_own_is_named_wherever_a_cell_is_and_lives_on_in_its_run(
    tmp_path: Path,
) -> None:
    file = tmp_path / "mine.py"
    file.write_text(MINE)
    mine = f"{file}:leaky"
    assert "(1 - alpha) * h" in command("show", mine)
    assert "leaky: 1 pass" in command("kernel", mine, "--summary")
    run = train(tmp_path, PLAIN, "--cell", mine)
    other = train_again(tmp_path, run)
    file.unlink()  # the run has the equations
    for shown in (run, other):
        assert "(1 - alpha) * h" in command("show", shown)
        assert "l0" in command("diagnose", shown, "--text", PLAIN[:40])
    assert cell_of(str(run)) == cell_of(str(other)) != cells.rnn_tanh
    command("report", run, "--text", PLAIN[:40])
    page = (run / "report.html").read_text()
    (drawn,) = re.findall(r"unrolled draw cell --cell (\S+) -o ([^<]+)", page)
    assert drawn == (str(run), "leaky.svg")
    command("draw", "cell", "--cell", run, "-o", tmp_path / "leaky.svg")
    assert (tmp_path / "leaky.svg").stat().st_size > 1000


def test_warnings_are_of_the_cell_that_was_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    idle = """
@unrolled.cell
def idle(x, h):
    unused = affine(x)
    h = tanh(affine(x, h))
    return locals()
"""
    file.write_text(f"{MINE}{idle}")
    assert cell_of(f"{file}:leaky").name == "leaky"  # a warning is an error here
    with pytest.warns(CellWarning, match="^idle: line ") as caught:
        cell_of(f"{file}:idle")
    assert [(each.filename, each.lineno) for each in caught] == [(str(file), 13)]
    file.write_text(f"import warnings\nwarnings.warn('of the file')\n{MINE}{idle}")
    with pytest.warns(UserWarning, match="of the file"):
        cell_of(f"{file}:leaky")


def train_again(folder: Path, run: Path) -> Path:
    """Train with the cell of a run."""
    again = folder / "again"
    again.mkdir()
    return train(again, PLAIN, "--cell", run)


def test_what_is_no_cell_is_named(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "script.py").write_text("raise SystemExit(3)")
    for name, message in {
        "": "the name of the cell is empty",
        f"{tmp_path}/script.py:leaky": "cannot be run: SystemExit: 3",
        "lstmm": "no cell is called 'lstmm'; did you mean lstm.*FILE.py:NAME, or a run's folder",
        f"{tmp_path}": "there is no checkpoint",
        f"{tmp_path}/mine.py:other": "has no cell called 'other': it has leaky",
        f"{tmp_path}/none.py:leaky": "there is no file",
    }.items():
        with pytest.raises(UserError, match=message):
            cell_of(name)


def test_a_name_in_the_bytes_of_a_poorer_locale_is_found_or_named(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MINE.replace("leaky", "记忆"), encoding="utf-8")
    given = "记忆".encode().decode("ascii", "surrogateescape")
    assert cell_of(f"{tmp_path}/mine.py:{given}").name == "记忆"
    with pytest.raises(UserError, match="no cell is called '记忆'"):
        cell_of(given)
