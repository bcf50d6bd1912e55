"""Making a model, or saying that there is no memory for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ...errors import UserError
from .settings import Settings

T = TypeVar("T")


def made(settings: Settings, make: Callable[[], T]) -> T:
    """What ``make`` gives.

    Raises:
        UserError: there is no memory for it.
    """
    try:
        return make()
    except RuntimeError as error:
        raise UserError(
            f"cannot make a model of --hidden {settings.hidden} --layers {settings.layers}: {error}"
        ) from error
