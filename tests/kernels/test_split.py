"""What leaves the loop, and what stays in it."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

import unrolled
from samples import SIZES, execute, sample
from unrolled import affine, mean, normalize, scalar, sigmoid, tanh, vector, where
from unrolled.cells import CELLS
from unrolled.equations import Cell, Graph, Operation
from unrolled.equations.operation import CONDITIONS
from unrolled.equations.python import expression
from unrolled.equations.rewrite import variational_dropout, zoneout
from unrolled.kernels import eager
from unrolled.kernels.plan import Phase, Plan
from unrolled.kernels.split import Split, split


def text(graph: Graph) -> dict[str, str]:
    return {name: expression(node, graph) for name, node in graph.values.items()}


def parts(function: Callable[..., Any]) -> Split:
    return split(unrolled.cell(function).graph)


def test_layers_are_cut_in_two() -> None:
    found = split(CELLS["lstm"].graph)
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
    found = split(CELLS["min_gru"].graph)
    assert text(found.step) == {"h": "hoisted_0 * h + hoisted_1"}
    assert list(found.step.inputs) == ["hoisted_0", "hoisted_1"]
    assert found.banks == (("hoisted_0",), ("hoisted_1",))


def test_layers_in_rows_apart_are_banks_apart() -> None:
    found = split(CELLS["multiplicative_lstm"].graph)
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


def test_what_depends_on_learned_values_alone() -> None:
    def learned(x, h):
        v = tanh(vector()) * scalar()
        h = tanh(affine(x, h)) * v + vector() * h * mean(x) + affine(vector())
        return locals()

    found = parts(learned)
    vectors = {found.hoisted.values[name].operation for name in found.vectors}
    assert vectors == {Operation.MUL, Operation.AFFINE}
    assert len(found.vectors) == 2
    (inside,) = found.step.learned  # to read a learned vector, nothing has to be computed
    assert found.step.sizes[inside] == "hidden"


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
    assert "where(0 < hoisted_1, " in text(found.step)["h"]


def test_states_that_do_not_depend_on_states_are_inputs() -> None:
    def shifted(x, h, c):
        c = tanh(affine(x))
        h = c + h
        return locals()

    found = parts(shifted)
    assert text(found.step) == {"c": "hoisted_0", "h": "hoisted_0 + h"}


def test_masks_leave_the_loop_unless_they_meet_a_state() -> None:
    graph = variational_dropout(zoneout(CELLS["lstm"].graph, ["c"]))
    found = split(graph)
    assert found.step.inputs.keys() >= {name for bank in found.banks for name in bank}
    hoisted = text(found.hoisted)
    assert "mask_hh" in hoisted.values()
    assert "zoneout_c" in hoisted.values()
    assert "W_ii @ (mask_ih * x) + b_ii" in hoisted.values()


@pytest.mark.parametrize("cell", CELLS.values(), ids=str)
def test_nothing_in_the_loop_could_leave_it(cell: Cell) -> None:
    found = split(cell.graph)
    phases = Plan(found.step).phases
    for node in found.step.order:
        leaf = not node.arguments
        assert leaf or phases[node] is Phase.STEP or node.operation in CONDITIONS
    assert not found.hoisted.states
    assert all(Plan(found.hoisted).phases[node] is not Phase.STEP for node in found.hoisted.order)
    assert list(found.hoisted.values) == list(found.step.inputs)
    assert sorted(name for bank in found.banks for name in bank) == sorted(found.step.inputs)
    assert found.step.states == cell.graph.states


@pytest.mark.parametrize("cell", CELLS.values(), ids=str)
def test_the_parts_together_are_the_whole(cell: Cell) -> None:
    given = sample(cell.graph)
    found = split(cell.graph)
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


def test_composite_operations_stay_whole() -> None:
    def normal(x, h):
        h = tanh(normalize(affine(x, h)) + normalize(affine(x)))
        return locals()

    found = parts(normal)
    assert sum(node.operation is Operation.NORMALIZE for node in found.step.order) == 1
    assert sum(node.operation is Operation.NORMALIZE for node in found.hoisted.order) == 1
