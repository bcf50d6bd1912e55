"""Cells on compiled kernels: whole sequences forward and backward, as one node of autograd."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from typing import Any

import torch
from torch import Tensor

from ... import _torch
from ...graph.operation import Operation
from .. import eager, profile
from ..runtime import timeline
from ..runtime.buffers import solid
from ..runtime.call import Call
from ..runtime.launch import run_concurrently
from ..runtime.memory import reserve
from ..runtime.outline import Outline
from ..runtime.recurrence import Recurrences
from ..runtime.torch_state import PLAIN, is_watched
from ..tuning import OBJECT
from .gradients import Gradients, by_definition

Operands = tuple[Sequence[Tensor], Sequence[Tensor], Sequence[Tensor]]
"""Sources, states and weights in the order of a call; all but weights are contiguous."""

Results = tuple[list[Tensor], list[Tensor]]
"""The recorded values, and the last states."""


def infer(
    call: Call, sources: Sequence[Tensor], states: Sequence[Tensor], weights: Sequence[Tensor]
) -> Results:
    """Return the results of a run that saves nothing for a backward pass."""
    last, recorded = call.results(states)
    tensors = [*call.read(sources, weights), *states, *last, *recorded]
    if call.is_single:
        call.launch("single").run(tensors)
        return recorded, last
    pairs = list(map(tensors[0].new_empty, call.pairs))
    call.launch("inference").run([*tensors, *pairs])
    if not call.time.is_dense:
        last = [_ends(pair, call.time.half, s) for pair, s in zip(pairs, states, strict=True)]
    return recorded, last


def train(call: Call, given: Operands, store: Tensor) -> Results:
    """Return the results of a run, and fill what is kept for the backward pass.

    What is recorded is written a second time: what is kept must not change when the caller
    changes the output.

    Args:
        call: to be run.
        given: what it reads.
        store: to be filled.
    """
    tensors, results = _begin(call, given, store)
    call.launch("forward").run(tensors)
    return results if call.time.is_dense else _end(call, given[1], store, results)


def _begin(call: Call, given: Operands, store: Tensor) -> tuple[list[Tensor], Results]:
    """Return all that the loop reads and writes, and of these what it returns."""
    sources, states, weights = given
    last, recorded = call.results(states)
    tensors = [*call.read(sources, weights), *states, *last, *recorded, store]
    return tensors, (recorded, last)


def _end(call: Call, states: Sequence[Tensor], store: Tensor, results: Results) -> Results:
    """Return the results of rows of several lengths, once the loop has run."""
    full = [call.full(store, name) for name in call.outline.states]
    last = [_ends(rows, call.time.last, state) for rows, state in zip(full, states, strict=True)]
    return results[0], last


def _ends(rows: Tensor, places: Any, like: Tensor) -> Tensor:
    """Return the rows that stand at some places, with as many dimensions as a state was given."""
    return (rows if like.dim() == 2 else rows.unsqueeze(0)).index_select(-2, places)


class Loop(torch.autograd.Function):
    """A loop, or some side by side, as one node of autograd.

    Its double backward runs the eager definition.
    """

    @staticmethod
    def forward(ctx: Any, calls: tuple[Call, ...], *tensors: Tensor) -> tuple[Tensor, ...]:
        """Return of each call the recorded values and the last states.

        The tensors are, of each call, sources, states and weights.
        """
        parts = _parts(tensors, [call.outline.taken for call in calls])
        stores = [reserve.take(tensors[0].dtype, call.store.size) for call in calls]
        ctx.calls = calls
        # call by call: checkpointing compares with nodes of one call each
        saved = [(*part, store) for part, store in zip(parts, stores, strict=True)]
        ctx.save_for_backward(*chain.from_iterable(saved))
        ctx.set_materialize_grads(False)
        pieces = [
            (call, call.outline.parted(part), store)
            for call, part, store in zip(calls, parts, stores, strict=True)
        ]
        launches: list[Any] = [None]
        if len(calls) > 1:
            launches = [call.alone("forward") for call in calls]
        if None not in launches:  # all rows have all steps
            begun = [_begin(*piece) for piece in pieces]
            run_concurrently(
                [(launch, tensors) for launch, (tensors, _) in zip(launches, begun, strict=True)]
            )
            done = [results for _, results in begun]
        else:
            done = [train(*piece) for piece in pieces]
        return tuple(tensor for recorded, last in done for tensor in (*recorded, *last))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        """Return the gradients of what `forward` took."""
        if _torch.is_profiled():
            with told(ctx.calls, ctx.needs_input_grad[1:]):
                return _all_backward(ctx, gradients)
        return _all_backward(ctx, gradients)


def _all_backward(ctx: Any, gradients: Sequence[Tensor | None]) -> tuple[Tensor | None, ...]:
    """Return the gradients of what `Loop.forward` took."""
    calls: tuple[Call, ...] = ctx.calls
    kept = [solid(each) for each in ctx.saved_tensors]  # checkpointing hands it out once
    sizes = [call.outline.taken for call in calls]
    saved = _parts(kept, [size + 1 for size in sizes])
    wanted = _parts(ctx.needs_input_grad[1:], sizes)
    given = _parts(gradients, [len(call.record) + len(call.outline.states) for call in calls])
    pieces = [
        (call, tensors[:-1], tensors[-1], asked, into)
        for call, tensors, asked, into in zip(calls, saved, wanted, given, strict=True)
    ]
    found = _concurrent_backward(pieces) if len(calls) > 1 else None
    found = found or [_backward(*piece) for piece in pieces]
    return None, *chain.from_iterable(found)


@contextmanager
def told(calls: Sequence[Call], wanted: Sequence[bool]) -> Iterator[None]:
    """Tell the profiler of the backward pass of calls while entered.

    Args:
        calls: whose it is.
        wanted: whether the gradient of each of their sources, states and weights is asked for.
    """
    first = calls[0].recurrence
    with profile.region(f"{first.graph.name}_backward"):
        yield
        parts = _parts(wanted, [call.outline.taken for call in calls])
        for call, asked in zip(calls, parts, strict=True):
            sources, states, weights = call.outline.parted(asked)
            _tell(call, any(sources), any(states), weights)


def _tell(call: Call, inputs: bool, states: bool, wanted: Sequence[Any]) -> None:
    """Tell the profiler of the products of a backward pass.

    Args:
        call: whose it is.
        inputs, states: whether gradients of inputs, and of the states before the first step, are
            asked for.
        wanted: whether that of each weight is.
    """
    names, rows = call.outline.weights, call.time.total
    known = {
        f"weight_{block.group}": rows if given else rows - fewer
        for layer in call.recurrence.graph.layers
        for source, block in zip(layer.arguments, layer.attribute.blocks, strict=True)
        for kind, given, fewer in (
            (Operation.INPUT, inputs, rows),
            (Operation.STATE, states, call.time.batch),
        )
        if source.operation is kind
    }
    sources = [known.get(name, rows) for name in names]
    profile.backward(rows, [call.recurrence.shapes[name] for name in names], sources, wanted)


def _parts(values: Sequence[Any], sizes: Sequence[int]) -> list[tuple[Any, ...]]:
    """Return the values of each call, of one flat list."""
    left = iter(values)
    return [tuple(islice(left, size)) for size in sizes]


def _backward(
    call: Call,
    tensors: Sequence[Tensor],
    store: Tensor,
    wanted: tuple[bool, ...],
    gradients: Sequence[Tensor | None],
) -> Sequence[Tensor | None]:
    """Return the gradients of what one call took."""
    if all(gradient is None for gradient in gradients) or not any(wanted):
        return [None for _ in tensors]
    if needs_definition(tensors, gradients):
        return by_definition(call, tensors, gradients, wanted)
    backward = derivative(call, wanted)
    begun = backward.begin(call, tensors, store, gradients)
    begun.launch.run(begun.tensors)
    return backward.end(begun)


def _concurrent_backward(pieces: Sequence[Any]) -> list[list[Tensor | None]] | None:
    """Return the same of all calls, each loop on a thread; None if that is not better."""
    begun = []
    for call, tensors, store, wanted, gradients in pieces:
        if all(each is None for each in gradients) or needs_definition(tensors, gradients):
            return None
        backward = derivative(call, wanted)
        alone = call.alone(backward.kind)
        if alone is None:
            return None
        begun.append((backward, backward.begin(call, tensors, store, gradients, alone)))
    run_concurrently([(each.launch, each.tensors) for _, each in begun])
    return [backward.end(each) for backward, each in begun]


def derivative(call: Call, wanted: tuple[bool, ...]) -> Gradients:
    """Return the backward pass for some of what the forward pass was given."""
    known = call.outline.derivatives
    return known.get(wanted) or known.setdefault(wanted, Gradients(call.outline, wanted))


def needs_definition(tensors: Sequence[Tensor], gradients: Sequence[Tensor | None]) -> bool:
    """Return whether a backward pass is left to PyTorch, as no kernel can make it.

    It is recorded itself, or of many gradients at once, or watched by a mode, or a hook has put
    something else in a tensor's place.
    """
    if torch.is_grad_enabled() or is_watched():
        return True
    for tensor in tensors:
        if type(tensor) not in PLAIN:
            return True
    for gradient in gradients:
        if gradient is not None and (type(gradient) not in PLAIN or _torch.is_batched(gradient)):
            return True
    return False


# Calls by name.


def prepared(
    recurrences: Recurrences,
    weights: Mapping[str, Tensor],
    inputs: Mapping[str, Tensor],
    states: Mapping[str, Tensor],
    record: Sequence[str],
    batch_sizes: Sequence[int] | None = None,
    reverse: bool = False,
) -> tuple[Call, list[Tensor], Tensor | None]:
    """Return a call, what its loop reads, and in which order it takes rows if not in that given."""
    turned = None
    if batch_sizes is not None and reverse:
        turned = timeline.turned(tuple(batch_sizes))
        inputs = {name: value.index_select(0, turned) for name, value in inputs.items()}
    found = call(recurrences, inputs, states, record, batch_sizes, reverse)
    return found, _banks(found, weights, inputs), turned


def call(
    recurrences: Recurrences,
    inputs: Mapping[str, Tensor],
    states: Mapping[str, Tensor],
    record: Sequence[str],
    batch_sizes: Sequence[int] | None,
    reverse: bool,
) -> Call:
    """Return what serves sequences of these sizes; the last ones are kept.

    Ragged ones are on their way forward.
    """
    names, state, shared = tuple(record), next(iter(states.values())), False
    lengths: Any  # how many steps, or how many rows each step has
    if batch_sizes is None:
        x = next(iter(inputs.values()))
        lengths, batch = x.shape[:-1] if x.dim() == 3 else (1, len(x))
        shared = state.dim() == 1
    else:
        lengths, batch, reverse = tuple(batch_sizes), state.shape[-2], False
    key = names, lengths, batch, reverse, shared
    known = recurrences.calls.get(key)
    if known is not None:
        return known
    if batch_sizes is None:
        time, shape = timeline.dense(lengths, batch, reverse), (lengths, batch)
    else:
        time = timeline.ragged(lengths, batch)
        shape = (time.total,)
    recurrence = recurrences.best(time.steps, batch, names)
    kind = names, batch, time.is_dense, shared
    outline = recurrence.outlines.get(kind)
    if outline is None:
        outline = recurrence.outlines.keep(kind, Outline(recurrence, *kind), 2 * OBJECT)
    made = Call(outline, time, shape, None if batch_sizes is None else lengths, reverse)
    return recurrences.calls.keep(key, made, made.size)


def run(
    recurrences: Recurrences,
    weights: Mapping[str, Tensor],
    inputs: Mapping[str, Tensor],
    states: Mapping[str, Tensor],
    record: Sequence[str],
    batch_sizes: Sequence[int] | None = None,
    reverse: bool = False,
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Run a cell over a sequence, or a step; arguments and results are those of `eager.run`.

    Inputs of a step are (B, units), and states may be (1, B, units): last states have that shape.
    """
    if batch_sizes is not None and batch_sizes[-1] == next(iter(states.values())).shape[-2]:
        shape = (len(batch_sizes), batch_sizes[0])  # all rows have the same length
        inputs = {name: value.unflatten(0, shape) for name, value in inputs.items()}
        values, last = run(recurrences, weights, inputs, states, record, None, reverse)
        return {n: _torch.unviewed(v, -1, v.shape[-1]) for n, v in values.items()}, last
    call, banks, turned = prepared(
        recurrences, weights, inputs, states, record, batch_sizes, reverse
    )
    first = [states[name].contiguous() for name in call.outline.states]
    own = [weights[name] for name in call.outline.weights]
    if torch.is_grad_enabled() and any(t.requires_grad for t in (*banks, *first, *own)):
        results = Loop.apply((call,), *banks, *first, *own)
        recorded, last = results[: len(record)], results[len(record) :]
    else:
        recorded, last = infer(call, banks, first, own)
    values = dict(zip(record, recorded, strict=True))
    if turned is not None:
        values = {name: value.index_select(0, turned) for name, value in values.items()}
    return values, dict(zip(call.outline.states, last, strict=True))


def _banks(call: Call, weights: Mapping[str, Tensor], inputs: Mapping[str, Tensor]) -> list[Tensor]:
    """Return what a call is given: inputs as they are, or banks, (N, width); (width,) if fixed.

    Inputs keep their shape, as in replayed calls: checkpointing compares what is
    stored with what is stored when it computes a call again.
    """
    recurrence = call.recurrence
    if recurrence.reads_inputs_alone or recurrence.is_whole:
        return [inputs[name].contiguous() for (name,) in call.outline.sources]
    program = recurrence.hoisted
    slots = eager.hoisted(program, weights, inputs)
    banks = []
    for names in recurrence.split.banks:
        first, *others = names
        value = slots[program.bank(names) if others else program.values[first]]
        fixed = first in recurrence.split.vectors
        rows = value.reshape(-1) if fixed else value.reshape(call.time.total, -1)
        banks.append(rows.contiguous())
    return banks
