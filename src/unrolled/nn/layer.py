"""A stack of recurrent layers over whole sequences: what RNN, LSTM, GRU and Recurrent share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn import Module
from torch.nn.utils.rnn import PackedSequence

from ..graph.rewrite import expected_zoneout, variational_dropout, zoneout
from ..kernels.by_rows import repeated
from ..kernels.dispatch import Runner
from ..kernels.request import Request, Results
from ..kernels.runtime.buffers import sound
from ..kernels.runtime.torch_state import computes_itself, is_read_elsewhere
from . import devices, ended, fused, noise, stock, symbolic
from .call import refuse_compilers, watched
from .sequence import Filled, Lengths, Sequences, sequences
from .stack import Stack
from .weights import States

Masks = Callable[[Tensor], Sequence[Tensor]]


class Layer(Stack):
    """Abstract: `num_layers` layers of one cell over sequences, in one or both directions."""

    def _derive(self) -> None:
        super()._derive()
        self.standard = fused.is_standard(self.cell)
        # Whether something besides dropout is drawn at random in training.
        self._is_noisy = bool(self.zoneout or self.variational_dropout)
        self._record = (self.graph.output,)
        # What runs the equations outside training, and in training.
        graph = expected_zoneout(self.graph, self.zoneout) if self.zoneout else self.graph
        self._runner = self._training_runner = Runner(graph, self._units, self.recompute)
        if self._is_noisy:
            graph = zoneout(self.graph, self.zoneout)
            if self.variational_dropout:
                graph = variational_dropout(graph, self._dropout_rates)
            self._training_runner = Runner(graph, self._units, self.recompute)

    def _engine(self) -> Runner:  # no property: torch.nn would hide its errors behind its name
        return self._training_runner if self.training else self._runner

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
        if (tracer := symbolic.tracer(self, input, hx)) is not None:
            return symbolic.leaf(tracer, self, input, hx, lengths=lengths)
        if stock.computes(self, input, hx) and lengths is None:
            return stock.run(self, input, hx)
        steps, states = self.prepare(input, hx, lengths)
        if self._probes:
            refuse_compilers(type(self).__name__)
        if isinstance(steps, Filled) and not self._probes:
            output, last = self._run(steps, states, self._by_rows(steps.valid))
        elif fused.applies(self, steps):
            output, last = self._fused(steps, states)
        elif self._probes or steps.data.shape[0] == 0:
            output, last = self._run(steps, states, self._watching(steps))
        else:
            devices.announce(self, steps.data.device)
            are_plain = hx is None and steps.batch_sizes is None
            run = steps.serving(self._engine().run, tuple(self.graph.states))
            output, last = self._run(steps, () if are_plain else states, run)
        final = tuple(steps.outward(value) for value in last)
        return steps.output(output), final[0] if len(final) == 1 else final

    def _replayed(self, input: Any, hx: States | None) -> tuple[Tensor, States] | None:
        """Return what a call like an earlier one returns, whose checks hold for it; else None."""
        states = self._tuple(hx)
        if type(input) is not Tensor or input.dim() != 3 or states is None or self._probes:
            return None
        if torch.compiler.is_compiling() or (
            self.training and (self._is_noisy or self.dropout > 0)
        ):
            return None
        count = self._count
        if count > 1 and any(state.dim() != 3 or len(state) != count for state in states):
            return None
        runner = self._engine()
        try:
            data = input.transpose(0, 1) if self.batch_first else input
            parts = self._parts(states)
            found = self._layers(runner.run, data, parts, first=runner.replay)
        except RuntimeError:  # said in better words by what then checks the call
            return None
        if found is None:
            return None
        output, last = found
        if self.batch_first:  # in place: a view could not be detached in place
            output = output.transpose_(0, 1)
        return output, tuple(last) if len(last) > 1 else last[0]

    def _layers(
        self,
        run: Callable[[list[Request]], list[Results]],
        data: Tensor,
        states: Sequence[Sequence[Tensor]],
        masks: Masks | None = None,
        batch_sizes: Sequence[int] | None = None,
        first: Callable[[list[Request]], list[Results] | None] | None = None,
    ) -> tuple[Tensor, Sequence[Tensor]] | None:
        """Return what all layers and directions return, one after the other.

        Args:
            run: what serves the requests of a layer.
            data: the steps, (T, B, I), or (N, I) if ragged.
            states: before the first step, of each state one for each layer and direction,
                (1, B, units), or (units,) if all rows share it; none if they are 0.
            masks: what makes further inputs of the cell, if it has some, of what a layer reads.
            batch_sizes: how many rows each step has, if they are ragged.
            first: what serves those of the first layer, if not `run`; if it cannot, nobody does.
        """
        record = self._record
        if self._count == 1:  # nothing to take apart or to join
            inputs = (data,) if masks is None else (data, *masks(data))
            own = [state for (state,) in states] or None
            only = Request(self._weights("_l0"), inputs, own, record, batch_sizes)
            results = (first or run)([only])
            return None if results is None else (results[0][0][0], results[0][1])
        last: list[Sequence[Tensor]] = []
        serve = first or run
        for number, suffixes in enumerate(self._suffixes):
            requests = []
            for suffix in suffixes:
                place, reverse = len(last) + len(requests), len(requests) == 1
                own = [state[place] for state in states] or None
                inputs = (data,) if masks is None else (data, *masks(data))
                requests.append(
                    Request(self._weights(suffix), inputs, own, record, batch_sizes, reverse)
                )
            results = serve(requests)
            if results is None:
                return None
            serve = run
            last += [final for _, final in results]
            outputs = [values[0] for values, _ in results]
            data = outputs[0] if len(outputs) == 1 else torch.cat(outputs, -1)
            if self.dropout and number < self.num_layers - 1:
                data = F.dropout(data, self.dropout, self.training)
        return data, [_joined(values) for values in zip(*last, strict=True)]

    def prepare(
        self, input: Tensor | PackedSequence, hx: States | None, lengths: Lengths | None
    ) -> tuple[Sequences, Sequence[Tensor]]:
        """Return the input and the states before the first step, checked and in one form."""
        read = ended.sequences if is_read_elsewhere() else sequences
        steps = read(type(self).__name__, input, lengths, self.batch_first)
        width = steps.data.shape[-1]
        if width != self.input_size:
            raise RuntimeError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, "
                f"got {width}"
            )
        self._check_tensor(steps.data)
        # their products have to have all rows
        if steps.batch_sizes is not None and any(map(computes_itself, self.all_weights)):
            steps = Filled(steps)
        return steps, self._first(steps) if hx is None else self._states(hx, steps)

    def obstacle(self, steps: Sequences, states: Sequence[Tensor]) -> str | None:
        """Return why the first layer runs by the eager definition; None if on a kernel."""
        if steps.data.shape[0] == 0:
            return "every row has length 0"
        first, sizes = [value[:1] for value in states], steps.batch_sizes
        request = Request(self._weights("_l0"), [steps.data], first, self._record, sizes)
        return self._engine().obstacle(request)

    def _fused(self, steps: Sequences, states: Sequence[Tensor]) -> tuple[Tensor, Sequence[Tensor]]:
        """Run PyTorch's fused layer; for what watches, the equations are run beside it."""
        probes = [probe for probe in self._probes if probe.active]
        hidden = self.training and self.dropout  # nobody sees the fused layer's masks
        if probes:
            results = self._run(steps, states, self._watching(steps))
            if hidden or any(probe.changes for probe in probes):
                return results
        return fused.run(self, steps, states)

    def _parts(self, states: Sequence[Tensor]) -> Sequence[Sequence[Tensor]]:
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
            for names in self._initial_names
        ]

    def _run(
        self,
        steps: Sequences,
        states: Sequence[Tensor],
        run: Callable[[list[Request]], list[Results]],
    ) -> tuple[Tensor, Sequence[Tensor]]:
        """Return what all layers and directions return; arguments as of `_parts` and `_layers`."""
        graph = self._engine().graph
        masks = partial(noise.masks, self, graph, steps) if len(graph.inputs) > 1 else None
        found = self._layers(run, steps.data, self._parts(states), masks, steps.batch_sizes)
        assert found is not None
        return found

    def _by_rows(self, valid: Tensor) -> Callable[[list[Request]], list[Results]]:
        """Return what serves requests for rows of several lengths, (T, B) where they have steps."""
        runner = self._engine()
        return lambda requests: [runner.run_by_rows(request, valid) for request in requests]

    def _watching(self, steps: Sequences) -> Callable[[list[Request]], list[Results]]:
        """Return what serves requests, in their order, while probes watch and change them."""
        runner, suffixes = self._engine(), iter(self._keys)

        def run(requests: list[Request]) -> list[Results]:
            return [watched(self, next(suffixes), runner, each, steps) for each in requests]

        return run

    def _states(self, hx: States, steps: Sequences) -> Sequence[Tensor]:
        """Return the states that a call is given, (L, B, units), checked."""
        (given,) = sound(type(self).__name__, self._given(hx))
        for index, (name, state) in enumerate(given.items()):
            label = "hidden" if len(given) == 1 else f"hidden[{index}]"
            self._check_size(state, self._state_units[name], steps, label)
            self._check_state(state, steps.data, label)
        return [steps.inward(state) for state in given.values()]

    def _check_size(self, state: Tensor, units: int, steps: Sequences, label: str) -> None:
        dimensions = 3 if steps.batched else 2
        if state.dim() != dimensions:
            kind = "batched 3-D" if steps.batched else "unbatched 2-D"
            raise RuntimeError(
                f"For {kind} input, hx should also be {dimensions}-D but got {state.dim()}-D tensor"
            )
        rows = (steps.batch,) if steps.batched else ()
        expected = (self._count, *rows, units)
        if tuple(state.shape) != expected:
            raise RuntimeError(f"Expected {label} size {expected}, got {list(state.shape)}")

    def _first(self, steps: Sequences) -> Sequence[Tensor]:
        """Return the states, (L, B, units), of a call that is given none: learned, or 0."""
        rows, sizes = steps.batch, self._state_units.values()
        if not self.learn_initial_states:
            return [steps.data.new_zeros(self._count, rows, units) for units in sizes]
        kind, states = type(self).__name__, []
        for names, units, learned in zip(self._initial_names, sizes, self._parts(()), strict=True):
            values = dict(zip(names, learned, strict=True))
            if not (makes := computes_itself(learned)):
                (values,) = sound(kind, values)
            for name, value in values.items():
                if value.shape != (units,):
                    raise RuntimeError(
                        f"{kind}: {name} should have shape {(units,)}, got {tuple(value.shape)}"
                    )
            if makes:
                parts = [repeated(value, rows, steps.data)[None] for value in values.values()]
            else:
                parts = [value.expand(1, rows, units) for value in values.values()]
            states.append(_joined(parts))
        return states

    def __prepare_scriptable__(self) -> Module:
        return stock.scriptable(self)

    def flatten_parameters(self) -> None:
        """Lay the parameters out in one piece of memory for cuDNN; elsewhere nothing is done."""
        fused.flatten(self)


def _joined(values: Sequence[Tensor]) -> Tensor:
    """Return tensors (1, B, units) as one (L, B, units)."""
    return values[0] if len(values) == 1 else torch.cat(list(values))
