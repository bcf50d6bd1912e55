"""The eager definition as one loop, for those who read a call to run it elsewhere and later.

Read step by step, a call would hold for its number of steps alone, and grow with it. torch.export
is handed PyTorch's `scan`, torch.jit.trace a function in TorchScript: both loop over any number of
steps, and neither needs this library where they are loaded.
"""

from __future__ import annotations

import linecache
import operator
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, final

import torch
import torch.nn.functional as F
from torch import Tensor

from .. import _torch
from . import eager
from .eager import Instruction, Program

VIEWS = (operator.getitem, eager.broadcast, torch.narrow)
"""Functions whose result shares memory with an argument."""


@final
class StepFunction:
    """One step as a function of tensors alone, which returns new ones.

    Args:
        program: of the cell.
        record: the names of the values to return, all of which differ from step to step.

    Attributes:
        states, crossing, shared: the slots of the arguments, in their order: the states before
            the step; what was known for all steps at once; what is the same in every step.
        results: the slots of what is returned: the states after the step, then `record`.
        instructions: what is called.
    """

    def __init__(self, program: Program, record: Sequence[str]) -> None:
        self.program = program
        self.instructions = tuple(program.steps)
        self.states = tuple(program.states[state] for state in program.next)
        self.crossing = program.crossing
        self.results = (*program.next.values(), *(program.values[name] for name in record))
        made = {step.target for step in self.instructions}
        read = {slot for step in self.instructions for slot in step.slots} | set(self.results)
        self.shared = tuple(sorted(read - made - {*self.states, *self.crossing}))
        fresh = {step.target for step in self.instructions if step.function not in VIEWS}
        self.copied = [  # where a result would share memory with an argument or another result
            slot not in fresh or slot in self.results[:index]
            for index, slot in enumerate(self.results)
        ]

    @property
    def slots(self) -> tuple[int, ...]:
        """The slots of all arguments."""
        return (*self.states, *self.crossing, *self.shared)

    def __call__(self, *arguments: Any) -> list[Tensor]:
        """Take the step. What comes after its arguments is there for those who run the loop."""
        slots: list[Any] = [None] * self.program.size
        for slot, argument in zip(self.slots, arguments, strict=False):
            slots[slot] = argument
        eager.execute(self.instructions, slots)
        return [
            slots[slot].clone(memory_format=torch.contiguous_format) if copied else slots[slot]
            for slot, copied in zip(self.results, self.copied, strict=True)
        ]


