"""Cells as operators of PyTorch: torch.compile calls them and does not look inside."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, final

import torch
from torch import Tensor

from ... import _torch
from .. import eager
from ..runtime import timeline
from ..runtime.buffers import arriving, check, sound
from ..runtime.memory import empty
from ..runtime.torch_state import DTYPES
from ..tuning import ALIGNED
from .description import described

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
weights. The cell is a text of `description.describe`: it means the same in every process.
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


@final
class _Run:
    """One call of an operator.

    Args:
        operands: see `OPERANDS`.

    Raises:
        RuntimeError: if they do not fit the cell, or each other.
    """

    def __init__(self, *operands: Any) -> None:
        from . import node

        inputs, states, weights, cell, batch_sizes, reverse = operands
        if not inputs or inputs[0].dtype not in DTYPES:
            kinds = ", ".join(str(tensor.dtype) for tensor in inputs) or "nothing"
            raise RuntimeError(f"{USER}: inputs should be torch.float32 or float64, got {kinds}")
        self.node = node
        self.cell = described(cell, inputs[0].dtype)
        groups = (
            _named("inputs", self.cell.inputs, inputs),
            _named("states", self.cell.states, states),
            _named("weights", self.cell.weights, weights),
        )
        self.inputs, self.states, self.weights = map(dict, sound(USER, *groups))
        dimensions = dict.fromkeys(self.inputs, 3 if batch_sizes is None else 2)
        dimensions |= dict.fromkeys(self.states, 2)
        for name, tensor in (*self.inputs.items(), *self.states.items()):
            if tensor.dim() != dimensions[name]:
                raise RuntimeError(
                    f"{USER}: {name} should have {dimensions[name]} dimensions, "
                    f"got {tuple(tensor.shape)}"
                )
        if batch_sizes is not None:
            timeline.check(USER, batch_sizes, len(states[0]), len(inputs[0]))
        self.further = self.cell.record, batch_sizes, reverse

    def infer(self) -> list[Tensor]:
        """Return recorded values and last states."""
        operands = self.weights, self.inputs, self.states
        values, last = self.node.run(self.cell.recurrences, *operands, *self.further)
        return _owned([*values.values(), *last.values()])

    def train(self) -> list[Tensor]:
        """Return recorded values, last states, and what the backward pass needs."""
        operands = self.weights, self.inputs, self.states
        call, banks, turned = self.node.prepared(self.cell.recurrences, *operands, *self.further)
        batch = next(iter(self.states.values())).shape[0]
        like = next(iter(self.inputs.values()))
        store = empty(like, self.cell.stored(call.time.total, batch))
        for start in call.store.starts.values():  # the gaps: what operators return has to be fixed
            store[max(0, start - ALIGNED) : start] = 0
        store[call.store.size :] = 0
        states = [state.contiguous() for state in self.states.values()]
        weights = [self.weights[name] for name in call.outline.weights]
        kept = store[: call.store.size]  # it has room for every kernel's
        recorded, last = self.node.train(call, (banks, states, weights), kept)
        if turned is not None:
            recorded = [value.index_select(0, turned) for value in recorded]
        return _owned([*recorded, *last, store])

    def gradients(
        self, gradients: list[Tensor | None], store: Tensor, wanted: list[bool]
    ) -> list[Tensor]:
        """Return the gradients that are wanted, of those of the results."""
        given = self.inputs, self.states, self.weights
        _check_count("wanted", wanted, sum(map(len, given)))
        _check_count("gradients", gradients, len(self.cell.record) + len(self.states))
        gradients = arriving(USER, gradients)
        store = sound(USER, {"store": store})[0]["store"]
        asked = iter(wanted)
        inputs, states, weights = (
            {name: value.detach().requires_grad_(next(asked)) for name, value in group.items()}
            for group in given
        )
        with _torch.autograd_in_operators():  # through what is computed before the loop
            call, banks, turned = self.node.prepared(
                self.cell.recurrences, weights, inputs, states, *self.further
            )
        outputs = [*banks, *states.values(), *(weights[name] for name in call.outline.weights)]
        tensors = [tensor.detach() for tensor in outputs]
        count = len(call.record)
        into = [g if g is None else g.reshape(call.time.total, -1) for g in gradients[:count]]
        if turned is not None:
            into = [g if g is None else g.index_select(0, turned) for g in into]
        kept = store.flatten()[: call.store.size]
        check(USER, call.recurrence.dtype, call.given, tensors)  # also what it need not read
        backward = self.node.derivative(call, tuple(tensor.requires_grad for tensor in outputs))
        begun = backward.begin(call, tensors, kept, [*into, *gradients[count:]])
        begun.launch.run(begun.tensors)
        leaves = [*inputs.values(), *states.values(), *weights.values()]
        return _owned(_differentiated(outputs, backward.end(begun), leaves, wanted, False))

    @torch.enable_grad()
    def by_definition(
        self, gradients: list[Tensor | None], wanted: list[bool], again: bool
    ) -> list[Tensor]:
        """Return the same through the eager definition; if asked, to be differentiated again."""
        gradients = arriving(USER, gradients)
        operands = self.weights, self.inputs, self.states
        values, last = eager.run(self.cell.program, *operands, *self.further)
        tensors = [*self.inputs.values(), *self.states.values(), *self.weights.values()]
        results = [*values.values(), *last.values()]
        return _differentiated(results, gradients, tensors, wanted, again)


def _check_count(what: str, found: Sequence[object], expected: int) -> None:
    """Raise RuntimeError unless there are as many as expected."""
    if len(found) != expected:
        raise RuntimeError(f"{USER}: {what} should have {expected} entries, got {len(found)}")


def _named(what: str, names: Sequence[str], tensors: Sequence[Tensor]) -> dict[str, Tensor]:
    """Return the operands of one kind by name; raise RuntimeError unless there is one for each."""
    if len(names) != len(tensors):
        expected = f"{len(names)} ({', '.join(names)})"
        raise RuntimeError(f"{USER}: {what} should be {expected}, got {len(tensors)}")
    return dict(zip(names, tensors, strict=True))


def _differentiated(
    outputs: Sequence[Tensor],
    gradients: Sequence[Tensor | None],
    inputs: Sequence[Tensor],
    wanted: Sequence[bool],
    again: bool,
) -> list[Tensor]:
    """Return the gradients of the wanted inputs, 0 where there is none: see `eager`'s."""
    pairs = zip(outputs, gradients, strict=True)
    given = [(output, gradient) for output, gradient in pairs if gradient is not None]
    found = eager.differentiated(given, inputs, wanted, again)
    triples = zip(inputs, found, wanted, strict=True)
    return [torch.zeros_like(t) if g is None else g for t, g, asked in triples if asked]


