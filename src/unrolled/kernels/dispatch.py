"""Which backend a call takes, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, final

import torch
from torch import Tensor

from ..equations import Graph
from ..equations.node import Size
from ..equations.operation import CONDITIONS
from . import eager, operators
from .surroundings import PLAIN, decided_once, fixed, surroundings

if TYPE_CHECKING:
    from .call import Call
    from .quick import QuickLone, QuickRun, QuickStep, QuickTraining
    from .recurrence import Recurrences

DTYPES = frozenset({torch.float32, torch.float64})

QUICK = 64
"""Of how many shapes it is remembered how calls are made."""


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
        self._quick_steps: dict[tuple[torch.Size, torch.dtype], QuickStep] = {}
        self._quick_runs: dict[tuple[str, torch.Size, torch.dtype], QuickRun | QuickLone] = {}
        self._quick_training: dict[tuple[str, torch.Size, torch.dtype], QuickTraining] = {}

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
            from .recurrence import UnsupportedError, recurrences
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
        if torch.compiler.is_dynamo_compiling():
            return self._read(weights, inputs, states, record, batch_sizes, reverse)
        found = self._chosen(weights, inputs, states, record)
        if isinstance(found, str):
            return eager.run(self.program, weights, inputs, states, record, batch_sizes, reverse)
        from . import compiled

        return compiled.run(found, weights, inputs, states, record, batch_sizes, reverse)

    def step(
        self,
        weights: Mapping[str, Tensor],
        inputs: Mapping[str, Tensor],
        states: Mapping[str, Tensor],
    ) -> dict[str, Tensor]:
        """Take one step: inputs and states are (B, units); the states after it."""
        compiling = torch.compiler.is_dynamo_compiling()
        found = "" if compiling else self._chosen(weights, inputs, states, ())
        if isinstance(found, str):
            steps = {name: value.unsqueeze(0) for name, value in inputs.items()}
            return self.run(weights, steps, states, ())[1]
        from . import compiled

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
                cell, shapes = found
                if all(weights[name].shape == shape for name, shape in shapes):
                    return operators.run(
                        cell, weights, inputs, states, record, batch_sizes, reverse
                    )
        return eager.run(self.program, weights, inputs, states, record, batch_sizes, reverse)

    @decided_once
    def _described(
        self, dtype: torch.dtype, width: int, weights: tuple[str, ...], record: tuple[str, ...]
    ) -> tuple[str, tuple[tuple[str, tuple[int, ...]], ...]] | None:
        """The operators' text, and the shapes of parameters; None if there are no kernels."""
        found = self.recurrences(dtype, width)
        if isinstance(found, str) or _unrecorded(found, record) is not None:
            return None
        cell = operators.describe(self.graph, found.many.sizes, weights, record, self.recompute)
        return cell, tuple((name, tuple(shape)) for name, shape in found.shapes)

    def quick_step(
        self, x: Tensor, states: Sequence[Tensor], own: Mapping[str, Any]
    ) -> list[Tensor] | None:
        """Take one step as the last one of its shape was taken, if it is like that; see `Quick`."""
        known = self._quick_steps.get((x.shape, x.dtype))
        return None if known is None else known.run(x, states, own)

    def quick_run(
        self, suffix: str, x: Tensor, old: list[int] | None, new: list[int], own: Mapping[str, Any]
    ) -> Tensor | None:
        """Run as the last time with this shape, if all is like that; see `QuickRun`."""
        known = self._quick_runs.get((suffix, x.shape, x.dtype))
        return None if known is None else known.run(x, old, new, own)

    def quick_training(
        self, suffix: str, x: Tensor, old: Sequence[Tensor] | None, own: Mapping[str, Any]
    ) -> tuple[Tensor, Sequence[Tensor]] | None:
        """Run on the graph as the last time, if all is like that; see `QuickTraining`."""
        known = self._quick_training.get((suffix, x.shape, x.dtype))
        return None if known is None else known.run(x, old, own)

    def learn_step(
        self,
        weights: Mapping[str, Tensor],
        inputs: Mapping[str, Tensor],
        states: Mapping[str, Tensor],
        keys: Mapping[str, str],
        own: Mapping[str, Any],
    ) -> None:
        """Remember how a step is taken, if it takes a kernel, no graph and a module's parameters.

        Args:
            weights, inputs, states: of the step, as for `step`.
            keys: the names of the parameters in the module.
            own: the parameters of the module.
        """
        if torch.compiler.is_compiling() or _on_graph(weights, inputs, states):
            return
        x = inputs[self._x]
        call = self._learned(weights, inputs, states, (), (1, x.shape[0]), False)
        if call is not None:
            from .quick import QuickStep

            if QuickStep.suits(call, keys, own):
                known = QuickStep(call, x, keys, self._shapes(x))
                _remember(self._quick_steps, (x.shape, x.dtype), known)

    def learn_run(
        self,
        suffix: str,
        weights: Mapping[str, Tensor],
        inputs: Mapping[str, Tensor],
        states: Mapping[str, Tensor],
        reverse: bool,
        keys: Mapping[str, str],
        own: Mapping[str, Any],
    ) -> None:
        """Remember how sequences (T, B, I) of one length are run, if on a kernel.

        Args:
            suffix: of the parameters, such as ``_l0``.
            weights, inputs, states, reverse: as for `run`.
            keys, own: as for `learn_step`.
        """
        x, record = inputs[self._x], (self.graph.output,)
        call = self._learned(weights, inputs, states, record, (x.shape[0], x.shape[1]), reverse)
        if call is not None:
            from .quick import QuickLone, QuickRun, QuickTraining

            if QuickRun.suits(call, keys, own):
                key, shapes = (suffix, x.shape, x.dtype), self._shapes(x)
                if _on_graph(weights, inputs, states):
                    _remember(self._quick_training, key, QuickTraining(call, x, keys, shapes))
                else:
                    kind = QuickLone if len(x) == 1 else QuickRun
                    _remember(self._quick_runs, key, kind(call, x, keys, shapes))

    def _learned(
        self,
        weights: Mapping[str, Tensor],
        inputs: Mapping[str, Tensor],
        states: Mapping[str, Tensor],
        record: tuple[str, ...],
        shape: tuple[int, int],
        reverse: bool,
    ) -> Call | None:
        """The call that was made, if it can be made like that again."""
        found = self._chosen(weights, inputs, states, record)
        if isinstance(found, str):
            return None
        from . import compiled

        return compiled.dense(found, record, *shape, reverse)

    def _shapes(self, x: Tensor) -> dict[str, torch.Size]:
        """Of the parameters, for inputs like x."""
        found = self.recurrences(x.dtype, x.shape[-1])
        return {} if isinstance(found, str) else dict(found.shapes)

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
        misfit = found.misfit(weights)
        if misfit is not None:
            return misfit
        return _unrecorded(found, record) or found


def _unrecorded(found: Recurrences, record: Sequence[str]) -> str | None:
    """Which value kernels cannot record, and why."""
    probes = found.many.split.step.probes
    for name in record:
        if name not in probes:
            return f"{name} is computed outside the loop"
        if probes[name].operation in CONDITIONS:
            return f"{name} is a condition"
    return None


def _on_graph(*groups: Mapping[str, Tensor]) -> bool:
    """Whether a call with these tensors is differentiated."""
    tensors = (tensor for group in groups for tensor in group.values())
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)


def _remember(known: dict[Any, Any], key: Any, value: Any) -> None:
    if key not in known and len(known) >= QUICK:
        known.pop(next(iter(known)))
    known[key] = value


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
