"""The kernels of one cell at one size, as they become needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, final

import torch

from ...graph import parameters
from ...graph.graph import Graph
from ...graph.node import Node, Size, ordered
from ...graph.operation import ACTIVATIONS, Operation
from ...locks import cached_property, compiling
from .. import eager
from ..codegen.packing import Layout
from ..codegen.weight_gradients import Outer
from ..planning.schedule import Schedule, UnsupportedError, unsupported
from ..planning.split import Split, hoisted, split
from ..planning.training import TrainingPlan
from ..tuning import COSTLY, FEW_ROWS, LARGE_PRODUCT, LAYER, OBJECT, OFTEN, RECORDED, VALUES
from . import cache, product
from .abi import Buffer, Role
from .cache import Budget, Cache
from .kernel import Kernel
from .weight_gradients import WeightGradients

V = TypeVar("V")


@final
class Recurrence:
    """One cell at one size and dtype, and its kernels as they become needed.

    Args:
        graph: of the cell.
        sizes: how many units I, H, P and 1 are.
        dtype: float32 or float64.
        parts: of the graph, what is computed before the loop and what in it.
        layout: how its kernels read weights.
        recompute: whether a training step stores nothing but states.

    Attributes:
        unsupported: values of the loop that no kernel can record, and why.

    Raises:
        UnsupportedError: if no kernel can be written; the message says why.
    """

    def __init__(
        self,
        graph: Graph,
        sizes: Mapping[Size, int],
        dtype: torch.dtype,
        parts: Split,
        layout: Layout,
        recompute: bool = False,
    ) -> None:
        self.graph = graph
        self.sizes = dict(sizes)
        self.dtype = dtype
        self.split = parts
        self.layout = layout
        self.recompute = recompute
        self.hoisted = eager.Program(self.split.hoisted, sizes)
        self.step = eager.Program(self.split.step, sizes)
        self.strides = {
            Buffer(Role.INPUT, name): 0 if name in self.split.vectors else self.width(names)
            for names in self.split.banks
            for name in names
        }
        Schedule(self.split.step, {}, {}, {})  # raises now what it would raise later
        self.unsupported = unsupported(self.split.step)
        self.states = {state: sizes[size] for state, size in parts.step.states.items()}
        self.reads_inputs_alone = all(
            node.operation is Operation.INPUT for node in parts.hoisted.values.values()
        )
        self.is_whole = not self.reads_inputs_alone and product.suits(parts)
        before = self.hoisted.weights if self.is_whole else ()
        self.weights = list(dict.fromkeys([*self.step.weights, *before]))
        self._recorded = Budget(RECORDED)
        self._forward = Cache(self._recorded)
        self._training = Cache(self._recorded)
        self._product: product.Product | None = None
        self.outlines = Cache(cache.calls)  # of calls

    @property
    def product(self) -> product.Product | None:
        """What computes what the loop reads, if it is learned layers alone."""
        if self._product is None and self.is_whole:
            with compiling():
                if self._product is None:
                    self._product = product.Product(
                        self.split, self.sizes, self.dtype, self.shapes, self.weights
                    )
        return self._product

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each parameter of the cell."""
        return {p.name: p.shape(self.sizes) for p in parameters(self.graph)}

    @cached_property
    def program(self) -> eager.Program:
        """The whole cell by its definition, but for what reads parameters that no kernel reads."""
        graph, read = self.graph, set(self.weights)
        values = {name: n for name, n in graph.values.items() if read.issuperset(_learned(n))}
        return eager.Program(Graph(graph.name, graph.inputs, graph.states, values), self.sizes)

    def text(self, backward: bool) -> str:
        """Return the kernel of inference, or that of the derivative, as LLVM IR under its plan."""
        record = (self.graph.output,)
        training = self.training(record) if backward else None
        kernel = self.inference(record)
        if training is not None:
            kernel = training.backward(frozenset(training.plan.optional))
        plan = str(kernel.schedule).splitlines()
        arrays = [f"  buffer {field.place}: {field.buffer}" for field in kernel.block.fields]
        return "\n".join([*(f"; {line}" for line in (*plan, *arrays)), "", kernel.text()])

    def width(self, names: Sequence[str]) -> int:
        """Return how many numbers a row of some inputs of the loop has."""
        return sum(self.sizes[self.split.step.inputs[name]] for name in names)

    def probe_width(self, name: str) -> int:
        """Return how many units a value that can be recorded has."""
        step = self.split.step
        return self.sizes[step.sizes[step.probes[name]]]

    def inference(self, record: tuple[str, ...]) -> Kernel:
        """Return the kernel that stores the recorded values and nothing else."""

        def make() -> Kernel:
            step = self.split.step
            return self.kernel({Buffer(Role.RECORDED, name): step.probes[name] for name in record})

        return self._forward.get(record) or self._once(self._forward, record, make)

    def training(self, record: tuple[str, ...]) -> Training:
        """Return the kernels of a training step."""
        known = self._training.get(record)
        return known or self._once(self._training, record, lambda: Training(self, record))

    def _once(self, kept: Cache, record: tuple[str, ...], make: Callable[[], V]) -> V:
        """Return what is made once, whoever asks first."""
        with compiling():
            known = kept.get(record)
            return known or kept.keep(record, make(), OBJECT)

    def kernel(
        self, stored: Mapping[Buffer, Any], strides: Mapping[Buffer, int] | None = None
    ) -> Kernel:
        """Return a kernel of the loop."""
        schedule = Schedule(self.split.step, {}, stored, {})
        return self.compiled(schedule, strides or {})

    def compiled(self, schedule: Schedule, strides: Mapping[Buffer, int]) -> Kernel:
        """Return the kernel of a schedule."""
        strides = {**self.strides, **strides}
        kernel = Kernel(schedule, self.sizes, strides, self.dtype, self.layout)
        self._recorded.charge(kernel.size)
        return kernel


