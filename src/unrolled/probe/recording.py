"""Recordings: tensors by dotted name."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import groupby, islice
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, final

import msgspec
import torch
from msgspec import Meta
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..display import LETTERS, MOST, counted, curve, page, paragraph, short, table
from ..schema import Count, checked, parse
from .store import Folder, Piece, Store

PLACES = 12
"""Layers that the text of a recording names."""
INDEX, INITIAL, FORMAT = "recording.json", "initial.safetensors", "unrolled recording 1"


EMPTY = 10_000
"""Calls of a place that may have had no step."""

Side = Annotated[int, Meta(ge=0, le=2**31 - 1)]
"""Of a tensor: three of them are a size of 64 bits, if one is 0."""
StoredCalls = tuple[bool, bool, tuple[Side, ...], Side, Count]
"""Equal calls that follow each other: layout, lengths, T, and how many they are."""


class Stored(msgspec.Struct, forbid_unknown_fields=True):
    """The index of a recording on disk."""

    format: Literal["unrolled recording 1"]
    names: dict[str, str]
    aliases: dict[str, str]
    shapes: dict[str, list[StoredCalls]]
    pieces: dict[
        str,
        list[
            tuple[
                Literal["float64", "float32", "bfloat16", "float16", "bool"],
                tuple[Side, Side, Side],
            ]
        ],
    ]


class Layout(NamedTuple):
    """The layout in which the values of a place are handed out."""

    batch_first: bool
    batched: bool

    def outward(self, value: Tensor) -> Tensor:
        """Return (T, B, units) as the module's users see it."""
        value = value.transpose(0, 1) if self.batched and self.batch_first else value
        return value if self.batched else value.squeeze(1)


class CallShape(NamedTuple):
    """One call of a place."""

    layout: Layout
    lengths: tuple[int, ...]  # of the rows
    steps: int  # T

    @property
    def ragged(self) -> bool:
        """Whether a row ends before the last step."""
        return any(length != self.steps for length in self.lengths)


def in_time(calls: Sequence[Tensor], rows: int) -> Tensor:
    """Return calls (T, B, ...) one after the other, with 0 in rows that a call does not have."""
    whole = [call if call.shape[1] == rows else _widened(call, rows) for call in calls]
    return whole[0] if len(whole) == 1 else torch.cat(whole)


def _widened(call: Tensor, rows: int) -> Tensor:
    missing = call.new_zeros(call.shape[0], rows - call.shape[1], *call.shape[2:])
    return torch.cat([call, missing], 1)


OVERFLOWS = (OverflowError, TypeError)
"""Raised for a shape of more than 64 bits, by whoever reads it first."""


