"""The forms in which a layer takes its input, brought to one: time first, rows sorted if ragged."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import final

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from .._torch import fixed, unviewed
from ..kernels.request import Request, Results
from ..kernels.runtime import timeline
from ..kernels.runtime.buffers import sound

Lengths = Tensor | Sequence[int] | np.ndarray
Serve = Callable[[list[Request]], list[Results]]
"""What serves the requests of a layer."""


class Sequences(ABC):
    """The input of a layer, and the way back to the form in which it was given.

    Attributes:
        data: (T, B, I); if ragged (N, I), the rows of step 0, then those of step 1, ...
        steps: T, of the longest row, or of the padding.
        batch: B.
        batched: whether the input has a batch dimension.
        batch_sizes: if ragged, how many rows each step has; the rows are sorted by falling length.
        order: the row of the input that stands at each place in a step of `data`; None: its own.
        back: the place of each row of the input.
    """

    data: Tensor
    steps: int
    batch: int
    batched: bool = True
    batch_sizes: list[int] | None = None
    order: Tensor | None = None
    back: Tensor | None = None

    @abstractmethod
    def output(self, data: Tensor) -> Tensor | PackedSequence:
        """Return the layer's output in the form of its input."""

    @property
    def lengths(self) -> Tensor:
        """(B,) how many steps each row has."""
        return torch.full((self.batch,), self.steps, device="cpu")

    def spread(self, data: Tensor) -> Tensor:
        """Return values in the order of `data` as (T, B, units): rows as given, 0 after each."""
        return data

    def gather(self, values: Tensor) -> Tensor:
        """Return values (T, B, units), rows as they were given, in the order of `data`."""
        return values

    def serving(self, run: Serve, states: tuple[str, ...]) -> Serve:
        """Return what serves requests for these rows, of a cell with such states."""
        return run

    def inward(self, state: Tensor) -> Tensor:
        """Return a state (L, B, H) with its rows in the order of `data`."""
        return state if self.order is None else state.index_select(1, self.order)

    def outward(self, state: Tensor) -> Tensor:
        """Return a state (L, B, H) with its rows in the order of the input."""
        return state if self.back is None else state.index_select(1, self.back)


@final
class Dense(Sequences):
    """Sequences of one length, (T, B, I), or (B, T, I) if `batch_first`; or one alone, (T, I)."""

    def __init__(self, data: Tensor, batch_first: bool) -> None:
        self.batched = data.dim() == 3
        self.batch_first = batch_first and self.batched
        data = data if self.batched else data.unsqueeze(1)
        self.data = data.transpose(0, 1) if self.batch_first else data
        self.steps, self.batch = self.data.shape[:2]

    def output(self, data: Tensor) -> Tensor:
        """Return (T, B, H), (B, T, H) or (T, H)."""
        # in place: it is nobody else's, and no view, which could not be detached in place
        data = data.transpose_(0, 1) if self.batch_first else data
        return data if self.batched else data.squeeze(1)

    def inward(self, state: Tensor) -> Tensor:
        """Return (L, B, H), of (L, H) if there is no batch."""
        return state if self.batched else state.unsqueeze(1)

    def outward(self, state: Tensor) -> Tensor:
        """Return (L, B, H), or (L, H) if there is no batch."""
        return state if self.batched else state.squeeze(1)


@final
class Packed(Sequences):
    """A `PackedSequence`, sorted or not."""

    def __init__(self, name: str, packed: PackedSequence) -> None:
        self.packed = packed
        self.data, _, self.order, self.back = packed
        self.batch_sizes = _batch_sizes(name, packed)
        self.steps, self.batch = len(self.batch_sizes), self.batch_sizes[0]
        _check_order(f"{name}: sorted_indices", self.order, self.batch)
        _check_order(f"{name}: unsorted_indices", self.back, self.batch)

    @property
    def lengths(self) -> Tensor:
        """(B,) how many steps each row has."""
        lengths = (self.packed.batch_sizes.unsqueeze(1) > torch.arange(self.batch)).sum(0)
        return lengths if self.back is None else lengths[self.back.cpu()]

    def spread(self, data: Tensor) -> Tensor:
        """Return the sequences, padded."""
        return pad_packed_sequence(self.output(data))[0]

    def gather(self, values: Tensor) -> Tensor:
        """Return the sequences, without padding."""
        rows = self.inward(values)
        return torch.cat([rows[t, :n] for t, n in enumerate(self.packed.batch_sizes.tolist())])

    def output(self, data: Tensor) -> PackedSequence:
        """Return the data packed like the input."""
        return PackedSequence(data, self.packed.batch_sizes, self.order, self.back)


