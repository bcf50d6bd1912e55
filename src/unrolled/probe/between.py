"""The way from one step of a row to a later one, and the product of Jacobians along it."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from .jacobian import transported
from .passage import Passage


def check_row(passage: Passage, row: object) -> None:
    """ValueError unless there is such a row."""
    if isinstance(row, bool) or not isinstance(row, int) or not 0 <= row < passage.rows:
        raise ValueError(f"{passage.name}: row should be from 0 to {passage.rows - 1}, got {row!r}")


def check_step(passage: Passage, step: object, row: int, name: str) -> None:
    """ValueError unless the row takes such a step."""
    order = passage.order(row)
    if not order:
        raise ValueError(f"{passage.name}: row {row} has length 0: it takes no step")
    if isinstance(step, bool) or not isinstance(step, int) or step not in order:
        kinds = "" if len(order) == passage.steps else f" of row {row}"
        raise ValueError(
            f"{passage.name}: {name} should be a step{kinds} from {min(order)} to {max(order)}, "
            f"got {step!r}"
        )


def way(passage: Passage, later: int, earlier: int, row: int) -> list[int]:
    """The steps after `earlier` up to `later`, in the order in which they are taken.

    Raises:
        ValueError: for a step or row that there is not, for steps in the wrong order, and where
            the states are changed on the way.
    """
    check_row(passage, row)
    check_step(passage, later, row, "later")
    check_step(passage, earlier, row, "earlier")
    order = passage.order(row)
    first, last = order.index(earlier), order.index(later)
    if first > last:
        backwards = " (this direction runs from the last step to the first)"
        raise ValueError(
            f"{passage.name}: step {later} is taken before step {earlier}"
            f"{backwards if passage.reverse else ''}: exchange later and earlier"
        )
    steps = order[first + 1 : last + 1]
    check_unbroken(passage, steps, row)
    return steps


def check_unbroken(passage: Passage, steps: Sequence[int], row: int) -> None:
    """ValueError where the model, not the cell, decides the states between two of the steps."""
    broken = passage.seams(row) & set(steps)
    if broken:
        step = next(step for step in steps if step in broken)
        raise ValueError(
            f"{passage.name}: the states given to step {step} are not those that the step before "
            "it returned: the model changes or resets them between its calls, so there is no "
            "product of Jacobians across this step; ask for steps on one side of it"
        )


def carried(passage: Passage, vectors: Tensor, steps: Sequence[int], row: int) -> Tensor:
    """Vectors (K, S) times the Jacobians of some consecutive steps of a row."""
    for stretch in reversed(passage.stretches(row, steps)):
        vectors = transported(stretch, vectors.unsqueeze(0))[0]
    return vectors


def product(passage: Passage, later: int, earlier: int, row: int) -> Tensor:
    """The derivative of the states after one step by those after an earlier one, (S, S)."""
    return carried(passage, passage.identity, way(passage, later, earlier, row), row)
