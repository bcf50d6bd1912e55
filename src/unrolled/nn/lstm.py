"""Long short-term memory, as `torch.nn.LSTM` and `torch.nn.LSTMCell`."""

from __future__ import annotations

from typing import Any, final

from torch import nn

from .. import cells
from ..equations import Cell
from .counterpart import Counterpart
from .stack import Dropout, Zoneout
from .step import Step


@final
class LSTM(Counterpart, nn.LSTM):  # pyright: ignore[reportIncompatibleMethodOverride, reportIncompatibleVariableOverride]
    """LSTM layers, with the signature and parameters of `torch.nn.LSTM`.

    Args: see `torch.nn.LSTM`; the options after the asterisk are described at `Recurrent`.

    >>> import torch, unrolled
    >>> lstm = unrolled.LSTM(10, 20, num_layers=2)
    >>> output, (h_n, c_n) = lstm(torch.randn(5, 3, 10))
    >>> output.shape, h_n.shape, c_n.shape
    (torch.Size([5, 3, 20]), torch.Size([2, 3, 20]), torch.Size([2, 3, 20]))
    >>> output, states = lstm(torch.randn(5, 3, 10), lengths=[5, 0, 2])
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
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
        *,
        zoneout: Zoneout = 0.0,
        variational_dropout: Dropout = 0.0,
        learn_initial_states: bool = False,
        recompute: bool = False,
    ) -> None:
        super().__init__(
            _cell(proj_size),
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

    def _derive(self) -> None:
        self.cell = _cell(self.proj_size)
        super()._derive()


def _cell(proj_size: int) -> Cell:
    return cells.CELLS["lstm_projected" if proj_size > 0 else "lstm"]


@final
class LSTMCell(Step, nn.LSTMCell):  # pyright: ignore[reportIncompatibleMethodOverride]
    """One step of an LSTM, as `torch.nn.LSTMCell`.

    >>> import torch, unrolled
    >>> lstm = unrolled.LSTMCell(10, 20)
    >>> h, c = lstm(torch.randn(3, 10), (torch.randn(3, 20), torch.randn(3, 20)))
    >>> h.shape, c.shape
    (torch.Size([3, 20]), torch.Size([3, 20]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(cells.CELLS["lstm"], input_size, hidden_size, bias, 0, device, dtype)
