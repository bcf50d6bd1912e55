"""Steps that share their weights: the gradients are those of steps that stand alone."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from tests.replays import replayed
from torch import Tensor
from torch.utils.checkpoint import checkpoint

import unrolled
from unrolled.kernels.autograd import collector
from unrolled.kernels.autograd.collector import Anchor
from unrolled.kernels.runtime.torch_state import eager_only

B, I, H = 3, 5, 6  # noqa: E741


def cell(kind: str) -> Any:
    if kind == "layer":
        return unrolled.LSTM(I, H, dtype=torch.float64)
    if hasattr(unrolled, kind):
        return getattr(unrolled, kind)(I, H, dtype=torch.float64)
    return unrolled.RecurrentCell(unrolled.cells.CELLS[kind], I, H, dtype=torch.float64)


KINDS = ["LSTMCell", "GRUCell", "RNNCell", "layer", "lstm_peephole", "indrnn", "gru_reset_before"]


@pytest.fixture(params=KINDS)
def module(request: pytest.FixtureRequest) -> Any:
    """One whose steps are like earlier ones."""
    found = cell(request.param)
    for batch in (B, B + 2):
        for _ in range(2):
            loop(found, batch=batch)
            loop(found, batch=batch, x=torch.zeros(1, batch, I, dtype=torch.float64), grad=True)
    return found


def loop(
    module: Any, steps: int = 4, batch: int = B, x: Tensor | None = None, grad: bool = False
) -> tuple[Tensor, Any]:
    """Steps of a loop: the sum of all outputs, and the last states."""
    if x is None:
        x = torch.randn(steps, batch, I, dtype=torch.float64)
    if grad:
        x = x.requires_grad_()
    batch, is_layer = x.shape[1], isinstance(module, unrolled.LSTM)
    lead = (1,) if is_layer else ()
    states = [torch.zeros(*lead, batch, H, dtype=torch.float64) for _ in module.graph.states]
    hx: Any = tuple(states) if len(states) > 1 else states[0]
    total = torch.zeros((), dtype=torch.float64)
    for step in x:
        if is_layer:
            output, hx = module(step.unsqueeze(0), hx)
        else:
            hx = module(step, hx)
            output = hx[0] if isinstance(hx, tuple) else hx
        total = total + output.sin().sum()
    return total, hx


def gradients(module: Any, compute: Callable[[], Tensor]) -> list[Tensor]:
    module.zero_grad()
    compute().backward()
    return [parameter.grad.clone() for parameter in module.parameters()]


def same(module: Any, compute: Callable[[], Tensor]) -> None:
    """The gradients are those of the definition."""
    found = gradients(module, compute)
    with eager_only():
        expected = gradients(module, compute)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


def test_a_loop(module: Any) -> None:
    x = torch.randn(7, B, I, dtype=torch.float64)
    assert replayed(lambda: loop(module, x=x))
    same(module, lambda: loop(module, x=x)[0])


def test_steps_of_several_batch_sizes(module: Any) -> None:
    one, two = (torch.randn(4, batch, I, dtype=torch.float64) for batch in (B, B + 2))
    same(module, lambda: loop(module, x=one)[0] + 2 * loop(module, x=two)[0])


def test_more_rows_than_are_collected(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector, "MOST_ROWS", 3 * B)
    x = torch.randn(8, B, I, dtype=torch.float64)
    same(module, lambda: loop(module, x=x)[0])


def test_gradients_of_inputs_and_of_some_weights(module: Any) -> None:
    x = torch.randn(4, B, I, dtype=torch.float64)
    first, *_, last = module.parameters()

    def found() -> list[Tensor]:
        total = loop(module, x=x, grad=True)[0]
        (alone,) = torch.autograd.grad(total, x, retain_graph=True)
        some = torch.autograd.grad(total, [last, x], retain_graph=True)
        return [alone, *some, *torch.autograd.grad(total, [first])]

    mine = found()
    with eager_only():
        expected = found()
    for a, b in zip(mine, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


def test_the_same_graph_twice(module: Any) -> None:
    x = torch.randn(4, B, I, dtype=torch.float64)
    once = gradients(module, lambda: loop(module, x=x)[0])
    total = loop(module, x=x)[0]
    module.zero_grad()
    total.backward(retain_graph=True)
    total.backward()
    for parameter, gradient in zip(module.parameters(), once, strict=True):
        torch.testing.assert_close(parameter.grad, 2 * gradient)


def test_a_pass_for_each_step(module: Any) -> None:
    """Truncated: the states go on without their graph, and the earlier graph is kept."""

    def total() -> Tensor:
        torch.manual_seed(0)
        whole, kept = torch.zeros((), dtype=torch.float64), []
        for _ in range(3):
            part, _ = loop(module)
            part.backward(retain_graph=True)
            kept.append(part)
            whole = whole + part.detach()
        return loop(module)[0]

    same(module, total)


def test_an_error_on_the_way_back_leaves_nothing_behind(module: Any) -> None:
    x = torch.randn(4, B, I, dtype=torch.float64, requires_grad=True)
    total, _ = loop(module, x=x)

    def fail(_: Tensor) -> None:
        raise ZeroDivisionError

    handle = x.register_hook(fail)
    with pytest.raises(ZeroDivisionError):
        total.backward(retain_graph=True)
    handle.remove()
    module.zero_grad()
    total.backward()
    found = [parameter.grad.clone() for parameter in module.parameters()]
    expected = gradients(module, lambda: loop(module, x=x)[0])
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b)


def test_gradients_of_gradients_and_many_at_once(module: Any) -> None:
    x = torch.randn(3, B, I, dtype=torch.float64)
    weights = list(module.parameters())

    def found() -> list[Tensor]:
        total = loop(module, x=x)[0]
        first = torch.autograd.grad(total, weights, create_graph=True)
        second = torch.autograd.grad(sum(g.square().sum() for g in first), weights)
        several = torch.tensor([1.0, 2.0], dtype=torch.float64)
        total = loop(module, x=x)[0]
        many = torch.autograd.grad(total, weights, several, is_grads_batched=True)
        return [*first, *second, *many]

    mine = found()
    with eager_only():
        expected = found()
    for a, b in zip(mine, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-10)


def test_a_weight_that_changes_before_the_backward_pass(module: Any) -> None:
    total, _ = loop(module)
    with torch.no_grad():
        next(module.parameters()).mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        total.backward()
    x = torch.randn(4, B, I, dtype=torch.float64)
    same(module, lambda: loop(module, x=x)[0])


def test_weights_that_are_fixed(module: Any) -> None:
    x = torch.randn(4, B, I, dtype=torch.float64)
    fixed, *others = module.parameters()
    fixed.requires_grad_(False)
    for _ in range(3):
        module.zero_grad()
        loop(module, x=x)[0].backward()
    assert fixed.grad is None
    found = [other.grad.clone() for other in others]
    with eager_only():
        module.zero_grad()
        loop(module, x=x)[0].backward()
    for other, gradient in zip(others, found, strict=True):
        torch.testing.assert_close(other.grad, gradient, rtol=1e-10, atol=1e-12)


def test_hooks_see_one_gradient(module: Any) -> None:
    seen: list[Tensor] = []
    weight = next(module.parameters())
    handle = weight.register_hook(lambda g: seen.append(g) or 2 * g)
    x = torch.randn(4, B, I, dtype=torch.float64)
    found, *_ = gradients(module, lambda: loop(module, x=x)[0])
    handle.remove()
    assert len(seen) == 1
    torch.testing.assert_close(found, 2 * seen[0])


@pytest.mark.parametrize("reentrant", [False, True])
def test_under_checkpoints(module: Any, reentrant: bool) -> None:
    x = torch.randn(4, B, I, dtype=torch.float64, requires_grad=True)

    def outer() -> Tensor:
        first, _ = loop(module, x=x)
        second = checkpoint(lambda x: loop(module, x=x)[0], x, use_reentrant=reentrant)
        return first + second

    same(module, outer)


def test_threads_that_share_a_module(module: Any) -> None:
    x = torch.randn(6, B, I, dtype=torch.float64)
    (expected,) = torch.autograd.grad(loop(module, x=x)[0], [next(module.parameters())])
    wrong: list[Any] = []

    def work() -> None:
        for _ in range(5):
            total, _ = loop(module, x=x)
            (found,) = torch.autograd.grad(total, [next(module.parameters())])
            if not torch.allclose(found, expected):
                wrong.append(found)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_nothing_outlives_the_graph(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[weakref.ref[Anchor]] = []
    init = Anchor.__init__

    def watched(self: Anchor, *given: Any) -> None:
        init(self, *given)
        made.append(weakref.ref(self))

    monkeypatch.setattr(Anchor, "__init__", watched)
    gc.disable()
    try:
        total, hx = loop(module)
        assert 1 <= len(made) <= 2  # of the first step, whose states have no graph, and the others
        total.backward()
        del total, hx
        assert all(anchor() is None for anchor in made)
    finally:
        gc.enable()


def test_inputs_that_a_hook_changes_on_the_way_back() -> None:
    """As an optimizer inside of the backward pass does: products are made after it."""

    def update(parameter: Tensor) -> None:
        parameter.data.sub_(parameter.grad)

    def found(kind: Any) -> list[Tensor]:
        torch.manual_seed(0)
        module, xs = kind(I, H, dtype=torch.float64), []
        for _ in range(4):
            x = torch.nn.Parameter(torch.randn(B, I, dtype=torch.float64))
            x.register_post_accumulate_grad_hook(update)
            xs.append(x)
        for _ in range(3):
            state = [torch.zeros(B, H, dtype=torch.float64)] * 2
            module.zero_grad()
            for x in xs:
                x.grad, state = None, module(x, tuple(state))
            state[0].sum().backward()
        return [weight.grad for weight in module.parameters()]

    for ours, theirs in zip(found(unrolled.LSTMCell), found(torch.nn.LSTMCell), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.fixture
def products(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many steps each product was made of."""
    counts: list[int] = []
    made = collector.WeightProducts.of_steps

    def counted(self: Any, steps: Any, total: int) -> Any:
        counts.append(len(steps))
        return made(self, steps, total)

    monkeypatch.setattr(collector.WeightProducts, "of_steps", counted)
    return counts


def test_steps_of_fewer_and_fewer_rows_share_one_product(products: list[int]) -> None:
    """As of sequences that end; few rows and many are of kernels of different kinds."""
    module = unrolled.LSTMCell(I, H, dtype=torch.float64)
    x = torch.randn(20, I, dtype=torch.float64)

    def shrinking() -> Tensor:
        h = c = torch.zeros(20, H, dtype=torch.float64)
        total = torch.zeros((), dtype=torch.float64)
        for rows in range(20, 0, -3):
            h, c = module(x[:rows], (h[:rows], c[:rows]))
            total = total + h.sin().sum()
        return total

    for _ in range(3):
        shrinking().backward()
    products.clear()
    same(module, shrinking)
    assert products == [7]


def test_weights_that_are_computed_once(products: list[int]) -> None:
    module = unrolled.LSTMCell(I, H, dtype=torch.float64)
    torch.nn.utils.parametrizations.weight_norm(module, "weight_hh")
    x = torch.randn(5, B, I, dtype=torch.float64)

    def run() -> Tensor:
        with torch.nn.utils.parametrize.cached():
            return loop(module, x=x)[0]

    for _ in range(3):
        run().backward()
    products.clear()
    same(module, run)
    assert products == [5]
