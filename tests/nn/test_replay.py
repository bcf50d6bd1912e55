"""Calls that are like earlier ones give what those would give."""

import copy
import multiprocessing
import pickle
from typing import Any

import pytest
import torch
from tests.replays import prepared, replayed
from torch import Tensor
from torch.utils.checkpoint import checkpoint

import unrolled
from pairs import pairwise
from unrolled.kernels.runtime import code
from unrolled.kernels.runtime.torch_state import eager_only

OPTIONS: list[dict[str, Any]] = [
    {},
    {"num_layers": 2},
    {"bidirectional": True},
    {"num_layers": 2, "bidirectional": True, "batch_first": True},
    {"bias": False},
]


def flat(result: Any) -> list[Tensor]:
    output, states = result
    return [output, *(states if isinstance(states, tuple) else (states,))]


def close(found: list[Tensor], expected: list[Tensor]) -> None:
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


def made(kind: str, options: dict[str, Any]) -> unrolled.Recurrent:
    return getattr(unrolled, kind)(4, 5, dtype=torch.float64, **options)


def states(layer: Any, batch: int) -> Any:
    count = layer.num_layers * (2 if layer.bidirectional else 1)
    found = tuple(torch.randn(count, batch, 5, dtype=torch.float64) for _ in layer.graph.states)
    return found if len(found) > 1 else found[0]


@pytest.mark.parametrize(
    ("options", "kind", "steps"), pairwise(OPTIONS, ["RNN", "GRU", "LSTM"], [1, 2, 5]), ids=str
)
def test_without_a_graph(options: dict[str, Any], kind: str, steps: int) -> None:
    layer = made(kind, options).requires_grad_(False)
    shape = (3, steps, 4) if layer.batch_first else (steps, 3, 4)
    for given in (False, True):
        for _ in range(3):
            x = torch.randn(shape, dtype=torch.float64)
            hx = states(layer, 3) if given else None
            found = flat(layer(x, hx))
            with eager_only():
                expected = flat(layer(x, hx))
            close(found, expected)
        assert replayed(lambda x=x, hx=hx: layer(x, hx))
    assert not any(one.trains for one in prepared(layer))


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_on_the_graph(kind: str, options: dict[str, Any]) -> None:
    layer = made(kind, options)
    shape = (3, 6, 4) if layer.batch_first else (6, 3, 4)
    for _ in range(3):
        x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
        hx = states(layer, 3)
        leaves = [x, *(hx if isinstance(hx, tuple) else (hx,)), *layer.parameters()]
        for leaf in leaves:
            leaf.requires_grad_()

        def gradients(x: Tensor = x, hx: Any = hx, leaves: Any = leaves) -> list[Tensor]:
            results = flat(layer(x, hx))
            total = torch.stack([result.sin().sum() for result in results]).sum()
            return [*results, *torch.autograd.grad(total, leaves)]

        found = gradients()
        close(gradients(), found)
        with eager_only():
            close(found, gradients())
    assert replayed(gradients)
    assert all(one.trains for one in prepared(layer))


@pytest.mark.broad
@pytest.mark.parametrize("shape", [(40, 1, 32), (40, 1, 60), (40, 3, 32), (9, 30, 32)], ids=str)
def test_directions_at_once(shape: tuple[int, int, int]) -> None:
    """Where that is faster: with few rows."""
    torch.set_num_threads(2)
    steps, rows, units = shape
    layer = unrolled.LSTM(8, units, 2, bidirectional=True, dtype=torch.float64)
    layer.requires_grad_(False)
    x = torch.randn(steps, rows, 8, dtype=torch.float64)
    for hx in (None, tuple(torch.randn(4, rows, units, dtype=torch.float64) for _ in range(2))):
        with eager_only():
            expected = flat(layer(x, hx))
        for _ in range(3):
            close(flat(layer(x, hx)), expected)
    assert all((one.alone is None) == (rows == 30) for one in prepared(layer))


def both_ways(kind: str, rows: int) -> tuple[Any, Tensor, list[Tensor]]:
    """A layer of two directions, an input, and all whose gradients can be asked for."""
    torch.set_num_threads(2)
    layer = getattr(unrolled, kind)(8, 32, 2, bidirectional=True, dtype=torch.float64)
    x = torch.randn(120, rows, 8, dtype=torch.float64, requires_grad=True)
    return layer, x, [x, *layer.parameters()]


@pytest.mark.broad
@pytest.mark.parametrize("rows", [1, 3, 30])
@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_directions_at_once_on_the_graph(kind: str, rows: int) -> None:
    layer, x, leaves = both_ways(kind, rows)

    def gradients() -> list[Tensor]:
        results = flat(layer(x))
        total = torch.stack([result.sin().sum() for result in results]).sum()
        return [*results, *torch.autograd.grad(total, leaves)]

    with eager_only():
        expected = gradients()
    for _ in range(3):
        close(gradients(), expected)
    assert [one.alone is not None for one in prepared(layer)] == [rows < 30] * 4


