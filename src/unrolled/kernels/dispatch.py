"""Which backend a call takes, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, final

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.utils._python_dispatch import _get_current_dispatch_mode

from ..equations import Graph
from ..equations.node import Size
from ..equations.operation import CONDITIONS
from . import eager

if TYPE_CHECKING:
    from .compiled import Recurrence

DTYPES = frozenset({torch.float32, torch.float64})
_eager: ContextVar[bool] = ContextVar("eager", default=False)


@contextmanager
def eager_only() -> Iterator[None]:
    """Inside, every cell runs by its eager definition; to compare, or to look for a fault."""
    token = _eager.set(True)
    try:
        yield
    finally:
        _eager.reset(token)


@final
class Runner:
    """A cell at one size: runs sequences on kernels where it can, else by the eager definition.

    Args:
        graph: of the cell.
        sizes: how many units I, H, P and 1 are.
    """

    def __init__(self, graph: Graph, sizes: Mapping[Size, int]) -> None:
        self.graph = graph
        self.sizes = dict(sizes)
        self.program = eager.Program(graph, sizes)
        self._recurrences: dict[torch.dtype, Recurrence | str] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return Runner, (self.graph, self.sizes)

    def __deepcopy__(self, memo: dict[int, Any]) -> Runner:
        return self

    def recurrence(self, dtype: torch.dtype) -> Recurrence | str:
        """The kernels for a dtype, or why there are none."""
        if dtype not in self._recurrences:
            self._recurrences[dtype] = self._recurrence(dtype)
        return self._recurrences[dtype]

    def _recurrence(self, dtype: torch.dtype) -> Recurrence | str:
        try:
            from .compiled import UnsupportedError, recurrence
        except ImportError as error:  # llvmlite has no build for every platform
            return f"kernels need llvmlite: {error}"
        try:
            return recurrence(self.graph, self.sizes, dtype)
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
        reason = self.obstacle(weights, inputs, states, record)
        if reason is not None:
            return eager.run(self.program, weights, inputs, states, record, batch_sizes, reverse)
        from . import compiled

        recurrence = self.recurrence(next(iter(inputs.values())).dtype)
        assert isinstance(recurrence, compiled.Recurrence)
        return compiled.run(recurrence, weights, inputs, states, record, batch_sizes, reverse)

    def obstacle(
        self,
        weights: Mapping[str, Tensor],
        inputs: Mapping[str, Tensor],
        states: Mapping[str, Tensor],
        record: Sequence[str],
    ) -> str | None:
        """Why a call goes to the eager definition, in a few words; None if it goes to a kernel."""
        tensors = [*inputs.values(), *states.values(), *weights.values()]
        found = _surroundings() or _kinds(tensors)
        if found is not None:
            return found
        recurrence = self.recurrence(tensors[0].dtype)
        if isinstance(recurrence, str):
            return recurrence
        probes = recurrence.split.step.probes
        for name in record:
            if name not in probes:
                return f"{name} is computed outside the loop"
            if probes[name].operation in CONDITIONS:
                return f"{name} is a condition"
        return None


def _surroundings() -> str | None:
    """What around a call needs to see its PyTorch operations."""
    if torch.compiler.is_compiling() or torch._C._get_tracing_state() is not None:
        return "torch.compile, torch.export and tracing read the eager definition"
    if _eager.get():  # after the line above: the compiler cannot read it
        return "eager_only() asks for it"
    if torch._C._functorch.maybe_current_level() is not None:  # pyright: ignore
        return "torch.func transforms the eager definition"
    if forward_ad._current_level >= 0:
        return "forward-mode differentiation goes through the eager definition"
    if _get_current_dispatch_mode() is not None:
        return "a dispatch mode watches the eager definition"
    if torch.is_autocast_enabled("cpu"):
        return "autocast chooses the dtypes of the eager definition"
    return None


def _kinds(tensors: Sequence[Tensor]) -> str | None:
    """What about the tensors no kernel takes."""
    first = tensors[0]
    for tensor in tensors:
        if type(tensor) not in (Tensor, torch.nn.Parameter):
            return f"{type(tensor).__name__} is not a plain tensor"
        if tensor.device.type != "cpu":
            return f"there is no kernel for {tensor.device.type}"
        if tensor.layout is not torch.strided:
            return f"there is no kernel for {tensor.layout}"
        if tensor.dtype not in DTYPES or tensor.dtype != first.dtype:
            return f"there is no kernel for {tensor.dtype}"
    if 0 in first.shape:
        return "there are no rows"
    return None
