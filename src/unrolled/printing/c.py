"""Equations as C: one step as loops over units that a compiler makes vectors of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, final

from ..graph.learned import Size
from ..graph.node import Node
from ..graph.notation import NOTATION, Level, Rule, Text, Writer, compared, form
from ..graph.operation import ARITHMETIC, LEAVES, Operation
from .loops import Line, Loop, Loops, Product, Total

if TYPE_CHECKING:
    from ..graph.graph import Graph

UNITS: dict[Size, str] = {
    "input": "INPUT",
    "hidden": "HIDDEN",
    "projection": "PROJECTION",
    "one": "1",
}
"""What the sizes are called."""


WHOLE = 2**24
"""Numbers without a fraction below this are written as such: C makes reals of them."""


def _constant(node: Node, writer: Writer) -> Text:
    value = node.attribute
    if value % 1 == 0 and abs(value) < WHOLE:
        return Text(f"{value:.0f}", Level.ATOM if value >= 0 else Level.SIGN)
    return Text(number(value), Level.ATOM)


def number(value: float) -> str:
    """Return a number of the type that is called real.

    >>> number(0.5), number(float("inf")), number(-1.0)
    ('(real)0.5', '(real)HUGE_VAL', '(real)-1.0')
    """
    text = repr(float(value))
    return f"(real){text.replace('inf', 'HUGE_VAL').replace('nan', 'NAN')}"


def _arithmetic(operation: Operation) -> Rule:
    """Return the rule of an operation between numbers, at least one of which C takes for a real."""
    usual = NOTATION[operation]

    def rule(node: Node, writer: Writer) -> Text:
        written = usual(node, writer)
        if any(argument.operation is not Operation.CONSTANT for argument in node.arguments):
            return written
        return Text(f"(real)({written.text})", Level.SIGN)

    return rule


def _select(node: Node, writer: Writer) -> Text:
    condition, *values = node.arguments
    texts = [
        number(value.attribute) if value.operation is Operation.CONSTANT else writer.operand(value)
        for value in values
    ]
    test = writer.operand(condition)
    return Text(f"real_select({test}, {texts[0]}, {texts[1]})", Level.ATOM)


def _comparison(node: Node, writer: Writer) -> Text:
    a, b, sign = compared(node)
    return Text(
        f"{writer.operand(a, Level.SUM)} {sign} {writer.operand(b, Level.SUM)}", Level.COMPARISON
    )


def _named(node: Node, writer: Writer) -> Text:
    raise ValueError(f"{node.operation.value} is written by its name alone")


RULES: dict[Operation, Rule] = {
    **NOTATION,
    Operation.CONSTANT: _constant,
    **{each: _arithmetic(each) for each in ARITHMETIC},
    Operation.SIGMOID: form("real_sigmoid({})"),
    Operation.TANH: form("real_tanh({})"),
    Operation.RELU: form("real_max({}, 0)"),
    Operation.EXP: form("real_exp({})"),
    Operation.LOG: form("real_log({})"),
    Operation.SQRT: form("real_sqrt({})"),
    Operation.ABS: form("real_abs({})"),
    Operation.MINIMUM: form("real_min({}, {})"),
    Operation.MAXIMUM: form("real_max({}, {})"),
    Operation.LESS: _comparison,
    Operation.LESS_EQUAL: _comparison,
    Operation.SELECT: _select,
    Operation.BROADCAST: form("{0}", Level.ATOM, Level.ATOM),
    **dict.fromkeys(
        (
            Operation.INPUT,
            Operation.STATE,
            Operation.LEARNED,
            Operation.SUM,
            Operation.DIMENSION,
            Operation.NORMALIZE,
            Operation.AFFINE,
            Operation.TRANSPOSED,
            Operation.OUTER,
        ),
        _named,
    ),
}
"""For each operation, how a node of it is written; what is needed whole goes by a name."""

_WORDS = """
    asm auto bool break case catch char class const continue default delete do double else enum
    extern explicit export false float for friend goto if inline int long mutable namespace new
    operator private protected public register restrict return short signed sizeof static struct
    switch template this throw true try typedef typename union unsigned using virtual void volatile
    while and or not xor compl bitand bitor final override main errno NAN INFINITY HUGE_VAL
    k j real state steps y
