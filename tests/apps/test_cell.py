import re
from pathlib import Path

import pytest

from unrolled import cells
from unrolled.apps.cell import cell_of
from unrolled.errors import UserError

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


def train_again(folder: Path, run: Path) -> Path:
    """Train with the cell of a run."""
    again = folder / "again"
    again.mkdir()
    return train(again, PLAIN, "--cell", run)


def test_what_is_no_cell_is_named(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MINE)
    for name, message in {
        "lstmm": "no cell is called 'lstmm'; did you mean lstm.*FILE.py:NAME, or a run's folder",
        f"{tmp_path}": "there is no checkpoint",
        f"{tmp_path}/mine.py:other": "has no cell called 'other': it has leaky",
        f"{tmp_path}/none.py:leaky": "there is no file",
    }.items():
        with pytest.raises(UserError, match=message):
            cell_of(name)
