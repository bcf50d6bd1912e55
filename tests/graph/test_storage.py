import copy
import json
from collections.abc import Callable
from contextlib import nullcontext, suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph.drawn import cells
from samples import SIZES
from unrolled.cells import CELLS
from unrolled.equations import Cell
from unrolled.errors import CellError
from unrolled.graph import parameters
from unrolled.graph.graph import Graph
from unrolled.graph.node import Node
from unrolled.graph.operation import Operation
from unrolled.graph.storage import from_json, to_json
from unrolled.kernels.eager import Program
from unrolled.printing.latex import latex
from unrolled.printing.python import python


def same(a: Graph, b: Graph) -> None:
    assert list(a.values) == list(b.values)
    assert all(a.values[name] is b.values[name] for name in a.values)
    assert (a.name, a.inputs, a.states, a.backward) == (b.name, b.inputs, b.states, b.backward)
    assert a.sizes == b.sizes


def through_text(graph: Graph) -> Graph:
    return from_json(json.loads(json.dumps(to_json(graph))))


@pytest.mark.parametrize("cell", CELLS.values(), ids=str)
def test_round_trip(cell: Cell) -> None:
    same(through_text(cell.graph), cell.graph)
    same(through_text(cell.derivative), cell.derivative)


@settings(max_examples=25)
@given(cells())
def test_round_trip_of_random_cells(cell: Cell) -> None:
    same(through_text(cell.graph), cell.graph)
    same(through_text(cell.derivative), cell.derivative)


@pytest.mark.parametrize("number", [0.0, -0.0, 0.1, 1e-300, 3.4e38])
def test_numbers_are_kept(number: float) -> None:
    h = Node(Operation.STATE, (), "h")
    graph = Graph("n", {"x": "input"}, {"h": "hidden"}, {"h": h * number})
    same(through_text(graph), graph)


def test_data_is_readable() -> None:
    data = to_json(CELLS["rnn_tanh"].graph)
    assert data["name"] == "rnn_tanh"
    assert data["states"] == {"h": "hidden"}
    assert [node[0] for node in data["nodes"]] == ["input", "state", "affine", "tanh"]
    assert data["nodes"][2][2]["blocks"][0] == {
        **{"kind": "Block", "group": "ih", "row": 0, "bias": 0, "size": "input"},
    }


@pytest.mark.parametrize(
    "data", [None, 1, "text", [], {}, {"nodes": []}, {"nodes": [], "values": {}}, [[]]]
)
def test_something_else(data: object) -> None:
    with pytest.raises(CellError):
        from_json(data)
    with pytest.raises(CellError, match="not a cell: "):
        Cell.from_json(data)


