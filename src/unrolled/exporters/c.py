"""Networks as C99: one file and its header, without allocation and without dependencies."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, final

import numpy
from numpy.typing import NDArray
from torch import nn

from ..errors import UserError
from ..graph.learned import Size
from ..graph.node import Node
from ..graph.notation import NOTATION, Writer
from ..graph.operation import Operation
from ..printing.c import UNITS, WORDS, Body, array_of
from ..printing.loops import Loops, Product
from . import c_functions
from .files import taken
from .network import Direction, Network, network

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

MOST_STEPS = 2**20
"""Of a sequence that is read in both directions."""

IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")

MAGIC = b"unrolled"
"""What a file of weights begins with; then come the version, a hash of the equations and sizes, and
how many numbers follow: 8 + 4 + 8 + 4 bytes, little-endian, and 8 of nothing, so that the numbers
are aligned."""
VERSION = 1


@final
@dataclass(frozen=True)
class CSource:
    """The files.

    Attributes:
        code: of NAME.c.
        header: of NAME.h.
        blob: of NAME.bin; empty if the weights stand in NAME.c.
    """

    code: str
    header: str
    blob: bytes = b""


@final
class CProgram:
    """Writes a network as C.

    Args:
        found: the network.
        name: what its functions and types begin with; an identifier of C.
        dtype: float or double.
        fast: whether activations are good to four digits only.
        max_steps: of a sequence, where both directions are read; None otherwise.
        beside: whether the weights stand in a file beside the code.
    """

    def __init__(
        self,
        found: Network,
        name: str,
        dtype: str = "float",
        fast: bool = False,
        max_steps: int | None = None,
        beside: bool = False,
    ) -> None:
        self.found, self.name, self.dtype, self.fast = found, name, dtype, fast
        self.max_steps, self.beside = max_steps, beside
        self._numbers: list[NDArray[Any]] = []  # of the file beside
        if found.directions == 2 and max_steps is None:
            raise UserError(
                "a network of both directions reads whole sequences: give max_steps=, the length "
                "of the longest, by which its memory is made"
            )
        self._panels: set[int] = set()
        self._layers = [
            _CLayer(self, each, f"l{number}{'_reverse' * turn}")
            for number, layer in enumerate(found.layers)
            for turn, each in enumerate(layer)
        ]

    def source(self) -> CSource:
        """Return both files."""
        body = "\n\n".join([*(layer.text() for layer in self._layers), *self._api()])
        functions = c_functions.used(body, self.dtype, self.fast)
        products = "\n\n".join(_product(width) for width in sorted(self._panels))
        head = f"""\
/* {self.name}.c: {self._about()}

{self._first_lines()}   {self.name}_state state;
   {self.name}_reset(&state);
   {self._call()}

   cc -O3 {self.name}.c main.c -lm

   -march=native makes it faster on the processor at hand; -ffast-math is not needed. */
#include "{self.name}.h"

#include <math.h>
#include <stdint.h>

#ifdef __cplusplus
#define RESTRICT __restrict
#else
#define RESTRICT restrict
#endif
#ifdef __GNUC__
#define ALIGNED __attribute__((aligned(64))) /* to lines of the cache */
#else
#define ALIGNED
#endif

typedef {self.dtype} real;"""
        parts = [head, functions, self._loading(body), products, body]
        code = "\n\n".join(filter(None, parts)) + "\n"
        return CSource(code, self._header(), self._blob(body))

    def _hash(self, body: str) -> int:
        """Return a number that tells equations and sizes from others, of 64 bits."""
        return int.from_bytes(sha256(body.encode()).digest()[:8], "little")

    def _blob(self, body: str) -> bytes:
        """Return the file of weights; nothing if they stand in the code."""
        if not self.beside:
            return b""
        numbers = numpy.concatenate([each.ravel() for each in self._numbers])
        head = MAGIC + VERSION.to_bytes(4, "little") + self._hash(body).to_bytes(8, "little")
        head += len(numbers).to_bytes(4, "little") + bytes(8)
        return head + numbers.astype("<f4" if self.dtype == "float" else "<f8").tobytes()

    def _loading(self, body: str) -> str:
        """Return the function that takes the file of weights."""
        if not self.beside:
            return ""
        count, own = sum(each.size for each in self._numbers), self._hash(body)
        return f"""\
