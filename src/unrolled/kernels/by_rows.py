"""The definition with the rows of the batch first, for parameters that make products themselves.

`torch.nn.utils._per_sample_grad` puts tensors of a class of its own in place of parameters. What
these do in a product holds for samples, which they expect along dimension 0; they know products,
and little else. So every product here has the rows of the batch, and all of them, along dimension
0, and a parameter that anything else reads is turned into a row of numbers for each row by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from . import eager
from .eager import Program


def repeated(weight: Tensor, rows: int, like: Tensor) -> Tensor:
    """Return a parameter (units,) as (rows, units), by a product.

    >>> import torch
    >>> repeated(torch.arange(3.0), 2, torch.zeros(()))
    tensor([[0., 1., 2.],
            [0., 1., 2.]])
    """
    return F.linear(like.new_zeros(rows, 1), like.new_zeros(weight.shape[0], 1), weight)


def run(
    program: Program,
    weights: Mapping[str, Tensor],
    inputs: Mapping[str, Tensor],
    states: Mapping[str, Tensor],
    record: Sequence[str],
    reverse: bool = False,
    valid: Tensor | None = None,
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Run a cell over a sequence.

    Args:
        program, weights, inputs, states, record, reverse: as for `eager.run`, without
            `batch_sizes`.
        valid: (T, B), of rows of several lengths: whether a row has a step. States stay as they
            are at steps that a row has not; values of these have no meaning.

    Returns:
        As `eager.run`.
    """
    x = next(iter(inputs.values()))
    steps, rows = x.shape[:2]
    slots = _known(
        program, weights, {name: value.transpose(0, 1) for name, value in inputs.items()}
    )
    sequences = {slot: slots[slot].unbind(1) for slot in program.crossing}
    slots_of = {name: program.values[name] for name in record}
    known = {name: slots[slot] for name, slot in slots_of.items() if name not in program.stepped}
    recorded: dict[str, list[Tensor]] = {name: [] for name in record if name not in known}
    now = dict(states)
    for t in range(steps - 1, -1, -1) if reverse else range(steps):
        for state, slot in program.states.items():
            slots[slot] = now[state]
        for slot, values in sequences.items():
            slots[slot] = values[t]
        eager.execute(program.steps, slots)
        for state, slot in program.next.items():
            new = slots[slot]
            now[state] = new if valid is None else torch.where(valid[t, :, None], new, now[state])
        for name, values in recorded.items():
            values.append(slots[slots_of[name]])
    found = {}
    for name in record:
        if name in recorded:
            found[name] = torch.stack(recorded[name][:: -1 if reverse else 1])
        else:
            value = known[name].transpose(0, 1) if known[name].dim() == 3 else known[name]
            found[name] = torch.broadcast_to(value, (steps, rows, *(value.shape[-1:] or (1,))))
    return found, now


def _known(
    program: Program, weights: Mapping[str, Tensor], inputs: Mapping[str, Tensor]
) -> list[Tensor]:
    """Return the slots of a program with all filled in that is known before the first step.

    Args:
        inputs: (B, T, units).
    """
    x = next(iter(inputs.values()))
    own = {name: repeated(weights[name], x.shape[0], x) for name in program.elementwise}
    slots = eager.filled(program, {**weights, **own}, inputs)
    eager.execute(program.once, slots)
    rows = {s: slots[s] for s in program.varying if isinstance(slots[s], Tensor)}
    for slot, value in rows.items():  # the same at every step
        slots[slot] = value.unsqueeze(1)
    eager.execute(program.hoisted, slots)
    for slot, value in rows.items():
        slots[slot] = value
    return slots
