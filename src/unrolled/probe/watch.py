"""A run of the model that is looked into, and what it leaves at the layers of interest."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Any, final

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.nn import Module
from torch.nn.utils.rnn import PackedSequence

from .. import _torch
from ..nn.adopt import adopt
from ..nn.call import Probe, ProbedCall, Values, attached, before
from ..nn.weights import Weighted
from .names import Place, layout, places
from .passage import Passage, Visit
from .restoring import restored


@contextmanager
def watching(model: Module, of: str | Iterable[str], user: str) -> Iterator[Watch]:
    """Watch the chosen layers; modules of `torch.nn` are ours until the end.

    The model is left as it was, however this ends: see `restored`.

    Raises:
        TypeError: unless `model` is a module.
        ValueError: for a model without recurrent modules, and for a glob that matches none.
    """
    if not isinstance(model, Module):
        raise TypeError(f"{user}: expected a torch.nn.Module, got {type(model).__name__}")
    with restored(model):
        adopt(model)
        places = chosen(model, of, user)
        watch = Watch(places)
        with attached(watch, dict.fromkeys(place.module for place in places)):
            yield watch


def run_model(model: Module, x: Any) -> Any:
    """Return the model's output: a tuple stands for several arguments, a dict for named ones."""
    if isinstance(x, dict):
        return model(**x)
    if isinstance(x, tuple) and not isinstance(x, PackedSequence):
        return model(*x)
    return model(x)


def check_finite(x: Any, user: str) -> None:
    """Raise ValueError if an input holds NaN or infinite numbers, which would be blamed on the
    model.
    """
    parts = x.values() if isinstance(x, dict) else x if isinstance(x, (tuple, list)) else ()
    if isinstance(x, PackedSequence):
        parts = (x.data,)
    for part in parts:
        check_finite(part, user)
    if isinstance(x, Tensor) and x.is_floating_point() and not bool(x.isfinite().all()):
        raise ValueError(f"{user}: x holds NaN or infinite numbers: leave them out or fill them in")


def chosen(model: Module, of: str | Iterable[str], user: str) -> list[Place]:
    """Return the layers and cells whose name, or that of a module around them, matches a glob.

    Raises:
        ValueError: for a model without any, a glob that matches none, and a cell without units.
    """
    known = places(model)
    globs = [of] if isinstance(of, str) else list(of)
    for glob in globs:
        if not isinstance(glob, str):
            raise TypeError(f"{user}: of= takes names such as 'encoder.*', got {glob!r}")
        if not any(_matches(place, glob) for place in known):
            raise ValueError(f"{user}: {unknown(glob, [place.name for place in known])}")
    if not globs:
        raise ValueError(f"{user}: of= names no layer: leave it out to take all")
    found = [place for place in known if any(_matches(place, glob) for glob in globs)]
    for place in found:
        if place.module.hidden_size == 0:
            raise ValueError(f"{user}: {place.name} has no units: name other layers by of=")
    return found


def _matches(place: Place, glob: str) -> bool:
    return any(
        fnmatchcase(name, glob) or fnmatchcase(name, f"{glob}.*")
        for name in (place.name, *place.aliases)
    )


def unknown(name: object, known: Iterable[str]) -> str:
    """Say that there is no layer of a name, with the nearest ones."""
    known = list(known)
    near = difflib.get_close_matches(str(name), known, 3, 0.4) or known[:5]
    return f"no layer is called {name!r}; did you mean {' or '.join(near)}?"


def called(watch: Watch, user: str) -> dict[str, Passage]:
    """Return the passages of the layers that took a step.

    Raises:
        ValueError: if none did.
    """
    passages = watch.passages()
    if passages:
        return passages
    names = ", ".join(place.name for place in watch.visits)
    if any(watch.visits.values()):
        raise ValueError(
            f"{user}: no row takes a step in {names}: the input has no rows, or none longer than 0"
        )
    raise ValueError(
        f"{user}: the model did not call {names} in its run: name layers that it uses by of=, "
        "or give it an input that reaches them"
    )


@final
class Watch(Probe):
    """Collects the visits of some places, and where gradients arrive at them."""

    def __init__(self, chosen: Sequence[Place]) -> None:
        super().__init__()
        self.visits: dict[Place, list[Visit]] = {place: [] for place in chosen}
        self._places: dict[tuple[Weighted, str], Place] = {
            (place.module, place.suffix): place for place in chosen
        }
        self._copies: dict[tuple[tuple[int, int], ...], tuple[object, Values]] = {}
        self._seen: Values = {}

    @property
    def changes(self) -> bool:
        """The output goes on as a copy whose gradient can be asked for."""
        return True

    def wanted(self, module: Weighted, call: ProbedCall) -> Sequence[str]:
        """Return all states."""
        is_seen = (module, call.suffix) in self._places and not _torch.is_in_backward()
        return list(call.graph.states) if is_seen else ()

    def see(self, module: Weighted, call: ProbedCall, values: Mapping[str, Tensor]) -> None:
        """Keep the states for the visit that `pass_on` makes of them."""
        self._seen = dict(values)

    def pass_on(
        self, module: Weighted, call: ProbedCall, values: Values, last: Values
    ) -> tuple[Values, Values]:
        """Return copies of the output and of the last states, after a visit has been noted."""
        place = self._places.get((module, call.suffix))
        if place is None:
            return values, last
        if call.program.computed:
            raise RuntimeError(
                f"{place.name}: an edit by a function is in force, and functions have no "
                "derivative graph: leave its context, or edit by a constant or tensor"
            )
        if _torch.is_in_backward():  # a checkpoint computes again what was seen before
            return _copies(values), _copies(last)
        after, self._seen = self._seen, {}
        old = {state: before(call, state, after[state]).detach() for state in after}
        edges: dict[str, GradientEdge] = {}
        values = {
            name: self._copied(value, "" if name == call.graph.output else None, edges)
            for name, value in values.items()
        }
        last = {state: self._copied(value, state, edges) for state, value in last.items()}
        visit = Visit(_bare(call), layout(module, call), self._weights(call), old, after, edges)
        self.visits[place].append(visit)
        return values, last

    def _copied(self, value: Tensor, name: str | None, edges: dict[str, GradientEdge]) -> Tensor:
        """Return a copy: what the model does to it in place changes no visit."""
        if name is None or not torch.is_grad_enabled():
            return value.clone()
        copy = (value if value.requires_grad else value.detach().requires_grad_()).clone()
        edges[name] = get_gradient_edge(copy)
        return copy

    def _weights(self, call: ProbedCall) -> Values:
        """Return copies in float64; the same ones for calls with the same weights."""
        key = tuple((id(weight), _torch.version(weight)) for weight in call.weights.values())
        if key not in self._copies:
            originals = dict(call.weights)  # kept, so that no other gets their id
            copies = {
                name: w.detach().to(torch.float64, copy=True) for name, w in originals.items()
            }
            self._copies[key] = originals, copies
        return self._copies[key][1]

    def passages(self) -> dict[str, Passage]:
        """Return what went through each place in which a row took a step, by name."""
        return {
            place.name: Passage(place, visits)
            for place, visits in self.visits.items()
            if any(not visit.empty for visit in visits)
        }


def _copies(values: Values) -> Values:
    return {name: value.clone() for name, value in values.items()}


def _bare(call: ProbedCall) -> ProbedCall:
    """Return the call without its place in the model's own graph."""
    inputs = {name: value.detach() for name, value in call.inputs.items()}
    states = {name: value.detach() for name, value in call.states.items()}
    return ProbedCall(
        call.suffix, call.engine, call.weights, inputs, states, call.form, call.reverse
    )
