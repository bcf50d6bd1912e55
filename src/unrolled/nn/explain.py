"""Which way a call takes, and why."""

from __future__ import annotations

from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from . import fused
from .layer import Layer
from .sequence import Lengths
from .step import Step
from .weights import States


def explain(
    module: Layer | Step,
    input: Tensor | PackedSequence,
    hx: States | None = None,
    *,
    lengths: Lengths | None = None,
) -> str:
    """Say what computes ``module(input, hx, lengths=lengths)``, and why nothing faster does.

    Args:
        module: a layer or a step of this library.
        input, hx, lengths: as for the module.

    Raises:
        TypeError: for any other module.
        ValueError, RuntimeError: for arguments that the module would refuse.

    >>> import torch, unrolled
    >>> lstm = unrolled.LSTM(10, 20)
    >>> print(unrolled.explain(lstm, torch.randn(5, 3, 10)))
    compiled kernel: float32, 3 rows
    >>> print(unrolled.explain(lstm.bfloat16(), torch.randn(5, 3, 10).bfloat16()))
    eager definition: there is no kernel for torch.bfloat16
    """
    if isinstance(module, Step):
        return "eager definition: single steps have no kernel"
    if not isinstance(module, Layer):
        raise TypeError(f"explain() takes a layer or step of unrolled, got {type(module).__name__}")
    steps, states = module.prepare(input, hx, lengths)
    if fused.applies(module, steps):
        return f"PyTorch's fused layer: {steps.data.device.type}"
    reason = module.obstacle(steps, states)
    if reason is not None:
        return f"eager definition: {reason}"
    return f"compiled kernel: {str(steps.data.dtype).removeprefix('torch.')}, {steps.batch} rows"
