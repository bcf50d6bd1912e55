"""Cells on compiled kernels: whole sequences forward and backward, as one node of autograd."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from . import eager, timeline
from .call import Call, put
from .gradients import Gradients, by_definition
from .recurrence import Recurrence, Recurrences
from .timeline import Timeline


def infer(
    call: Call, banks: list[Tensor], states: dict[str, Tensor], weights: dict[str, Tensor]
) -> tuple[Tensor, ...]:
    """Run without saving anything for a backward pass."""
    time = call.time
    kernel, starts = call.inference
    full = call.full({name: state for name, state in states.items() if name in call.record})
    taps = call.taps(banks[0], states=False)
    learned = call.learned(weights)
    pairs = {
        name: _pair(time, state) for name, state in states.items() if name not in call.record
    }
    addresses = call.inputs(banks)
    for name, array in (*full.items(), *pairs.items()):
        addresses[f"old {name}"] = addresses[f"new {name}"] = array.data_ptr()
    for name, array in (*learned.items(), *taps.items()):
        addresses[name] = array.data_ptr()
    kernel.run(addresses, starts, weights, time.counts, call.shares(kernel))
    recorded = [
        full[name][time.after] if name in full else taps[f"tap {name}"] for name in call.record
    ]
    finals = [
        full[name][time.last].clone() if name in full else _last(time, pairs[name])
        for name in states
    ]
    return *recorded, *finals


def _pair(time: Timeline, state: Tensor) -> Tensor:
    """An array for the states before and after a step, (2 B, units), with the first in place."""
    pair = state.new_empty(2 * time.batch, state.shape[1])
    put(pair, 0, state)
    if not time.is_dense:  # rows that enter late read the other half
        put(pair, time.batch, state)
    return pair


def _last(time: Timeline, pair: Tensor) -> Tensor:
    """The states after each row's last step."""
    if not time.is_dense:
        return pair.index_select(0, time.pair[2])
    begin = len(time.counts) % 2 * time.batch
    return pair[begin : begin + time.batch]


class _Loop(torch.autograd.Function):
    """The loop as one node of autograd; its double backward runs the eager definition."""

    @staticmethod
    def forward(ctx: Any, call: Call, *tensors: Tensor) -> tuple[Tensor, ...]:
        banks, states, weights = call.named(tensors)
        time = call.time
        kernel, starts = call.forward
        full, learned = call.full(states), call.learned(weights)
        # Stored a second time: what is saved must not change when the caller changes the output.
        taps = call.taps(banks[0], states=True)
        saved = banks[0].new_empty(time.total, call.training.width)
        addresses = call.inputs(banks)
        for name, array in full.items():
            addresses[f"old {name}"] = addresses[f"new {name}"] = array.data_ptr()
        for name, array in (*learned.items(), *taps.items()):
            addresses[name] = array.data_ptr()
        addresses.update(call.training.addresses(saved))
        kernel.run(addresses, starts, weights, time.counts, call.shares(kernel))
        ctx.call = call
        ctx.save_for_backward(*tensors, saved, *full.values())
        ctx.set_materialize_grads(False)
        finals = [array[time.last].clone() for array in full.values()]
        return *(taps[f"tap {name}"] for name in call.record), *finals

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        call: Call = ctx.call
        count = len(call.banks) + len(call.states) + len(call.weights)
        saved = ctx.saved_tensors  # asked for once: checkpointing hands it out only once
        tensors, stored = saved[:count], saved[count:]
        wanted = ctx.needs_input_grad[1:]
        if all(gradient is None for gradient in gradients):
            return None, *(None for _ in tensors)
        again = torch.is_grad_enabled()
        if again or any(map(_batched, gradients)):
            return None, *by_definition(call, tensors, gradients, wanted, again)
        return None, *Gradients(call, tensors, stored, wanted).run(gradients)


def _batched(gradient: Tensor | None) -> bool:
    """Whether a gradient stands for many, as for a vectorized jacobian: no kernel takes that."""
    return gradient is not None and (
        torch._C._functorch.is_legacy_batchedtensor(gradient)  # pyright: ignore
        or torch._C._functorch.is_batchedtensor(gradient)  # pyright: ignore
    )


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
    turned = None
    shape = tuple(next(iter(inputs.values())).shape[:-1])
    if batch_sizes is None:
        call = _dense(recurrences, tuple(record), *shape, reverse)
    else:
        time = timeline.ragged(batch_sizes, next(iter(states.values())).shape[0])
        if reverse:
            turned = timeline.turned(batch_sizes)
            inputs = {name: value.index_select(0, turned) for name, value in inputs.items()}
        recurrence = recurrences.best(len(time.counts), time.batch, record)
        call = Call(recurrence, tuple(record), time, shape, batch_sizes, False)
    banks = _banks(call.recurrence, weights, inputs, call.time)
    tensors = [*banks, *(states[name] for name in call.states)]
    tensors += [weights[name] for name in call.weights]
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
        results = _Loop.apply(call, *tensors)
    else:
        results = infer(call, *call.named(tensors))
    values = dict(zip(record, results, strict=False))
    if turned is not None:
        values = {name: value.index_select(0, turned) for name, value in values.items()}
    if len(shape) > 1:
        values = {name: value.view(*shape, value.shape[-1]) for name, value in values.items()}
    return values, dict(zip(call.states, results[len(record) :], strict=True))


def _dense(
    recurrences: Recurrences, record: tuple[str, ...], steps: int, batch: int, reverse: bool
) -> Call:
    """The call for sequences of one length; the last ones are kept."""
    key = record, steps, batch, reverse
    known = recurrences.calls.get(key)
    if known is None:
        recurrence = recurrences.best(steps, batch, record)
        time = timeline.dense(steps, batch, reverse)
        known = Call(recurrence, record, time, (steps, batch), None, reverse)
        recurrences.calls.put(key, known)
    return known


def _banks(
    recurrence: Recurrence,
    weights: Mapping[str, Tensor],
    inputs: Mapping[str, Tensor],
    time: Timeline,
) -> list[Tensor]:
    """What the loop reads, each bank as one tensor (N, width), or (width,) for fixed ones."""
    if recurrence.reads_inputs_alone:
        rows = (inputs[name] for (name,) in recurrence.split.banks)
        return [value.reshape(time.total, value.shape[-1]).contiguous() for value in rows]
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
