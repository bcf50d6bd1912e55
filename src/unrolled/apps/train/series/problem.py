"""The problem of forecasting series."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, final

import numpy
import torch
from numpy.typing import NDArray
from torch import Tensor

from ....equations import Cell
from ....schema import Finite, NotNegative, Positive, Size
from ....structures import ManyToMany, ManyToOne, Vectors
from ..settings import Settings
from ..table.format import CSV, Format
from ..task import Problem, build
from .axis import Axis
from .roles import Roles


@final
@dataclass(frozen=True)
class Forecasting(Problem):
    """The columns that are forecast and read, how far, and their scale.

    Of several series, all have one network, and each has a mean and a scale of its own. What runs
    of earlier versions do not hold has a default.

    Attributes:
        target: the column that is forecast.
        also: further columns that are read.
        window: how many values are read.
        horizon: how many are forecast at once.
        season: after how many steps the series repeats itself; 1: it does not.
        relative: whether values are taken from the last one of the window, so that a level that
            was never seen does not matter.
        mean, scale: of each column on the training part, for one series after the other.
        error: the mean absolute error of the seasonal naive forecast on the training part, one
            step ahead in the season, of all series.
        format: how the table stood in its file.
        last: of each column the values at the end of the series, from which forecasts go on; for
            one series after the other; empty in runs that were begun without.
        known: further columns that are read, and known for the future.
        time: the columns of the time; none: the records are in order.
        series: the column that tells several series apart; None: there is one.
        names: of the series.
        missing: what becomes of empty cells: error or interpolate.
        fill_gaps: whether steps without a record are interpolated.
        axes: of the times of each series, from which forecasts have theirs; none without times.
        future: what the columns of ``known`` hold after the end of each series, one series after
            the other.
    """

    kind: ClassVar[str] = "series"
    data: ClassVar[str] = "series"
    target: str
    also: tuple[str, ...]
    window: Size
    horizon: Size
    season: Size
    relative: bool
    mean: tuple[Finite, ...]
    scale: tuple[Positive, ...]
    error: NotNegative
    format: Format = CSV
    last: tuple[tuple[Finite, ...], ...] = field(default=(), compare=False, repr=False)
    known: tuple[str, ...] = ()
    time: tuple[str, ...] = field(default=(), compare=False)
    series: str | None = None
    names: tuple[str, ...] = ("",)
    missing: Literal["error", "interpolate"] = field(default="error", compare=False)
    fill_gaps: bool = False
    axes: tuple[Axis, ...] = field(default=(), compare=False, repr=False)
    future: tuple[tuple[Finite, ...], ...] = field(default=(), compare=False, repr=False)

    def __post_init__(self) -> None:
        columns, series = len(self.roles.numbers), len(self.names)
        if series < 1 or len(set(self.names)) < series:
            raise ValueError("names: expected one for each series, all different")
        if not len(self.mean) == len(self.scale) == columns * series:
            raise ValueError(
                f"mean and scale: expected {columns * series} numbers each, one for each column"
            )
        needed = max(self.window, self.season)
        if self.last and {len(column) for column in self.last} != {needed}:
            raise ValueError(f"last: expected {needed} values of each column")
        if self.last and len(self.last) != len(self.mean):
            raise ValueError(f"last: expected {len(self.mean)} columns, not {len(self.last)}")
        if self.axes and len(self.axes) != series:
            raise ValueError(f"axes: expected {series}, one for each series")
        if self.future and len(self.future) != len(self.known) * series:
            raise ValueError(f"future: expected {len(self.known) * series} columns")

    @property
    def roles(self) -> Roles:
        """What the columns of a table are."""
        return Roles(self.target, self.also, self.known, self.time, self.series)

    def model(self, settings: Settings, cell: Cell) -> ManyToOne | ManyToMany:
        """Return a network from the window to the next values: many → one.

        Where columns are known for the future, it reads on to the end of the horizon, with a mark
        of what is future, and answers there step by step: many → many.
        """
        count = len(self.roles.numbers)
        if self.known:
            return build(ManyToMany, settings, cell, Vectors(count + 1), Vectors(1))
        return build(ManyToOne, settings, cell, Vectors(count), Vectors(self.horizon))

    def encode(
        self, windows: NDArray[Any], which: NDArray[Any], future: NDArray[Any] | None = None
    ) -> Tensor:
        """Return what the model reads, float32 (L, B, I).

        Args:
            windows: values of all columns, (window, B, C).
            which: the series that they are of, int (B,).
            future: the next values of the columns of ``known``, (m, B, K): the model forecasts as
                many; None where there is no such column.
        """
        level = numpy.broadcast_to(self._of(self.mean, which), windows[-1:].shape)
        if self.relative:
            level = numpy.concatenate([windows[-1:, :, :1], level[:, :, 1:]], 2)
        scale = self._of(self.scale, which)
        past = (windows - level) / scale
        if future is None:
            return torch.from_numpy(past).float()
        own = past.shape[2] - future.shape[2]
        coming = (future - level[:, :, own:]) / scale[:, own:]
        read = numpy.zeros((len(past) + len(future), past.shape[1], past.shape[2] + 1))
        read[: len(past), :, :-1] = past
        read[len(past) :, :, own:-1] = coming
        read[len(past) :, :, -1] = 1
        return torch.from_numpy(read).float()

    def answers(self, outputs: Tensor, steps: int) -> Tensor:
        """Return the forecasts, scaled, (B, ``steps``), among a model's outputs."""
        return outputs[-steps:, :, 0].T if self.known else outputs[:, :steps]

    def level(self, windows: NDArray[Any], which: NDArray[Any]) -> NDArray[Any]:
        """Return from where the target is counted, (B, 1)."""
        return windows[-1, :, :1] if self.relative else self._of(self.mean, which)[:, :1]

    def unit(self, which: NDArray[Any]) -> NDArray[Any]:
        """Return the scale of the target, (B, 1)."""
        return self._of(self.scale, which)[:, :1]

    def decode(self, answers: Tensor, windows: NDArray[Any], which: NDArray[Any]) -> NDArray[Any]:
        """Return forecasts in the series' own units, (B, N), of a model's answers for windows."""
        told = answers.double().cpu().numpy()
        return told * self.unit(which) + self.level(windows, which)

    def _of(self, figures: tuple[float, ...], which: NDArray[Any]) -> NDArray[Any]:
        """Return the figures of the columns of some series, (B, C)."""
        return numpy.array(figures).reshape(len(self.names), -1)[which]
