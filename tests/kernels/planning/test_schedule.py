"""Passes: what is computed in which, and what is kept in between."""

from collections.abc import Callable
from typing import Any

import pytest

import unrolled
from kernels.comparison import SIZES
from samples import quiet
from unrolled import affine, mean, normalize, sigmoid, tanh, vector
from unrolled.cells import CELLS
from unrolled.equations import Cell
from unrolled.graph.graph import Graph
from unrolled.graph.node import Node
from unrolled.graph.operation import LEAVES, Operation
from unrolled.kernels.planning.schedule import Schedule, UnsupportedError, summand
from unrolled.kernels.planning.split import Split, hoisted, split
from unrolled.kernels.planning.training import TrainingPlan

Parts = Callable[[Graph], Split]

each_way = pytest.mark.parametrize("parts", [split, hoisted])
"""The input is read in the loop, or before it."""


def forward(graph: Graph, saved: bool = False, parts: Parts = split) -> Schedule:
    found = parts(graph)
    stored = TrainingPlan(found, (graph.output,), SIZES).saved if saved else {}
    return Schedule(found.step, {}, stored, {})


def backward(graph: Graph, parts: Parts = split, of_input: bool = False) -> Schedule:
    """The derivative; of the gradient of x alone it is said whether it is asked for."""
    plan = TrainingPlan(parts(graph), (graph.output,), SIZES)
    buffers = {buffer for names, buffer in plan.hoisted.items() if of_input or names != ("x",)}
    return Schedule(
        plan.backward,
        plan.given,
        {name: node for name, (node, _) in plan.stored(buffers - {None}).items()},
        {f"sum {name}": node for name, node in plan.reduced.items()},
    )


def of(function: Callable[..., Any]) -> Schedule:
    return forward(quiet(function).graph)


def kept(schedule: Schedule) -> list[str]:
    return [schedule.describe(node) for node in schedule.kept]


# Known cells.


@each_way
@pytest.mark.parametrize(
    ("name", "there", "back"),
    [
        ("rnn_tanh", 1, 2),
        ("indrnn", 1, 1),
        ("min_gru", 1, 1),
        ("lstm", 1, 2),
        ("gru", 1, 2),
        ("gru_reset_before", 2, 3),
        ("mgu", 2, 3),
        ("lstm_projected", 2, 3),
        ("multiplicative_lstm", 2, 3),
        ("lstm_layernorm", 5, 5),
        ("slstm", 1, 2),
    ],
)
def test_numbers_of_passes(name: str, there: int, back: int, parts: Parts) -> None:
    """A product with the input is in the pass of those with values of the step."""
    graph = CELLS[name].graph
    assert len(forward(graph, parts=parts).passes) == there
    assert len(forward(graph, saved=True, parts=parts).passes) == there
    assert len(backward(graph, parts).passes) == back
    if parts is split:  # the gradient of x has a pass of its own size
        passes = backward(graph, of_input=True).passes
        assert sum(work.size == "input" for work in passes) == 1
        assert len(passes) == back + 1


def test_the_printed_passes() -> None:
    assert str(forward(CELLS["gru_reset_before"].graph)).splitlines() == [
        "gru_reset_before: 2 passes over the units of a row",
        "  pass 0, H units:",
        "    product  weight_ih[0, 1] @ x",
        "    product  weight_hh[0, 1] @ h",
        "    keeps    W_iz @ x + b_iz + W_hz @ h + b_hz",
        "    keeps    sigmoid(W_ir @ x + b_ir + W_hr @ h + b_hr) * h",
        "  pass 1, H units:",
        "    product  weight_ih[2] @ x",
        "    product  weight_rhh[0] @ sigmoid(W_ir @ x + b_ir + W_hr @ h + b_hr) * h",
        "    value    h",
    ]


def test_the_printed_passes_of_a_derivative(golden: Callable[[str, str], None]) -> None:
    golden("gru_backward_passes.txt", str(backward(CELLS["gru"].graph)))


def test_one_pass_keeps_nothing() -> None:
    for name in ("lstm", "gru", "slstm", "indrnn"):
        assert kept(forward(CELLS[name].graph)) == []