@final
class Recording(Mapping[str, Tensor]):
    """Recorded values by dotted name, with the steps of all calls one after the other.

    A value has the layout of the module's own output: (T, B, units), (B, T, units) if the layer is
    `batch_first`, (T, units) without a batch. Packed and ragged input is padded: rows stand as they
    were given, with 0 after a row's end. A value of a cell that takes single steps has the steps
    stacked, (T, B, units).

    Calls of a module that follow each other are joined in time: T is the steps of all calls, B the
    most rows that a call had; row r is row r of each call, with 0 in the steps of calls that have
    no such row. `valid` says which steps of which rows there are, `lengths` how many of each row,
    and `calls` has the calls one by one.

    >>> import torch, unrolled
    >>> lstm = unrolled.LSTM(3, 4, bidirectional=True)
    >>> with unrolled.record(lstm, "*.[fc]") as recording:
    ...     output, states = lstm(torch.randn(5, 2, 3))
    >>> list(recording)
    ['l0.f', 'l0.c', 'l0_reverse.f', 'l0_reverse.c']
    >>> recording["l0.f"].shape
    torch.Size([5, 2, 4])
    """

    def __init__(self, names: Mapping[str, str], aliases: Mapping[str, str], store: Store) -> None:
        """Begin with nothing recorded.

        Args:
            names: for each name, that of its place.
            aliases: other names of some places.
            store: where values are kept.
        """
        self._names = dict(names)
        self._aliases = dict(aliases)
        self._store = store
        self._shapes: dict[str, list[CallShape]] = {}
        self._initial: dict[str, Tensor] = {}

    def has(self, place: str) -> bool:
        """Return whether there was a call of a place."""
        return place in self._shapes

    def begin(self, place: str, first: Mapping[str, Tensor]) -> None:
        """Take the states before the first call of a place."""
        self._initial |= {f"{place}.{state}": tensor for state, tensor in first.items()}

    def add(self, place: str, values: Mapping[str, Tensor], shape: CallShape) -> None:
        """Take one call of a place: its values (T, B, units)."""
        self._store.add({f"{place}.{value}": tensor for value, tensor in values.items()})
        self._shapes.setdefault(place, []).append(shape)

    def __getitem__(self, name: str) -> Tensor:
        """Return the values of a name, of all calls.

        Raises:
            KeyError: for a name that was not recorded, or whose module was not called.
        """
        return self.layout(name).outward(self.padded(name)[0])

    def padded(self, name: str) -> tuple[Tensor, Tensor]:
        """Return the values of a name as (T, B, units) in any layout, and the lengths (B,).

        A row that single calls do not have has gaps too; see `valid`.
        """
        place, values = self._found(name)
        valid = _valid(self._shapes[place])
        return in_time(values, valid.shape[1]), valid.sum(0)

    def layout(self, name: str) -> Layout:
        """Return the layout of a value: with a batch if a call had one."""
        return _layout(self._shapes[self._found(name)[0]])

    def taken(self, name: str) -> Tensor:
        """Return which steps of which rows a value has, as (T, B) in any layout."""
        return _valid(self._shapes[self._found(name)[0]])

    def sizes(self, name: str) -> list[tuple[int, int]]:
        """Return (T, B) of each call."""
        return [(s.steps, len(s.lengths)) for s in self._shapes[self._found(name)[0]]]

    def calls(self, name: str) -> list[Tensor]:
        """Return the values of a name, call by call; a step's have a first dimension of 1.

        Raises:
            KeyError: for a name that was not recorded, or whose module was not called.
        """
        place, values = self._found(name)
        shapes = self._shapes[place]
        joined = len(values) < len(shapes)
        parts = torch.cat(values).split([s.steps for s in shapes]) if joined else values
        return [s.layout.outward(part) for s, part in zip(shapes, parts, strict=True)]

    def _found(self, name: str) -> tuple[str, list[Tensor]]:
        """Return the place of a name, and its values."""
        if not isinstance(name, str) or self._canonical(name) not in self._names:
            raise KeyError(f"{name!r} was not recorded; recorded: {', '.join(self._names)}")
        name = self._canonical(name)
        place = self._names[name]
        if place not in self._shapes:
            raise KeyError(f"{name!r}: {place} was not called while it was recorded")
        return place, self._store.get(name)

    def _canonical(self, name: str) -> str:
        place, _, value = name.rpartition(".")
        return f"{self._aliases.get(place, place)}.{value}"

    def __iter__(self) -> Iterator[str]:
        return (name for name, place in self._names.items() if place in self._shapes)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, str):
            return False
        name = self._canonical(name)
        return name in self._names and self._names[name] in self._shapes

    def select(self, pattern: str) -> dict[str, Tensor]:
        """Return the values whose names match a pattern such as ``*.l0.f``.

        Raises:
            KeyError: if none does.
        """
        found = {name: self[name] for name in self if fnmatchcase(name, pattern)}
        if not found:
            raise KeyError(f"no recorded name matches {pattern!r}; recorded: {', '.join(self)}")
        return found

    @property
    def lengths(self) -> dict[str, Tensor]:
        """The number of steps of each row, (B,), for each place such as ``encoder.l0``.

        Over several calls of a place, the sum.
        """
        return {place: _valid(shapes).sum(0) for place, shapes in self._shapes.items()}

    @property
    def valid(self) -> dict[str, Tensor]:
        """Which steps of which rows there are, for each place such as ``encoder.l0``.

        A tensor of bools like a recorded value without its units, (T, B) or (B, T), so that
        ``recording["encoder.l0.h"][recording.valid["encoder.l0"]]`` is all that there is, (N, H).
        """
        return {
            place: _layout(shapes).outward(_valid(shapes)) for place, shapes in self._shapes.items()
        }

    @property
    def initial(self) -> dict[str, Tensor]:
        """The states before the first step of the first call, (B, units), by name."""
        return dict(self._initial)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the recording to a new folder; `load` reads it back.

        Raises:
            FileExistsError: if there is something at `path`.
        """
        folder = Folder(path)
        try:
            for name in self:
                for value in self._store.get(name):
                    folder.add({name: value})
            self._finish(folder)
        except BaseException:
            folder.discard()
            raise

    def _finish(self, folder: Folder) -> None:
        """Complete a folder that has the values."""
        data = {
            "format": FORMAT,
            "names": self._names,
            "aliases": self._aliases,
            "shapes": {place: _shapes_to_json(shapes) for place, shapes in self._shapes.items()},
            "pieces": folder.to_json(),
        }
        (folder.begin() / INDEX).write_text(json.dumps(data))
        save_file(
            {name: state.detach().cpu().contiguous() for name, state in self._initial.items()},
            folder.begin() / INITIAL,
        )
        folder.finish()

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Recording:
        """Read what `save` or ``record(..., to=path)`` wrote; values are mapped, not loaded.

        Raises:
            FileNotFoundError: if there is no recording at `path`.
            ValueError: if it is damaged.
        """
        index = Path(path) / INDEX
        if not index.is_file():
            raise FileNotFoundError(f"{str(path)!r} is no recording: it has no {INDEX}")
        try:
            data = checked(parse(index.read_text()), Stored)
            pieces = {
                name: [Piece(dtype, shape) for dtype, shape in stored]
                for name, stored in data.pieces.items()
            }
            folder = Folder(path, pieces=pieces)
            folder.check()
            recording = cls(data.names, data.aliases, folder)
            for place, stored in data.shapes.items():
                recording._shapes[place] = _shapes_from_json(stored, folder.rows)
            recording._require_values(folder.pieces)
            recording._initial = load_file(Path(path) / INITIAL)
        except (ValueError, OSError, SafetensorError, RuntimeError, *OVERFLOWS) as error:
            (why, *_) = str(error).splitlines() or [type(error).__name__]
            raise ValueError(f"{str(path)!r} is no complete recording: {why}") from None
        return recording

    def _require_values(self, pieces: Mapping[str, list[Piece]]) -> None:
        """Raise ValueError unless each name has the values of its place's calls."""
        for name, place in self._names.items():
            if self._canonical(name) not in self._names:
                raise ValueError(f"{name!r} is no name of a value of {place!r}")
            calls = [shape.steps for shape in self._shapes.get(place, [])]
            own = pieces.get(name, [])
            kept = [piece.shape[0] for piece in own]
            alike = len({(piece.dtype, *piece.shape[1:]) for piece in own}) == 1
            if calls and calls != kept and not (alike and sum(calls) == sum(kept)):
                raise ValueError(f"{name!r} has {sum(kept)} steps, expected {sum(calls)}")
            rows = [len(shape.lengths) for shape in self._shapes.get(place, [])]
            found = [piece.shape[1] for piece in own]
            if rows != found and not (alike and set(rows) == set(found)):
                raise ValueError(f"{name!r} has other rows than {place!r}")

    def __repr__(self) -> str:
        parts = [
            f"{place}: {counted(sum(shape.steps for shape in shapes), 'steps')}, "
            f"{counted(_rows(shapes), 'rows')}"
            for place, shapes in islice(self._shapes.items(), PLACES)
        ]
        more = len(self._shapes) - len(parts)
        rest = [f"… {more} more layers"] if more else []
        return short(f"Recording({'; '.join([f'{len(self)} names', *parts, *rest])})", LETTERS)

    def _repr_html_(self) -> str:
        """Return a table of all values: shape, the range of those that are finite, and the mean
        over units step by step.
        """
        titles = ("name", "shape", "dtype", "mean", "least", "greatest", "mean over rows and units")
        rows = [(name, *self._described(name)) for name in self]
        count = paragraph(counted(len(self), "names"), "Recording")
        return page(count, table(titles, rows)) if rows else page(count)

    def _described(self, name: str) -> tuple[Any, ...]:
        """Return a row of the table; without numbers where reading all of them would take long."""
        calls = self.sizes(name)
        steps, rows = sum(T for T, _ in calls), max(B for _, B in calls)
        units = self._store.get(self._canonical(name))[0].shape[-1]
        if steps * rows * units > MOST:
            sizes = ((steps, "steps"), (rows, "rows"), (units, "units"))
            return (", ".join(counted(*each) for each in sizes), "", None, None, None, "")
        whole, valid = self.padded(name)[0].detach(), self.taken(name)
        shape = tuple(self.layout(name).outward(whole).shape)
        head = (str(shape), str(whole.dtype).removeprefix("torch."))
        taken = whole[valid].double()
        if taken.numel() == 0:
            return (*head, None, None, None, "")
        drawn = curve(_means(whole, valid), f"mean of {name}")
        finite = taken[taken.isfinite()]
        if finite.numel() == 0:
            return (*head, None, None, None, drawn)
        return (*head, finite.mean().item(), finite.min().item(), finite.max().item(), drawn)


