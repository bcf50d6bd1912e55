"""The gradients of a cell's weights and biases, made by a kernel of their own."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple, final

import torch
from torch import Tensor

from .kernel import DTYPES, Code, worthwhile
from .machine import host
from .outer import Outer, Outers


class Sums(NamedTuple):
    """What is added up over all N rows of one gradient.

    Attributes:
        gradient: (N, units); each row stands in one piece.
        sources: each (N, length) and the gradient (units, length) that is written, or None.
        bias: (units,), written; or None.
    """

    gradient: Tensor
    sources: Sequence[tuple[Tensor, Tensor | None]]
    bias: Tensor | None


@final
class WeightGradients:
    """The machine code of some outer products, summed over rows.

    >>> import torch
    >>> gradient, source = torch.randn(9, 5), torch.randn(9, 3)
    >>> weight, bias = torch.empty(5, 3), torch.empty(5)
    >>> kernel = WeightGradients([Outer(5, (3,))], torch.float32)
    >>> kernel.run([Sums(gradient, [(source, weight)], bias)])
    >>> torch.allclose(weight, gradient.t() @ source), torch.allclose(bias, gradient.sum(0))
    (True, True)
    """

    def __init__(self, outers: Sequence[Outer], dtype: torch.dtype) -> None:
        self.dtype = dtype
        self.text = Outers(outers, host(DTYPES[dtype]))
        self._start = Code(self.text.text, self.text.target).start

    def run(self, sums: Sequence[Sums]) -> None:
        """Write all gradients."""
        total = sum(
            2 * each.gradient.shape[0] * outer.units * (1 + sum(outer.lengths))
            for outer, each in zip(self.text.outers, sums, strict=True)
        )
        threads = worthwhile(total)
        # Each has memory of its own: threads do not wait for each other in between.
        needed = [self.text.memory(outer, threads) for outer in self.text.outers]
        memory = torch.empty(sum(needed), dtype=self.dtype, device="cpu")
        places = accumulate(needed, initial=0)
        numbers = []
        for each, begin in zip(sums, places, strict=False):
            own = memory.data_ptr() + begin * memory.element_size()
            rows, stride, place = len(each.gradient), each.gradient.stride(0), each.bias
            bias = 0 if place is None else place.data_ptr()
            numbers += [rows, each.gradient.data_ptr(), stride, bias, own]
            for source, weight in each.sources:
                written = 0 if weight is None else weight.data_ptr()
                numbers += [source.data_ptr(), source.stride(0), written]
        job = (ctypes.c_int64 * len(numbers))(*numbers)
        self._start(ctypes.addressof(job), threads)
