"""Recurrent networks you can see through, at full speed.

A cell is written once, as its equations. From them come layers with the signatures of `torch.nn`,
compiled kernels for CPUs, the names under which every gate can be watched or changed, the formula,
the derivative and the picture.

    >>> import torch, unrolled
    >>> from unrolled import affine, sigmoid, tanh
    >>> @unrolled.cell
    ... def gated(x, h):
    ...     z = sigmoid(affine(x, h))
    ...     h = z * h + (1 - z) * tanh(affine(x))
    ...     return locals()
    >>> layer = unrolled.Recurrent(gated, 10, 20)
    >>> with unrolled.record(layer, "l0.z") as recording:
    ...     output, h_n = layer(torch.randn(7, 3, 10))
    >>> recording["l0.z"].shape
    torch.Size([7, 3, 20])

``help(unrolled.NAME)`` says more about each of these names.

Layers and steps, as in torch.nn
    RNN, LSTM, GRU                over sequences, on compiled kernels
    RNNCell, LSTMCell, GRUCell    one step
    Recurrent, RecurrentCell      layers and steps of any cell

Models that stand already
    adopt       turn the recurrent modules of torch.nn inside a model into ours
    release     turn them back
    Adoption    what the two have done
    explain     say on what a call runs, and why

Models that `unrolled train` has trained
    load        use a run: predict, forecast, translate, sample, encode

Looking inside
    names            the dotted name of every value in a model
    record           keep named values of a run
    Recording        what was kept, by name
    edit             put other values in their place
    patch, Change    values of a recording, or by rows, steps and units, for `edit`
    gradient_flow    follow a loss back through every step
    diagnose         say what is wrong with recurrent layers, and what helps
    open_gate        set the biases of gates so that a state is kept for long
    find_units       search units that track a feature
    features         features of text, for `find_units`
    probe            more of this: Jacobians, memory, saturation
    draw             pictures of cells, networks and recordings

Cells
    cells          the known cells: unrolled.cells.lstm
    cell           make a cell of a function that writes down its equations
    Cell           what that gives; it prints, and has a derivative
    CellError      equations that make no sense
    CellWarning    equations that hardly mean what they say
    testing        hold a cell's kernels against its equations

The language of cells
    affine                            a learned layer: the sum of W v + b over what it reads
    project                           a learned layer onto the units of a projection
    vector, scalar                    a learned number for each unit, one for all
    sigmoid, tanh, relu               activations
    exp, log, sqrt, abs, log_sigmoid  functions, unit by unit
    minimum, maximum, where           choices, unit by unit
    mean, normalize, layer_norm       over the units of a row

Taking a model elsewhere
    export      write it as C

Around layers
    structures    one to many, many to one, many to many, encoder and decoder
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import _moved as _moved
from . import cells, display
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
from .errors import CellError, CellWarning

if TYPE_CHECKING:
    from . import probe as probe
    from . import structures
    from . import testing as testing
    from .apps.train.load import load
    from .exporters import export
    from .graph.graph import Graph
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
    "CellWarning",
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
    "export",
    "features",
    "find_units",
    "gradient_flow",
    "layer_norm",
    "load",
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

_modules_of_torch = (
    *("RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell", "Recurrent", "RecurrentCell"),
    *("Adoption", "adopt", "explain", "release"),
)
"""What is made of PyTorch, which takes two seconds to load: who prints a cell needs none of it."""

_later = {
    **dict.fromkeys(_modules_of_torch, "nn"),
    "Change": "probe.change",
    "Recording": "probe.recording",
    "diagnose": "probe.diagnosis",
    "edit": "probe.edit",
    "export": "exporters",
    "find_units": "probe.units",
    "gradient_flow": "probe.flow",
    "load": "apps.train.load",
    "names": "probe.names",
    "open_gate": "probe.opening",
    "patch": "probe.change",
    "record": "probe.record",
}
"""What is read when it is used first, and where it stands."""

_later_modules = {
    "draw": "draw",
    "features": "probe.features",
    "probe": "probe",
    "structures": "structures",
    "testing": "testing",
}
"""The same of modules."""

_rooms = ("kernels", "nn")
"""Modules that stood read as long as `import unrolled` read PyTorch; found still, if not listed."""


def __getattr__(name: str) -> Any:
    if name in _later_modules or name in _rooms:
        value = import_module(f".{_later_modules.get(name, name)}", __name__)
    elif name in _later:
        value = getattr(import_module(f".{_later[name]}", __name__), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def _drawn(graph: Graph) -> str:
    """Return the picture of a cell's graph, for notebooks: the package stands above the room that
    draws, which a cell does not.
    """
    from .draw.layout import scene

    return scene(graph)._repr_html_()


display.show_graphs_by(_drawn)


def __dir__() -> list[str]:
    return sorted({*__all__, *_later, *_later_modules, "abs", "__version__"})