/* The weights of the file beside this one, once it has been checked. */
static const real *numbers;

static uint32_t word(const unsigned char *bytes)
{{
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}}

int {self.name}_load(const void *file, unsigned long size)
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

    def _first_lines(self) -> str:
        if not self.beside:
            return ""
        return f"   if ({self.name}_load(bytes, size) != 0) return 1;\n"

    def _about(self) -> str:
        found = self.found
        layers = f"{len(found.layers)} layer{'s' * (len(found.layers) > 1)}"
        both = " in both directions" if found.directions == 2 else ""
        return f"{found.cell}, {layers}{both}, printed from its equations by unrolled"

    def _call(self) -> str:
        if self.found.directions == 2:
            return f"{self.name}_run(&state, x, steps, y);"
        x = "symbol" if self.found.embedding is not None else f"x[{self.name.upper()}_INPUT]"
        return f"{self.name}_step(&state, {x.split('[')[0]}, y);"

    def _header(self) -> str:
        found, name, upper = self.found, self.name, self.name.upper()
        first = found.layers[0][0]
        reads = "int symbol" if found.embedding is not None else f"const {self.dtype} *x"
        many = "const int *symbols" if found.embedding is not None else f"const {self.dtype} *x"
        fields = [
            f"    {self.dtype} {self._layers[0].body.spelled[state]}[{len(self._layers)}]"
            f"[{first.units[size]}];"
            for state, size in first.graph.states.items()
        ]
        if found.directions == 2:
            width = max(2 * layer[0].output_size for layer in found.layers)
            fields.append(f"    {self.dtype} memory[2][{self.max_steps}][{width}];")
        symbols = (
            [f"#define {upper}_SYMBOLS {len(found.embedding)}"]
            if found.embedding is not None
            else []
        )
        lines = [
            f"#ifndef {upper}_H",
            f"#define {upper}_H",
            "",
            "#ifdef __cplusplus",
            'extern "C" {',
            "#endif",
            "",
            f"#define {upper}_INPUT {1 if symbols else found.input_size}",
            f"#define {upper}_OUTPUT {found.output_size}",
            *symbols,
            *([f"#define {upper}_MAX_STEPS {self.max_steps}"] if found.directions == 2 else []),
            "",
            "/* All that is remembered; it may be copied, saved and restored. */",
            "typedef struct {",
            *fields,
            f"}} {name}_state;",
            "",
        ]
        if self.beside:
            lines += [
                f"/* Take the bytes of {name}.bin, before all else; they have to stay where they",
                "   are. Returns 0, or what is wrong: -1 too short, -2 no such file, -3 of another",
                "   version, -4 of another model, -5 cut off, -6 not aligned. */",
                f"int {name}_load(const void *file, unsigned long size);",
                "",
            ]
        lines += [
            "/* Begin a sequence. */",
            f"void {name}_reset({name}_state *state);",
            "",
        ]
        if found.directions == 1:
            lines += [
                f"/* Read a step; y[{upper}_OUTPUT] is what the network answers to all so far. */",
                f"void {name}_step({name}_state *state, {reads}, {self.dtype} *y);",
                "",
            ]
        answers = f"y[steps][{upper}_OUTPUT]" if found.answers else f"y[{upper}_OUTPUT] at the end"
        most = f"; -1 if there are more than {upper}_MAX_STEPS" if found.directions == 2 else ""
        lines += [
            f"/* Read a sequence; answers are {answers}. Returns 0{most}. */",
            f"int {name}_run({name}_state *state, {many}, int steps, {self.dtype} *y);",
            "",
        ]
        if found.symbols:
            lines += [
                "/* Turn answers into probabilities, in their place. */",
                f"void {name}_softmax({self.dtype} *y);",
                "",
            ]
        return "\n".join([*lines, "#ifdef __cplusplus", "}", "#endif", "", "#endif", ""])

    def _api(self) -> Iterator[str]:
        found, name = self.found, self.name
        if found.embedding is not None:
            yield self.array("embedding", found.embedding)
        if found.head is not None:
            yield from self._head(*found.head)
        yield self._reset()
        if found.directions == 1:
            yield self._step()
        yield self._run()
        if found.symbols:
            yield f"""\
void {name}_softmax(real *y)
{{
    real most = y[0], total = 0;
    for (int k = 1; k < {found.output_size}; k++) most = y[k] > most ? y[k] : most;
    for (int k = 0; k < {found.output_size}; k++) y[k] = real_exp(y[k] - most);
    for (int k = 0; k < {found.output_size}; k++) total += y[k];
    for (int k = 0; k < {found.output_size}; k++) y[k] /= total;
}}"""

    def _head(self, weight: NDArray[Any], bias: NDArray[Any]) -> Iterator[str]:
        packed = self.packed(weight, bias)
        yield self.array("head_W", packed.weights)
        yield self.array("head_b", packed.bias)
        calls = packed.calls("head_W", "head_b", str(weight.shape[1]), "h", "sums")
        lines = "\n".join(f"    {call}" for call in calls)
        yield f"""\
static void head(const real *RESTRICT h, real *RESTRICT y)
{{
    real sums[{len(packed.bias)}];
{lines}
    for (int k = 0; k < {len(weight)}; k++) y[k] = sums[k];
}}"""

    def _reset(self) -> str:
        lines = []
        for number, layer in enumerate(self._layers):
            for state, size in layer.direction.graph.states.items():
                units, plain = layer.direction.units[size], layer.body.spelled[state]
                value = f"{layer.name}_{plain}_0[k]" if state in layer.direction.initial else "0"
                lines.append(
                    f"    for (int k = 0; k < {units}; k++) state->{plain}[{number}][k] = {value};"
                )
        return f"void {self.name}_reset({self.name}_state *state)\n{{\n" + "\n".join(lines) + "\n}"

    def _calls(self, first: str) -> list[str]:
        """Return the calls of all layers, one after the other, of one direction."""
        calls, source = [], first
        for number, layer in enumerate(self._layers):
            graph = layer.direction.graph
            names = [layer.body.spelled[state] for state in graph.states]
            states = ", ".join(f"state->{state}[{number}]" for state in names)
            calls.append(f"layer_{layer.name}({source}, {states});")
            source = f"state->{layer.body.spelled[graph.output]}[{number}]"
        return [*calls, source]

    def _step(self) -> str:
        found, name, upper = self.found, self.name, self.name.upper()
        reads = "int symbol" if found.embedding is not None else "const real *x"
        lines = []
        if found.embedding is not None:
            lines += [
                f"    if (symbol < 0 || symbol >= {upper}_SYMBOLS) {{ /* nothing is read of it */",
                f"        for (int k = 0; k < {upper}_OUTPUT; k++) y[k] = 0;",
                "        return;",
                "    }",
            ]
        first = f"&embedding[symbol * {found.input_size}]" if found.embedding is not None else "x"
        *calls, last = self._calls(first)
        lines += [f"    {call}" for call in calls]
        lines.append(self._answer(last, "y"))
        return (
            f"void {name}_step({name}_state *state, {reads}, real *y)\n{{\n"
            + "\n".join(lines)
            + "\n}"
        )

    def _answer(self, last: str, y: str) -> str:
        if self.found.head is not None:
            return f"    head({last}, {y});"
        return f"    for (int k = 0; k < {self.found.output_size}; k++) {y}[k] = {last}[k];"

    def _run(self) -> str:
        if self.found.directions == 2:
            return self._run_both()
        found, name, upper = self.found, self.name, self.name.upper()
        is_symbols = found.embedding is not None
        many = "const int *symbols" if is_symbols else "const real *x"
        source = "symbols[t]" if is_symbols else f"&x[t * {upper}_INPUT]"
        y = f"&y[t * {upper}_OUTPUT]" if found.answers else "y"
        return f"""\
int {name}_run({name}_state *state, {many}, int steps, real *y)
{{
    for (int t = 0; t < steps; t++) {name}_step(state, {source}, {y});
    return 0;
}}"""

    def _run_both(self) -> str:
        found, name, upper = self.found, self.name, self.name.upper()
        many = "const int *symbols" if found.embedding is not None else "const real *x"
        lines = [f"    if (steps > {upper}_MAX_STEPS) return -1;"]
        source, width = None, found.input_size
        for number in range(len(found.layers)):
            target, last = f"state->memory[{number % 2}]", None
            for turn in range(2):
                layer = self._layers[2 * number + turn]
                graph, place = layer.direction.graph, 2 * number + turn
                names = [layer.body.spelled[state] for state in graph.states]
                states = ", ".join(f"state->{state}[{place}]" for state in names)
                read = f"{source}[t]" if source else f"&x[t * {width}]"
                if source is None and found.embedding is not None:
                    read = f"&embedding[symbols[t] * {width}]"
                size = layer.direction.output_size
                order = "t = 0; t < steps; t++" if turn == 0 else "t = steps - 1; t >= 0; t--"
                out = f"state->{layer.body.spelled[graph.output]}[{place}]"
                lines += [
                    f"    for (int {order}) {{",
                    f"        layer_{layer.name}({read}, {states});",
                    f"        for (int k = 0; k < {size}; k++)",
                    f"            {target}[t][{turn * size} + k] = {out}[k];",
                    "    }",
                ]
                last = size
            source, width = target, 2 * (last or 0)
        if found.answers:
            lines.append("    for (int t = 0; t < steps; t++)")
            lines.append("    " + self._answer(f"{source}[t]", f"(&y[t * {upper}_OUTPUT])"))
        else:
            lines += self._ends(width // 2)
        if found.embedding is not None:
            check = f"if (symbols[t] < 0 || symbols[t] >= {upper}_SYMBOLS) return -1;"
            lines.insert(1, f"    for (int t = 0; t < steps; t++) {check}")
        return "\n".join(
            [
                f"int {name}_run({name}_state *state, {many}, int steps, real *y)",
                "{",
                *lines,
                "    return 0;",
                "}",
            ]
        )

    def _ends(self, size: int) -> list[str]:
        """Return the lines that answer by the last states of both directions."""
        places = range(len(self._layers) - 2, len(self._layers))
        lines = [f"    real ends[{2 * size}];"]
        for turn, place in enumerate(places):
            layer = self._layers[place]
            out = f"state->{layer.body.spelled[layer.direction.graph.output]}[{place}]"
            lines.append(
                f"    for (int k = 0; k < {size}; k++) ends[{turn * size} + k] = {out}[k];"
            )
        return [*lines, self._answer("ends", "y")]

    def packed(self, weight: NDArray[Any], bias: NDArray[Any]) -> Packed:
        """Return a matrix and a bias as its products read them."""
        found = Packed.of(weight, bias)
        self._panels |= found.panels.keys()
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


class _CLayer:
    """One layer in one direction, as a function of C."""

    def __init__(self, program: CProgram, direction: Direction, name: str) -> None:
        self.program, self.direction, self.name = program, direction, name
        self.loops = Loops(direction.graph)
        used = {*direction.graph.sizes.values(), *direction.graph.states.values(), "input"}
        self.units: dict[Size, str] = {
            size: "1" if size == "one" else f"{name.upper()}_{UNITS[size]}"
            for size in direction.units
            if size in used or size == "one"
        }
        units = self.units
        self._arrays: list[str] = []
        self.body = Body(self.loops, self._product, units)

    def text(self) -> str:
        """Return its arrays and its function."""
        graph, direction = self.direction.graph, self.direction
        x = self.body.spelled[next(iter(graph.inputs))]
        states = [self.body.spelled[state] for state in graph.states]
        arguments = [f"const real *RESTRICT {x}", *(f"real *RESTRICT {s}" for s in states)]
        lines, pointers = self.body.lines(), []
        for node in graph.learned:
            name = self.body.spelled[node.attribute.name]
            if any(_mentions(line, name) for line in lines):
                values = numpy.atleast_1d(direction.weights[node.attribute.name])
                self._arrays.append(self.program.array(f"{self.name}_{name}", values))
                pointers.append(f"    const real *const {name} = {self.name}_{name};")
        reads_x = any(_mentions(line, x) for line in lines)
        unused = [] if reads_x else [f"    (void){x};"]
        for state, values in direction.initial.items():
            self._arrays.append(
                self.program.array(f"{self.name}_{self.body.spelled[state]}_0", values)
            )
        head = f"static void layer_{self.name}({', '.join(arguments)})"
        sizes = [
            f"#define {name} {direction.units[size]}"
            for size, name in self.units.items()
            if size != "one"
        ]
        return "\n".join(
            [*sizes, "", *self._arrays, "", head, "{", *unused, *pointers, *lines, "}"]
        )

    def _product(self, number: int, product: Product) -> Iterator[str]:
        """Give the lines of a product."""
        graph, spelled = self.direction.graph, self.body.spelled
        weight = numpy.concatenate([self._rows(node) for node in product.layers])
        bias = numpy.concatenate([self._bias(node) for node in product.layers])
        packed = self.program.packed(weight, bias)
        self._arrays.append(self.program.array(f"{self.name}_W{number}", packed.weights))
        self._arrays.append(self.program.array(f"{self.name}_b{number}", packed.bias))
        for node in product.layers:
            text = Writer(NOTATION, "({})", self._name).equation(node).text
            yield f"/* {spelled[self.loops.names[node]]} = {text} */"
        sizes = [self.units[graph.sizes[source]] for source in product.sources]
        sources = [array_of(source, self.loops, spelled) for source in product.sources]
        joined = sources[0]
        if len(sources) > 1:
            joined = f"joined{number}"
            yield f"real {joined}[{' + '.join(sizes)}];"
            start = ""
            for source, size in zip(sources, sizes, strict=True):
                yield f"for (int k = 0; k < {size}; k++) {joined}[{start}k] = {source}[k];"
                start += f"{size} + "
        yield f"real sums{number}[{len(packed.bias)}];"
        names = f"{self.name}_W{number}", f"{self.name}_b{number}", " + ".join(sizes)
        yield from packed.calls(*names, joined, f"sums{number}")
        start = ""
        for node in product.layers:
            name = spelled[self.loops.names[node]]
            yield f"const real *const {name} = sums{number}{start};"
            start += f" + {self.units[node.attribute.size]}"

    def _rows(self, node: Node) -> NDArray[Any]:
        layer = node.attribute
        weights = [self.direction.weights[layer.weight(k)] for k in range(len(layer.blocks))]
        return numpy.concatenate(weights, 1)

    def _bias(self, node: Node) -> NDArray[Any]:
        layer = node.attribute
        total = numpy.zeros(self.direction.units[layer.size])
        for place, block in enumerate(layer.blocks):
            if block.bias is not None:
                total = total + self.direction.weights[layer.weight(place, "b")]
        return total

    def _name(self, node: Node) -> str | None:
        if node.operation in (Operation.INPUT, Operation.STATE):
            return node.attribute
        return None if node.operation is Operation.AFFINE else self.loops.names.get(node)


def _mentions(line: str, name: str) -> bool:
    return re.search(rf"\b{re.escape(name)}\b", line) is not None


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


def files(
    module: nn.Module, path: Path, name: str | None, options: dict[str, Any]
) -> dict[Path, bytes]:
    """Return the files of a module, by their paths, the header first.

    Raises:
        UserError: an option or the name is none, or the module cannot be exported.
    """
    dtype, fast, weights, max_steps = taken(
        options, dtype="float", fast=False, weights="inside", max_steps=None
    )
    if dtype not in ("float", "double"):
        raise UserError(f"dtype must be float or double, not {dtype!r}")
    if weights not in ("inside", "beside"):
        raise UserError(f"weights must be inside or beside, not {weights!r}")
    if max_steps is not None and not (type(max_steps) is int and 1 <= max_steps <= MOST_STEPS):
        raise UserError(f"max_steps must be from 1 to {MOST_STEPS:,}, not {max_steps!r}")
    if path.exists() and not path.is_dir():
        raise UserError(f"{path} is a file: C is written into a folder")
    own = path.name if name is None else name
    if not IDENTIFIER.fullmatch(own) or own in WORDS:
        if name is not None:
            raise UserError(f"--name {name!r} is no name that functions of C can begin with")
        own = "model"
    program = CProgram(network(module), own, dtype, fast, max_steps, weights == "beside")
    source = program.source()
    found = {
        path / f"{own}.h": source.header.encode(),
        path / f"{own}.c": source.code.encode(),
    }
    return found | ({path / f"{own}.bin": source.blob} if source.blob else {})
