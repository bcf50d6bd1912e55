"""Rows that end at lengths which are known only when a traced or exported program runs.

Nothing about them can be decided while the program is made: rows are not sorted, and each is run to
the end of the padding. Its states after its last step are picked, and its output is 0 behind it.
From the end to the start, each row is turned round and run forward.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import final

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from .. import _torch
from ..kernels.request import Request, Results
from . import sequence
from .sequence import Lengths, Sequences, Serve


class Ended(Sequences):
    """Abstract: sequences (T, B, I), each with the number of its steps in a tensor."""

    def __init__(self, data: Tensor, lengths: Tensor) -> None:
        self.steps, self.batch = data.shape[:2]
        self._lengths = lengths.to(data.device, torch.long)
        times = torch.arange(self.steps, device=data.device).unsqueeze(1)
        inside = times < self._lengths
        self._inside = inside.unsqueeze(-1)
        self._turned = torch.where(inside, self._lengths - 1 - times, times).unsqueeze(-1)
        self.data = torch.where(self._inside, data, 0)

    @property
    def lengths(self) -> Tensor:
        """(B,) how many steps each row has."""
        return self._lengths

    @abstractmethod
    def output(self, data: Tensor) -> Tensor | PackedSequence:
        """Return the layer's output, (T, B, H), in the form of its input."""

    def serving(self, run: Serve, states: tuple[str, ...]) -> Serve:
        """Return what serves requests for these rows, by what serves dense ones."""

        def ended(requests: list[Request]) -> list[Results]:
            return [self._serve(run, states, request) for request in requests]

        return ended

    def _serve(self, run: Serve, states: tuple[str, ...], request: Request) -> Results:
        record = tuple(dict.fromkeys([*request.record, *states]))
        inputs, reverse = request.inputs, request.reverse
        if reverse:
            inputs = [self._turn(value) for value in inputs]
        ((values, _),) = run([request._replace(inputs=inputs, record=record, reverse=False)])
        found = dict(zip(record, values, strict=True))
        first = request.states or [0] * len(states)
        last = [self._last(found[s], old) for s, old in zip(states, first, strict=True)]
        recorded = [self._turn(found[n]) if reverse else found[n] for n in request.record]
        return [torch.where(self._inside, value, 0) for value in recorded], last

    def _turn(self, values: Tensor) -> Tensor:
        """Return values (T, B, units) with the steps of each row from the last to the first."""
        return values.gather(0, self._turned.expand(-1, -1, values.shape[-1]))

    def _last(self, after: Tensor, first: Tensor | int) -> Tensor:
        """Return a state after each row's last step, (1, B, units); the first one without a step.

        A length that is negative or larger than T is an error of `gather`.
        """
        none = (self._lengths == 0).view(1, -1, 1)
        index = torch.where(none, 0, self._lengths.view(1, -1, 1) - 1)
        return torch.where(none, first, after.gather(0, index.expand(-1, -1, after.shape[-1])))


@final
class EndedPadded(Ended):
    """Padded sequences, (T, B, I), or (B, T, I) if `batch_first`."""

    def __init__(self, data: Tensor, lengths: Tensor, batch_first: bool) -> None:
        self.batch_first = batch_first
        super().__init__(data.transpose(0, 1) if batch_first else data, lengths)

    def output(self, data: Tensor) -> Tensor:
        """Return (T, B, H), or (B, T, H)."""
        return data.transpose(0, 1) if self.batch_first else data


@final
class EndedPacked(Ended):
    """A `PackedSequence`, sorted or not.

    Attributes:
        packed: the sequence.
    """

    def __init__(self, packed: PackedSequence) -> None:
        self.packed = packed
        super().__init__(*pad_packed_sequence(PackedSequence(packed.data, packed.batch_sizes)))
        self.order, self.back = packed.sorted_indices, packed.unsorted_indices

    def output(self, data: Tensor) -> PackedSequence:
        """Return (T, B, H), or the packed data (N, H), packed like the input."""
        if data.dim() == 3:
            data = pack_padded_sequence(data, self._lengths.cpu()).data
        return PackedSequence(data, self.packed.batch_sizes, self.order, self.back)


def sequences(
    name: str, input: Tensor | PackedSequence, lengths: Lengths | None, batch_first: bool
) -> Sequences:
    """Return the input of a layer called `name` in one form; as `sequence.sequences`.

    Raises:
        RuntimeError: for a PackedSequence in torch.export.
    """
    if isinstance(input, PackedSequence):
        if torch.compiler.is_compiling():
            _refuse_packed(name)
        if lengths is None:
            return EndedPacked(input)
        return sequence.sequences(name, input, lengths, batch_first)  # it says what is wrong
    dense = sequence.sequences(name, input, None, batch_first)
    if lengths is None:
        return dense
    if not isinstance(lengths, Tensor) or not dense.batched:
        lengths = sequence.sequences(name, input, lengths, batch_first).lengths
    elif lengths.dim() != 1 or lengths.is_floating_point() or lengths.dtype is torch.bool:
        raise TypeError(
            f"{name}: lengths should be a 1-D tensor of integers, got {lengths.dim()}-D "
            f"{lengths.dtype}"
        )
    elif lengths.shape[0] != dense.batch:
        raise ValueError(
            f"{name}: Expected a length for each of the {dense.batch} rows, "
            f"got {lengths.shape[0]} lengths"
        )
    return EndedPadded(input, lengths, batch_first)


@_torch.decided_once  # an error that the compiler traced would get other words
def _refuse_packed(name: str) -> None:
    raise RuntimeError(
        f"{name}: torch.export cannot read a PackedSequence, whose shapes are numbers in a tensor: "
        "pass the padded input with lengths= instead"
    )
