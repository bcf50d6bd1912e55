import math

import pytest
import torch

from samples import SIZES, sample
from unrolled.cells import CELLS
from unrolled.equations import Cell
from unrolled.graph import parameters
from unrolled.graph.parameters import weights
from unrolled.graph.rewrite import without_bias


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("rnn_tanh", torch.nn.RNN(2, 3)),
        ("lstm", torch.nn.LSTM(2, 3)),
        ("lstm_projected", torch.nn.LSTM(2, 3, proj_size=2)),
        ("gru", torch.nn.GRU(2, 3)),
    ],
)
@pytest.mark.parametrize("bias", [True, False])
def test_names_shapes_and_order_are_pytorchs(name: str, module: torch.nn.Module, bias: bool):
    graph = CELLS[name].graph if bias else without_bias(CELLS[name].graph)
    found = [(f"{p.name}_l0", p.shape(SIZES)) for p in parameters(graph)]
    expected = [(name, tuple(value.shape)) for name, value in module.named_parameters()]
    assert found == [(name, shape) for name, shape in expected if bias or "bias" not in name]


def test_weights_come_before_biases_projections_and_vectors() -> None:
    assert [p.name for p in parameters(CELLS["gru_reset_before"].graph)] == [
        *("weight_ih", "weight_hh", "weight_rhh", "bias_ih", "bias_hh", "bias_rhh")
    ]
    assert [p.name for p in parameters(CELLS["lstm_projected"].graph)] == [
        *("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
    ]
    assert [p.name for p in parameters(CELLS["lstm_peephole"].graph)][4:] == ["p_i", "p_f", "p_o"]


def test_start_values() -> None:
    starts = {p.name: p.init for p in parameters(CELLS["lstm_layernorm"].graph)}
    assert starts["weight_ih"] is None
    assert starts["norm_weight_f"] == 1.0
    assert starts["norm_bias_f"] == 0.0


@pytest.mark.parametrize("cell", CELLS.values(), ids=str)
def test_every_number_is_cut_exactly_once(cell: Cell) -> None:
    """The pieces that the printed equations name are together the arrays of the parameters."""
    arrays = sample(cell.graph).weights
    total = sum(array.numel() for array in arrays.values())
    numbers = torch.arange(float(total)).split([array.numel() for array in arrays.values()])
    numbered = {
        name: part.reshape(array.shape)
        for (name, array), part in zip(arrays.items(), numbers, strict=True)
    }
    pieces = weights(cell.graph, numbered)
    seen = torch.cat([piece.flatten() for piece in pieces.values()])
    assert seen.sort().values.equal(torch.arange(float(total)))


def test_pieces_are_the_rows_of_their_layers() -> None:
    graph = CELLS["gru"].graph
    arrays = sample(graph).weights
    pieces = weights(graph, arrays)
    for row, gate in enumerate("rzn"):
        rows = slice(3 * row, 3 * row + 3)
        assert pieces[f"W_i{gate}"].equal(arrays["weight_ih"][rows])
        assert pieces[f"W_h{gate}"].equal(arrays["weight_hh"][rows])
        assert pieces[f"b_i{gate}"].equal(arrays["bias_ih"][rows])
        assert pieces[f"b_h{gate}"].equal(arrays["bias_hh"][rows])


def test_pieces_of_a_weight_with_other_rows_than_its_bias() -> None:
    graph = CELLS["multiplicative_lstm"].graph
    pieces = weights(graph, sample(graph).weights)
    assert "b_im" not in pieces
    assert pieces["b_ii"].equal(sample(graph).weights["bias_ih"][:3])
    assert pieces["W_ii"].equal(sample(graph).weights["weight_ih"][3:6])


def test_a_projection_is_cut_as_one_block() -> None:
    graph = CELLS["lstm_projected"].graph
    pieces = weights(graph, sample(graph).weights)
    assert pieces["W_hr"].shape == (2, 3)
    assert math.prod(pieces["W_hi"].shape) == 6
