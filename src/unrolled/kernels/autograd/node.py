"""Cells on compiled kernels: whole sequences forward and backward, as one node of autograd."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain, islice
from typing import Any

import torch
from torch import Tensor

from ... import _torch
from .. import eager
from ..runtime import timeline
from ..runtime.buffers import solid
from ..runtime.call import Call
from ..runtime.launch import run_concurrently
from ..runtime.memory import reserve
from ..runtime.outline import Outline
from ..runtime.recurrence import Recurrence, Recurrences
from ..runtime.timeline import Timeline
from ..runtime.torch_state import PLAIN, is_watched
from ..tuning import OBJECT
from .gradients import Gradients, by_definition

Recorded = list[Tensor]
Last = list[Tensor]


def infer(
    call: Call, sources: Sequence[Tensor], states: Sequence[Tensor], weights: Sequence[Tensor]
) -> tuple[Recorded, Last]:
    """Run without saving anything for a backward pass: the recorded values, and the last states."""
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


def train(
    call: Call,
    sources: Sequence[Tensor],
    states: Sequence[Tensor],
    weights: Sequence[Tensor],
    store: Tensor,
) -> tuple[Recorded, Last]:
    """Run, and fill what is kept for the backward pass: the recorded values, the last states.

    What is recorded is written a second time: what is kept must not change when the caller
    changes the output.
    """
    tensors, last, recorded = _begun(call, sources, states, weights, store)
    call.launch("forward").run(tensors)
    return recorded, _last(call, last, states, store)


def _begun(
    call: Call,
    sources: Sequence[Tensor],
    states: Sequence[Tensor],
    weights: Sequence[Tensor],
    store: Tensor,
) -> tuple[list[Tensor], Last, Recorded]:
    """Return all that the loop reads and writes; of these, the last states and recorded values."""
    last, recorded = call.results(states)
    return [*call.read(sources, weights), *states, *last, *recorded, store], last, recorded


def _last(call: Call, last: Last, states: Sequence[Tensor], store: Tensor) -> Last:
    """Return the states after each row's last step, in memory of their own."""
    if call.time.is_dense:
        return last
    full = [call.full(store, name) for name in call.outline.states]
    return [_ends(rows, call.time.last, state) for rows, state in zip(full, states, strict=True)]


def _ends(rows: Tensor, places: Any, like: Tensor) -> Tensor:
    """Return the rows that stand at some places, with as many dimensions as a state was given."""
    return (rows if like.dim() == 2 else rows.unsqueeze(0)).index_select(-2, places)


ORDINARY = {*PLAIN, type(None)}


class Loop(torch.autograd.Function):
    """A loop, or some side by side, as one node of autograd.

    Its double backward runs the eager definition.
    """

    @staticmethod
    def forward(ctx: Any, calls: tuple[Call, ...], *tensors: Tensor) -> tuple[Tensor, ...]:
        """Of each call the recorded values and the last states.

        The tensors are, of each call, sources, states and weights.
        """
        stores = [reserve.take(tensors[0].dtype, call.store.size) for call in calls]
        parts = _parts(tensors, [call.outline.taken for call in calls])
        ctx.calls = calls
        # call by call: checkpointing compares with nodes of one call each
        saved = [(*part, store) for part, store in zip(parts, stores, strict=True)]
        ctx.save_for_backward(*chain.from_iterable(saved))
        ctx.set_materialize_grads(False)
        pieces = list(zip(calls, parts, stores, strict=True))
        alone = [call.alone("forward") for call in calls] if len(calls) > 1 else []
        launches = [launch for launch in alone if launch is not None]
        if len(launches) < len(calls):
            done = [train(call, *call.outline.parted(part), store) for call, part, store in pieces]
        else:
            begun = [
                _begun(call, *call.outline.parted(part), store) for call, part, store in pieces
            ]
            run_concurrently(
                [(launch, each[0]) for launch, each in zip(launches, begun, strict=True)]
            )
            ends = zip(begun, pieces, strict=True)
            done = [
                (recorded, _last(call, last, call.outline.parted(part)[1], store))
                for (_, last, recorded), (call, part, store) in ends
            ]
        return tuple(tensor for recorded, last in done for tensor in (*recorded, *last))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        """The gradients of what `forward` took."""
        calls: tuple[Call, ...] = ctx.calls
        kept = [solid(each) for each in ctx.saved_tensors]  # checkpointing hands it out once
        sizes = [call.outline.taken for call in calls]
        saved = _parts(kept, [size + 1 for size in sizes])
        parts, stores = [each[:-1] for each in saved], [each[-1] for each in saved]
        wanted = _parts(ctx.needs_input_grad[1:], sizes)
        given = _parts(gradients, [len(call.record) + len(call.outline.states) for call in calls])
        pieces = list(zip(calls, parts, stores, wanted, given, strict=True))
        found = _together(pieces) if len(calls) > 1 else None
        if found is None:
            found = [_backward(*piece) for piece in pieces]
        return None, *(gradient for each in found for gradient in each)


