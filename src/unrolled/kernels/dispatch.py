"""Which backend a call takes, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, final

import torch
from torch import Tensor

from .._torch import decided_once, fixed
from ..graph import parameters
from ..graph.graph import Graph
from ..graph.node import Size
from ..graph.operation import CONDITIONS
from ..locks import compiling
from . import eager
from .autograd import operator as operators
from .runtime import buffers, timeline
from .runtime.torch_state import DTYPES, PLAIN, surroundings

if TYPE_CHECKING:
    from .runtime.call import Call
    from .runtime.recurrence import Recurrences


@final
class Runner:
    """A cell at one size: runs sequences on kernels where it can, else by the eager definition.

    Args:
        graph: of the cell.
        sizes: how many units I, H, P and 1 are.
        recompute: whether a training step on kernels stores nothing but states.
    """

    def __init__(self, graph: Graph, sizes: Mapping[Size, int], recompute: bool = False) -> None:
        self.graph = graph
        self.sizes = dict(sizes)
        self.recompute = recompute
        self.program = eager.Program(graph, sizes)
        self._x = next(iter(graph.inputs))
        self._recurrences: dict[tuple[torch.dtype, int], Recurrences | str] = {}
        self._parameters = parameters(graph)
        self._shapes: dict[int, tuple[tuple[str, tuple[int, ...]], ...]] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return Runner, (self.graph, self.sizes, self.recompute)

    def __deepcopy__(self, memo: dict[int, Any]) -> Runner:
        return self

    def recurrences(self, dtype: torch.dtype, width: int) -> Recurrences | str:
        """The kernels for a dtype and a width of the input, or why there are none."""
        key = dtype, width
        if key not in self._recurrences:
            self._recurrences[key] = self._compiled(dtype, width)
        return self._recurrences[key]

    def _compiled(self, dtype: torch.dtype, width: int) -> Recurrences | str:
        try:
            with compiling():  # a fork waits for imports, too: they have locks of their own
                from .autograd import node  # noqa: F401
                from .planning.schedule import UnsupportedError
                from .runtime import quick  # noqa: F401
                from .runtime.recurrence import recurrences
        except ImportError as error:  # llvmlite has no build for every platform
            return f"kernels need llvmlite: {error}"
        size = self.graph.inputs[self._x]
        try:
            return recurrences(self.graph, {**self.sizes, size: width}, dtype, self.recompute)
        except UnsupportedError as error:
            return str(error)

    def run(
        self,
        weights: Mapping[str, Tensor],
        inputs: Mapping[str, Tensor],
        states: Mapping[str, Tensor],
        record: Sequence[str],
        batch_sizes: Sequence[int] | None = None,
        reverse: bool = False,
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Run over a sequence; arguments and results are those of `eager.run`."""
        self._check(weights, inputs)
        if torch.compiler.is_dynamo_compiling():
            return self._read(weights, inputs, states, record, batch_sizes, reverse)
        weights, inputs, states = buffers.sound(self.graph.name, weights, inputs, states)
        if batch_sizes is not None:
            rows, batch = len(inputs[self._x]), len(next(iter(states.values())))
            timeline.check(self.graph.name, batch_sizes, batch, rows)
        found = self._chosen(weights, inputs, states, record)
        if isinstance(found, str):
            return eager.run(self.program, weights, inputs, states, record, batch_sizes, reverse)
        from .autograd import node as compiled

        return compiled.run(found, weights, inputs, states, record, batch_sizes, reverse)

    def step(
        self,
        weights: Mapping[str, Tensor],
        inputs: Mapping[str, Tensor],
        states: Mapping[str, Tensor],
    ) -> dict[str, Tensor]:
        """Take one step: inputs and states are (B, units); the states after it."""
        if torch.compiler.is_dynamo_compiling():
            return self.run(weights, _one_step(inputs), states, ())[1]
        self._check(weights, inputs)
        weights, inputs, states = buffers.sound(self.graph.name, weights, inputs, states)
        found = self._chosen(weights, inputs, states, ())
        if isinstance(found, str):
            return eager.run(self.program, weights, _one_step(inputs), states, ())[1]
        from .autograd import node as compiled

        return compiled.step(found, weights, inputs, states)

    def _read(
        self,
        weights: Mapping[str, Tensor],
        inputs: Mapping[str, Tensor],
        states: Mapping[str, Tensor],
        record: Sequence[str],
        batch_sizes: Sequence[int] | None,
        reverse: bool,
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Run over a sequence, as torch.compile reads it."""
        tensors = [*inputs.values(), *states.values(), *weights.values()]
        if surroundings() is None and _kinds(tensors) is None:
            x = inputs[self._x]
            found = self._described(x.dtype, fixed(x.shape[-1]), tuple(weights), tuple(record))
            if found is not None:
                return operators.run(found, weights, inputs, states, record, batch_sizes, reverse)
        return eager.run(self.program, weights, inputs, states, record, batch_sizes, reverse)

    @decided_once
    def _described(
        self, dtype: torch.dtype, width: int, weights: tuple[str, ...], record: tuple[str, ...]
    ) -> str | None:
        """The operators' text; None if there are no kernels."""
        found = self.recurrences(dtype, width)
        if isinstance(found, str) or _unrecorded(found, record) is not None:
            return None
        return operators.describe(self.graph, found.many.sizes, weights, record, self.recompute)

    def _check(self, weights: Mapping[str, Tensor], inputs: Mapping[str, Tensor]) -> None:
        """RuntimeError for a parameter of another shape, which broadcast or cut makes numbers."""
        width = inputs[self._x].shape[-1]
        for name, shape in self.shapes(fixed(width)):
            if getattr(weights[name], "shape", None) != shape:
                found = tuple(getattr(weights[name], "shape", ())) or type(weights[name]).__name__
                raise RuntimeError(
                    f"{self.graph.name}: {name} should have shape {shape}, got {found}"
                )

    @decided_once
    def shapes(self, width: int) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """The shape of each parameter, for inputs of a width."""
        if width not in self._shapes:
            sizes: dict[Size, int] = {**self.sizes, self.graph.inputs[self._x]: width}
            self._shapes[width] = tuple((p.name, p.shape(sizes)) for p in self._parameters)
        return self._shapes[width]

    def known(self, weights: Mapping[str, Tensor], x: Tensor, reverse: bool) -> Call | None:
        """The call for sequences like x (T, B, I), if a kernel takes them and can do so quickly."""
        call = self._known(weights, x, (self.graph.output,), (x.shape[0], x.shape[1]), reverse)
        if call is not None and len(call.record) == 1 and len(self.graph.inputs) == 1:
            return call
        return None

    def known_step(self, weights: Mapping[str, Tensor], x: Tensor) -> Call | None:
        """The same for one step; x is (B, I)."""
        return self._known(weights, x, (), (1, x.shape[0]), False)

    def _known(
        self,
        weights: Mapping[str, Tensor],
        x: Tensor,
        record: tuple[str, ...],
        shape: tuple[int, int],
        reverse: bool,
    ) -> Call | None:
        found = self._chosen(weights, {self._x: x}, {}, record)
        if isinstance(found, str):
            return None
        from .autograd import node as compiled
        from .runtime import quick

        call = compiled.dense(found, record, *shape, reverse)
        return call if quick.suits(call) else None

    def obstacle(
        self,
        weights: Mapping[str, Tensor],
        inputs: Mapping[str, Tensor],
        states: Mapping[str, Tensor],
        record: Sequence[str],
    ) -> str | None:
        """Why a call goes to the eager definition, in a few words; None if it goes to a kernel."""
        found = self._chosen(weights, inputs, states, record)
        return found if isinstance(found, str) else None

    def _chosen(
        self,
        weights: Mapping[str, Tensor],
        inputs: Mapping[str, Tensor],
        states: Mapping[str, Tensor],
        record: Sequence[str],
    ) -> Recurrences | str:
        """The kernels that a call goes to, or why it goes to the eager definition."""
        tensors = [*inputs.values(), *states.values(), *weights.values()]
        reason = surroundings() or _kinds(tensors)
        if reason is not None:
            return reason
        x = inputs[self._x]
        found = self.recurrences(x.dtype, x.shape[-1])
        if isinstance(found, str):
            return found
        return _unrecorded(found, record) or found


def _one_step(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return inputs (B, units) as sequences of one step."""
    return {name: value.unsqueeze(0) for name, value in inputs.items()}


def _unrecorded(found: Recurrences, record: Sequence[str]) -> str | None:
    """Which value kernels cannot record, and why."""
    probes = found.many.split.step.probes
    for name in record:
        if name not in probes:
            return f"{name} is computed outside the loop"
        if probes[name].operation in CONDITIONS:
            return f"{name} is a condition"
        if name in found.many.unsupported:
            return f"{name}: {found.many.unsupported[name]}"
    return None


def _kinds(tensors: Sequence[Tensor]) -> str | None:
    """What about the tensors no kernel takes."""
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
