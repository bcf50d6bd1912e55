from pathlib import Path

import pytest
from typer.testing import CliRunner

from unrolled.apps.cli import app

OWN = """
import unrolled
from unrolled import affine, tanh


@unrolled.cell
def leaky(x, h):
    n = tanh(affine(x, h))
    h = 0.9 * h + 0.1 * n
    return locals()
"""


def run(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["study", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result.output


@pytest.mark.broad
def test_a_cell_of_the_users_own_takes_part(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(OWN)
    name = f"{tmp_path / 'mine.py'}:leaky"
    options = ("--cells", name, "--gaps", 2, "--steps", 2, "--hidden", 4, "--seeds", 1)
    text = run("long", *options, "--jobs", 1, "--out", tmp_path / "r.json")
    assert "leaky" in text
    assert "1/1" in text
    assert "Known already: 1 of 1 trial." in run("long", *options, "--out", tmp_path / "r.json")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("longest",), "there is no task 'longest'"),
        (("long", "--cells", "lstn"), "no cell is called 'lstn'"),
        (("long", "--cells", "lstm+open"), "a start is one of"),
        (("long", "--gaps", "0"), "--gaps must be from 1 to 10000, not 0"),
        (("long", "--seeds", "0"), "--seeds must be from 1"),
        (("long", "--steps", "0"), "--steps must be from 1"),
    ],
)
def test_requests_that_cannot_be_met(arguments: tuple[str, ...], message: str) -> None:
    assert message in run(*arguments, code=2)