def _parts(values: Sequence[Any], sizes: Sequence[int]) -> list[tuple[Any, ...]]:
    """The values of each call, of one flat list."""
    left = iter(values)
    return [tuple(islice(left, size)) for size in sizes]


def _backward(
    call: Call,
    tensors: Sequence[Tensor],
    store: Tensor,
    wanted: tuple[bool, ...],
    gradients: Sequence[Tensor | None],
) -> Sequence[Tensor | None]:
    """The gradients of what one call took."""
    if all(gradient is None for gradient in gradients) or not any(wanted):
        return [None for _ in tensors]
    again = torch.is_grad_enabled()
    if again or any(map(is_batched, gradients)) or are_special(tensors, gradients):
        return by_definition(call, tensors, gradients, wanted, again)
    return derivative(call, wanted).run(call, tensors, store, gradients)


def _together(pieces: Sequence[Any]) -> list[list[Tensor | None]] | None:
    """The gradients of what all calls took, each loop on a thread; None if that is not better."""
    if torch.is_grad_enabled():
        return None
    begun = []
    for call, tensors, store, wanted, gradients in pieces:
        if any(map(is_batched, gradients)) or all(each is None for each in gradients):
            return None
        if are_special(tensors, gradients):
            return None
        backward = derivative(call, wanted)
        alone = backward.alone(call)
        if alone is None:
            return None
        begun.append((backward, backward.begin(call, alone, tensors, store, gradients)))
    run_concurrently([(each.launch, each.tensors) for _, each in begun])
    return [backward.end(each) for backward, each in begun]


def derivative(call: Call, wanted: tuple[bool, ...]) -> Gradients:
    """Return the backward pass for some of what the forward pass was given."""
    known = call.outline.derivatives
    return known.get(wanted) or known.setdefault(wanted, Gradients(call.outline, wanted))


def are_special(tensors: Sequence[Tensor], gradients: Sequence[Tensor | None]) -> bool:
    """Return whether a mode, or what a hook has put in a tensor's place, leaves this to PyTorch."""
    return is_watched() or not {*map(type, tensors), *map(type, gradients)} <= ORDINARY


def is_batched(gradient: Tensor | None) -> bool:
    """Whether a gradient stands for many, as for a vectorized jacobian: no kernel takes that."""
    return gradient is not None and _torch.is_batched(gradient)


def prepared(
    recurrences: Recurrences,
    weights: Mapping[str, Tensor],
    inputs: Mapping[str, Tensor],
    states: Mapping[str, Tensor],
    record: Sequence[str],
    batch_sizes: Sequence[int] | None = None,
    reverse: bool = False,
) -> tuple[Call, list[Tensor], Tensor | None]:
    """A call, what its loop reads, and in which order it takes the rows if not in that given."""
    turned = None
    if batch_sizes is not None and reverse:
        turned = timeline.turned(tuple(batch_sizes))
        inputs = {name: value.index_select(0, turned) for name, value in inputs.items()}
    found = call(recurrences, inputs, states, record, batch_sizes, reverse)
    banks = _banks(found.recurrence, weights, inputs, found.time)
    return found, banks, turned


