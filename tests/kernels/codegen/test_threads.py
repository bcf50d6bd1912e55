"""Threads that share a kernel's work, and wait for each other."""

import ctypes
import itertools
import threading
from functools import cache
from typing import Any

import numpy as np
import pytest

from unrolled.kernels.codegen.threads import kernel
from unrolled.kernels.runtime.abi import SCALARS, ArgumentBlock
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
  call void @barrier(ptr %meeting, i64 %parts)
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
  call void @barrier(ptr %meeting, i64 %parts)
  %after = add i64 %round, 1
  %rounds.at = getelementptr i64, ptr %arguments, i64 17
  %rounds = load i64, ptr %rounds.at
  %again = icmp sle i64 %after, %rounds
  br i1 %again, label %next, label %end.of.work
end.of.work:
  ret void
}
"""
"""In place of a kernel's functions. In every round each part writes its number and waits for the
others, whose numbers then have to be the same. The arguments begin with: of each thread how many
there are, from 8 on the last round of each part, at 16 the errors, at 17 the number of rounds."""

PARTS, ERRORS, ROUNDS = 8, 16, 17

BLOCK = ArgumentBlock([*(f"own {word}" for word in range(18)), *reversed(SCALARS)])
"""Those of a kernel follow, not in its order."""

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
    """The functions of several threads; a Python thread says which it is."""
    target = host("double")
    text = kernel(BLOCK, target) + FAKE
    text = text.replace("@omp_get_thread_num", "@test_thread_num")
    text = text.replace("@omp_get_num_threads", "@test_num_threads")
    names = {name: ctypes.cast(f, ctypes.c_void_p).value or 0 for name, f in CALLBACKS.items()}
    yielding = ctypes.cast(ctypes.CDLL(None).sched_yield, ctypes.c_void_p).value or 0
    return Machine(text, target, {**names, "sched_yield": yielding})


def told(shards: tuple[int, ...], rows: int, rounds: int = 1) -> tuple[Any, Any]:
    """The arguments of a kernel whose rows are sharded like this, and the table of the shards."""
    parts, *begins = shards
    arguments, table = np.zeros(BLOCK.size, np.int64), np.array(begins, np.int64)
    known = {"parts": parts, "rows": rows, "shards": table.ctypes.data}
    for name, value in known.items():
        arguments[BLOCK.scalar(name)] = value
    arguments[ROUNDS] = rounds
    return arguments, table


def member(name: str, number: int, size: int, arguments: Any) -> threading.Thread:
    """One of so many threads that run a function; it has to be started."""
    function = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(machine().address(name))

    def work() -> None:
        _place.number, _place.size = number, size
        function(arguments.ctypes.data)

    return threading.Thread(target=work, daemon=True)


def finish(members: list[threading.Thread]) -> None:
    for thread in members:
        thread.join(60)
        assert not thread.is_alive(), "a thread waits for ever"


def run(name: str, size: int, shards: tuple[int, ...], rows: int = 7, rounds: int = 1) -> Any:
    """Run a function on several threads; return the arguments after it, and calls of `work`."""
    _calls.clear()
    arguments, _table = told(shards, rows, rounds)
    members = [member(name, number, size, arguments) for number in range(size)]
    for thread in members:
        thread.start()
    finish(members)
    return arguments, sorted(_calls)


@pytest.mark.broad
@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_meetings(size: int) -> None:
    """No thread goes on before all have come, however often they meet."""
    rounds = 1000
    arguments, calls = run("run_shard", size, (0,), 7, rounds)
    assert calls == [(0, 7, part, size, part) for part in range(size)]  # all rows, some units
    assert arguments[PARTS : PARTS + size].tolist() == [rounds] * size
    assert arguments[ERRORS] == 0
    if size > 1:
        assert arguments[BLOCK.scalar("arrived")] == 2 * rounds * size


@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize("parts", [1, 2, 4, 7])
def test_every_part_is_run_once(parts: int, size: int) -> None:
    """Also by fewer threads than were asked for, or more."""
    begins = [part * part for part in range(parts + 1)]
    arguments, calls = run("run_shard", size, (parts, *begins))
    assert calls == [(begins[p], begins[p + 1], 0, 1, p % size) for p in range(parts)]
    assert arguments[:size].tolist() == [size] * size  # every thread has prepared its share
    assert not arguments[size:PARTS].any()


@pytest.mark.parametrize("shards", [(0,), (1, 0, 5), (3, 0, 2, 2, 5)], ids=str)
def test_one_thread_without_a_team(shards: tuple[int, ...]) -> None:
    arguments, calls = run("run", 1, shards, rows=5)
    assert arguments[0] == 1
    pairs = list(itertools.pairwise(shards[1:])) or [(0, 5)]
    assert calls == [(begin, end, 0, 1, 0) for begin, end in pairs]


def test_work_begins_when_all_have_prepared() -> None:
    """One thread comes late: the rows' layouts of the others are not read before."""
    _calls.clear()
    arguments, _table = told((2, 0, 2, 4), rows=4)
    members = [member("run_shard", number, 2, arguments) for number in range(2)]
    members[0].start()
    members[0].join(0.1)
    assert members[0].is_alive()
    assert arguments[:2].tolist() == [2, 0]
    assert _calls == []
    members[1].start()
    finish(members)
    assert sorted(_calls) == [(0, 2, 0, 1, 0), (2, 4, 0, 1, 1)]
