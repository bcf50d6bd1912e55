"""What the forward pass stores for the backward pass, and where the gradients go."""

from collections.abc import Callable
from typing import Any

import pytest

from samples import quiet
from unrolled import affine, mean, sigmoid, tanh, vector, where
from unrolled.cells import CELLS
from unrolled.equations import Cell
from unrolled.graph.graph import Graph
from unrolled.graph.node import ordered
from unrolled.graph.notation import expression
from unrolled.graph.operation import CONDITIONS, Operation
from unrolled.kernels.planning.split import Split, hoisted, split
from unrolled.kernels.planning.training import Place, TrainingPlan
from unrolled.kernels.runtime.abi import Role

from ..comparison import SIZES

I, H, P = SIZES["input"], SIZES["hidden"], SIZES["projection"]  # noqa: E741


Parts = Callable[[Graph], Split]

each_way = pytest.mark.parametrize("parts", [split, hoisted])
"""The input is read in the loop, or before it."""


def plan(graph: Graph, *record: str, parts: Parts = split) -> TrainingPlan:
    return TrainingPlan(parts(graph), record or (graph.output,), SIZES)


def planned(function: Callable[..., Any], *record: str, parts: Parts = split) -> TrainingPlan:
    return plan(quiet(function).graph, *record, parts=parts)


def saved(name: str, parts: Parts = split) -> set[str]:
    """What a cell's forward pass stores besides its states, in words."""
    step = parts(CELLS[name].graph).step
    nodes = plan(CELLS[name].graph, parts=parts).saved.values()
    return {step.names.get(node) or expression(node, step.names) for node in nodes}


def layers(found: TrainingPlan) -> dict[tuple[str, ...], tuple[Place, int]]:
    """Where the gradients of layers stand and of how many, by the weights of these layers."""
    return {tuple(b.group for b in each.blocks): (each.place, each.layers) for each in found.layers}


# What is stored.


@each_way
def test_an_lstm_stores_its_gates(parts: Parts) -> None:
    assert saved("lstm", parts) == {"i", "f", "g", "o", "tanh(c)"}


@each_way
def test_a_gru_stores_its_gates_and_a_product_that_is_multiplied(parts: Parts) -> None:
    assert saved("gru", parts) == {"r", "z", "n", "W_hn @ h + b_hn"}


@each_way
def test_what_a_product_reads_is_stored(parts: Parts) -> None:
    assert saved("gru_reset_before", parts) == {"r", "z", "n", "rh"}
    assert saved("lstm_projected", parts) == {"i", "f", "g", "o", "tanh(c)", "o * tanh(c)"}


@each_way
def test_states_are_not_stored_twice(parts: Parts) -> None:
    for name in ("rnn_tanh", "rnn_relu", "indrnn"):
        assert saved(name, parts) == set()


@each_way
def test_what_costs_little_is_computed_again(parts: Parts) -> None:
    assert saved("lstm_coupled", parts) == {"f", "g", "o", "tanh(c)"}  # i is 1 - f


def test_what_is_an_input_of_the_loop_is_not_stored() -> None:
    assert saved("min_gru") == {"z", "n"}
    assert saved("min_gru", hoisted) == set()
    assert "W_im @ x" in saved("multiplicative_lstm")
    assert saved("multiplicative_lstm", hoisted) == saved("multiplicative_lstm") - {"W_im @ x"}


@each_way
@pytest.mark.parametrize(
    ("name", "count"), [("mgu", 3), ("slstm", (8, 7)), ("lstm_layernorm", 14), ("cornn", 1)]
)
def test_how_many_values_are_stored(name: str, count: Any, parts: Parts) -> None:
    if not isinstance(count, int):
        count = count[parts is hoisted]
    assert len(plan(CELLS[name].graph, parts=parts).saved) == count


@each_way
@pytest.mark.parametrize("cell", CELLS.values(), ids=str)
def test_all_that_is_given_is_in_the_derivative(cell: Cell, parts: Parts) -> None:
    found = plan(cell.graph, parts=parts)
    nodes = set(found.backward.order)
    again = {found.again[node] for node in found.saved.values()}
    for node, buffer in found.given.items():
        assert buffer.role in (Role.SAVED, Role.AFTER)
        assert node.arguments
        if buffer.role is Role.SAVED:
            assert node in again
    none = cell.name == "indrnn" or (cell.name == "min_gru" and parts is hoisted)
    assert any(node in nodes for node in found.given) or none


