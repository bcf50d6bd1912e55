"""Editing: put other values in place of those that a model computes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any, final

import torch
from torch import Tensor
from torch.nn import Module

from ..graph.graph import Graph
from ..graph.rewrite import Edit, edited
from ..kernels.dispatch import Runner
from ..kernels.eager import Program
from ..nn.call import Probe, ProbedCall, attached, refuse_compilers
from ..nn.weights import Weighted
from .change import Change, Target
from .names import layout, matching
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
        rows: which rows of the batch; calls that have fewer rows than one before them, and single
            steps before those that have more, leave out those that they have not.
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
            if value not in place.graph.inputs:
                edited(place.graph, [value])  # ValueError where nothing can be changed
    return _editing(model, _Editor(model, targets), tuple(named))


@contextmanager
def _editing(model: Module, editor: _Editor, names: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    with _counted(model, editor), attached(editor, editor.modules):
        yield names
    for target in editor.all_targets:
        target.finish()


@contextmanager
def _counted(model: Module, editor: _Editor) -> Iterator[None]:
    """Tell an editor of the calls of the model while the context is open."""
    hook = None
    try:
        hook = model.register_forward_pre_hook(editor.begin, prepend=True)
        yield
    finally:
        if hook is not None:
            hook.remove()


@final
class _Editor(Probe):
    """Changes calls."""

    def __init__(self, model: Module, targets: dict[tuple[Module, str], list[Target]]) -> None:
        super().__init__()
        self._targets = targets
        # Of the calls so far, how many steps they had, and how many rows at most.
        self._passed: dict[tuple[Module, str], tuple[int, int]] = {}
        self._engines: dict[
            tuple[Module, str, Graph], tuple[Runner | Program, dict[str, Edit]]
        ] = {}
        self._is_step = any(not suffix for module, suffix in targets if module is model)
        self.modules: list[Any] = list(dict.fromkeys(module for module, _ in targets))

    def begin(self, model: Module, arguments: object) -> None:
        """Count the steps of a call of the model from 0."""
        if torch.compiler.is_compiling():
            return  # the modules that are changed refuse it
        if self.active and not self._is_step:
            self._passed.clear()

    @property
    def all_targets(self) -> list[Target]:
        """Everything that is changed."""
        return [target for targets in self._targets.values() for target in targets]

    @property
    def changes(self) -> bool:
        """Always true."""
        return True

    def change(self, module: Weighted, call: ProbedCall) -> ProbedCall:
        """Return the call with the values changed."""
        key = module, call.suffix
        if key not in self._targets:
            return call
        start, before = self._passed.get(key, (0, 0))
        self._passed[key] = start + call.form.steps, max(before, call.form.batch)
        inputs = dict(call.inputs)
        filled: list[tuple[Target, Tensor, Tensor]] = []
        for target in self._targets[key]:
            mask, content = target.fill(call.form, layout(module, call), start, before)
            mask, content = call.form.gather(mask), call.form.gather(content)
            if target.value in inputs:
                old = inputs[target.value]
                if target.function is not None:
                    sizes = call.form.batch_sizes
                    parts = old.unbind(0) if sizes is None else old.split(list(sizes))
                    join = torch.stack if sizes is None else torch.cat
                    content = join([target.applied(part) for part in parts]) if parts else old
                inputs[target.value] = torch.where(mask, content, old)
            else:
                filled.append((target, mask.to(call.form.data.dtype), content))
        if not filled:
            return replace(call, inputs=inputs)
        if (known := (*key, call.graph)) not in self._engines:
            self._engines[known] = _edited(call, [target for target, _, _ in filled])
        engine, edits = self._engines[known]
        for target, mask, content in filled:
            inputs[edits[target.value].mask] = mask
            if target.function is None:
                inputs[edits[target.value].replacement] = content
        return replace(call, engine=engine, inputs=inputs)


def _edited(call: ProbedCall, targets: list[Target]) -> tuple[Runner | Program, dict[str, Edit]]:
    """Return what computes the equations with changed values, and where these are put in."""
    graph, edits = edited(call.graph, [target.value for target in targets])
    functions = [(t, edits[t.value]) for t in targets if t.function is not None]
    computed = {edit.replacement: (t.applied, edit.value) for t, edit in functions}
    sizes = call.program.sizes
    is_eager = computed or isinstance(call.engine, Program)
    return Program(graph, sizes, computed) if is_eager else Runner(graph, sizes), edits
