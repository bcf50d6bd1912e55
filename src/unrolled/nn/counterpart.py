"""What layers that `torch.nn` has too share with those: their class, and what it keeps."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Sequence
from typing import Any, final

from torch import Tensor
from torch.nn import Module, Parameter, RNNBase

from .. import _torch
from .fused import FUSED
from .layer import Layer

_torch.let_compile(Layer)


class Counterpart(Layer, RNNBase):  # pyright: ignore[reportIncompatibleMethodOverride, reportIncompatibleVariableOverride]
    """Abstract: a layer that is also an instance of the class of `torch.nn` that it stands for.

    Whatever asks ``isinstance(layer, torch.nn.LSTM)``, or for the lists in which PyTorch's layers
    keep their parameters once more, is answered as PyTorch's layer would. PyTorch computes with
    those lists; here they are made when they are asked for, and what is put into them goes to the
    parameters.
    """

    @property
    def mode(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """What PyTorch calls the cell: ``RNN_TANH``, ``RNN_RELU``, ``GRU`` or ``LSTM``."""
        return FUSED[self.cell.name][1]

    def _derive(self) -> None:
        super()._derive()
        self._all_weights = list(self._keys.values())
        self._flat_weights_names = [name for names in self._all_weights for name in names]

    @property
    def _flat_weights(self) -> FlatWeights:
        """The parameters of all layers and directions in one list, None for one that is missing."""
        names = self._flat_weights_names
        return FlatWeights((getattr(self, name, None) for name in names), self, names)

    @_flat_weights.setter
    def _flat_weights(self, weights: Iterable[Tensor | None]) -> None:
        self._flat_weights[:] = list(weights)

    @property
    def _flat_weight_refs(  # pyright: ignore[reportIncompatibleVariableOverride]
        self,
    ) -> list[weakref.ref[Tensor] | None]:
        """Weak references to the parameters; they are always those of now."""
        return [None if weight is None else weakref.ref(weight) for weight in self._flat_weights]

    def _init_flat_weights(self) -> None:
        self.flatten_parameters()

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__.copy()


@final
class FlatWeights(list[Any]):
    """The parameters of a layer; what is put in a place takes the place of the parameter.

    Args:
        values: the parameters.
        layer: whose they are; without one it is a list like any other.
        names: of the parameters.
    """

    def __init__(
        self, values: Iterable[Any] = (), layer: Module | None = None, names: Sequence[str] = ()
    ) -> None:
        super().__init__(values)
        self._layer = layer
        self._names = names

    def __setitem__(self, place: Any, value: Any) -> None:
        before = list(self)
        super().__setitem__(place, value)
        if self._layer is None:
            return
        if len(self) != len(before):
            expected, got = len(before), len(self)
            super().__setitem__(slice(None), before)
            raise ValueError(f"_flat_weights: expected {expected} parameters, got {got}")
        for name, old, new in zip(self._names, before, self, strict=True):
            if new is not old and new is not None:
                _put(self._layer, name, new)

    def __reduce_ex__(self, protocol: object) -> tuple[Any, ...]:
        return list, (list(self),)


def _put(layer: Module, name: str, value: Tensor) -> None:
    """Let a layer compute with a tensor, as its parameter if it is one."""
    if not isinstance(value, Parameter):
        layer._parameters.pop(name, None)
    setattr(layer, name, value)
