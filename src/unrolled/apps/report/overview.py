"""The first section: what was found, in one table."""

from __future__ import annotations

from collections.abc import Sequence

from ..study.outcome import Outcome
from ..study.table import gathered
from .claims import claims
from .memory import accuracy_table, caption
from .section import Section
from .words import Speech


def overview(outcomes: Sequence[Outcome], speech: Speech) -> Section:
    """The table of a study, and the article's claims beside it."""
    long = [each for each in outcomes if each.task in ("short", "long")]
    words = speech(
        "Everything on this page was measured on this machine by one command; nothing is quoted "
        "from elsewhere."
    )
    if min(each.steps for each in long) < 500:
        words += " " + speech(
            "This run was cut short: cells have had too few steps to learn what they can."
        )
    data = {
        "about": words,
        "table": accuracy_table(gathered(long), speech),
        "caption": caption(long, speech),
        "claims": claims(long, speech),
    }
    return Section("overview", speech("In short"), "short.html.j2", data)
