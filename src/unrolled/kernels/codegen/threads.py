"""How the threads of a team share a kernel's work, and where they meet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .ir import Function, Target

if TYPE_CHECKING:
    from .kernel import Source

OPENMP = ("omp_get_thread_num", "omp_get_num_threads")
"""The functions that tell a thread its place."""

PATIENCE = 4096
"""How often a thread looks whether the others have come before it lets other programs run."""


def team(source: Source) -> str:
    """The functions that a thread runs: ``run`` alone, ``team`` as one of several.

    A job is a list of 64-bit numbers: the arguments, the counter of meetings, how many parts the
    rows are shared into (0: units are shared instead), how many rows there are, and where each
    part of the rows begins.
    """
    declared = ["declare i32 @omp_get_thread_num()", "declare i32 @omp_get_num_threads()"]
    declared.append("declare i32 @sched_yield()")
    return "\n\n".join(["\n".join(declared), _meet(source.target), _team(source), _run(source)])


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


def _team(source: Source) -> str:
    f = Function("define void @team(ptr %job)", source.target)
    thread = f.let(f"sext i32 {f.let('call i32 @omp_get_thread_num()')} to i64")
    size = f.let(f"sext i32 {f.let('call i32 @omp_get_num_threads()')} to i64")
    f.do(f"call void @share(ptr %job, i64 {thread}, i64 {size})")
    f.do("ret void")
    return f.text()


def _run(source: Source) -> str:
    alone = Function("define void @run(ptr %job)", source.target)
    alone.do("call void @share(ptr %job, i64 0, i64 1)")
    alone.do("ret void")
    f = Function(
        "define internal void @share(ptr %job, i64 %thread, i64 %size) noinline", source.target
    )
    arguments = f.load("ptr", "%job")
    counter = f.load("ptr", f.at("%job", "1", "i64"))
    parts = f.load("i64", f.at("%job", "2", "i64"))
    rows = f.load("i64", f.at("%job", "3", "i64"))
    f.do(f"call void @prepare(ptr {arguments}, i64 %thread, i64 %size)")
    units = f.let(f"icmp eq i64 {parts}, 0")
    with f.when(units):
        f.do(
            f"call void @work(ptr {arguments}, i64 0, i64 {rows}, i64 %thread, i64 %size, "
            f"i64 %thread, ptr {counter})"
        )
    with f.when(f.let(f"icmp sgt i64 {parts}, 0")):
        f.do(f"call void @meet(ptr {counter}, i64 %size)")
        with f.loop("part", "%thread", parts, "%size") as part:
            begin = f.load("i64", f.at("%job", f.let(f"add nsw i64 {part.at}, 4"), "i64"))
            end = f.load("i64", f.at("%job", f.let(f"add nsw i64 {part.at}, 5"), "i64"))
            f.do(
                f"call void @work(ptr {arguments}, i64 {begin}, i64 {end}, i64 0, i64 1, "
                f"i64 %thread, ptr {counter})"
            )
    f.do("ret void")
    return "\n\n".join([f.text(), alone.text()])
