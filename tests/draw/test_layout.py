from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from tests.draw.geometry import problems
from tests.graph.drawn import cells as drawn

from samples import quiet
from unrolled import affine, sigmoid, tanh, where
from unrolled.cells import CELLS
from unrolled.draw import search
from unrolled.draw.layout import scene
from unrolled.draw.scene import Scene
from unrolled.draw.shapes import Box
from unrolled.equations import Cell
from unrolled.graph import derivative
from unrolled.graph.graph import Graph
from unrolled.graph.operation import Operation


def covered(picture: Scene) -> Counter[int]:
    return Counter(n for box in picture.boxes.values() for n in box.nodes)


def edges(graph: Graph, picture: Scene) -> set[tuple[int, str]]:
    """What each box reads, by the graph: (node that leaves one box, box that reads it)."""
    place = {node: n for n, node in enumerate(graph.order)}
    owner = {n: box.id for box in picture.boxes.values() for n in box.nodes}
    found = set()
    for box in picture.boxes.values():
        for n in box.nodes:
            for argument in graph.order[n].arguments:
                if argument.operation is Operation.CONSTANT and place[argument] not in owner:
                    continue  # written into the box
                if owner.get(place[argument]) != box.id:
                    found.add((place[argument], box.id))
    return found


def drawn_edges(picture: Scene) -> set[tuple[str, str]]:
    """The lines, those through a join taken apart."""
    joins = {box.id for box in picture.boxes.values() if box.role == "join"}
    lines = {(line.source, line.target) for line in picture.lines if line.target != "output"}
    for join in joins:  # what goes into a join goes on to where its line goes, be it a join
        ends = {b for a, b in lines if a == join}
        lines |= {(a, end) for a, b in lines if b == join for end in ends}
    return {(a, b) for a, b in lines if a not in joins and b not in joins}


def check_structure(graph: Graph) -> None:
    picture = scene(graph)
    nodes = {n for n, node in enumerate(graph.order) if node.operation is not Operation.CONSTANT}
    numbers = set(range(len(graph.order))) - nodes
    counts = covered(picture)
    unread = {n for n in nodes if graph.order[n].operation in (Operation.INPUT, Operation.STATE)}
    assert set(counts) - numbers == nodes | (set(counts) & unread)
    assert all(count == 1 for n, count in counts.items() if n in nodes)
    # Every value that its author named stands there once; states' next values at the end of their
    # lines.
    names = Counter(name for label in picture.labels for name in label.names)
    known = graph.written.names
    assert names == Counter([name for name in graph.values if known is None or name in known])
    # The edges.
    last = {max(box.nodes): box.id for box in picture.boxes.values() if box.nodes}
    owner = {n: box.id for box in picture.boxes.values() for n in box.nodes}
    expected = {(owner[n], target) for n, target in edges(graph, picture)}
    place = {node: n for n, node in enumerate(graph.order)}
    found = drawn_edges(picture)
    for state in graph.states:
        sources = {a for a, b in found if b == f"{state}'"}
        node = graph.values[state]
        if node.operation is not Operation.CONSTANT:
            assert sources == {owner[place[node]]}
    inner = {(a, b) for a, b in found if not b.endswith("'")}
    constants = {box.id for box in picture.boxes.values() if box.role == "constant"}
    assert {(a, b) for a, b in inner if a not in constants} == {
        (a, b) for a, b in expected if a not in constants
    }
    assert last


def layers(picture: Scene) -> list[Box]:
    # A norm alone looks like a layer, but stands where operations do.
    return [box for box in picture.boxes.values() if box.id.startswith("box ")]


@pytest.mark.parametrize("name", CELLS)
def test_every_cell_is_drawn_whole(name: str) -> None:
    check_structure(CELLS[name].graph)


@pytest.mark.parametrize("name", CELLS)
def test_nothing_crosses_a_box_or_a_label(name: str) -> None:
    assert problems(scene(CELLS[name].graph)) == {}


@pytest.mark.parametrize("name", CELLS)
def test_learned_layers_stand_in_a_row(name: str) -> None:
    picture = scene(CELLS[name].graph)
    assert len({box.y for box in layers(picture)}) <= 1
    assert len(layers(picture)) == len(CELLS[name].graph.layers)


@pytest.mark.parametrize("name", CELLS)
def test_states_leave_at_the_height_at_which_they_come(name: str) -> None:
    picture = scene(CELLS[name].graph)
    for state in CELLS[name].states:
        assert picture.boxes[state].y == picture.boxes[f"{state}'"].y


@contextmanager
def hasty() -> Iterator[None]:
    """Let layouts be improved a little only: what must hold, holds for every one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "WORK", 1000)
        yield


@pytest.mark.broad
@settings(max_examples=15, deadline=None)
@given(cell=drawn())
def test_random_cells(cell: Cell) -> None:
    with hasty():
        assert problems(scene(cell.graph)) == {}
        check_structure(cell.graph)


def test_signs_stand_apart_from_names() -> None:
    @quiet
    def chosen(x, h, c):
        v1 = where(h < c, h, c * 0.5)  # leaves downwards, and reads one value from the right
        v2 = sigmoid(v1)
        h = tanh(sigmoid(h)) + affine(x)
        c = c * 0.5 + sigmoid(affine(h)) * c
        return locals()

    assert problems(scene(chosen.graph)) == {}


@pytest.mark.parametrize("name", ["rnn_tanh", "gru"])
def test_derivatives_are_drawn(name: str) -> None:
    with hasty():
        assert problems(scene(derivative(CELLS[name].graph))) == {}


def test_the_lstm_is_the_textbook_figure() -> None:
    picture = scene(CELLS["lstm"].graph)
    boxes = picture.boxes
    row = sorted(layers(picture), key=lambda box: box.x)
    assert [box.id for box in row] == ["box f", "box i", "box g", "box o"]
    belt = [box for box in boxes.values() if box.y == boxes["c"].y and box.width]
    assert [box.text for box in sorted(belt, key=lambda box: box.x)] == ["$\\times$", "$+$"]
    assert boxes["c"].y == max(box.y for box in boxes.values() if box.role == "operation")
    assert boxes["h"].y < boxes["box f"].y < boxes["c"].y
    assert boxes["x"].y < boxes["h"].y
    assert boxes["output"].y > boxes["c"].y
    # The forget gate goes straight up to its product, the output gate's product to the right.
    (product,) = [box for box in belt if box.text == "$\\times$"]
    assert product.x == boxes["box f"].x
    assert boxes["op h"].x > boxes["box o"].x


def test_a_scene_is_the_same_every_time() -> None:
    graph = CELLS["gru"].graph
    again = Cell.from_json(CELLS["gru"].to_json()).graph
    assert scene(graph).to_json() == scene(again).to_json()


def test_json_reads_back() -> None:
    picture = scene(CELLS["slstm"].graph)
    assert Scene.from_json(picture.to_json()) == picture
    with pytest.raises(ValueError, match="not a scene"):
        Scene.from_json({"shapes": [{"kind": "hexagon"}]})
