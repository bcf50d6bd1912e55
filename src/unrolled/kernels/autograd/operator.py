"""Cells as operators of PyTorch: torch.compile calls them and does not look inside."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, final

import msgspec
import torch
from torch import Tensor

from ... import _torch
from ...errors import CellError
from ...graph import parameters, storage
from ...graph.graph import Graph
from ...graph.node import Size
from ...graph.verify import check_step
from .. import eager
from ..runtime import cache, timeline
from ..runtime.buffers import arriving, check, sound
from ..runtime.cache import Cache
from ..runtime.memory import empty
from ..runtime.torch_state import DTYPES
from ..tuning import ALIGNED, OBJECT

if TYPE_CHECKING:
    from ..runtime.recurrence import Recurrences

OPERANDS = (
    "Tensor[] inputs, Tensor[] states, Tensor[] weights, "
    "str cell, SymInt[]? batch_sizes, bool reverse"
)
SCHEMAS = {
    "recurrence": f"({OPERANDS}) -> Tensor[]",
    "recurrence_forward": f"({OPERANDS}) -> Tensor[]",
    "recurrence_backward": (
        f"(Tensor?[] gradients, Tensor store, bool[] wanted, {OPERANDS}) -> Tensor[]"
    ),
}
"""Of the operators.

`recurrence` returns the recorded values and the last states; `recurrence_forward` also what it
stores for `recurrence_backward`, which returns the gradients that are wanted of inputs, states and
weights. The cell is a text of `describe`: it means the same in every process.
"""

USER = "unrolled::recurrence"
"""Who is handed operands, for messages."""

LAZY = ("Negative", "ZeroTensor")
"""Of tensors whose numbers are not in memory: `sound` brings them there, once it has looked whether
their storage is; what PyTorch does for operators that do not know of them only reads it."""

ALIGNMENT = 16
"""Bytes: where compiled code expects what operators return."""


def run(
    cell: str,
    weights: Mapping[str, Tensor],
    inputs: Mapping[str, Tensor],
    states: Mapping[str, Tensor],
    record: Sequence[str],
    batch_sizes: Sequence[int] | None,
    reverse: bool,
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Run a cell over a sequence, in code that torch.compile reads.

    Args:
        cell: described with the names of these weights and of `record`.
        weights, inputs, states, record, batch_sizes, reverse: as for `eager.run`.

    Returns:
        As `eager.run`.
    """
    operands = [list(inputs.values()), list(states.values()), list(weights.values())]
    tensors = [tensor for each in operands for tensor in each]
    saves = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
    operators: Any = torch.ops.unrolled
    operator = operators.recurrence_forward if saves else operators.recurrence
    results = operator(*operands, cell, batch_sizes, reverse)
    place = iter(results)  # the compiler of PyTorch 2.8 cannot read dict(zip(…))
    return {name: next(place) for name in record}, {state: next(place) for state in states}


def describe(
    graph: Graph,
    sizes: Mapping[Size, int],
    weights: Sequence[str],
    record: Sequence[str],
    recompute: bool = False,
) -> str:
    """A cell at one size, the order of its parameters, and what is returned for every step."""
    data = {
        "graph": storage.to_json(graph),
        "sizes": dict(sizes),
        "weights": list(weights),
        "record": list(record),
        "recompute": recompute,
    }
    return msgspec.json.encode(data).decode()


MOST_UNITS = 2**24
"""Units of one size: with all rows that a cell can have, no array's length is beyond 64 bits."""

Units = Annotated[int, msgspec.Meta(ge=0, le=MOST_UNITS)]


class Description(msgspec.Struct, forbid_unknown_fields=True):
    """The text of `describe`: calls by hand can hold any."""

    graph: storage.StoredGraph
    sizes: dict[Size, Units]
    weights: list[str]
    record: list[str]
    recompute: bool

    def read(self) -> Graph:
        """Return the graph, verified, as is what is said about it; CellError if it is wrong."""
        graph = self.graph.read()
        check_step(graph)
        if not graph.inputs or not graph.states:
            raise CellError(f"{graph.name} needs an input and at least one state")
        if missing := {"one", *graph.sizes.values()} - set(self.sizes):
            raise CellError(f"{graph.name}: how many units are {', '.join(sorted(missing))}?")
        if self.sizes["one"] != 1 or any(self.sizes[s] == 0 for s in graph.sizes.values()):
            raise CellError(f"{graph.name}: the sizes {self.sizes} cannot be")
        names = sorted(parameter.name for parameter in parameters(graph))
        if sorted(self.weights) != names:
            raise CellError(f"{graph.name} learns {', '.join(names)}, not these weights")
        for name in self.record:
            if name not in graph.probes:
                raise CellError(f"{graph.name} has no value {name!r}")
        return graph


