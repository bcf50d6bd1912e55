"""Networks as C99: one file and its header, without allocation and without dependencies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, final

from numpy.typing import NDArray
from torch import nn

from ..errors import UserError
from ..printing.c import WORDS
from . import c_functions
from .c_layer import CLayer
from .c_meaning import CMeaning
from .c_weights import Weights
from .files import taken
from .meaning import NOTHING, Meaning
from .network import Network, network

MOST_STEPS = 2**20
"""Of a sequence that is read in both directions."""

IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")


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
        meaning: what its numbers stand for.
    """

    def __init__(
        self,
        found: Network,
        name: str,
        dtype: str = "float",
        fast: bool = False,
        max_steps: int | None = None,
        beside: bool = False,
        meaning: Meaning = NOTHING,
    ) -> None:
        self.meaning = CMeaning(meaning, name, dtype)
        self.found, self.name, self.dtype, self.fast = found, name, dtype, fast
        self.max_steps, self.beside = max_steps, beside
        self.weights = Weights(dtype, beside)
        if found.directions == 2 and max_steps is None:
            raise UserError(
                "a network of both directions reads whole sequences: give max_steps=, the length "
                "of the longest, by which its memory is made"
            )
        self._layers = [
            CLayer(self.weights, each, f"l{number}{'_reverse' * turn}")
            for number, layer in enumerate(found.layers)
            for turn, each in enumerate(layer)
        ]

    def source(self) -> CSource:
        """Return both files."""
        layers = (layer.text() for layer in self._layers)
        body = "\n\n".join([*layers, *self._api(), *self.meaning.code()])
        functions = c_functions.used(body, self.dtype, self.fast)
        own = self._hash(body)
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
        loading, products = self.weights.loading(self.name, own), self.weights.products()
        parts = [head, functions, loading, products, body]
        code = "\n\n".join(filter(None, parts)) + "\n"
        return CSource(code, self._header(), self.weights.file(own))

    def _hash(self, body: str) -> int:
        """Return a number that tells equations and sizes from others, of 64 bits."""
        return int.from_bytes(sha256(body.encode()).digest()[:8], "little")

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
        lines += self.meaning.header()
        return "\n".join([*lines, "#ifdef __cplusplus", "}", "#endif", "", "#endif", ""])

    def _api(self) -> Iterator[str]:
        found, name = self.found, self.name
        if found.embedding is not None:
            yield self.weights.array("embedding", found.embedding)
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
        packed = self.weights.packed(weight, bias)
        yield self.weights.array("head_W", packed.weights)
        yield self.weights.array("head_b", packed.bias)
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


def files(
    module: nn.Module, path: Path, name: str | None, options: dict[str, Any]
) -> dict[Path, bytes]:
    """Return the files of a module, by their paths, the header first.

    Raises:
        UserError: an option or the name is none, or the module cannot be exported.
    """
    known = {"dtype": "float", "fast": False, "weights": "inside", "max_steps": None}
    dtype, fast, weights, max_steps, meaning = taken(options, **known, meaning=NOTHING)
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
    program = CProgram(network(module), own, dtype, fast, max_steps, weights == "beside", meaning)
    source = program.source()
    found = {
        path / f"{own}.h": source.header.encode(),
        path / f"{own}.c": source.code.encode(),
    }
    return found | ({path / f"{own}.bin": source.blob} if source.blob else {})
