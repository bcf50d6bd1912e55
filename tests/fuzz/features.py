"""What a case consists of, to see that all pairs of features have been tried together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import combinations

from .calls import Call
from .written import INPUTS, KINDS, NAMES, STATES, Written

NAMED = {*NAMES, *INPUTS[1:], *STATES[-2], *STATES[-1]} - {"h"}
LAYERS = ("recompute", "bidirectional", "2 layers", "time second", "dropout", "zoneout")
LAYERS += ("variational dropout", "learned states", "long", "few", "many", "T > 1")
LAYERS += ("form: lengths", "form: packed", "form: packed, unsorted", "a length of 0")
"""What a single step does not have."""

GRADIENTS = (
    "loss: ",
    "frozen: ",
    "gradients of gradients",
    "gradients twice",
    "vectorized gradients",
)
"""What inference does not have."""


def features(cell: Written, call: Call) -> list[str]:
    """What a case consists of; no name stands there twice."""
    found = dict.fromkeys(KINDS[line.kind].feature for line in cell.lines)
    read = {argument for line in cell.lines for argument in line.arguments}
    last = {line.name: place for place, line in enumerate(cell.lines)}
    tests = {
        "several states": len(cell.states) > 1,
        "a state that is a number": any(
            line.name in cell.states and not line.arguments for line in cell.lines
        ),
        "an unused value": any(
            line.name not in read and line.name not in cell.states for line in cell.lines
        ),
        "an unnamed value": any(not line.kept for line in cell.lines),
        "a new state is read": any(
            last.get(argument, len(cell.lines)) < place and argument in cell.states
            for place, line in enumerate(cell.lines)
            for argument in line.arguments
        ),
        "the input is not read": cell.x not in read,
        "names of the library": not NAMED.isdisjoint((cell.x, *cell.states, *last)),
        "one step": call.step,
        "I = 1": call.input_size == 1,
        "H = 1": call.hidden_size == 1,
        "H > 8": call.hidden_size > 8,
        "B = 1": call.batch == 1,
        "B > 16": call.batch > 16,
        "T > 1": call.steps > 1 and not call.step,
        "few": not call.step and call.steps * call.batch < 16,
        "many": not call.step and call.steps * call.batch >= 16 and call.batch > 3,
        "long": call.long,
        f"dtype: {call.dtype}": True,
        f"mode: {'gradients' if call.gradients else 'inference'}": True,
        "training": call.training,
        "recompute": call.recompute,
        "bidirectional": call.bidirectional,
        "2 layers": call.num_layers > 1,
        "time second": call.batch_first,
        "no bias": not call.bias,
        "dropout": call.dropout > 0,
        "zoneout": call.zoneout > 0,
        "variational dropout": call.variational_dropout > 0,
        "learned states": call.learn_initial_states,
        f"form: {call.form}": True,
        "a length of 0": 0 in call.lengths,
        "given states": call.given,
        f"recorded: {call.record}": bool(call.record),
        f"loss: {call.loss}": call.gradients,
        f"frozen: {call.frozen}": call.gradients and bool(call.frozen),
        f"two threads: {call.threads}": bool(call.threads),
        "PyTorch's operator": call.operator,
        "gradients of gradients": call.twice and call.gradients,
        "optimised": call.optimised,
        f"layout: {call.layout}": bool(call.layout),
        "gradients twice": call.retained and call.gradients,
        "vectorized gradients": call.batched and call.gradients,
        "inference before": call.before,
        "equal lengths": bool(call.lengths) and len(set(call.lengths)) == 1,
    }
    return [*found, *(name for name, holds in tests.items() if holds)]


def pairs(found: Iterable[str]) -> Iterable[tuple[str, str]]:
    """All pairs of some features, each in the order of the alphabet."""
    return combinations(sorted(found), 2)


def unseen(counts: Counter[tuple[str, str]], names: Iterable[str]) -> list[tuple[str, str]]:
    """The pairs that can stand together and never did."""
    return [pair for pair in pairs(names) if not counts[pair] and not _exclusive(*pair)]


def _exclusive(a: str, b: str) -> bool:
    """Whether no case can have both."""
    kinds = [name.partition(": ")[0] for name in (a, b) if ": " in name]
    if len(kinds) == 2 and kinds[0] == kinds[1]:
        return True
    return any(
        first in names and second.startswith(others)
        for names, others in EXCLUSIVE
        for first, second in ((a, b), (b, a))
    )


EXCLUSIVE: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("one step",), LAYERS),
    (("mode: inference",), GRADIENTS),
    (("few",), ("many", "long", "B > 16")),
    (("many", "B > 16"), ("long", "B = 1", "form: unbatched")),
    (("a length of 0",), ("form: dense", "form: unbatched", "form: packed")),
    (("equal lengths",), ("form: dense", "form: unbatched", "one step")),
    (("form: unbatched",), ("B > 16", "many", "time second")),
    (("form: packed", "form: packed, unsorted"), ("time second",)),
    (("H = 1",), ("H > 8", "project")),
)
"""Features, and the beginnings of those that do not go together with them."""