def _read(cell: str) -> tuple[Graph, Description]:
    try:
        description = msgspec.json.decode(cell, type=Description)
    except (msgspec.DecodeError, RecursionError) as error:
        raise CellError(f"not the description of a cell: {error}") from None
    return description.read(), description


@final
class Described:
    """What the text says, for one dtype.

    Attributes:
        program: the eager definition.
        recurrences: the kernels.
        inputs, states, weights: the names of the operands.
        record: the names of the recorded values.
        widths: how many units those have.
        saved: how many numbers a row stores at most besides states.
        units: how many units the states have.
    """

    def __init__(self, cell: str, dtype: torch.dtype) -> None:
        from ..planning.training import TrainingPlan
        from ..runtime.recurrence import recurrences

        graph, described = _read(cell)
        self.program = eager.Program(graph, described.sizes)
        self.recurrences: Recurrences = recurrences(
            graph, described.sizes, dtype, described.recompute
        )
        self.inputs = tuple(graph.inputs)
        self.states = tuple(graph.states)
        self.weights: tuple[str, ...] = tuple(described.weights)
        self.record: tuple[str, ...] = tuple(described.record)
        many = self.recurrences.many
        self.widths = [many.probe_width(name) for name in self.record]
        plan = TrainingPlan(many.split, self.record, many.sizes, many.recompute)
        sizes = many.split.step.sizes
        self.saved = sum(many.sizes[sizes[node]] for node in plan.saved.values())
        self.units = [many.sizes[size] for size in graph.states.values()]

    def stored(self, total: Any, batch: Any) -> Any:
        """How many numbers are kept for a backward pass at most, of N rows in all and B states."""
        arrays = total * self.saved + sum((batch + total) * units for units in self.units)
        return arrays + ALIGNED * (1 + len(self.units))


_described = Cache(cache.kernels)


def described(cell: str, dtype: torch.dtype) -> Described:
    """What a text says; the last ones are remembered."""
    known = _described.get((cell, dtype))
    if known is None:
        size = OBJECT + 8 * len(cell)  # the graph and the plan of training
        known = _described.keep((cell, dtype), Described(cell, dtype), size)
    return known