@pytest.mark.broad
@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_one_of_two_directions_is_asked_for(place: int) -> None:
    """The last states of one layer in one direction, and where a direction is fixed."""
    layer, x, leaves = both_ways("LSTM", 1)

    def gradients() -> list[Tensor | None]:
        _, (_, c) = layer(x)
        asked = [leaf for leaf in leaves if leaf.requires_grad]
        return list(torch.autograd.grad(c[place].sum(), asked, allow_unused=True))

    for fixed in (False, True):
        if fixed:
            for name, parameter in layer.named_parameters():
                parameter.requires_grad_(not name.endswith("_reverse"))
        with eager_only():
            expected = gradients()
        for _ in range(3):
            for a, b in zip(gradients(), expected, strict=True):
                zero = torch.zeros((), dtype=torch.float64)
                close([zero if a is None else a], [zero if b is None else b.expand_as(a)])


@pytest.mark.broad
def test_directions_at_once_are_differentiated_twice_and_in_batches() -> None:
    layer, x, _ = both_ways("GRU", 1)

    def second() -> list[Tensor]:
        (first,) = torch.autograd.grad(layer(x)[0].sin().sum(), x, create_graph=True)
        return list(torch.autograd.grad(first.square().sum(), [x, layer.weight_hh_l0_reverse]))

    def batched() -> list[Tensor]:
        output = layer(x)[0]
        each = torch.stack([torch.ones_like(output), 2 * torch.ones_like(output)])
        return list(torch.autograd.grad(output, x, each, is_grads_batched=True))

    for derivative in (second, batched):
        with eager_only():
            expected = derivative()
        for _ in range(2):
            close(derivative(), expected)
    assert all(one.alone is not None for one in prepared(layer))


@pytest.mark.broad
@pytest.mark.parametrize("fixed", [False, True])
def test_directions_at_once_under_checkpoints(fixed: bool) -> None:
    """What the first call saves, and the later ones, is the same; a fixed direction saves none."""
    layer, x, _ = both_ways("GRU", 1)
    if fixed:
        x = x.detach()
        for name, parameter in layer.named_parameters():
            parameter.requires_grad_(not name.endswith("_reverse"))

    def gradients(create: bool) -> list[Tensor]:
        output = checkpoint(lambda a: layer(a)[0], x, use_reentrant=False)
        total = output.sin().sum()
        return list(torch.autograd.grad(total, [layer.weight_hh_l0], create_graph=create))

    with eager_only():
        expected = gradients(False)
    for create in (False, False, True):
        close([each.detach() for each in gradients(create)], expected)


def test_copies_have_their_own_weights() -> None:
    layer = made("LSTM", {}).requires_grad_(False)
    x = torch.randn(6, 3, 4, dtype=torch.float64)
    for _ in range(3):
        expected = layer(x)[0]
    other = copy.deepcopy(layer)
    third = pickle.loads(pickle.dumps(layer))
    assert prepared(layer)
    assert not prepared(third)
    other.weight_hh_l0.mul_(2)
    for _ in range(3):
        assert torch.equal(layer(x)[0], expected)
        assert torch.equal(third(x)[0], expected)
        assert not torch.equal(other(x)[0], expected)


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_steps(kind: str) -> None:
    cell = getattr(unrolled, f"{kind}Cell")(4, 5, dtype=torch.float64).requires_grad_(False)
    for _ in range(3):
        x = torch.randn(3, 4, dtype=torch.float64)
        given = tuple(torch.randn(3, 5, dtype=torch.float64) for _ in cell.graph.states)
        hx = given if len(given) > 1 else given[0]
        found = cell(x, hx)
        with eager_only():
            expected = cell(x, hx)
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    assert replayed(lambda: cell(x, hx))
    with pytest.raises(RuntimeError, match="inconsistent hidden_size"):
        cell(x, tuple(state[:, 1:] for state in given) if len(given) > 1 else given[0][:, 1:])
    with pytest.raises(ValueError, match="Expected hx to be"):
        cell(x, (*given, given[0]))


def test_inference_makes_no_kernel_of_training() -> None:
    layer = unrolled.LSTM(4, 59)  # a size that no other test has
    x = torch.randn(6, 3, 4)
    with torch.no_grad():
        for _ in range(4):
            layer(x)
    (one,) = prepared(layer)
    assert not one.trains
    assert not one.call.recurrence._training
    layer(x)[0].sum().backward()
    assert one.call.recurrence._training


