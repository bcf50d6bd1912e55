"""Jacobians against autograd's, for every cell and in every kind of model."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.functional import jacobian
from torch.nn.utils.rnn import pack_padded_sequence

import unrolled
from unrolled.cells import CELLS

from .subjects import ALL, B, H, I, Loop, T, layer, step, units, weights


def reference(cell: Any, module: Any, x: Tensor, states: Tensor, suffix: str = "_l0") -> Tensor:
    """The Jacobian of the last of some steps of one row by the states before the first."""
    sizes = {**units(cell), "input": x.shape[-1]}

    def several(joined: Tensor) -> Tensor:
        for each in x:
            joined = step(cell, weights(module, suffix), each[None], joined[None], sizes)[0]
        return joined

    return jacobian(several, states)  # pyright: ignore[reportReturnType]


def joined(module: Any, x: Tensor, row: int, at: int, place: str = "l0") -> Tensor:
    """The states of a row after a step, joined."""
    with unrolled.record(module, f"*{place}.*") as recording:
        module(x)
    prefix = f"{place}." if place else ""
    return torch.cat(
        [recording.padded(f"{prefix}{s}")[0][at, row] for s in module.graph.states]
    ).detach()


@pytest.mark.broad
@pytest.mark.parametrize("name", ALL)
def test_every_cell(name: str) -> None:
    module, x = layer(ALL[name]), torch.randn(T, B, I, dtype=torch.float64)
    flow = unrolled.gradient_flow(module, x)
    expected = reference(ALL[name], module, x[3:6, 1], joined(module, x, 1, 2))
    torch.testing.assert_close(flow.jacobian("l0", 5, 2, row=1), expected)


@pytest.mark.broad
@pytest.mark.parametrize("name", ALL)
def test_a_loop_over_a_cell(name: str) -> None:
    module, x = Loop(ALL[name]), torch.randn(T, B, I, dtype=torch.float64)
    twin = layer(ALL[name])
    twin.load_state_dict({f"{k}_l0": v for k, v in module.cell.state_dict().items()})
    flow, other = (unrolled.gradient_flow(each, x) for each in (module, twin))
    torch.testing.assert_close(flow.jacobian("cell", 6, 0, 2), other.jacobian("l0", 6, 0, row=2))


def test_stacked_layers_and_both_directions() -> None:
    module = layer(CELLS["lstm"], num_layers=2, bidirectional=True)
    x = torch.randn(T, B, I, dtype=torch.float64)
    flow = unrolled.gradient_flow(module, x)
    with unrolled.record(module, "*.[hcx]") as recording:
        module(x)
    for place, suffix in (("l0", "_l0"), ("l1", "_l1"), ("l1_reverse", "_l1_reverse")):
        read = recording[f"{place}.x"].detach()
        states = torch.cat([recording[f"{place}.{s}"] for s in "hc"], -1).detach()
        reverse = place.endswith("reverse")
        later, earlier = (1, 4) if reverse else (4, 1)
        steps = read[1:4].flip(0) if reverse else read[2:5]
        expected = reference(CELLS["lstm"], module, steps[:, 1], states[earlier, 1], suffix)
        torch.testing.assert_close(flow.jacobian(place, later, earlier, row=1), expected)


def test_packed_and_batch_first_input() -> None:
    torch.manual_seed(3)
    module, x = layer(CELLS["gru"], bidirectional=True), torch.randn(T, B, I, dtype=torch.float64)
    lengths = [4, 7, 2]
    whole = unrolled.gradient_flow(module, x)
    packed = pack_padded_sequence(x, lengths, enforce_sorted=False)
    ragged = unrolled.gradient_flow(module, packed)
    torch.testing.assert_close(whole.jacobian("l0", 3, 1), ragged.jacobian("l0", 3, 1))
    for row in range(B):
        alone = unrolled.gradient_flow(module, x[: lengths[row], row : row + 1])
        torch.testing.assert_close(
            alone.jacobian("l0_reverse", 0, lengths[row] - 1),
            ragged.jacobian("l0_reverse", 0, lengths[row] - 1, row),
        )
    module.batch_first = True
    other = unrolled.gradient_flow(module, x.transpose(0, 1))
    torch.testing.assert_close(whole.jacobian("l0", 6, 2, 1), other.jacobian("l0", 6, 2, 1))


def test_one_step_of_another_and_of_itself() -> None:
    module, x = layer(CELLS["lstm"]), torch.randn(T, B, I, dtype=torch.float64)
    flow = unrolled.gradient_flow(module, x)
    torch.testing.assert_close(flow.jacobian("l0", 3, 3), torch.eye(2 * H, dtype=torch.float64))
    product = flow.jacobian("l0", 5, 4) @ flow.jacobian("l0", 4, 2)
    torch.testing.assert_close(flow.jacobian("l0", 5, 2), product)


def test_weights_that_change_later_change_nothing() -> None:
    module, x = layer(CELLS["lstm"]), torch.randn(T, B, I, dtype=torch.float64)
    flow = unrolled.gradient_flow(module, x)
    before = flow.jacobian("l0", 5, 2)
    with torch.no_grad():
        module.weight_hh_l0.mul_(3)
    torch.testing.assert_close(flow.jacobian("l0", 5, 2), before)


class Chunked(nn.Module):
    """A model that calls its layer again and again."""

    def __init__(self, change: bool) -> None:
        super().__init__()
        self.lstm = layer(CELLS["lstm"])
        self.change = change

    def forward(self, x: Tensor) -> Tensor:
        outputs, states = [], None
        for chunk in x.split(3):
            output, states = self.lstm(chunk, states)
            if self.change:
                states = tuple(0.5 * state for state in states)
            outputs.append(output)
        return torch.cat(outputs)


def test_calls_that_go_on_from_each_other() -> None:
    module, x = Chunked(False), torch.randn(T, B, I, dtype=torch.float64)
    flow, whole = unrolled.gradient_flow(module, x), unrolled.gradient_flow(module.lstm, x)
    torch.testing.assert_close(flow.norms["lstm.l0"], whole.norms["l0"])
    torch.testing.assert_close(flow.jacobian("lstm.l0", 6, 1, 2), whole.jacobian("l0", 6, 1, 2))
    torch.testing.assert_close(flow.distance("lstm.l0"), whole.distance("l0"))


def test_states_that_the_model_changes_stop_the_product() -> None:
    flow = unrolled.gradient_flow(Chunked(True), torch.randn(T, B, I, dtype=torch.float64))
    with pytest.raises(ValueError, match=r"lstm.l0: the states given to step 3 are not those"):
        flow.jacobian("lstm.l0", 6, 1)
    assert flow.jacobian("lstm.l0", 5, 3).shape == (2 * H, 2 * H)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("l0", 7, 1), "later should be a step from 0 to 6, got 7"),
        (("l0", 3, -1), "earlier should be a step from 0 to 6, got -1"),
        (("l0", 1, 3), "step 1 is taken before step 3: exchange"),
        (("l0_reverse", 3, 1), "the last step to the first"),
        (("l0", 3, 1, 3), "row should be from 0 to 2, got 3"),
        (("l0", 3, 1.0), "earlier should be a step"),
        (("l1", 3, 1), "no layer is called 'l1'; did you mean l0"),
    ],
)
def test_steps_rows_and_layers_that_there_are_not(arguments: Any, message: str) -> None:
    module = layer(CELLS["gru"], bidirectional=True)
    flow = unrolled.gradient_flow(module, torch.randn(T, B, I, dtype=torch.float64))
    with pytest.raises(ValueError, match=message):
        flow.jacobian(*arguments)


def test_steps_beyond_a_rows_end() -> None:
    packed = pack_padded_sequence(torch.randn(T, B, I, dtype=torch.float64), [7, 4, 2])
    flow = unrolled.gradient_flow(layer(CELLS["gru"]), packed)
    with pytest.raises(ValueError, match="later should be a step of row 1 from 0 to 3, got 5"):
        flow.jacobian("l0", 5, 1, row=1)


def test_spectra_and_distance() -> None:
    module, x = layer(CELLS["lstm"]), torch.randn(T, B, I, dtype=torch.float64)
    flow = unrolled.gradient_flow(module, x)
    spectra = flow.spectra("l0", row=1)
    assert spectra.shape == (T, 2 * H)
    torch.testing.assert_close(spectra[4], torch.linalg.svdvals(flow.jacobian("l0", 4, 3, 1)))
    for ord in ("fro", 2):
        curve = flow.distance("l0", later=5, row=1, ord=ord)
        blocks = [flow.jacobian("l0", 5, 5 - k, 1)[:H, :H] for k in range(6)]
        expected = torch.stack([torch.linalg.matrix_norm(block, ord) for block in blocks])
        torch.testing.assert_close(curve, expected)
    with pytest.raises(ValueError, match="ord should be 'fro' or 2, got 1"):
        flow.distance("l0", ord=1)
