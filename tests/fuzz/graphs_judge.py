"""What becomes of one stored cell: it is refused in words, or everything can be done with it."""

from __future__ import annotations

import json
import warnings
from typing import Any, NamedTuple

import numpy
import torch
from torch import Tensor

import unrolled
from unrolled.equations import Cell
from unrolled.errors import CellError
from unrolled.graph import parameters
from unrolled.graph.parameters import weights
from unrolled.kernels.eager import Program, run
from unrolled.printing.latex import latex
from unrolled.printing.python import python

UNITS: Any = {"input": 3, "hidden": 4, "projection": 2, "one": 1}
STEPS, ROWS = 3, 2

MESSAGE = 2_000
"""Letters of the longest message that is taken for one."""

COMPILED = 120
"""Nodes up to which a cell's kernels are compiled."""


class Verdict(NamedTuple):
    """What became of a case.

    Attributes:
        outcome: ``refused``, ``no JSON``, ``kernel``, ``definition`` where there is no kernel, or
            ``large`` where none is compiled; else what is wrong.
        note: the message, or what differs.
    """

    outcome: str
    note: str = ""


def judge(text: str, backward: bool = False) -> Verdict:
    """Return what becomes of a stored cell; every other exception than CellError is wrong."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        return Verdict("no JSON", type(error).__name__)
    try:
        cell = Cell.from_json(data)
        module = unrolled.Recurrent(
            cell,
            UNITS["input"],
            UNITS["hidden"],
            proj_size=UNITS["projection"] if cell.projects else 0,
            dtype=torch.float64,
        )
    except CellError as error:
        message = str(error)
        message.encode()
        fine = 10 < len(message) <= MESSAGE
        return Verdict("refused" if fine else "message", message[:200])
    source = _printed(cell)
    if len(cell.graph.order) > 2_000:
        return Verdict("large")
    return _compared(cell, module, source, backward)


def _printed(cell: Cell) -> str:
    """The cell as Python, after everything was printed that can be."""
    repr(cell), repr(cell.graph.order[-1]), str(cell.latex())
    source = cell.python()
    compile(source, "cell", "exec")
    back = cell.derivative
    latex(back)
    compile(python(back), "derivative", "exec")
    assert Cell.from_json(json.loads(json.dumps(cell.to_json()))) == cell
    return source


def _compared(cell: Cell, module: Any, source: str, backward: bool) -> Verdict:
    """Run the definition, the printed Python and the kernel."""
    torch.manual_seed(0)
    x = torch.randn(STEPS, ROWS, UNITS["input"], dtype=torch.float64)
    arrays = {p.name: getattr(module, f"{p.name}_l0") for p in parameters(cell.graph)}
    units = {**UNITS, "projection": UNITS["projection"] if cell.projects else 0}
    program = Program(cell.graph, units)
    expected = _defined(program, arrays, x)
    slack = _slack(program, arrays, x, expected)
    difference = _difference(_by_hand(cell, source, arrays, x), expected, slack)
    if difference:
        return Verdict("Python differs", difference)
    if len(cell.graph.order) > COMPILED:
        return Verdict("large")
    with torch.no_grad():
        found = _called(module, x)
    difference = _difference(found, expected, slack)
    if difference:
        return Verdict("kernel differs", difference)
    if backward:
        output, _ = module(x.requires_grad_())
        if output.requires_grad:
            output.sum().backward()
    return Verdict("kernel" if unrolled.explain(module, x).startswith("compiled") else "definition")


def _defined(program: Program, arrays: dict[str, Tensor], x: Tensor) -> dict[str, Tensor]:
    graph = program.graph
    states = {s: x.new_zeros(ROWS, program.sizes[size]) for s, size in graph.states.items()}
    with torch.no_grad():
        _, last = run(program, arrays, {next(iter(graph.inputs)): x}, states, [])
    return last


def _called(module: Any, x: Tensor) -> dict[str, Tensor]:
    _, last = module(x)
    last = last if isinstance(last, tuple) else (last,)
    return {name: value[0] for name, value in zip(module.graph.states, last, strict=True)}


def _by_hand(cell: Cell, source: str, arrays: dict[str, Tensor], x: Tensor) -> dict[str, Tensor]:
    """What the printed function makes of the rows, one after the other."""
    names: dict[str, Any] = {}
    exec(source, names)
    function = [value for value in names.values() if callable(value)][-1]
    given = {name: value.detach().numpy() for name, value in weights(cell.graph, arrays).items()}
    graph, found = cell.graph, []
    for row in range(ROWS):
        old = {s: numpy.zeros(UNITS[size]) for s, size in graph.states.items()}
        for step in x[:, row].numpy():
            with numpy.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                new = function(**{next(iter(graph.inputs)): step}, **old, **given)
            new = new if len(old) > 1 else (new,)
            old = {
                s: numpy.broadcast_to(value, (UNITS[graph.states[s]],)).astype(float)
                for s, value in zip(old, new, strict=True)
            }
        found.append(old)
    return {s: torch.tensor(numpy.stack([row[s] for row in found])) for s in graph.states}


def _slack(
    program: Program, arrays: dict[str, Tensor], x: Tensor, expected: dict[str, Tensor]
) -> dict[str, Tensor]:
    """How far rounding alone may lead apart: what changes of 1e-13 in the input and weights do."""
    slack = {name: value.abs() * 1e-9 + 1e-11 for name, value in expected.items()}
    for factor in (1 + 1e-13, 1 - 1e-13):
        moved = {name: value * factor for name, value in arrays.items()}
        again = _defined(program, moved, x * factor)
        for name, value in again.items():
            change = (value - expected[name]).abs() * 100
            slack[name] = slack[name] + change.nan_to_num(torch.inf, torch.inf)
    return slack


def _difference(
    found: dict[str, Tensor], expected: dict[str, Tensor], slack: dict[str, Tensor]
) -> str:
    """What differs, in words; "" if nothing does."""
    for name, value in expected.items():
        other = found[name].detach()
        same = ((other - value).abs() <= slack[name]) | (other == value)
        same |= other.isnan() & value.isnan() | slack[name].isinf()
        if not bool(same.all()):
            return f"{name}: {other[~same][:3].tolist()} {value[~same][:3].tolist()}"
    return ""
