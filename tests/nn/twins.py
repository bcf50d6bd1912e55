"""A module beside its twin in torch.nn, and everything that can be measured of a module."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

import unrolled
from unrolled.cells import CELLS

LAYERS = ("RNN", "LSTM", "GRU")
STEPS = ("RNNCell", "LSTMCell", "GRUCell")
I, H, T, B, P = 3, 5, 4, 2, 2  # noqa: E741


def twins(kind: str, *args: Any, seed: int = 0, **options: Any) -> tuple[nn.Module, nn.Module]:
    """The module of a class of torch.nn and ours, both made from one seed."""
    modules = []
    for library in (nn, unrolled):
        torch.manual_seed(seed)
        modules.append(getattr(library, kind)(*args, **options))
    return modules[0], modules[1]


def layer(name: str, *sizes: int, **options: Any) -> unrolled.Recurrent:
    """A layer of a known cell."""
    options.setdefault("proj_size", P if CELLS[name].projects else 0)
    return unrolled.Recurrent(CELLS[name], *(sizes or (I, H)), **options)


def step(name: str, *sizes: int, **options: Any) -> unrolled.RecurrentCell:
    """A step of a known cell."""
    options.setdefault("proj_size", P if CELLS[name].projects else 0)
    return unrolled.RecurrentCell(CELLS[name], *(sizes or (I, H)), **options)


def initial(module: Any, *leading: int) -> Any:
    """Random states that the equations can have, (*leading, units): a tensor or a tuple."""
    return packed_up(
        torch.rand(*leading, P if module.proj_size and state == "h" else module.hidden_size)
        for state in module.graph.states
    )


def zeros(hx: Any) -> Any:
    """States of zeros like some states."""
    return packed_up(torch.zeros_like(state) for state in states(hx))


def packed_up(values: Any) -> Any:
    """A tensor if it is alone, else a tuple."""
    values = tuple(values)
    return values if len(values) > 1 else values[0]


def states(hx: Any) -> tuple[Tensor, ...]:
    """The states as a tuple, also if there is only one."""
    return (hx,) if isinstance(hx, Tensor) else tuple(hx)


def packed(x: Tensor, lengths: list[int], **options: Any) -> PackedSequence:
    """Sequences of positive lengths, packed in any order."""
    return pack_padded_sequence(x, torch.tensor(lengths), enforce_sorted=False, **options)


def leaf(value: Any) -> Any:
    """A copy, in the same form, of which gradients are taken."""
    if isinstance(value, PackedSequence):
        return PackedSequence(leaf(value.data), *value[1:])
    if isinstance(value, tuple):
        return tuple(leaf(part) for part in value)
    return None if value is None else value.detach().clone().requires_grad_()


def flat(value: Any) -> list[Tensor]:
    """All tensors in nested tuples; of a PackedSequence also its sizes and orders."""
    if isinstance(value, Tensor):
        return [value]
    return [] if value is None else [tensor for part in value for tensor in flat(part)]


def measured(module: nn.Module, input: Any, hx: Any = None, **options: Any) -> dict[str, Tensor]:
    """Outputs, final states, and the gradients of a random sum of them by everything."""
    input, hx = leaf(input), leaf(hx)
    module.zero_grad()
    results = flat(module(input, hx, **options))
    generator = torch.Generator().manual_seed(1)
    loss = torch.zeros(())
    for result in results:
        if result.is_floating_point():
            weight = torch.rand(result.shape, generator=generator, dtype=torch.float64)
            loss = loss + (result * weight).sum()
    loss.backward()
    found = {f"result {index}": result.detach() for index, result in enumerate(results)}
    leaves = [value for value in flat((input, hx)) if value.requires_grad]
    found |= {f"gradient {index}": value.grad for index, value in enumerate(leaves)}
    found |= {name: parameter.grad for name, parameter in module.named_parameters()}
    return {name: torch.zeros(()) if value is None else value for name, value in found.items()}


def assert_same(ours: Any, theirs: Any, tolerance: float = 1e-10, **options: Any) -> None:
    """Nested tensors are equal, dtypes and shapes included."""
    torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance, **options)


def outcome(call: Any) -> tuple[str, str]:
    """The class and the words of the error that a call raises."""
    try:
        call()
    except Exception as error:
        return type(error).__name__, str(error)
    return "", ""
