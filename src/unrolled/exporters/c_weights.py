"""Weights of C: packed into panels, as numbers in the code or in a file beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy
from numpy.typing import NDArray

PANELS = {48: 1.0, 32: 1.15}
"""Rows whose sums stand in registers together, and what a row costs.

Measured on AVX-512 with 480 and 512 rows of 256 weights, by gcc 12 and clang 14, as a share of the
rate at which one core reads the same: 48 rows 0.93, 0.93; 32 rows 0.81, 0.83; 64 rows 0.91, 0.42.
16 rows and fewer are unrolled by gcc before it looks for vectors, and then take ten times as long.
"""


@final
@dataclass(frozen=True, eq=False)
class Packed:
    """A matrix and a bias as the products of C read them.

    Attributes:
        panels: how many of each width there are, the widest first.
        weights: panel by panel; within one, the weights of all its rows for a source side by side.
        bias: of all rows, and 0 for those that fill the last panel.
    """

    panels: dict[int, int]
    weights: NDArray[Any]
    bias: NDArray[Any]

    @classmethod
    def of(cls, weight: NDArray[Any], bias: NDArray[Any]) -> Packed:
        """Return weights (R, J) and a bias (R,) with as few rows added as can be.

        >>> Packed.of(numpy.zeros((512, 3)), numpy.zeros(512)).panels
        {48: 10, 32: 1}
        """
        count = len(weight)
        wide, narrow = PANELS
        choices = [
            {wide: each, narrow: max(0, -((each * wide - count) // narrow))}
            for each in range(-(-count // wide) + 1)
        ]
        panels = min(choices, key=lambda each: sum(n * w * PANELS[w] for w, n in each.items()))
        panels = {width: number for width, number in panels.items() if number}
        rows = sum(width * number for width, number in panels.items())
        full, padded = numpy.zeros((rows, weight.shape[1])), numpy.zeros(rows)
        full[:count], padded[:count] = weight, bias
        parts, start = [], 0
        for width, number in panels.items():
            part = full[start : start + width * number].reshape(number, width, -1)
            parts.append(part.transpose(0, 2, 1).ravel())
            start += width * number
        return cls(panels, numpy.concatenate(parts), padded)

    def calls(self, weights: str, bias: str, count: str, source: str, sums: str) -> Iterator[str]:
        """Give the calls that compute sums, by the names of what they read."""
        start = 0
        for width, number in self.panels.items():
            at = f" + {start}" if start else ""
            first = f"{weights} + {start} * ({count})" if start else weights
            yield f"product_{width}({number}, {first}, {bias}{at}, {count}, {source}, {sums}{at});"
            start += width * number


WIDTH = 100
"""Columns of a line of numbers."""

MAGIC = b"unrolled"
"""What a file of weights begins with; then come the version, a hash of the equations and sizes, and
how many numbers follow: 8 + 4 + 8 + 4 bytes, little-endian, and 8 of nothing, so that the numbers
are aligned."""
VERSION = 1


@final
class Weights:
    """The arrays of a program.

    Args:
        dtype: float or double.
        beside: whether they stand in a file beside the code.

    Attributes:
        widths: of the panels that they are packed into.
    """

    def __init__(self, dtype: str, beside: bool) -> None:
        self.dtype, self.beside = dtype, beside
        self.widths: set[int] = set()
        self._numbers: list[NDArray[Any]] = []  # of the file beside

    def packed(self, weight: NDArray[Any], bias: NDArray[Any]) -> Packed:
        """Return a matrix and a bias as their products read them."""
        found = Packed.of(weight, bias)
        self.widths |= found.panels.keys()
        return found

    def array(self, name: str, values: NDArray[Any]) -> str:
        """Return the text of an array of numbers, or of its place in the file beside."""
        if self.beside:
            start = sum(each.size for each in self._numbers)
            self._numbers.append(values)
            return f"#define {name} (numbers + {start})"
        lines = list(_folded(_numbers(values, self.dtype)))
        text = "\n".join(f"    {line}" for line in lines)
        return f"static const real {name}[{values.size}] ALIGNED = {{\n{text}\n}};"

    def products(self) -> str:
        """Return the functions of products, for each width of panels."""
        return "\n\n".join(_product(width) for width in sorted(self.widths))

    def file(self, own: int) -> bytes:
        """Return the file beside; nothing if there is none.

        Args:
            own: a number of 64 bits that tells equations and sizes from others.
        """
        if not self.beside:
            return b""
        numbers = numpy.concatenate([each.ravel() for each in self._numbers])
        head = MAGIC + VERSION.to_bytes(4, "little") + own.to_bytes(8, "little")
        head += len(numbers).to_bytes(4, "little") + bytes(8)
        return head + numbers.astype("<f4" if self.dtype == "float" else "<f8").tobytes()

    def loading(self, name: str, own: int) -> str:
        """Return the function that takes the file beside, after it has checked it."""
        if not self.beside:
            return ""
        count = sum(each.size for each in self._numbers)
        return f"""\
/* The weights of the file beside this one, once it has been checked. */
static const real *numbers;

static uint32_t word(const unsigned char *bytes)
{{
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}}

int {name}_load(const void *file, unsigned long size)
{{
    const unsigned char *const bytes = (const unsigned char *)file;
    static const char magic[] = "{MAGIC.decode()}";
    if (file == 0 || size < 32) return -1;
    for (int k = 0; k < {len(MAGIC)}; k++)
        if (bytes[k] != (unsigned char)magic[k]) return -2;
    if (word(bytes + 8) != {VERSION}) return -3;
    if (word(bytes + 12) != {own & 0xFFFFFFFF}u || word(bytes + 16) != {own >> 32}u) return -4;
    if (word(bytes + 20) != {count}u || size != 32 + sizeof(real) * {count}ul) return -5;
    if ((uintptr_t)file % sizeof(real) != 0) return -6;
    numbers = (const real *)(const void *)(bytes + 32);
    return 0;
}}"""


def _product(width: int) -> str:
    """Return the function of a matrix times a vector, by panels of so many rows."""
    return f"""\
/* sums = weights source + bias, {width} rows at a time: their weights stand side by side */
static inline void product_{width}(int panels, const real *RESTRICT weights,
                              const real *RESTRICT bias, int count,
                              const real *RESTRICT source, real *RESTRICT sums)
{{
    for (int panel = 0; panel < panels; panel++) {{
        real sum[{width}];
        for (int row = 0; row < {width}; row++) sum[row] = bias[row];
        for (int j = 0; j < count; j++) {{
            const real value = source[j];
            for (int row = 0; row < {width}; row++) sum[row] += weights[row] * value;
            weights += {width};
        }}
        for (int row = 0; row < {width}; row++) sums[row] = sum[row];
        bias += {width};
        sums += {width};
    }}
}}"""


def _numbers(values: NDArray[Any], dtype: str) -> list[str]:
    """Return numbers as C has them, with as many digits as tell them from all others."""
    kind = numpy.float32 if dtype == "float" else numpy.float64
    suffix = "f" if dtype == "float" else ""
    texts = [str(value) for value in values.ravel().astype(kind)]
    return [f"{text}{suffix}" if set(text) & {".", "e"} else f"{text}.0{suffix}" for text in texts]


def _folded(words: Sequence[str]) -> Iterator[str]:
    """Give lines of words with commas between them."""
    line = ""
    for word in words:
        if line and len(line) + len(word) + 2 > WIDTH - 4:
            yield line
            line = ""
        line += f"{' ' if line else ''}{word},"
    if line:
        yield line
