"""A stack of recurrent layers over whole sequences: what RNN, LSTM, GRU and Recurrent share."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from ..equations import Cell
from ..graph.graph import Graph
from ..graph.rewrite import expected_zoneout, variational_dropout, zoneout, zoneout_input
from ..kernels.dispatch import Runner
from ..kernels.request import Request, Results
from ..kernels.runtime.buffers import sound
from . import fused
from .call import Call, plain, probed
from .noise import probability, variational_masks, zoneout_masks
from .sequence import Lengths, sequence
from .sequence import Sequence as Steps
from .weights import States, Weighted

Zoneout = float | Mapping[str, float]

Masks = Callable[[Tensor], Sequence[Tensor]]


def _no_masks(data: Tensor) -> Sequence[Tensor]:
    """Return the further inputs of a cell that has none."""
    return ()


class Layer(Weighted):
    """Abstract: `num_layers` layers of one cell, in one or both directions.

    The options up to `dtype` are those of `torch.nn.LSTM`; after them come ours:

    Args:
        zoneout: the probability that a unit keeps its old state (Krueger et al. 2017); one number
            for all states or a mapping from state to number.
        variational_dropout: the probability with which what a learned layer reads (the layer's
            input, the recurrent state) is dropped in training, with masks that are the same at
            every step of a sequence (Gal & Ghahramani 2016).
        learn_initial_states: whether the states before the first step are learned; they start
            at 0 and are used whenever no states are given.
        recompute: whether a kernel stores nothing but inputs and states in training, and computes
            gates again on the way back: far less memory, for about a third more time.
    """

    def __init__(
        self,
        cell: Cell,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        bias: bool,
        batch_first: bool,
        dropout: float,
        bidirectional: bool,
        proj_size: int,
        device: Any,
        dtype: Any,
        zoneout: Zoneout,
        variational_dropout: float,
        learn_initial_states: bool,
        recompute: bool,
    ) -> None:
        super().__init__(cell, input_size, hidden_size, bias, proj_size)
        _check_options(num_layers, batch_first, dropout)
        self.num_layers = num_layers
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bool(bidirectional)
        self.zoneout = _zoneout(zoneout, self.graph)
        self.variational_dropout = probability("variational_dropout", variational_dropout)
        self.learn_initial_states = bool(learn_initial_states)
        self.recompute = bool(recompute)
        self.standard = fused.is_standard(cell)
        self._derive()
        for layer in range(num_layers):
            size = input_size if layer == 0 else self.output_size * self._directions
            for suffix in self._suffixes(layer):
                self._register(suffix, size, device, dtype)
                self._register_initial_states(suffix, device, dtype)
        self.reset_parameters()
        self.flatten_parameters()

    def _derive(self) -> None:
        super()._derive()
        # Whether something besides dropout is drawn at random in training.
        self._is_noisy = bool(self.zoneout or self.variational_dropout)
        self._layers_suffixes = self._all_suffixes
        self._count = self.num_layers * self._directions
        self._record = (self.graph.output,)
        self._state_units = {s: self._units[size] for s, size in self.graph.states.items()}
        self._initial_names = {
            state: [f"initial_{state}{each}" for each in chain.from_iterable(self._all_suffixes)]
            for state in self.graph.states
        }
        # What runs the equations outside training, and in training.
        graph = expected_zoneout(self.graph, self.zoneout) if self.zoneout else self.graph
        self._runner = self._training_runner = Runner(graph, self._units, self.recompute)
        if self._is_noisy:
            graph = zoneout(self.graph, self.zoneout)
            if self.variational_dropout:
                graph = variational_dropout(graph)
            self._training_runner = Runner(graph, self._units, self.recompute)

    @property
    def _all_suffixes(self) -> Sequence[Sequence[str]]:
        return [self._suffixes(layer) for layer in range(self.num_layers)]

    @property
    def _engine(self) -> Runner:
        return self._training_runner if self.training else self._runner

    def _register_initial_states(self, suffix: str, device: Any, dtype: Any) -> None:
        if self.learn_initial_states:
            for state, size in self.graph.states.items():
                self._make(f"initial_{state}{suffix}", (self._units[size],), 0.0, device, dtype)

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    def _suffixes(self, layer: int) -> tuple[str, ...]:
        forward = f"_l{layer}"
        return (forward, f"{forward}_reverse") if self.bidirectional else (forward,)

    def forward(
        self,
        input: Tensor | PackedSequence,
        hx: States | None = None,
        *,
        lengths: Lengths | None = None,
    ) -> tuple[Tensor | PackedSequence, States]:
        """Run over sequences.

        Args:
            input: (T, B, I), (B, T, I) if `batch_first`, (T, I) without a batch, or packed.
            hx: the states before the first step, each (directions * layers, B, H), or
                (directions * layers, H) without a batch; a tuple if the cell has several states.
                Zero, or what was learned, if left out.
            lengths: (B,) how many steps each row has, 0 included; with padded `input`.

        Returns:
            The output of the last layer for every step, (T, B, directions * H) in the form of the
            input and 0 after a row's end; and the states after each row's last step, like `hx`.

        Raises:
            ValueError, RuntimeError: for sizes, dtypes, devices or lengths that do not fit, in
                PyTorch's words where PyTorch has words for it.
        """
        known = self._replayed(input, hx) if lengths is None else None
        if known is not None:
            return known
        steps, states = self.prepare(input, hx, lengths)
        if self._probes:
            plain(self)
        if fused.applies(self, steps):
            output, last = self._fused(steps, states)
        elif self._probes or steps.data.shape[0] == 0:
            output, last = self._watched(steps, states)
        else:
            plain_start = hx is None and steps.batch_sizes is None
            parts = self._parts(() if plain_start else tuple(states.values()))
            output, last = self._run(steps, parts)
        final = {state: steps.outward(value) for state, value in last.items()}
        return steps.output(output), self._states_out(final)

    def _replayed(self, input: Any, hx: States | None) -> tuple[Tensor, States] | None:
        """Return what a call like an earlier one returns, whose checks hold for it; else None."""
        states = self._tuple(hx)
        if type(input) is not Tensor or input.dim() != 3 or states is None or self._is_special():
            return None
        count = self._count
        if count > 1 and any(state.dim() != 3 or len(state) != count for state in states):
            return None
        runner = self._engine
        try:
            data = input.transpose(0, 1) if self.batch_first else input
            parts = self._parts(states)
            found = self._layers(runner.run, data, parts, first=runner.replay)
        except RuntimeError:  # said in better words by what then checks the call
            return None
        if found is None:
            return None
        output, last = found
        if self.batch_first:
            output = output.transpose(0, 1)
        return output, tuple(last) if len(last) > 1 else last[0]

    def _is_special(self) -> bool:
        """Return whether a call is more than the equations."""
        if self._probes or torch.compiler.is_compiling():
            return True
        return self.training and (self._is_noisy or self.dropout > 0)

    def _layers(
        self,
        run: Callable[[list[Request]], list[Results]],
        data: Tensor,
        states: Sequence[Sequence[Tensor]],
        masks: Masks = _no_masks,
        batch_sizes: Sequence[int] | None = None,
        first: Callable[[list[Request]], list[Results] | None] | None = None,
    ) -> tuple[Tensor, Sequence[Tensor]] | None:
        """Return what all layers and directions return, one after the other.

        Args:
            run: what serves the requests of a layer.
            data: the steps, (T, B, I), or (N, I) if ragged.
            states: before the first step, of each state one for each layer and direction,
                (1, B, units), or (units,) if all rows share it; none if they are 0.
            masks: further inputs of the cell, given what a layer reads.
            batch_sizes: how many rows each step has, if they are ragged.
            first: what serves those of the first layer, if not `run`; if it cannot, nobody does.
        """
        record = self._record
        if self._count == 1:  # nothing to take apart or to join
            inputs, own = (data, *masks(data)), [state for (state,) in states] or None
            only = Request(self._weights("_l0"), inputs, own, record, batch_sizes)
            results = (first or run)([only])
            return None if results is None else (results[0][0][0], results[0][1])
        last: list[Sequence[Tensor]] = []
        for number, suffixes in enumerate(self._layers_suffixes):
            requests = []
            for suffix in suffixes:
                place, reverse = len(last) + len(requests), len(requests) == 1
                own = [state[place] for state in states] or None
                inputs = [data, *masks(data)]
                requests.append(
                    Request(self._weights(suffix), inputs, own, record, batch_sizes, reverse)
                )
            results = run(requests) if number or first is None else first(requests)
            if results is None:
                return None
            last += [final for _, final in results]
            outputs = [values[0] for values, _ in results]
            data = outputs[0] if len(outputs) == 1 else torch.cat(outputs, -1)
            if self.dropout and number < self.num_layers - 1:
                data = F.dropout(data, self.dropout, self.training)
        return data, [_joined(values) for values in zip(*last, strict=True)]

    def prepare(
        self, input: Tensor | PackedSequence, hx: States | None, lengths: Lengths | None
    ) -> tuple[Steps, dict[str, Tensor]]:
        """The input and the states before the first step, checked and in one form."""
        steps = sequence(type(self).__name__, input, lengths, self.batch_first)
        self._check_input(steps.data)
        return steps, self._states(hx, steps)

    def obstacle(self, steps: Steps, states: Mapping[str, Tensor]) -> str | None:
        """Why the first layer runs by the eager definition; None if it runs on a kernel."""
        if steps.data.shape[0] == 0:
            return "every row has length 0"
        runner = self._engine
        first = [value[:1] for value in states.values()]
        inputs = [steps.data]
        return runner.obstacle(
            Request(self._weights("_l0"), inputs, first, (self.graph.output,), steps.batch_sizes)
        )

    def _fused(
        self, steps: Steps, states: Mapping[str, Tensor]
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        """PyTorch's fused layer; for what watches, the equations are run beside it."""
        probes = [probe for probe in self._probes if probe.active]
        hidden = self.training and self.dropout  # nobody sees the fused layer's masks
        if probes and (hidden or any(probe.changes for probe in probes)):
            return self._watched(steps, states)
        if probes:
            self._watched(steps, states)
        return fused.run(self, steps, states)

    def _parts(self, states: tuple[Tensor, ...]) -> Sequence[Sequence[Tensor]]:
        """Return the states of each layer and direction, those that are learned if none are given.

        Args:
            states: (directions * layers, B, units) each.
        """
        if states:
            return [(state,) if self._count == 1 else state.split(1) for state in states]
        if not self.learn_initial_states:
            return ()
        own: Any = self._parameters
        return [
            [own[name] if name in own else getattr(self, name) for name in names]
            for names in self._initial_names.values()
        ]

    def _run(
        self, steps: Steps, states: Sequence[Sequence[Tensor]]
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        """All layers and directions; arguments as of `_layers`."""
        runner, masks = self._engine, self._mask_maker(steps)
        found = self._layers(runner.run, steps.data, states, masks, steps.batch_sizes)
        assert found is not None
        return found[0], dict(zip(self.graph.states, found[1], strict=True))

    def _watched(
        self, steps: Steps, states: Mapping[str, Tensor]
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The same, while probes watch and change what happens."""
        suffixes = chain.from_iterable(self._all_suffixes)

        def run(requests: list[Request]) -> list[Results]:
            return [self._watch(next(suffixes), steps, request) for request in requests]

        masks, parts = self._mask_maker(steps), self._parts(tuple(states.values()))
        found = self._layers(run, steps.data, parts, masks, steps.batch_sizes)
        assert found is not None
        return found[0], dict(zip(self.graph.states, found[1], strict=True))

    def _watch(self, suffix: str, steps: Steps, request: Request) -> Results:
        """What the probes make of one layer in one direction; there may be no rows."""
        weights, inputs, states, _, _, reverse = request
        assert states is not None
        if not self._probes:
            return [inputs[0].new_zeros(0, self.output_size)], states
        runner = self._engine
        call = Call(
            suffix,
            runner,
            dict(zip(runner.weights, weights, strict=True)),
            dict(zip(runner.graph.inputs, inputs, strict=True)),
            {n: state.squeeze(0) for n, state in zip(self.graph.states, states, strict=True)},
            steps,
            reverse,
        )
        values, last = probed(self, call)
        return [values[self.graph.output]], [state.unsqueeze(0) for state in last.values()]

    def _mask_maker(self, steps: Steps) -> Masks:
        """Return what makes the random inputs of the graph, given what a layer reads."""
        runner = self._engine
        if len(runner.graph.inputs) == 1:
            return _no_masks
        return partial(self._masks, runner.graph, steps)

    def _masks(self, graph: Graph, steps: Steps, data: Tensor) -> list[Tensor]:
        units = {**self._units, "input": data.shape[-1]}
        sizes = {name: units[size] for name, size in graph.inputs.items()}
        kept = {zoneout_input(self.graph, state): p for state, p in self.zoneout.items()}
        own = {*self.graph.inputs, *kept}
        masked = {name: size for name, size in sizes.items() if name not in own}
        masks = {
            **zoneout_masks(kept, sizes, data),
            **variational_masks(self.variational_dropout, masked, steps, data),
        }
        return [masks[name] for name in graph.inputs if name in masks]

    def _check_input(self, data: Tensor) -> None:
        if data.shape[-1] != self.input_size:
            raise RuntimeError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, "
                f"got {data.shape[-1]}"
            )
        for name in self._names[:1]:
            self._check_tensor(data, getattr(self, f"{name}_l0"))

    def _states(self, hx: States | None, steps: Steps) -> dict[str, Tensor]:
        """The states before the first step, (L, B, units), by name."""
        if hx is None:
            return self._initial_states(steps)
        states = {}
        (given,) = sound(type(self).__name__, self._given(hx))
        for index, (name, state) in enumerate(given.items()):
            label = "hidden" if len(self.graph.states) == 1 else f"hidden[{index}]"
            self._check_size(state, self._units[self.graph.states[name]], steps, label)
            self._check_state(state, steps.data, label)
            states[name] = steps.inward(state)
        return states

    def _check_size(self, state: Tensor, units: int, steps: Steps, label: str) -> None:
        dimensions = 3 if steps.batched else 2
        if state.dim() != dimensions:
            kind = "batched 3-D" if steps.batched else "unbatched 2-D"
            raise RuntimeError(
                f"For {kind} input, hx should also be {dimensions}-D but got {state.dim()}-D tensor"
            )
        rows = (steps.batch,) if steps.batched else ()
        expected = (self.num_layers * self._directions, *rows, units)
        if tuple(state.shape) != expected:
            raise RuntimeError(f"Expected {label} size {expected}, got {list(state.shape)}")

    def _initial_states(self, steps: Steps) -> dict[str, Tensor]:
        if self.learn_initial_states:
            return self._learned_states(steps.batch)
        return {
            state: steps.data.new_zeros(self._count, steps.batch, self._units[size])
            for state, size in self.graph.states.items()
        }

    def _learned_states(self, batch: int) -> dict[str, Tensor]:
        own: Any = self._parameters
        names = [name for names in self._initial_names.values() for name in names]
        given = {name: own[name] if name in own else getattr(self, name) for name in names}
        (learned,) = sound(type(self).__name__, given)
        states = {}
        for state, units in self._state_units.items():
            rows = []
            for name in self._initial_names[state]:
                value = learned[name]
                if value.shape != (units,):
                    raise RuntimeError(
                        f"{type(self).__name__}: {name} should have shape {(units,)}, "
                        f"got {tuple(value.shape)}"
                    )
                rows.append(value.expand(1, batch, units))
            states[state] = _joined(rows)
        return states

    @property
    def all_weights(self) -> list[list[Tensor]]:
        """The parameters of each layer and direction, as `torch.nn.LSTM.all_weights`."""
        return [
            self._weights(suffix)
            for layer in range(self.num_layers)
            for suffix in self._suffixes(layer)
        ]

    def flatten_parameters(self) -> None:
        """Lay the parameters out in one piece of memory for cuDNN; elsewhere nothing is done."""
        fused.flatten(self)

    def _apply(self, fn: Any, recurse: bool = True) -> Layer:
        super()._apply(fn, recurse)
        self.flatten_parameters()
        return self

    def extra_repr(self) -> str:
        """The options that differ from their defaults."""
        parts = [str(self.input_size), str(self.hidden_size)]
        defaults = {
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
        for name, default in defaults.items():
            if getattr(self, name) != default:
                parts.append(f"{name}={getattr(self, name)}")
        return ", ".join(parts)


def _joined(values: Sequence[Tensor]) -> Tensor:
    """Tensors (1, B, units) as one (L, B, units)."""
    return values[0] if len(values) == 1 else torch.cat(list(values))


def _zoneout(value: Zoneout, graph: Graph) -> dict[str, float]:
    """The probability of each state that has one above 0."""
    if not isinstance(value, Mapping):
        value = dict.fromkeys(graph.states, value)
    unknown = [state for state in value if state not in graph.states]
    if unknown:
        raise ValueError(
            f"zoneout: {graph.name} has no state {unknown[0]!r}, only {', '.join(graph.states)}"
        )
    checked = {state: probability("zoneout", p) for state, p in value.items()}
    return {state: p for state, p in checked.items() if p}


def _check_options(num_layers: object, batch_first: object, dropout: object) -> None:
    """What PyTorch checks of its options, in its words."""
    if isinstance(dropout, bool) or not isinstance(dropout, (int, float)) or not 0 <= dropout <= 1:
        raise ValueError(
            "dropout should be a number in range [0, 1] representing the probability of an "
            "element being zeroed"
        )
    if not isinstance(num_layers, int):
        raise TypeError(f"num_layers should be of type int, got: {type(num_layers).__name__}")
    if num_layers <= 0:
        raise ValueError("num_layers must be greater than zero")
    if not isinstance(batch_first, bool):
        raise TypeError(f"batch_first should be of type bool, got: {type(batch_first).__name__}")
    if dropout > 0 and num_layers == 1:
        warnings.warn(
            "dropout option adds dropout after all but last recurrent layer, so non-zero dropout "
            f"expects num_layers greater than 1, but got dropout={dropout} and "
            f"num_layers={num_layers}",
            stacklevel=4,
        )
