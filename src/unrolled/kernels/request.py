"""What whoever wants a cell run asks for, and what comes back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

Results = tuple[Sequence[Tensor], Sequence[Tensor]]
"""The recorded values, in the order of `Request.record`; the last states, shaped as the first,
(1, B, units) if those were the same for all rows."""


class Request(NamedTuple):
    """What one layer in one direction, or one step, is to compute.

    Attributes:
        weights: in the order of `Runner.weights`.
        inputs: in the order of the graph, the cell's own first: (T, B, units); (N, units) if
            ragged; (B, units) for a step.
        states: before the first step, in the order of the graph: (1, B, units), or (B, units) for
            a step. If the rows are not ragged, None if they are 0, or (units,) if they are the same
            for all rows of a sequence.
        record: names of the values to return for every step.
        batch_sizes: how many rows each step has, if they are ragged.
        reverse: whether steps run from the last to the first.
    """

    weights: Sequence[Tensor]
    inputs: Sequence[Tensor]
    states: Sequence[Tensor] | None
    record: tuple[str, ...] = ()
    batch_sizes: Sequence[int] | None = None
    reverse: bool = False


def is_step(request: Request) -> bool:
    """Return whether a request is for a single step."""
    return request.batch_sizes is None and request.inputs[0].dim() == 2
