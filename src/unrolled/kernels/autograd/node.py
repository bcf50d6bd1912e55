"""Cells on compiled kernels: whole sequences forward and backward, as one node of autograd."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain, islice
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ... import _torch
from .. import eager
from ..runtime import timeline
from ..runtime.buffers import solid
from ..runtime.call import Call, put
from ..runtime.concurrent import start
from ..runtime.launch import Job
from ..runtime.memory import reserve
from ..runtime.recurrence import Recurrence, Recurrences
from ..runtime.timeline import Timeline
from ..runtime.torch_state import PLAIN, is_watched
from .gradients import Begun, by_definition


def infer(
    call: Call, sources: list[Tensor], states: Mapping[str, Tensor], weights: Mapping[str, Tensor]
) -> tuple[list[Tensor], list[Tensor]]:
    """Run without saving anything for a backward pass: the recorded values, and the last states."""
    sources, states, weights = _handed(call, sources, states, weights)
    time, job, banks = call.time, call.inference, call.read(sources, weights)
    learned = call.learned(weights)
    pairs = [_pair(time, states[name]) for name in call.states]
    taps = call.taps(pairs[0])
    places = [pair.data_ptr() for pair in pairs]
    ends = [tap.data_ptr() for tap in taps]
    job.run([*call.inputs(banks, learned), *places, *places, *ends], weights)
    return taps, [time.final(pair) for pair in pairs]


def _single(
    call: Call, sources: list[Tensor], states: Mapping[str, Tensor], weights: Mapping[str, Tensor]
) -> list[Tensor]:
    """One step without saving anything: the states after it. Nothing is copied."""
    sources, states, weights = _handed(call, sources, states, weights)
    banks, learned = call.read(sources, weights), call.learned(weights)
    old = [states[name] for name in call.states]
    new = [state.new_empty(state.shape) for state in old]
    before = [state.data_ptr() for state in old]
    after = [state.data_ptr() for state in new]
    call.single.run([*call.inputs(banks, learned), *before, *after], weights)
    return new


def _handed(
    call: Call, sources: list[Tensor], states: Mapping[str, Tensor], weights: Mapping[str, Tensor]
) -> tuple[list[Tensor], dict[str, Tensor], dict[str, Tensor]]:
    """What a loop is handed, checked: sources, states and weights, each laid out row by row."""
    tensors = [*sources, *(states[name] for name in call.states)]
    tensors += [weights[name] for name in call.weights]
    return call.named(call.given.dense(tensors))


def _pair(time: Timeline, state: Tensor) -> Tensor:
    """An array for the states before and after a step, (2 B, units), with the first in place."""
    pair = state.new_empty(2 * time.batch, state.shape[1])
    put(state, pair.data_ptr(), state.nbytes)
    if not time.is_dense:  # rows that enter late read the other half
        put(state, pair.data_ptr() + state.nbytes, state.nbytes)
    return pair


def train(
    call: Call,
    sources: list[Tensor],
    states: Mapping[str, Tensor],
    weights: Mapping[str, Tensor],
    store: Tensor,
) -> tuple[list[Tensor], list[Tensor]]:
    """Run, and fill what is kept for the backward pass: the recorded values, the last states.

    What is recorded is written a second time: what is kept must not change when the caller
    changes the output.
    """
    begun = _begun(call, call.forward, sources, states, weights, store)
    begun.job.run(begun.addresses, begun.weights)
    return begun.taps, call.last(store)


class _Begun(NamedTuple):
    """A forward pass that is ready to run; what is `alive` is read by it."""

    job: Job
    addresses: list[int]
    weights: Mapping[str, Tensor]
    taps: list[Tensor]
    alive: Any


def _begun(
    call: Call,
    job: Job,
    sources: list[Tensor],
    states: Mapping[str, Tensor],
    weights: Mapping[str, Tensor],
    store: Tensor,
) -> _Begun:
    """All that the loop reads and writes."""
    sources, states, weights = _handed(call, sources, states, weights)
    banks = call.read(sources, weights)
    learned, start = call.learned(weights), store.data_ptr()
    for state, (begin, size) in zip(states.values(), call.initial, strict=True):
        put(state, start + begin, size)
    taps = call.taps(store)
    full, saved = call.offsets
    places = [start + offset for offset in full]
    ends = [tap.data_ptr() for tap in taps]
    ends += [start + offset for offset in saved]
    addresses = [*call.inputs(banks, learned), *places, *places, *ends]
    return _Begun(job, addresses, weights, taps, (banks, learned))


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
        parts = _parts(tensors, [call.taken for call in calls])
        ctx.calls = calls
        # call by call: checkpointing compares with nodes of one call each
        saved = [(*part, store) for part, store in zip(parts, stores, strict=True)]
        ctx.save_for_backward(*chain.from_iterable(saved))
        ctx.set_materialize_grads(False)
        pieces = list(zip(calls, parts, stores, strict=True))
        lone = [call.forward_abreast for call in calls] if len(calls) > 1 else []
        jobs = [job for job in lone if job is not None]
        if len(jobs) < len(calls):
            done = [train(call, *call.named(part), store) for call, part, store in pieces]
        else:
            begun = [
                _begun(call, job, *call.named(part), store)
                for job, (call, part, store) in zip(jobs, pieces, strict=True)
            ]
            _abreast(begun)
            ends = zip(begun, pieces, strict=True)
            done = [(each.taps, call.last(store)) for each, (call, _, store) in ends]
        return tuple(tensor for taps, last in done for tensor in (*taps, *last))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        """The gradients of what `forward` took."""
        calls: tuple[Call, ...] = ctx.calls
        kept = [solid(each) for each in ctx.saved_tensors]  # checkpointing hands it out once
        sizes = [call.taken for call in calls]
        saved = _parts(kept, [size + 1 for size in sizes])
        parts, stores = [each[:-1] for each in saved], [each[-1] for each in saved]
        wanted = _parts(ctx.needs_input_grad[1:], sizes)
        given = _parts(gradients, [len(call.record) + len(call.states) for call in calls])
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
    if again or any(map(is_batched, gradients)) or _are_special(tensors, gradients):
        return by_definition(call, tensors, gradients, wanted, again)
    return call.gradients(wanted).run(tensors, store, gradients)


def _together(pieces: Sequence[Any]) -> list[list[Tensor | None]] | None:
    """The gradients of what all calls took, each loop on a thread; None if that is not better."""
    if torch.is_grad_enabled():
        return None
    begun, ends = [], []
    for call, tensors, store, wanted, gradients in pieces:
        if any(map(is_batched, gradients)) or all(each is None for each in gradients):
            return None
        if _are_special(tensors, gradients):
            return None
        derivative = call.gradients(wanted)
        job = derivative.lone
        if job is None:
            return None
        tensors, store, gradients = call.handed_back(tensors, store, gradients)
        begun.append(derivative.begin(job, tensors, store, gradients))
        ends.append((derivative, tensors, store))
    _abreast(begun)
    return [derivative.end(b, *rest) for b, (derivative, *rest) in zip(begun, ends, strict=True)]


def _abreast(begun: Sequence[_Begun | Begun]) -> None:
    """Run loops at once, each on a thread."""
    read = [each.job.read(each.weights) for each in begun]
    runs = [
        (each.job, each.addresses, [weight.data_ptr() for weight in weights])
        for each, weights in zip(begun, read, strict=True)
    ]
    start(runs, torch.get_num_threads())


def _are_special(tensors: Sequence[Tensor], gradients: Sequence[Tensor | None]) -> bool:
    """Whether a mode, or what a hook has put in a tensor's place, leaves this to PyTorch."""
    there = (*tensors, *(gradient for gradient in gradients if gradient is not None))
    return is_watched() or any(type(tensor) not in PLAIN for tensor in there)


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
    shape = tuple(next(iter(inputs.values())).shape[:-1])
    if batch_sizes is None:
        steps, batch = shape
        call = dense(recurrences, tuple(record), steps, batch, reverse)
    else:
        if reverse:
            turned = timeline.turned(tuple(batch_sizes))
            inputs = {name: value.index_select(0, turned) for name, value in inputs.items()}
        batch = next(iter(states.values())).shape[0]
        call = ragged(recurrences, tuple(record), tuple(batch_sizes), batch)
    banks = _banks(call.recurrence, weights, inputs, call.time)
    return call, banks, turned