def test_products_are_in_the_order_of_their_rows() -> None:
    """However the equations use them: a GRU's h reads z before the candidate's r."""
    for name in ("lstm", "slstm", "lstm_layernorm"):
        x, h = forward(CELLS[name].graph).passes[0].factors
        assert x.rows == h.rows == tuple(range(len(x.rows)))
        assert x.targets == h.targets == x.rows
        assert (x.group, x.transposed, h.group, h.transposed) == ("ih", False, "hh", False)
    for name in ("lstm", "gru", "slstm", "lstm_layernorm"):
        (factor,) = forward(CELLS[name].graph, parts=hoisted).passes[0].factors
        assert factor.rows == tuple(range(len(factor.rows)))
        assert factor.targets == factor.rows
        assert (factor.group, factor.transposed) == ("hh", False)


def test_matrices_add_to_the_same_sums() -> None:
    """But for a GRU's candidate, whose product with h has a sum of its own."""
    (work,) = forward(CELLS["gru"].graph).passes
    assert len(work.products) == 4
    x, h = work.factors
    assert (x.group, x.rows, h.group, h.rows) == ("ih", (0, 1, 2), "hh", (0, 1, 2))
    assert x.targets[:2] == h.targets[:2] == (0, 1)
    assert {x.targets[2], h.targets[2]} == {2, 3}


def test_layers_that_read_several_values_have_several_matrices() -> None:
    matrices = [("ih", "x", (0,)), ("hh", "h", (0,)), ("zh", "z", (0,))]
    (work,) = forward(CELLS["cornn"].graph).passes
    assert [(f.group, f.source.attribute, f.targets) for f in work.factors] == matrices
    assert work.biases == ((("ih", 0), ("hh", 0), ("zh", 0)),)
    (work,) = forward(CELLS["cornn"].graph, parts=hoisted).passes
    assert [(f.group, f.source.attribute, f.targets) for f in work.factors] == matrices[1:]
    assert work.biases == ((("hh", 0), ("zh", 0)),)


def test_biases_are_those_of_the_products() -> None:
    (work,) = forward(CELLS["gru"].graph).passes
    alone = {(("ih", 2),), (("hh", 2),)}
    assert work.biases[:2] == tuple((("ih", k), ("hh", k)) for k in range(2))
    assert set(work.biases[2:]) == alone
    (work,) = forward(CELLS["gru"].graph, parts=hoisted).passes
    assert work.biases == ((("hh", 0),), (("hh", 1),), (("hh", 2),))
    first, second = forward(CELLS["multiplicative_lstm"].graph).passes
    assert first.biases == ((), ())
    assert second.biases == tuple((("ih", k), ("mh", k)) for k in range(4))
    for work in forward(CELLS["gru"].graph).passes:  # those of its own factors
        for target, biases in enumerate(work.biases):
            read = {f.group for f in work.factors if target in f.targets}
            assert {group for group, _ in biases} == read


def test_gradients_of_all_gates_are_one_sum() -> None:
    """W^T of every gate into the same sums: no product is added by hand."""
    first, last = backward(CELLS["lstm"].graph).passes
    assert first.products == ()
    (product,) = last.products
    assert product.operation is Operation.ADD
    assert sorted((f.group, f.rows, f.transposed, f.targets) for f in last.factors) == [
        ("hh", (row,), True, (0,)) for row in range(4)
    ]
    assert last.biases == ((),)


def test_a_projection_has_passes_of_two_sizes() -> None:
    there, back = (make(CELLS["lstm_projected"].graph) for make in (forward, backward))
    assert [work.size for work in there.passes] == ["hidden", "projection"]
    assert [work.size for work in back.passes] == ["projection", "hidden", "projection"]


def test_what_layer_norms_keep() -> None:
    schedule = forward(CELLS["lstm_layernorm"].graph)
    assert [len(work.products) for work in schedule.passes] == [4, 0, 0, 0, 0]
    assert len(schedule.sums) == 10  # a mean and a variance of each of five
    assert len(schedule.kept) == 9  # of each gate, it and what it is less its mean; c
    assert len(forward(CELLS["lstm_layernorm"].graph, saved=True).kept) == 5
    for node in schedule.sums:
        (argument,) = node.arguments
        assert schedule.home(argument)[0] == schedule.stages[node] - 1


# Single rules.


