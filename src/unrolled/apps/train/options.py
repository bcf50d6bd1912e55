"""The options of a training command, made from the settings."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, final, get_type_hints

import typer

from .settings import ABOUT, Settings

KINDS = get_type_hints(Settings)
"""The types of the settings."""


@final
@dataclass(frozen=True)
class Given:
    """The settings that a command line names, as they were given.

    Attributes:
        settings: by name.
        defaults: those of the command where they differ from the settings' own.
    """

    settings: dict[str, Any]
    defaults: dict[str, Any]

    def begun(self) -> Settings:
        """Return the settings of a new run.

        Raises:
            UserError: a value is out of range.
        """
        return Settings(**{**self.defaults, **self.settings})


OF_TABLES = tuple(name for name in ABOUT if name != "window")
"""The settings of commands that read tables: how much of a sequence is read is their own matter."""


def with_settings(
    *names: str, **defaults: Any
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of the settings ``names``, all of them if there are none.

    The command takes a keyword ``given`` and gets a `Given` there; ``defaults`` are its own.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command, eval_str=True).parameters
        options = {name: _parameter(name, defaults) for name in names or ABOUT}

        def run(**arguments: Any) -> None:
            values = {name: arguments.pop(name) for name in options}
            given = {name: value for name, value in values.items() if value is not None}
            command(**arguments, given=Given(given, defaults))

        first = [each for name, each in own.items() if name != "given"]
        parameters = [*first, *options.values()]
        run.__signature__ = inspect.Signature(parameters)  # pyright: ignore
        run.__annotations__ = {each.name: each.annotation for each in parameters}
        run.__doc__, run.__name__ = command.__doc__, command.__name__
        return run

    return decorate


def _parameter(name: str, defaults: dict[str, Any]) -> inspect.Parameter:
    """Return the parameter of a command for a setting; None unless it is given."""
    about, kind = ABOUT[name], KINDS[name]
    shown = str(defaults.get(name, about.shown or getattr(Settings, name)))
    flags = [f"--{name}/--no-{name}"] if kind is bool else []
    info = typer.Option(*flags, help=about.help, show_default=shown)
    annotation = Annotated[kind | None, info]
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation
    )
