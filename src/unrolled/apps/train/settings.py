"""Options and their ranges; the settings of a training run, and its learning rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import Any, NamedTuple, final

from ...errors import UserError


@final
class Rule(NamedTuple):
    """A range of values.

    Attributes:
        holds: tells whether a value is in it.
        expected: the range, for messages.
        names: all values, if they are names.
    """

    holds: Callable[[Any], bool]
    expected: str
    names: tuple[str, ...] = ()


def _up_to(most: int) -> Rule:
    """Return a rule for counts."""
    return Rule(lambda value: 1 <= value <= most, f"from 1 to 2**{most.bit_length() - 1}")


def between(least: float, most: float) -> Rule:
    """Return a rule for numbers.

    >>> between(0, 100).expected
    'from 0 to 100'
    """
    return Rule(lambda value: least <= value <= most, f"from {least:g} to {_digits(most)}")


def _digits(number: float) -> str:
    return str(number) if isinstance(number, int) else f"{number:g}"


def one_of(*values: str) -> Rule:
    """Return a rule for names."""
    return Rule(lambda value: value in values, "one of " + ", ".join(values), values)


ROWS = _up_to(2**20)
"""The most rows of a batch; times 2**40 steps, a row's number is an integer of 64 bits."""
OFTEN = _up_to(2**53)
"""The most of whatever else is counted."""
COUNTED = _up_to(2**20)
"""The most of what is read, written or known at a time."""
RATE = Rule(lambda value: 0 < value <= 1000.0, "more than 0 and at most 1000")
"""At a greater learning rate float32 cannot hold a step."""
DROPOUT = Rule(lambda value: 0 <= value < 1, "at least 0 and less than 1")
SECONDS = Rule(lambda value: 0 < value <= 2**31, "more than 0 and at most 2**31")
CLIP = Rule(lambda value: value > 0, "more than 0 (inf for no clipping)")
SEED = Rule(lambda value: 0 <= value < 2**63, "at least 0 and less than 2**63")
SEEDS = Rule(lambda value: 1 <= value <= 100, "from 1 to 100")
HELD_OUT = Rule(lambda value: 0 < value < 1, "between 0 and 1")
ANY = Rule(lambda value: True, "anything")
TRUTH = Rule(lambda value: value in (True, False), "true or false")
FEW = Rule(lambda value: 1 <= value <= 1024, "from 1 to 1024")


@final
class About(NamedTuple):
    """An option beside its name, type and default.

    Attributes:
        help: text for the command line.
        rule: range of its values; None is in range where it is the default.
        shown: default as the command line shows it; empty: the default itself, if there is one.
        flags: those of a truth value; empty: ``--name/--no-name``.
        free: whether a setting may differ when a run is resumed: when it stops, what it
            reports, what it runs on.
    """

    help: str
    rule: Rule
    shown: str
    flags: str
    free: bool


def declare(
    default: Any, help: str, rule: Rule = ANY, shown: str = "", flags: str = "", free: bool = False
) -> Any:
    """Return a field of `Options`; the arguments are those of `About`."""
    about = About(help, rule, shown, flags, free)
    return field(default=default, metadata={"about": about})


_free = partial(declare, free=True)


class Options:
    """Abstract: options of a command; subclasses are frozen dataclasses with `declare`.

    Raises:
        UserError: a value is out of range; the message names the option, the value and the range.
    """

    def __post_init__(self) -> None:
        for name, about in abouts(type(self)).items():
            value = getattr(self, name)
            unset = value is None and getattr(type(self), name) is None
            if not unset:
                require(option(name), value, about.rule)


def require(option: str, value: Any, rule: Rule) -> None:
    """Refuse a value that is out of range.

    Raises:
        UserError: it is; the message names the option, the value and the range.
    """
    if not rule.holds(value):
        raise UserError(f"{option} must be {rule.expected}, not {value!r}")


def abouts(kind: Any) -> dict[str, About]:
    """Return all options of a class, in the order of the command line."""
    return {each.name: each.metadata["about"] for each in fields(kind)}


def option(name: str) -> str:
    """Return the command-line option of a setting.

    >>> option("held_out")
    '--held-out'
    """
    return "--" + name.replace("_", "-")


