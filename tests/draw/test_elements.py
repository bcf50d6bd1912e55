import unrolled
from samples import quiet
from unrolled import affine, layer_norm, log_sigmoid, sigmoid, tanh, vector
from unrolled.cells import CELLS
from unrolled.draw.elements import elements
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
    assert ("c", "box f", "") in found.wires
    assert ("op c", "box o", "") in found.wires
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

    assert texts(written, "learned") == ["$\\times p$"]
    assert set(texts(written, "operation")) == {"$1{-}$", "$\\times 0.5$", "$+$"}


def test_composites_are_one_shape() -> None:
    @unrolled.cell
    def composed(x, h):
        h = layer_norm(h) + log_sigmoid(affine(x))
        return locals()

    assert texts(composed, "layer") == ["$W_{ih}$"]
    assert texts(composed, "operation") == [*("$\\mathrm{norm}$", "$\\log\\,\\sigma$", "$+$")]


def test_the_order_of_a_difference_is_marked() -> None:
    marks = {wire.mark for wire in elements(CELLS["slstm"].graph).wires if wire.target == "op i 13"}
    assert marks == {"+", "−"}

    @quiet
    def nothing(x, h):
        h = affine(x, h)
        h = h - h
        return locals()

    assert [wire.mark for wire in elements(nothing.graph).wires if wire.mark] == ["±"]
