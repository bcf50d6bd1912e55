"""Outputs and states that callers detach or change in place, as with `torch.nn`."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

import unrolled
from unrolled.testing import eager_only

KINDS = ["RNN", "LSTM", "GRU"]
FORMS = ["batch first", "time first", "packed", "packed evenly"]
T, B, X, H = 5, 2, 3, 4


def zeroed(value: Tensor) -> None:
    value[..., 0] = 0


def masked(value: Tensor) -> None:
    value *= torch.arange(value.shape[-1], dtype=value.dtype)


ACTS: dict[str, Callable[[Tensor], Any]] = {
    "detach": Tensor.detach_,
    "mask": masked,
    "reset": zeroed,
    "zero": Tensor.zero_,
}


def tensors(results: Any) -> list[Tensor]:
    if isinstance(results, PackedSequence):
        return [results.data]
    return [results] if isinstance(results, Tensor) else [t for r in results for t in tensors(r)]


def outcome(module: nn.Module, x: Any, act: str, place: int) -> list[Tensor]:
    """Results changed in place, then the gradients."""
    module.zero_grad()
    found = tensors(module(x))
    ACTS[act](found[place])
    losses = [(t * torch.arange(t.numel()).view(t.shape).cos()).sum() for t in found]
    torch.stack(losses).sum().backward()
    return [
        *(t.detach() for t in found),
        *(p.grad for p in module.parameters() if p.grad is not None),
    ]


def twins(kind: str, **options: Any) -> tuple[nn.Module, nn.Module]:
    theirs = getattr(nn, kind)(X, H, dtype=torch.float64, **options)
    mine = getattr(unrolled, kind)(X, H, dtype=torch.float64, **options)
    mine.load_state_dict(theirs.state_dict())
    return theirs, mine


def same(mine: list[Tensor], theirs: list[Tensor]) -> None:
    for one, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True}])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", KINDS)
def test_acts_on_results(kind: str, form: str, options: dict[str, Any], act: str) -> None:
    first = form == "batch first"
    theirs, mine = twins(kind, batch_first=first, **options)
    x: Any = torch.randn(B, T, X, dtype=torch.float64)
    if form.startswith("packed"):
        lengths = [T, T] if form == "packed evenly" else [T, 2]
        x = pack_padded_sequence(x, lengths, batch_first=True)
    elif not first:
        x = x.transpose(0, 1)
    for place in range(3 if kind == "LSTM" else 2):
        if act == "detach" and place == 0 and tensors(theirs(x))[0]._is_view():
            tensors(mine(x))[0].detach_()  # which theirs refuses
            continue
        expected = outcome(theirs, x, act, place)
        for _ in range(3):  # the first call, the second, and one that is replayed
            same(outcome(mine, x, act, place), expected)
        with eager_only():
            same(outcome(mine, x, act, place), expected)


@pytest.mark.parametrize("first", [False, True])
def test_detached_in_place_without_gradients_and_with_lengths(first: bool) -> None:
    layer = unrolled.LSTM(X, H, batch_first=first)
    x = torch.randn(T, T, X)
    for _ in range(3):
        for value in tensors(layer(x, lengths=[5, 0, 3, 1, 2])):
            value.detach_().mul_(2)
        with torch.no_grad():
            for value in tensors(layer(x)):
                value.detach_().mul_(2)


@pytest.mark.parametrize("batched", [True, False])
def test_strides_are_those_of_torch(batched: bool) -> None:
    for kind in KINDS:
        for first in (False, True):
            theirs, mine = twins(kind, batch_first=first, num_layers=2, bidirectional=True)
            x = torch.randn(*(B, T, X) if batched else (T, X), dtype=torch.float64)
            expected = [t.stride() for t in tensors(theirs(x))]
            for _ in range(3):
                assert [t.stride() for t in tensors(mine(x))] == expected


def test_states_carried_and_detached_train_as_in_torch() -> None:
    theirs, mine = twins("LSTM", batch_first=True)
    x = torch.randn(4, B, T, X, dtype=torch.float64)
    for module in (theirs, mine):
        states = None
        for part in x:
            output, states = module(part, states)
            output.square().mean().backward()
            for state in states:
                state.detach_()
            states[0].mul_(torch.tensor([[1.0], [0.0]]))  # the second row begins anew
    for one, other in zip(mine.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)


def test_a_recording_keeps_what_was_computed() -> None:
    layer = unrolled.GRU(X, H, batch_first=True)
    with unrolled.record(layer, "*.h") as recording:
        output, _ = layer(torch.randn(B, T, X))
        expected = output.detach().clone()
        output.detach_().zero_()
    torch.testing.assert_close(recording["l0.h"].flatten().sort()[0], expected.flatten().sort()[0])


@pytest.mark.parametrize(
    "watch", [unrolled.record, lambda cell: unrolled.edit(cell, {"cell.h": 0})]
)
def test_states_of_watched_steps_are_detached_in_place(watch: Any) -> None:
    cell = unrolled.LSTMCell(X, H)
    with watch(cell):
        states = cell(torch.randn(B, X))
        for state in states:
            state.detach_()
        cell(torch.randn(B, X), states)