def test_what_is_read_later_is_kept_once() -> None:
    def later(x, h):
        z = sigmoid(affine(x, h))
        r = tanh(affine(x, z * h))
        h = z * r + (1 - z) * h
        return locals()

    found = of(later)
    assert len(found.passes) == 2
    gate = "sigmoid(W_iz @ x + b_iz + W_hz @ h + b_hz)"
    assert sorted(kept(found)) == [gate, f"{gate} * h"]


def test_states_that_are_summed_up_have_a_pass() -> None:
    def normal(x, h):
        h = tanh(normalize(h) + affine(x))
        return locals()

    graph = unrolled.cell(normal).graph
    found = forward(graph, parts=hoisted)
    first = found.passes[0]
    assert (first.stage, first.size, first.products, first.nodes) == (0, "hidden", (), ())
    assert len(found.passes) == 3
    first, *others = forward(graph).passes
    assert [node.operation for node in first.products] == [Operation.AFFINE]
    assert (first.stage, first.nodes, len(others)) == (0, (), 2)


def test_sums_of_one_number_are_that_number() -> None:
    def twice(x, h):
        h = tanh(affine(x, h)) * mean(mean(h))
        return locals()

    assert len(of(twice).sums) == 1


def test_numbers_of_rows_that_are_summed_up_have_a_pass() -> None:
    """The gradient of a scalar that is used with other numbers of a row."""

    def scaled(x, h):
        h = tanh(affine(x, h)) * (mean(h) * unrolled.scalar())
        return locals()

    found = backward(unrolled.cell(scaled).graph)
    homes = {(work.stage, work.size) for work in found.passes}
    for node in found.reduced.values():
        assert found.home(summand(node)) in homes


def test_one_number_for_all_units_is_spread_where_a_layer_reads_it() -> None:
    def centred(x, h):
        h = tanh(affine(x, h)) * mean(affine(x, h))
        return locals()

    found = backward(unrolled.cell(centred).graph)
    sources = [factor.source for work in found.passes for factor in work.factors]
    assert any(node.operation is Operation.BROADCAST for node in sources)
    assert all(found.sizes[node] == "hidden" for node in sources)


@each_way
@pytest.mark.parametrize("direction", [forward, backward])
@pytest.mark.parametrize("cell", CELLS.values(), ids=str)
def test_everything_is_computed_after_what_it_needs(
    cell: Cell, direction: Callable[..., Schedule], parts: Parts
) -> None:
    schedule = direction(cell.graph, parts=parts)
    place = {(work.stage, work.size): n for n, work in enumerate(schedule.passes)}
    memory = {*schedule.kept, *schedule.stored.values()}
    memory.update(schedule.graph.values[state] for state in schedule.graph.states)

    def check(node: Node, reader: int, product: bool) -> None:
        if node.operation in LEAVES or schedule.sizes[node] == "one":
            return
        home = place[schedule.home(node)]
        assert home < reader if product else home <= reader
        assert home == reader or node in memory

    for number, work in enumerate(schedule.passes):
        for node in (*work.products, *work.nodes):
            for source in schedule.sources(node):
                check(source, number, schedule.is_product(node))
    computed = [node for work in schedule.passes for node in (*work.products, *work.nodes)]
    assert len(computed) == len(set(computed))


@each_way
@pytest.mark.parametrize("cell", CELLS.values(), ids=str)
def test_every_row_of_a_weight_is_multiplied_once(cell: Cell, parts: Parts) -> None:
    rows = [
        (factor.group, row)
        for work in forward(cell.graph, parts=parts).passes
        for factor in work.factors
        for row in factor.rows
    ]
    assert len(rows) == len(set(rows))
    blocks = {b[:2] for layer in parts(cell.graph).step.layers for b in layer.attribute.blocks}
    assert set(rows) == blocks


def test_a_value_of_the_size_of_the_input() -> None:
    def wide(x, h):
        h = tanh(affine(x, h)) + mean(x * mean(h)) * vector()
        return locals()

    assert [work.size for work in of(wide).passes].count("input") == 1


# Refusals.


def test_a_state_of_one_number() -> None:
    def one(x, h, m):
        m = mean(h)
        h = tanh(affine(x, h)) + m
        return locals()

    with pytest.raises(UnsupportedError, match="the state m is one number for all units"):
        of(one)


def test_a_layer_that_reads_one_number() -> None:
    def one(x, h):
        h = tanh(affine(x, h)) + affine(mean(h))
        return locals()

    with pytest.raises(UnsupportedError, match="reads one number"):
        of(one)
