import pytest

import unrolled
from samples import quiet
from unrolled import (
    affine,
    layer_norm,
    log_sigmoid,
    mean,
    normalize,
    relu,
    sigmoid,
    tanh,
    vector,
    where,
)
from unrolled.cells import CELLS
from unrolled.draw import scene_of
from unrolled.draw.elements import alternatives, elements
from unrolled.draw.search import best
from unrolled.equations import Cell


def texts(cell: Cell, role: str) -> list[str]:
    return [each.text for each in elements(cell.graph).elements.values() if each.role == role]


def test_a_layer_takes_in_its_activation() -> None:
    assert texts(CELLS["lstm"], "layer") == [
        "$\\sigma$",
        "$\\sigma$",
        "$\\mathrm{tanh}$",
        "$\\sigma$",
    ]
    assert texts(CELLS["lstm"], "operation") == [
        *("$\\times$", "$\\times$", "$+$", "$\\mathrm{tanh}$", "$\\times$")
    ]


def test_a_layer_takes_in_its_norm_and_its_learned_vectors() -> None:
    assert texts(CELLS["lstm_layernorm"], "layer")[0] == "$\\mathrm{norm}$\n$\\sigma$"
    found = elements(CELLS["lstm_peephole"].graph)
    assert texts(CELLS["lstm_peephole"], "learned") == []
    assert ("c", "box f", "", "port p_f") in found.wires
    assert ("op c", "box o", "", "port p_o") in found.wires
    assert texts(CELLS["indrnn"], "layer") == ["$\\mathrm{relu}$"]


def test_a_value_with_a_name_stays_visible() -> None:
    @unrolled.cell
    def named(x, h):
        s = affine(x, h)
        h = sigmoid(s)
        return locals()

    found = elements(named.graph).elements
    assert [each.names for each in found.values() if each.role in ("layer", "operation")] == [
        ("s",),
        (),
    ]


def test_a_layer_that_two_read_keeps_its_activation_apart() -> None:
    @unrolled.cell
    def shared(x, h):
        h = tanh(affine(x, h)) + h
        return locals()

    assert texts(shared, "layer") == ["$\\mathrm{tanh}$"]
    assert texts(CELLS["janet"], "layer") == ["$W$", "$\\mathrm{tanh}$"]


def test_numbers_and_learned_vectors_stand_in_their_operation() -> None:
    @unrolled.cell
    def written(x, h):
        p = vector()
        h = p * h + (1 - tanh(affine(x))) * 0.5
        return locals()

    assert texts(written, "learned") == ["$\\odot\\,p$"]
    assert set(texts(written, "operation")) == {"$1{-}$", "$\\times 0.5$", "$+$"}


def test_composites_are_one_shape() -> None:
    @unrolled.cell
    def composed(x, h):
        h = layer_norm(h) + log_sigmoid(affine(x))
        return locals()

    assert texts(composed, "layer") == ["$\\log\\,\\sigma$"]
    assert texts(composed, "operation") == ["$+$"]
    assert texts(composed, "learned") == ["$\\mathrm{norm}$"]


def test_what_reads_all_units_is_a_box_and_learned_if_it_learns() -> None:
    @unrolled.cell
    def normed(x, h):
        u = layer_norm(affine(x, h))
        v = tanh(normalize(u)) / (1 + mean(u * u))
        h = layer_norm(v + h)
        return locals()

    boxes = {
        (box.text, box.role): box
        for box in scene_of(normed).boxes.values()
        if box.role in ("layer", "operation") and 0 < box.radius < box.height / 2
    }
    assert set(boxes) == {
        ("$W$\n$\\mathrm{norm}$", "layer"),  # else it would be as the one without weights
        ("$\\mathrm{norm}$", "operation"),
        ("$\\mathrm{norm}$", "layer"),
        ("$\\mathrm{mean}$", "operation"),
    }
    pills = {box.text for box in scene_of(normed).boxes.values() if box.radius == box.height / 2}
    assert {"$\\mathrm{tanh}$", "$\\div$"} < pills


def test_layers_without_activation_are_called_alike() -> None:
    @unrolled.cell
    def highway(x, h):
        a = relu(affine(x, h))
        b = affine(a)
        h = b * h + affine(x, h)
        return locals()

    assert sorted(texts(highway, "layer")) == ["$W$", "$W$", "$\\mathrm{relu}$"]


