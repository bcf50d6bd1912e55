from pathlib import Path

import pytest

from unrolled.train import log

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
