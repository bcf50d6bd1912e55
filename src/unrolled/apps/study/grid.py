"""A study: every entrant on every problem from every seed, several trials at a time."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, final

import torch

from ...errors import UserError
from ..parent import end_with_parent
from ..terminal import Interrupt
from .entrant import Entrant
from .outcome import Outcome, Results
from .problems import GapProblem, problem
from .trial import Budget, Trial, run


@final
@dataclass(frozen=True)
class Plan:
    """One trial to be run."""

    problem: GapProblem
    entrant: Entrant
    seed: int
    budget: Budget

    @property
    def key(self) -> tuple[Any, ...]:
        """As `Outcome.key`."""
        problem, entrant, budget = self.problem, self.entrant, self.budget
        steps = budget.steps or problem.steps
        own = entrant.digest, entrant.name, self.seed, budget.hidden, steps
        return problem.name, problem.gap, *own

    def trial(self) -> Trial:
        """Return the trial at its start."""
        return Trial(self.problem, self.entrant, self.seed, self.budget)


def tasks(
    gaps: Mapping[str, Sequence[int]], entrants: Sequence[Entrant], seeds: int, budget: Budget
) -> list[Plan]:
    """Return every trial: whole seeds first, so that a study that is stopped has even figures.

    Raises:
        UserError: for no seed, no gap or an unknown task.
    """
    if not 1 <= seeds <= 1000:
        raise UserError(f"--seeds must be from 1 to 1000, not {seeds}")
    return [
        Plan(problem(name, gap), entrant, seed, budget)
        for seed in range(seeds)
        for name, each in gaps.items()
        for gap in each
        for entrant in entrants
    ]


def carry_out(
    todo: Sequence[Plan], results: Results, jobs: int, interrupt: Interrupt
) -> Iterator[Outcome]:
    """Run the trials that `results` lack, and add them; each outcome as it comes.

    Args:
        todo: the trials.
        results: what is known already.
        jobs: how many trials run side by side, each in a process of one thread; 1: here.
        interrupt: ends the study after the outcomes that are there.
    """
    missing = [task for task in todo if task.key not in results]
    found = _here(missing, interrupt) if jobs <= 1 else _beside(missing, jobs, interrupt)
    for outcome in found:
        results.add(outcome)
        yield outcome


def _here(todo: Sequence[Plan], interrupt: Interrupt) -> Iterator[Outcome]:
    threads = torch.get_num_threads()
    for task in todo:
        torch.set_num_threads(1)  # such small layers are no faster with more
        try:
            with torch.random.fork_rng(devices=[]):
                outcome = run(task.trial(), lambda: interrupt.requested is not None)
        finally:
            torch.set_num_threads(threads)
        if outcome is None:
            return
        yield outcome


_asked_to_stop: Any = None


def _begin(event: Any) -> None:
    """Set up a new process: one thread, a Ctrl-C is the parent's to hear, its end ends this."""
    import signal

    end_with_parent()

    global _asked_to_stop
    _asked_to_stop = event
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)


def _carry_out(task: Plan) -> Outcome | None:
    return run(task.trial(), lambda: _asked_to_stop.is_set())


def _beside(todo: Sequence[Plan], jobs: int, interrupt: Interrupt) -> Iterator[Outcome]:
    context = multiprocessing.get_context("spawn")  # a fork of PyTorch's threads may hang
    event = context.Event()
    jobs = min(jobs, max(1, len(todo)))
    with ProcessPoolExecutor(jobs, context, _begin, (event,)) as pool:
        try:
            left = {pool.submit(_carry_out, task) for task in todo}
            while left and interrupt.requested is None:
                done, left = wait(left, timeout=0.2, return_when=FIRST_COMPLETED)
                yield from filter(None, (future.result() for future in done))
        except BrokenProcessPool as error:
            raise UserError(
                "a process of the study was killed, perhaps for want of memory: what was done is "
                "kept; go on with fewer --jobs"
            ) from error
        finally:
            event.set()
            pool.shutdown(cancel_futures=True)
