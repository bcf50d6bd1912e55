import io
from dataclasses import replace

import pytest
from rich.console import Console

from unrolled.apps.train import progress as module
from unrolled.apps.train.progress import Meter, progress
from unrolled.apps.train.settings import Settings
from unrolled.apps.train.task import BITS
from unrolled.apps.train.training import Report

REPORT = Report(
    step=1,
    loss=4.0,
    held_out=None,
    gradient_norm=0.5,
    learning_rate=1e-3,
    speed=1000.0,
)


HELD_OUT = {"loss": 3.5, "accuracy": 0.75}


def shown(terminal: bool, settings: Settings, reports: list[Report]) -> str:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=120, _environ={})
    with progress(console, settings, BITS) as show:
        for report in reports:
            show(report)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_terminal_gets_a_live_table() -> None:
    text = shown(True, Settings(steps=2), [REPORT, replace(REPORT, step=2, held_out=HELD_OUT)])
    for part in (
        "2/2",
        "4.000 bits/char",
        "3.500 bits/char",
        "accuracy",
        "0.750",
        "0.50",
        "1,000 chars/s",
        "0:00",
    ):
        assert part in text
    assert "\x1b[" in text


def test_anything_else_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    reports = [replace(REPORT, step=step) for step in range(1, 4)]
    assert shown(False, Settings(steps=3), reports) == (
        "step 3/3  training 4.000 bits/char  held out not yet  gradient 0.50  "
        "speed 1,000 chars/s  left 0:00\n"
    )
    monkeypatch.setattr(module, "EVERY", 0.0)
    assert len(shown(False, Settings(steps=3), reports).splitlines()) == 4


@pytest.mark.parametrize("terminal", [True, False])
def test_a_run_without_a_step_is_shown(terminal: bool) -> None:
    assert "0/2000" in shown(terminal, Settings(), [])


def test_the_loss_is_that_of_the_step_and_the_speed_is_smoothed() -> None:
    meter = Meter(Settings(), BITS)
    meter.update(REPORT)
    meter.update(replace(REPORT, step=2, loss=2.0, speed=2000.0))
    assert meter.figures()["training"] == "2.000 bits/char"  # as the log has it
    assert 1000 < meter.speed < 2000
    for _ in range(200):
        meter.update(replace(REPORT, step=3, speed=2000.0))
    assert meter.speed == pytest.approx(2000, abs=1)


def test_the_time_left_is_bounded_by_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([100.0, 110.0, 110.0])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    meter = Meter(Settings(steps=1000, seconds=30), BITS, step=10)
    assert meter.left() is None
    meter.update(replace(REPORT, step=12))
    assert meter.left() == pytest.approx(20)
    assert meter.done() == pytest.approx(1 / 3)
