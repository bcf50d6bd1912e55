"""The settings of a training run, and which of them a resumed run may change."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, final

from ...errors import UserError

SCHEDULES = ("cosine", "constant")

ACCELERATORS = ("cpu", "cuda", "mps", "auto")
PRECISIONS = ("32", "bf16")

FREE = frozenset(
    {
        "steps",
        "seconds",
        "patience",
        "save_every",
        "evaluate_every",
        "threads",
        "accelerator",
        "devices",
        "accumulate",
        "tensorboard",
    }
)
"""What may differ when a run is resumed: when it stops, what it reports, what it runs on."""


STEPS, ROWS, OFTEN = 2**40, 2**20, 2**53
"""The most steps, rows of a batch, and whatever else is counted: a row's number, steps times rows,
is an integer of 64 bits."""
RATE = 1000.0
"""The greatest learning rate: far more, and float32 cannot hold a step."""


def _up_to(most: int) -> tuple[Callable[[Any], bool], str]:
    """A rule for counts."""
    return lambda value: 1 <= value <= most, f"from 1 to 2**{most.bit_length() - 1}"


def _positive(value: Any) -> bool:
    return 0 < value < math.inf


RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "hidden": _up_to(2**20),
    "layers": _up_to(2**10),
    "dropout": (lambda value: 0 <= value < 1, "at least 0 and less than 1"),
    "batch": _up_to(ROWS),
    "window": _up_to(ROWS),
    "steps": _up_to(STEPS),
    "seconds": (lambda value: value is None or _positive(value), "more than 0"),
    "lr": (lambda value: 0 < value <= RATE, f"more than 0 and at most {RATE:g}"),
    "schedule": (lambda value: value in SCHEDULES, "one of " + ", ".join(SCHEDULES)),
    "clip": (lambda value: value > 0, "more than 0 (inf for no clipping)"),
    "seed": (lambda value: 0 <= value < 2**63, "at least 0 and less than 2**63"),
    "held_out": (lambda value: 0 < value < 1, "between 0 and 1"),
    "save_every": _up_to(OFTEN),
    "evaluate_every": _up_to(OFTEN),
    "evaluate_at_most": _up_to(OFTEN),
    "patience": (lambda value: value is None or 1 <= value <= OFTEN, "from 1 to 2**53"),
    "threads": (lambda value: value is None or 1 <= value <= 1024, "from 1 to 1024"),
    "accelerator": (lambda value: value in ACCELERATORS, "one of " + ", ".join(ACCELERATORS)),
    "devices": (lambda value: 1 <= value <= 1024, "from 1 to 1024"),
    "precision": (lambda value: value in PRECISIONS, "one of " + ", ".join(PRECISIONS)),
    "accumulate": _up_to(ROWS),
    "tensorboard": (lambda value: value in (True, False), "true or false"),
}


def option(name: str) -> str:
    """The command-line option of a setting.

    >>> option("held_out")
    '--held-out'
    """
    return "--" + name.replace("_", "-")


@final
@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that decides a run but its data; see ``unrolled train text --help``.

    Raises:
        UserError: a value is out of range; the message names the option, the value and the range.

    >>> Settings(dropout=1.5)
    Traceback (most recent call last):
    unrolled.errors.UserError: --dropout must be at least 0 and less than 1, not 1.5
    """

    cell: str = "lstm"
    hidden: int = 256
    layers: int = 1
    dropout: float = 0.0
    batch: int = 32
    window: int = 64
    steps: int = 2000
    seconds: float | None = None
    lr: float = 3e-3
    schedule: str = "constant"
    clip: float = 1.0
    seed: int = 0
    held_out: float = 0.1
    save_every: int = 100
    evaluate_every: int = 200
    evaluate_at_most: int = 1_000_000
    patience: int | None = None
    threads: int | None = None
    accelerator: str = "cpu"
    devices: int = 1
    precision: str = "32"
    accumulate: int = 1
    tensorboard: bool = False

    def __post_init__(self) -> None:
        for name, (holds, expected) in RULES.items():
            value = getattr(self, name)
            if not holds(value):
                raise UserError(f"{option(name)} must be {expected}, not {value!r}")

    def resumed(self, given: Mapping[str, Any]) -> "Settings":
        """These settings with the free ones among ``given`` in place.

        Raises:
            UserError: ``given`` asks for another value of a setting that a run keeps for life.

        >>> Settings(steps=10).resumed({"steps": 20, "lr": 3e-3}).steps
        20
        >>> Settings().resumed({"hidden": 64})
        Traceback (most recent call last):
        unrolled.errors.UserError: this run has --hidden 256, not 64: ...
        """
        for field in fields(self):
            stored, asked = getattr(self, field.name), given.get(field.name)
            if asked is not None and asked != stored and field.name not in FREE:
                raise UserError(
                    f"this run has {option(field.name)} {stored}, not {asked}: leave the option "
                    "out, or start another run"
                )
        return replace(self, **{name: given[name] for name in FREE & given.keys()})
