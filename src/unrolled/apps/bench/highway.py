"""A cell that is in no library, as a user would write it, and the loop it would take without us."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor
from torch.nn import Module
from torch.nn import functional as F

from ...equations import cell
from ...equations.language import affine, sigmoid, tanh


@cell
def lstm_highway(x, h, c):
    """LSTM with a fifth gate, through which the old hidden state goes past the cell."""
    i = sigmoid(affine(x, h))
    f = sigmoid(affine(x, h))
    g = tanh(affine(x, h))
    o = sigmoid(affine(x, h))
    s = sigmoid(affine(x, h))
    c = f * c + i * g
    h = s * h + (1 - s) * o * tanh(c)
    return locals()


@final
class HandWritten(Module):
    """The same layer as a loop of PyTorch operations, with the weights of another.

    The products with the input are done for all steps at once, as a careful user would.
    """

    def __init__(self, layer: Module) -> None:
        super().__init__()
        for name, weight in layer.named_parameters():
            self.register_parameter(name, torch.nn.Parameter(weight.detach().clone()))

    def forward(self, x: Tensor, hx: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """(T, B, I) and two states (1, B, H) to (T, B, H) and the states after the last step."""
        h, c = (state.squeeze(0) for state in hx)
        weight, bias = self.get_parameter("weight_hh_l0"), self.get_parameter("bias_hh_l0")
        hoisted = F.linear(x, self.get_parameter("weight_ih_l0"), self.get_parameter("bias_ih_l0"))
        outputs = []
        for each in hoisted:
            i, f, g, o, s = (each + F.linear(h, weight, bias)).chunk(5, -1)
            s = torch.sigmoid(s)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = s * h + (1 - s) * torch.sigmoid(o) * torch.tanh(c)
            outputs.append(h)
        return torch.stack(outputs), (h.unsqueeze(0), c.unsqueeze(0))
