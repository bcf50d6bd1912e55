"""The calling convention: what a kernel is handed, and what the launcher is told.

A kernel takes one argument: the address of its argument block, a list of 64-bit words. Which word
holds what is declared here, once. Code generation reads the words by this declaration, a launch
fills them by it, and the launcher's own table is declared below in the same way. Nobody else counts
words or joins addresses.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple, final

WORD = 8
"""Bytes of a word."""


class Role(Enum):
    """The part that a buffer plays, in the loop of a kernel or for those who launch it."""

    INPUT = "input"  # read by the loop: inputs of the cell, or what is computed of them before it
    LEARNED = "learned"  # a learned vector or scalar
    OLD = "old"  # a state before each step
    NEW = "new"  # a state after each step
    AFTER = "after"  # a state of the forward pass after each step, read by the derivative
    RECORDED = "recorded"  # a value that is returned for every step, or its gradient
    SAVED = "saved"  # a value that the derivative reads
    GRADIENT = "gradient"  # columns of gradients for every step
    SUM = "sum"  # a gradient that each thread adds up
    KEPT = "kept"  # workspace: a value that a later pass of the same step reads
    WEIGHT = "weight"  # a matrix or bias as the module holds it
    PACKED = "packed"  # workspace: a matrix laid out for tiles
    BIAS = "bias"  # workspace: the start values of a pass's sums
    INITIAL = "initial"  # a state before the first step
    FINAL = "final"  # a state after the last step, or its gradient
    PAIR = "pair"  # a state before and after a step, in turn
    STORE = "store"  # all that the forward pass keeps for the backward pass
    SOURCE = "source"  # what a learned layer read, for the gradient of its weights
    WORKSPACE = "workspace"  # memory that a kernel alone uses

    __hash__ = object.__hash__  # members are compared by identity; that of Enum is slow


class Rows(Enum):
    """Where the rows of a step begin in a buffer."""

    STEP = "step"  # at the row that a table tells for each step
    BATCH = "batch"  # at its first row: one row for each row of the batch
    ONE = "one"  # at its only row
    THREAD = "thread"  # at the row of the thread
    WHOLE = "whole"  # it has no rows: all of it is read or written


class Buffer(NamedTuple):
    """The name of a buffer.

    >>> str(Buffer(Role.OLD, "h"))
    'old h'
    """

    role: Role
    name: str = ""

    def __str__(self) -> str:
        """Return it in words, for plans and messages."""
        return f"{self.role.value} {self.name}".rstrip()


class Field(NamedTuple):
    """A buffer of an argument block.

    Attributes:
        buffer: its name.
        place: how many buffers stand before it.
        rows: where the rows of a step begin.
        stride: numbers from one row to the next; of `Rows.WHOLE`, how many it has.
        width: numbers of a row that are read or written.
    """

    buffer: Buffer
    place: int
    rows: Rows
    stride: int
    width: int


SCALARS = ["steps", "counts", "arrived", "parts", "rows", "shards"]
"""Of a kernel's argument block: T; the table of the rows of each step; how many threads have come
to a barrier; into how many parts rows are sharded, 0 if units are; B; where these parts begin."""


@final
class ArgumentBlock:
    """The words that a kernel is handed: scalars first, then two for each buffer.

    Args:
        scalars: the names of single words.

    Attributes:
        fields: the buffers, in order.
        written: those that the kernel writes.

    >>> block = ArgumentBlock(["steps"])
    >>> field = block.declare(Buffer(Role.OLD, "h"), Rows.STEP, stride=20, width=20)
    >>> block.scalar("steps"), block.address(field), block.starts(field), block.size
    (0, 1, 2, 3)
    """

    def __init__(self, scalars: list[str]) -> None:
        self.scalars = scalars
        self.fields: list[Field] = []
        self.written: set[Buffer] = set()
        self._places: dict[Buffer, int] = {}

    def declare(self, buffer: Buffer, rows: Rows, stride: int, width: int) -> Field:
        """Return the field of a buffer; it is declared by the first who uses it."""
        if buffer not in self._places:
            self._places[buffer] = len(self.fields)
            self.fields.append(Field(buffer, len(self.fields), rows, stride, width))
        return self.fields[self._places[buffer]]

    def field(self, buffer: Buffer) -> Field:
        """Return the field of a buffer that is declared."""
        return self.fields[self._places[buffer]]

    def __contains__(self, buffer: object) -> bool:
        """Return whether the kernel uses a buffer."""
        return buffer in self._places

    def scalar(self, name: str) -> int:
        """Return the word of a scalar."""
        return self.scalars.index(name)

    def address(self, field: Field) -> int:
        """Return the word that holds where a buffer's first number stands."""
        return len(self.scalars) + 2 * field.place

    def starts(self, field: Field) -> int:
        """Return the word that holds where the table of its steps' first rows stands."""
        return self.address(field) + 1

    @property
    def size(self) -> int:
        """How many words there are."""
        return len(self.scalars) + 2 * len(self.fields)


FITS, SCATTERED, WRONG = range(3)
"""What is said of a tensor: it is as expected; all but contiguous; anything else."""

ANY = -1
"""Instead of a dtype or a count that does not matter."""

FUNCTIONS = {
    "layout": "aoti_torch_get_layout",
    "device": "aoti_torch_get_device_type",
    "dtype": "aoti_torch_get_dtype",
    "numel": "aoti_torch_get_numel",
    "dim": "aoti_torch_get_dim",
    "sizes": "aoti_torch_get_sizes",
    "strides": "aoti_torch_get_strides",
    "offset": "aoti_torch_get_storage_offset",
    "extent": "aoti_torch_get_storage_size",
    "address": "aoti_torch_get_data_ptr",
}
"""PyTorch's functions of a tensor and of where the answer goes; they return 0 unless they fail."""

PARALLEL = "GOMP_parallel"
"""The function of OpenMP that runs a function on several threads."""


class Operand(NamedTuple):
    """What the launcher is told of a tensor; the same words of all operands stand side by side."""

    tensor: int  # PyTorch's handle
    address: int  # where its first number stands: an answer
    itemsize: int
    dtype: int
    numbers: int
    width: int


class Relocation(NamedTuple):
    """A word of the argument block that becomes the address of a place in an operand."""

    word: int  # of the argument block
    operand: int
    offset: int  # bytes


class Copy(NamedTuple):
    """Numbers that are copied from one operand to another, before or after the kernel."""

    source: int
    source_offset: int  # bytes
    target: int
    target_offset: int
    size: int
    times: int  # how often it is written, one after the other


HEADER = (
    "operands",
    "worst",  # an answer: the worst that is to be said of an operand
    "relocations",
    "before",
    "after",
    "function",  # of the kernel, for one thread
    "run_shard",  # of the kernel, for several
    "threads",
    "arguments",
    "arrived",  # the word of the argument block at which threads meet, -1 if there is none
)
"""The scalars of the launcher's table; operands, relocations and copies follow."""


def header(name: str) -> int:
    """Return the word of a scalar of the launcher's table."""
    return HEADER.index(name)
