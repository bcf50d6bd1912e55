"""One run of a cell's equations, and who may watch or change it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol, final

import torch
from torch import Tensor

from .. import _torch, locks
from ..graph.graph import Graph
from ..graph.node import Node
from ..graph.operation import Operation
from ..graph.rewrite import rewrite
from ..kernels import eager
from ..kernels.dispatch import Runner
from ..kernels.request import Request, Results
from ..kernels.runtime.torch_state import computes_itself
from .sequence import Sequences

Values = dict[str, Tensor]


@final
@dataclass(frozen=True)
class ProbedCall:
    """One layer in one direction over its sequences, or one step of a cell.

    Attributes:
        suffix: of the parameters' names, such as ``_l0_reverse``; empty for a step.
        engine: what computes it; a `Program` is the eager definition.
        weights, inputs, states: by name, as for `eager.run`.
        form: how the rows and steps of the inputs stand.
        reverse: whether steps run from the last to the first.
    """

    suffix: str
    engine: Runner | eager.Program
    weights: Mapping[str, Tensor]
    inputs: Mapping[str, Tensor]
    states: Mapping[str, Tensor]
    form: Sequences
    reverse: bool = False

    @property
    def graph(self) -> Graph:
        """The equations."""
        return self.engine.graph

    @property
    def program(self) -> eager.Program:
        """The eager definition."""
        return self.engine.program if isinstance(self.engine, Runner) else self.engine

    def obstacle(self, record: Sequence[str]) -> str | None:
        """Return why the eager definition computes some values; None if a kernel does."""
        if not isinstance(self.engine, Runner):
            return "there is no kernel for this call"
        return self.engine.obstacle(self._request(self.engine, record))

    def run(self, record: Sequence[str]) -> tuple[Values, Values]:
        """Return the values of every step, in the order of the inputs, and the last states."""
        if not isinstance(self.engine, Runner):
            arguments = (self.weights, self.inputs, self.states, record)
            return eager.run(self.engine, *arguments, self.form.batch_sizes, self.reverse)
        ((values, last),) = self.engine.run([self._request(self.engine, record)])
        ends = zip(self.graph.states, last, strict=True)
        return dict(zip(record, values, strict=True)), {s: end.squeeze(0) for s, end in ends}

    def _request(self, runner: Runner, record: Sequence[str]) -> Request:
        return runner.request(
            self.weights, self.inputs, self.states, record, self.form.batch_sizes, self.reverse
        )


class Watched(Protocol):
    """A module whose calls come to its probes."""

    _probes: tuple[Probe, ...]


class Probe:
    """Abstract: watches or changes the calls of some modules while it is attached to them.

    It sees the calls of the thread that made it, and no others.
    """

    def __init__(self) -> None:
        self._thread = threading.get_ident()
        self._modules: list[Watched] = []

    def attach(self, modules: Iterable[Watched]) -> None:
        """Let calls of these modules come here from now on."""
        for module in modules:
            self._modules.append(module)
            with _lock():
                module._probes = (*module._probes, self)

    def detach(self) -> None:
        """Let calls come here no longer."""
        for module in self._modules:
            with _lock():
                module._probes = tuple(probe for probe in module._probes if probe is not self)
        self._modules.clear()

    @property
    def active(self) -> bool:
        """Whether this thread's calls are meant; copies of a module keep no probe that acts."""
        return bool(self._modules) and threading.get_ident() == self._thread

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return Detached, ()

    def change(self, module: Any, call: ProbedCall) -> ProbedCall:
        """Return the call that is made instead."""
        return call

    def wanted(self, module: Any, call: ProbedCall) -> Sequence[str]:
        """Return the names of the values to be seen."""
        return ()

    def pass_on(
        self, module: Any, call: ProbedCall, values: Values, last: Values
    ) -> tuple[Values, Values]:
        """Return the output of every step and the last states as the model goes on with them."""
        return values, last

    @property
    def changes(self) -> bool:
        """Whether calls are changed, not only seen."""
        return False

    @property
    def keeps_graph(self) -> bool:
        """Whether what is seen can be differentiated."""
        return False

    def see(self, module: Any, call: ProbedCall, values: Mapping[str, Tensor]) -> None:
        """Take the wanted values of every step, in the order of the inputs."""


@final
class Detached(Probe):
    """What copies and files of a module hold in place of a probe."""


_lock = locks.Lock()


@contextmanager
def attached(probe: Probe, modules: Iterable[Watched]) -> Iterator[None]:
    """Let calls of some modules come to a probe while the context is open."""
    try:
        try:
            probe.attach(modules)
            yield
        finally:
            probe.detach()
    finally:
        probe.detach()  # once more: an interrupt may have come in the middle of the first


