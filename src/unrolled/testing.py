"""For people who write cells: hold compiled kernels against the equations' definition.

>>> import torch, unrolled
>>> from unrolled import affine, sigmoid, tanh
>>> @unrolled.cell
... def gated(x, h):
...     z = sigmoid(affine(x, h))
...     h = z * h + (1 - z) * tanh(affine(x))
...     return locals()
>>> layer = unrolled.Recurrent(gated, 3, 5, bidirectional=True, dtype=torch.float64)
>>> unrolled.testing.assert_same(layer, torch.randn(7, 4, 3).double(), lengths=[7, 5, 5, 0])
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from .display import number
from .kernels.runtime.torch_state import eager_only
from .nn.layer import Layer
from .nn.sequence import Lengths
from .nn.step import Step
from .nn.weights import States

__all__ = ["assert_same", "differences", "eager_only"]

TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-3}
"""By how much a number may differ from the definition in float64, relative to the largest of its
tensor, or absolutely where that is below 1. Rounding makes about 1e-14 and 1e-6 of well-conditioned
cells; sums over hundreds of steps, and divisions by what is almost 0, lose some digits more."""

CALLS = 3
"""Calls of each sort: the first is new, the second is remembered, the third is made like it."""


def assert_same(
    module: Layer | Step,
    input: Tensor | PackedSequence,
    hx: States | None = None,
    *,
    lengths: Lengths | None = None,
) -> None:
    """Raise unless ``module(input, hx, lengths=lengths)`` computes what its equations say.

    Output, last states, and the gradients of a random sum of these with respect to the input, the
    given states and all parameters that need one are compared with the definition in float64. The
    module is called three times with gradients and three times without: calls like earlier ones
    take a shorter way. What is infinite or NaN in both is the same. Masks
    that are drawn in training are the same each time. Which way a call takes, and why it takes no
    kernel if it does not, says `unrolled.explain`.

    Args:
        module: a layer or a step of this library, in float64 or float32.
        input, hx, lengths: as for the module.

    Raises:
        AssertionError: naming every value and gradient that differs, and by how much.
        TypeError: for any other module.
        ValueError: for a module in another dtype; and what the module raises for its arguments.

    >>> import torch, unrolled
    >>> step = unrolled.LSTMCell(3, 5, dtype=torch.float64)
    >>> assert_same(step, torch.randn(2, 3).double())
    """
    if not isinstance(module, (Layer, Step)):
        kind = type(module).__name__
        raise TypeError(f"assert_same() takes a layer or step of unrolled, got {kind}")
    dtype = (input if isinstance(input, Tensor) else input.data).dtype
    if dtype not in TOLERANCE:
        raise ValueError(f"assert_same() compares float32 and float64, got {dtype}")
    given = _leaves(input, hx, dtype)
    found = [_outcome(module, *given, lengths, gradients=True) for _ in range(CALLS)]
    inferred = [_outcome(module, *given, lengths, gradients=False) for _ in range(CALLS)]
    with eager_only():
        exact = module if dtype is torch.float64 else copy.deepcopy(module).double()
        expected = _outcome(exact, *_leaves(input, hx, torch.float64), lengths, gradients=True)
    values = {name: expected[name] for name in inferred[0]}
    lines = [
        f"{line}, in call {number}{how}"
        for results, right, how in ((found, expected, ""), (inferred, values, " without gradients"))
        for number, each in enumerate(results, 1)
        for line in differences(each, right, dtype)
    ]
    if lines:
        what = f"{type(module).__name__} of {module.cell.name}"
        raise AssertionError("\n  ".join([f"{what} differs from its definition:", *lines]))


def differences(
    found: Mapping[str, Tensor], expected: Mapping[str, Tensor], dtype: torch.dtype
) -> list[str]:
    """Return a line for each tensor that is further from the expected one than rounding explains.

    Args:
        found: computed in `dtype`, by name.
        expected: computed in float64, with the same names.
        dtype: float64 or float32; it decides on the tolerance.

    >>> import torch
    >>> zero, one = {"output": torch.zeros(2)}, {"output": torch.tensor([0.0, 1.0])}
    >>> differences(zero, zero, torch.float32)
    []
    >>> differences(zero, one, torch.float32)
    ['output differs by 1 of 1']
    """
    assert found.keys() == expected.keys(), "one call has other results than the other"
    lines = []
    for name, value in expected.items():
        if found[name].shape != value.shape:
            lines.append(f"{name} has shape {tuple(found[name].shape)}, not {tuple(value.shape)}")
        elif value.numel():
            largest = float(value.abs().nan_to_num(0.0, 0.0, 0.0).max())
            other = found[name].to(value.dtype)
            same = (other == value) | (other.isnan() & value.isnan())
            off = float((other - value).abs().masked_fill(same, 0.0).max())
            if not off <= TOLERANCE[dtype] * max(1.0, largest):  # NaN is no number that is near
                lines.append(f"{name} differs by {number(off, 3)} of {number(largest, 3)}")
    return lines


def _leaves(
    input: Tensor | PackedSequence, hx: States | None, dtype: torch.dtype
) -> tuple[Tensor | PackedSequence, States | None]:
    """Return the arguments, as tensors of their own that gradients are taken of."""

    def leaf(tensor: Tensor) -> Tensor:
        return tensor.detach().to(dtype, copy=True).requires_grad_()

    new = (
        input._replace(data=leaf(input.data)) if isinstance(input, PackedSequence) else leaf(input)
    )
    if hx is None or isinstance(hx, Tensor):
        return new, None if hx is None else leaf(hx)
    return new, tuple(map(leaf, hx))


def _outcome(
    module: Layer | Step,
    input: Tensor | PackedSequence,
    hx: States | None,
    lengths: Lengths | None,
    gradients: bool,
) -> dict[str, Tensor]:
    """Return all that a call returns, and if asked the gradients of a random sum of it, by name."""
    with torch.random.fork_rng(devices=[]), torch.set_grad_enabled(gradients):
        torch.manual_seed(0)  # draws the same masks each time
        if isinstance(module, Step):
            named: dict[str, Tensor] = {}
            states = module(input, hx)
        else:
            output, states = module(input, hx, lengths=lengths)
            named = {"the output": output.data}
        named |= _named("the last state", module.cell.states, states)
    results = {name: value.detach() for name, value in named.items()}
    if gradients:
        wanted = {"the input": input.data if isinstance(input, PackedSequence) else input}
        wanted |= _named("the first state", module.cell.states, hx)
        wanted |= {name: p for name, p in module.named_parameters() if p.requires_grad}
        results |= _gradients(named.values(), wanted)
    return results


def _named(what: str, names: Iterable[str], states: States | None) -> dict[str, Tensor]:
    """Return the tensors of some states by name."""
    if states is None:
        return {}
    each = (states,) if isinstance(states, Tensor) else states
    return {f"{what} {name}": state for name, state in zip(names, each, strict=True)}


def _gradients(values: Iterable[Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the gradients of a random sum of some values, 0 where they depend on nothing."""
    generator = torch.Generator().manual_seed(0)
    total = torch.stack(
        [
            (value * torch.randn(value.shape, generator=generator, dtype=torch.float64)).sum()
            for value in values
        ]
    ).sum()
    if not total.requires_grad:
        return {f"the gradient of {name}": torch.zeros_like(p) for name, p in wanted.items()}
    found = torch.autograd.grad(
        total, list(wanted.values()), allow_unused=True, materialize_grads=True
    )
    return {f"the gradient of {name}": g for name, g in zip(wanted, found, strict=True)}
