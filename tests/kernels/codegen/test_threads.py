"""Threads that share a kernel's work, and meet."""

import ctypes
import itertools
import threading
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from unrolled.kernels.codegen.threads import team
from unrolled.kernels.runtime.jit import Machine, host

FAKE = """
define internal void @prepare(ptr %arguments, i64 %thread, i64 %size) noinline {
  %place = getelementptr i64, ptr %arguments, i64 %thread
  store i64 %size, ptr %place
  ret void
}

declare void @record(i64, i64, i64, i64, i64)

define internal void @work(ptr %arguments, i64 %begin, i64 %end, i64 %part, i64 %parts,
                           i64 %thread, ptr %meeting) noinline {
entry:
  call void @record(i64 %begin, i64 %end, i64 %part, i64 %parts, i64 %thread)
  br label %next
next:
  %round = phi i64 [1, %entry], [%after, %done]
  %mine.at = getelementptr i64, ptr %arguments, i64 %part
  %mine.place = getelementptr i64, ptr %mine.at, i64 8
  store atomic i64 %round, ptr %mine.place monotonic, align 8
  call void @meet(ptr %meeting, i64 %parts)
  br label %look
look:
  %other = phi i64 [0, %next], [%following, %look]
  %other.at = getelementptr i64, ptr %arguments, i64 %other
  %other.place = getelementptr i64, ptr %other.at, i64 8
  %seen = load atomic i64, ptr %other.place monotonic, align 8
  %wrong = icmp ne i64 %seen, %round
  %count = zext i1 %wrong to i64
  %errors = getelementptr i64, ptr %arguments, i64 16
  %known = atomicrmw add ptr %errors, i64 %count monotonic
  %following = add i64 %other, 1
  %more = icmp slt i64 %following, %parts
  br i1 %more, label %look, label %done
done:
  call void @meet(ptr %meeting, i64 %parts)
  %after = add i64 %round, 1
  %rounds.at = getelementptr i64, ptr %arguments, i64 17
  %rounds = load i64, ptr %rounds.at
  %again = icmp sle i64 %after, %rounds
  br i1 %again, label %next, label %end.of.work
end.of.work:
  ret void
}
"""
"""In place of a kernel's functions. In every round each part writes its number and meets the
others, whose numbers then have to be the same. The arguments are: of each thread the size of its
team, from 8 on the last round of each part, at 16 the errors, at 17 the number of rounds."""

PARTS, ERRORS, ROUNDS = 8, 16, 17

_place = threading.local()
_calls: list[tuple[int, ...]] = []
NUMBER = ctypes.CFUNCTYPE(ctypes.c_int)
RECORD = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 5)
CALLBACKS = {
    "test_thread_num": NUMBER(lambda: _place.number),
    "test_num_threads": NUMBER(lambda: _place.size),
    "record": RECORD(lambda *numbers: _calls.append(numbers)),
}


@cache
def machine() -> Machine:
    """The functions of a team; a Python thread says which of the team it is."""
    target = host("double")
    text = team(SimpleNamespace(target=target)) + FAKE  # pyright: ignore[reportArgumentType]
    text = text.replace("@omp_get_thread_num", "@test_thread_num")
    text = text.replace("@omp_get_num_threads", "@test_num_threads")
    names = {name: ctypes.cast(f, ctypes.c_void_p).value or 0 for name, f in CALLBACKS.items()}
    yielding = ctypes.cast(ctypes.CDLL(None).sched_yield, ctypes.c_void_p).value or 0
    return Machine(text, target, {**names, "sched_yield": yielding})


def run(name: str, size: int, numbers: tuple[int, ...], rounds: int = 1) -> Any:
    """Run a job on a team; what the arguments are after it, and how `work` was called."""
    _calls.clear()
    arguments, counter = np.zeros(32, np.int64), np.zeros(1, np.int64)
    arguments[ROUNDS] = rounds
    job = np.array([arguments.ctypes.data, counter.ctypes.data, *numbers], np.int64)
    function = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(machine().address(name))

    def member(number: int) -> None:
        _place.number, _place.size = number, size
        function(job.ctypes.data)

    threads = [threading.Thread(target=member, args=(n,), daemon=True) for n in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a thread waits for ever"
    return arguments, sorted(_calls)


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_meetings(size: int) -> None:
    """No thread goes on before all have come, however often they meet."""
    rounds = 1000
    arguments, calls = run("team", size, (0, 7), rounds)
    assert calls == [(0, 7, part, size, part) for part in range(size)]  # all rows, some units
    assert arguments[PARTS : PARTS + size].tolist() == [rounds] * size
    assert arguments[ERRORS] == 0


@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize("parts", [1, 2, 4, 7])
def test_every_part_is_run_once(parts: int, size: int) -> None:
    """Also by a team that is smaller than was asked for, or larger."""
    begins = [part * part for part in range(parts + 1)]
    arguments, calls = run("team", size, (parts, begins[-1], *begins))
    assert calls == [(begins[p], begins[p + 1], 0, 1, p % size) for p in range(parts)]
    assert arguments[:size].tolist() == [size] * size  # every thread has prepared its share
    assert not arguments[size:PARTS].any()


@pytest.mark.parametrize("numbers", [(0, 5), (1, 5, 0, 5), (3, 5, 0, 2, 2, 5)], ids=str)
def test_one_thread_without_a_team(numbers: tuple[int, ...]) -> None:
    arguments, calls = run("run", 1, numbers)
    assert arguments[0] == 1
    pairs = list(itertools.pairwise(numbers[2:])) or [(0, 5)]
    assert calls == [(begin, end, 0, 1, 0) for begin, end in pairs]


def test_work_begins_when_all_have_prepared() -> None:
    """One thread comes late: the rows' layouts of the others are not read before."""
    _calls.clear()
    arguments, counter = np.zeros(32, np.int64), np.zeros(1, np.int64)
    arguments[ROUNDS] = 1
    numbers = [arguments.ctypes.data, counter.ctypes.data, 2, 4, 0, 2, 4]
    job = np.array(numbers, np.int64)
    function = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(machine().address("team"))
    late = threading.Event()

    def member(number: int) -> None:
        _place.number, _place.size = number, 2
        if number:
            assert late.wait(60)
        function(job.ctypes.data)

    threads = [threading.Thread(target=member, args=(n,), daemon=True) for n in range(2)]
    for thread in threads:
        thread.start()
    threads[0].join(0.1)
    assert threads[0].is_alive()
    assert arguments[:2].tolist() == [2, 0]
    assert _calls == []
    late.set()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert sorted(_calls) == [(0, 2, 0, 1, 0), (2, 4, 0, 1, 1)]
