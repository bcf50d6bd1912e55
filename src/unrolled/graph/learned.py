"""Learned parts: the attributes of nodes that hold parameters, and how these are called."""

from __future__ import annotations

from typing import Literal, NamedTuple

Size = Literal["input", "hidden", "projection", "one"]
"""The number of units of a value in one row: I, H, P or 1."""


class Learned(NamedTuple):
    """A learned vector or scalar, the attribute of a LEARNED leaf."""

    name: str
    size: Size | None  # None until the equations around it have told
    init: float | None  # None: drawn like the weights


class Block(NamedTuple):
    """The rows of one weight matrix that a layer multiplies with one of its sources."""

    group: str  # "ih": the rows are in weight_ih and bias_ih
    row: int  # which block of rows of the weight
    bias: int | None  # which block of rows of the bias, None without one
    size: Size | None = None  # of the source, None until the equations around it have told


class Layer(NamedTuple):
    """A learned layer, the attribute of an AFFINE node; one block for each of its arguments."""

    name: str
    size: Size
    blocks: tuple[Block, ...]

    def subscripts(self, index: int) -> tuple[str, ...]:
        """Return the subscripts of a weight: what it reads and which layer it belongs to."""
        group = self.blocks[index].group
        return (group,) if self.size == "projection" else (group.removesuffix("h"), self.name)

    def weight(self, index: int, letter: str = "W") -> str:
        """Return the name of a weight (W) or bias (b): ``W_ii``, ``b_hf``, ``W_rh_n``."""
        parts = self.subscripts(index)
        return f"{letter}_{('' if all(len(part) == 1 for part in parts) else '_').join(parts)}"

    @property
    def names(self) -> list[str]:
        """The names of its weights, each with its bias behind it if it has one."""
        return [
            self.weight(index, letter)
            for index, block in enumerate(self.blocks)
            for letter in ("W" if block.bias is None else "Wb")
        ]


class Term(NamedTuple):
    """One weight of a layer, the attribute of TRANSPOSED and OUTER nodes."""

    layer: Layer
    source: int  # which of the layer's sources it reads

    @property
    def weight(self) -> str:
        """The name of the weight."""
        return self.layer.weight(self.source)