def test_conditions_are_not_stored() -> None:
    def gated(x, h):
        h = where(affine(h) > 0.1, tanh(affine(x, h)), h)
        return locals()

    found = planned(gated)
    assert not any(node.operation in CONDITIONS for node in found.saved.values())
    assert any(node.operation is Operation.AFFINE for node in found.saved.values())


# Where gradients go.


def test_gates_of_one_weight_stand_side_by_side() -> None:
    """So that one product gives the gradients of all rows of a weight."""
    found = plan(CELLS["lstm"].graph)
    assert found.widths == [I, 4 * H]
    assert found.hoisted == {("x",): 0}
    gates = [place for _, place in found.gradients.values() if place.buffer == 1]
    assert gates == [Place(1, k * H, (k + 1) * H) for k in range(4)]
    assert layers(found) == {("ih", "hh"): (Place(1, 0, 4 * H), 4)}
    found = plan(CELLS["lstm"].graph, parts=hoisted)
    assert found.widths == [4 * H]
    gates = [place for _, place in found.gradients.values()]
    assert gates == [Place(0, k * H, (k + 1) * H) for k in range(4)]
    assert list(found.hoisted.values()) == [0]
    assert layers(found) == {("hh",): (Place(0, 0, 4 * H), 4)}


def test_a_gradient_that_a_gate_changes_has_a_buffer_of_its_own() -> None:
    """Of a GRU's candidate, the product with h is multiplied by r and that with x is not."""
    found = plan(CELLS["gru"].graph)
    assert sorted(found.widths) == [I, H, H, 2 * H]
    places = layers(found)
    assert [places[key][1] for key in (("ih", "hh"), ("ih",), ("hh",))] == [2, 1, 1]
    assert len({place.buffer for place, _ in places.values()}) == 3
    found = plan(CELLS["gru"].graph, parts=hoisted)
    assert found.widths == [3 * H, 3 * H]
    assert list(found.hoisted.values()) == [0]
    assert layers(found) == {("hh",): (Place(1, 0, 3 * H), 3)}


def test_layers_that_read_different_values() -> None:
    found = plan(CELLS["gru_reset_before"].graph)
    assert found.widths == [I, 2 * H, H]
    assert layers(found) == {
        ("ih", "hh"): (Place(1, 0, 2 * H), 2),
        ("ih", "rhh"): (Place(2, 0, H), 1),
    }
    found = plan(CELLS["gru_reset_before"].graph, parts=hoisted)
    assert found.widths == [3 * H]
    assert layers(found) == {
        ("hh",): (Place(0, 0, 2 * H), 2),
        ("rhh",): (Place(0, 2 * H, 3 * H), 1),
    }


def test_a_layer_that_reads_several_values() -> None:
    (layer,) = plan(CELLS["cornn"].graph).layers
    assert [block.group for block in layer.blocks] == ["ih", "hh", "zh"]
    assert [source.attribute for source in layer.sources] == ["x", "h", "z"]
    (layer,) = plan(CELLS["cornn"].graph, parts=hoisted).layers
    assert [block.group for block in layer.blocks] == ["hh", "zh"]
    assert [source.attribute for source in layer.sources] == ["h", "z"]


def test_a_projection_has_its_own_size() -> None:
    assert sorted(plan(CELLS["lstm_projected"].graph).widths) == [I, P, 4 * H]
    assert sorted(plan(CELLS["lstm_projected"].graph, parts=hoisted).widths) == [P, 4 * H]


def test_gradients_of_inputs_are_optional() -> None:
    """Unless the gradients of weights are made of them, too."""
    found = plan(CELLS["lstm"].graph)
    assert found.optional == {0}
    assert {place.buffer for _, place in found.stored({0}).values()} == {0, 1}
    assert {place.buffer for _, place in found.stored(()).values()} == {1}
    assert plan(CELLS["lstm"].graph, parts=hoisted).optional == set()
    assert plan(CELLS["min_gru"].graph, parts=hoisted).optional == {0, 1}


