"""The options of a training command, made from the settings and from other `Options`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, final, get_args, get_type_hints

import typer

from .. import completion
from .settings import ABOUT, Options, Rule, Settings, abouts, require


@final
@dataclass(frozen=True)
class Given:
    """The settings that a command line names, as they were given.

    Attributes:
        settings: by name.
        defaults: those of the command where they differ from the settings' own.
        cells: all that are named; the settings have the first.
    """

    settings: dict[str, Any]
    defaults: dict[str, Any]
    cells: tuple[str, ...] = ()

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

    The command takes a keyword ``given`` and gets a `Given` there; ``defaults`` are its own. A
    parameter that is annotated with a class of `Options` gets one, made from its options; what it
    has in common with the settings is among those given.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        settings = [_setting(name, defaults) for name in names or ABOUT]
        parameters, choices = _parameters(command)

        def run(**arguments: Any) -> None:
            given = {each.name: arguments.pop(each.name) for each in settings}
            for name, kind in choices.items():
                values = {field: arguments.pop(field) for field in abouts(kind)}
                given |= {field: value for field, value in values.items() if field in ABOUT}
                arguments[name] = kind(**values)
            given = {name: value for name, value in given.items() if value is not None}
            cells = tuple(given.pop("cell", None) or ())
            given |= {"cell": cells[0]} if cells else {}
            command(**arguments, given=Given(given, defaults, cells))

        return shaped(run, command, [*parameters, *settings])

    return decorate


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of the `Options` that its parameters are annotated with."""
    parameters, choices = _parameters(command)

    def run(**arguments: Any) -> None:
        for name, kind in choices.items():
            arguments[name] = kind(**{field: arguments.pop(field) for field in abouts(kind)})
        command(**arguments)

    return shaped(run, command, parameters)


def _parameters(
    command: Callable[..., None],
) -> tuple[list[inspect.Parameter], dict[str, type[Options]]]:
    """Return the parameters of a command with options in the place of each class of them, and
    these classes by name.
    """
    parameters: list[inspect.Parameter] = []
    choices: dict[str, type[Options]] = {}
    for name, each in inspect.signature(command, eval_str=True).parameters.items():
        kind = each.annotation
        if isinstance(kind, type) and issubclass(kind, Options):
            choices[name] = kind
            parameters += [_parameter(field, kind, getattr(kind, field)) for field in abouts(kind)]
        elif name != "given":
            parameters.append(each)
    return parameters, choices


def shaped(
    run: Callable[..., None], command: Callable[..., Any], parameters: list[inspect.Parameter]
) -> Callable[..., None]:
    """Return a function that shows a command's name and description, and other parameters."""
    run.__signature__ = inspect.Signature(parameters)  # pyright: ignore
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    run.__doc__, run.__name__ = command.__doc__, command.__name__
    return run


def _complete(names: tuple[str, ...]) -> completion.Complete | None:
    return completion.of(names) if names else None


def spanned(help: str, rule: Rule) -> str:
    """Return the help of an option of numbers, with their range.

    >>> spanned("Of the draws.", Rule(lambda value: value >= 0, "at least 0"))
    'Of the draws; at least 0.'
    """
    return f"{help.removesuffix('.')}; {rule.expected}."


def number_option(
    default: Any, help: str, rule: Rule, *flags: str, shown: bool | str = True
) -> Any:
    """Return an option of a number, or of several, with its range: in its help, and refused beyond.

    Args:
        default: None: not given.
        help: what it is, with its unit.
        rule: its range.
        flags: its names; none: that of the parameter.
        shown: the default that holds where it is None.
    """

    def check(param: typer.CallbackParam, value: Any) -> Any:
        for each in value if isinstance(value, (list, tuple)) else [value]:
            if each is not None:
                require(param.opts[0], each, rule)
        return value

    return typer.Option(
        default, *flags, help=spanned(help, rule), show_default=shown, callback=check
    )


def _setting(name: str, defaults: dict[str, Any]) -> inspect.Parameter:
    """Return the parameter of a command for a setting; None unless it is given."""
    shown = str(defaults.get(name, ABOUT[name].shown or getattr(Settings, name)))
    return _parameter(name, Settings, None, shown)


def _parameter(
    name: str, options: type[Options], default: Any, shown: str = ""
) -> inspect.Parameter:
    """Return the parameter of a command for an option."""
    about, kind = abouts(options)[name], get_type_hints(options)[name]
    kind = list[str] if options is Settings and name == "cell" else kind
    flags = about.flags or (f"--{name}/--no-{name}" if kind is bool else "")
    is_number = not {int, float}.isdisjoint({kind, *get_args(kind)})
    info = typer.Option(
        *filter(None, [flags]),
        help=spanned(about.help, about.rule) if is_number else about.help,
        show_default=shown or about.shown or True,
        autocompletion=completion.cells if name == "cell" else _complete(about.rule.names),
    )
    annotation = Annotated[kind | None if default is None else kind, info]
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )
