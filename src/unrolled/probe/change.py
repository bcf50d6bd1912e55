"""Changes of values, and what is put in their place in each call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import NamedTuple, cast, final

import torch
from torch import Tensor

from ..display import text_of
from ..nn.sequence import Sequences as Form
from .names import Place
from .recording import Layout, Recording
from .selection import Chosen, Selection, index

Function = Callable[[Tensor], Tensor]


@final
@dataclass(frozen=True, eq=False)
class Change:
    """A replacement of a value, at some steps, rows and units.

    Attributes:
        value: a number; a tensor that broadcasts to the chosen part, in the layout in which the
            value is recorded, of which a call with fewer rows than others takes its own; or a
            function of the value, called in every step with the rows that
            take part, (rows, units), which returns as many.
        steps: which steps, from 0; None for all. Those of a reverse layer are numbered as in the
            input. An int, a slice, a sequence of ints or a mask of bools, as for the others.
        rows: which rows of the batch; None for all. Calls that have fewer rows than one before them
            leave out those that they have not, and so do calls of a single step, after which there
            may be more.
        units: which units; None for all.
    """

    value: float | Tensor | Function | Patch
    steps: Chosen = None
    rows: Chosen = None
    units: Chosen = None

    __repr__ = text_of

    def at(self, steps: Chosen, rows: Chosen, units: Chosen) -> Change:
        """Return the same, at these places where it does not say any of its own."""
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

    __repr__ = text_of


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
        recording: of the other run, with as many rows at each step, or one for all rows.
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


class CallPart(NamedTuple):
    """The chosen part of one call."""

    form: Form
    layout: Layout
    start: int  # the steps of earlier calls
    steps: list[int]
    choices: list[int]  # which of the chosen steps each is
    rows: list[int]
    row_choices: list[int]  # which of the chosen rows each is
    units: list[int]

    def mesh(self, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
        """Return what indexes the part in (T, B, units)."""
        places = (self.steps, self.rows, self.units)
        steps, rows, units = (index(each, device) for each in places)
        return steps[:, None, None], rows[None, :, None], units

    @property
    def shape(self) -> tuple[int, int, int]:
        """The numbers of chosen steps, rows and units."""
        return len(self.steps), len(self.rows), len(self.units)


@final
class Target:
    """A value of a place, and its change.

    Args:
        name: dotted, for messages.
        place, value: what is changed.
        change: to what, and where.

    Raises:
        TypeError, ValueError, IndexError: for a change that fits no call.
    """

    def __init__(self, name: str, place: Place, value: str, change: Change) -> None:
        self.name = name
        self.value = value
        self.size = place.units(value)
        self.steps = Selection(change.steps, "steps")
        self.rows = Selection(change.rows, "rows")
        self.units = Selection(change.units, "units")
        self.reached = 0  # how many steps the calls had
        self.most = 0  # how many rows they had at most
        # How many steps and rows there are to put in, and how many were.
        self._counts = {"steps": (0, 0), "rows": (0, 0)}
        self._put = False  # whether a step of a recording was
        try:
            self._units = self.units.places(self.size)
        except IndexError as error:
            raise IndexError(f"edit: {name}: {error}") from None
        self.function: Function | None = None
        if callable(change.value) and not isinstance(change.value, Tensor):
            self.function = cast("Function", change.value)
        self.source = None if self.function else self._source(change.value)

    def _source(self, value: object) -> Tensor | _Patched:
        """Return what the values are taken from."""
        if isinstance(value, Patch):
            return _Patched(self, value)
        if isinstance(value, Real):
            return torch.tensor(float(value), dtype=torch.float64)
        if not isinstance(value, Tensor):
            raise TypeError(
                f"edit: {self.name}: expected a number, a tensor, a function, unrolled.patch(...) "
                f"or unrolled.Change(...), got {type(value).__name__}"
            )
        if value.dim() > 3 or (value.dim() and value.shape[-1] not in (1, len(self._units))):
            raise ValueError(
                f"edit: {self.name}: a tensor {tuple(value.shape)} does not fit the "
                f"{len(self._units)} chosen units"
            )
        return value

    def fill(self, form: Form, layout: Layout, start: int, before: int) -> tuple[Tensor, Tensor]:
        """Return where the value of one call is replaced, and by what, both (T, B, units).

        Args:
            form, layout: of the call.
            start: how many steps the calls before had.
            before: how many rows they had at most, 0 without any.

        Raises:
            IndexError, ValueError: for a change that does not fit this call.
        """
        self.reached = max(self.reached, start + form.steps)
        try:
            if not (layout.batched or self.rows.everything):
                raise IndexError("rows: the input has no batch: leave out rows=")
            steps, choices = self.steps.within(start, form.steps)
            rows, row_choices = [], []
            if steps:
                rows, row_choices = self.rows.shared(form.batch, before, form.steps == 1)
        except IndexError as error:
            raise IndexError(f"edit: {self.name}: {error}") from None
        self.most = max(self.most, form.batch)
        part = CallPart(form, layout, start, steps, choices, rows, row_choices, self._units)
        like = form.data
        mask = torch.zeros(form.steps, form.batch, self.size, dtype=torch.bool, device=like.device)
        content = torch.zeros(mask.shape, dtype=like.dtype, device=like.device)
        if not (part.steps and part.units):
            return mask, content
        mesh = part.mesh(like.device)
        if not isinstance(self.source, _Patched):
            mask[mesh] = True
            if self.source is not None:
                content[mesh] = self._broadcast(self.source, part).to(like)
            return mask, content
        values, held = self.source.fill(part)
        self._put = self._put or bool(held.any())
        if not self.source.shift and self.steps.everything:
            self._count("steps", len(self.source.values), part.start + form.steps)
        mask[mesh] = held.to(like.device).unsqueeze(-1).expand(part.shape)
        content[mesh] = values.to(like)
        return mask, content

    def _broadcast(self, value: Tensor, part: CallPart) -> Tensor:
        """Return the part of a tensor that belongs to a call, (chosen steps, rows, units)."""
        steps_at, rows_at = (-2, -3) if part.layout.batch_first else (-3, -2)
        if not part.layout.batched:
            steps_at = -2
        given = tuple(value.shape)
        for kind, axis, places, choices in (
            ("steps", steps_at, [part.start + step for step in part.steps], part.choices),
            ("rows", rows_at, part.rows, part.row_choices),
        ):
            has_own = value.dim() >= -axis and value.shape[axis] != 1
            if not has_own or (kind == "rows" and not part.layout.batched):
                continue
            needed = max(choices, default=-1) + 1
            if needed > value.shape[axis]:
                raise self._misfit(given, f"{kind[:-1]} {places[-1]}")
            self._count(kind, value.shape[axis], needed)
            value = value.index_select(axis, index(choices, value.device))
        steps, rows, units = part.shape
        shape = (rows, steps, units) if part.layout.batch_first else (steps, rows, units)
        if not part.layout.batched:
            shape = (steps, units)
        try:
            value = value.expand(shape)
        except RuntimeError:
            raise self._misfit(given, f"the chosen part {shape}") from None
        if not part.layout.batched:
            return value.unsqueeze(1)
        return value.transpose(0, 1) if part.layout.batch_first else value

    def _misfit(self, given: tuple[int, ...], place: str) -> ValueError:
        return ValueError(f"edit: {self.name}: a tensor {given} does not fit {place}")

    def _count(self, kind: str, given: int, used: int) -> None:
        self._counts[kind] = given, max(self._counts[kind][1], used)

    def applied(self, value: Tensor) -> Tensor:
        """Return the function's result for one step, (rows, units)."""
        assert self.function is not None
        result = self.function(value)
        if not isinstance(result, Tensor):
            raise TypeError(
                f"edit: {self.name}: the function should return a tensor, got "
                f"{type(result).__name__}"
            )
        try:
            return result.expand(value.shape)
        except RuntimeError:
            raise ValueError(
                f"edit: {self.name}: the function should return {tuple(value.shape)}, "
                f"got {tuple(result.shape)}"
            ) from None

    def finish(self) -> None:
        """Raise, after all calls, if part of the change was never reached.

        Raises:
            IndexError: for steps or rows that no call had.
            ValueError: for a tensor or recording with more steps or rows than the calls had.
        """
        for kind, (given, used) in self._counts.items():
            if used < given:
                raise ValueError(
                    f"edit: {self.name}: what should be put in has {given} {kind}, but the calls "
                    f"had {used} of those that were chosen"
                )
        shifted = isinstance(self.source, _Patched) and self.source.shift
        if shifted and self.reached and not self._put:
            raise ValueError(
                f"edit: {self.name}: patch: shift={shifted} brings no recorded step to "
                f"any of the {self.reached} steps of the calls"
            )
        for chosen, count in ((self.steps, self.reached), (self.rows, self.most)):
            missing = chosen.missing(count) if self.reached and count else []
            if missing:
                raise IndexError(
                    f"edit: {self.name}: {chosen.axis[:-1]} {missing[0]} was never reached: the "
                    f"calls had {count} {chosen.axis}"
                )


