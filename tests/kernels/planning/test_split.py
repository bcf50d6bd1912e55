"""What leaves the loop, and what stays in it."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from samples import SIZES, execute, quiet, sample
from unrolled import affine, mean, normalize, scalar, sigmoid, tanh, vector, where
from unrolled.cells import CELLS
from unrolled.equations import Cell
from unrolled.graph.graph import Graph
from unrolled.graph.notation import expression
from unrolled.graph.operation import CONDITIONS, Operation
from unrolled.graph.rewrite import variational_dropout, zoneout
from unrolled.kernels import eager
from unrolled.kernels.planning.plan import Phase, Plan
from unrolled.kernels.planning.split import Split, hoisted, split


def text(graph: Graph) -> dict[str, str]:
    return {name: expression(node, graph.names) for name, node in graph.values.items()}


def parts(function: Callable[..., Any], way: Callable[[Graph], Split] = hoisted) -> Split:
    return way(quiet(function).graph)


each_way = pytest.mark.parametrize("way", [split, hoisted])
each_cell = pytest.mark.parametrize("cell", CELLS.values(), ids=str)


# The input is read in the loop.


def test_the_loop_reads_the_input() -> None:
    found = split(CELLS["lstm"].graph)
    assert text(found.hoisted) == {"x": "x"}
    assert text(found.step) == text(CELLS["lstm"].graph)
    assert found.banks == (("x",),)
    assert found.vectors == frozenset()


@each_cell
def test_the_loops_of_known_cells_are_the_cells(cell: Cell) -> None:
    """None of them computes anything as wide as the input, or of learned values alone."""
    found = split(cell.graph)
    assert text(found.step) == text(cell.graph)
    assert all(node.operation is Operation.INPUT for node in found.hoisted.values.values())


def test_what_is_as_wide_as_the_input_leaves_the_loop() -> None:
    """But for layers; their weights then read what has left."""

    def scaled(x, h):
        u = tanh(x) * 0.5
        z = sigmoid(affine(u))
        h = tanh(affine(x, h)) * z * mean(x)
        return locals()

    found = parts(scaled, split)
    outside = text(found.hoisted)
    assert sorted(outside.values()) == ["len(x)", "sum(x)", "tanh(x) * 0.5", "x"]
    (u,) = (name for name, value in outside.items() if value == "tanh(x) * 0.5")
    assert text(found.step)["z"] == f"sigmoid(W_uz @ {u} + b_uz)"
    assert "W_ih @ x + b_ih + W_hh @ h + b_hh" in text(found.step)["h"]
    assert [found.step.inputs[name] for name in (u, "x")] == ["input", "input"]
    assert sorted(found.step.inputs.values()) == ["input", "input", "one", "one"]


def test_gates_that_read_the_input_alone_stay() -> None:
    found = split(CELLS["min_gru"].graph)
    assert list(found.step.values) == ["z", "n", "h"]
    assert list(found.step.inputs) == ["x"]


def test_masks_of_the_input_leave_the_loop() -> None:
    found = split(variational_dropout(zoneout(CELLS["lstm"].graph, ["c"])))
    assert sorted(text(found.hoisted).values()) == ["mask_hh", "mask_ih * x", "zoneout_c"]
    assert len(found.banks) == 3


# Everything that does not depend on states is computed before the loop.


def test_layers_are_cut_in_two() -> None:
    found = hoisted(CELLS["lstm"].graph)
    assert text(found.hoisted) == {
        "hoisted_0": "W_ii @ x + b_ii",
        "hoisted_1": "W_if @ x + b_if",
        "hoisted_2": "W_ig @ x + b_ig",
        "hoisted_3": "W_io @ x + b_io",
    }
    assert text(found.step) == {
        "i": "sigmoid(hoisted_0 + (W_hi @ h + b_hi))",
        "f": "sigmoid(hoisted_1 + (W_hf @ h + b_hf))",
        "g": "tanh(hoisted_2 + (W_hg @ h + b_hg))",
        "o": "sigmoid(hoisted_3 + (W_ho @ h + b_ho))",
        "c": "f * c + i * g",
        "h": "o * tanh(c)",
    }
    assert found.banks == (("hoisted_0", "hoisted_1", "hoisted_2", "hoisted_3"),)
    assert found.vectors == frozenset()


def test_whole_gates_leave_the_loop() -> None:
    found = hoisted(CELLS["min_gru"].graph)
    assert text(found.step) == {"h": "hoisted_0 * h + hoisted_1"}
    assert list(found.step.inputs) == ["hoisted_0", "hoisted_1"]
    assert found.banks == (("hoisted_0",), ("hoisted_1",))


def test_layers_in_rows_apart_are_banks_apart() -> None:
    found = hoisted(CELLS["multiplicative_lstm"].graph)
    names = [f"hoisted_{k}" for k in range(5)]
    assert sorted(found.banks) == [(names[0],), tuple(names[1:])]


def test_a_value_that_is_hoisted_in_two_ways_is_one_by_itself() -> None:
    """A layer is a value of its own and a part of another value: both are computed."""

    def both(x, h):
        a = affine(x)
        b = affine(x)
        h = tanh(a * h) + sigmoid(b) * h
        return locals()

    found = parts(both)
    assert sorted(text(found.hoisted).values()) == ["W_ia @ x + b_ia", "sigmoid(W_ib @ x + b_ib)"]
    assert sorted(found.banks) == [("hoisted_0",), ("hoisted_1",)]


def test_numbers_of_rows_are_inputs_of_size_one() -> None:
    def mean_of_the_input(x, h):
        h = tanh(affine(x, h)) * mean(x)
        return locals()

    found = parts(mean_of_the_input)
    assert sorted(found.step.inputs.values()) == ["hidden", "one"]


def test_conditions_stay_in_the_loop() -> None:
    def gated(x, h):
        open_ = affine(x) > 0
        h = where(open_, tanh(affine(x, h)), h)
        return locals()

    found = parts(gated)
    assert not any(node.operation in CONDITIONS for node in found.hoisted.order)
    assert "open_" not in found.step.values
    assert "where(hoisted_1 > 0, " in text(found.step)["h"]


def test_states_that_do_not_depend_on_states_are_inputs() -> None:
    def shifted(x, h, c):
        c = tanh(affine(x))
        h = c + h
        return locals()

    found = parts(shifted)
    assert text(found.step) == {"c": "hoisted_0", "h": "hoisted_0 + h"}


def test_masks_leave_the_loop_unless_they_meet_a_state() -> None:
    graph = variational_dropout(zoneout(CELLS["lstm"].graph, ["c"]))
    found = hoisted(graph)
    assert found.step.inputs.keys() >= {name for bank in found.banks for name in bank}
    outside = text(found.hoisted)
    assert "mask_hh" in outside.values()
    assert "zoneout_c" in outside.values()
    assert "W_ii @ (mask_ih * x) + b_ii" in outside.values()


@each_cell
def test_nothing_in_the_loop_could_leave_it(cell: Cell) -> None:
    found = hoisted(cell.graph)
    phases = Plan(found.step).phases
    for node in found.step.order:
        leaf = not node.arguments
        assert leaf or phases[node] is Phase.STEP or node.operation in CONDITIONS


def test_composite_operations_stay_whole() -> None:
    def normal(x, h):
        h = tanh(normalize(affine(x, h)) + normalize(affine(x)))
        return locals()

    found = parts(normal)
    assert sum(node.operation is Operation.NORMALIZE for node in found.step.order) == 1
    assert sum(node.operation is Operation.NORMALIZE for node in found.hoisted.order) == 1


# Both.


@each_way
def test_what_depends_on_learned_values_alone(way: Callable[[Graph], Split]) -> None:
    def learned(x, h):
        v = tanh(vector()) * scalar()
        h = tanh(affine(x, h)) * v + vector() * h * mean(x) + affine(vector())
        return locals()

    found = parts(learned, way)
    vectors = {found.hoisted.values[name].operation for name in found.vectors}
    assert vectors == {Operation.MUL, Operation.AFFINE}
    assert len(found.vectors) == 2
    (inside,) = found.step.learned  # to read a learned vector, nothing has to be computed
    assert found.step.sizes[inside] == "hidden"


@each_way
@each_cell
def test_the_parts_fit(cell: Cell, way: Callable[[Graph], Split]) -> None:
    found = way(cell.graph)
    assert not found.hoisted.states
    assert all(Plan(found.hoisted).phases[node] is not Phase.STEP for node in found.hoisted.order)
    assert not any(node.operation in CONDITIONS for node in found.hoisted.order)
    assert list(found.hoisted.values) == list(found.step.inputs)
    assert sorted(name for bank in found.banks for name in bank) == sorted(found.step.inputs)
    assert found.step.states == cell.graph.states


@each_way
@each_cell
def test_the_parts_together_are_the_whole(cell: Cell, way: Callable[[Graph], Split]) -> None:
    given = sample(cell.graph)
    found = way(cell.graph)
    program = eager.Program(found.hoisted, SIZES)
    slots = eager.hoisted(program, given.weights, given.inputs)
    inputs = {name: slots[slot] for name, slot in program.values.items()}
    values, last = execute(found.step, given._replace(inputs=inputs))
    expected, final = execute(cell.graph, given)
    for name, value in values.items():
        if name in expected:
            torch.testing.assert_close(value, expected[name], rtol=1e-12, atol=1e-12)
    for state, value in final.items():
        torch.testing.assert_close(last[state], value, rtol=1e-12, atol=1e-12)
