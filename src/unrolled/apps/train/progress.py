"""A run on the screen: a live table on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias, final

from rich.cells import cell_len
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ..terminal import say
from .settings import Settings
from .task import Metric
from .training import Report

SMOOTHING = 0.95
"""How much of the smoothed speed the next step keeps."""

EVERY = 5.0
"""Seconds between plain lines."""

Show: TypeAlias = Callable[[Report], None]


@final
class Meter:
    """Figures of a run: the loss of the last step, as in the log; the smoothed speed, the last
    evaluation, the time left.
    """

    def __init__(self, settings: Settings, metric: Metric, step: int = 0) -> None:
        self.settings, self.metric, self.first = settings, metric, step
        self.began = time.monotonic()
        self.report: Report | None = None
        self.speed = self.weight = 0.0
        self.held_out: dict[str, float] | None = None

    def update(self, report: Report) -> None:
        """Take in one step."""
        self.report = report
        self.weight = SMOOTHING * self.weight + 1
        self.speed += (report.speed - self.speed) / self.weight
        if report.held_out is not None:
            self.held_out = report.held_out

    def done(self) -> float:
        """Return the part of the run that is over, from 0 to 1: of its steps or of its seconds."""
        step = self.report.step if self.report else self.first
        seconds = (time.monotonic() - self.began) / (self.settings.seconds or float("inf"))
        return min(1.0, max(step / self.settings.steps, seconds))

    def left(self) -> float | None:
        """Return the seconds left at the pace so far; None before the first step."""
        if self.report is None or self.report.step == self.first:
            return None
        elapsed = time.monotonic() - self.began
        steps = self.settings.steps - self.report.step
        left = elapsed / (self.report.step - self.first) * steps
        budget = self.settings.seconds
        return left if budget is None else max(0.0, min(left, budget - elapsed))

    def figures(self) -> dict[str, str]:
        """Return names and values, ready to print."""
        report, left = self.report, self.left()
        if report is None or left is None:
            return {"step": f"{self.first}/{self.settings.steps}"}
        measures = dict(self.held_out or {})
        loss = measures.pop("loss", None)
        return {
            "step": f"{report.step}/{self.settings.steps}",
            "training": f"{report.loss:.3f} {self.metric.name}",
            "held out": "not yet" if loss is None else f"{loss:.3f} {self.metric.name}",
            **{name: f"{value:.3f}" for name, value in measures.items()},
            "gradient": f"{report.gradient_norm:.2f}",
            "speed": f"{self.speed:,.0f} {self.metric.item}/s",
            "left": f"{int(left) // 60}:{int(left) % 60:02}",
        }


@contextmanager
def progress(console: Console, settings: Settings, metric: Metric, step: int = 0) -> Iterator[Show]:
    """Show a run's reports on ``console``, by the function that is given on entry.

    Args:
        console: to write on.
        settings: of the run.
        metric: of its losses.
        step: where the run stands, 0 if it is new.
    """
    meter = Meter(settings, metric, step)
    latest = time.monotonic()

    def write() -> None:
        say(console, "  ".join(f"{name} {value}" for name, value in meter.figures().items()))

    def show(report: Report) -> None:
        nonlocal latest
        meter.update(report)
        if time.monotonic() - latest >= EVERY:
            latest = time.monotonic()
            write()

    if console.is_terminal:
        with Live(console=console, get_renderable=lambda: _table(meter, console.width)):
            yield meter.update
    else:
        yield show
        write()


GAP = 2
"""Columns between two figures."""


def _table(meter: Meter, columns: int) -> Group:
    """Return the bar in a line of its own, and the figures under their names below it: in as many
    rows as whole columns take.
    """
    bar = Table.grid()
    bar.add_row(ProgressBar(total=1.0, completed=meter.done(), width=min(60, columns)))
    return Group(bar, *(_row(figures) for figures in _rows(meter.figures(), columns)))


def _rows(figures: dict[str, str], columns: int) -> list[dict[str, str]]:
    """Return figures divided into rows of so many columns."""
    rows: list[dict[str, str]] = [{}]
    used = 0
    for name, figure in figures.items():
        wide = max(cell_len(name), cell_len(figure)) + GAP
        if rows[-1] and used + wide > columns:
            rows.append({})
            used = 0
        rows[-1][name] = figure
        used += wide
    return rows


def _row(figures: dict[str, str]) -> Table:
    table = Table(box=None, padding=(0, GAP, 0, 0))
    for name in figures:
        table.add_column(name, style="bold", header_style="dim", no_wrap=True)
    table.add_row(*map(Text, figures.values()))
    return table
