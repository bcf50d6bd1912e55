"""Values that no kernel hands out, computed again from the states that it does hand out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..graph.graph import Graph
from ..graph.node import Node
from ..graph.operation import Operation
from ..graph.rewrite import rewrite
from ..kernels import eager

if TYPE_CHECKING:
    from .call import Call, Values


def replayed(call: Call, names: Sequence[str]) -> tuple[Values, Values]:
    """Run a call; results as of `Call.run`.

    On a kernel, what it cannot hand out is computed after it for all steps at once: given the
    states before each step, which it can hand out, no value depends on another step.
    """
    if call.form.data.shape[0] == 0:  # every row has length 0
        program = call.program
        units = {name: program.sizes[call.graph.sizes[call.graph.probes[name]]] for name in names}
        empty = {name: call.form.data.new_zeros(0, units[name]) for name in names}
        return empty, dict(call.states)
    if call.obstacle(names) is None or call.obstacle([call.graph.output]) is not None:
        return call.run(names)
    given = [name for name in names if call.obstacle([name]) is None]
    states = list(call.states)
    values, last = call.run(list(dict.fromkeys([*given, *states])))
    old = {state: before(call, state, values[state]) for state in states}
    again = eager.Program(_open(call.graph), call.program.sizes)
    inputs = {**call.inputs, **{_old(state): value for state, value in old.items()}}
    slots = eager.hoisted(again, call.weights, inputs)
    shape = call.form.data.shape[:-1]
    for name in names:
        if name not in values:
            value = slots[again.values[name]]
            values[name] = torch.broadcast_to(value, (*shape, *(value.shape[-1:] or (1,))))
    return {name: values[name] for name in names}, last


def before(call: Call, state: str, after: Tensor) -> Tensor:
    """A state before every step, from the states after every step; both like the inputs."""
    first, sizes = call.states[state], call.form.batch_sizes
    if sizes is None:
        parts = (
            [after[1:], first.unsqueeze(0)] if call.reverse else [first.unsqueeze(0), after[:-1]]
        )
        return torch.cat(parts)
    steps = list(after.split(list(sizes)))
    if not call.reverse:
        earlier = [first, *steps[:-1]]
        return torch.cat([old[:count] for old, count in zip(earlier, sizes, strict=True)])
    later = [*steps[1:], first[:0]]
    return torch.cat(
        [torch.cat([old, first[len(old) : n]]) for old, n in zip(later, sizes, strict=True)]
    )


def _old(state: str) -> str:
    return f"old {state}"


@lru_cache(maxsize=64)
def _open(graph: Graph) -> Graph:
    """The same values as functions of inputs alone: old states are inputs too."""

    def rule(node: Node) -> Node | None:
        if node.operation is not Operation.STATE:
            return None
        return Node(Operation.INPUT, (), _old(node.attribute))

    new = rewrite(graph.probes.values(), rule)
    inputs = dict(graph.inputs)
    inputs.update({_old(state): size for state, size in graph.states.items()})
    return Graph(graph.name, inputs, {}, {name: new[node] for name, node in graph.probes.items()})