@final
class _Patched:
    """Values of a recording, ready to be put into calls."""

    def __init__(self, target: Target, patch: Patch) -> None:
        self.target = target
        self.shift = patch.shift
        name = patch.name or target.name
        try:
            self.values, self.lengths = patch.recording.padded(name)
        except KeyError as error:
            raise ValueError(f"edit: {target.name}: patch: {error.args[0]}") from None
        self.taken = patch.recording.taken(name).to(self.values.device)
        self.batches = [rows for steps, rows in patch.recording.sizes(name) for _ in range(steps)]
        if self.values.shape[-1] != target.size:
            raise ValueError(
                f"edit: {target.name} has {target.size} units, but {name} was recorded with "
                f"{self.values.shape[-1]}"
            )

    def fill(self, part: CallPart) -> tuple[Tensor, Tensor]:
        """Return the values (steps, rows, units) and which steps of which rows there are."""
        steps, batch = self.values.shape[:2]
        wanted = [part.start + step - self.shift for step in part.steps]
        if batch != 1:
            self._check_rows(wanted, part.form.batch)
        device = self.values.device
        rows = index(part.rows if batch != 1 else [0] * len(part.rows), device)
        sources = index(wanted, device)
        safe = sources.clamp(0, steps - 1)
        inside = (sources >= 0) & (sources < steps)
        held = inside.unsqueeze(1) & self.taken[safe[:, None], rows.clamp(max=batch - 1)]
        self._check(part, held)
        mesh = safe[:, None, None], rows[None, :, None], index(part.units, device)
        return self.values[mesh], held

    def _check_rows(self, steps: list[int], rows: int) -> None:
        """Raise ValueError where a call that was recorded had other rows than the run has now."""
        alike = len(set(self.batches)) == 1
        for step in steps:
            known = 0 <= step < len(self.batches)
            found = self.batches[step] if known else self.batches[0] if alike else rows
            if found != rows:
                place = "" if alike else f" at step {step}"
                raise ValueError(
                    f"edit: {self.target.name}: patch: {found} rows were recorded{place}, but the "
                    f"run has {rows}"
                )

    def _check(self, part: CallPart, held: Tensor) -> None:
        """Check that all that is asked for was recorded, but for what a shift leaves over."""
        if self.shift and self.target.steps.everything:
            return
        ends = part.form.lengths[index(part.rows, torch.device("cpu"))].to(held.device)
        needed = index(part.steps, held.device)[:, None] < ends
        if (needed & ~held).any():
            step, row = (needed & ~held).nonzero()[0].tolist()
            wanted = part.start + part.steps[step]
            raise ValueError(
                f"edit: {self.target.name}: patch: step {wanted} of row {part.rows[row]} needs "
                f"step {wanted - self.shift} of the recording, which has "
                f"{self.lengths.tolist()} steps: choose steps="
            )