@final
class Padded(Sequences):
    """Sequences (T, B, I), or (B, T, I), of which each row ends at its length, 0 included."""

    def __init__(self, data: Tensor, lengths: list[int], batch_first: bool) -> None:
        self.batch_first = batch_first
        time_first = data.transpose(0, 1) if batch_first else data
        self.steps, self.batch = time_first.shape[:2]
        self._lengths = lengths
        order = sorted(range(self.batch), key=lambda row: -lengths[row])
        longest = max(lengths, default=0)
        ending = Counter(lengths)
        ended = accumulate(ending[step] for step in range(longest))
        self.batch_sizes = [self.batch - count for count in ended]
        first, device = torch.tensor(order, dtype=torch.long, device="cpu"), data.device
        starts = self.batch * torch.arange(longest, device="cpu")
        places = starts.unsqueeze(1) + first
        if torch.compiler.is_compiling():  # which knows no sizes that depend on numbers
            rows = [row[:n] for row, n in zip(places, self.batch_sizes, strict=True)]
            places = torch.cat([first[:0], *rows])
        else:
            sizes = torch.tensor(self.batch_sizes, dtype=torch.long, device="cpu")
            places = places[torch.arange(self.batch, device="cpu") < sizes.unsqueeze(1)]
        self.order, self.back = first.to(device), first.argsort().to(device)
        self.places = places.to(device)
        self.data = time_first.flatten(0, 1).index_select(0, self.places)

    @property
    def lengths(self) -> Tensor:
        """(B,) how many steps each row has."""
        return torch.tensor(self._lengths, dtype=torch.long)

    def output(self, data: Tensor) -> Tensor:
        """Return (T, B, H), or (B, T, H); 0 after the end of a row."""
        padded = self.spread(data)
        return padded.transpose_(0, 1) if self.batch_first else padded

    def spread(self, data: Tensor) -> Tensor:
        """Return (T, B, units); 0 after the end of a row."""
        padded = data.new_zeros(self.steps * self.batch, data.shape[-1])
        rows = padded.index_copy(0, self.places, data)
        return unviewed(rows, self.steps, self.batch, data.shape[-1])

    def gather(self, values: Tensor) -> Tensor:
        """Return the rows' steps, without padding."""
        return values.flatten(0, 1).index_select(0, self.places)


@final
class Filled(Sequences):
    """Ragged sequences with every row at every step: rows as they were given.

    Attributes:
        valid: (T, B), whether a row has a step.
    """

    def __init__(self, ragged: Sequences) -> None:
        self.ragged = ragged
        self.data = ragged.spread(ragged.data)
        self.steps, self.batch = self.data.shape[:2]
        steps = torch.arange(self.steps, device=self.data.device)
        self.valid = steps.unsqueeze(1) < self.lengths.to(self.data.device)

    @property
    def lengths(self) -> Tensor:
        """(B,) how many steps each row has."""
        return self.ragged.lengths

    def output(self, data: Tensor) -> Tensor | PackedSequence:
        """Return the output in the form in which the sequences were given."""
        return self.ragged.output(self.ragged.gather(data))


def _batch_sizes(name: str, packed: PackedSequence) -> list[int]:
    """Return how many rows each step has; ValueError or TypeError if that does not fit the data."""
    sizes = packed.batch_sizes
    if sizes.dim() != 1 or sizes.is_floating_point() or sizes.dtype is torch.bool:
        raise TypeError(
            f"{name}: batch_sizes should be a 1-D tensor of integers, got {sizes.dim()}-D "
            f"{sizes.dtype}"
        )
    found: list[int] = sizes.tolist()
    if not torch.compiler.is_compiling():
        timeline.check(name, found, found[0] if found else 0, packed.data.shape[0])
    return found


