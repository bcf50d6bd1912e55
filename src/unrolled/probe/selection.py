"""Choices of steps, rows or units: numbers, slices, sequences and masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import torch
from torch import Tensor

Chosen = int | slice | Sequence[int] | Sequence[bool] | Tensor | None
"""None for all; an int; a slice; a sequence or 1-D tensor of ints; a mask of bools."""


@final
class Selection:
    """Chosen places along one axis.

    Args:
        chosen: what a user chose.
        axis: "steps", "rows" or "units", for messages.

    Raises:
        TypeError: for anything that chooses no places.
    """

    def __init__(self, chosen: Chosen, axis: str) -> None:
        self.axis = axis
        self.chosen = _checked(chosen, axis)
        self._mask: int | None = None  # for how many places a mask is
        if isinstance(self.chosen, list) and isinstance(self.chosen[0], bool):
            self._mask = len(self.chosen)
            self.chosen = [place for place, held in enumerate(self.chosen) if held]

    @property
    def everything(self) -> bool:
        """Whether nothing was chosen, so that all is meant."""
        return self.chosen is None

    @property
    def relative(self) -> bool:
        """Whether it counts from the end, so that the number of places has to be known."""
        if isinstance(self.chosen, slice):
            bounds = (self.chosen.start, self.chosen.stop, self.chosen.step)
            return any(bound is not None and bound < 0 for bound in bounds)
        return isinstance(self.chosen, list) and any(place < 0 for place in self.chosen)

    def places(self, count: int) -> list[int]:
        """Return the chosen ones of `count` places, in the order in which they were chosen.

        Raises:
            IndexError: for a place that is not there, or a mask of another length.
        """
        if self.chosen is None:
            return list(range(count))
        if isinstance(self.chosen, slice):
            return list(range(count))[self.chosen]
        if self._mask not in (None, count):
            raise IndexError(f"{self.axis}: a mask of {self._mask} for {count} {self.axis}")
        for place in self.chosen:
            if not -count <= place < count:
                raise IndexError(f"{self.axis}: {place} is not among the {count} {self.axis}")
        return [place % count for place in self.chosen]

    def shared(self, count: int, before: int, goes_on: bool) -> tuple[list[int], list[int]]:
        """Return the chosen places of a call that has `count` of them: places, and which choice
        each is.

        Args:
            count: how many there are.
            before: the most that a call before had, 0 for the first. What those had and this one
                has not is left out.
            goes_on: whether later calls may have more, so that what none had so far is left out.

        Raises:
            IndexError: for a place that no call had so far, a mask of another length, and where
                the end is counted from and calls have different ones.
        """
        if self.relative and before not in (0, count):
            raise IndexError(
                f"{self.axis}: {self.chosen} counts from the end, but the calls have {before} and "
                f"{count} {self.axis}: count from the start"
            )
        most = max(count, before)
        chosen = self._until(most) if goes_on and not self.relative else self.places(most)
        pairs = [(place, k) for k, place in enumerate(chosen) if 0 <= place < count]
        return [place for place, _ in pairs], [choice for _, choice in pairs]

    def within(self, start: int, count: int) -> tuple[list[int], list[int]]:
        """Return the chosen of the places from `start` on: counted from there, and which choice
        each is.

        Raises:
            IndexError: if it counts from the end and `start` is not 0.
        """
        if self.relative:
            if start:
                raise IndexError(
                    f"{self.axis}: {self.chosen} counts from the end, which a loop over calls "
                    "does not know: count from the start"
                )
            places = self.places(count)
            return places, list(range(len(places)))
        pairs = [(p - start, k) for k, p in enumerate(self._until(start + count)) if p >= start]
        return [place for place, _ in pairs], [choice for _, choice in pairs]

    def _until(self, stop: int) -> list[int]:
        """Return the chosen places; of open choices those before `stop`."""
        if self.chosen is None or isinstance(self.chosen, slice):
            return self.places(stop)
        return [place if place < stop else -1 for place in self.chosen]

    def missing(self, count: int) -> list[int]:
        """Return the places that were named one by one and are not among the first `count`."""
        if self._mask is not None:
            return list(range(count, self._mask))
        return [p for p in self.chosen if p >= count] if isinstance(self.chosen, list) else []


def _checked(chosen: Chosen, axis: str) -> slice | list[int] | None:
    """Return a choice as a slice, distinct ints, or bools."""
    if chosen is None:
        return None
    if isinstance(chosen, slice):
        for bound in (chosen.start, chosen.stop, chosen.step):
            if bound is not None and not hasattr(bound, "__index__"):
                raise TypeError(f"{axis}: a slice of ints was expected, got {chosen}")
        return chosen
    items = chosen.tolist() if isinstance(chosen, Tensor) else chosen
    is_several = hasattr(items, "__iter__") and not isinstance(items, str)
    listed: list[Any] = list(items) if is_several else [items]  # pyright: ignore[reportArgumentType]
    if is_several and listed and all(isinstance(item, bool) for item in listed):
        return listed
    if not all(hasattr(item, "__index__") and not isinstance(item, bool) for item in listed):
        raise TypeError(
            f"{axis}: expected an int, a slice, a sequence of ints or a mask of bools, "
            f"got {chosen!r}"
        )
    places = [int(item) for item in listed]
    if not places or len(set(places)) < len(places):
        raise ValueError(f"{axis}: expected at least one place, and each once, got {places}")
    return places


def index(places: list[int], device: torch.device) -> Tensor:
    """Return places as a tensor."""
    return torch.tensor(places, dtype=torch.long, device=device)
