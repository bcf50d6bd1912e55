"""Loops over the rows: what each computes, and what waits in between."""

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from kernels import comparison
from kernels.comparison import KINDS, SIZES, compare, probes
from samples import quiet
from unrolled import affine, exp, log, mean, normalize, sigmoid, sqrt, tanh, vector, where
from unrolled.cells import CELLS
from unrolled.equations import Cell
from unrolled.graph.graph import Graph
from unrolled.graph.notation import expression
from unrolled.graph.operation import CONDITIONS, Operation
from unrolled.kernels.codegen import kernel as source
from unrolled.kernels.codegen import pointwise as pointwise
from unrolled.kernels.codegen.ir import Target
from unrolled.kernels.codegen.kernel import Source
from unrolled.kernels.codegen.packing import Layout
from unrolled.kernels.codegen.pointwise import LLVM, Point
from unrolled.kernels.planning.schedule import Schedule
from unrolled.kernels.planning.split import split
from unrolled.kernels.runtime import recurrence
from unrolled.kernels.runtime.cache import Budget, Cache
from unrolled.kernels.runtime.jit import host
from unrolled.kernels.tuning import BODY, CHUNK, LOOPS

WIDE = Target("float", 64, 32)


def points(graph: Graph, kind: Target = WIDE) -> list[Point]:
    """The last groups of units of all passes."""
    source = Source(Schedule(split(graph).step, {}, {}, {}), SIZES, {}, kind, layout=Layout.WHOLE)
    return [
        Point(source.fields, kind, f"point_{work.number}", work.work, work.blocks, work.valid)
        for work in source.works
    ]


def of(function: Callable[..., Any]) -> list[Point]:
    return points(quiet(function).graph)


# Which loop computes what.


def one(name: str, hidden: int = 16) -> Point:
    """Of a cell of one pass and, by default, of one full vector."""
    schedule = Schedule(split(CELLS[name].graph).step, {}, {}, {})
    source = Source(schedule, {**SIZES, "hidden": hidden}, {}, WIDE, layout=Layout.WHOLE)
    (work,) = source.works
    return Point(source.fields, WIDE, "point", work.work, work.blocks, work.valid)


def count(point: Point) -> int:
    """How many loops over the rows there are."""
    return len(re.findall(r"icmp slt i64 %q\d+, %rows", point.text))


def test_every_exponential_has_a_loop_of_its_own() -> None:
    point = one("lstm")
    step = split(CELLS["lstm"].graph).step
    names = step.names
    found = {names[node]: loop for node, loop in point.loops.items() if node in names}
    routines = [node for node in point.loops if isinstance(LLVM[node.operation], str)]
    assert [point.loops[node] for node in routines] == [0, 1, 2, 3, 4]
    assert found["c"] == max(found[name] for name in "ifg")  # with the last of what it reads
    assert found["h"] == 4
    assert count(point) == 5
    waiting = {expression(node, step.names) for node in point.slots}
    gates = {expression(step.values[name], step.names) for name in "io"}
    assert waiting == gates | {"f * c"}  # a later loop needs no more of f; c stands in its array


def test_without_exponentials_there_is_one_loop() -> None:
    point = one("rnn_relu")
    assert set(point.loops.values()) == {-1}
    assert not point.slots
    assert count(point) == 1
    assert count(one("rnn_relu", 48)) == 3  # for each vector of units


@pytest.mark.parametrize("cell", CELLS.values(), ids=str)
def test_all_that_is_read_is_there(cell: Cell) -> None:
    """In the same loop or in one before it: then it waits, or an array holds it."""
    for point in points(cell.graph):
        for node, loop in point.loops.items():
            for argument in node.arguments:
                other = point.loops.get(argument, -1)
                assert other <= loop
                if 0 <= other < loop:
                    kept = point.fields.memory(argument) is not None
                    assert (argument in point.slots) != kept


def test_a_buffer_has_room_for_all_that_waits() -> None:
    for name in ("lstm", "lstm_layernorm", "slstm"):
        kind = host("double")
        schedule = Schedule(split(CELLS[name].graph).step, {}, {}, {})
        source = Source(schedule, SIZES, {}, kind, layout=Layout.WHOLE)
        sums = max(work.blocks * len(work.work.products) for work in source.works)
        slots = max(work.slots for work in source.works)
        assert source.buffer() == CHUNK * (sums + slots) * kind.lanes
        assert slots == max(len(point.slots) for point in points(CELLS[name].graph))


def test_masks_are_of_the_last_vector_alone() -> None:
    ones, none = ", ".join(["i1 1"] * 15), "masked"
    assert none not in one("rnn_tanh", 16).text
    assert none not in one("rnn_tanh", 32).text
    assert f"<{ones}, i1 0>" in one("rnn_tanh", 15).text
    text = one("rnn_tanh", 31).text
    assert text.count("call void @llvm.masked.store") == 1
    assert text.count("  store <16 x float>") == 1


