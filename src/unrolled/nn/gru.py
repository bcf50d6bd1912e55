"""The gated recurrent unit, as `torch.nn.GRU` and `torch.nn.GRUCell`."""

from __future__ import annotations

from typing import Any, final

from torch import nn

from .. import cells
from .counterpart import Counterpart
from .rnn import reject_projection
from .stack import Dropout, Zoneout
from .step import Step


@final
class GRU(Counterpart, nn.GRU):  # pyright: ignore[reportIncompatibleMethodOverride, reportIncompatibleVariableOverride]
    """GRU layers, with the signature and parameters of `torch.nn.GRU`.

    Args: see `torch.nn.GRU`; the options after the asterisk are described at `Recurrent`.

    >>> import torch, unrolled
    >>> gru = unrolled.GRU(10, 20, bidirectional=True)
    >>> output, h_n = gru(torch.randn(5, 3, 10))
    >>> output.shape, h_n.shape
    (torch.Size([5, 3, 40]), torch.Size([2, 3, 20]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        zoneout: Zoneout = 0.0,
        variational_dropout: Dropout = 0.0,
        learn_initial_states: bool = False,
        recompute: bool = False,
        proj_size: int = 0,
    ) -> None:
        reject_projection(proj_size)
        super().__init__(
            cells.CELLS["gru"],
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            proj_size,
            device,
            dtype,
            zoneout=zoneout,
            variational_dropout=variational_dropout,
            learn_initial_states=learn_initial_states,
            recompute=recompute,
        )


@final
class GRUCell(Step, nn.GRUCell):  # pyright: ignore[reportIncompatibleMethodOverride]
    """One step of a GRU, as `torch.nn.GRUCell`.

    >>> import torch, unrolled
    >>> gru = unrolled.GRUCell(10, 20)
    >>> gru(torch.randn(3, 10)).shape
    torch.Size([3, 20])
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(cells.CELLS["gru"], input_size, hidden_size, bias, 0, device, dtype)
