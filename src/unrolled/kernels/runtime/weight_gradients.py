"""The gradients of a cell's weights and biases, made by a kernel of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, final

import torch

from ..codegen.weight_gradients import Outer, Outers, names, stride
from .abi import Buffer, Role
from .code import Code, worthwhile
from .jit import host
from .kernel import DTYPES
from .launch import Place, Template
from .launcher import Form
from .linear import Number


class StridedRows(NamedTuple):
    """Rows that stand so many numbers from one another.

    Attributes:
        place: of the first.
        stride: from one to the next.
    """

    place: Place
    stride: int


class Sums(NamedTuple):
    """What is added up over all N rows of one gradient.

    Attributes:
        gradient: (N, units).
        sources: each (N, length) and where the gradient (units, length) is written, or None.
        bias: where (units,) is written; or None.
    """

    gradient: StridedRows
    sources: Sequence[tuple[StridedRows, Place | None]]
    bias: Place | None


@final
class WeightGradients:
    """The machine code of some outer products, summed over rows.

    Threads do not wait for each other in between: no two products have the same workspace.

    Args:
        outers: of each, how many units the gradient and its sources have.
        dtype: float32 or float64.

    >>> import torch
    >>> gradient, source = torch.randn(9, 5).double(), torch.randn(9, 3).double()
    >>> weight, bias = torch.empty(5, 3).double(), torch.empty(5).double()
    >>> kernel = WeightGradients([Outer(5, (3,))], torch.float64)
    >>> g, s = Buffer(Role.GRADIENT), Buffer(Role.SOURCE)
    >>> w, b = Buffer(Role.WEIGHT), Buffer(Role.BIAS)
    >>> sums = Sums(StridedRows(Place(g), 5), [(StridedRows(Place(s), 3), Place(w))], Place(b))
    >>> shapes = {g: (9, 5), s: (9, 3), w: (5, 3), b: (5,)}
    >>> forms = {buffer: Form(str(buffer), shape) for buffer, shape in shapes.items()}
    >>> launch = kernel.template("me", forms, [sums], rows=9, threads=1).at()
    >>> launch.run([gradient, source, weight, bias])
    >>> torch.allclose(weight, gradient.t() @ source), torch.allclose(bias, gradient.sum(0))
    (True, True)
    """

    def __init__(self, outers: Sequence[Outer], dtype: torch.dtype) -> None:
        self.dtype = dtype
        self.text = Outers(outers, host(DTYPES[dtype]))
        self._code = Code(self.text.text, self.text.target)
        self.text.forget_text()
        self._operations = sum(2 * o.units * (1 + sum(o.lengths)) for o in self.text.outers)

    def threads(self, rows: int) -> int:
        """Return on how many threads N rows are shared."""
        return worthwhile(rows * self._operations)

    def template(
        self,
        user: str,
        operands: Mapping[Buffer, Form],
        sums: Sequence[Sums],
        rows: Number,
        threads: int,
    ) -> Template:
        """Return the launch that writes all gradients, but for sizes.

        Args:
            user: for messages.
            operands: what each tensor has to be.
            sums: of each outer product.
            rows: N.
            threads: that run it.
        """
        scalars, bindings = {"rows": rows}, dict[Buffer, Place]()
        workspace, strides, optional = dict[Buffer, int](), dict[Buffer, int](), set[Buffer]()

        def bind(role: Role, name: str, place: Place | None) -> None:
            optional.add(Buffer(role, name))
            if place is not None:
                bindings[Buffer(role, name)] = place

        for number, (outer, each) in enumerate(zip(self.text.outers, sums, strict=True)):
            bindings[Buffer(Role.GRADIENT, str(number))] = each.gradient.place
            strides[Buffer(Role.GRADIENT, str(number))] = each.gradient.stride
            scalars[stride(str(number))] = each.gradient.stride
            bind(Role.BIAS, str(number), each.bias)
            workspace[Buffer(Role.WORKSPACE, str(number))] = self.text.memory(outer, threads)
            for name, (source, weight) in zip(names(number, outer), each.sources, strict=True):
                scalars[stride(name)] = source.stride
                strides[Buffer(Role.SOURCE, name)] = source.stride
                bind(Role.SOURCE, name, None if weight is None else source.place)
                bind(Role.WEIGHT, name, weight)
        return Template(
            user,
            self._code,
            self.text.block,
            operands,
            bindings,
            workspace,
            self.dtype,
            threads,
            scalars,
            optional=optional,
            strides=strides,
        )
