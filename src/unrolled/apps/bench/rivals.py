"""The rivals that there are, and those that take part."""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import UserError
from .jax import Jax
from .onnxruntime import OnnxRuntime
from .openvino import OpenVino
from .rival import Rival

RIVALS: tuple[Rival, ...] = (OnnxRuntime(), OpenVino(), Jax())


def chosen(keys: Sequence[str]) -> tuple[Rival, ...]:
    """The rivals that a user named; none if that is their name.

    Raises:
        UserError: for one that is unknown, or cannot be used here.
    """
    if list(keys) == ["none"]:
        return ()
    known = {rival.key: rival for rival in RIVALS}
    for key in keys:
        if key not in known:
            raise UserError(
                f"--rivals: no rival is called {key!r}; known: none, {', '.join(known)}"
            )
        reason = known[key].available()
        if reason is not None:
            raise UserError(f"--rivals: {known[key].name} cannot take part: {reason}")
    return tuple(rival for rival in RIVALS if rival.key in keys)


def present() -> tuple[Rival, ...]:
    """The rivals that can be used here."""
    return tuple(rival for rival in RIVALS if rival.available() is None)
