"""Cells on compiled kernels: whole sequences forward and backward, as one node of autograd."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from . import eager, timeline
from .call import Call, put
from .gradients import Gradients, by_definition
from .memory import empty
from .recurrence import Recurrence, Recurrences
from .timeline import Timeline


def infer(
    call: Call, banks: list[Tensor], states: Mapping[str, Tensor], weights: Mapping[str, Tensor]
) -> tuple[list[Tensor], list[Tensor]]:
    """Run without saving anything for a backward pass: the recorded values, and the last states."""
    time, job = call.time, call.inference
    learned = call.learned(weights)
    arrays = [
        call.full(name, states[name]) if name in call.record else _pair(time, states[name])
        for name in call.states
    ]
    taps = [call.tap(name, banks[0]) for name in call.taps]
    places = [array.data_ptr() for array in arrays]
    ends = [tap.data_ptr() for tap in taps]
    job.run([*call.inputs(banks, learned), *places, *places, *ends], weights)
    full = dict(zip(call.states, arrays, strict=True))
    tapped = dict(zip(call.taps, taps, strict=True))
    recorded = [tapped[name] if name in tapped else full[name][time.after] for name in call.record]
    finals = [
        full[name][time.last].clone() if name in call.record else time.final(full[name])
        for name in call.states
    ]
    return recorded, finals


def _single(
    call: Call, banks: list[Tensor], states: Mapping[str, Tensor], weights: Mapping[str, Tensor]
) -> list[Tensor]:
    """One step without saving anything: the states after it. Nothing is copied."""
    learned = call.learned(weights)
    old = [_contiguous(states[name]) for name in call.states]
    new = [state.new_empty(state.shape) for state in old]
    before = [state.data_ptr() for state in old]
    after = [state.data_ptr() for state in new]
    call.single.run([*call.inputs(banks, learned), *before, *after], weights)
    return new


def _contiguous(state: Tensor) -> Tensor:
    return state if state.is_contiguous() else state.contiguous()


def _pair(time: Timeline, state: Tensor) -> Tensor:
    """An array for the states before and after a step, (2 B, units), with the first in place."""
    pair = state.new_empty(2 * time.batch, state.shape[1])
    put(pair, 0, state)
    if not time.is_dense:  # rows that enter late read the other half
        put(pair, time.batch, state)
    return pair


def train(
    call: Call,
    banks: list[Tensor],
    states: Mapping[str, Tensor],
    weights: Mapping[str, Tensor],
    saved: Tensor,
) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """Run, and fill `saved`: the recorded values, the last states, and the states of all steps."""
    time, job, learned = call.time, call.forward, call.learned(weights)
    full = [call.full(name, state) for name, state in states.items()]
    # Stored a second time: what is saved must not change when the caller changes the output.
    taps = [call.tap(name, banks[0]) for name in call.record]
    places = [array.data_ptr() for array in full]
    ends = [tap.data_ptr() for tap in taps]
    addresses = [*call.inputs(banks, learned), *places, *places, *ends]
    job.run([*addresses, *call.training.saved(saved)], weights)
    return taps, [array[time.last].clone() for array in full], full


class Loop(torch.autograd.Function):
    """The loop as one node of autograd; its double backward runs the eager definition."""

    @staticmethod
    def forward(ctx: Any, call: Call, *tensors: Tensor) -> tuple[Tensor, ...]:
        """The recorded values and the last states, of banks, states and weights."""
        banks, states, weights = call.named(tensors)
        saved = empty(banks[0].dtype, call.time.total, call.training.width)
        recorded, finals, full = train(call, banks, states, weights, saved)
        ctx.call = call
        ctx.save_for_backward(*tensors, saved, *full)
        ctx.set_materialize_grads(False)
        return *recorded, *finals

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        """The gradients of what `forward` took."""
        call: Call = ctx.call
        count = len(call.banks) + len(call.states) + len(call.weights)
        saved = ctx.saved_tensors  # asked for once: checkpointing hands it out only once
        tensors, stored = saved[:count], saved[count:]
        wanted: Sequence[bool] = ctx.needs_input_grad[1:]
        if all(gradient is None for gradient in gradients):
            return None, *(None for _ in tensors)
        again = torch.is_grad_enabled()
        if again or any(map(is_batched, gradients)):
            return None, *by_definition(call, tensors, gradients, wanted, again)
        return None, *Gradients(call, tensors, stored, wanted).run(gradients)


def is_batched(gradient: Tensor | None) -> bool:
    """Whether a gradient stands for many, as for a vectorized jacobian: no kernel takes that."""
    return gradient is not None and (
        torch._C._functorch.is_legacy_batchedtensor(gradient)  # pyright: ignore
        or torch._C._functorch.is_batchedtensor(gradient)  # pyright: ignore
    )


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
    if batch_sizes is not None and min(batch_sizes) == len(next(iter(states.values()))):
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
        results = Loop.apply(call, *banks, *order)
        recorded, last = results[: len(record)], results[len(record) :]
    elif shape[0] == 1 and len(shape) > 1 and not call.taps:
        last = _single(call, banks, states, weights)
        after = dict(zip(call.states, last, strict=True))
        recorded = [after[name].clone() for name in record]
    else:
        recorded, last = infer(call, banks, states, weights)
    values = dict(zip(record, recorded, strict=True))
    if turned is not None:
        values = {name: value.index_select(0, turned) for name, value in values.items()}
    if len(shape) > 1:
        values = {name: value.view(*shape, value.shape[-1]) for name, value in values.items()}
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
        new = Loop.apply(call, *banks, *order)
    else:
        new = _single(call, banks, states, weights)
    return dict(zip(call.states, new, strict=True))


def dense(
    recurrences: Recurrences, record: tuple[str, ...], steps: int, batch: int, reverse: bool
) -> Call:
    """The call for sequences of one length; the last ones are kept."""

    def make() -> Call:
        recurrence = recurrences.best(steps, batch, record)
        time = timeline.dense(steps, batch, reverse)
        return Call(recurrence, record, time, (steps, batch), None, reverse)

    return recurrences.calls.get((record, steps, batch, reverse), make)


def ragged(
    recurrences: Recurrences, record: tuple[str, ...], batch_sizes: tuple[int, ...], batch: int
) -> Call:
    """The call for sequences of several lengths, on their way forward; the last ones are kept."""

    def make() -> Call:
        time = timeline.ragged(batch_sizes, batch)
        recurrence = recurrences.best(len(time.counts), time.batch, record)
        return Call(recurrence, record, time, (time.total,), batch_sizes, False)

    return recurrences.calls.get((record, batch_sizes, batch), make)


def _banks(
    recurrence: Recurrence,
    weights: Mapping[str, Tensor],
    inputs: Mapping[str, Tensor],
    time: Timeline,
) -> list[Tensor]:
    """What the loop reads, each bank as one tensor (N, width), or (width,) for fixed ones."""
    if recurrence.reads_inputs_alone:
        rows = (inputs[name] for (name,) in recurrence.split.banks)
        return [_rows(value, time.total) for value in rows]
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


def _rows(value: Tensor, total: int) -> Tensor:
    """(N, width), row by row in memory."""
    if value.dim() != 2:
        value = value.reshape(total, value.shape[-1])
    return value if value.is_contiguous() else value.contiguous()