"""
WORDS = frozenset(_WORDS.split()) | frozenset(UNITS.values())
"""Names that a value cannot have: words of C and C++, and what the printed code calls so."""


def spelled(names: Iterable[str]) -> dict[str, str]:
    """Return identifiers of C for names of values, each its own.

    >>> spelled(["h", "k", "\u03c3_t", "int"])
    {'h': 'h', 'k': 'k_', 'σ_t': 'u3c3_t', 'int': 'int_'}
    """
    found: dict[str, str] = {}
    for name in dict.fromkeys(names):
        plain = _ascii(name)
        is_ours = plain.startswith(("real_", "sums", "joined", "product_", "layer_", "__"))
        plain = f"v_{plain}" if is_ours or plain[0] == "_" else plain
        while plain in WORDS or plain in found.values():
            plain += "_"
        found[name] = plain
    return found


def _ascii(text: str) -> str:
    return "".join(sign if sign.isascii() else f"u{ord(sign):x}" for sign in text)


Products = Callable[[int, Product], Iterable[str]]
"""Returns the lines that compute a product, by its number."""


@final
class Body:
    """The lines of a step, apart from its products.

    Args:
        loops: of the cell.
        products: how a product is computed.
        units: what the sizes are called.
    """

    def __init__(self, loops: Loops, products: Products, units: Mapping[Size, str] = UNITS) -> None:
        self.loops, self.products, self.units = loops, products, units
        self.spelled = spelled(loops.all_names)
        self._sizes = loops.graph.sizes
        self._written: set[str] = set()  # states whose new values stand in their place
        self._inside: set[str] = set()  # lines of the loop that is written

    def lines(self) -> list[str]:
        """Return all lines, indented by one step."""
        found = [
            f"real {self.spelled[name]}[{self.units[size]}];"
            for name, size in self.loops.arrays.items()
            if size != "one"
        ]
        found += [
            f"real {self.spelled[name]};"
            for name, size in self.loops.arrays.items()
            if size == "one"
        ]
        for state in self.loops.graph.states:
            if state in self.loops.late:
                found.append(f"real {self.spelled[state]}_next[{self._units_of(state)}];")
        number = 0
        for statement in self.loops.statements:
            if isinstance(statement, Product):
                found += self.products(number, statement)
                number += 1
            elif isinstance(statement, Total):
                found += self._total(statement)
            else:
                found += self._loop(statement)
        for state in self.loops.graph.states:
            if state in self.loops.late:
                name = self.spelled[state]
                found += self._over(self._units_of(state), [f"{name}[k] = {name}_next[k];"])
        return [f"    {line}" for line in found]

    def _units_of(self, state: str) -> str:
        return self.units[self.loops.graph.states[state]]

    def _over(self, units: str, lines: Sequence[str]) -> list[str]:
        """Return lines for all units."""
        head = f"for (int k = 0; k < {units}; k++)"
        if len(lines) == 1:
            return [f"{head} {lines[0]}"]
        return [f"{head} {{", *(f"    {line}" for line in lines), "}"]

    def _total(self, statement: Total) -> list[str]:
        (source,) = statement.node.arguments
        units = self.units[self._sizes[source]]
        self._inside = set()
        value, name = self._operand(source), self.spelled[statement.name]
        if statement.node.operation is Operation.SUM:
            return [f"real {name} = 0;", *self._over(units, [f"{name} += {value};"])]
        mean, scale = f"{name}mean", f"{name}scale"
        epsilon = number(statement.node.attribute)
        self._moments[statement.node] = mean, scale
        return [
            f"real {mean} = 0, {scale} = 0;",
            *self._over(units, [f"{mean} += {value};"]),
            f"{mean} /= {units};",
            *self._over(units, [f"{scale} += ({value} - {mean}) * ({value} - {mean});"]),
            f"{scale} = 1 / real_sqrt({scale} / {units} + {epsilon});",
        ]

    @cached_property
    def _moments(self) -> dict[Node, tuple[str, str]]:
        return {}

    def _loop(self, loop: Loop) -> list[str]:
        self._inside = set()
        found = [self._line(line, loop.size) for line in loop.lines]
        self._inside = set()
        return found if loop.size == "one" else self._over(self.units[loop.size], found)

    def _line(self, line: Line, size: Size) -> str:
        graph = self.loops.graph
        name = self.loops.names.get(line.node)
        right = self._operand(line.node) if name not in (None, line.name) else self._equation(line)
        index = "" if size == "one" else "[k]"
        if line.name in graph.states:
            is_late = line.name in self.loops.late
            left = f"{self.spelled[line.name]}_next" if is_late else self.spelled[line.name]
            index = "[0]" if size == "one" else index
            self._written.add(line.name)
        elif line.is_kept:
            left = self.spelled[line.name]
        else:
            left, index = f"const real {self.spelled[line.name]}", ""
        self._inside.add(line.name)
        return f"{left}{index} = {right};"

    def _equation(self, line: Line) -> str:
        node = line.node
        if node.operation in LEAVES:
            return self._operand(node)
        if node.operation is Operation.NORMALIZE:
            return self._normalized(node)[1:-1]
        return self._writer(node).equation(node).text

    def _operand(self, node: Node) -> str:
        return self._writer(None).operand(node)

    def _writer(self, line: Node | None) -> Writer:
        return Writer(RULES, "({})", lambda node: None if node is line else self._name(node))

    def _normalized(self, node: Node) -> str:
        mean, scale = self._moments[node]
        return f"(({self._operand(node.arguments[0])} - {mean}) * {scale})"

    def _name(self, node: Node) -> str | None:
        """Return how a node is read inside a loop; None if it is written by its operation."""
        operation, attribute, size = node.operation, node.attribute, self._sizes.get(node)
        index = "[0]" if size == "one" else "[k]"
        if operation in (Operation.INPUT, Operation.STATE):
            return f"{self.spelled[attribute]}{index}"
        if operation is Operation.LEARNED:
            return f"{self.spelled[attribute.name]}{index}"
        if operation is Operation.DIMENSION:
            return f"(real){self.units[self._sizes[node.arguments[0]]]}"
        if operation is Operation.NORMALIZE and node not in self.loops.names:
            return self._normalized(node)
        name = self.loops.names.get(node)
        if name is None:
            return None
        plain = self.spelled[name]
        if name in self.loops.graph.states:
            return f"{plain}_next{index}" if name in self.loops.late else f"{plain}{index}"
        if operation is Operation.AFFINE:
            return f"{plain}{index}"
        if name in self._inside and name not in self.loops.arrays:
            return plain
        return f"{plain}[k]" if size != "one" else plain


FUNCTIONS = {
    "real_sigmoid": "1 / (1 + exp(-v))",
    "real_tanh": "tanh(v)",
    "real_exp": "exp(v)",
    "real_log": "log(v)",
    "real_sqrt": "sqrt(v)",
    "real_abs": "fabs(v)",
    "real_max": "a > b || a != a ? a : b",
    "real_min": "a < b || a != a ? a : b",
    "real_select": "is_so ? a : b",
}
"""What the functions of real numbers compute, in a few words."""

ARGUMENTS = {
    "real_max": "real a, real b",
    "real_min": "real a, real b",
    "real_select": "int is_so, real a, real b",
}
"""What they take, where that is not one number v."""


def c(graph: Graph, doc: str = "") -> str:
    """Return a function of C that computes one step in the place of the states.

    It reads x (INPUT numbers), the states, and the weights that the equations name, as rows; who
    compiles it defines INPUT, HIDDEN and PROJECTION, and `real` if it is not double.

    >>> from unrolled import cells
    >>> c(cells.rnn_tanh.graph).splitlines()[-2].strip()
    'for (int k = 0; k < HIDDEN; k++) h[k] = real_tanh(h_sum[k]);'
    """
    loops = Loops(graph)
    body = Body(loops, lambda number, product: _naive(product, loops, spelled(loops.all_names)))
    lines = body.lines()
    names = body.spelled
    title = spelled([graph.name])[graph.name] + "_step"
    states = [f"real *{names[state]}" for state in graph.states]
    first = [*(f"const real *{names[each]}" for each in graph.inputs), *states]
    rows = [first]
    for node in graph.layers:
        rows.append([f"const real *{name}" for name in node.attribute.names])
    learned = [f"const real *{names[node.attribute.name]}" for node in graph.learned]
    rows += [learned] if learned else []
    head = f"void {title}("
    joined = f",\n{' ' * len(head)}".join(", ".join(row) for row in rows)
    text = _ascii("\n".join([f"{head}{joined})", "{", *lines, "}"]))
    used = [
        f"static real {name}({ARGUMENTS.get(name, 'real v')}) {{ return {right}; }}"
        for name, right in FUNCTIONS.items()
        if f"{name}(" in text
    ]
    about = f"/* {doc.replace('*/', '* /')} */\n" if doc else ""
    typed = "#ifndef real\n#define real double\n#endif"
    parts = ["#include <math.h>", typed, "\n".join(used), about + text]
    return "\n\n".join(filter(None, parts)) + "\n"


def _naive(product: Product, loops: Loops, names: Mapping[str, str]) -> Iterable[str]:
    """Give the lines that compute learned layers, row by row."""
    sizes = loops.graph.sizes
    for node in product.layers:
        layer, units = node.attribute, UNITS[node.attribute.size]
        name = names[loops.names[node]]
        yield f"real {name}[{units}];"
        biases = [
            f"{layer.weight(k, 'b')}[k]" for k, b in enumerate(layer.blocks) if b.bias is not None
        ]
        yield f"for (int k = 0; k < {units}; k++) {{"
        yield f"    {name}[k] = {' + '.join(biases) or '0'};"
        for place, source in enumerate(node.arguments):
            count = UNITS[sizes[source]]
            read = array_of(source, loops, names)
            row = f"{layer.weight(place)}[k * {count} + j]"
            yield f"    for (int j = 0; j < {count}; j++) {name}[k] += {row} * {read}[j];"
        yield "}"


def array_of(node: Node, loops: Loops, names: Mapping[str, str]) -> str:
    """Return the array that a learned layer reads."""
    if node.operation in (Operation.INPUT, Operation.STATE):
        return names[node.attribute]
    if node.operation is Operation.LEARNED:
        return names[node.attribute.name]
    name = loops.names[node]
    if name in loops.graph.states:
        return f"{names[name]}_next" if name in loops.late else names[name]
    is_number = loops.graph.sizes[node] == "one" and node.operation is not Operation.AFFINE
    return f"(&{names[name]})" if is_number else names[name]