# What comes out.


def chain(x, h):
    a = tanh(affine(x, h))
    b = sigmoid(a * h)
    c = exp(-b * b)
    d = log(1 + c)
    e = sqrt(1 + d * d)
    h = tanh(e * a + b * c - d) * b
    return locals()


def condition_of_an_earlier_loop(x, h):
    open_ = sigmoid(affine(x, h)) > 0.5
    h = where(open_, tanh(affine(x, h)), h)
    return locals()


def conditions_of_several_loops(x, h):
    a = sigmoid(affine(x, h))
    b = tanh(affine(x, h))
    c = exp(-a * a)
    h = where(a < b, tanh(c + b), a * b) + where(c <= a, c, a)
    return locals()


def conditions_of_an_earlier_pass(x, h):
    a = sigmoid(affine(x, h))
    b = tanh(a + h)
    r = where(a < b, a, b)
    h = where(a < b, tanh(affine(x, r * h)), exp(-r * r) * b)
    return locals()


def sums_between_loops(x, h):
    a = affine(x, h)
    z = sigmoid(a)
    n = tanh(a + z)
    m = mean(n * z)
    s = exp(-m * m)
    h = n * s + z * exp(-n * n)
    return locals()


def states_between_loops(x, h, c):
    """A state's new value is read by a later loop, its old one by all."""
    c = sigmoid(affine(x, h)) * c + tanh(affine(x, h))
    h = tanh(c) * exp(-c * c) + 0.5 * h * sigmoid(h)
    return locals()


def routines_of_leaves(x, h):
    """No product is there: the first loop reads states and learned vectors."""
    h = tanh(h) * sigmoid(vector()) + exp(-h * h) * tanh(mean(x))
    return locals()


def normalized_between_loops(x, h):
    a = tanh(normalize(affine(x, h)))
    h = sigmoid(a) * tanh(normalize(a * h)) + exp(-a)
    return locals()


CHAINS: list[Callable[..., Any]] = [
    *(chain, condition_of_an_earlier_loop, conditions_of_several_loops),
    *(conditions_of_an_earlier_pass, sums_between_loops, states_between_loops),
    *(routines_of_leaves, normalized_between_loops),
]


@pytest.mark.parametrize("function", CHAINS, ids=lambda function: function.__name__)
def test_values_of_several_loops(function: Callable[..., Any]) -> None:
    graph = quiet(function).graph
    kind = KINDS[CHAINS.index(function) % len(KINDS)]
    compare(graph, "ragged reverse", kind=kind)
    compare(graph, "forward", probes(graph, kind), kind)


@pytest.mark.parametrize("function", CHAINS, ids=lambda function: function.__name__)
def test_large_cells_are_divided(
    function: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Into functions of one loop, loops of one value, and chunks of few rows.

    Kernels of inference and training may then round differently: they are divided elsewhere.
    """
    monkeypatch.setattr(comparison, "assert_equal", comparison.assert_close)
    monkeypatch.setattr(recurrence, "_known", Cache(Budget(1 << 30)))
    for name in ("LOOPS", "BODY", "AGAIN"):
        monkeypatch.setattr(pointwise, name, 1)
    monkeypatch.setattr(source, "STACK", 1 << 10)
    test_values_of_several_loops(function)


def test_many_values_and_loops_are_divided() -> None:
    def long(x, h):
        a = affine(x, h)
        for number in range(LOOPS + 5):
            a = tanh(a) * 1.1 + number
        for number in range(BODY):
            a = where(a < number / BODY, a * 0.9, h - a)
        h = a
        return locals()

    (divided,) = of(long)
    sizes = Counter(divided.loops.values())
    assert max(sizes.values()) == BODY
    parts = count(divided)
    assert parts == 2 * len(sizes) > 2 * (LOOPS + 5)  # two vectors of units
    begins = range(LOOPS, parts, LOOPS)
    assert list(divided.texts) == ["point_0", *(f"point_0_{begin}" for begin in begins)]


def test_values_of_leaves_are_not_computed_again_and_again() -> None:
    def length(count: int) -> int:
        def leaves(x, h):
            a, h = h, affine(x, h)
            for number in range(count):
                a = a * 0.9 + number
                h = tanh(h) + a
            return locals()

        (divided,) = of(leaves)
        return len(divided.text)

    assert length(200) < 2.3 * length(100)


def test_conditions_wait_too() -> None:
    (point,) = of(conditions_of_several_loops)
    waiting = {node.operation for node in point.slots}
    assert waiting & CONDITIONS
    assert Operation.SIGMOID in waiting