@final
class _Run:
    """One call of an operator."""

    def __init__(
        self,
        inputs: list[Tensor],
        states: list[Tensor],
        weights: list[Tensor],
        cell: str,
        batch_sizes: list[int] | None,
        reverse: bool,
    ) -> None:
        if not inputs or inputs[0].dtype not in DTYPES:
            kinds = ", ".join(str(tensor.dtype) for tensor in inputs) or "nothing"
            raise RuntimeError(f"{USER}: inputs should be torch.float32 or float64, got {kinds}")
        self.cell = described(cell, inputs[0].dtype)
        groups = (
            _named("inputs", self.cell.inputs, inputs),
            _named("states", self.cell.states, states),
            _named("weights", self.cell.weights, weights),
        )
        self.inputs, self.states, self.weights = map(dict, sound(USER, *groups))
        dimensions = 3 if batch_sizes is None else 2
        for name, tensor in self.inputs.items():
            if tensor.dim() != dimensions:
                shape = tuple(tensor.shape)
                raise RuntimeError(
                    f"{USER}: {name} should have {dimensions} dimensions, got {shape}"
                )
        for name, tensor in self.states.items():
            if tensor.dim() != 2:
                shape = tuple(tensor.shape)
                raise RuntimeError(f"{USER}: the state {name} should be (B, units), got {shape}")
        if batch_sizes is not None:
            timeline.check(USER, batch_sizes, len(states[0]), len(inputs[0]))
        self.further = (self.cell.record, batch_sizes, reverse)

    def infer(self) -> list[Tensor]:
        """Recorded values and last states."""
        from . import node as compiled

        operands = self.weights, self.inputs, self.states
        values, last = compiled.run(self.cell.recurrences, *operands, *self.further)
        return _owned([*values.values(), *last.values()])

    def train(self) -> list[Tensor]:
        """Recorded values, last states, and what the backward pass needs."""
        from . import node as compiled

        operands = self.weights, self.inputs, self.states
        call, banks, turned = compiled.prepared(self.cell.recurrences, *operands, *self.further)
        batch = next(iter(self.states.values())).shape[0]
        like = next(iter(self.inputs.values()))
        store = empty(like, self.cell.stored(call.time.total, batch))
        for start in call.store.starts.values():  # the gaps: what operators return has to be fixed
            store[max(0, start - ALIGNED) : start] = 0
        store[call.store.size :] = 0
        states = [self.states[name].contiguous() for name in call.outline.states]
        weights = [self.weights[name] for name in call.outline.weights]
        kept = store[: call.store.size]  # it has room for every kernel's
        recorded, last = compiled.train(call, banks, states, weights, kept)
        if turned is not None:
            recorded = [value.index_select(0, turned) for value in recorded]
        recorded = [value.view(*call.shape, value.shape[-1]) for value in recorded]
        return _owned([*recorded, *last, store])

    def gradients(
        self, gradients: list[Tensor | None], store: Tensor, wanted: list[bool]
    ) -> list[Tensor]:
        """The gradients that are wanted, of those of the results."""
        from . import node as compiled

        given = (self.inputs, self.states, self.weights)
        self._check_count("wanted", len(wanted), sum(map(len, given)))
        self._check_count("gradients", len(gradients), len(self.cell.record) + len(self.states))
        gradients = arriving(USER, gradients)
        store = sound(USER, {"store": store})[0]["store"]
        asked = iter(wanted)
        inputs, states, weights = (
            {name: value.detach().requires_grad_(next(asked)) for name, value in group.items()}
            for group in given
        )
        with _torch.autograd_in_operators():  # through what is computed before the loop
            call, banks, turned = compiled.prepared(
                self.cell.recurrences, weights, inputs, states, *self.further
            )
        loop = [*states.values(), *(weights[name] for name in call.outline.weights)]
        count = len(call.record)
        into = [g if g is None else g.reshape(call.time.total, -1) for g in gradients[:count]]
        if turned is not None:
            into = [g if g is None else g.index_select(0, turned) for g in into]
        tensors = [tensor.detach() for tensor in (*banks, *loop)]
        backward = compiled.derivative(
            call, tuple(tensor.requires_grad for tensor in (*banks, *loop))
        )
        kept = store.flatten()[: call.store.size]
        check(USER, call.recurrence.dtype, call.given, tensors)  # also what it need not read
        found = backward.run(call, tensors, kept, [*into, *gradients[count:]])
        return _summed(
            [*inputs.values(), *states.values(), *weights.values()], [*banks, *loop], found
        )

    @staticmethod
    def _check_count(what: str, found: int, expected: int) -> None:
        if found != expected:
            raise RuntimeError(f"{USER}: {what} should have {expected} entries, got {found}")

    @torch.enable_grad()
    def by_definition(
        self, gradients: list[Tensor | None], wanted: list[bool], again: bool
    ) -> list[Tensor]:
        """The same through the eager definition; if asked, they can be differentiated again."""
        gradients = arriving(USER, gradients)
        operands = self.weights, self.inputs, self.states
        values, last = eager.run(self.cell.program, *operands, *self.further)
        results = zip([*values.values(), *last.values()], gradients, strict=True)
        given = [(result, gradient) for result, gradient in results if gradient is not None]
        tensors = [*self.inputs.values(), *self.states.values(), *self.weights.values()]
        found = eager.differentiated(given, tensors, wanted, again)
        triples = zip(tensors, found, wanted, strict=True)
        return [torch.zeros_like(t) if g is None else g for t, g, asked in triples if asked]


def _named(what: str, names: Sequence[str], tensors: Sequence[Tensor]) -> dict[str, Tensor]:
    """The operands of one kind by name; RuntimeError unless there is one for each."""
    if len(names) != len(tensors):
        expected = f"{len(names)} ({', '.join(names)})"
        raise RuntimeError(f"{USER}: {what} should be {expected}, got {len(tensors)}")
    return dict(zip(names, tensors, strict=True))


def _summed(
    leaves: list[Tensor], outputs: list[Tensor], gradients: list[Tensor | None]
) -> list[Tensor]:
    """The gradients of the leaves that require one."""
    pairs = zip(outputs, gradients, strict=True)
    given = [(output, gradient) for output, gradient in pairs if gradient is not None]
    wanted = [leaf.requires_grad for leaf in leaves]
    found = zip(leaves, eager.differentiated(given, leaves, wanted, False), strict=True)
    return _owned(
        [torch.zeros_like(leaf) if g is None else g for leaf, g in found if leaf.requires_grad]
    )


