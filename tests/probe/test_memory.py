"""Memory by gates, by gradient and by leaving inputs out, against plain loops."""

import math
from typing import Any

import pytest
import torch
from torch.autograd.functional import jacobian
from torch.nn.utils.rnn import pack_padded_sequence

import unrolled
from unrolled.cells import CELLS

from .subjects import B, H, I, Loop, T, layer


def flow(name: str, x: torch.Tensor, **options: Any) -> tuple[Any, Any]:
    module = layer(CELLS[name], **options)
    return module, unrolled.gradient_flow(module, x)


@pytest.mark.parametrize("name", ["lstm", "gru", "rnn_relu", "slstm"])
def test_influence_is_gradient_times_input(name: str) -> None:
    x = torch.randn(T, B, I, dtype=torch.float64)
    module, found = flow(name, x)
    found = found.influence("l0", row=1)
    whole: Any = jacobian(lambda row: module(row)[0], x[:, 1])  # (T, H, T, I)
    expected = torch.einsum("thsi,si->tsh", whole, x[:, 1]).norm(dim=-1)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("by", ["zero", "mean"])
def test_ablation_is_a_run_without_the_input(by: str) -> None:
    x = torch.randn(T, B, I, dtype=torch.float64)
    module, found = flow("lstm", x, bidirectional=True)
    for place, part in (("l0", slice(0, H)), ("l0_reverse", slice(H, None))):
        whole = module(x[:, 2])[0][:, part]
        for left_out in range(T):
            changed = x[:, 2].clone()
            changed[left_out] = x[:, 2].mean(0) if by == "mean" else 0
            expected = (module(changed)[0][:, part] - whole).norm(dim=-1)
            torch.testing.assert_close(
                found.ablation(place, row=2, by=by)[:, left_out], expected.detach()
            )


def test_what_is_yet_to_come_has_no_influence() -> None:
    x = torch.randn(T, B, I, dtype=torch.float64)
    _, found = flow("gru", x, bidirectional=True)
    for matrix in (found.influence, found.ablation):
        assert not matrix("l0").triu(1).any()
        assert not matrix("l0_reverse").tril(-1).any()


def test_ragged_rows_and_loops() -> None:
    x = torch.randn(T, B, I, dtype=torch.float64)
    module, _ = flow("lstm", x)
    ragged = unrolled.gradient_flow(module, pack_padded_sequence(x, [7, 5, 3]))
    alone = unrolled.gradient_flow(module, x[:5, 1:2])
    for name in ("influence", "ablation"):
        found = getattr(ragged, name)("l0", row=1)
        torch.testing.assert_close(found[:5, :5], getattr(alone, name)("l0"))
        assert not found[5:].any()
    loop = Loop(CELLS["lstm"])
    loop.cell.load_state_dict({k.removesuffix("_l0"): v for k, v in module.state_dict().items()})
    whole = unrolled.gradient_flow(module, x).ablation("l0")
    torch.testing.assert_close(unrolled.gradient_flow(loop, x).ablation("cell"), whole)


def test_lengths_by_the_forget_gate() -> None:
    x = torch.randn(40, B, I, dtype=torch.float64)
    module, found = flow("lstm", x)
    with unrolled.record(module, "*.f") as recording:
        module(x)
    f = recording["l0.f"].detach().flatten(0, 1)
    memory = found.memory("l0")
    assert (memory.state, memory.factor, memory.steps) == ("c", "f", 39)
    torch.testing.assert_close(memory.lengths, 1 / (1 - f.mean(0)))
    torch.testing.assert_close(memory.half_lives, math.log(2) / -f.log().mean(0))


def test_the_measured_length_is_where_the_gradient_has_faded() -> None:
    x = torch.randn(40, B, I, dtype=torch.float64)
    _, found = flow("gru", x)
    memory = found.memory("l0", row=1, fraction=0.05)
    rows = [found.jacobian("l0", 39, 39 - k, row=1)[:H].norm().item() for k in range(40)]
    assert memory.measured == next(k for k in range(2, 40) if rows[k] < 0.05 * rows[1])
    simple = flow("rnn_tanh", x)[1].memory("l0")
    assert (simple.factor, simple.lengths, simple.half_lives) == (None, None, None)
    never = flow("lstm_1997", x)[1].memory("l0", fraction=1e-9)
    assert never.measured is None
    assert bool(never.lengths.isinf().all())


def test_options_that_cannot_be() -> None:
    _, found = flow("gru", torch.randn(T, B, I, dtype=torch.float64))
    with pytest.raises(ValueError, match="by should be 'zero' or 'mean', got 'noise'"):
        found.ablation("l0", by="noise")
    with pytest.raises(ValueError, match="fraction should be between 0 and 1, got 2"):
        found.memory("l0", fraction=2)
    with pytest.raises(ValueError, match="row should be from 0 to 2, got 5"):
        found.influence("l0", row=5)
