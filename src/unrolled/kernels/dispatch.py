"""Which backend a call takes, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any, final
from weakref import WeakKeyDictionary

import msgspec
import torch
from torch import Tensor

from .._torch import decided_once, fixed, is_profiled
from ..graph import parameters, storage
from ..graph.graph import Graph
from ..graph.node import Size
from ..graph.operation import CONDITIONS
from ..locks import compiling
from . import by_rows, eager, looped, profile
from .autograd import operator as operators
from .autograd.description import describe
from .request import Request, Results, is_step
from .runtime import buffers, cache, timeline
from .runtime.cache import Cache
from .runtime.torch_state import (
    DTYPES,
    PLAIN,
    computes_itself,
    eager_reason,
    is_read_elsewhere,
)

if TYPE_CHECKING:
    from .runtime.recurrence import Recurrences


Tensors = Mapping[str, Tensor]

_digests: WeakKeyDictionary[Graph, str] = WeakKeyDictionary()


def digest(graph: Graph) -> str:
    """Return a text that graphs of other equations do not have."""
    if graph not in _digests:
        text = msgspec.json.encode(storage.equations(graph))
        _digests[graph] = sha256(text).hexdigest()
    return _digests[graph]


@final
class Runner:
    """A cell at one size: runs sequences on kernels where it can, else by the eager definition.

    Args:
        graph: of the cell.
        sizes: how many units I, H, P and 1 are.
        recompute: whether a training step on kernels stores nothing but states.

    Attributes:
        parameters: of the cell.
        weights: their names, in the order of requests.
        digest: of the equations: code that torch.compile makes holds for this text alone.
    """

    def __init__(self, graph: Graph, sizes: Mapping[Size, int], recompute: bool = False) -> None:
        self.graph = graph
        self.digest = digest(graph)
        self.sizes = dict(sizes)
        self.recompute = recompute
        self.program = eager.Program(graph, sizes)
        self._x = next(iter(graph.inputs))
        self._recurrences: dict[tuple[torch.dtype, int], Recurrences | str] = {}
        self.parameters = parameters(graph)
        self.weights = tuple(parameter.name for parameter in self.parameters)
        self._replays = Cache(cache.calls)
        self._replay: Callable[..., Any] | None = None  # once there is a request to replay
        self._shapes: dict[int, tuple[tuple[int, ...], ...]] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return Runner, (self.graph, self.sizes, self.recompute)

    def __deepcopy__(self, memo: dict[int, Any]) -> Runner:
        return self

    def recurrences(self, dtype: torch.dtype, width: int) -> Recurrences | str:
        """Return the kernels for a dtype and a width of the input, or why there are none."""
        key = dtype, width
        if key not in self._recurrences:
            self._recurrences[key] = self._compiled(dtype, width)
        return self._recurrences[key]

    def _compiled(self, dtype: torch.dtype, width: int) -> Recurrences | str:
        try:
            with compiling():  # a fork waits for imports, too: they have locks of their own
                from .autograd import node  # noqa: F401
                from .planning.schedule import UnsupportedError
                from .runtime.recurrence import recurrences
        except ImportError as error:  # llvmlite has no build for every platform
            return f"kernels need llvmlite: {error}"
        size = self.graph.inputs[self._x]
        if 0 in (width, self.sizes["hidden"]):
            return "there are no units"
        try:
            return recurrences(self.graph, {**self.sizes, size: width}, dtype, self.recompute)
        except UnsupportedError as error:
            return str(error)

    def request(
        self,
        weights: Mapping[str, Tensor],
        inputs: Mapping[str, Tensor],
        states: Mapping[str, Tensor],
        record: Sequence[str] = (),
        batch_sizes: Sequence[int] | None = None,
        reverse: bool = False,
    ) -> Request:
        """Return the request for a run over sequences; arguments are those of `eager.run`."""
        return Request(
            [weights[name] for name in self.weights],
            [inputs[name] for name in self.graph.inputs],
            [states[name].unsqueeze(0) for name in self.graph.states],
            tuple(record),
            batch_sizes,
            reverse,
        )

    def run(self, requests: Sequence[Request]) -> list[Results]:
        """Return the results of requests on one input, such as the directions of a layer."""
        if torch.compiler.is_dynamo_compiling():
            return [self._read(request) for request in requests]
        known = self.replay(requests)
        return known or [self._run(request) for request in requests]

    def replay(self, requests: Sequence[Request]) -> list[Results] | None:
        """Return the results of requests like earlier ones; None if one is not."""
        if self._replay is None:
            return None
        if is_profiled():
            return self._profiled(self._replay, requests)
        return self._replay(self._replays, requests)

    def _profiled(self, replay: Callable[..., Any], requests: Sequence[Request]) -> Any:
        """Return the same, and tell the profiler of it."""
        with profile.region(self.graph.name):
            found = replay(self._replays, requests)
            for request in requests if found is not None else ():
                self._tell(request)
        return found

    def _tell(self, request: Request) -> None:
        """Tell the profiler of the products of a request that a kernel served."""
        x = request.inputs[0]
        width = x.shape[-1]
        profile.forward(x.numel() // width, self.shapes(width))

    def _run(self, request: Request) -> Results:
        """Run a request that is the first of its kind."""
        self._check(request)
        if computes_itself(request.weights):
            return self.run_by_rows(request)
        user, (weights, inputs, states) = self.graph.name, self._named(request)
        weights, inputs, states = buffers.sound(user, weights, inputs, states)
        x, sizes = inputs[self._x], request.batch_sizes
        if sizes is not None:
            timeline.check(user, sizes, next(iter(states.values())).shape[-2], len(x))
        tensors = [*inputs.values(), *states.values(), *weights.values()]
        found = self._chosen(tensors, x, request.record)
        further = request.record, sizes, request.reverse
        if isinstance(found, str):
            return self._defined(request, weights, inputs, states)
        from . import replay
        from .autograd import node as compiled

        run = partial(compiled.run, found, weights, inputs, states, *further)
        if is_profiled():
            with profile.region(self.graph.name):
                values, last = run()
                self._tell(request)
        else:
            values, last = run()
        if sizes is None:
            names = self.weights, tuple(self.graph.inputs)
            call = compiled.call(found, inputs, states, *further)
            replay.learn(self._replays, call, *names, request)
            self._replay = replay.replay
        return list(values.values()), [last[state] for state in self.graph.states]

    def run_by_rows(self, request: Request, valid: Tensor | None = None) -> Results:
        """Run a request with weights that make products themselves.

        Args:
            request: not ragged: products have to have all rows.
            valid: (T, B), whether a row has a step; None if all have all.
        """
        weights, inputs, states = self._named(request)
        inputs = _sequences(buffers.sound(self.graph.name, inputs)[0], request)
        x = next(iter(inputs.values()))
        rows = {
            name: by_rows.repeated(state, x.shape[1], x) if len(state.shape) == 1 else state
            for name, state in states.items()
        }
        given = weights, inputs, _rows(buffers.sound(self.graph.name, rows)[0], request)
        found = by_rows.run(self.program, *given, request.record, request.reverse, valid)
        return _shaped(request, *found)

    def _named(self, request: Request) -> tuple[Tensors, Tensors, Tensors]:
        """Return weights, inputs and states by name, with states where they are 0."""
        inputs = dict(zip(self.graph.inputs, request.inputs, strict=True))
        given, x = request.states, request.inputs[0]
        if given is None:
            rows = x.shape[:-1] if is_step(request) else (1, x.shape[1])
            given = [x.new_zeros(*rows, self.sizes[s]) for s in self.graph.states.values()]
        states = dict(zip(self.graph.states, given, strict=True))
        return dict(zip(self.weights, request.weights, strict=True)), inputs, states

    def _read(self, request: Request) -> Results:
        """Run a request, as torch.compile reads it."""
        self._check(request)
        if computes_itself(request.weights):
            return self.run_by_rows(request)
        weights, inputs, states = self._named(request)
        tensors = [*inputs.values(), *states.values(), *weights.values()]
        if eager_reason() is None and _kinds(tensors) is None:
            x = inputs[self._x]
            made_for = self.digest, self.recompute  # modules of other cells share their code
            found = self._described(
                x.dtype, fixed(x.shape[-1]), self.weights, request.record, made_for
            )
            if found is not None:
                given = found, weights, _sequences(inputs, request), _rows(states, request)
                further = request.record, request.batch_sizes, request.reverse
                return _shaped(request, *operators.run(*given, *further))
        return self._defined(request, weights, inputs, states)

    def _defined(
        self, request: Request, weights: Tensors, inputs: Tensors, states: Tensors
    ) -> Results:
        """Run a request by the eager definition."""
        sizes, further = request.batch_sizes, (request.record, request.reverse)
        given = self.program, weights, _sequences(inputs, request), _rows(states, request)
        if sizes is None and not is_step(request) and is_read_elsewhere():
            return _shaped(request, *looped.run(*given, *further))
        return _shaped(request, *eager.run(*given, request.record, sizes, request.reverse))

    @decided_once
    def _described(
        self,
        dtype: torch.dtype,
        width: int,
        weights: tuple[str, ...],
        record: tuple[str, ...],
        made_for: tuple[str, bool],
    ) -> str | None:
        """Return the operators' text; None if there are no kernels.

        The compiler takes it to depend on the arguments alone, and looks for nothing else again.
        """
        assert made_for == (self.digest, self.recompute)
        found = self.recurrences(dtype, width)
        if isinstance(found, str) or _unrecorded(found, record) is not None:
            return None
        return describe(self.graph, found.many.sizes, weights, record, self.recompute)

    def _check(self, request: Request) -> None:
        """Refuse a parameter of another shape: broadcast or cut, it would make numbers."""
        shapes = self.shapes(fixed(request.inputs[0].shape[-1]))
        for name, weight, shape in zip(self.weights, request.weights, shapes, strict=True):
            if getattr(weight, "shape", None) != shape:
                got = tuple(getattr(weight, "shape", ())) or type(weight).__name__
                raise RuntimeError(
                    f"{self.graph.name}: {name} should have shape {shape}, got {got}"
                )

    @decided_once
    def shapes(self, width: int) -> tuple[tuple[int, ...], ...]:
        """Return the shape of each parameter, for inputs of a width."""
        if width not in self._shapes:
            sizes: dict[Size, int] = {**self.sizes, self.graph.inputs[self._x]: width}
            self._shapes[width] = tuple(p.shape(sizes) for p in self.parameters)
        return self._shapes[width]

    def obstacle(self, request: Request) -> str | None:
        """Return why a request goes to the eager definition; None if to a kernel."""
        tensors = [*request.inputs, *(request.states or ()), *request.weights]
        found = self._chosen(tensors, request.inputs[0], request.record)
        return found if isinstance(found, str) else None

    def _chosen(
        self, tensors: Sequence[Tensor], x: Tensor, record: Sequence[str]
    ) -> Recurrences | str:
        """Return the kernels that a request goes to, or why it goes to the eager definition."""
        reason = eager_reason() or _kinds(tensors)
        if reason is not None:
            return reason
        found = self.recurrences(x.dtype, x.shape[-1])
        if isinstance(found, str):
            return found
        return _unrecorded(found, record) or found


def _sequences(inputs: Tensors, request: Request) -> Tensors:
    """Return inputs for the definition, those of a step as sequences of one step."""
    if not is_step(request):
        return inputs
    return {name: value.unsqueeze(0) for name, value in inputs.items()}


def _rows(states: Tensors, request: Request) -> Tensors:
    """Return states for the definition, (B, units)."""
    found = {}
    for name, state in states.items():
        if state.dim() == 1:
            found[name] = state.expand(request.inputs[0].shape[1], -1)
        else:
            found[name] = state.squeeze(0) if state.dim() == 3 else state
    return found


def _shaped(request: Request, values: Tensors, last: Tensors) -> Results:
    """Return the results of the definition, with last states as they are asked for."""
    ends = list(last.values())
    if not is_step(request):  # by themselves: a step may have saved them, and they may be changed
        ends = [torch.stack([end]) for end in ends]
    return list(values.values()), ends


def _unrecorded(found: Recurrences, record: Sequence[str]) -> str | None:
    """Return which value kernels cannot record, and why."""
    probes = found.many.split.probes
    for name in record:
        if name not in probes:
            return f"{name} is computed outside the loop"
        if probes[name].operation in CONDITIONS:
            return f"{name} is a condition"
        if name in found.many.unsupported:
            return f"{name}: {found.many.unsupported[name]}"
    return None


def _kinds(tensors: Sequence[Tensor]) -> str | None:
    """Return what about the tensors no kernel takes; None if nothing."""
    dtype, compiling = tensors[0].dtype, torch.compiler.is_dynamo_compiling()
    for tensor in tensors:
        if type(tensor) not in PLAIN:
            return f"{type(tensor).__name__} is not a plain tensor"
        if not tensor.is_cpu:
            return f"there is no kernel for {tensor.device.type}"
        if not compiling and tensor.layout is not torch.strided:  # it takes no other
            return f"there is no kernel for {tensor.layout}"
        if tensor.dtype is not dtype or dtype not in DTYPES:
            return f"there is no kernel for {tensor.dtype}"
    if tensors[0].numel() == 0:
        return "there are no rows"
    return None
