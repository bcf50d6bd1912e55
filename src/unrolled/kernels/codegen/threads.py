"""How threads share work: what each runs, its part, and where they wait for each other."""

from __future__ import annotations

from collections.abc import Callable

from ..runtime.abi import ArgumentBlock
from ..tuning import PATIENCE
from .arguments import Arguments
from .ir import Function, Integer, Target

OPENMP = ("omp_get_thread_num", "omp_get_num_threads")
"""The functions that tell a thread its place."""


def entries(target: Target, write: Callable[[Function, str, str], None]) -> str:
    """Return what a thread runs: ``run`` alone, ``run_shard`` as one of several.

    Args:
        target: the processor.
        write: writes the work of one of several equal parts, given its number and how many there
            are; the work's arguments are at %arguments.
    """
    alone = Function("define void @run(ptr %arguments)", target)
    shard = Function("define void @run_shard(ptr %arguments)", target)
    thread, size = (shard.let(f"sext i32 {shard.let(f'call i32 @{f}()')} to i64") for f in OPENMP)
    for f, part, parts in ((alone, "0", "1"), (shard, thread, size)):
        write(f, part, parts)
        f.do("ret void")
    declared = "\n".join(f"declare i32 @{name}()" for name in OPENMP)
    return "\n\n".join([declared, alone.text(), shard.text()])


def share(f: Function, count: Integer, part: str, parts: str) -> tuple[str, str]:
    """Return where one of so many equal parts begins and ends."""
    begin = f.div(f.mul(count, part), parts)
    after = f.add(part, 1)
    return begin, f.div(f.mul(count, after), parts)


def kernel(block: ArgumentBlock, target: Target) -> str:
    """Return the entries of a kernel, of which ``prepare`` and ``work`` are given.

    Args:
        block: of the kernel. It counts the threads that have arrived, and says into how many parts
            the rows are sharded (0: units are sharded instead), how many rows there are, and where
            each part of the rows begins.
        target: the processor.
    """

    def write(f: Function, part: str, parts: str) -> None:
        f.do(f"call void @share(ptr %arguments, i64 {part}, i64 {parts})")

    barrier = ["declare i32 @sched_yield()", _barrier(target)]
    return "\n\n".join([*barrier, _shared(block, target), entries(target, write)])


def concurrent(target: Target) -> str:
    """Return a module that runs several kernels at once, each on a thread of its own.

    Its argument says how many there are, then of each the function and the argument block.
    """

    def write(f: Function, part: str, parts: str) -> None:
        count = f.load("i64", "%arguments")
        with f.loop("i", part, count, parts) as loop:
            place = f.at("%arguments", f.add(f.mul(loop.at, 2), 1), "i64")
            function = f.load("ptr", place)
            f.do(f"call void {function}(ptr {f.load('ptr', f.at(place, 1, 'i64'))})")

    return entries(target, write)


def _barrier(target: Target) -> str:
    """Write the barrier: each thread counts itself, and waits for the next multiple of them all."""
    f = Function("define internal void @barrier(ptr %counter, i64 %parts) noinline", target)
    with f.when(f.let("icmp sgt i64 %parts, 1")):
        before = f.let("atomicrmw add ptr %counter, i64 1 acq_rel")
        rounds = f.add(f.div(before, "%parts"), 1)
        goal = f.mul(rounds, "%parts")
        f.do("br label %look")
        looked = f.label
        f.begin("look")
        f.do(f"%turn = phi i64 [0, %{looked}], [%next, %wait], [%next, %rest]")
        f.do("%here = load atomic i64, ptr %counter acquire, align 8")
        f.do(f"%all = icmp sge i64 %here, {goal}")
        f.do("br i1 %all, label %met, label %wait")
        f.begin("wait")
        f.do("%next = add i64 %turn, 1")
        f.do(f"%tired = icmp sgt i64 %turn, {PATIENCE}")
        f.do("br i1 %tired, label %rest, label %look")
        f.begin("rest")
        f.do("%ignored = call i32 @sched_yield()")
        f.do("br label %look")
        f.begin("met")
    f.do("ret void")
    return f.text()


def _shared(block: ArgumentBlock, target: Target) -> str:
    """Write what each thread does: of all units if rows are sharded, else of all rows."""
    f = Function(
        "define internal void @share(ptr %arguments, i64 %thread, i64 %size) noinline", target
    )
    read = Arguments(f, block)
    counter, shards = read.place("arrived"), read.scalar("shards", "ptr")
    parts, rows = read.scalar("parts"), read.scalar("rows")
    f.do("call void @prepare(ptr %arguments, i64 %thread, i64 %size)")
    with f.when(f.let(f"icmp eq i64 {parts}, 0")):
        f.do(
            f"call void @work(ptr %arguments, i64 0, i64 {rows}, i64 %thread, i64 %size, "
            f"i64 %thread, ptr {counter})"
        )
    with f.when(f.let(f"icmp sgt i64 {parts}, 0")):
        f.do(f"call void @barrier(ptr {counter}, i64 %size)")
        with f.loop("part", "%thread", parts, "%size") as part:
            begin = f.load("i64", f.at(shards, part.at, "i64"))
            end = f.load("i64", f.at(shards, f.add(part.at, 1), "i64"))
            f.do(
                f"call void @work(ptr %arguments, i64 {begin}, i64 {end}, i64 0, i64 1, "
                f"i64 %thread, ptr {counter})"
            )
    f.do("ret void")
    return f.text()
