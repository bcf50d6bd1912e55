"""From a failing case to a small one that fails in the same way."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import fields, replace

from .calls import Call
from .check import Verdict, check
from .written import KINDS, Line, Written

SECONDS = 120.0
"""How long is looked for smaller cases."""


def shrunk(
    cell: Written,
    call: Call,
    verdict: Verdict,
    run: Callable[[Written, Call], Verdict] = check,
    seconds: float = SECONDS,
) -> tuple[Written, Call, Verdict]:
    """The smallest case found that fails as the given one does, and its verdict."""
    until = time.monotonic() + seconds
    found = True
    while found and time.monotonic() < until:
        found = False
        for smaller in _smaller(cell, call):
            if time.monotonic() > until:
                break
            new = run(*smaller)
            if new.status == "failed" and _kind(new) == _kind(verdict):
                (cell, call), verdict, found = smaller, new, True
                break
    return cell, call, verdict


def isolated(cell: Written, call: Call) -> Verdict:
    """The verdict of a case that may end its process."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            os.write(writer, json.dumps(check(cell, call)).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answers:
        answer = answers.read()
    _, status = os.waitpid(child, 0)
    if answer:
        return Verdict(*json.loads(answer))
    return Verdict("failed", f"the process ended with {os.waitstatus_to_exitcode(status)}")


def _kind(verdict: Verdict) -> str:
    """What failures of one cause have in common: the place of an exception, or how it failed."""
    head, colon, _ = verdict.detail.partition(": ")
    if colon and " in " in head:
        return head
    return "crash" if verdict.detail.startswith("the process ended") else "difference"


def _smaller(cell: Written, call: Call) -> Iterator[tuple[Written, Call]]:
    """Cases that are simpler by one thing, the largest changes first."""
    for new in _fewer_lines(cell):
        yield new, call
    for new in _simpler_calls(call):
        yield cell, new
    for new in _simpler_lines(cell):
        yield new, call


def _fewer_lines(cell: Written) -> Iterator[Written]:
    for state in cell.states if len(cell.states) > 1 else ():
        rest = tuple(other for other in cell.states if other != state)
        lines = [line for line in cell.lines if line.name != state]
        yield cell._replace(states=rest, lines=tuple(_with(line, state, rest[0]) for line in lines))
    for place, line in enumerate(cell.lines):
        if line.name in cell.states:
            continue
        before, after = cell.lines[:place], cell.lines[place + 1 :]
        for instead in (*line.arguments, *cell.states):
            new = tuple(_with(each, line.name, instead) for each in after)
            yield cell._replace(lines=(*before, *new))
    if cell.x != "x":
        yield Written(cell.states, tuple(_with(line, cell.x, "x") for line in cell.lines))


def _with(line: Line, name: str, instead: str) -> Line:
    """The line that reads one value instead of another."""
    arguments = tuple(instead if each == name else each for each in line.arguments)
    return line._replace(arguments=arguments)


def _simpler_lines(cell: Written) -> Iterator[Written]:
    for place, line in enumerate(cell.lines):
        others = [
            line._replace(kind=kind, arguments=line.arguments[: KINDS[kind].arguments])
            for kind in SIMPLE
            if KINDS[kind].arguments <= len(line.arguments) and _rank(kind) < _rank(line.kind)
        ]
        if not line.kept:
            others.append(line._replace(kept=True))
        if line.name not in cell.states and line.name not in SIMPLE_NAMES:
            free = [name for name in SIMPLE_NAMES if name not in {li.name for li in cell.lines}]
            yield _renamed(cell, line.name, free[0])
        for new in others:
            yield cell._replace(lines=(*cell.lines[:place], new, *cell.lines[place + 1 :]))


SIMPLE = ("{0}", "tanh({0})", "affine({0})", "{0} + {1}", "{0} * {1}", "affine({0}, {1})")
"""What lines are replaced by, the simplest first."""

SIMPLE_NAMES = tuple(f"v{number}" for number in range(30))


def _rank(kind: str) -> int:
    return SIMPLE.index(kind) if kind in SIMPLE else len(SIMPLE)


def _renamed(cell: Written, name: str, new: str) -> Written:
    lines = (_with(line, name, new) for line in cell.lines)
    return cell._replace(
        lines=tuple(line._replace(name=new) if line.name == name else line for line in lines)
    )


def _simpler_calls(call: Call) -> Iterator[Call]:
    default = Call()
    for field in fields(Call):
        name, simplest = field.name, getattr(default, field.name)
        value = getattr(call, name)
        if value == simplest or (name == "proj_size" and value == 1):
            continue
        if name == "lengths":
            continue
        if name == "form":
            yield replace(call, form="dense", lengths=())
        elif name == "num_layers":
            yield replace(call, num_layers=1, dropout=0.0)
        elif isinstance(value, int) and not isinstance(value, bool):
            for smaller in dict.fromkeys((max(simplest, 1), value // 2, value - 1)):
                if max(simplest, 1) <= smaller < value:
                    yield _fitted(replace(call, **{name: smaller}))
        else:
            yield replace(call, **{name: simplest})


def _fitted(call: Call) -> Call:
    """The call with lengths for its rows, within its steps."""
    lengths = tuple(min(length, call.steps) for length in call.lengths[: call.batch])
    if call.form.startswith("packed") and lengths:
        lengths = (call.steps, *lengths[1:])
    return replace(call, lengths=lengths)
