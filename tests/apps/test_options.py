"""All options of all commands: numbers have a range, in help and when they are read."""

import typing
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from unrolled.apps.cli import app

HUGE = 10**30


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """All commands with their names, those of groups too."""
    inside = getattr(command, "commands", None)
    if inside is None:
        yield path, command
        return
    for name, each in inside.items():
        yield from commands(each, (*path, name))


def kinds(annotation: Any) -> set[Any]:
    """The types that an annotation is made of."""
    inside = typing.get_args(annotation)
    return set().union(*map(kinds, inside)) if inside else {annotation}


EVERY = dict(commands(typer.main.get_command(app)))
NUMBERS = {
    f"{' '.join(path)} {param.opts[0]}": (path, command, param)
    for path, command in EVERY.items()
    for param in command.params
    if kinds(param.type_descriptor.annotation) & {int, float}
}
FREE = ("--clip",)
"""What may be infinite: for no clipping."""


def test_there_are_many() -> None:
    assert len(NUMBERS) > 90
    assert {("train", "series"), ("forecast",), ("compare",)} <= EVERY.keys()


@pytest.mark.parametrize("name", list(NUMBERS))
def test_numbers_have_both_limits(name: str) -> None:
    path, command, param = NUMBERS[name]
    assert any(word in param.help for word in (" from ", "at least", "more than", "between"))
    needed = ["x"] * sum(each.required for each in command.params if each.nargs != 0)
    for value in (-HUGE, *([] if param.opts[0] in FREE else [HUGE])):
        words = [*path, *needed, f"{param.opts[0]}={value}"]
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 2, (value, result.output)
        said = result.output.strip().splitlines()
        assert len(said) <= 6, result.output
        assert "must be" in result.output
        assert param.opts[0] in result.output


@pytest.mark.parametrize("path", list(EVERY), ids=" ".join)
def test_every_option_says_what_it_is(path: tuple[str, ...]) -> None:
    for param in EVERY[path].params:
        if param.opts[0] in ("--help", "--version"):
            continue
        assert len(param.help or "") > 3, param.opts
        assert (param.help or "").rstrip().endswith((".", "?", ")")), param.help
