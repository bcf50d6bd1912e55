"""Recurrent networks you can see through, at full speed."""

from . import cells
from .equations import Cell, CellError, cell
from .equations.language import (
    abs as abs,
)
from .equations.language import (
    affine,
    exp,
    layer_norm,
    log,
    log_sigmoid,
    maximum,
    mean,
    minimum,
    normalize,
    project,
    relu,
    scalar,
    sigmoid,
    sqrt,
    tanh,
    vector,
    where,
)
from .nn import GRU, LSTM, RNN, GRUCell, LSTMCell, Recurrent, RecurrentCell, RNNCell, explain

__version__ = "0.1.0"

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Cell",
    "CellError",
    "GRUCell",
    "LSTMCell",
    "RNNCell",
    "Recurrent",
    "RecurrentCell",
    "affine",
    "cell",
    "cells",
    "exp",
    "explain",
    "layer_norm",
    "log",
    "log_sigmoid",
    "maximum",
    "mean",
    "minimum",
    "normalize",
    "project",
    "relu",
    "scalar",
    "sigmoid",
    "sqrt",
    "tanh",
    "vector",
    "where",
]
