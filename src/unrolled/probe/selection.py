"""Choices of steps, rows or units: numbers, slices, sequences and masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

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
        if isinstance(self.chosen, Mask):
            return self.chosen.places(count, self.axis)
        for place in self.chosen:
            if not -count <= place < count:
                raise IndexError(f"{self.axis}: {place} is not among the {count} {self.axis}")
        return [place % count for place in self.chosen]

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
        if isinstance(self.chosen, Mask):
            chosen = [place for place, held in enumerate(self.chosen.held) if held]
        else:
            chosen = self.chosen
        return [place if place < stop else -1 for place in chosen]

    def missing(self, count: int) -> list[int]:
        """Return the places that were named one by one and are not among the first `count`."""
        if isinstance(self.chosen, Mask):
            return list(range(count, len(self.chosen.held)))
        if isinstance(self.chosen, list):
            return [place for place in self.chosen if place >= count]
        return []


@final
class Mask:
    """A bool for each place."""

    def __init__(self, held: list[bool]) -> None:
        self.held = held

    def places(self, count: int, axis: str) -> list[int]:
        """Return the places that are held; raise IndexError for another number of places."""
        if len(self.held) != count:
            raise IndexError(f"{axis}: a mask of {len(self.held)} for {count} {axis}")
        return [place for place, held in enumerate(self.held) if held]


def _checked(chosen: Chosen, axis: str) -> slice | list[int] | Mask | None:
    if chosen is None:
        return None
    if isinstance(chosen, slice):
        for bound in (chosen.start, chosen.stop, chosen.step):
            if bound is not None and not hasattr(bound, "__index__"):
                raise TypeError(f"{axis}: a slice of ints was expected, got {chosen}")
        return chosen
    items = chosen.tolist() if isinstance(chosen, Tensor) else chosen
    if hasattr(items, "__index__") and not isinstance(items, bool):
        return _distinct([int(items)], axis)  # pyright: ignore[reportArgumentType]
    if hasattr(items, "__iter__") and not isinstance(items, str):
        listed = list(items)  # pyright: ignore[reportArgumentType]
        if listed and all(isinstance(item, bool) for item in listed):
            return Mask(listed)
        if all(hasattr(item, "__index__") and not isinstance(item, bool) for item in listed):
            return _distinct([int(item) for item in listed], axis)
    raise TypeError(
        f"{axis}: expected an int, a slice, a sequence of ints or a mask of bools, got {chosen!r}"
    )


def _distinct(places: list[int], axis: str) -> list[int]:
    if not places or len(set(places)) < len(places):
        raise ValueError(f"{axis}: expected at least one place, and each once, got {places}")
    return places


def index(places: list[int], device: torch.device) -> Tensor:
    """Return places as a tensor."""
    return torch.tensor(places, dtype=torch.long, device=device)
