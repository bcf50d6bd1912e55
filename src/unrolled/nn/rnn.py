"""The simple recurrent network, as `torch.nn.RNN` and `torch.nn.RNNCell`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

from torch import nn

from .. import cells
from ..equations import Cell
from .counterpart import Counterpart
from .stack import Dropout, Zoneout
from .step import Step

NONLINEARITIES = ("tanh", "relu")


def _cell(nonlinearity: str) -> Cell:
    if nonlinearity not in NONLINEARITIES:
        raise ValueError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.")
    return cells.CELLS[f"rnn_{nonlinearity}"]


@final
class RNN(Counterpart, nn.RNN):  # pyright: ignore[reportIncompatibleMethodOverride, reportIncompatibleVariableOverride]
    """Simple recurrent layers, with the signature and parameters of `torch.nn.RNN`.

    Args: see `torch.nn.RNN`; the options after the asterisk are described at `Recurrent`.

    >>> import torch, unrolled
    >>> rnn = unrolled.RNN(10, 20, num_layers=2, nonlinearity="relu")
    >>> output, h_n = rnn(torch.randn(5, 3, 10))
    >>> output.shape, h_n.shape
    (torch.Size([5, 3, 20]), torch.Size([2, 3, 20]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
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
        self.nonlinearity = nonlinearity
        super().__init__(
            _cell(nonlinearity),
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
        self.cell = _cell(self.nonlinearity)
        super()._derive()


def reject_projection(proj_size: int) -> None:
    """Raise ValueError, in PyTorch's words, for what only an LSTM has."""
    if proj_size:
        raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")


@final
class RNNCell(Step, nn.RNNCell):  # pyright: ignore[reportIncompatibleMethodOverride]
    """One step of a simple recurrent network, as `torch.nn.RNNCell`.

    >>> import torch, unrolled
    >>> rnn = unrolled.RNNCell(10, 20)
    >>> rnn(torch.randn(3, 10), torch.randn(3, 20)).shape
    torch.Size([3, 20])
    """

    _defaults: Mapping[str, object] = {**Step._defaults, "nonlinearity": "tanh"}

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        self.nonlinearity = nonlinearity
        super().__init__(_cell(nonlinearity), input_size, hidden_size, bias, 0, device, dtype)

    def _derive(self) -> None:
        self.cell = _cell(self.nonlinearity)
        super()._derive()