def _owned(results: list[Tensor]) -> list[Tensor]:
    """The same numbers, each tensor in memory of its own, where compiled code expects it."""
    seen: set[int] = set()
    for place, result in enumerate(results):
        start = result.untyped_storage().data_ptr()
        if start in seen or not result.is_contiguous() or result.data_ptr() % ALIGNMENT:
            results[place] = result.clone(memory_format=torch.contiguous_format)
        seen.add(start)
    return results


# What the operators compute.


def _recurrence(*operands: Any) -> list[Tensor]:
    return _Run(*operands).infer()


def _recurrence_forward(*operands: Any) -> list[Tensor]:
    return _Run(*operands).train()


def _recurrence_backward(
    gradients: list[Tensor | None], store: Tensor, wanted: list[bool], *operands: Any
) -> list[Tensor]:
    return _Run(*operands).gradients(gradients, store, wanted)


# What they return, without numbers.


def _like_recurrence(
    inputs: list[Tensor], states: list[Tensor], weights: list[Tensor], cell: str, *further: Any
) -> list[Tensor]:
    x = inputs[0]
    shape, widths = x.shape[:-1], described(cell, x.dtype).widths
    recorded = [x.new_empty((*shape, width)) for width in widths]
    return [*recorded, *(state.new_empty(state.shape) for state in states)]


def _like_recurrence_forward(
    inputs: list[Tensor], states: list[Tensor], weights: list[Tensor], cell: str, *further: Any
) -> list[Tensor]:
    x = inputs[0]
    total = math.prod(x.shape[:-1])  # numel() would fix the numbers
    store = x.new_empty(described(cell, x.dtype).stored(total, states[0].shape[0]))
    return [*_like_recurrence(inputs, states, weights, cell), store]


def _like_recurrence_backward(
    gradients: list[Tensor | None],
    store: Tensor,
    wanted: list[bool],
    inputs: list[Tensor],
    states: list[Tensor],
    weights: list[Tensor],
    *further: Any,
) -> list[Tensor]:
    tensors = zip([*inputs, *states, *weights], wanted, strict=True)
    return [tensor.new_empty(tensor.shape) for tensor, asked in tensors if asked]


# The derivative of `recurrence_forward`.


def _save(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    *operands, cell, batch_sizes, reverse = inputs
    ctx.further = cell, batch_sizes, reverse
    ctx.counts = [len(group) for group in operands]
    store = output[-1]
    ctx.mark_non_differentiable(store)
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(*(tensor for group in operands for tensor in group), store)


def _differentiate(ctx: Any, gradients: list[Tensor | None]) -> tuple[Any, ...]:
    from . import node as compiled

    *rest, store = ctx.saved_tensors
    operands = []
    for count in ctx.counts:
        operands.append(rest[:count])
        rest = rest[count:]
    needed = ctx.needs_input_grad[:3]
    wanted = [asked for group in needed for asked in group]
    results, again = gradients[:-1], torch.is_grad_enabled()
    if again or any(map(compiled.is_batched, results)):
        found = iter(_Run(*operands, *ctx.further).by_definition(results, wanted, again))
    else:
        operator: Any = torch.ops.unrolled.recurrence_backward
        found = iter(operator(results, store, wanted, *operands, *ctx.further))
    return *([next(found) if asked else None for asked in group] for group in needed), *[None] * 3


def _register() -> None:
    functions = {
        "recurrence": (_recurrence, _like_recurrence),
        "recurrence_forward": (_recurrence_forward, _like_recurrence_forward),
        "recurrence_backward": (_recurrence_backward, _like_recurrence_backward),
    }
    for name, (real, like) in functions.items():
        operator = f"unrolled::{name}"
        torch.library.define(operator, SCHEMAS[name], tags=torch.Tag.pt2_compliant_tag)
        torch.library.impl(operator, "cpu", real)
        for key in LAZY:
            torch.library.impl(operator, key, torch.library.fallthrough_kernel)
        torch.library.register_fake(operator, like)
    torch.library.register_autograd(
        "unrolled::recurrence_forward", _differentiate, setup_context=_save
    )


_register()
