"""Paths through a step, and the terms of the cell state, against autograd and the formulas."""

import pytest
import torch
from torch.autograd.functional import jacobian

import unrolled
from unrolled.cells import CELLS
from unrolled.probe.paths import carrier, coefficient, written

from .subjects import ALL, B, H, I, T, layer


@pytest.mark.parametrize("name", ALL)
def test_contributions_add_up_to_the_jacobian(name: str) -> None:
    x = torch.randn(T, B, I, dtype=torch.float64)
    flow = unrolled.gradient_flow(layer(ALL[name]), x)
    shares = flow.contributions("l0", 4, row=1)
    total = torch.stack(list(shares.values())).sum(0)
    torch.testing.assert_close(total, flow.jacobian("l0", 4, 3, row=1))


@pytest.mark.parametrize("name", ALL)
def test_terms_add_up_to_the_exact_derivative(name: str) -> None:
    x = torch.randn(T, B, I, dtype=torch.float64)
    flow = unrolled.gradient_flow(layer(ALL[name]), x)
    for later, earlier in ((4, 3), (6, 2)):
        terms = flow.terms("l0", later, earlier, row=2)
        total = torch.stack(list(terms.shares.values())).sum(0)
        torch.testing.assert_close(total, terms.exact)
        if len(ALL[name].states) == 1:  # nothing goes around the only state
            torch.testing.assert_close(terms.exact, flow.jacobian("l0", later, earlier, row=2))
            torch.testing.assert_close(terms.popular, terms.exact)


def _by_hand(layer: unrolled.Recurrent, x: torch.Tensor, earlier: int, later: int):
    """An LSTM in plain PyTorch: everything of every step, and dc_later/dc_earlier by autograd."""
    W, U = layer.weight_ih_l0.detach(), layer.weight_hh_l0.detach()
    b = (layer.bias_ih_l0 + layer.bias_hh_l0).detach()

    def gates(t, h):
        i, f, g, o = (W @ x[t] + U @ h + b).chunk(4)
        return i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()

    h = c = torch.zeros(H, dtype=torch.float64)
    steps = []
    for t in range(len(x)):
        i, f, g, o = gates(t, h)
        c = f * c + i * g
        h = o * c.tanh()
        steps.append((i, f, g, o, c))

    def rest(c):
        h = steps[earlier][3] * c.tanh()  # o of that step does not depend on c
        for t in range(earlier + 1, later + 1):
            i, f, g, o = gates(t, h)
            c = f * c + i * g
            h = o * c.tanh()
        return c

    return steps, jacobian(rest, steps[earlier][4]), U.chunk(4)


def test_terms_of_the_lstm_are_those_of_the_formula() -> None:
    module, x = layer(CELLS["lstm"]), torch.randn(T, B, I, dtype=torch.float64)
    steps, exact, (U_i, U_f, U_g, _) = _by_hand(module, x[:, 1], 3, 4)
    _, _, _, o, before = steps[3]
    i, f, g, _, _ = steps[4]
    D = torch.diag(o * (1 - before.tanh() ** 2))
    terms = unrolled.gradient_flow(module, x).terms("l0", 4, 3, row=1)
    assert terms.state == "c"
    expected = {
        "direct": torch.diag(f),
        "f": torch.diag(before * f * (1 - f)) @ U_f @ D,
        "i": torch.diag(g * i * (1 - i)) @ U_i @ D,
        "g": torch.diag(i * (1 - g * g)) @ U_g @ D,
    }
    for name, value in expected.items():
        torch.testing.assert_close(terms.shares[name], value)
    for name in ("o", "around"):
        assert not terms.shares[name].any()
    torch.testing.assert_close(terms.exact, exact)
    torch.testing.assert_close(terms.popular, exact)
    torch.testing.assert_close(terms.gates, torch.diag(f))


def test_the_popular_product_leaves_the_output_gate_out() -> None:
    module, x = layer(CELLS["lstm"]), torch.randn(T, B, I, dtype=torch.float64)
    _, exact, _ = _by_hand(module, x[:, 0], 2, 6)
    flow = unrolled.gradient_flow(module, x)
    terms = flow.terms("l0", 6, 2)
    torch.testing.assert_close(terms.exact, exact)
    singles = [flow.terms("l0", t, t - 1).exact for t in (6, 5, 4, 3)]
    torch.testing.assert_close(terms.popular, torch.linalg.multi_dot(singles))
    assert 0.001 < terms.popular_error < 0.3 < terms.gates_error
    assert terms.shares["around"].any()


@pytest.mark.parametrize(
    ("name", "state", "factor"),
    [
        ("lstm", "c", "f"),
        ("lstm_1997", "c", "1"),
        ("lstm_coupled", "c", "f"),
        ("lstm_projected", "c", "f"),
        ("gru", "h", "z"),
        ("mgu", "h", "1 - f"),
        ("janet", "h", "sigmoid(s)"),
        ("min_gru", "h", "1 - z"),
        ("slstm", "c", "f"),
        ("rnn_tanh", "h", None),
        ("lstm_peephole", "c", "g * (i * (1 - i)) * p_i + f + c * (f * (1 - f)) * p_f"),
    ],
)
def test_what_multiplies_the_memory(name: str, state: str, factor: str | None) -> None:
    graph = CELLS[name].graph
    assert carrier(graph) == state
    found = coefficient(graph, state)
    assert (None if found is None else written(graph, found)) == factor


def test_terms_need_a_state_and_a_step() -> None:
    flow = unrolled.gradient_flow(layer(CELLS["lstm"]), torch.randn(T, B, I, dtype=torch.float64))
    with pytest.raises(ValueError, match="state should be one of h, c, got 'z'"):
        flow.terms("l0", 4, 3, state="z")
    with pytest.raises(ValueError, match="terms need an earlier step before step 4"):
        flow.terms("l0", 4, 4)
    with pytest.raises(ValueError, match="step should be a step from 0 to 6, got 7"):
        flow.contributions("l0", 7)
    assert flow.contributions("l0", 0)["direct"].shape == (2 * H, 2 * H)


def test_edits_are_part_of_what_is_differentiated() -> None:
    module, x = layer(CELLS["lstm"]), torch.randn(T, B, I, dtype=torch.float64)
    with unrolled.edit(module, {"l0.f": 0.25}):
        flow = unrolled.gradient_flow(module, x)
    shares = flow.contributions("l0", 4)
    assert not shares["f"].any()
    torch.testing.assert_close(shares["direct"][H:, H:], 0.25 * torch.eye(H, dtype=torch.float64))
    total = torch.stack(list(shares.values())).sum(0)
    torch.testing.assert_close(total, flow.jacobian("l0", 4, 3))
    with (
        unrolled.edit(module, {"l0.f": lambda f: f * f}),
        pytest.raises(RuntimeError, match="l0: an edit by a function is in force"),
    ):
        unrolled.gradient_flow(module, x)
