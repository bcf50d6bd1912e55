from pathlib import Path

import pytest

from unrolled.apps.train import log
from unrolled.schema import checked, parse

LINES = [f'{{"step": {step}}}\n' for step in range(1, 6)]


@pytest.mark.parametrize(
    "tail", ["", '{"step": 6', "garbage\n", '{"no": 1}\n', "7\n", '{"step": 3}']
)
def test_the_log_is_cut_back_to_the_step(tmp_path: Path, tail: str) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text("".join(LINES) + tail)
    log.cut(path, 9)
    assert path.read_text() == "".join(LINES)
    log.cut(path, 3)
    assert path.read_text() == "".join(LINES[:3])
    log.cut(path, 0)
    assert path.read_text() == ""


def test_a_missing_log_stays_missing(tmp_path: Path) -> None:
    log.cut(tmp_path / "log.jsonl", 3)
    assert list(tmp_path.iterdir()) == []


NO_STEP = [
    "[" * 100_000,
    '{"step": 1e400, "loss": 1}',
    f'{{"step": {"9" * 4000}, "loss": 1}}',
    f'{{"step": {"9" * 5000}, "loss": 1}}',
    '{"step": true, "loss": 1}',
    '{"step": -1, "loss": 1}',
]
NO_LOSS = [
    '{"step": 1, "loss": NaN}',
    '{"step": 1, "loss": "low"}',
    '{"step": 1, "loss": 1, "held_out": {"loss": Infinity}}',
]


@pytest.mark.parametrize("line", NO_STEP)
def test_a_line_without_a_step_is_cut_off(tmp_path: Path, line: str) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text("".join(LINES) + line + "\n")
    log.cut(path, 5)
    assert path.read_text() == "".join(LINES)


@pytest.mark.parametrize("line", [*NO_STEP, *NO_LOSS])
def test_a_damaged_line_gives_no_curve(tmp_path: Path, line: str) -> None:
    path, good = tmp_path / "log.jsonl", '{"step": 1, "loss": 1}\n'
    path.write_text(good)
    assert log.lines(path) == [log.Line(1, 1.0)]
    path.write_text(good + line + "\n")
    with pytest.raises(ValueError, match=r"."):
        log.lines(path)


def test_a_line_is_read() -> None:
    text = '{"step": 3, "loss": 1.5, "held_out": {"loss": 2, "accuracy": NaN}, "speed": 9}'
    assert checked(parse(text), log.Line) == log.Line(3, 1.5, log.HeldOut(2.0))