def _owned(results: list[Tensor]) -> list[Tensor]:
    """Return the same numbers, each tensor in memory of its own, where compiled code expects it."""
    seen: set[int] = set()
    for place, result in enumerate(results):
        start = result.untyped_storage().data_ptr()
        if start in seen or not result.is_contiguous() or result.data_ptr() % ALIGNMENT:
            results[place] = result.clone(memory_format=torch.contiguous_format)
        seen.add(start)
    return results


# What the operators return, without numbers.


def _like_recurrence(inputs: Any, states: Any, weights: Any, cell: str, *_: Any) -> list[Tensor]:
    x = inputs[0]
    shape, widths = x.shape[:-1], described(cell, x.dtype).widths
    recorded = [x.new_empty((*shape, width)) for width in widths]
    return [*recorded, *(state.new_empty(state.shape) for state in states)]


def _like_recurrence_forward(inputs: Any, states: Any, *further: Any) -> list[Tensor]:
    x, cell = inputs[0], further[1]
    total = math.prod(x.shape[:-1])  # numel() would fix the numbers
    store = x.new_empty(described(cell, x.dtype).stored(total, states[0].shape[0]))
    return [*_like_recurrence(inputs, states, *further), store]


def _like_recurrence_backward(_: Any, store: Tensor, wanted: Any, *operands: Any) -> list[Tensor]:
    inputs, states, weights, *_further = operands
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
    *tensors, store = ctx.saved_tensors
    left = iter(tensors)
    operands = [list(islice(left, count)) for count in ctx.counts]
    needed = ctx.needs_input_grad[:3]
    wanted = [asked for group in needed for asked in group]
    results, again = gradients[:-1], torch.is_grad_enabled()
    if again or any(g is not None and _torch.is_batched(g) for g in results):
        found = iter(_Run(*operands, *ctx.further).by_definition(results, wanted, again))
    else:
        operator: Any = torch.ops.unrolled.recurrence_backward
        found = iter(operator(results, store, wanted, *operands, *ctx.further))
    return *([next(found) if asked else None for asked in group] for group in needed), *[None] * 3


OPERATORS = {
    "recurrence": (lambda *operands: _Run(*operands).infer(), _like_recurrence),
    "recurrence_forward": (lambda *operands: _Run(*operands).train(), _like_recurrence_forward),
    "recurrence_backward": (
        lambda gradients, store, wanted, *operands: _Run(*operands).gradients(
            gradients, store, wanted
        ),
        _like_recurrence_backward,
    ),
}
"""What each computes, and the same without numbers."""


def _register() -> None:
    for name, (real, like) in OPERATORS.items():
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
