"""Locks under forks: children work whatever another thread was in the middle of."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch

import unrolled
from unrolled import affine, locks, sigmoid, tanh

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot be copied here"),
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
]

LIMIT = 60
"""Seconds that a child may take: it compiles, on a busy machine."""


@pytest.fixture(autouse=True)
def _all_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNROLLED_CACHE", "0")


def fresh(number: int) -> unrolled.Recurrent:
    """A layer whose kernels nobody has made yet."""

    def new(x, h):
        h = tanh(affine(x, h)) * sigmoid(h * (number + 0.5))
        return locals()

    return unrolled.Recurrent(unrolled.cell(new), 3, 4)


def trained(layer: unrolled.Recurrent) -> list[torch.Tensor]:
    """Output and gradients on the same numbers."""
    layer.zero_grad()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.fill_(0.1)
    x = torch.linspace(-1, 1, 5 * 2 * 3).view(5, 2, 3)
    output = layer(x)[0]
    output.sum().backward()
    return [output.detach(), *(p.grad for p in layer.parameters() if p.grad is not None)]


def in_child(work: Callable[[], bool]) -> bool:
    """Whether a forked process finds that something holds, in time."""
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if work() else 3)
        except BaseException:
            os._exit(4)
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status == 0
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


@contextmanager
def compiling(first: int) -> Iterator[None]:
    """Threads that make kernels all the time."""
    over = threading.Event()

    def work(number: int) -> None:
        while not over.is_set():
            trained(fresh(number))
            number += 2

    threads = [threading.Thread(target=work, args=(first + k,)) for k in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_children_of_a_process_that_compiles() -> None:
    """They use kernels that are there, and make new ones, for inference and training."""
    known = fresh(-1)
    expected, others = trained(known), [trained(fresh(-2 - k)) for k in range(6)]

    def work(number: int) -> bool:
        again = [*trained(known), *trained(fresh(-2 - number))]
        pairs = zip(again, [*expected, *others[number]], strict=True)
        return all(torch.allclose(a, b) for a, b in pairs)

    with compiling(1000):
        for number in range(6):
            time.sleep(0.05 * number)
            assert in_child(lambda number=number: work(number))


def test_a_child_of_a_thread_that_holds_a_lock() -> None:
    mine = locks.Lock()

    def work() -> bool:
        with mine(), locks.compiling():
            return True

    with mine(), locks.compiling():
        assert in_child(work)
    assert in_child(work)
    locks._all.remove(mine._lock)


def test_a_fork_waits_until_nothing_is_in_the_middle() -> None:
    changing = threading.Event()
    state: list[int] = []

    def change() -> None:
        with locks.compiling():
            state.append(1)
            changing.set()
            time.sleep(0.5)
            state.append(2)

    thread = threading.Thread(target=change)
    thread.start()
    changing.wait()
    assert in_child(lambda: state == [1, 2])
    thread.join()


def test_values_that_are_computed_once() -> None:
    class Owner:
        def __init__(self) -> None:
            self.asked = 0

        @locks._Property
        def value(self) -> int:
            """Of the owner."""
            self.asked += 1
            return 5

    owner = Owner()
    assert (owner.value, owner.value, owner.asked) == (5, 5, 1)
    assert isinstance(Owner.value, locks._Property)
    assert Owner.value.__doc__ == "Of the owner."
