import copy
import dataclasses
import pickle

import pytest

import unrolled
from samples import quiet
from unrolled import affine, exp, relu, sigmoid, tanh
from unrolled.cells import CELLS
from unrolled.equations import Cell
from unrolled.errors import CellError
from unrolled.graph.graph import Graph, in_order, output
from unrolled.graph.node import Node
from unrolled.graph.operation import Operation

x = Node(Operation.INPUT, (), "x")
h = Node(Operation.STATE, (), "h")


def test_a_name_that_is_neither_input_nor_state() -> None:
    with pytest.raises(CellError) as caught:
        Graph("by_hand", {"x": "input"}, {"h": "hidden"}, {"h": h * Node(Operation.INPUT, (), "y")})
    assert str(caught.value) == (
        "by_hand: h = h * y: unknown name: y is not an input or state of by_hand (x, h)"
    )


def test_an_input_is_no_state() -> None:
    with pytest.raises(CellError, match="unknown name: h is not an input or state"):
        Graph("by_hand", {"h": "hidden"}, {"s": "hidden"}, {"s": h})


def test_a_state_without_a_next_value() -> None:
    with pytest.raises(CellError, match=r"^by_hand: the state c has no next value$"):
        Graph("by_hand", {"x": "input"}, {"h": "hidden", "c": "hidden"}, {"h": tanh(h)})


def test_a_state_whose_next_value_has_another_size() -> None:
    with pytest.raises(CellError) as caught:
        Graph("by_hand", {"x": "input"}, {"h": "hidden"}, {"n": tanh(x), "h": tanh(x)})
    assert str(caught.value) == (
        "by_hand: n = tanh(x): sizes that cannot agree: the state h has H units, its next value I"
    )


def test_a_circle() -> None:
    inner = Node(Operation.TANH, (h,), "a circle")
    outer = sigmoid(inner)
    object.__setattr__(inner, "arguments", (outer,))
    with pytest.raises(CellError, match=r"^by_hand: cyclic use: (tanh|sigmoid) depends on its own"):
        Graph("by_hand", {"x": "input"}, {"h": "hidden"}, {"h": outer})
    object.__setattr__(inner, "arguments", (h,))


def test_graphs_are_immutable() -> None:
    graph = CELLS["lstm"].graph
    with pytest.raises(dataclasses.FrozenInstanceError):
        graph.name = "other"


@pytest.mark.parametrize("cell", CELLS.values(), ids=str)
def test_copies(cell: Cell) -> None:
    assert copy.deepcopy(cell.graph) is cell.graph
    again = pickle.loads(pickle.dumps(cell.graph))
    assert list(again.values.items()) == list(cell.graph.values.items())
    assert (again.name, again.inputs, again.states) == (
        *(cell.graph.name, cell.graph.inputs, cell.graph.states),
    )
    assert again.sizes == cell.graph.sizes


@pytest.mark.parametrize("cell", CELLS.values(), ids=str)
def test_values_stand_in_an_order_in_which_they_can_be_computed(cell: Cell) -> None:
    for graph in (cell.graph, cell.derivative):
        place = {node: index for index, node in enumerate(graph.order)}
        places = [place[node] for node in graph.values.values()]
        assert places == sorted(places)
        assert set(graph.sizes) == set(graph.order)


def test_in_order_sorts_and_keeps_the_order_of_what_is_free() -> None:
    a = tanh(h)
    b = sigmoid(a)
    assert list(in_order({"b": b, "a": a, "other": b})) == ["a", "b", "other"]
    assert list(in_order({"a": a, "c": relu(h), "b": b})) == ["a", "c", "b"]


def test_names_are_the_first_and_never_of_leaves() -> None:
    @quiet
    def aliased(x, h, c):
        first = tanh(affine(x, h))
        second = first
        c = h
        h = second * 1
        return locals()

    graph = aliased.graph
    assert graph.names == {graph.values["first"]: "first"}
    assert list(graph.values) == ["c", "first", "second", "h"]


def test_owners_are_the_first_lines_in_which_a_node_stands() -> None:
    @unrolled.cell
    def owned(x, h):
        shared = sigmoid(h)
        a = tanh(affine(x, h)) * shared
        h = a * exp(h) + sigmoid(h)
        return locals()

    owners = {str(node): name for node, name in owned.graph.owners.items()}
    assert owners["<sigmoid(h)>"] == "shared"
    assert owners["<exp(h)>"] == "h"
    assert owners["<h>"] == "shared"
    assert owners["<x>"] == "a"
    assert set(owned.graph.owners) == set(owned.graph.order)


def test_probes_hold_what_activations_are_applied_to() -> None:
    @quiet
    def probed(x, h):
        f = sigmoid(affine(x, h))
        s = affine(x)
        g = tanh(s)
        k = exp(h)
        q = relu(affine(h))
        q_pre = f * 2
        h = f * g * k * q
        return locals()

    probes = probed.graph.probes
    assert set(probes) == {"f_pre", "f", "s", "g", "k", "q_pre", "q", "h"}
    assert probes["f_pre"].operation is Operation.AFFINE
    assert probes["q_pre"] is probed.graph.values["q_pre"]


def test_the_output() -> None:
    assert output(("c", "h")) == "h"
    assert output(("s", "c")) == "s"
    assert CELLS["cornn"].graph.output == "h"


def test_layers_and_learned() -> None:
    graph = CELLS["lstm_peephole"].graph
    assert [node.attribute.name for node in graph.layers] == ["i", "f", "g", "o"]
    assert [node.attribute.name for node in graph.learned] == ["p_i", "p_f", "p_o"]


def test_descriptions_name_the_line() -> None:
    graph = CELLS["lstm"].graph
    assert graph.describe(graph.values["c"]) == "lstm: c = f * c + i * g"
    assert graph.describe(tanh(x)) == "lstm"
