"""Recorded values, and a feature of their steps, brought to one form: time first, (T, B)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

from ..display import text_of
from .recording import Layout, Recording, in_time


@final
@dataclass(frozen=True, eq=False)
class FeatureForm:
    """The form of the values: which steps of which rows there are, (T, B), and the layout in which
    a feature comes; (T, B) of each call, None if the values are of different calls.
    """

    taken: Tensor
    layout: Layout
    calls: list[tuple[int, int]] | None

    __repr__ = text_of

    def inward(self, value: Tensor) -> Tensor | None:
        """Return a feature as (T, B); None for another number of dimensions."""
        if value.dim() == 1 and (self.taken.shape[1] == 1 or not self.layout.batched):
            return value.unsqueeze(1)
        if value.dim() != 2:
            return None
        return value.T if self.layout.batched and self.layout.batch_first else value

    def outward(self, steps: int, rows: int) -> str:
        """Return the shapes that a feature of so many steps and rows may have."""
        one = f"({steps},)"
        if not self.layout.batched:
            return one
        two = f"({rows}, {steps})" if self.layout.batch_first else f"({steps}, {rows})"
        return f"{one} or {two}" if rows == 1 else two


def values_of(
    recording: Mapping[str, Tensor], batch_first: bool | None
) -> tuple[dict[str, Tensor], FeatureForm]:
    """Return the values (T, B, units) by name, float64, and their form."""
    if not isinstance(recording, Mapping) or not recording:
        raise ValueError("find_units: the recording is empty: record values of a model that runs")
    if isinstance(recording, Recording):
        if batch_first is not None:
            raise ValueError(
                "find_units: batch_first= is for tensors by name: a recording has the layout of "
                "its modules"
            )
        values = {name: recording.padded(name)[0] for name in recording}
        forms = {name: _form(recording, name) for name in recording}
    else:
        values = {name: _plain(name, value, bool(batch_first)) for name, value in recording.items()}
        layout = Layout(bool(batch_first), True)
        forms = {
            name: FeatureForm(torch.ones(value.shape[:2], dtype=torch.bool), layout, None)
            for name, value in values.items()
        }
    first, *others = forms.values()
    if not all(torch.equal(form.taken, first.taken) for form in others):
        listed = ", ".join(f"{name} {tuple(form.taken.shape)}" for name, form in forms.items())
        raise ValueError(
            f"find_units: values of different steps and rows (T, B), or row lengths: {listed}"
        )
    if any(form.layout != first.layout for form in others):
        listed = ", ".join(
            f"{name} {'(B, T)' if form.layout.batch_first else '(T, B)'}"
            for name, form in forms.items()
        )
        raise ValueError(
            f"find_units: values of different layouts, search them one by one: {listed}"
        )
    calls = first.calls if all(form.calls == first.calls for form in others) else None
    doubles = {name: value.detach().cpu().double() for name, value in values.items()}
    return doubles, FeatureForm(first.taken, first.layout, calls)


def _form(recording: Recording, name: str) -> FeatureForm:
    return FeatureForm(recording.taken(name), recording.layout(name), recording.sizes(name))


def _plain(name: str, given: Any, batch_first: bool) -> Tensor:
    """Return a tensor that a user gives as (T, B, units)."""
    value = torch.as_tensor(given)
    if value.dim() == 2:
        return value.unsqueeze(1)
    if value.dim() != 3:
        shapes = f"{'(B, T, units)' if batch_first else '(T, B, units)'} or (T, units)"
        raise ValueError(f"find_units: {name} should be {shapes}, got {tuple(value.shape)}")
    return value.transpose(0, 1) if batch_first else value


def feature_of(feature: Any, form: FeatureForm) -> Tensor:
    """Return the feature as (T, B), checked; 0 where there is no step."""
    parts, (steps, rows) = _listed(feature), form.taken.shape
    if parts is None:
        given = _whole(_numbers(feature), steps, rows, form)
    elif parts[0].dim() > 1 or not form.layout.batched:
        given = _of_calls(parts, form)
    else:
        given = _of_rows(parts, form)
    given = given.where(form.taken, 0.0)
    if not bool(given.isfinite().all()):
        raise ValueError("find_units: the feature has NaN or infinite values: leave them out")
    return given


def _listed(feature: Any) -> list[Tensor] | None:
    """Return the tensors of a list of some; None for anything else."""
    if not isinstance(feature, (list, tuple)) or not feature:
        return None
    if not all(getattr(part, "ndim", 0) for part in feature):
        return None
    return [_numbers(part) for part in feature]


def _numbers(feature: Any) -> Tensor:
    try:
        return torch.as_tensor(feature).detach().cpu().double()
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(
            "find_units: the feature should be numbers, one for each step, such as "
            f"unrolled.features.inside_quotes(text), got {type(feature).__name__}"
        ) from None


def _whole(
    given: Tensor, steps: int, rows: int, form: FeatureForm, of: str = "recording"
) -> Tensor:
    """Return a tensor of all steps and rows as (T, B)."""
    one = form.inward(given)
    if one is None or tuple(one.shape) != (steps, rows):
        raise ValueError(
            f"find_units: the feature should have the {of}'s steps and rows, "
            f"{form.outward(steps, rows)}, got {tuple(given.shape)}"
        )
    return one


def _of_calls(parts: list[Tensor], form: FeatureForm) -> Tensor:
    """Return the tensors of all calls as (T, B)."""
    calls = form.calls or [(form.taken.shape[0], form.taken.shape[1])]
    if len(parts) != len(calls):
        raise ValueError(
            f"find_units: the feature has a tensor for each of {len(parts)} calls, but "
            f"{len(calls)} were recorded"
        )
    found = [
        _whole(part, steps, rows, form, f"call {number}")
        for number, (part, (steps, rows)) in enumerate(zip(parts, calls, strict=True))
    ]
    return in_time(found, form.taken.shape[1])


def _of_rows(parts: list[Tensor], form: FeatureForm) -> Tensor:
    """Return the tensors of all rows as (T, B)."""
    steps, rows = form.taken.shape
    if len(parts) != rows:
        raise ValueError(
            f"find_units: the feature has a tensor for each of {len(parts)} rows, but {rows} were "
            "recorded"
        )
    columns = []
    for row, (part, taken) in enumerate(zip(parts, form.taken.T, strict=True)):
        count = int(taken.sum())
        if part.dim() != 1 or len(part) not in (steps, count):
            either = f"{count}" if count == steps else f"{count} or {steps}"
            raise ValueError(
                f"find_units: the feature of row {row} should have its {either} steps, got "
                f"{tuple(part.shape)}"
            )
        column = part
        if len(part) != steps:
            column = torch.zeros(steps, dtype=part.dtype).masked_scatter(taken, part)
        columns.append(column)
    return torch.stack(columns, 1)
