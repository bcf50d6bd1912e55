"""The parameters and options of a stack of recurrent layers, checked in PyTorch's words."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from numbers import Real
from typing import Any

from torch import Tensor

from ..equations import Cell
from ..graph.graph import Graph
from ..graph.rewrite import PATHS, mask_inputs
from .weights import Weighted, check_projection

Zoneout = float | Mapping[str, float]
Dropout = float | Mapping[str, float]


class Stack(Weighted):
    """Abstract: holds the parameters of `num_layers` layers of one cell, in one or both directions.

    The options are described at `Recurrent`.
    """

    _defaults: Mapping[str, object] = {
        "proj_size": 0,
        "num_layers": 1,
        "bias": True,
        "batch_first": False,
        "dropout": 0.0,
        "bidirectional": False,
        "zoneout": {},
        "variational_dropout": 0.0,
        "learn_initial_states": False,
        "recompute": False,
    }
    _options = Weighted._options | (_defaults.keys() - {"batch_first", "dropout"})

    def __init__(
        self,
        cell: Cell,
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
        checked = _probability("dropout", dropout)
        if checked > 0 and num_layers == 1:
            warnings.warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero "
                f"dropout expects num_layers greater than 1, but got dropout={dropout} and "
                f"num_layers={num_layers}",
                stacklevel=3 if "__init__" in vars(type(self)) else 2,  # the caller's line
            )
        for name, value in {"bias": bias, "batch_first": batch_first}.items():
            if not isinstance(value, bool):
                raise TypeError(f"{name} should be of type bool, got: {type(value).__name__}")
        sizes = {"input_size": input_size, "hidden_size": hidden_size}
        _check_sizes({**sizes, "num_layers": num_layers}, proj_size)
        super().__init__(cell, input_size, hidden_size, bias, proj_size)
        self.dropout = checked
        self.num_layers = num_layers
        self.batch_first = batch_first
        self.bidirectional = bool(bidirectional)
        self.zoneout = _probabilities(zoneout, cell.graph)
        self.variational_dropout = variational_dropout
        self.learn_initial_states = bool(learn_initial_states)
        self.recompute = bool(recompute)
        self._derive()
        for layer, suffixes in enumerate(self._suffixes):
            size = self.output_size * len(suffixes) if layer else input_size
            for suffix in suffixes:
                self._register(suffix, size, device, dtype)
                if self.learn_initial_states:
                    for state, units in self._state_units.items():
                        self._make(f"initial_{state}{suffix}", (units,), 0.0, device, dtype)
        self.reset_parameters()
        self.flatten_parameters()

    def _derive(self) -> None:
        ends = ("", "_reverse") if self.bidirectional else ("",)
        self._suffixes = [[f"_l{layer}{end}" for end in ends] for layer in range(self.num_layers)]
        super()._derive()
        own = self.__dict__  # to set an option comes here
        own["zoneout"] = _probabilities(self.zoneout, self.graph)
        own["variational_dropout"] = rates = _dropout(self.variational_dropout)
        each = rates if isinstance(rates, Mapping) else dict.fromkeys(PATHS, rates)
        # The probabilities of variational dropout above 0: by path, and by the input that masks.
        self._dropout_rates = {path: p for path, p in each.items() if p}
        inputs = mask_inputs(self.graph) if self._dropout_rates else {}
        self._mask_rates = {
            mask: self._dropout_rates[path]
            for mask, path in inputs.values()
            if path in self._dropout_rates
        }
        self._count = len(self._keys)
        self._initial_names = [  # of learned states, by state
            [f"initial_{state}{suffix}" for suffix in self._keys] for state in self.graph.states
        ]

    @property
    def all_weights(self) -> list[list[Tensor]]:
        """The parameters of each layer and direction, as `torch.nn.LSTM.all_weights`."""
        return [self._weights(suffix) for suffix in self._keys]

    def flatten_parameters(self) -> None:
        """Lay the parameters out in one piece of memory for cuDNN; elsewhere nothing is done."""
        raise NotImplementedError

    def _apply(self, fn: Any, recurse: bool = True) -> Stack:
        self._beyond()._apply(fn, recurse)
        self.flatten_parameters()
        return self


def _check_sizes(sizes: Mapping[str, int], proj_size: int) -> None:
    """Raise, in PyTorch's words and in its order, for sizes that a layer cannot have."""
    for name, size in {**sizes, "proj_size": proj_size}.items():
        if not isinstance(size, int) or isinstance(size, bool):
            raise TypeError(f"{name} should be of type int, got: {type(size).__name__}")
        if name != "proj_size" and size <= 0:
            raise ValueError(f"{name} must be greater than zero")
    check_projection(proj_size, sizes["hidden_size"])


def _probability(name: str, value: object) -> float:
    """Return a probability as a float; ValueError, in PyTorch's words, for anything else."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= float(value) <= 1:
        event = "a unit keeping its old value" if name == "zoneout" else "an element being zeroed"
        words = f"{name} should be a number in range [0, 1] representing the probability of {event}"
        raise ValueError(words if name == "dropout" else f"{words}, got {value!r}")
    return float(value)


def _probabilities(zoneout: Zoneout, graph: Graph) -> dict[str, float]:
    """Return the probability of each state that has one above 0."""
    if not isinstance(zoneout, Mapping):
        zoneout = dict.fromkeys(graph.states, zoneout)
    unknown = [state for state in zoneout if state not in graph.states]
    if unknown:
        raise ValueError(
            f"zoneout: {graph.name} has no state {unknown[0]!r}, only {', '.join(graph.states)}"
        )
    checked = {state: _probability("zoneout", p) for state, p in zoneout.items()}
    return {state: p for state, p in checked.items() if p}


def _dropout(rates: Dropout) -> float | dict[str, float]:
    """Return the probability of variational dropout, or those above 0 of its paths."""
    if not isinstance(rates, Mapping):
        return _probability("variational_dropout", rates)
    unknown = [path for path in rates if path not in PATHS]
    if unknown:
        raise ValueError(
            f"variational_dropout: layers read {' and '.join(PATHS)}, got {unknown[0]!r}"
        )
    checked = {path: _probability("variational_dropout", p) for path, p in rates.items()}
    return {path: p for path, p in checked.items() if p} or 0.0