@each_way
def test_what_comes_through_a_later_layer_is_a_part_of_the_gradient(parts: Parts) -> None:
    def added(x, h, c):
        h = tanh(h) + affine(x)
        c = sigmoid(affine(h)) * c
        return locals()

    found = planned(added, parts=parts)
    through = [
        node
        for node, _ in found.gradients.values()
        if any(below.operation is Operation.TRANSPOSED for below in ordered([node]))
    ]
    own = [node for node in through if node.operation is not Operation.TRANSPOSED]
    assert len(own) == 1  # of the first layer, or of its result where that is an input
    assert len(through) == (2 if parts is split else 1)  # and of x


@each_way
def test_long_sums_are_no_limit(parts: Parts) -> None:
    """Neither their depth nor the number of ways through them."""

    def long(x, h):
        a = b = affine(x, h)
        for _ in range(1500):
            a = a + h
        for _ in range(60):
            b = b + b
        h = tanh(a) + tanh(b * 2.0**-60)
        return {"h": h}

    assert planned(long, parts=parts).widths == ([I, H] if parts is split else [H])


@each_way
def test_gradients_that_are_summed_up(parts: Parts) -> None:
    assert list(plan(CELLS["lstm_peephole"].graph, parts=parts).reduced) == ["p_i", "p_f", "p_o"]
    assert len(plan(CELLS["lstm_layernorm"].graph, parts=parts).reduced) == 10
    assert not plan(CELLS["lstm"].graph, parts=parts).reduced


def readout(x, h):
    y = affine(x, h)
    h = tanh(affine(x, h))
    return locals()


@each_way
def test_what_nothing_depends_on_has_no_gradient(parts: Parts) -> None:
    """The layer of y shares its weights with that of h, and is not in the loss."""
    found = planned(readout, parts=parts)
    (layer,) = found.layers
    assert layer.layers == 1
    assert [block.row for block in layer.blocks] == [1] * len(layer.blocks)
    (buffer,) = set(found.hoisted.values())
    if parts is split:
        assert buffer == 0
        assert found.widths == [I, H]
    else:
        assert found.widths[buffer or 0] == 2 * H  # zeros for y
    both = planned(readout, "h", "y", parts=parts)
    assert [layer.layers for layer in both.layers] == [2]


@each_way
def test_runs_of_layers_around_one_without_gradient(parts: Parts) -> None:
    def gated(x, h):
        a = affine(x, h)
        b = affine(x, h)
        c = affine(x, h)
        h = where(b > 0, tanh(a), sigmoid(c))
        return locals()

    found = planned(gated, parts=parts)
    rows = [{block.row for block in layer.blocks} for layer in found.layers]
    assert rows == [{0}, {2}]


def test_what_only_decides_has_no_gradient() -> None:
    def gated(x, h):
        h = where(tanh(affine(x)) > 0.5, tanh(affine(x, h)), h)
        return locals()

    found = planned(gated)
    assert found.hoisted == {("x",): 0}
    assert layers(found) == {("ih", "hh"): (Place(1, 0, H), 1)}
    found = planned(gated, parts=hoisted)
    assert list(found.hoisted.values()) == [0, None]
    assert found.widths == [H]


@each_way
def test_a_gradient_that_is_the_same_for_all_units_is_one(parts: Parts) -> None:
    def centred(x, h):
        h = tanh(affine(x, h)) * mean(vector() + h) * mean(affine(x) + h)
        return locals()

    found = planned(centred, parts=parts)
    (name,) = found.reduced
    assert found.reduced[name].operation is Operation.BROADCAST
    spread = [node for node, _ in found.gradients.values() if node.operation is Operation.BROADCAST]
    assert len(spread) == 1  # of the layer of the second mean
    assert len(found.gradients) == (3 if parts is split else 2)  # x has one, too


@each_way
@pytest.mark.parametrize("cell", CELLS.values(), ids=str)
def test_buffers_are_full(cell: Cell, parts: Parts) -> None:
    found = plan(cell.graph, *parts(cell.graph).step.values, parts=parts)
    for buffer, width in enumerate(found.widths):
        places = sorted(place for _, place in found.gradients.values() if place.buffer == buffer)
        assert [place.start for place in places] == [0, *(place.stop for place in places[:-1])]
        assert places[-1].stop == width
    for layer in found.layers:
        assert 0 <= layer.place.start < layer.place.stop <= found.widths[layer.place.buffer]