def run(
    recurrences: Recurrences,
    weights: Mapping[str, Tensor],
    inputs: Mapping[str, Tensor],
    states: Mapping[str, Tensor],
    record: Sequence[str],
    batch_sizes: Sequence[int] | None = None,
    reverse: bool = False,
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Run a cell over a sequence; arguments and results are those of `eager.run`."""
    if batch_sizes is not None and batch_sizes[-1] == len(next(iter(states.values()))):
        shape = (len(batch_sizes), batch_sizes[0])  # all rows have the same length
        inputs = {name: value.unflatten(0, shape) for name, value in inputs.items()}
        values, last = run(recurrences, weights, inputs, states, record, None, reverse)
        return {name: value.flatten(0, 1) for name, value in values.items()}, last
    call, banks, turned = prepared(
        recurrences, weights, inputs, states, record, batch_sizes, reverse
    )
    shape = call.shape
    tensors = [*banks, *states.values(), *weights.values()]
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
        order = [*(states[name] for name in call.states), *(weights[name] for name in call.weights)]
        results = Loop.apply((call,), *banks, *order)
        recorded, last = results[: len(record)], results[len(record) :]
    elif shape[0] == 1 and len(shape) > 1 and call.states.keys() >= set(record):
        last = _single(call, banks, states, weights)
        after = dict(zip(call.states, last, strict=True))
        recorded = [after[name].unsqueeze(0).clone() for name in record]
    else:
        recorded, last = infer(call, banks, states, weights)
    values = dict(zip(record, recorded, strict=True))
    if turned is not None:
        values = {name: value.index_select(0, turned) for name, value in values.items()}
    return values, dict(zip(call.states, last, strict=True))


def step(
    recurrences: Recurrences,
    weights: Mapping[str, Tensor],
    inputs: Mapping[str, Tensor],
    states: Mapping[str, Tensor],
) -> dict[str, Tensor]:
    """One step: the states after it, (B, units); inputs are (B, units) too."""
    (batch, _) = next(iter(inputs.values())).shape
    call = dense(recurrences, (), 1, batch, False)
    banks = _banks(call.recurrence, weights, inputs, call.time)
    tensors = [*banks, *states.values(), *weights.values()]
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
        order = [*(states[name] for name in call.states), *(weights[name] for name in call.weights)]
        new = Loop.apply((call,), *banks, *order)
    else:
        new = _single(call, banks, states, weights)
    return dict(zip(call.states, new, strict=True))


def dense(
    recurrences: Recurrences, record: tuple[str, ...], steps: int, batch: int, reverse: bool
) -> Call:
    """The call for sequences of one length; the last ones are kept."""

    key = record, steps, batch, reverse
    call = recurrences.calls.get(key)
    if call is None:
        recurrence = recurrences.best(steps, batch, record)
        time = timeline.dense(steps, batch, reverse)
        call = Call(recurrence, record, time, (steps, batch), None, reverse)
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
        recurrence = recurrences.best(len(time.counts), time.batch, record)
        call = Call(recurrence, record, time, (time.total,), batch_sizes, False)
        call = recurrences.calls.keep(key, call, call.size)
    return call


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
