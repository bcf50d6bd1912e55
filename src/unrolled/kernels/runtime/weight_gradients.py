"""The gradients of a cell's weights and biases, made by a kernel of their own."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple, final

import torch
from torch import Tensor

from ..codegen.weight_gradients import Outer, Outers
from .jit import host
from .launch import DTYPES, Code, worthwhile
from .memory import aligned, reserve


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
    >>> gradient, source = torch.randn(9, 5).double(), torch.randn(9, 3).double()
    >>> weight, bias = torch.empty(5, 3).double(), torch.empty(5).double()
    >>> kernel = WeightGradients([Outer(5, (3,))], torch.float64)
    >>> kernel.run([Sums(gradient, [(source, weight)], bias)])
    >>> torch.allclose(weight, gradient.t() @ source), torch.allclose(bias, gradient.sum(0))
    (True, True)
    """

    def __init__(self, outers: Sequence[Outer], dtype: torch.dtype) -> None:
        self.dtype = dtype
        self.text = Outers(outers, host(DTYPES[dtype]))
        self._start = Code(self.text.text, self.text.target).start
        self.text.forget_text()
        self._operations = sum(2 * o.units * (1 + sum(o.lengths)) for o in self.text.outers)
        self._places: dict[int, tuple[list[int], int]] = {}

    def run(self, sums: Sequence[Sums]) -> None:
        """Write all gradients."""
        products = []
        for each in sums:
            product = [each.gradient.data_ptr(), each.gradient.stride(0), _start(each.bias)]
            for source, weight in each.sources:
                product += [source.data_ptr(), source.stride(0), _start(weight)]
            products.append(product)
        self.start(len(sums[0].gradient), products)

    def start(self, rows: int, products: Sequence[Sequence[int]]) -> None:
        """Write all gradients, given N and for each outer product what `Sums` has, as numbers.

        They are where the gradient stands, its stride and where the bias goes, then for each source
        where it stands, its stride and where the weight's gradient goes, or 0.
        """
        threads = worthwhile(rows * self._operations)
        begins, size = self._memory(threads)
        memory = reserve.take(self.dtype, size)
        start = memory.data_ptr()
        numbers: list[int] = []
        for (gradient, stride, bias, *sources), begin in zip(products, begins, strict=True):
            numbers += (rows, gradient, stride, bias, start + begin, *sources)
        job = (ctypes.c_int64 * len(numbers))(*numbers)
        self._start(ctypes.addressof(job), threads)

    def _memory(self, threads: int) -> tuple[list[int], int]:
        """Where each product's own memory begins, and the numbers of all.

        Threads do not wait for each other in between: no two products have the same.
        """
        if threads not in self._places:
            needed = [self.text.memory(outer, threads) for outer in self.text.outers]
            width = self.dtype.itemsize
            *begins, size = accumulate((aligned(n * width) for n in needed), initial=0)
            self._places[threads] = begins, size // width
        return self._places[threads]


def _start(written: Tensor | None) -> int:
    return 0 if written is None else written.data_ptr()