def test_options_that_change_are_seen() -> None:
    layer = made("LSTM", {"num_layers": 2})
    x = torch.randn(3, 3, 4, dtype=torch.float64)
    with torch.no_grad():
        expected = layer(x)[0]
        layer(x)
        layer.dropout = 0.5
        assert not torch.equal(layer(x)[0], expected)
        layer.dropout = 0.0
        layer.batch_first = True
        turned = layer(x.transpose(0, 1))[0]
        torch.testing.assert_close(turned.transpose(0, 1), expected)
        with eager_only():
            other = layer(x)[0]
        for _ in range(2):
            torch.testing.assert_close(layer(x)[0], other, rtol=1e-12, atol=1e-12)


def test_every_write_to_a_parameter_is_seen() -> None:
    layer = made("LSTM", {})
    x = torch.randn(6, 3, 4, dtype=torch.float64)
    with torch.no_grad():
        before = layer(x)[0]
        layer(x)
        layer.weight_hh_l0.data.mul_(2)  # no version counter is bumped
        after = layer(x)[0]
        layer.weight_hh_l0 = torch.nn.Parameter(layer.weight_hh_l0 / 2)
        again = layer(x)[0]
    assert not torch.equal(before, after)
    assert torch.equal(before, again)


def test_results_are_the_callers_own() -> None:
    layer = made("GRU", {}).requires_grad_(False)
    for steps in (1, 4):
        x = torch.randn(steps, 3, 4, dtype=torch.float64)
        layer(x)
        output, last = layer(x)
        kept = output.clone(), last.clone()
        last.add_(1)
        assert torch.equal(output, kept[0])
        output.zero_()
        assert torch.equal(last, kept[1] + 1)
        assert torch.equal(layer(x)[0], kept[0])


def test_wrong_arguments_are_found_all_the_same() -> None:
    layer = made("LSTM", {}).requires_grad_(False)
    x = torch.randn(6, 3, 4, dtype=torch.float64)
    layer(x)
    layer(x)
    with pytest.raises(ValueError, match="dtype"):
        layer(x.float())
    with pytest.raises(RuntimeError, match="Expected hidden"):
        layer(x, (torch.zeros(1, 2, 5, dtype=torch.float64),) * 2)
    state = torch.zeros(1, 3, 5, dtype=torch.float64)
    layer(x, (state, state.clone()))
    for hx in (state, (state,), (state, state.clone(), state)):
        with pytest.raises(ValueError, match="tuple of 2 tensors"):
            layer(x, hx)


def test_states_in_a_list_are_as_good_as_in_a_tuple() -> None:
    layer = made("LSTM", {}).requires_grad_(False)
    x, hx = torch.randn(6, 3, 4, dtype=torch.float64), states(layer, 3)
    for _ in range(2):
        close(flat(layer(x, list(hx))), flat(layer(x, hx)))


def test_what_is_not_plain_takes_the_long_way() -> None:
    layer = made("LSTM", {})
    x = torch.randn(6, 3, 4, dtype=torch.float64)
    with torch.no_grad():
        expected = layer(x)[0]
        layer(x)
        torch.nn.utils.parametrizations.weight_norm(layer, "weight_hh_l0")
        torch.testing.assert_close(layer(x)[0], expected)
        torch.testing.assert_close(
            layer(x.transpose(0, 1).contiguous().transpose(0, 1))[0], expected
        )
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert layer.double()(x)[0].shape == expected.shape


def test_the_number_of_threads_may_change() -> None:
    layer = made("LSTM", {}).requires_grad_(False)
    x = torch.randn(6, 3, 4, dtype=torch.float64)
    expected = layer(x)[0]
    for threads in (2, 1, 3):
        torch.set_num_threads(threads)
        for _ in range(2):
            torch.testing.assert_close(layer(x)[0], expected, rtol=1e-12, atol=1e-12)


def _child(connection: Any, layer: Any, x: Tensor) -> None:
    connection.send(layer(x)[0].numpy())
    connection.close()


@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="processes cannot be copied here"
)
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_forked_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that is known takes threads that did not come along."""
    monkeypatch.setattr(code, "WORTH_A_THREAD", 1)
    torch.set_num_threads(2)
    layer = made("LSTM", {}).requires_grad_(False)
    x = torch.randn(6, 3, 4, dtype=torch.float64)
    layer(x)
    expected = layer(x)[0]
    context = multiprocessing.get_context("fork")
    mine, other = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(other, layer, x))
    process.start()
    try:
        assert mine.poll(20), "the process does not finish"
        assert torch.equal(torch.from_numpy(mine.recv()), expected)
    finally:
        process.kill()