def _check_order(label: str, order: Tensor | None, batch: int) -> None:
    """Raise ValueError or TypeError unless an order names a row of the batch for each row."""
    if order is None or torch.compiler.is_compiling() or not order.is_cpu:
        return
    if order.dim() != 1 or order.dtype not in (torch.int64, torch.int32):
        raise TypeError(
            f"{label} should be a 1-D tensor of integers, got {order.dim()}-D {order.dtype}"
        )
    if len(order) != batch:
        raise ValueError(f"{label} should name each of the {batch} rows, got {len(order)}")
    least, most = int(order.min()), int(order.max())
    if least < 0 or most >= batch:
        raise ValueError(f"{label} should lie between 0 and {batch - 1}, got {least} to {most}")


def sequences(
    name: str, input: Tensor | PackedSequence, lengths: Lengths | None, batch_first: bool
) -> Sequences:
    """Return the input of a layer called `name` in one form, its numbers in memory.

    Raises:
        ValueError: for a wrong number of dimensions, or lengths that do not fit the input.
        RuntimeError: without a single step, or packed data that is not 2D, as in PyTorch; and for
            a tensor whose storage is too short.
    """
    if isinstance(input, PackedSequence):
        fields = input._asdict()
        (given,) = sound(name, {key: value for key, value in fields.items() if value is not None})
        input = PackedSequence(**{**fields, **given})
        if lengths is not None:
            raise ValueError(f"{name}: a PackedSequence has lengths of its own: leave out lengths=")
        if input.data.dim() != 2:
            raise RuntimeError(f"input must have 2 dimensions, got {input.data.dim()}")
        return Packed(name, input)
    if not isinstance(input, Tensor):
        kind = type(input).__name__
        raise TypeError(f"{name}: Expected input to be a Tensor or PackedSequence, got {kind}")
    input = sound(name, {"input": input})[0]["input"]
    if input.dim() not in (2, 3):
        raise ValueError(f"{name}: Expected input to be 2D or 3D, got {input.dim()}D instead")
    time = 1 if batch_first and input.dim() == 3 else 0
    if input.shape[time] == 0:
        raise RuntimeError("Expected sequence length to be larger than 0 in RNN")
    if lengths is None:
        return Dense(input, batch_first)
    if input.dim() == 2:
        raise ValueError(f"{name}: lengths= needs a batch (3D input), got 2D input")
    checked = _checked_lengths(name, lengths, input.shape[1 - time], input.shape[time])
    return Padded(input, checked, batch_first)


def _checked_lengths(name: str, lengths: Lengths, batch: int, steps: int) -> list[int]:
    """Return the lengths as a list; ValueError or TypeError where they do not fit the input."""
    if not isinstance(lengths, (Tensor, Sequence)) and hasattr(lengths, "__array__"):
        lengths = np.asarray(lengths)
    if isinstance(lengths, (Tensor, np.ndarray)):
        if isinstance(lengths, Tensor):
            lengths = sound(name, {"lengths": lengths})[0]["lengths"]
            is_whole = not (lengths.is_floating_point() or lengths.is_complex())
            is_whole = is_whole and lengths.dtype is not torch.bool
        else:
            is_whole = lengths.dtype.kind in "iu"
        if not is_whole or lengths.ndim != 1:
            kind = "tensor" if isinstance(lengths, Tensor) else "array"
            raise TypeError(
                f"{name}: lengths should be a 1-D {kind} of integers, got {lengths.ndim}-D "
                f"{lengths.dtype}"
            )
        lengths = lengths.tolist()
    if not isinstance(lengths, Sequence) or isinstance(lengths, (str, bytes)):
        raise TypeError(
            f"{name}: lengths should be a tensor, an array or a sequence of integers, "
            f"got {type(lengths).__name__}"
        )
    if len(lengths) != batch:
        raise ValueError(
            f"{name}: Expected a length for each of the {batch} rows, got {len(lengths)} lengths"
        )
    for row, length in enumerate(lengths):
        countable = isinstance(length, int) or hasattr(length, "__index__")
        if not countable or isinstance(length, bool):
            raise TypeError(f"{name}: lengths[{row}] should be an int, got {length!r}")
        if not 0 <= length <= steps:
            raise ValueError(
                f"{name}: lengths[{row}] should be between 0 and the input's {steps} steps, "
                f"got {length}"
            )
    return [fixed(length) for length in lengths]
