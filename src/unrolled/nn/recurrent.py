"""Layers and steps of any cell."""

from __future__ import annotations

from typing import final

from .layer import Layer
from .step import Step


@final
class Recurrent(Layer):
    """Layers of any cell: one of `unrolled.cells`, or your own under ``@unrolled.cell``.

    Args:
        cell: whose equations are computed.
        input_size: I, the number of features of the input.
        hidden_size: H, the number of units of the states.
        num_layers: how many layers are stacked.
        bias: whether learned layers have a bias.
        batch_first: whether input and output are (B, T, units); states never are.
        dropout: the probability of dropout between layers, in training.
        bidirectional: whether a second set of layers runs from the last step to the first.
        proj_size: P, the size of h for a cell that projects it, such as `lstm_projected`.
        device, dtype: of the parameters.
        zoneout: the probability that a unit keeps its old state (Krueger et al. 2017): one number
            for all states, or a mapping such as ``{"h": 0.05, "c": 0.5}``.
        variational_dropout: the probability with which what a learned layer reads is dropped in
            training, by masks that stay the same for a whole sequence (Gal & Ghahramani 2016): one
            number, or a mapping such as ``{"input": 0.1, "state": 0.3}`` with one for what depends
            on the layer's input alone, and one for what depends on a state.
        learn_initial_states: whether the states before the first step are learned; they start at
            0 and are used whenever no states are given.
        recompute: whether a kernel stores nothing but inputs and states in training, and computes
            gates again on the way back: far less memory, for about a third more time.

    >>> import torch, unrolled
    >>> layer = unrolled.Recurrent(unrolled.cells.lstm_peephole, 10, 20, zoneout={"c": 0.1})
    >>> layer
    Recurrent(lstm_peephole, 10, 20, zoneout={'c': 0.1})
    >>> output, (h_n, c_n) = layer(torch.randn(5, 3, 10))
    >>> output.shape
    torch.Size([5, 3, 20])
    """

    def extra_repr(self) -> str:
        """Return the cell, the sizes, and the options that differ from their defaults."""
        return f"{self.cell.name}, {super().extra_repr()}"


@final
class RecurrentCell(Step):
    """One step of any cell.

    Args:
        cell: whose equations are computed.
        input_size: I, the number of features of the input.
        hidden_size: H, the number of units of the states.
        bias: whether learned layers have a bias.
        proj_size: P, the size of h for a cell that projects it.
        device, dtype: of the parameters.

    >>> import torch, unrolled
    >>> step = unrolled.RecurrentCell(unrolled.cells.mgu, 10, 20)
    >>> step(torch.randn(3, 10)).shape
    torch.Size([3, 20])
    """

    def extra_repr(self) -> str:
        """Return the cell, the sizes, and the options that differ from their defaults."""
        return f"{self.cell.name}, {super().extra_repr()}"
