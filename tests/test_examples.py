"""The examples run, and print what the documentation says of them."""

import runpy
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "examples"

PRINTED = {
    "a_cell_of_your_own.py": ("two_speeds_backward", "What runs it: compiled kernel"),
    "adopt_a_model.py": ("torch.nn.LSTM -> unrolled.LSTM", "with equal results: True"),
    "look_inside.py": ("lstm.l0.f", "with the forget gate closed", "DIAGNOSE"),
    "why_gradients_vanish.py": (
        "equal: True",
        "lstm keeps more than rnn: in 5 of 5 seeds",
        "lstm, bias 1 keeps more than lstm: in 5 of 5 seeds",
    ),
}
"""What stands in the output of each: an example without a line here fails its test."""


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_an_example_prints_what_it_shows(
    path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", [str(path)])
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(path), run_name="__main__")
    printed = capsys.readouterr().out
    assert [line for line in PRINTED[path.name] if line not in printed] == []


def test_every_example_is_linked_from_the_readme() -> None:
    readme = (FOLDER.parent / "README.md").read_text(encoding="utf-8")
    assert [name for name in PRINTED if f"](examples/{name})" not in readme] == []
    assert {path.name for path in FOLDER.glob("*.py")} == set(PRINTED)
