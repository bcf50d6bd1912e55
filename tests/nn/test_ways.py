"""Which way calls take: harmless differences between them cost no check made anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from tests.replays import replayed
from torch import Tensor

import unrolled
from pairs import pairwise

T, B, I, H = 4, 3, 5, 6  # noqa: E741

LAYERS: dict[str, Callable[[], Any]] = {
    "LSTM": lambda: unrolled.LSTM(I, H),
    "GRU": lambda: unrolled.GRU(I, H),
    "batch first": lambda: unrolled.LSTM(I, H, batch_first=True),
    "deep": lambda: unrolled.LSTM(I, H, 2, bidirectional=True),
    "learned": lambda: unrolled.LSTM(I, H, learn_initial_states=True),
    "learned, deep": lambda: unrolled.GRU(I, H, 2, learn_initial_states=True),
    "zoneout": lambda: unrolled.LSTM(I, H, zoneout=0.2).eval(),
    "variational dropout": lambda: unrolled.LSTM(I, H, variational_dropout=0.2).eval(),
    "of one's own": lambda: unrolled.Recurrent(unrolled.cells.lstm_peephole, I, H),
}
CELLS: dict[str, Callable[[], Any]] = {
    "LSTMCell": lambda: unrolled.LSTMCell(I, H),
    "GRUCell": lambda: unrolled.GRUCell(I, H),
    "RNNCell": lambda: unrolled.RNNCell(I, H),
}


def inputs(module: Any, steps: int = T, batch: int = B) -> Tensor:
    if module in _STEPS:
        return torch.randn(batch, I)
    if module.batch_first:
        return torch.randn(batch, steps, I)
    return torch.randn(steps, batch, I)


_STEPS: list[Any] = []


@pytest.fixture(params=[*LAYERS, *CELLS])
def module(request: pytest.FixtureRequest) -> Any:
    if request.param in LAYERS:
        return LAYERS[request.param]()
    cell = CELLS[request.param]()
    _STEPS.append(cell)
    return cell


def states(module: Any, make: Callable[..., Tensor] = torch.randn) -> Any:
    lead = () if module in _STEPS else (module.num_layers * (1 + module.bidirectional),)
    found = tuple(make(*lead, B, H) for _ in module.graph.states)
    return found if len(found) > 1 else found[0]


def one_for_all(module: Any) -> Any:
    """The same tensor for every state."""
    first = states(module)
    return (first[0],) * len(first) if isinstance(first, tuple) else first


def strided(tensor: Tensor) -> Tensor:
    return torch.stack([tensor, tensor], -1)[..., 0]


def expanded(tensor: Tensor) -> Tensor:
    return tensor[..., :1].expand(tensor.shape)


def sliced(tensor: Tensor) -> Tensor:
    return torch.cat([tensor, tensor], -1)[..., : tensor.shape[-1]]


def of_each(change: Callable[[Tensor], Tensor], hx: Any) -> Any:
    return tuple(map(change, hx)) if isinstance(hx, tuple) else change(hx)


FORMS: dict[str, Callable[[Any], tuple[Any, ...]]] = {
    "no states": lambda module: (inputs(module),),
    "states": lambda module: (inputs(module), states(module)),
    "one state for all": lambda module: (inputs(module), one_for_all(module)),
    "strided input": lambda module: (strided(inputs(module)),),
    "expanded input": lambda module: (expanded(inputs(module)),),
    "sliced input": lambda module: (sliced(inputs(module)),),
    "strided states": lambda module: (inputs(module), of_each(strided, states(module))),
    "expanded states": lambda module: (inputs(module), of_each(expanded, states(module))),
}


@pytest.mark.parametrize(
    ("module", "form", "grad"),
    pairwise([*LAYERS, *CELLS], FORMS, [False, True]),
    indirect=["module"],
)
def test_every_form_is_replayed(module: Any, form: str, grad: bool) -> None:
    """Whatever form the first two calls had."""
    with torch.set_grad_enabled(grad):
        for _ in range(2):
            module(*FORMS[form](module))
        for other, make in FORMS.items():
            if (other == "no states") == (form == "no states") or "input" in other:
                for _ in range(1 if len(make(module)) == len(FORMS[form](module)) else 3):
                    call = make(module)
                    found = replayed(lambda call=call: module(*call))
                assert found, other


def test_with_and_without_gradients_in_turn(module: Any) -> None:
    x = inputs(module)
    for turn in range(6):
        with torch.set_grad_enabled(turn % 2 == 1):
            assert replayed(lambda: module(x)) == (turn >= 4), turn


def test_a_state_that_has_a_graph_and_one_that_has_none_in_turn(module: Any) -> None:
    x, hx = inputs(module), states(module)
    for turn in range(6):
        given = of_each(lambda s, on=turn % 2 == 1: s.clone().requires_grad_(on), hx)
        assert replayed(lambda given=given: module(x, given)) == (turn >= 3), turn


@pytest.mark.broad
@pytest.mark.parametrize("kind", ["lengths", "batch sizes"])
def test_twenty_sizes_in_turn(module: Any, kind: str) -> None:
    if module in _STEPS and kind == "lengths":
        pytest.skip("a step has no length")
    for turn in range(4):
        for size in range(1, 21):
            x = inputs(module, steps=size) if kind == "lengths" else inputs(module, batch=size)
            assert replayed(lambda x=x: module(x)) == (turn >= 2), (turn, size)


def test_the_number_of_threads_in_turn(module: Any) -> None:
    x = inputs(module)
    for turn in range(6):
        torch.set_num_threads(1 + turn % 2)
        assert replayed(lambda: module(x)) == (turn >= 4), turn


@pytest.mark.parametrize("name", CELLS)
def test_steps_of_a_loop_hang_on_one_node(name: str) -> None:
    """The gradients of their weights are made once, not at every step."""
    cell = CELLS[name]()
    h = states(cell) if cell in _STEPS else torch.randn(B, H)
    hx = (h, h.clone()) if name == "LSTMCell" else h
    anchors = set()
    for turn in range(6):
        hx = cell(torch.randn(B, I), hx)
        h = hx[0] if isinstance(hx, tuple) else hx
        if turn >= 2:
            edges = [node for node, _ in h.grad_fn.next_functions if node is not None]
            anchors |= {node for node in edges if type(node).__name__ == "CollectBackward"}
            assert not any(type(node).__name__ == "AccumulateGrad" for node in edges)
    assert len(anchors) == 1
