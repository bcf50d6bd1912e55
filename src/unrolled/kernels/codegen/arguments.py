"""The words of an argument block, as a kernel reads them."""

from __future__ import annotations

from typing import final

from ..runtime.abi import ArgumentBlock, Buffer, Field
from .ir import Function


@final
class Arguments:
    """Reads an argument block inside a function.

    Args:
        f: the function.
        block: the declaration.
        base: the value that holds the block's address.
    """

    def __init__(self, f: Function, block: ArgumentBlock, base: str = "%arguments") -> None:
        self._f = f
        self._block = block
        self._base = base

    def scalar(self, name: str, kind: str = "i64") -> str:
        """Return the value of a scalar."""
        return self._f.load(kind, self.place(name))

    def place(self, name: str) -> str:
        """Return where a scalar stands."""
        return self._f.at(self._base, str(self._block.scalar(name)), "i64")

    def address(self, buffer: Buffer) -> str:
        """Return where a buffer's first number stands."""
        return self._word(self._block.address(self._block.field(buffer)))

    def starts(self, field: Field) -> str:
        """Return where the table of the first rows of a buffer's steps stands."""
        return self._word(self._block.starts(field))

    def _word(self, word: int) -> str:
        return self._f.load("ptr", self._f.at(self._base, str(word), "i64"))
