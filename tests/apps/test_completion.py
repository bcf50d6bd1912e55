"""What shells complete, asked in the way of each."""

import pytest
from typer.testing import CliRunner

from unrolled.apps.cli import app

SHELLS = {
    "bash": lambda line: {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)},
    "zsh": lambda line: {"_TYPER_COMPLETE_ARGS": line},
    "fish": lambda line: {
        "_TYPER_COMPLETE_ARGS": line,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    },
}


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("unrolled tr", "translate"),
        ("unrolled show rnn_t", "rnn_tanh"),
        ("unrolled draw satu", "saturation"),
        ("unrolled draw cell --cell mg", "mgu"),
        ("unrolled train text --schedule cos", "cosine"),
        ("unrolled train series --missing inter", "interpolate"),
    ],
)
def test_names_are_completed(shell: str, line: str, name: str) -> None:
    asked = {"_UNROLLED_COMPLETE": f"complete_{shell}", **SHELLS[shell](line)}
    result = CliRunner().invoke(app, [], prog_name="unrolled", env=asked)
    assert result.exit_code == 0
    assert name in result.output


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_is_told_how_to_ask(shell: str) -> None:
    asked = {"_UNROLLED_COMPLETE": f"source_{shell}"}
    result = CliRunner().invoke(app, [], prog_name="unrolled", env=asked)
    assert f"_UNROLLED_COMPLETE=complete_{shell}" in result.output