def refuse_compilers(user: str) -> None:
    """Raise RuntimeError where PyTorch compiles or traces a call, which takes it from its probes.

    Args:
        user: who asks, for the message.
    """
    if torch.compiler.is_compiling() or _torch.is_tracing():
        _refuse(user)


@_torch.decided_once  # an error that the compiler traced would make it go on uncompiled
def _refuse(user: str) -> None:
    raise RuntimeError(
        f"{user}: record() and edit() need plain calls: call the model that was not compiled, "
        "exported or traced, or leave their context first"
    )


def watched(
    module: Watched, suffix: str, runner: Runner, request: Request, form: Sequences
) -> Results:
    """Return the results of a request for sequences; the module's probes watch and change it."""
    weights, inputs, states = request[:3]
    if computes_itself(weights):
        kinds = sorted({type(weight).__name__ for weight in weights} - {"Parameter"})
        raise RuntimeError(
            f"{type(module).__name__}: record() and edit() need plain parameters, got "
            f"{', '.join(kinds)}"
        )
    call = ProbedCall(
        suffix,
        runner,
        dict(zip(runner.weights, weights, strict=True)),
        dict(zip(runner.graph.inputs, inputs, strict=True)),
        {n: s.squeeze(0) for n, s in zip(runner.graph.states, states or (), strict=True)},
        form,
        request.reverse,
    )
    probes = [probe for probe in module._probes if probe.active]
    for probe in probes:
        call = probe.change(module, call)
    wanted = {probe: probe.wanted(module, call) for probe in probes}
    names = list(dict.fromkeys(name for each in wanted.values() for name in each))
    kept = any(probe.keeps_graph for probe, each in wanted.items() if each)
    output = call.graph.output
    values, last, seen = _both(call, output, names, kept)
    for probe, each in wanted.items():
        if each:
            found = {n: seen[n] if probe.keeps_graph else seen[n].detach() for n in each}
            probe.see(module, call, found)
    for probe in probes:
        values, last = probe.pass_on(module, call, values, last)
    value = values[output].clone() if output in names else values[output]  # seen: not the model's
    return [value], [torch.stack([state]) for state in last.values()]


def _both(
    call: ProbedCall, output: str, names: list[str], kept: bool
) -> tuple[Values, Values, Values]:
    """Return the output as without probes, the last states, and the values to be seen.

    Kernels save for the backward pass what the equations need, not what is watched: unless the
    values are to be differentiated, they come from a second run without a backward pass.
    """
    others = [name for name in names if name not in call.inputs]
    seen = {name: call.inputs[name] for name in names if name in call.inputs}
    if not names or kept or not _differentiated(call) or call.obstacle([output]) is not None:
        values, last = replayed(call, list(dict.fromkeys([output, *others])))
        seen |= {name: values[name] for name in others}
        return values, last, seen
    values, last = call.run([output])
    with torch.no_grad():
        seen |= replayed(call, others)[0] if others else {}
    return values, last, seen


def _differentiated(call: ProbedCall) -> bool:
    tensors = (*call.inputs.values(), *call.states.values(), *call.weights.values())
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)


def replayed(call: ProbedCall, names: Sequence[str]) -> tuple[Values, Values]:
    """Return what `ProbedCall.run` returns, values that no kernel hands out among them.

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
    old = {_old(state): before(call, state, values[state]) for state in states}
    again = eager.Program(_open(call.graph), call.program.sizes)
    inputs = {**call.inputs, **old}
    slots = eager.hoisted(again, call.weights, inputs)
    shape = call.form.data.shape[:-1]
    for name in names:
        if name not in values:
            value = slots[again.values[name]]
            values[name] = torch.broadcast_to(value, (*shape, *(value.shape[-1:] or (1,))))
    return {name: values[name] for name in names}, last


def before(call: ProbedCall, state: str, after: Tensor) -> Tensor:
    """Return a state before every step, given it after every step; both like the inputs."""
    first, sizes = call.states[state], call.form.batch_sizes
    if sizes is None:
        parts = (
            [after[1:], first.unsqueeze(0)] if call.reverse else [first.unsqueeze(0), after[:-1]]
        )
        return torch.cat(parts)
    if not sizes:  # every row has length 0
        return after
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
    """Return the graph with old states as inputs: all values as functions of inputs alone."""

    def rule(node: Node) -> Node | None:
        is_state = node.operation is Operation.STATE
        return Node(Operation.INPUT, (), _old(node.attribute)) if is_state else None

    new = rewrite(graph.probes.values(), rule)
    inputs = dict(graph.inputs)
    inputs.update({_old(state): size for state, size in graph.states.items()})
    return Graph(graph.name, inputs, {}, {name: new[node] for name, node in graph.probes.items()})
