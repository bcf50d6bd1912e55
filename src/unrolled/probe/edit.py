"""Editing: put other values in place of those that a model computes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, final

import torch
from torch import Tensor
from torch.nn import Module

from ..graph.graph import Graph
from ..graph.rewrite import edited
from ..kernels.dispatch import Runner
from ..kernels.eager import Program
from ..nn.call import Call, Probe, refuse_compilers
from ..nn.sequence import Sequences as Form
from ..nn.weights import Weighted
from .change import Change, Function, Target
from .names import Place, layout, matching
from .selection import Chosen


def edit(
    model: Module,
    changes: Mapping[str, Any],
    *,
    steps: Chosen = None,
    rows: Chosen = None,
    units: Chosen = None,
) -> AbstractContextManager[tuple[str, ...]]:
    """Change named values of every call of a model's cells while the context is open.

    What is changed is changed for everything that reads it, in the same step and later, with
    gradients. Numbers, tensors and patches run on kernels; functions by the eager definition.

    Args:
        model: with recurrent modules of this library; see `unrolled.adopt`.
        changes: by dotted name or pattern such as ``*.f`` (see `unrolled.names`): a number, a
            tensor that broadcasts to the chosen part in the layout in which the value is recorded,
            a function of the value of one step (rows, units), `unrolled.patch` of a recording, or
            `unrolled.Change` of any of these, at places of its own.
        steps: which steps, numbered as in a recording of one call of `model`; all if left out. An
            int, a slice, a sequence of ints or a mask of bools, as for the others.
        rows: which rows of the batch.
        units: which units.

    Returns:
        A context that gives the names that are changed. Contexts may be nested; the inner one
        changes what the outer one has made. A recording sees the changed values.

    Raises:
        ValueError: before the model runs, for a name that matches nothing or two patterns, or a
            tensor or recording that cannot fit; when it runs, for one that does not fit the call.
        IndexError: for a unit, row or step that is not there; of steps this is known at the end.
        TypeError: for anything else that is no change.
        RuntimeError: in code that PyTorch compiles, exports or traces.

    >>> import torch, unrolled
    >>> lstm, x = unrolled.LSTM(3, 4), torch.randn(5, 2, 3)
    >>> with unrolled.edit(lstm, {"l0.f": 0.0}, steps=2, units=[0, 3]):
    ...     with unrolled.record(lstm, "l0.f") as recording:
    ...         output, states = lstm(x)
    >>> (recording["l0.f"] == 0).nonzero()[:, ::2].unique(dim=0)
    tensor([[2, 0],
            [2, 3]])
    """
    refuse_compilers("edit")
    if not isinstance(changes, Mapping) or not changes:
        raise TypeError(f"edit: expected a mapping from names to changes, got {changes!r}")
    targets: dict[tuple[Module, str], list[Target]] = {}
    named: dict[str, str] = {}
    for pattern, change in changes.items():
        whole = change if isinstance(change, Change) else Change(change)
        whole = whole.at(steps, rows, units)
        for name, (place, value) in matching(model, pattern, "edit").items():
            if name in named:
                raise ValueError(f"edit: {name} is changed by {named[name]!r} and by {pattern!r}")
            named[name] = pattern
            key = place.module, place.suffix
            targets.setdefault(key, []).append(Target(name, place, value, whole))
            _check_name(place, value)
    return _editing(model, _Editor(model, targets), tuple(named))


def _check_name(place: Place, value: str) -> None:
    """Raise ValueError for a name of the equations under which nothing can be changed."""
    if value not in place.graph.inputs:
        edited(place.graph, [value])


@contextmanager
def _editing(model: Module, editor: _Editor, names: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    hook = model.register_forward_pre_hook(editor.begin, prepend=True)
    editor.attach(editor.modules)
    try:
        yield names
    finally:
        editor.detach()
        hook.remove()
    editor.finish()


@final
class _Editor(Probe):
    """Changes calls."""

    def __init__(self, model: Module, targets: dict[tuple[Module, str], list[Target]]) -> None:
        super().__init__()
        self._targets = targets
        self._starts: dict[tuple[Module, str], int] = {}
        self._engines: dict[tuple[Module, str, Graph], _Engine] = {}
        self._is_step = any(not suffix for module, suffix in targets if module is model)
        self.modules: list[Any] = list(dict.fromkeys(module for module, _ in targets))

    def begin(self, model: Module, arguments: object) -> None:
        """Count the steps of a call of the model from 0."""
        if torch.compiler.is_compiling():
            return  # the modules that are changed refuse it
        if self.active and not self._is_step:
            self._starts.clear()

    def finish(self) -> None:
        """Raise, after all calls, if part of a change was never reached."""
        for targets in self._targets.values():
            for target in targets:
                target.finish()

    @property
    def changes(self) -> bool:
        """Always true."""
        return True

    def change(self, module: Weighted, call: Call) -> Call:
        """Return the call with the values changed."""
        key = module, call.suffix
        if key not in self._targets:
            return call
        start = self._starts.get(key, 0)
        self._starts[key] = start + call.form.steps
        inputs = dict(call.inputs)
        filled = {}
        for target in self._targets[key]:
            mask, content = target.fill(call.form, layout(module, call), start)
            mask, content = call.form.gather(mask), call.form.gather(content)
            if target.value in inputs:
                old = inputs[target.value]
                if target.function is not None:
                    content = _stepwise(target, old, call.form)
                inputs[target.value] = torch.where(mask, content, old)
            else:
                filled[target.value] = target, mask.to(call.form.data.dtype), content
        if not filled:
            return replace(call, inputs=inputs)
        return self._engine(module, call).changed(call, inputs, filled)

    def _engine(self, module: Weighted, call: Call) -> _Engine:
        key = module, call.suffix, call.graph
        if key not in self._engines:
            targets = [t for t in self._targets[key[:2]] if t.value not in call.inputs]
            self._engines[key] = _Engine(call, targets)
        return self._engines[key]


@final
class _Engine:
    """The equations with changed values, ready to be computed."""

    def __init__(self, call: Call, targets: list[Target]) -> None:
        graph, self.edits = edited(call.graph, [target.value for target in targets])
        computed = {
            self.edits[target.value].replacement: (
                partial(_applied, target, target.function),
                self.edits[target.value].value,
            )
            for target in targets
            if target.function is not None
        }
        eager = computed or isinstance(call.engine, Program)
        sizes = call.program.sizes
        self.engine = Program(graph, sizes, computed) if eager else Runner(graph, sizes)

    def changed(
        self,
        call: Call,
        inputs: dict[str, Tensor],
        filled: Mapping[str, tuple[Target, Tensor, Tensor]],
    ) -> Call:
        """Return the call with masks and replacements among its inputs."""
        for value, (target, mask, content) in filled.items():
            edit = self.edits[value]
            inputs[edit.mask] = mask
            if target.function is None:
                inputs[edit.replacement] = content
        return replace(call, engine=self.engine, inputs=inputs)


def _applied(target: Target, function: Function, value: Tensor) -> Tensor:
    """Return the function's result for one step."""
    result = function(value)
    if not isinstance(result, Tensor):
        raise TypeError(
            f"edit: {target.name}: the function should return a tensor, got {type(result).__name__}"
        )
    try:
        return result.expand(value.shape)
    except RuntimeError:
        raise ValueError(
            f"edit: {target.name}: the function should return {tuple(value.shape)}, "
            f"got {tuple(result.shape)}"
        ) from None


def _stepwise(target: Target, value: Tensor, form: Form) -> Tensor:
    """Return the function's results for the steps of an input."""
    assert target.function is not None
    sizes = form.batch_sizes
    if sizes is None:
        return torch.stack([_applied(target, target.function, v) for v in value.unbind(0)])
    return torch.cat([_applied(target, target.function, v) for v in value.split(list(sizes))])
