"""In what a loss is measured and what is counted on the way."""

import math
from dataclasses import dataclass
from typing import final

from ...schema import Positive


@final
@dataclass(frozen=True)
class Unit:
    """The unit of a task's loss, and its items.

    Attributes:
        name: of the loss, such as ``bits/char``.
        item: what the speed counts, such as ``chars``.
        scale: what a mean loss of the task is multiplied with to be in the unit.
    """

    name: str
    item: str
    scale: Positive = 1.0


BITS = Unit("bits/char", "chars", 1 / math.log(2))
"""Of language models: cross-entropies are in nats."""