def call(
    recurrences: Recurrences,
    inputs: Mapping[str, Tensor],
    states: Mapping[str, Tensor],
    record: Sequence[str],
    batch_sizes: Sequence[int] | None,
    reverse: bool,
) -> Call:
    """Return what serves sequences of these sizes."""
    first = next(iter(inputs.values()))
    if batch_sizes is not None:
        batch = next(iter(states.values())).shape[-2]
        return ragged(recurrences, tuple(record), tuple(batch_sizes), batch)
    steps, batch = first.shape[:-1] if first.dim() == 3 else (1, len(first))
    shared = next(iter(states.values())).dim() == 1
    return dense(recurrences, tuple(record), steps, batch, reverse, shared)


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
        return {name: value.flatten(0, 1) for name, value in values.items()}, last
    call, banks, turned = prepared(
        recurrences, weights, inputs, states, record, batch_sizes, reverse
    )
    recorded, last = _run(call, banks, states, weights)
    values = dict(zip(record, recorded, strict=True))
    if turned is not None:
        values = {name: value.index_select(0, turned) for name, value in values.items()}
    return values, dict(zip(call.outline.states, last, strict=True))


def _run(
    call: Call,
    banks: Sequence[Tensor],
    states: Mapping[str, Tensor],
    weights: Mapping[str, Tensor],
) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
    """Return recorded values and last states, as part of a graph if one is asked for."""
    first = [states[name].contiguous() for name in call.outline.states]
    own = [weights[name] for name in call.outline.weights]
    if torch.is_grad_enabled() and any(t.requires_grad for t in (*banks, *first, *own)):
        results = Loop.apply((call,), *banks, *first, *own)
        return results[: len(call.record)], results[len(call.record) :]
    return infer(call, banks, first, own)


def dense(
    recurrences: Recurrences,
    record: tuple[str, ...],
    steps: int,
    batch: int,
    reverse: bool,
    shared: bool,
) -> Call:
    """The call for sequences of one length; the last ones are kept."""

    key = record, steps, batch, reverse, shared
    call = recurrences.calls.get(key)
    if call is None:
        recurrence = recurrences.best(steps, batch, record)
        time = timeline.dense(steps, batch, reverse)
        outline = _outline(recurrence, record, batch, True, shared)
        call = Call(outline, time, (steps, batch), None, reverse)
        call = recurrences.calls.keep(key, call, call.size)
    return call


def ragged(
    recurrences: Recurrences, record: tuple[str, ...], batch_sizes: tuple[int, ...], batch: int
) -> Call:
    """The call for sequences of several lengths, on their way forward; the last ones are kept."""

    key = record, batch_sizes, batch
    call = recurrences.calls.get(key)
    if call is None:
        time = timeline.ragged(batch_sizes, batch)
        recurrence = recurrences.best(time.steps, time.batch, record)
        outline = _outline(recurrence, record, batch, False, False)
        call = Call(outline, time, (time.total,), batch_sizes, False)
        call = recurrences.calls.keep(key, call, call.size)
    return call


def _outline(
    recurrence: Recurrence, record: tuple[str, ...], batch: int, is_dense: bool, shared: bool
) -> Outline:
    """Return what calls of any length have in common."""
    key, known = (record, batch, is_dense, shared), recurrence.outlines
    return known.get(key) or known.keep(key, Outline(recurrence, *key), 2 * OBJECT)


def _banks(
    recurrence: Recurrence,
    weights: Mapping[str, Tensor],
    inputs: Mapping[str, Tensor],
    time: Timeline,
) -> list[Tensor]:
    """What a call is given: inputs as they are, or banks, (N, width), or (width,) for fixed ones.

    Inputs keep their shape, as in calls that are made quickly: checkpointing compares what is
    stored with what is stored when it computes a call again.
    """
    if recurrence.reads_inputs_alone:
        return [inputs[name].contiguous() for (name,) in recurrence.split.banks]
    if recurrence.is_whole:
        return [inputs[name].contiguous() for name in recurrence.split.hoisted.inputs]
    program = recurrence.hoisted
    slots = eager.hoisted(program, weights, inputs)
    banks = []
    for names in recurrence.split.banks:
        first, *others = names
        value = slots[program.bank(names) if others else program.values[first]]
        fixed = first in recurrence.split.vectors
        rows = value.reshape(-1) if fixed else value.reshape(time.total, -1)
        banks.append(rows.contiguous())
    return banks
