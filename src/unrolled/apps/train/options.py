"""The options of a training command, made from the settings."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple, final

import typer

from .settings import Settings


class Option(NamedTuple):
    """An option: its type, what the help says of it, and what it says of the default."""

    kind: Any
    help: str
    default: str | None = None


OPTIONS = {
    "cell": Option(str, "See: unrolled cells."),
    "hidden": Option(int, "Hidden size."),
    "layers": Option(int, "Recurrent layers."),
    "dropout": Option(float, "Between layers and before the readout."),
    "batch": Option(int, "Rows of an update; of text, parallel streams."),
    "window": Option(int, "Steps of a row between updates."),
    "steps": Option(int, "Updates in all."),
    "seconds": Option(float, "Stop after so long, even before the steps are done.", "none"),
    "patience": Option(int, "Stop after so many evaluations without a better one.", "none"),
    "lr": Option(float, "Peak learning rate of AdamW."),
    "schedule": Option(str, "Learning rate: constant, or cosine down to 0 at --steps."),
    "clip": Option(float, "Greatest norm of the gradient."),
    "seed": Option(int, "Of weights, order and dropout."),
    "held_out": Option(float, "Part of the data that is kept for evaluation."),
    "save_every": Option(int, "Steps between checkpoints."),
    "evaluate_every": Option(int, "Steps between evaluations."),
    "evaluate_at_most": Option(int, "How much of the held-out part an evaluation goes through."),
    "threads": Option(int, "Threads of each process.", "PyTorch's choice"),
    "accelerator": Option(str, "Compute on: cpu, cuda, mps or auto."),
    "devices": Option(int, "Processes on this machine, each with its device and rows."),
    "precision": Option(str, "Of products: 32, or bf16 with weights of 32 bits."),
    "accumulate": Option(int, "Turns in which a batch is worked through, to save memory."),
    "tensorboard": Option(bool, "Log to TensorBoard as well, in --out."),
}
"""Of every setting."""


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
        """The settings of a new run.

        Raises:
            UserError: a value is out of range.
        """
        return Settings(**{**self.defaults, **self.settings})


OF_TABLES = tuple(name for name in OPTIONS if name != "window")
"""The settings of commands that read tables: how much of a sequence is read is their own matter."""


def with_settings(
    *names: str, **defaults: Any
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of the settings ``names``, all of them if there are none.

    The command takes a keyword ``given`` and gets a `Given` there; ``defaults`` are its own.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command, eval_str=True).parameters
        options = {name: _parameter(name, OPTIONS[name], defaults) for name in names or OPTIONS}

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


def _parameter(name: str, option: Option, defaults: dict[str, Any]) -> inspect.Parameter:
    shown = str(defaults.get(name, option.default or getattr(Settings, name)))
    flags = [f"--{name}/--no-{name}"] if option.kind is bool else []
    info = typer.Option(*flags, help=option.help, show_default=shown)
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[option.kind | None, info],
    )
