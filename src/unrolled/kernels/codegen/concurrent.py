"""Several kernels at once, each on a thread of its own: directions do not wait for each other."""

from __future__ import annotations

from .ir import Function, Target


def text(target: Target) -> str:
    """The module: ``run`` works through a list of jobs alone, ``team`` shares it among threads.

    The list is how many launches there are, then of each its function and its argument block.
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
