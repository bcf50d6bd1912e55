"""Which way a call takes, and why."""

from __future__ import annotations

from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from . import devices, fused
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
        TypeError: for any other module, and for what a step does not take.
        ValueError, RuntimeError: for arguments that the module would refuse.

    >>> import torch, unrolled
    >>> lstm = unrolled.LSTM(10, 20)
    >>> print(unrolled.explain(lstm, torch.randn(5, 3, 10)))
    compiled kernel: float32, 3 rows
    >>> print(unrolled.explain(unrolled.LSTMCell(10, 20), torch.randn(3, 10)))
    compiled kernel: float32, 3 rows
    >>> print(unrolled.explain(lstm.bfloat16(), torch.randn(5, 3, 10).bfloat16()))
    eager definition: there is no kernel for torch.bfloat16
    """
    kind = type(module).__name__
    if isinstance(module, Step):
        if lengths is not None:
            raise TypeError(f"{kind} takes one step: it has no lengths")
        if not isinstance(input, Tensor):
            raise TypeError(f"{kind} takes a tensor, got {type(input).__name__}")
        x, states = module.prepare(input, hx)
        if fused.applies_to_step(module, x, module._weights("")):
            return f"PyTorch's fused layer: {x.device.type}"
        return _in_words(module, module.obstacle(x, states), x, x.shape[0])
    if not isinstance(module, Layer):
        raise TypeError(f"explain() takes a layer or step of unrolled, got {kind}")
    steps, states = module.prepare(input, hx, lengths)
    if fused.applies(module, steps):
        return f"PyTorch's fused layer: {steps.data.device.type}"
    return _in_words(module, module.obstacle(steps, states), steps.data, steps.batch)


def _in_words(module: Layer | Step, obstacle: str | None, data: Tensor, rows: int) -> str:
    if fused.is_elsewhere(data.device):
        return f"eager definition: {obstacle}: {devices.operations(module)}"
    if obstacle is not None:
        return f"eager definition: {obstacle}"
    return f"compiled kernel: {str(data.dtype).removeprefix('torch.')}, {rows} rows"
