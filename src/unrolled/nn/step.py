"""One step of a cell as a module: what RNNCell, LSTMCell, GRUCell and RecurrentCell share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import index
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module, Parameter

from .._torch import unviewed
from ..equations import Cell
from ..graph import parameters
from ..graph.rewrite import without_bias
from ..kernels.dispatch import Runner
from ..kernels.request import Request
from ..kernels.runtime.buffers import sound
from . import devices, fused, stock, symbolic
from .call import refuse_compilers, watched
from .sequence import Dense
from .weights import States, Weighted, check_projection


class Step(Weighted):
    """Abstract: one step of one cell."""

    def __init__(
        self,
        cell: Cell,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        check_projection(proj_size, hidden_size)
        super().__init__(
            cell,
            _size("input_size", input_size),
            _size("hidden_size", hidden_size),
            bool(bias),
            proj_size,
        )
        self._derive()
        self._register("", input_size, device, dtype)
        for parameter in parameters(cell.graph):
            if not hasattr(self, parameter.name):  # the biases of a module without, as in PyTorch
                self.register_parameter(parameter.name, None)
        self.reset_parameters()

    def _derive(self) -> None:
        self._suffixes = [[""]]
        graph, own = self.cell.graph, self._parameters
        plain = {parameter.name for parameter in parameters(without_bias(graph))}
        self._biases = {p.name for p in parameters(graph)} - plain
        if self._biases and self._biases <= own.keys():  # as in PyTorch, they decide
            self.__dict__["bias"] = any(own[name] is not None for name in self._biases)
        super()._derive()
        self._runner = Runner(self.graph, self._units)
        self.standard = fused.is_standard(self.cell)

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Take a parameter, or None for one that is missing, also where one is set."""
        super().register_parameter(name, param)
        if name in self._biases and self.bias != (param is not None):
            self._derive()

    def forward(self, input: Tensor, hx: States | None = None) -> States:
        """Take one step.

        Args:
            input: (B, I), or (I) without a batch.
            hx: the states before the step, each (B, H) or (H); a tuple if the cell has several.
                Zero if left out.

        Returns:
            The states after the step, like `hx`.

        Raises:
            ValueError, RuntimeError: for sizes, dtypes or devices that do not fit, in PyTorch's
                words where PyTorch has words for it.
        """
        given, weights = self._tuple(hx), None
        if (
            given is not None
            and type(input) is Tensor
            and input.dim() == 2
            and not self._probes
            and not torch.compiler.is_compiling()
        ):
            # it is like an earlier one if its checks hold
            weights = self._weights("")
            results = self._runner.replay((Request(weights, (input,), given or None),))
            if results is not None:
                last = results[0][1]
                return tuple(last) if len(last) > 1 else last[0]
        return self._checked(input, hx, weights)

    def __prepare_scriptable__(self) -> Module:
        return stock.scriptable(self)

    def _checked(
        self, input: Tensor, hx: States | None, weights: Sequence[Tensor] | None
    ) -> States:
        """Take a step that is the first of its kind, or watched by probes.

        Weights are read once: those that a parametrization makes may be others when read again.
        """
        if (tracer := symbolic.tracer(self, input, hx)) is not None:
            return symbolic.leaf(tracer, self, input, hx)
        if stock.computes(self, input, hx):
            return stock.run(self, input, hx)
        weights = self._weights("") if weights is None else weights
        x, states = self.prepare(input, hx, weights)
        given = list(states.values())
        batched = input.dim() == 2
        if self._probes:
            refuse_compilers(type(self).__name__)
            request = Request(weights, [x.unsqueeze(0)], [state.unsqueeze(0) for state in given])
            form = Dense(x.unsqueeze(0) if batched else x, False)
            _, last = watched(self, "", self._runner, request, form)
            last = [unviewed(value, *value.shape[1:]) for value in last]
        elif fused.applies_to_step(self, x, weights):
            last = fused.step(self, x, given, weights)
        else:
            devices.announce(self, x.device)
            request = Request(weights, [x], None if hx is None else given)
            ((_, last),) = self._runner.run([request])
        if not batched:
            last = [value.squeeze(0) for value in last]
        return tuple(last) if len(last) > 1 else last[0]

    def prepare(
        self, input: Tensor, hx: States | None, weights: Sequence[Tensor] | None = None
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Return the input and the states before the step, checked, as (B, units)."""
        weights = self._weights("") if weights is None else weights
        given = {} if hx is None else self._given(hx)
        names = {"input": input, **self._labels(given)}
        for name, tensor in names.items():
            if tensor.dim() not in (1, 2):
                raise ValueError(
                    f"{type(self).__name__}: Expected {name} to be 1D or 2D, "
                    f"got {tensor.dim()}D instead"
                )
        self._resize(weights)
        batched = input.dim() == 2
        x = input if batched else input.unsqueeze(0)
        if x.shape[1] != self.input_size:
            raise RuntimeError(
                f"input has inconsistent input_size: got {x.shape[1]} expected {self.input_size}"
            )
        x = sound(type(self).__name__, {"input": x})[0]["input"]  # before anything reads it
        states = self._states(given, x, batched) if given else self._zeros(x)
        self._check_tensor(x, weights)
        for label, state in self._labels(states).items():
            self._check_state(state, x, label)
        (states,) = sound(type(self).__name__, states)
        return x, states

    def _labels(self, states: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return states by what messages call them."""
        count = len(self.graph.states)
        labels = ["hidden"] if count == 1 else [f"hx[{index}]" for index in range(count)]
        return dict(zip(labels, states.values(), strict=False))

    def _resize(self, values: Sequence[Tensor]) -> None:
        """Take the sizes of the parameters, where others have been put in their place.

        PyTorch's cells go by their parameters alone.
        """
        if torch.compiler.is_compiling():
            return
        sizes = dict(self._units)
        for parameter, value in zip(self._runner.parameters, values, strict=True):
            if parameter.columns is not None and len(value.shape) == 2:
                sizes[parameter.columns] = value.shape[1]
        if sizes == self._units or any(
            value.shape != parameter.shape(sizes)
            for parameter, value in zip(self._runner.parameters, values, strict=True)
        ):
            return
        self.input_size, self.hidden_size = sizes["input"], sizes["hidden"]
        self.proj_size = sizes["projection"]

    def obstacle(self, x: Tensor, states: Mapping[str, Tensor]) -> str | None:
        """Return why a step runs by the eager definition; None if it runs on a kernel."""
        return self._runner.obstacle(Request(self._weights(""), [x], list(states.values())))

    def _zeros(self, x: Tensor) -> dict[str, Tensor]:
        """Return the states before the step if none are given, (B, units), by name."""
        sizes = self._state_units
        return {state: x.new_zeros(x.shape[0], units) for state, units in sizes.items()}

    def _states(self, given: Mapping[str, Tensor], x: Tensor, batched: bool) -> dict[str, Tensor]:
        """Return the states that a call is given, (B, units), by name, their sizes checked."""
        for label, state in self._labels(given).items():
            if batched != (state.dim() == 2):
                raise RuntimeError(
                    f"{type(self).__name__}: Expected {label} to be {2 if batched else 1}D "
                    f"like the input, got {state.dim()}D instead"
                )
        return {
            name: _rows(state, index, self._state_units[name], x, batched)
            for index, (name, state) in enumerate(given.items())
        }


def _rows(state: Tensor, index: int, units: int, x: Tensor, batched: bool) -> Tensor:
    """Return a state that a call is given as (B, units), its size checked."""
    state = state if batched else state.unsqueeze(0)
    if state.shape[0] != x.shape[0]:
        raise RuntimeError(
            f"Input batch size {x.shape[0]} doesn't match hidden{index} batch size {state.shape[0]}"
        )
    if state.shape[1] != units:
        raise RuntimeError(
            f"hidden{index} has inconsistent hidden_size: got {state.shape[1]}, expected {units}"
        )
    return state


def _size(name: str, value: Any) -> int:
    """Return a number of units, 0 included, as PyTorch's cells take it."""
    try:
        return index(value)
    except TypeError:
        raise TypeError(f"{name} should be of type int, got: {type(value).__name__}") from None