def run(
    program: Program,
    weights: Mapping[str, Tensor],
    inputs: Mapping[str, Tensor],
    states: Mapping[str, Tensor],
    record: Sequence[str],
    reverse: bool = False,
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Run a cell over sequences of one length in one loop; as `eager.run`, which says what is what.

    Where PyTorch has no loop for its exporter: by `eager.run`, for this number of steps alone.
    """
    loop = scanned if torch.compiler.is_compiling() else scripted
    if loop is scanned and not _torch.has_scan:
        return eager.run(program, weights, inputs, states, record, reverse=reverse)
    x = next(iter(inputs.values()))
    slots = eager.hoisted(program, weights, inputs)
    stepped = [name for name in record if name in program.stepped]
    step = StepFunction(program, stepped)
    crossing = [slots[slot] for slot in step.crossing] or [x]  # it tells how many steps there are
    if reverse:
        crossing = [values.flip(0) for values in crossing]
    first = [states[state].contiguous() for state in program.next]
    results = loop(step, first, crossing, [slots[slot] for slot in step.shared])
    recorded = list(results[len(first) :])
    if reverse:
        recorded = [values.flip(0) for values in recorded]
    found = dict(zip(stepped, recorded, strict=True))
    sequences = {
        name: found[name] if name in found else eager.spread(slots[program.values[name]], x)
        for name in record
    }
    return sequences, dict(zip(program.next, results[: len(first)], strict=True))


def scanned(
    step: StepFunction, states: list[Tensor], crossing: list[Tensor], shared: list[Tensor]
) -> Sequence[Tensor]:
    """Loop by PyTorch's `scan`, which torch.export keeps as one node."""
    idle = len(crossing) - len(step.crossing)  # what is there for its number of steps alone
    count = len(states) + len(step.crossing)

    def combine(*arguments: Any) -> list[Tensor]:
        return step(*arguments[:count], *arguments[count + idle :])

    return _torch.scan(combine, states, crossing, shared)


# TorchScript.


def scripted(
    step: StepFunction, states: list[Tensor], crossing: list[Tensor], shared: list[Tensor]
) -> Sequence[Tensor]:
    """Loop by a function in TorchScript, which torch.jit.trace keeps as one call."""
    return _compiled(script(step))(*states, *crossing, *shared)


@lru_cache(maxsize=64)
def _compiled(text: str) -> Any:
    """Return the function of a text in TorchScript.

    It is defined in Python first: only so does its name get a place in the file of a trace.
    """
    place = f"<loop {hash(text):x}>"
    linecache.cache[place] = (len(text), None, text.splitlines(keepends=True), place)
    names = {"__name__": __name__, "torch": torch, "Tensor": Tensor, "List": list, "Tuple": tuple}
    exec(compile(text, place, "exec"), names)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # its caller has got this one
        return torch.jit.script(names["loop"])


def script(step: StepFunction) -> str:
    """Return a loop over a step in TorchScript."""
    crossing = [f"x{slot}" for slot in step.crossing] or ["x"]
    names = [*(f"v{slot}" for slot in step.states), *crossing, *(f"v{s}" for s in step.shared)]
    ends, record = step.results[: len(step.states)], step.results[len(step.states) :]
    lists = [f"values{index}" for index in range(len(record))]
    after = [f"after{index}" for index in range(len(ends))]
    kinds = ", ".join(["Tensor"] * len(step.results))
    lines = [f"def loop({', '.join(f'{name}: Tensor' for name in names)}) -> Tuple[{kinds}]:"]
    lines += [f"    {name} = torch.jit.annotate(List[Tensor], [])" for name in lists]
    lines += [f"    for t in range({crossing[0]}.size(0)):"]
    body = [f"v{slot} = x{slot}[t]" for slot in step.crossing]
    body += [f"v{each.target} = {_call(each)}" for each in step.instructions]
    body += [f"{name}.append(v{slot})" for name, slot in zip(lists, record, strict=True)]
    # All at once: a state may take the old value of another.
    body += [f"{name} = v{slot}" for name, slot in zip(after, ends, strict=True)]
    body += [f"v{slot} = {name}" for slot, name in zip(step.states, after, strict=True)]
    lines += [f"        {line}" for line in body]
    results = [*(f"v{slot}" for slot in step.states), *(f"torch.stack({name})" for name in lists)]
    return "\n".join([*lines, f"    return {', '.join(results)},", ""])


SCRIPT: dict[Callable[..., Any], str] = {
    operator.getitem: "{0}[{1}]",
    eager.dimension: "torch.full_like(torch.atleast_1d({0})[..., :1], {0}.size(-1))",
    eager.sum_units: "torch.sum({0}, [-1], True)",
    eager.broadcast: "torch.broadcast_tensors([{0}, {1}])[0]",
    eager.normalize: "torch.layer_norm({0}, [{0}.size(-1)], None, None, {1})",
    eager.outer: "torch.mul({0}.unsqueeze(-1), {1}.unsqueeze(-2))",
}
"""By function of an instruction, its call in TorchScript; others are called by their names."""


def _call(instruction: Instruction) -> str:
    """Return an instruction in TorchScript."""
    function, slots, further, _ = instruction
    arguments = [*(f"v{slot}" for slot in slots), *map(repr, further)]
    if function in SCRIPT:
        return SCRIPT[function].format(*arguments)
    home = "torch.nn.functional" if function is F.linear else "torch"
    return f"{home}.{function.__name__}({', '.join(arguments)})"