@final
@dataclass(frozen=True, kw_only=True)
class Settings(Options):
    """Everything that decides a run but its data; see ``unrolled train text --help``.

    Raises:
        UserError: a value is out of range; the message names the option, the value and the range.

    >>> Settings(dropout=1.5)
    Traceback (most recent call last):
    unrolled.errors.UserError: --dropout must be at least 0 and less than 1, not 1.5
    """

    cell: str = declare(
        "lstm", "See: unrolled cells; or FILE.py:NAME, or a run; may be repeated.", ANY
    )
    hidden: int = declare(256, "Hidden size.", ROWS)
    layers: int = declare(1, "Recurrent layers.", _up_to(2**10))
    dropout: float = declare(0.0, "Between layers and before the readout.", DROPOUT)
    batch: int = declare(32, "Rows of an update; of text, parallel streams.", ROWS)
    window: int = declare(64, "Steps of a row between updates.", ROWS)
    steps: int = _free(2000, "Updates in all.", _up_to(2**40))
    seconds: float | None = _free(
        None, "Stop after so long, even before the steps are done.", SECONDS, "none"
    )
    patience: int | None = _free(
        None, "Stop after so many evaluations without a better one.", OFTEN, "none"
    )
    lr: float = declare(3e-3, "Peak learning rate of AdamW.", RATE)
    schedule: str = declare(
        "constant",
        "Learning rate: constant, or cosine down to 0 at --steps.",
        one_of("cosine", "constant"),
    )
    clip: float = declare(1.0, "Greatest norm of the gradient.", CLIP)
    seed: int = declare(0, "Of weights, order and dropout.", SEED)
    held_out: float = declare(0.1, "Part of the data that is kept for evaluation.", HELD_OUT)
    save_every: int = _free(100, "Steps between checkpoints.", OFTEN)
    evaluate_every: int = _free(200, "Steps between evaluations.", OFTEN)
    evaluate_at_most: int = declare(
        1_000_000, "How much of the held-out part an evaluation goes through.", OFTEN
    )
    threads: int | None = _free(None, "Threads of each process.", FEW, "PyTorch's choice")
    accelerator: str = _free(
        "cpu", "Compute on: cpu, cuda, mps or auto.", one_of("cpu", "cuda", "mps", "auto")
    )
    devices: int = _free(1, "Processes on this machine, each with its device and rows.", FEW)
    precision: str = declare(
        "32", "Of products: 32, or bf16 with weights of 32 bits.", one_of("32", "bf16")
    )
    accumulate: int = _free(1, "Turns in which a batch is worked through, to save memory.", ROWS)
    tensorboard: bool = _free(False, "Log to TensorBoard as well, in --out.", TRUTH)

    def resumed(self, given: Mapping[str, Any]) -> Settings:
        """Return these settings with the free ones among ``given`` in place.

        Raises:
            UserError: ``given`` asks for another value of a setting that a run keeps for life.

        >>> Settings(steps=10).resumed({"steps": 20, "lr": 3e-3}).steps
        20
        >>> Settings().resumed({"hidden": 64})
        Traceback (most recent call last):
        unrolled.errors.UserError: this run has --hidden 256, not 64: ...
        """
        for each in fields(self):
            stored, asked = getattr(self, each.name), given.get(each.name)
            if asked is not None and asked != stored and each.name not in FREE:
                raise UserError(
                    f"this run has {option(each.name)} {stored}, not {asked}: leave the option "
                    "out, or start another run"
                )
        return replace(self, **{name: given[name] for name in FREE & given.keys()})


ABOUT = abouts(Settings)
"""All settings."""

FREE = frozenset(name for name, about in ABOUT.items() if about.free)
"""The settings that may differ when a run is resumed."""


def learning_rate(step: int, settings: Settings) -> float:
    """Return the rate of a step, counted from 0: a short linear rise, then flat or half a cosine.

    It depends on nothing but its arguments, so a resumed run goes on as if never stopped. The
    cosine ends with the steps that are asked for; the constant rate does not depend on them, so
    that a run can be lengthened without a difference.

    >>> settings = Settings(steps=1000, lr=1.0, schedule="cosine")
    >>> [round(learning_rate(step, settings), 2) for step in (0, 24, 49, 500, 999)]
    [0.02, 0.49, 0.97, 0.5, 0.0]
    """
    if settings.schedule == "constant":
        return settings.lr * min(1.0, (step + 1) / 11)
    rise = min(50, settings.steps // 10)
    rate = settings.lr * min(1.0, (step + 1) / (rise + 1))
    return rate * (1 + math.cos(math.pi * min(1.0, step / settings.steps))) / 2