def change(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Set what a path such as ``nodes.2.1`` leads to."""

    def changed(data: dict[str, Any]) -> None:
        *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
        place: Any = data
        for part in way:
            place = place[part]
        place[last] = value

    return changed


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("name", None),
        ("name", 3),
        ("inputs", {}),
        ("inputs", ["x"]),
        ("inputs.x", "huge"),
        ("inputs.x", None),
        ("states", {}),
        ("states", {"h": "huge"}),
        ("states", {"h": "projection"}),
        ("states", {"h": "hidden", "c": "hidden"}),
        ("states", {"x": "hidden", "h": "hidden"}),
        ("backward", "no"),
        ("nodes", {}),
        ("nodes", []),
        ("values", {}),
        ("values", {"h": 99}),
        ("values", {"h": -1}),
        ("values", {"h": True}),
        ("values", {"h": "3"}),
        ("nodes.0.0", "input output"),
        ("nodes.0.0", 0),
        ("nodes.0.2", "y"),
        ("nodes.0.2", None),
        ("nodes.0.2", 3),
        ("nodes.1.0", "constant"),
        ("nodes.1.0", "learned"),
        ("nodes.1.0", "normalize"),
        ("nodes.1.0", "sum"),
        ("nodes.2.1", []),
        ("nodes.2.1", [0]),
        ("nodes.2.1", [0, 2]),
        ("nodes.2.1", [0, -1]),
        ("nodes.2.1", None),
        ("nodes.2.1", [0, 1, 1]),
        ("nodes.2.2", None),
        ("nodes.2.2", {"kind": "Layer"}),
        ("nodes.2.2.kind", "Term"),
        ("nodes.2.2.kind", "dict"),
        ("nodes.2.2.kind", ["Layer"]),
        ("nodes.2.2.name", 3),
        ("nodes.2.2.size", "huge"),
        ("nodes.2.2.size", None),
        ("nodes.2.2.blocks", []),
        ("nodes.2.2.blocks", "ab"),
        ("nodes.2.2.blocks.0", None),
        ("nodes.2.2.blocks.0.kind", "Layer"),
        ("nodes.2.2.blocks.0.group", 3),
        ("nodes.2.2.blocks.0.group", "hh"),
        ("nodes.2.2.blocks.0.row", -1),
        ("nodes.2.2.blocks.0.row", 0.5),
        ("nodes.2.2.blocks.0.row", "0"),
        ("nodes.2.2.blocks.0.bias", "0"),
        ("nodes.2.2.blocks.0.size", "hidden"),
        ("nodes.2.2.blocks.0.size", None),
        ("nodes.3.0", "add"),
        ("nodes.3.0", "outer"),
        ("nodes.3.0", "transposed"),
        ("nodes.3.0", "less"),
        ("nodes.3.1", [2, 2]),
        ("nodes.3.1", [[2]]),
        ("nodes.3.2", "more"),
        ("nodes.3.2", [[[]]]),
        ("nodes.3", None),
        ("nodes.3", ["tanh", [2]]),
        ("nodes.3", ["tanh", [2], None, None]),
    ],
)
def test_nonsense_is_refused(path: str, value: Any) -> None:
    data = copy.deepcopy(to_json(CELLS["rnn_tanh"].graph))
    change(path, value)(data)
    with pytest.raises(CellError):
        from_json(data)


def places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to everything in nested lists and dicts."""
    items = data.items() if isinstance(data, dict) else enumerate(data)
    found = []
    for key, value in items:
        found.append((*path, key))
        if isinstance(value, (dict, list)):
            found += places(value, (*path, key))
    return found


JUNK = st.recursive(
    st.one_of(
        *(st.none(), st.booleans(), st.integers(-2, 12), st.floats(), st.text(max_size=3)),
        st.sampled_from(["x", "h", "c", "input", "hidden", "tanh", "add", "ih", "Term", "Layer"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["kind", "h", ""]), inner)
    ),
    max_leaves=4,
)


@settings(max_examples=150)
@given(st.data())
def test_mutated_data(data: st.DataObject) -> None:
    """A file with mistakes gives CellError, or a graph that every consumer can work with."""
    cell = CELLS[data.draw(st.sampled_from(["rnn_tanh", "lstm_layernorm", "slstm", "mgu"]))]
    mutated = json.loads(
        json.dumps(to_json(data.draw(st.sampled_from([cell.graph, cell.derivative]))))
    )
    for _ in range(data.draw(st.integers(1, 3))):
        *way, last = data.draw(st.sampled_from(places(mutated)))
        place = mutated
        for key in way:
            place = place[key]
        match data.draw(st.sampled_from(["replace", "delete", "repeat"])):
            case "replace":
                place[last] = data.draw(JUNK)
            case "delete":
                del place[last]
            case "repeat" if isinstance(place, list):
                place.insert(last, copy.deepcopy(place[last]))
    try:
        graph = from_json(mutated)
    except CellError:
        return
    same(through_text(graph), graph)
    parameters(graph)
    with suppress(CellError) if graph.backward else nullcontext():
        python(graph)  # two layers of a derivative may have one name
    latex(graph)
    Program(graph, SIZES)


@settings(max_examples=100)
@given(JUNK)
def test_junk(data: Any) -> None:
    with pytest.raises(CellError):
        from_json(data)
    with pytest.raises(CellError):
        Cell.from_json(data)


def test_deeply_nested_data() -> None:
    nested: Any = []
    for _ in range(10_000):
        nested = [nested]
    data = to_json(CELLS["rnn_tanh"].graph)
    data["nodes"][0][2] = nested
    with pytest.raises(CellError, match="not the equations of a cell"):
        from_json(data)


def test_a_cell_needs_an_input_and_a_state() -> None:
    h = Node(Operation.STATE, (), "h")
    for graph in (
        Graph("alone", {}, {"h": "hidden"}, {"h": h * 2}),
        Graph("alone", {"x": "input"}, {}, {"y": Node(Operation.INPUT, (), "x")}),
    ):
        data = {"doc": "", "graph": to_json(graph)}
        with pytest.raises(CellError, match="alone needs an input and at least one state"):
            Cell.from_json(data)