def _means(values: Tensor, valid: Tensor) -> list[float | str]:
    """Return the mean over rows and units of every step, (T, B, units); without one where no row
    takes the step.
    """
    counts = valid.sum(1)
    means = values.double().mean(-1).where(valid, 0).sum(1) / counts
    return [m if n else "no row" for m, n in zip(means.tolist(), counts.tolist(), strict=True)]


def _rows(shapes: Sequence[CallShape]) -> int:
    """Return the most rows that a call had."""
    return max(len(shape.lengths) for shape in shapes)


def _layout(shapes: Sequence[CallShape]) -> Layout:
    """Return the layout of calls that are joined."""
    return Layout(shapes[0].layout.batch_first, any(shape.layout.batched for shape in shapes))


def _valid(shapes: Sequence[CallShape]) -> Tensor:
    """Return which steps of which rows there are, (T, B)."""
    parts = []
    for shape, same in groupby(shapes):
        lengths = torch.tensor(shape.lengths, dtype=torch.long, device="cpu")
        part = torch.arange(shape.steps, device="cpu").unsqueeze(1) < lengths
        parts.append(part.repeat(sum(1 for _ in same), 1))
    return in_time(parts, _rows(shapes))


def _shapes_to_json(shapes: list[CallShape]) -> list[Any]:
    """Return calls as data; equal ones that follow each other once, with their number."""
    groups = [(shape, len(list(same))) for shape, same in groupby(shapes)]
    return [[*shape.layout, list(shape.lengths), shape.steps, n] for shape, n in groups]


def _shapes_from_json(data: list[StoredCalls], steps_kept: int) -> list[CallShape]:
    """Return the calls; no more than their values can make up, but for some without a step."""
    calls = sum(count for *_, count in data)
    if calls > steps_kept + EMPTY:
        raise ValueError(f"{calls} calls, but the files hold {steps_kept} steps")
    shapes = []
    for batch_first, batched, lengths, steps, count in data:
        shapes += [CallShape(Layout(batch_first, batched), lengths, steps)] * count
    return shapes
