import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import unrolled
from graph.drawn import cells
from samples import SIZES, Sample, execute, sample
from unrolled import affine, tanh, where
from unrolled.cells import CELLS
from unrolled.equations import Cell
from unrolled.errors import CellError
from unrolled.graph import parameters
from unrolled.graph.graph import Graph
from unrolled.graph.node import Node, constant
from unrolled.graph.operation import Operation
from unrolled.graph.rewrite import (
    map_graph,
    rewrite,
    simplified,
    variational_dropout,
    without_bias,
    zoneout,
)
from unrolled.kernels.eager import Program

x = Node(Operation.INPUT, (), "x")
h = Node(Operation.STATE, (), "h")
c = Node(Operation.STATE, (), "c")


# Simpler, and exactly the same.


@pytest.mark.parametrize(
    ("node", "simpler"),
    [
        (h + 0, h),
        (0 + h, h),
        (h - 0, h),
        (h * 1, h),
        (1 * h, h),
        (h / 1, h),
        (-Node(Operation.NEG, (h,)), h),
        (-constant(2), constant(-2)),
        (where(h < c, c, c), c),
        (h + -c, h - c),
        (-h + c, c - h),
        (h - -c, h + c),
    ],
)
def test_what_is_simplified(node: Node, simpler: Node) -> None:
    assert simplified(node) is simpler


@pytest.mark.parametrize(
    "node",
    [h - h, h * 0, 0 * h, 0 - h, 0 / h, h / h, 1 / h, h * -1, where(h < c, h, c), h + c, tanh(h)],
)
def test_what_is_left(node: Node) -> None:
    """Neither x - x nor 0 * x is 0 where x is not finite."""
    assert simplified(node) is None


NUMBERS = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, math.nan, 5e-324, 1e308]),
    st.floats(width=64),
)


