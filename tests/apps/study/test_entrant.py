import pytest
import torch

from unrolled import cells
from unrolled.apps.study.entrant import DEFAULT, Entrant
from unrolled.cells import find
from unrolled.errors import UserError


@pytest.mark.parametrize("name", DEFAULT)
def test_names_are_read_back(name: str) -> None:
    assert Entrant.of(name, find).name == name


def test_identity_starts_with_the_identity() -> None:
    layer = Entrant(cells.rnn_relu, "identity").layer(3, 5)
    assert torch.equal(layer.weight_hh_l0, torch.eye(5))
    assert not bool(layer.bias_ih_l0.any())
    assert not bool(layer.bias_hh_l0.any())


@pytest.mark.parametrize(("cell", "rows", "sign"), [("lstm", 1, 1), ("gru", 1, 1)])
def test_forget_opens_the_gate_that_keeps(cell: str, rows: int, sign: int) -> None:
    torch.manual_seed(0)
    plain = Entrant(find(cell)).layer(3, 5)
    torch.manual_seed(0)
    open_ = Entrant(find(cell), "forget").layer(3, 5)
    moved = (open_.bias_ih_l0 - plain.bias_ih_l0).view(-1, 5)
    expected = torch.zeros_like(moved)
    expected[rows] = sign
    assert torch.allclose(moved, expected, atol=1e-6)
    assert torch.equal(open_.bias_hh_l0, plain.bias_hh_l0)


def test_a_gate_that_forgets_where_it_is_open_is_moved_the_other_way() -> None:
    torch.manual_seed(0)
    plain = Entrant(cells.mgu).layer(3, 5)
    torch.manual_seed(0)
    open_ = Entrant(cells.mgu, "forget").layer(3, 5)
    moved = (open_.bias_ih_l0 - plain.bias_ih_l0).view(-1, 5)
    assert torch.allclose(moved[0], -torch.ones(5), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lstm+identity", "not one recurrent matrix"),
        ("rnn_tanh+forget", "no gate that keeps"),
        ("lstm+orthogonal", "a start is one of"),
    ],
)
def test_starts_that_do_not_fit(name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Entrant.of(name, find)


def test_gated_cells_take_greater_steps() -> None:
    paces = {name: Entrant.of(name, find).pace for name in DEFAULT}
    assert paces["lstm"] == paces["gru"] == 1.0
    assert paces["rnn_relu+identity"] < paces["rnn_tanh"] == paces["rnn_relu"] < 1.0
