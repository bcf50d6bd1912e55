"""What a module computes, without PyTorch: equations, sizes, arrays."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy
from numpy.typing import NDArray
from torch import nn

from ..errors import UserError
from ..graph.graph import Graph
from ..graph.learned import Size
from ..graph.parameters import weights
from ..graph.rewrite import expected_zoneout
from ..nn.adopt import adopt
from ..nn.layer import Layer as RecurrentLayers
from ..nn.weights import Weighted
from ..structures import ManyToMany, ManyToOne, Symbols

Array = NDArray[Any]


@final
@dataclass(frozen=True, eq=False)
class Direction:
    """One layer in one direction.

    Attributes:
        graph: its equations, as they are evaluated.
        units: how many I, H, P and 1 are.
        weights: what the equations name: ``W_ii`` (rows, columns), ``b_ii`` (rows,), ``p_i``, ….
        initial: states before the first step, where they are not 0.
        suffix: of its parameters in the module: ``_l0``, ``_l0_reverse``.
    """

    graph: Graph
    units: Mapping[Size, int]
    weights: Mapping[str, Array]
    initial: Mapping[str, Array]
    suffix: str

    @property
    def output_size(self) -> int:
        """The units of what it puts out."""
        return self.units[self.graph.states[self.graph.output]]


@final
@dataclass(frozen=True, eq=False)
class Network:
    """Recurrent layers with what stands before and behind them.

    Attributes:
        cell: name of their cell.
        layers: the directions of each layer.
        embedding: of symbols, (V, I); None where vectors are read.
        head: weight (O, H) and bias (O,) of a linear map of what the last layer puts out; or None.
        answers: whether there is an answer at every step, or one at the end.
        symbols: whether the answers are logits of symbols.
    """

    cell: str
    layers: tuple[tuple[Direction, ...], ...]
    embedding: Array | None = None
    head: tuple[Array, Array] | None = None
    answers: bool = True
    symbols: bool = False

    @property
    def directions(self) -> int:
        """1, or 2 where layers read from the end too."""
        return len(self.layers[0])

    @property
    def input_size(self) -> int:
        """The units of a step that is read; of symbols, those of their embedding."""
        return self.layers[0][0].units["input"]

    @property
    def output_size(self) -> int:
        """The units of an answer."""
        if self.head is not None:
            return len(self.head[0])
        return self.directions * self.layers[-1][0].output_size


def network(module: nn.Module) -> Network:
    """Return what a module computes in evaluation.

    Raises:
        UserError: it is none that can be exported, or has weights that are not finite.
    """
    if isinstance(module, (ManyToOne, ManyToMany)):
        layers = _layers(module.recurrent)
        embedding = module.embedding
        found = Network(
            module.recurrent.cell.name,
            layers,
            _array(embedding.weight) if isinstance(embedding, nn.Embedding) else None,
            (_array(module.readout.weight), _array(module.readout.bias)),
            isinstance(module, ManyToMany),
            isinstance(module.writes, Symbols),
        )
    else:
        recurrent = _recurrent(module)
        found = Network(recurrent.cell.name, _layers(recurrent))
    _require_finite(found)
    return found


STOCK = (nn.RNN, nn.LSTM, nn.GRU, nn.RNNCell, nn.LSTMCell, nn.GRUCell)


def _recurrent(module: nn.Module) -> Weighted:
    if isinstance(module, Weighted):
        return module
    if isinstance(module, STOCK):
        found = copy.deepcopy(module)
        adopt(found)
        if isinstance(found, Weighted):
            return found
    inside = [name for name, each in module.named_modules() if isinstance(each, (Weighted, *STOCK))]
    hint = f"; export its part {inside[0]!r}" if inside and inside[0] else ""
    raise UserError(
        f"{type(module).__name__} cannot be exported: recurrent layers and steps, ManyToOne, "
        f"ManyToMany, and runs can{hint}"
    )


def _layers(module: Weighted) -> tuple[tuple[Direction, ...], ...]:
    is_stack = isinstance(module, RecurrentLayers)
    graph = module.graph
    if is_stack and module.zoneout:
        graph = expected_zoneout(graph, module.zoneout)
    found, input_size = [], module.input_size
    for suffixes in module._suffixes:
        each = []
        for suffix in suffixes:
            units: dict[Size, int] = {**module._units, "input": input_size}
            arrays = dict(zip(module._names, map(_array, module._weights(suffix)), strict=True))
            initial = {
                state: _array(getattr(module, f"initial_{state}{suffix}"))
                for state in graph.states
                if is_stack and module.learn_initial_states
            }
            each.append(Direction(graph, units, weights(graph, arrays), initial, suffix))
        found.append(tuple(each))
        input_size = len(each) * each[0].output_size
    return tuple(found)


def _array(tensor: Any) -> Array:
    return numpy.ascontiguousarray(tensor.detach().cpu().double().numpy())


def _require_finite(found: Network) -> None:
    """Refuse weights that are not finite."""
    named = {
        f"{name}{each.suffix}": array
        for layer in found.layers
        for each in layer
        for name, array in (*each.weights.items(), *each.initial.items())
    }
    named |= {} if found.embedding is None else {"the embedding": found.embedding}
    named |= (
        {} if found.head is None else dict(zip(("the head", "its bias"), found.head, strict=True))
    )
    for name, array in named.items():
        if not numpy.isfinite(array).all():
            raise UserError(
                f"{name} has {int((~numpy.isfinite(array)).sum())} numbers that are not finite: "
                "train the model anew from a checkpoint before they appeared"
            )
