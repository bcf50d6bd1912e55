"""Several kernels at once, each on a thread of its own: directions do not wait for each other."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache

from ..codegen.ir import Function, Target
from .jit import host
from .launch import Code, Job


def text(target: Target) -> str:
    """The module: ``run`` works through a list of jobs alone, ``team`` shares it among threads.

    The list is how many jobs there are, then of each the address of its function and its own.
    """
    alone = Function("define void @run(ptr %jobs)", target)
    team = Function("define void @team(ptr %jobs)", target)
    thread = team.let(f"sext i32 {team.let('call i32 @omp_get_thread_num()')} to i64")
    size = team.let(f"sext i32 {team.let('call i32 @omp_get_num_threads()')} to i64")
    for f, part, parts in ((alone, "0", "1"), (team, thread, size)):
        count = f.load("i64", "%jobs")
        with f.loop("i", part, count, parts) as loop:
            place = f.let(f"mul nsw i64 {loop.at}, 2")
            place = f.at("%jobs", f.let(f"add nsw i64 {place}, 1"), "i64")
            function = f.load("ptr", place)
            f.do(f"call void {function}(ptr {f.load('ptr', f.at(place, '1', 'i64'))})")
        f.do("ret void")
    declared = "declare i32 @omp_get_thread_num()\ndeclare i32 @omp_get_num_threads()"
    return "\n\n".join([declared, alone.text(), team.text()])


@cache
def _code() -> Code:
    target = host("float")
    return Code(text(target), target)


def start(runs: Sequence[tuple[Job, Sequence[int], Sequence[int]]], threads: int) -> None:
    """Run jobs for one thread, on so many threads.

    Args:
        runs: of each, the job and the addresses of its arrays and of its parameters.
        threads: at most.
    """
    begun = [(job, job.begin(addresses, weights)) for job, addresses, weights in runs]
    numbers = [len(begun)]
    for job, ready in begun:
        numbers += (job.kernel.alone, ready.job)
    list_ = (ctypes.c_int64 * len(numbers))(*numbers)
    _code().start(ctypes.addressof(list_), min(threads, len(begun)))
    for job, ready in begun:
        job.end(ready)
