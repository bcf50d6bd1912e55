"""What a value is changed to, and where."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from torch import Tensor

from .recording import Recording
from .selection import Chosen

Function = Callable[[Tensor], Tensor]


@final
@dataclass(frozen=True, eq=False)
class Change:
    """What takes the place of a value, at some steps, rows and units.

    Attributes:
        value: a number; a tensor that broadcasts to the chosen part, in the layout in which the
            value is recorded; or a function of the value, called in every step with the rows that
            take part, (rows, units), which returns as many.
        steps: which steps, from 0; None for all. Those of a reverse layer are numbered as in the
            input. An int, a slice, a sequence of ints or a mask of bools, as for the others.
        rows: which rows of the batch; None for all.
        units: which units; None for all.
    """

    value: float | Tensor | Function | Patch
    steps: Chosen = None
    rows: Chosen = None
    units: Chosen = None

    def at(self, steps: Chosen, rows: Chosen, units: Chosen) -> Change:
        """The same, at these places where it does not say any of its own."""
        own = (self.steps, self.rows, self.units)
        chosen = [b if a is None else a for a, b in zip(own, (steps, rows, units), strict=True)]
        return Change(self.value, *chosen)


@final
@dataclass(frozen=True, eq=False)
class Patch:
    """A value of a recording.

    Attributes:
        recording: of another run.
        shift: how many steps earlier the value was recorded than it is put in.
        name: of the value; None for the name that is changed.
    """

    recording: Recording
    shift: int = 0
    name: str | None = None


def patch(
    recording: Recording,
    shift: int = 0,
    *,
    name: str | None = None,
    steps: Chosen = None,
    rows: Chosen = None,
    units: Chosen = None,
) -> Change:
    """Put values of another run in place of those of this one; for `unrolled.edit`.

    Args:
        recording: of the other run, with as many rows, or one for all rows.
        shift: step t takes what was recorded at step ``t - shift``. Steps for which there is none
            stay as they are, unless `steps` names them.
        name: of the recorded value; the name that is changed if left out.
        steps, rows, units: where; everywhere if left out. See `Change`.

    Raises:
        TypeError: for something that is no recording, or a shift that is no int.

    >>> import torch, unrolled
    >>> gru, x = unrolled.GRU(3, 4), torch.randn(5, 2, 3)
    >>> with unrolled.record(gru) as recording:
    ...     expected, _ = gru(x)
    >>> with unrolled.edit(gru, {"l0.h": unrolled.patch(recording)}):
    ...     output, _ = gru(torch.zeros(5, 2, 3))
    >>> torch.equal(output, expected)
    True
    """
    if not isinstance(recording, Recording):
        raise TypeError(f"patch() takes a recording, got {type(recording).__name__}")
    if not isinstance(shift, int) or isinstance(shift, bool):
        raise TypeError(f"patch(): shift should be a number of steps, got {shift!r}")
    return Change(Patch(recording, shift, name), steps, rows, units)