def expressions() -> st.SearchStrategy[Node]:
    leaves = st.sampled_from([h, c, constant(0), constant(1), constant(-0.0), constant(2)])

    def larger(smaller: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
        pairs = st.tuples(smaller, smaller)
        return st.one_of(
            *(
                pairs.map(lambda pair, operation=operation: Node(operation, pair))
                for operation in (Operation.ADD, Operation.SUB, Operation.MUL)
            ),
            st.tuples(smaller, st.sampled_from([1, 2, -1, math.inf])).map(lambda ab: ab[0] / ab[1]),
            smaller.map(lambda a: -a),
            st.tuples(smaller, smaller, smaller).map(lambda abc: where(abc[0] < 1, *abc[1:])),
        )

    return st.recursive(leaves, larger, max_leaves=12)


@settings(max_examples=150)
@given(expressions(), st.lists(NUMBERS, min_size=6, max_size=6))
def test_values_stay_the_same(node: Node, numbers: list[float]) -> None:
    """NaN and infinity included; only the sign of 0 is open."""
    tensor = torch.tensor(numbers, dtype=torch.float64).view(2, 1, 3)
    given_ = Sample({}, {"x": torch.zeros(1, 1, 2).double()}, {"h": tensor[0], "c": tensor[1]})
    states: Any = {"h": "hidden", "c": "hidden"}
    old = Graph("old", {"x": "input"}, states, {"v": node, "h": h, "c": c})
    new = map_graph(old, simplified)
    expected, _ = execute(old, given_, ["v"])
    found, _ = execute(new, given_, ["v"])
    spread = torch.broadcast_tensors(found["v"], expected["v"])  # of one branch for two, size one
    torch.testing.assert_close(*spread, rtol=0, atol=0, equal_nan=True)


def test_rewriting_keeps_what_no_rule_changes() -> None:
    value = tanh(h * 2) + c
    assert rewrite([value], lambda node: None)[value] is value


def test_rules_see_new_arguments() -> None:
    value = tanh(h + c)
    new = rewrite([value], lambda node: c if node is h else None)
    assert new[value] is tanh(c + c)
    assert new[h] is c


def test_map_graph_keeps_the_rest() -> None:
    graph = CELLS["lstm"].derivative
    same = map_graph(graph, lambda node: None)
    assert (same.name, same.inputs, same.states, same.backward) == (
        *(graph.name, graph.inputs, graph.states, True),
    )
    assert list(same.values.items()) == list(graph.values.items())


def test_a_value_that_simplifies_into_a_later_one_moves_behind_it() -> None:
    @unrolled.cell
    def moved(x, h):
        late = tanh(tanh(h + 0)) + affine(x)
        early = tanh(h)
        h = late * early
        return locals()

    assert list(moved.graph.values) == ["early", "late", "h"]


# Variants of a cell.


def test_without_bias() -> None:
    for cell in CELLS.values():
        graph = without_bias(cell.graph)
        names = [p.name for p in parameters(graph)]
        assert names == [p.name for p in parameters(cell.graph) if not p.name.startswith("bias")]
        own = sample(cell.graph)
        zero = {n: w * 0 if n.startswith("bias") else w for n, w in own.weights.items()}
        expected, _ = execute(cell.graph, own._replace(weights=zero))
        kept = {n: w for n, w in own.weights.items() if not n.startswith("bias")}
        found, _ = execute(graph, own._replace(weights=kept))
        for name, value in expected.items():
            torch.testing.assert_close(found[name], value, rtol=1e-13, atol=1e-13)


def steps(
    graph: Graph, given_: Sample, change: Callable[[int, Any, Any], Any]
) -> dict[str, list[Any]]:
    """A loop by hand: one step at a time, then a change of the states."""
    states, found = given_.states, {state: [] for state in graph.states}
    for t in range(next(iter(given_.inputs.values())).shape[0]):
        inputs = {name: value[t : t + 1] for name, value in given_.inputs.items()}
        _, new = execute(graph, Sample(given_.weights, inputs, states), [])
        states = change(t, states, new)
        for state, value in states.items():
            found[state].append(value)
    return {state: torch.stack(values) for state, values in found.items()}


@pytest.mark.parametrize("cell", CELLS.values(), ids=str)
def test_zoneout(cell: Cell) -> None:
    """Masks of 0 and 1, and numbers between them, for all states."""
    graph = zoneout(cell.graph, cell.states)
    assert list(graph.inputs) == ["x", *(f"zoneout_{state}" for state in cell.states)]
    given_ = sample(cell.graph)
    keep = {
        state: torch.randint(0, 2, (4, *value.shape)) * 0.5 + torch.rand(4, *value.shape).round()
        for state, value in given_.states.items()
    }
    keep = {state: mask.clamp(max=1).double() for state, mask in keep.items()}

    def mixed(t: int, old: Any, new: Any) -> Any:
        return {s: keep[s][t] * old[s] + (1 - keep[s][t]) * new[s] for s in old}

    expected = steps(cell.graph, given_, mixed)
    inputs = {**given_.inputs, **{f"zoneout_{state}": mask for state, mask in keep.items()}}
    found, last = execute(graph, given_._replace(inputs=inputs), list(cell.states))
    for state, value in expected.items():
        torch.testing.assert_close(found[state], value, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(last[state], value[-1], rtol=1e-12, atol=1e-12)


def test_zoneout_of_some_states() -> None:
    graph = zoneout(CELLS["lstm"].graph, ["c"])
    assert list(graph.inputs) == ["x", "zoneout_c"]
    assert graph.values["h"] is CELLS["lstm"].graph.values["h"]


def test_zoneout_of_an_unknown_state() -> None:
    with pytest.raises(CellError, match=r"^zoneout: gru has no state 'c': \['h'\]$"):
        zoneout(CELLS["gru"].graph, ["h", "c"])


def test_zoneout_of_a_state_of_one_unit() -> None:
    @unrolled.cell
    def averaged(x, h, level):
        h = tanh(affine(x, h)) * level
        level = unrolled.mean(h)
        return locals()

    graph = zoneout(averaged.graph, ["level"])
    assert graph.inputs["zoneout_level"] == "one"


@pytest.mark.parametrize("cell", CELLS.values(), ids=str)
def test_variational_dropout(cell: Cell) -> None:
    """A mask before a matrix is a matrix with masked columns."""
    graph = variational_dropout(cell.graph)
    given_ = sample(cell.graph, rows=1)
    masks, masked = {}, dict(given_.weights)
    for name, size in graph.inputs.items():
        if name.startswith("mask_"):
            mask = torch.randint(0, 3, (SIZES[size],)).double()
            masks[name] = mask.expand(4, 1, -1)
            weight = f"weight_{name.removeprefix('mask_')}"
            masked[weight] = masked[weight] * mask
    matrices = {name for name in given_.weights if name.startswith("weight_")}
    assert {f"weight_{name.removeprefix('mask_')}" for name in masks} == matrices
    expected, _ = execute(cell.graph, given_._replace(weights=masked))
    found, _ = execute(graph, given_._replace(inputs={**given_.inputs, **masks}))
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-12, atol=1e-12)


def test_variants_together() -> None:
    graph = variational_dropout(zoneout(without_bias(CELLS["lstm"].graph), ["h", "c"]))
    assert list(graph.inputs) == ["x", "zoneout_h", "zoneout_c", "mask_ih", "mask_hh"]
    given_ = sample(graph)
    ones = {name: torch.ones_like(value) for name, value in given_.inputs.items() if "_" in name}
    neutral = {n: v * 0 if n.startswith("zoneout") else v for n, v in ones.items()}
    inputs = {"x": given_.inputs["x"], **neutral}
    found, _ = execute(graph, given_._replace(inputs=inputs), ["h"])
    plain = Sample(given_.weights, {"x": given_.inputs["x"]}, given_.states)
    expected, _ = execute(without_bias(CELLS["lstm"].graph), plain, ["h"])
    torch.testing.assert_close(found["h"], expected["h"])


@settings(max_examples=25)
@given(cells())
def test_variants_of_random_cells_run(cell: Cell) -> None:
    graph = variational_dropout(zoneout(cell.graph, cell.states))
    assert Program(graph, SIZES).values.keys() >= cell.graph.values.keys()
    execute(graph, sample(graph))
