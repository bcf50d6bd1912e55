"""Which way calls take: whether their checks and launches are those of an earlier call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from unrolled.kernels.dispatch import Runner
from unrolled.kernels.replay import Replay


def prepared(module: Any) -> list[Replay]:
    """Return all that is prepared for the calls of a cell or layer."""
    runners = {module._runner, getattr(module, "_training_runner", module._runner)}
    return [one for runner in runners for variants in runner._replays.values() for one in variants]


@contextmanager
def watched() -> Iterator[list[bool]]:
    """Inside, a list of whether each request was replayed."""
    said: list[bool] = []
    replay = Runner.replay

    def watching(self: Runner, requests: Any) -> Any:
        results = replay(self, requests)
        said.append(results is not None)
        return results

    with mock.patch.object(Runner, "replay", watching):
        yield said


def replayed(call: Callable[[], object]) -> bool:
    """Return whether a call is replayed from beginning to end, without a check made anew."""
    with watched() as said:
        call()
    return bool(said) and all(said)


def forget(module: Any) -> None:
    """Make the next calls of a cell or layer the first of their kind."""
    for runner in {module._runner, getattr(module, "_training_runner", module._runner)}:
        runner._replays.clear()