@final
class Recurrences:
    """The kernels of one cell at one size and dtype.

    Attributes:
        few: for few rows in all steps together.
        single: for one step of many rows.
        many: for many steps.
        long: for few rows over many steps, if weights that read the input are large; else `many`.
        calls: what was prepared for calls, by their shapes.

    Raises:
        UnsupportedError: if no kernel can be written; the message says why.
    """

    def __init__(
        self,
        graph: Graph,
        sizes: Mapping[Size, int],
        dtype: torch.dtype,
        recompute: bool = False,
    ) -> None:
        _check_length(graph)
        parts = split(graph)
        few, single, many = Layout.HELD, Layout.PANEL, Layout.WHOLE
        self.few = Recurrence(graph, sizes, dtype, parts, few, recompute)
        self.single = Recurrence(graph, sizes, dtype, parts, single, recompute)
        self.many = Recurrence(graph, sizes, dtype, parts, many, recompute)
        self.long = self.many
        self.calls = Cache(cache.calls)
        reads = sum(
            sizes[node.attribute.size] * sizes[self.many.split.step.sizes[source]]
            for node in self.many.split.step.layers
            for source in node.arguments
            if source.operation is Operation.INPUT
        )
        if reads >= LARGE_PRODUCT and not recompute:  # what is computed before the loop is stored
            self.long = Recurrence(graph, sizes, dtype, hoisted(graph), many)

    def best(self, steps: int, rows: int, record: Sequence[str]) -> Recurrence:
        """Return the kernels for so many steps of so many rows that can store what is recorded.

        To lay weights out pays once they are read often. For a single step they are laid out group
        by group: all of them together would leave the nearest caches before they are read. Few rows
        over many steps read the input before the loop: every step would read its weights again.
        """
        if steps * rows < OFTEN:
            return self.few
        if steps == 1:
            return self.single
        if rows >= FEW_ROWS:
            return self.many
        inside = self.long.split.probes.keys() >= set(record)
        return self.long if inside else self.many


