"""The options of series: what is forecast from what, and how times and gaps are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from ..settings import ANY, COUNTED, Options, declare, one_of

NO_TIME = "none"
"""The name that --time takes for no column."""


@final
@dataclass(frozen=True)
class Choice(Options):
    """Options for a table of series; what is None is found out, most on the training part."""

    target: str | None = declare(None, "Column to forecast.", ANY, "the only one of numbers")
    also: list[str] | None = declare(  # noqa: RUF009
        None, "A further column to read; may be repeated."
    )
    known: list[str] | None = declare(  # noqa: RUF009
        None, "A further column that is known for the future too; may be repeated."
    )
    time: list[str] | None = declare(  # noqa: RUF009
        None,
        "Column of the time, repeated where its parts stand in several; none: there is no time.",
        ANY,
        "found out",
    )
    series: str | None = declare(None, "Column that tells several series apart.", ANY, "one series")
    horizon: int | None = declare(None, "Values to forecast.", COUNTED, "a season")
    window: int | None = declare(None, "Values to read.", COUNTED, "three seasons")
    season: int | None = declare(None, "Steps until it repeats itself.", COUNTED, "looked for")
    relative: bool | None = declare(
        None,
        "Count from the last value read.",
        shown="if there is a trend",
        flags="--relative/--absolute",
    )


@final
@dataclass(frozen=True)
class Reading(Options):
    """Options of how times and gaps are read; what is None is as the run has it, or as usual."""

    date_format: str | None = declare(
        None,
        "How times are spelled, such as %d/%m/%Y; or year, s, ms, us, ns, excel, number.",
        ANY,
        "found out",
    )
    missing: str | None = declare(
        None, "Empty cells: error or interpolate.", one_of("error", "interpolate"), "error"
    )
    fill_gaps: bool | None = declare(
        None,
        "Interpolate steps that have no record.",
        shown="no",
        flags="--fill-gaps/--keep-gaps",
    )


AS_USUAL = Reading()
"""Nothing is told of times and gaps."""
