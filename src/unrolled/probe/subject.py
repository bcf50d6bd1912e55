"""The model that is looked into: its layers of interest, and a run of it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Any

from torch import Tensor
from torch.nn import Module
from torch.nn.utils.rnn import PackedSequence

from ..nn.adopt import adopt, release
from .names import Place, places
from .passage import Passage, Watch


@contextmanager
def adopted(model: Module) -> Iterator[None]:
    """Inside, the model's modules of `torch.nn` are ours; what was ours before stays so.

    Raises:
        TypeError: unless `model` is a module.
        ValueError: for a model without recurrent modules.
    """
    changed = adopt(model).changed
    try:
        yield
    finally:
        for name in changed:
            release(model.get_submodule(name))


def run_model(model: Module, x: Any) -> Any:
    """The model's output: a tuple stands for several arguments, a dict for named ones."""
    if isinstance(x, dict):
        return model(**x)
    if isinstance(x, tuple) and not isinstance(x, PackedSequence):
        return model(*x)
    return model(x)


def check_finite(x: Any, user: str) -> None:
    """ValueError if an input holds NaN or infinite numbers, which would be blamed on the model."""
    parts = x.values() if isinstance(x, dict) else x if isinstance(x, (tuple, list)) else ()
    if isinstance(x, PackedSequence):
        parts = (x.data,)
    for part in parts:
        check_finite(part, user)
    if isinstance(x, Tensor) and x.is_floating_point() and not bool(x.isfinite().all()):
        raise ValueError(f"{user}: x holds NaN or infinite numbers: leave them out or fill them in")


def chosen(model: Module, of: str | Iterable[str], user: str) -> list[Place]:
    """The layers and cells whose name, or that of a module around them, matches a glob.

    Raises:
        ValueError: for a model without any, and for a glob that matches none.
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
    return [place for place in known if any(_matches(place, glob) for glob in globs)]


def _matches(place: Place, glob: str) -> bool:
    return any(
        fnmatchcase(name, glob) or fnmatchcase(name, f"{glob}.*")
        for name in (place.name, *place.aliases)
    )


def unknown(name: object, known: Iterable[str]) -> str:
    """That there is no layer of a name, with the nearest ones."""
    known = list(known)
    near = difflib.get_close_matches(str(name), known, 3, 0.4) or known[:5]
    return f"no layer is called {name!r}; did you mean {' or '.join(near)}?"


def called(watch: Watch, user: str) -> dict[str, Passage]:
    """What went through the layers that took a step.

    Raises:
        ValueError: if none did.
    """
    passages = watch.passages()
    if not passages:
        names = ", ".join(place.name for place in watch.visits)
        raise ValueError(
            f"{user}: the model did not call {names} in its run: name layers that it uses by of=, "
            "or give it an input that reaches them"
        )
    return passages


def known(passages: Mapping[str, Passage], layer: str) -> Passage:
    """The passage of a layer; ValueError, with the nearest names, for an unknown one."""
    if layer not in passages:
        raise ValueError(unknown(layer, passages))
    return passages[layer]