def _learned(value: Node) -> set[str]:
    """Return the names of the parameters that a value is computed from."""
    names: set[str] = set()
    for node in ordered([value]):
        if node.operation is Operation.LEARNED:
            names.add(node.attribute.name)
        elif node.operation is Operation.AFFINE:
            for block in node.attribute.blocks:
                names.add(f"weight_{block.group}")
                if block.bias is not None:
                    names.add(f"bias_{block.group}")
    return names


def _check_length(graph: Graph) -> None:
    """Raise UnsupportedError for a cell that would take too long to compile."""
    kinds = {Operation.LOG, *ACTIVATIONS}
    costly = sum(node.operation in kinds for node in graph.order) + LAYER * len(graph.layers)
    for count, most, what in (
        (costly, COSTLY, f"activations (a learned layer counts as {LAYER})"),
        (len(graph.order), VALUES, "values"),
    ):
        if count > most:
            raise UnsupportedError(
                f"{count} {what} take too long to compile: at most {most} can be"
            )


_known = Cache(cache.kernels)


def recurrences(
    graph: Graph, sizes: Mapping[Size, int], dtype: torch.dtype, recompute: bool = False
) -> Recurrences:
    """Return the kernels that all modules with these equations, sizes and dtype share."""
    names = [tuple(group.items()) for group in (graph.inputs, graph.states, graph.values, sizes)]
    key = (graph.name, *names, dtype, recompute)
    known = _known.get(key)
    if known is None:
        known = _known.keep(key, Recurrences(graph, sizes, dtype, recompute), OBJECT)
    return known


@final
class Training:
    """The kernels forward and backward of one cell."""

    def __init__(self, recurrence: Recurrence, record: tuple[str, ...]) -> None:
        self.plan = TrainingPlan(
            recurrence.split,
            record,
            recurrence.sizes,
            recurrence.recompute,
            recurrence.is_whole,
        )
        self._recurrence = recurrence
        plan, sizes = self.plan, recurrence.sizes
        step = recurrence.split.step
        units = [sizes[step.sizes[node]] for node in plan.saved.values()]
        self.columns = dict(zip(plan.saved, _starts(units), strict=True))
        self.width = sum(units)
        stored = {Buffer(Role.RECORDED, name): step.probes[name] for name in record}
        stored.update(plan.saved)
        self.forward = recurrence.kernel(stored, dict.fromkeys(plan.saved, self.width))
        self._backward: dict[frozenset[int], Kernel] = {}

    def backward(self, buffers: frozenset[int]) -> Kernel:
        """Return the derivative; of what could be left out, it fills some buffers."""
        known = self._backward.get(buffers)
        if known is None:
            with compiling():
                known = self._backward.get(buffers)
                if known is None:
                    known = self._backward[buffers] = self._derivative(buffers)
        return known

    def _derivative(self, buffers: frozenset[int]) -> Kernel:
        plan, recurrence = self.plan, self._recurrence
        strides = dict.fromkeys(plan.saved, self.width)
        gradients = plan.stored(buffers)
        strides |= {buffer: plan.widths[place.buffer] for buffer, (_, place) in gradients.items()}
        schedule = Schedule(
            plan.backward,
            plan.given,
            {buffer: node for buffer, (node, _) in gradients.items()},
            {Buffer(Role.SUM, name): node for name, node in plan.reduced.items()},
        )
        return recurrence.compiled(schedule, strides)

    @cached_property
    def weights(self) -> WeightGradients:
        """What makes the gradients of the weights once the loop has run."""
        outers = [
            Outer(layer.place.units, tuple(map(self.width_of, layer.sources)))
            for layer in self.plan.layers
        ]
        return WeightGradients(outers, self._recurrence.dtype)

    def width_of(self, source: Node) -> int:
        """Return how many units that has which a layer reads."""
        recurrence = self._recurrence
        sizes = recurrence.split.step.sizes
        size = sizes[source] if source in sizes else recurrence.graph.inputs[source.attribute]
        return recurrence.sizes[size]


def _starts(widths: list[int]) -> list[int]:
    return [sum(widths[:place]) for place in range(len(widths))]
