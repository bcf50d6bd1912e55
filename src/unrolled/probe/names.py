"""The places of cells in a model, and the dotted names of their values."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, final

from torch.nn import Module

from .. import _torch
from ..display import text_of
from ..graph.graph import Graph
from ..nn.adopt import adoptable, obstacle
from ..nn.call import ProbedCall
from ..nn.layer import Layer
from ..nn.step import Step
from .recording import Layout


@final
@dataclass(frozen=True, eq=False)
class Place:
    """One layer in one direction, or one cell that takes single steps.

    Attributes:
        name: what the names of its values begin with: ``encoder.lstm.l0_reverse``.
        module: the layer or step.
        suffix: of its parameters' names: ``_l0_reverse``; empty for a step.
        aliases: other names, where a module stands in a model more than once.
    """

    name: str
    module: Layer | Step
    suffix: str
    aliases: tuple[str, ...] = ()

    __repr__ = text_of

    @property
    def graph(self) -> Graph:
        """The equations, as the module computes them outside training."""
        return self.module._runner.graph if isinstance(self.module, Layer) else self.module.graph

    @property
    def values(self) -> tuple[str, ...]:
        """The names of its values: the input, then all that `Graph.probes` holds."""
        return (next(iter(self.graph.inputs)), *self.graph.probes)

    @property
    def reverse(self) -> bool:
        """Whether its steps run from the last to the first."""
        return self.suffix.endswith("_reverse")

    @property
    def layer(self) -> int:
        """The number of the layer in its module, from 0."""
        return int(self.suffix.removesuffix("_reverse").removeprefix("_l") or 0)

    def units(self, value: str) -> int:
        """Return how many units a value has."""
        if value in self.graph.inputs and value == next(iter(self.graph.inputs)):
            return self.input_size
        size = self.graph.states.get(value) or self.graph.sizes[self.graph.probes[value]]
        return {**self.module._units, "input": self.input_size}[size]

    @property
    def input_size(self) -> int:
        """The number of units of this layer's input."""
        if self.layer == 0 or not isinstance(self.module, Layer):
            return self.module.input_size
        return self.module.output_size * (2 if self.module.bidirectional else 1)


def layout(module: Module, call: ProbedCall) -> Layout:
    """Return the layout in which the values of a call are handed out."""
    return Layout(isinstance(module, Layer) and module.batch_first, call.form.batched)


def places(model: Module) -> list[Place]:
    """Return every cell of ours in a model, in the order of its modules.

    A layer has the name of its module and ``l0``, ``l0_reverse``, ``l1``, ...; a step that of its
    module. The model itself has no name: its layers are ``l0``, ...; a step is called ``cell``.

    Raises:
        TypeError: unless `model` is a module.
        ValueError: for a model without any; the message says what to do.
    """
    if not isinstance(model, Module):
        raise TypeError(f"expected a torch.nn.Module, got {type(model).__name__}")
    for path, module in model.named_modules():
        if _torch.is_compiled(module):
            raise ValueError(
                f"{path or 'the model'} is compiled: pass the model that was compiled, and call "
                "that while it is watched or changed"
            )
    paths: dict[Layer | Step, list[str]] = {}
    for path, module in model.named_modules(remove_duplicate=False):
        if isinstance(module, (Layer, Step)):
            paths.setdefault(module, []).append(path)
    if not paths:
        raise ValueError(_without(model))
    return [place for module, names in paths.items() for place in _places(module, names)]


def _without(model: Module) -> str:
    kind = type(model).__name__
    found = [path or kind for path, module in model.named_modules() if adoptable(module)]
    if found:
        return (
            f"{kind} has no recurrent modules of unrolled, but PyTorch's ({', '.join(found)}): "
            "call unrolled.adopt(model) first"
        )
    left = {path or kind: obstacle(module) for path, module in model.named_modules()}
    reasons = [f"{path}: {reason}" for path, reason in left.items() if reason]
    if reasons:
        return f"{kind} has no recurrent modules that can be seen into ({'; '.join(reasons)})"
    return (
        f"{kind} has no recurrent modules: expected a model with unrolled.LSTM, GRU, RNN, "
        "Recurrent or their cells, or torch.nn's after unrolled.adopt(model)"
    )


def _places(module: Layer | Step, paths: Sequence[str]) -> list[Place]:
    """Return the places of a module that stands at some paths."""
    if isinstance(module, Step):
        first, *others = (path or "cell" for path in paths)
        return [Place(first, module, "", tuple(others))]
    found = []
    for layer in range(module.num_layers):
        for suffix in module._suffixes[layer]:
            names = (f"{path}.{suffix[1:]}" if path else suffix[1:] for path in paths)
            first, *others = names
            found.append(Place(first, module, suffix, tuple(others)))
    return found


def matching(
    model: Module, patterns: str | Iterable[str], user: str
) -> dict[str, tuple[Place, str]]:
    """Return the place and value of every name that matches a pattern, in the order of the model.

    Args:
        model: where to look.
        patterns: one or several; ``*`` stands for anything, ``?`` for one character and ``[ab]``
            for one of some.
        user: who asks, for messages.

    Raises:
        ValueError: for a pattern that matches nothing, with the names that come nearest.
    """
    is_several = isinstance(patterns, Iterable) and not isinstance(patterns, str)
    wanted: list[Any] = list(patterns) if is_several else [patterns]
    for pattern in wanted:
        if not isinstance(pattern, str):
            raise TypeError(f"{user}: names are strings such as 'lstm.l0.f', got {pattern!r}")
    known = places(model)
    found: dict[str, tuple[Place, str]] = {}
    missing = dict.fromkeys(wanted)
    for place in known:
        for value in place.values:
            for prefix in (place.name, *place.aliases):
                name = f"{prefix}.{value}"
                hits = [pattern for pattern in wanted if fnmatchcase(name, pattern)]
                if hits:
                    found[f"{place.name}.{value}"] = place, value
                for pattern in hits:
                    missing.pop(pattern, None)
    if missing or not found:
        first = next(iter(missing), "nothing")
        raise ValueError(f"{user}: {_unknown(model, first, known)}")
    return found


def _unknown(model: Module, pattern: str, known: Sequence[Place]) -> str:
    """Say why a pattern matches nothing, and what might be meant."""
    for path, module in model.named_modules():
        if adoptable(module) and (not path or pattern.startswith(f"{path}.")):
            kind = type(module).__name__
            return f"{path or kind} is a torch.nn.{kind}: call unrolled.adopt(model) first"
    names = [f"{place.name}.{value}" for place in known for value in place.values]
    near = difflib.get_close_matches(pattern, names, 3, 0.4) or names[:3]
    return (
        f"no value is called {pattern!r}; nearest: {', '.join(near)}; "
        f"unrolled.names(model) lists all {len(names)}"
    )


def names(model: Module) -> list[str]:
    """Return the dotted name of every value of every cell in a model.

    Raises:
        TypeError: unless `model` is a module.
        ValueError: for a model without recurrent modules of this library.

    >>> import torch, unrolled
    >>> model = torch.nn.ModuleDict({"encoder": unrolled.GRU(3, 4)})
    >>> unrolled.names(model)[:4]
    ['encoder.l0.x', 'encoder.l0.r_pre', 'encoder.l0.r', 'encoder.l0.z_pre']
    """
    return [f"{place.name}.{value}" for place in places(model) for value in place.values]
