"""What the forward pass stores for the backward pass, and where the gradients go."""

from collections.abc import Callable
from typing import Any

import pytest

import unrolled
from unrolled import affine, mean, sigmoid, tanh, vector, where
from unrolled.cells import CELLS
from unrolled.equations import Cell, Graph, Operation
from unrolled.equations.operation import CONDITIONS
from unrolled.equations.python import expression
from unrolled.kernels.split import split
from unrolled.kernels.training import Place, TrainingPlan

from .comparison import SIZES

H, P = SIZES["hidden"], SIZES["projection"]


def plan(graph: Graph, *record: str) -> TrainingPlan:
    return TrainingPlan(split(graph), record or (graph.output,), SIZES)


def planned(function: Callable[..., Any], *record: str) -> TrainingPlan:
    return plan(unrolled.cell(function).graph, *record)


def saved(name: str) -> set[str]:
    """What a cell's forward pass stores besides its states, in words."""
    step = split(CELLS[name].graph).step
    nodes = plan(CELLS[name].graph).saved.values()
    return {step.names.get(node) or expression(node, step) for node in nodes}


# What is stored.


def test_an_lstm_stores_its_gates() -> None:
    assert saved("lstm") == {"i", "f", "g", "o", "tanh(c)"}


def test_a_gru_stores_its_gates_and_a_product_that_is_multiplied() -> None:
    assert saved("gru") == {"r", "z", "n", "W_hn @ h + b_hn"}


def test_what_a_product_reads_is_stored() -> None:
    assert saved("gru_reset_before") == {"r", "z", "n", "rh"}
    assert saved("lstm_projected") == {"i", "f", "g", "o", "tanh(c)", "o * tanh(c)"}


def test_states_are_not_stored_twice() -> None:
    assert saved("rnn_tanh") == set()
    assert saved("rnn_relu") == set()


def test_what_costs_little_is_computed_again() -> None:
    assert saved("min_gru") == set()
    assert saved("indrnn") == set()
    assert saved("lstm_coupled") == {"f", "g", "o", "tanh(c)"}  # i is 1 - f


@pytest.mark.parametrize(
    ("name", "count"), [("mgu", 3), ("slstm", 7), ("lstm_layernorm", 14), ("cornn", 1)]
)
def test_how_many_values_are_stored(name: str, count: int) -> None:
    assert len(plan(CELLS[name].graph).saved) == count


@pytest.mark.parametrize("cell", CELLS.values(), ids=str)
def test_all_that_is_given_is_in_the_derivative(cell: Cell) -> None:
    found = plan(cell.graph)
    nodes = set(found.backward.order)
    again = {found.again[node] for node in found.saved.values()}
    for node, name in found.given.items():
        assert name.startswith(("saved ", "new "))
        assert node.arguments
        if name.startswith("saved "):
            assert node in again
    assert any(node in nodes for node in found.given) or cell.name in ("min_gru", "indrnn")


def test_conditions_are_not_stored() -> None:
    def gated(x, h):
        h = where(affine(h) > 0.1, tanh(affine(x, h)), h)
        return locals()

    found = planned(gated)
    assert not any(node.operation in CONDITIONS for node in found.saved.values())
    assert any(node.operation is Operation.AFFINE for node in found.saved.values())


# Where gradients go.


def test_gates_of_one_weight_stand_side_by_side() -> None:
    found = plan(CELLS["lstm"].graph)
    assert found.widths == [4 * H]
    assert [place for _, place in found.gradients.values()] == [
        Place(0, k * H, (k + 1) * H) for k in range(4)
    ]
    assert set(found.hoisted.values()) == {0}
    (layer,) = found.layers
    assert (layer.place, layer.layers) == (Place(0, 0, 4 * H), 4)
    assert [block.group for block in layer.blocks] == ["hh"]


def test_a_gradient_that_a_gate_changes_has_a_buffer_of_its_own() -> None:
    """Of a GRU's candidate, the product with h is multiplied by r and that with x is not."""
    found = plan(CELLS["gru"].graph)
    assert found.widths == [3 * H, 3 * H]
    assert list(found.hoisted.values()) == [0]
    assert [layer.place for layer in found.layers] == [Place(1, 0, 3 * H)]


def test_layers_that_read_different_values() -> None:
    found = plan(CELLS["gru_reset_before"].graph)
    assert found.widths == [3 * H]
    places = {layer.blocks[0].group: (layer.place, layer.layers) for layer in found.layers}
    assert places == {"hh": (Place(0, 0, 2 * H), 2), "rhh": (Place(0, 2 * H, 3 * H), 1)}


def test_a_layer_that_reads_two_states() -> None:
    (layer,) = plan(CELLS["cornn"].graph).layers
    assert [block.group for block in layer.blocks] == ["hh", "zh"]
    assert [source.attribute for source in layer.sources] == ["h", "z"]


def test_a_projection_has_its_own_size() -> None:
    found = plan(CELLS["lstm_projected"].graph)
    assert sorted(found.widths) == [P, 4 * H]


def test_gradients_that_are_summed_up() -> None:
    assert list(plan(CELLS["lstm_peephole"].graph).reduced) == ["p_i", "p_f", "p_o"]
    assert len(plan(CELLS["lstm_layernorm"].graph).reduced) == 10
    assert not plan(CELLS["lstm"].graph).reduced


def readout(x, h):
    y = affine(x, h)
    h = tanh(affine(x, h))
    return locals()


def test_what_nothing_depends_on_has_no_gradient() -> None:
    """The layer of y shares its weights with that of h, and is not in the loss."""
    found = planned(readout)
    (layer,) = found.layers
    assert layer.layers == 1
    assert [block.row for block in layer.blocks] == [1]
    (buffer,) = set(found.hoisted.values())
    assert found.widths[buffer or 0] == 2 * H  # zeros for y
    both = planned(readout, "h", "y")
    assert [layer.layers for layer in both.layers] == [2]


def test_runs_of_layers_around_one_without_gradient() -> None:
    def gated(x, h):
        a = affine(x, h)
        b = affine(x, h)
        c = affine(x, h)
        h = where(b > 0, tanh(a), sigmoid(c))
        return locals()

    found = planned(gated)
    assert [[block.row for block in layer.blocks] for layer in found.layers] == [[0], [2]]


def test_what_only_decides_has_no_gradient() -> None:
    def gated(x, h):
        h = where(tanh(affine(x)) > 0.5, tanh(affine(x, h)), h)
        return locals()

    found = planned(gated)
    assert list(found.hoisted.values()) == [0, None]
    assert found.widths == [H]


def test_a_gradient_that_is_the_same_for_all_units_is_one() -> None:
    def centred(x, h):
        h = tanh(affine(x, h)) * mean(vector() + h) * mean(affine(x) + h)
        return locals()

    found = planned(centred)
    (name,) = found.reduced
    assert found.reduced[name].operation is Operation.BROADCAST
    assert None not in found.hoisted.values()


@pytest.mark.parametrize("cell", CELLS.values(), ids=str)
def test_buffers_are_full(cell: Cell) -> None:
    found = plan(cell.graph, *split(cell.graph).step.values)
    for buffer, width in enumerate(found.widths):
        places = sorted(place for _, place in found.gradients.values() if place.buffer == buffer)
        assert [place.start for place in places] == [0, *(place.stop for place in places[:-1])]
        assert places[-1].stop == width
    for layer in found.layers:
        assert 0 <= layer.place.start < layer.place.stop <= found.widths[layer.place.buffer]
