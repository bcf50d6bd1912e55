import io
from pathlib import Path

import pytest
from rich.console import Console

from unrolled.apps.terminal import Interrupt
from unrolled.apps.train import checkpoint as checkpoints
from unrolled.apps.train.demo import demo
from unrolled.errors import UserError


def shown(folder: Path, interrupt: Interrupt) -> str:
    console = Console(file=io.StringIO(), width=100, _environ={})
    demo(console, 2.0, folder, interrupt)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.slow
def test_the_demonstration_trains_writes_and_compares(tmp_path: Path) -> None:
    for _ in range(2):  # the second replaces the first
        text = shown(tmp_path, Interrupt())
        for part in ("temperature 0.5", "5-gram", "this lstm", "bits per character", "Go on:"):
            assert part in text
    checkpoint = checkpoints.load(tmp_path)
    assert checkpoint.step == checkpoint.settings.steps
    assert checkpoint.last is not None


@pytest.mark.broad
def test_an_interrupted_demonstration_keeps_its_checkpoint(tmp_path: Path) -> None:
    with Interrupt() as interrupt:
        interrupt._note(2, None)
        assert "5-gram" not in shown(tmp_path, interrupt)
    assert checkpoints.load(tmp_path).step == 0


def test_a_run_of_another_kind_is_not_replaced(trained: Path) -> None:
    with pytest.raises(UserError, match="not the demonstration's"):
        shown(trained, Interrupt())
    assert checkpoints.load(trained).step == 6
