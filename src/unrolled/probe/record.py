"""Recording: every named value of every cell, while a model runs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import final

from torch import Tensor
from torch.nn import Module

from .. import _torch
from ..nn.call import Probe, ProbedCall, attached, refuse_compilers
from ..nn.weights import Weighted
from .names import Place, layout, matching
from .recording import CallShape, Recording
from .store import Folder, Store


def record(
    model: Module,
    names: str | Iterable[str] = "*",
    *,
    keep_graph: bool = False,
    limit: float | None = None,
    to: str | os.PathLike[str] | None = None,
) -> AbstractContextManager[Recording]:
    """Record named values of every layer, direction and step while the context is open.

    The output of the model does not change by a bit. Modules that are called more than once, such
    as cells in a loop, have their steps one after the other, whatever rows each call has: see
    `Recording`. Only calls of the thread that made
    the recording are recorded.

    Args:
        model: with recurrent modules of this library; see `unrolled.adopt`.
        names: which values, by name or pattern (see `unrolled.names`), or several of these.
        keep_graph: whether what is recorded can be differentiated, so that a loss on it can be
            trained; otherwise it is detached.
        limit: how many bytes may be recorded, of memory or of disk.
        to: a new folder to which values are written while they are computed; `Recording.load`
            reads it again. If the context ends with an error, nothing is left of it.

    Returns:
        A context that gives the `Recording`, which may be read at any time, also afterwards.

    Raises:
        TypeError: unless `model` is a module, names are strings and `limit` is a number.
        ValueError: for a name that matches nothing, a model without recurrent modules of this
            library, one that was compiled, or `keep_graph` together with `to`.
        FileExistsError: if there is something at `to`.
        MemoryError: when the model runs, before a call that would exceed `limit`.
        RuntimeError: when the model runs, in code that PyTorch compiles, exports or traces, and
            under `torch.func` transforms.

    >>> import torch, unrolled
    >>> model = torch.nn.ModuleDict({"encoder": unrolled.LSTM(3, 4)})
    >>> with unrolled.record(model, "*.f") as recording:
    ...     output, states = model["encoder"](torch.randn(5, 2, 3))
    >>> recording["encoder.l0.f"].shape
    torch.Size([5, 2, 4])
    """
    refuse_compilers("record")
    if keep_graph and to is not None:
        raise ValueError("record: what is written to disk has no graph: leave out keep_graph or to")
    found = matching(model, names, "record")
    store = Store(limit) if to is None else Folder(to, limit)
    recording = Recording(
        {name: place.name for name, (place, _) in found.items()},
        {alias: place.name for place, _ in found.values() for alias in place.aliases},
        store,
    )
    return _recording(_Recorder(found.values(), recording, store, keep_graph))


@contextmanager
def _recording(recorder: _Recorder) -> Iterator[Recording]:
    store = recorder.store
    try:
        with attached(recorder, recorder.modules):
            yield recorder.recording
        if isinstance(store, Folder):
            recorder.recording._finish(store)
    except BaseException:
        store.discard()
        raise


@final
class _Recorder(Probe):
    """Puts what it sees into a recording."""

    def __init__(
        self,
        found: Iterable[tuple[Place, str]],
        recording: Recording,
        store: Store,
        keep_graph: bool,
    ) -> None:
        super().__init__()
        self.recording = recording
        self.store = store
        self._keep_graph = keep_graph
        self._chosen: dict[tuple[Weighted, str], tuple[Place, list[str]]] = {}
        self._units: dict[Place, int] = {}  # of all names together, once known
        for place, value in found:
            self._chosen.setdefault((place.module, place.suffix), (place, []))[1].append(value)
        self.modules = list(dict.fromkeys(module for module, _ in self._chosen))

    @property
    def keeps_graph(self) -> bool:
        """Whether what is recorded can be differentiated."""
        return self._keep_graph

    def wanted(self, module: Weighted, call: ProbedCall) -> Sequence[str]:
        """Return the names to record of one place."""
        if _torch.is_in_backward():
            return ()  # a checkpoint computes again what was recorded before
        place, names = self._chosen.get((module, call.suffix), (None, ()))
        if place is None:
            return ()
        if _torch.is_transformed():
            raise RuntimeError(
                "record: values inside torch.func transforms cannot be taken out: call the model "
                "outside of them"
            )
        self._reserve(place, names, call)
        return names

    def _reserve(self, place: Place, names: Sequence[str], call: ProbedCall) -> None:
        """Raise MemoryError before a call whose values are too many."""
        if place not in self._units:
            self._units[place] = sum(place.units(name) for name in names)
        size = call.form.steps * call.form.batch * call.form.data.element_size()
        self.store.reserve(self._units[place] * size, place.name)

    def see(self, module: Weighted, call: ProbedCall, values: Mapping[str, Tensor]) -> None:
        """Keep the values of one call."""
        (place, _), form = self._chosen[module, call.suffix], call.form
        own = {*call.inputs, call.graph.output}  # the caller has these too, and may change them
        kept = {}
        for name, value in values.items():
            spread = form.spread(value)
            kept[name] = spread.clone() if spread is value and name in own else spread
        ragged = form.batch_sizes is not None
        lengths = tuple(form.lengths.tolist()) if ragged else (form.steps,) * form.batch
        if not self.recording.has(place.name):
            self.recording.begin(place.name, self._initial(call))
        self.recording.add(place.name, kept, CallShape(layout(module, call), lengths, form.steps))

    def _initial(self, call: ProbedCall) -> dict[str, Tensor]:
        """Return the states before the first step, by themselves."""
        first = {state: call.form.outward(value[None])[0] for state, value in call.states.items()}
        keep = self._keep_graph
        return {s: (value if keep else value.detach()).clone() for s, value in first.items()}
