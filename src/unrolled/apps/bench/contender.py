"""Something that does a piece of work, and what it must give before it may be timed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias, final

import torch
from torch import Tensor

from ...display import number

Results: TypeAlias = Mapping[str, Tensor]

TOLERANCE = 2e-5
"""How far a result may be from float64, in parts of its largest value.

Float32 keeps within a fifth of it; a wrong gate or a lost step is far outside.
"""


@final
class RefusalError(Exception):
    """A contender cannot do the work."""

    def __init__(self, name: str, error: Exception) -> None:
        super().__init__(f"{name}: {type(error).__name__}: {str(error).partition(chr(10))[0]}")


@final
@dataclass(frozen=True)
class Contender:
    """One way to do a piece of work.

    Attributes:
        name: for the table.
        work: does it; this is what is timed.
        results: what `work` handed back, as tensors by name.
        expected: the same results in float64.
        flops: of the products, in one call of `work`.
        steps: if `work` is many equal steps, how many; times are given per step.
    """

    name: str
    work: Callable[[], Any]
    results: Callable[[Any], Results]
    expected: Callable[[], Results]
    flops: int
    steps: int = 1

    def complaint(self) -> str | None:
        """Return what is wrong with the results; None if they are right."""
        try:
            results = self.results(self.work())
        except Exception as error:
            return str(RefusalError(self.name, error))
        expected = self.expected()
        if results.keys() != expected.keys():
            return f"{self.name}: gives {', '.join(results)}, expected {', '.join(expected)}"
        for name, right in expected.items():
            got = results[name]
            if got.shape != right.shape:
                return f"{self.name}: {name} is {tuple(got.shape)}, expected {tuple(right.shape)}"
            distance = _distance(got, right)
            if not distance <= TOLERANCE:  # NaN is wrong
                return (
                    f"{self.name}: {name} is off by {number(distance)} of its largest value, "
                    f"{number(TOLERANCE)} allowed"
                )
        return None


class Contest(NamedTuple):
    """Who is compared with whom."""

    subject: Contender
    opponents: tuple[Contender, ...]


def numbered(word: str, values: Iterable[Tensor]) -> Results:
    """Return results by a word and their numbers."""
    return {f"{word} {place}": value for place, value in enumerate(values)}


def _distance(got: Tensor, right: Tensor) -> float:
    """Return the largest difference, in parts of the largest value."""
    largest = right.abs().max().item()
    return ((got.to(torch.float64) - right).abs().max() / (largest or 1.0)).item()