def test_a_number_stands_behind_the_sign_of_a_comparison() -> None:
    @unrolled.cell
    def choosy(x, h):
        s = tanh(affine(x, h))
        h = where(s > 0, s, h) + where(0.5 >= s, h, s)  # noqa: SIM300
        return locals()

    assert {"$\\!>0$", "$\\!\\leq 0.5$"} < set(texts(choosy, "operation"))


def test_the_order_of_a_difference_is_marked() -> None:
    found = elements(CELLS["slstm"].graph)
    differences = {key for key, element in found.elements.items() if element.text == "$-$"}
    assert len(differences) == 2
    marks = [wire.mark for wire in found.wires if wire.target in differences]
    assert sorted(marks) == ["+", "+", "−", "−"]

    @quiet
    def nothing(x, h):
        h = affine(x, h)
        h = h - h
        return locals()

    assert [wire.mark for wire in elements(nothing.graph).wires if wire.mark] == ["±"]


def test_what_a_learned_vector_multiplies_has_a_mark_of_its_own() -> None:
    found = elements(CELLS["indrnn"].graph)
    assert [port.text for port in found.ports.values()] == ["$\\odot\\,u$"]
    assert elements(CELLS["rnn_relu"].graph).ports == {}
    peepholes = elements(CELLS["lstm_peephole"].graph)
    assert {wire.port for wire in peepholes.wires if wire.source == "c" and wire.port} == {
        "port p_i",
        "port p_f",
    }
    assert len(peepholes.ports) == 3


def test_numbers_go_by_the_names_that_their_author_gave_them() -> None:
    found = elements(CELLS["cornn"].graph)
    assert found.numbers == {"dt": 0.042, "gamma": 2.7, "epsilon": 4.7}
    texts = {element.text for element in found.elements.values()}
    assert {"$\\times \\mathrm{dt}$", "$\\times \\gamma$", "$\\times \\epsilon$"} <= texts
    # A hyperparameter and a number of the same value: only one has a name.
    texts = {element.text for element in elements(CELLS["janet"].graph).elements.values()}
    assert {"$1{-}$", "$\\cdot-\\beta$"} <= texts


def test_a_stored_cell_is_drawn_as_it_was_written() -> None:
    for name in ("cornn", "janet", "slstm"):
        stored = elements(Cell.from_json(CELLS[name].to_json()).graph)
        found = elements(CELLS[name].graph)
        assert [e.text for e in stored.elements.values()] == [
            e.text for e in found.elements.values()
        ]
        assert stored.numbers == found.numbers
    data = CELLS["cornn"].to_json()
    del data["graph"]["written"]  # of a file that says nothing of it
    texts = {element.text for element in elements(Cell.from_json(data).graph).elements.values()}
    assert "$\\times 0.042$" in texts


def test_names_that_nobody_gave_are_not_drawn() -> None:
    names = [name for e in elements(CELLS["slstm"].graph).elements.values() for name in e.names]
    assert not {"v1", "v2"} & set(names)
    assert {"a", "b", "m_new"} <= set(names)


def test_whole_and_odd_numbers_go_by_their_names_too() -> None:
    @quiet
    def looped(x, h, *, turns=2, rate=0.5):
        for _ in range(turns):
            h = h + rate * tanh(h)
        h = sigmoid(affine(x)) * h
        return locals()

    assert set(elements(looped.graph).numbers) == {"rate"}  # other turns make another graph

    @quiet
    def loopless(x, h, *, gain=-2, shift=7):
        h = gain * tanh(h) + sigmoid(affine(x)) + shift * h
        return locals()

    assert set(elements(loopless.graph).numbers) == {"gain", "shift"}


@unrolled.cell
def two_states(x, h, c):
    g = tanh(affine(x, h, c))
    z = sigmoid(affine(x, h, c))
    c = (1 - z) * c + z * g
    h = tanh(c)
    return locals()


@pytest.mark.parametrize("cell", [*CELLS.values(), two_states], ids=str)
def test_two_lines_join_at_a_time(cell: Cell) -> None:
    for found in alternatives(elements(cell.graph)):
        joins = {key for key, element in found.elements.items() if element.role == "join"}
        assert all(len(found.sources(key)) == 2 for key in joins)


def test_layers_in_a_row_are_joined_by_a_straight_line() -> None:
    @unrolled.cell
    def stacked(x, h):
        u = tanh(affine(x, h))
        h = tanh(affine(u))
        return locals()

    assert best(elements(stacked.graph)).router.bends == 4
