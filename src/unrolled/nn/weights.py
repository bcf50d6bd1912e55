"""A module that owns a cell's parameters, named, shaped and initialised as in `torch.nn`."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module, Parameter, RNNBase, RNNCellBase, init

from ..equations import Cell
from ..errors import CellError
from ..graph import parameters
from ..graph.node import Size
from ..graph.rewrite import without_bias
from .call import Probe

States = Tensor | tuple[Tensor, ...]


class Weighted(Module):
    """Abstract: holds the parameters of a cell, a set for each suffix (``_l0``, ``_l1``, ...).

    Attributes:
        cell: whose equations are computed.
        graph: the cell's graph, without biases if the module has none.
        _options: the attributes from which others follow; they may be set anew at any time.
    """

    standard: bool  # whether PyTorch has functions for the cell's equations
    _probes: tuple[Probe, ...] = ()
    _suffixes: Sequence[Sequence[str]]  # of the parameters' names: by layer, then by direction
    _defaults: Mapping[str, object] = {"proj_size": 0, "bias": True}  # what is not shown
    _options = frozenset({"input_size", "hidden_size", "proj_size", "bias", "nonlinearity"})

    def __init__(
        self, cell: Cell, input_size: int, hidden_size: int, bias: bool, proj_size: int
    ) -> None:
        self._beyond().__init__()
        if not isinstance(cell, Cell):
            raise TypeError(f"cell should be a Cell (see unrolled.cell), got: {cell!r}")
        if cell.projects != (proj_size > 0):
            raise ValueError(
                f"{cell.name} projects its hidden state: proj_size has to be greater than zero"
                if cell.projects
                else f"{cell.name} has no projection: proj_size has to be zero, got {proj_size}"
            )
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        self.proj_size = proj_size
        self.cell = cell
        self._probes = ()  # of the instance, so that compiled code looks for them
        self._initial_values: dict[str, float] = {}  # of parameters that are not drawn

    def _beyond(self) -> Any:
        """Return this object as what comes after the classes of torch.nn whose name it has.

        What those do when they are made, moved, set and loaded is done here; classes that users mix
        in come after them.
        """
        stock = next((kind for kind in (RNNBase, RNNCellBase) if isinstance(self, kind)), Weighted)
        return super(stock, self)  # pyright: ignore[reportArgumentType]

    def _derive(self) -> None:
        """Set what follows from the options: anew when one is changed, or was pickled.

        Now, not when it is asked for: torch.export allows no change in a call.
        """
        self.graph = self.cell.graph if self.bias else without_bias(self.cell.graph)
        self._units: dict[Size, int] = {
            "input": self.input_size,
            "hidden": self.hidden_size,
            "projection": self.proj_size,
            "one": 1,
        }
        self._names = tuple(parameter.name for parameter in parameters(self.graph))
        self._keys = {  # of the parameters
            suffix: [f"{name}{suffix}" for name in self._names]
            for suffixes in self._suffixes
            for suffix in suffixes
        }
        self._state_units = {s: self._units[size] for s, size in self.graph.states.items()}

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "qconfig":
            warnings.warn(
                f"{type(self).__name__}({self.extra_repr()}) is not quantized: PyTorch's "
                "quantization knows the classes of torch.nn alone; call unrolled.release(model) "
                "before it",
                stacklevel=2,
            )
        if name not in self._options or not {name, "_keys"} <= self.__dict__.keys():
            self._beyond().__setattr__(name, value)
            return
        before = self.__dict__[name]
        self._beyond().__setattr__(name, value)
        try:
            self._derive()
        except Exception:
            self.__dict__[name] = before
            self._derive()
            raise

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = {name: value for name, value in state.items() if name != "_known"}  # of old ones
        self._beyond().__setstate__(state)
        self._derive()

    @property
    def output_size(self) -> int:
        """The number of units of the output in one direction."""
        return self._state_units[self.graph.output]

    def _register(self, suffix: str, input_size: int, device: Any, dtype: Any) -> None:
        """Make the parameters of one layer and direction."""
        units: dict[Size, int] = {**self._units, "input": input_size}
        for parameter in parameters(self.graph):
            shape = parameter.shape(units)
            self._make(f"{parameter.name}{suffix}", shape, parameter.init, device, dtype)

    def _make(
        self, name: str, shape: tuple[int, ...], value: float | None, device: Any, dtype: Any
    ) -> None:
        if hasattr(self, name):
            raise CellError(f"{self.cell.name}: a module has a {name} of its own: rename the value")
        self.register_parameter(name, Parameter(torch.empty(shape, device=device, dtype=dtype)))
        if value is not None:
            self._initial_values[name] = value

    def reset_parameters(self) -> None:
        """Draw from U(-1/sqrt(H), 1/sqrt(H)), in the order of the parameters, as PyTorch does.

        Learned parts with a start value of their own take that.
        """
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size else 0.0
        for name, parameter in self.named_parameters(recurse=False):
            value = self._initial_values.get(name)
            if value is None:
                init.uniform_(parameter, -bound, bound)
            else:
                init.constant_(parameter, value)

    def _weights(self, suffix: str) -> list[Tensor]:
        """Return the parameters of one layer and direction, in the order of the graph.

        They are read anew for every call: pruning, weight norm and functional calls replace them.
        """
        keys = self._keys[suffix]
        own: Any = self._parameters  # reading it is several times faster than an attribute
        try:
            return [own[key] for key in keys]
        except KeyError:  # one is computed from others
            return [getattr(self, key) for key in keys]

    def _given(self, hx: States) -> dict[str, Tensor]:
        """Return the states that a call is given by name; ValueError unless each is a tensor."""
        names = list(self.graph.states)
        given = hx if isinstance(hx, (tuple, list)) else (hx,)
        if len(given) != len(names) or isinstance(hx, Tensor) != (len(names) == 1):
            expected = (
                "a tensor"
                if len(names) == 1
                else f"a tuple of {len(names)} tensors ({', '.join(names)})"
            )
            got = type(hx).__name__ + (f" of {len(given)}" if given is hx else "")
            raise ValueError(f"{type(self).__name__}: Expected hx to be {expected}, got {got}")
        for name, state in zip(names, given, strict=True):
            if not isinstance(state, Tensor):
                raise ValueError(
                    f"{type(self).__name__}: Expected the state {name} to be a Tensor, "
                    f"got {type(state).__name__}"
                )
        return dict(zip(names, given, strict=True))

    def _tuple(self, hx: States | None) -> tuple[Tensor, ...] | None:
        """Return the states that a call is given, none of them checked; None for another form."""
        count = len(self.graph.states)
        if hx is None:
            return ()
        if count == 1:
            return (hx,) if isinstance(hx, Tensor) else None
        return hx if isinstance(hx, tuple) and len(hx) == count else None

    def _check_state(self, state: Tensor, input: Tensor, label: str) -> None:
        """Raise unless a state that a call is given has the device and dtype of the input."""
        if state.device != input.device:
            raise RuntimeError(
                "Input and hidden tensors are not at the same device, found input tensor at "
                f"{input.device} and hidden tensor at {state.device}"
            )
        if state.dtype != input.dtype and not _autocast(input):
            raise ValueError(
                f"{type(self).__name__}: Expected {label} to have the input's dtype "
                f"{input.dtype}, got {state.dtype}"
            )

    def _check_tensor(self, input: Tensor, weights: Sequence[Tensor] | None = None) -> None:
        """Raise, in PyTorch's words, unless the input has the dtype and device of the weights."""
        keys = self._keys[self._suffixes[0][0]]
        if not keys:  # a cell may do without
            return
        weight = weights[0] if weights else getattr(self, keys[0])
        if input.dtype != weight.dtype and not _autocast(input):
            raise ValueError(
                f"RNN input dtype ({input.dtype}) does not match weight dtype ({weight.dtype}). "
                f"Convert input: input.to({weight.dtype}), or convert model: "
                f"model.to({input.dtype})"
            )
        if input.device != weight.device:
            raise RuntimeError(
                "Input and parameter tensors are not at the same device, found input tensor at "
                f"{input.device} and parameter tensor at {weight.device}"
            )

    def extra_repr(self) -> str:
        """Return the sizes, and the options that differ from their defaults."""
        options = {name: getattr(self, name) for name in self._defaults}
        shown = [f"{n}={value}" for n, value in options.items() if value != self._defaults[n]]
        return ", ".join([str(self.input_size), str(self.hidden_size), *shown])


def _autocast(input: Tensor) -> bool:
    """Return whether autocast looks after dtypes; on devices without it, such as meta, never."""
    device = input.device.type
    return torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)


def check_projection(proj_size: int, hidden_size: int) -> None:
    """Raise ValueError for a projected state that is not smaller than the hidden one."""
    if proj_size < 0:
        raise ValueError("proj_size should be a positive integer or zero to disable projections")
    if proj_size and proj_size >= hidden_size:
        raise ValueError("proj_size has to be smaller than hidden_size")
