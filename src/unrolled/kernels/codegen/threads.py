"""How the threads of a team share a kernel's work, and where they meet."""

from __future__ import annotations

from ..runtime.abi import ArgumentBlock
from ..tuning import PATIENCE
from .arguments import Arguments
from .ir import Function, Target

OPENMP = ("omp_get_thread_num", "omp_get_num_threads")
"""The functions that tell a thread its place."""


def threads(block: ArgumentBlock, target: Target) -> str:
    """Return the functions that a thread runs: ``run`` alone, ``team`` as one of several.

    Args:
        block: of the kernel. It counts the threads that have arrived, and says into how many parts
            the rows are sharded (0: units are sharded instead), how many rows there are, and where
            each part of the rows begins.
        target: the processor.
    """
    declared = ["declare i32 @omp_get_thread_num()", "declare i32 @omp_get_num_threads()"]
    declared.append("declare i32 @sched_yield()")
    return "\n\n".join(["\n".join(declared), _meet(target), _team(target), _run(block, target)])


def _meet(target: Target) -> str:
    """Waits until all of a team have come. Each comes and counts; a round ends at a multiple."""
    f = Function("define internal void @meet(ptr %counter, i64 %parts) noinline", target)
    with f.when(f.let("icmp sgt i64 %parts, 1")):
        before = f.let("atomicrmw add ptr %counter, i64 1 acq_rel")
        rounds = f.let(f"add nsw i64 {f.let(f'sdiv i64 {before}, %parts')}, 1")
        goal = f.let(f"mul nsw i64 {rounds}, %parts")
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


def _team(target: Target) -> str:
    f = Function("define void @team(ptr %arguments)", target)
    thread = f.let(f"sext i32 {f.let('call i32 @omp_get_thread_num()')} to i64")
    size = f.let(f"sext i32 {f.let('call i32 @omp_get_num_threads()')} to i64")
    f.do(f"call void @share(ptr %arguments, i64 {thread}, i64 {size})")
    f.do("ret void")
    return f.text()


def _run(block: ArgumentBlock, target: Target) -> str:
    alone = Function("define void @run(ptr %arguments)", target)
    alone.do("call void @share(ptr %arguments, i64 0, i64 1)")
    alone.do("ret void")
    f = Function(
        "define internal void @share(ptr %arguments, i64 %thread, i64 %size) noinline", target
    )
    read = Arguments(f, block)
    counter, shards = read.place("arrived"), read.scalar("shards", "ptr")
    parts, rows = read.scalar("parts"), read.scalar("rows")
    f.do("call void @prepare(ptr %arguments, i64 %thread, i64 %size)")
    units = f.let(f"icmp eq i64 {parts}, 0")
    with f.when(units):
        f.do(
            f"call void @work(ptr %arguments, i64 0, i64 {rows}, i64 %thread, i64 %size, "
            f"i64 %thread, ptr {counter})"
        )
    with f.when(f.let(f"icmp sgt i64 {parts}, 0")):
        f.do(f"call void @meet(ptr {counter}, i64 %size)")
        with f.loop("part", "%thread", parts, "%size") as part:
            begin = f.load("i64", f.at(shards, part.at, "i64"))
            end = f.load("i64", f.at(shards, f.let(f"add nsw i64 {part.at}, 1"), "i64"))
            f.do(
                f"call void @work(ptr %arguments, i64 {begin}, i64 {end}, i64 0, i64 1, "
                f"i64 %thread, ptr {counter})"
            )
    f.do("ret void")
    return "\n\n".join([f.text(), alone.text()])
