"""Recurrent networks you can see through, at full speed."""

from . import cells, structures
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
from .nn import (
    GRU,
    LSTM,
    RNN,
    Adoption,
    GRUCell,
    LSTMCell,
    Recurrent,
    RecurrentCell,
    RNNCell,
    adopt,
    explain,
    release,
)
from .probe import features
from .probe.change import Change, patch
from .probe.diagnosis import diagnose
from .probe.edit import edit
from .probe.flow import gradient_flow
from .probe.names import names
from .probe.record import record
from .probe.recording import Recording
from .probe.units import find_units

__version__ = "0.1.0"

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Adoption",
    "Cell",
    "CellError",
    "Change",
    "GRUCell",
    "LSTMCell",
    "RNNCell",
    "Recording",
    "Recurrent",
    "RecurrentCell",
    "adopt",
    "affine",
    "cell",
    "cells",
    "diagnose",
    "edit",
    "exp",
    "explain",
    "features",
    "find_units",
    "gradient_flow",
    "layer_norm",
    "log",
    "log_sigmoid",
    "maximum",
    "mean",
    "minimum",
    "names",
    "normalize",
    "patch",
    "project",
    "record",
    "release",
    "relu",
    "scalar",
    "sigmoid",
    "sqrt",
    "structures",
    "tanh",
    "vector",
    "where",
]
