"""Recurrent networks you can see through, at full speed."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import _moved as _moved
from . import cells
from .equations import Cell, cell
from .equations.language import abs as abs
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
from .errors import CellError
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

if TYPE_CHECKING:
    from . import probe as probe
    from . import structures
    from . import testing as testing
    from .probe import features
    from .probe.change import Change, patch
    from .probe.diagnosis import diagnose
    from .probe.edit import edit
    from .probe.flow import gradient_flow
    from .probe.names import names
    from .probe.opening import open_gate
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
    "open_gate",
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

_later = {
    "Change": "probe.change",
    "Recording": "probe.recording",
    "diagnose": "probe.diagnosis",
    "edit": "probe.edit",
    "features": "probe.features",
    "find_units": "probe.units",
    "gradient_flow": "probe.flow",
    "names": "probe.names",
    "open_gate": "probe.opening",
    "patch": "probe.change",
    "probe": "probe",
    "record": "probe.record",
    "structures": "structures",
    "testing": "testing",
}
"""What is read when it is used first, and where it stands: a layer alone needs none of it."""


def __getattr__(name: str) -> Any:
    if name not in _later:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f".{_later[name]}", __name__)
    globals()[name] = value = getattr(module, name, module)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_later})
