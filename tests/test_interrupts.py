"""Ctrl-C at any line of a call: the next call is right, and nothing is lost but that one."""

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import torch
from tests.replays import forget
from torch.nn.utils.rnn import PackedSequence, pack_sequence

import unrolled
from unrolled import affine, locks, sigmoid, tanh
from unrolled.kernels.runtime import cache, recurrence
from unrolled.kernels.runtime.cache import Budget, Cache
from unrolled.kernels.runtime.memory import Reserve, reserve
from unrolled.kernels.runtime.recurrence import Recurrences
from unrolled.kernels.tuning import LARGE_PAGE

# What strikes in a finalizer is reported and goes no further.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

FOLDER = str(Path(unrolled.__file__).parent)


class Interrupt:
    """Raises an error at the line of the library that is reached after some others."""

    def __init__(self, lines: int, error: type[BaseException]) -> None:
        self.left = lines
        self.error = error

    def __enter__(self) -> None:
        sys.settrace(self._trace)

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def _trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        if not frame.f_code.co_filename.startswith(FOLDER):
            return None
        if event == "line":
            self.left -= 1
            if self.left < 0:
                sys.settrace(None)
                raise self.error
        return self._trace


STEP = int(os.environ.get("UNROLLED_EVERY_LINE", 17))
"""Each how manyth line is interrupted; all of them, by 1, take a quarter of an hour."""


def at_every_line(
    work: Callable[[], object], check: Callable[[], None], error: type[BaseException], step: int = 1
) -> int:
    """Interrupt some work at each of its lines, and check after each time; how many there were."""
    lines = 0
    while True:
        interrupt = Interrupt(lines, error)
        try:
            with interrupt:
                work()
        except error:
            pass
        check()
        if interrupt.left >= 0:
            return lines
        lines += step


def free(lock: Any) -> bool:
    """Whether another thread gets a lock."""
    found = []

    def take() -> None:
        taken = lock.acquire(timeout=1)
        found.append(taken)
        if taken:
            lock.release()

    thread = threading.Thread(target=take)
    thread.start()
    thread.join()
    return found[0]


def locks_are_free() -> bool:
    return all(free(lock) for lock in locks._all)


def flat(layer: Any, x: Any) -> list[torch.Tensor]:
    """Results and gradients of a call."""
    layer.zero_grad()
    output, last = layer(x)
    output = output.data if isinstance(output, PackedSequence) else output
    states = last if isinstance(last, tuple) else (last,)
    total = output.square().sum() + sum(state.sum() for state in states)
    gradients: list[torch.Tensor] = []
    if total.requires_grad:
        total.backward()
        gradients = [parameter.grad.clone() for parameter in layer.parameters()]
    return [output.detach(), *(state.detach() for state in states), *gradients]


def inputs(packed: bool) -> Any:
    torch.manual_seed(0)
    if packed:
        return pack_sequence([torch.randn(length, 3) for length in (4, 2, 1)])
    return torch.randn(3, 2, 3)


@pytest.mark.parametrize("step", [STEP])
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("packed", [False, True], ids=["padded", "packed"])
@pytest.mark.parametrize("trains", [False, True], ids=["inference", "training"])
def test_calls_go_on(packed: bool, trains: bool, error: type[BaseException], step: int) -> None:
    """First calls of a shape, and the quick ones that follow."""
    layer = unrolled.LSTM(3, 4, bidirectional=True).requires_grad_(trains)
    x = inputs(packed)
    expected = flat(layer, x)

    def afresh() -> None:
        forget(layer)
        for runner in {layer._runner, layer._training_runner}:
            for found in runner._recurrences.values():
                assert isinstance(found, Recurrences)
                found.calls.clear()

    def check() -> None:
        for found, right in zip(flat(layer, x), expected, strict=True):
            torch.testing.assert_close(found, right)

    def first() -> None:
        afresh()
        flat(layer, x)

    assert at_every_line(first, check, error, step) > 100
    assert locks_are_free()


@pytest.mark.parametrize("folder", ["0", "cache"], ids=["compiled", "from the disk"])
def test_kernels_are_made_whole(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UNROLLED_CACHE", folder)

    def new(x, h):
        h = tanh(affine(x, h)) * sigmoid(h * 0.123)
        return locals()

    graph = unrolled.cell(new)
    layer = unrolled.Recurrent(graph, 3, 4)
    x = inputs(packed=False)
    expected = flat(layer, x)

    def work() -> None:
        recurrence._known.clear()
        forget(layer)
        layer._derive()
        flat(layer, x)

    def check() -> None:
        for found, right in zip(flat(layer, x), expected, strict=True):
            torch.testing.assert_close(found, right)

    at_every_line(work, check, KeyboardInterrupt, step=9973)
    assert locks_are_free()


def test_memory_is_still_kept() -> None:
    own = Reserve(8 * LARGE_PAGE)

    def check() -> None:
        place = own.take(torch.float32, LARGE_PAGE).data_ptr()
        assert own.take(torch.float32, LARGE_PAGE).data_ptr() == place
        assert sum(block.nbytes for block in own._blocks.values()) <= 8 * LARGE_PAGE

    at_every_line(lambda: own.take(torch.float32, LARGE_PAGE), check, KeyboardInterrupt)
    at_every_line(lambda: own.take(torch.float32, 3 * LARGE_PAGE), check, KeyboardInterrupt)
    assert reserve.take(torch.float32, LARGE_PAGE).shape == (LARGE_PAGE,)


def test_caches_stay_within_their_bounds() -> None:
    budget = Budget(100)
    kept = Cache(budget)
    numbers = iter(range(10**6))

    def check() -> None:
        for number in range(12):
            kept.keep(("check", number), number, 10)
        assert len(kept) <= 10

    at_every_line(lambda: kept.keep(next(numbers), None, 10), check, KeyboardInterrupt)
    assert cache.calls.most == cache.CALLS
