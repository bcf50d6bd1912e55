"""The problem of forecasting a series."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, final

import numpy
import torch
from numpy.typing import NDArray
from torch import Tensor

from ....equations import Cell
from ....schema import Finite, NotNegative, Positive, Size
from ....structures import ManyToOne, Vectors
from ..settings import Settings
from ..table.format import CSV, Format
from ..task import Problem, build


@final
@dataclass(frozen=True)
class Forecasting(Problem):
    """The columns that are forecast and read, how far, and their scale.

    Attributes:
        target: the column that is forecast.
        also: further columns that are read.
        window: how many values are read.
        horizon: how many are forecast at once.
        season: after how many steps the series repeats itself; 1: it does not.
        relative: whether values are taken from the last one of the window, so that a level that
            was never seen does not matter.
        mean, scale: of each column on the training part.
        error: the mean absolute error of the seasonal naive forecast on the training part, one
            step ahead in the season: the unit of MASE.
        format: how the table stood in its file.
        last: of each column the values at the end of the series, from which forecasts go on; empty
            in runs that were begun without.
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

    def __post_init__(self) -> None:
        if not len(self.mean) == len(self.scale) == 1 + len(self.also):
            raise ValueError(
                f"mean and scale: expected {1 + len(self.also)} numbers each, one for each column"
            )
        needed = max(self.window, self.season)
        if self.last and {len(column) for column in self.last} != {needed}:
            raise ValueError(f"last: expected {needed} values of each column")
        if self.last and len(self.last) != len(self.mean):
            raise ValueError(f"last: expected {len(self.mean)} columns, not {len(self.last)}")

    def model(self, settings: Settings, cell: Cell) -> ManyToOne:
        """Return a network from the window to the next values: many → one."""
        reads, writes = Vectors(1 + len(self.also)), Vectors(self.horizon)
        return build(ManyToOne, settings, cell, reads, writes)

    def encode(self, windows: NDArray[Any]) -> Tensor:
        """Return what the model reads, float32 (L, B, I), of windows (L, B, I)."""
        level = numpy.array(self.mean)
        if self.relative:
            level = numpy.concatenate(
                [windows[-1:, :, :1], numpy.broadcast_to(level[1:], windows[-1:, :, 1:].shape)], 2
            )
        return torch.from_numpy((windows - level) / numpy.array(self.scale)).float()

    def level(self, windows: NDArray[Any]) -> NDArray[Any]:
        """Return from where the target is counted, (B, 1)."""
        return (
            windows[-1, :, :1] if self.relative else numpy.full((windows.shape[1], 1), self.mean[0])
        )

    def decode(self, outputs: Tensor, windows: NDArray[Any]) -> NDArray[Any]:
        """Return forecasts in the series' own units, (B, N), of what a model gives for windows."""
        return outputs.double().cpu().numpy() * self.scale[0] + self.level(windows)
