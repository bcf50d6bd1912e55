import json
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from unrolled.apps.bench import run as runs
from unrolled.apps.bench.outcome import Timing
from unrolled.apps.cli import app


@pytest.fixture(autouse=True)
def _threads() -> Any:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def bench(*arguments: object, code: int = 0) -> str:
    """What the command writes, stderr included; it must end with ``code``."""
    result = CliRunner().invoke(app, ["bench", *map(str, arguments)], env={"COLUMNS": "100"})
    assert result.exit_code == code, result.output
    return result.output


TINY = ("--own", "3,2,4,5", "--seconds", "0.001", "--rivals", "none", "--threads", "1")


def test_own_shape_as_table_and_as_data(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    kinds = ("--rows", "inference,streaming", "--rows", "taps", "--cells", "lstm")
    text = bench(*TINY, *kinds, "--own", "2,1,1,1", "--json", path)
    assert "LSTM inference\n" in text
    assert "3,2,4,5" in text
    assert "2,1,1,1" in text
    assert "geometric means" in text
    assert max(map(len, text.splitlines())) <= 100
    data = json.loads(path.read_text())
    assert {row["kind"] for row in data["rows"]} == {"inference", "streaming", "taps"}
    assert {tuple(row["shape"]) for row in data["rows"]} == {(3, 2, 4, 5), (2, 1, 1, 1)}
    assert data["threads"] == 1
    for row in data["rows"]:
        ours, theirs = (each["seconds"] for each in row["contenders"])
        middle = sorted(their / our for our, their in zip(ours, theirs, strict=True))[
            len(ours) // 2
        ]
        (ratio,) = row["ratios"].values()
        if len(ours) % 2:
            assert ratio["median"] == pytest.approx(middle)


def test_wrong_numbers_end_with_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        runs, "outcome", lambda row, *_: Timing(row, (), {}, "torch.nn: output is off")
    )
    text = bench(*TINY, "--rows", "inference", "--cells", "gru", code=1)
    assert "WRONG, so not timed: torch.nn: output is off" in text


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--own", "1,2,3"), "--own '1,2,3': expected T,B,I,H"),
        (("--own", "1,2,3,0"), "four whole numbers above 0"),
        (("--own", "1,2,x,4"), "four whole numbers above 0"),
        (("--own", "1,2,3,4", "--quick"), "--quick and --own"),
        (("--rows", "inferense"), "--rows: unknown name 'inferense'; known: inference, training"),
        (("--cells", "lstn"), "--cells: unknown name 'lstn'; known: rnn, gru, lstm"),
        (
            ("--rivals", "tensorflow"),
            "--rivals: no rival is called 'tensorflow'; known: none, onnx",
        ),
        (("--seconds", "0"), "--seconds must be from 0.001 to 3600, not 0.0"),
        (("--seconds", "nan"), "--seconds must be from 0.001 to 3600, not nan"),
        (("--rows", "packed", "--cells", "gru"), "no row of packed is about gru"),
        (("--json", "/no/such/folder/a.json"), "there is no folder /no/such/folder"),
        (("--json", "."), "is a folder"),
        (("--threads", "0"), "--threads"),
    ],
)
def test_bad_input_is_answered(arguments: tuple[str, ...], sentence: str) -> None:
    assert sentence in bench(*arguments, code=2)


def test_a_rival_that_is_not_here_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unrolled.apps.bench.rivals.missing", lambda *_: "jax not installed")
    assert "JAX cannot take part: jax not installed" in bench("--rivals", "jax", code=2)
