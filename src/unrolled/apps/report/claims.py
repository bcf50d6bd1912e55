"""The first section: the article's claims beside what a study has measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...display import gradient_size
from ..settling import SEEDS, Settled, Verdict, both, settled
from ..study.outcome import Outcome
from ..study.table import Figure as Scores
from ..study.table import Found, gathered, ordered
from .commands import trials
from .memory import accuracy_table, budget, caption
from .page import Section, Speech
from .verdicts import (
    Seed,
    arriving,
    beginning,
    by_seed,
    cure,
    enough,
    long_gap,
    needed,
    reaches,
    short_gap,
    trouble,
)

KINDS = {Verdict.HOLDS: "yes", Verdict.FAILS: "no", Verdict.OPEN: "part"}
SIMPLE, GATED, RELU = "rnn_tanh", "lstm", "rnn_relu"


def claims(outcomes: Sequence[Outcome], speech: Speech) -> list[dict[str, Any]]:
    """Return the article's claims, each with a verdict that follows from the numbers.

    Args:
        outcomes: of a study, with some of the long task.
        speech: the language of the page.

    Returns:
        For each claim its ``kind`` (yes, no or part), what it ``says``, the ``test`` that could
        refute it, the ``verdict``, ``why`` it is that one, and what was ``measured``, in sentences;
        a claim of several parts has claims as ``parts``.
    """
    figures, seeds = gathered(outcomes), by_seed(outcomes)
    return [
        _short(figures, seeds, speech),
        _long(figures, seeds, speech),
        _cure("Another activation cures it: ReLU.", RELU, figures, seeds, speech),
        _cure("Another structure cures it: LSTM.", GATED, figures, seeds, speech),
        _gradients(seeds, speech),
    ]


def _claim(
    says: str, test: str, result: Settled, measured: Iterable[str], speech: Speech
) -> dict[str, Any]:
    return {
        "kind": KINDS[result.verdict],
        "says": speech(says),
        "test": speech(test),
        "verdict": speech(result.verdict.value),
        "why": _why(result, speech),
        "measured": list(measured),
        "parts": [],
    }


def _why(result: Settled, speech: Speech) -> str:
    """Say how many seeds are for a claim and against it, and why others tell nothing."""
    words = speech("of {seeds}, {held} for it and {failed} against it")
    seeds = speech.counted(result.seeds, "seeds")
    parts = [words.format(seeds=seeds, held=result.held, failed=result.failed)]
    told = result.held + result.failed
    if told < result.seeds:
        parts.append(speech(result.why))
    if told < SEEDS:
        parts.append(speech("a verdict takes at least {least}").format(least=SEEDS))
    return speech("; ").join(parts)


def _listed(figures: Mapping[str, Scores], speech: Speech) -> str:
    return speech(", ").join(f"{name} {each.percent}" for name, each in figures.items())


def _along(name: str, figures: Mapping[int, Scores], speech: Speech) -> str:
    gaps = (f"{speech('gap')} {gap} {f.percent}" for gap, f in figures.items())
    return f"{name}{speech(': ')}{speech(', ').join(gaps)}"


def _short(found: Found, seeds: Sequence[Seed], speech: Speech) -> dict[str, Any]:
    measured = []
    for task in ("short", "long"):
        gap = min((gap for each in found.get(task, {}).values() for gap in each), default=0)
        shortest = {name: each[gap] for name, each in found.get(task, {}).items() if gap in each}
        if shortest:
            title = f"{speech(f'{task} task')}{speech(', ')}{speech('gap')} {gap}"
            measured.append(f"{title}{speech(': ')}{_listed(shortest, speech)}")
    return _claim(
        "With a short gap, every network learns the link.",
        "Against it would be a cell that does not reach 95 % after 2,000 steps.",
        settled(map(short_gap, seeds)),
        measured,
        speech,
    )


def _long(found: Found, seeds: Sequence[Seed], speech: Speech) -> dict[str, Any]:
    figures = found["long"].get(SIMPLE)
    return _claim(
        "As the gap grows, a simple RNN can no longer learn it.",
        "Against it would be a simple RNN that reaches 95 % over the longest gap. It counts only "
        "where another cell does, in as many steps.",
        settled(long_gap(each, SIMPLE) for each in seeds),
        [_along(SIMPLE, figures, speech)] if figures else [],
        speech,
    )


def _cure(
    says: str, cell: str, found: Found, seeds: Sequence[Seed], speech: Speech
) -> dict[str, Any]:
    """Judge a cell, however its weights start, by the longest gap."""
    long = found["long"]
    measured = []
    for name, figures in long.items():
        if name.partition("+")[0] == cell:
            measured.append(_along(name, figures, speech))
            measured += _trouble(figures[max(figures)], speech)
    return _claim(
        says,
        "Against it would be that it misses 95 % over the longest gap while another cell reaches "
        "it, in as many steps. It counts only where the simple RNN fails.",
        settled(cure(each, cell, SIMPLE) for each in seeds),
        measured,
        speech,
    )


def _trouble(figure: Scores, speech: Speech) -> list[str]:
    """Say what went wrong where a cell missed the goal, and after how many steps."""
    what = trouble(figure.outcomes)
    if not what.seeds:
        return []
    words = (
        "Where it missed 95 %, after {steps}, of {seeds}: {dead} with more than half "
        "of the units dead, {exploded} with gradients that grew 30 times or more, {falling} with a "
        "loss that still fell, {unseen} whose loss was not looked at near the end"
    )
    steps = speech.counted(figure.outcomes[0].steps, "steps")
    seeds = speech.counted(what.seeds, "seeds")
    return [speech(words).format(**{**what._asdict(), "seeds": seeds, "steps": steps})]


def _gradients(seeds: Sequence[Seed], speech: Speech) -> dict[str, Any]:
    """Judge both halves of what is said about gradients."""
    halves = settled(map(needed, seeds)), settled(map(enough, seeds))
    parts = [
        _claim(
            "Nothing is learned while gradients vanish.",
            "Against it would be a cell that begins to learn the longest gap while less than one "
            "millionth of its gradient is left at the first word. It counts only where another "
            "cell does not learn and has lost its gradient by then.",
            halves[0],
            _beginnings(seeds, speech),
            speech,
        ),
        _claim(
            "Where gradients arrive, the link is learned.",
            "Against it would be a cell that does not learn the longest gap although, in half of "
            "its steps or more, 1 % or more of its gradient is left at the first word; in as many "
            "steps as another cell needs. Of a cell that learns, only steps before it begins to "
            "learn count.",
            halves[1],
            _arrivals(seeds, speech),
            speech,
        ),
    ]
    verdict = both(*(each.verdict for each in halves))
    return {
        "kind": KINDS[verdict],
        "says": speech("The cause is that gradients vanish."),
        "test": speech("It says two things, and each is tested by itself. It holds if both do."),
        "verdict": speech(verdict.value),
        "why": "",
        "measured": [],
        "parts": parts,
    }


def _beginnings(seeds: Sequence[Seed], speech: Speech) -> list[str]:
    """Say what was left of gradients before training, and when learning began."""
    start, began, never = {}, {}, {}
    for seed in seeds:
        for name, each in ordered(dict(seed.far)).items():
            along = reaches(each)
            start.setdefault(name, []).append(along[0][1])
            place = beginning(each)
            if each.solved and place is not None:
                began.setdefault(name, []).append(along[place][1])
            elif not each.solved:
                never.setdefault(name, []).append(max(size for _, size in along))
    titles = (
        ("Left at the first word, before training", start),
        ("at the last look before it began to learn", began),
        ("where it was not learned, the most at any look", never),
    )
    return [
        speech(title) + speech(": ") + speech(", ").join(_range(*each) for each in sizes.items())
        for title, sizes in titles
        if sizes
    ]


def _range(name: str, sizes: Sequence[float]) -> str:
    low, high = gradient_size(min(sizes)), gradient_size(max(sizes))
    return f"{name} {low}" if low == high else f"{name} {low}–{high}"


def _arrivals(seeds: Sequence[Seed], speech: Speech) -> list[str]:
    """Say from how many seeds gradients arrived, and from how many of these it was learned."""
    found: dict[str, list[Outcome]] = {}
    for seed in seeds:
        for each in arriving(seed):
            found.setdefault(each.entrant, []).append(each)
    words = speech("{name} from {arrived} of {seeds}, learned from {learned}")
    listed = (
        words.format(
            name=name,
            arrived=len(each),
            seeds=speech.counted(len(seeds), "seeds"),
            learned=sum(one.solved for one in each),
        )
        for name, each in ordered(found).items()
    )
    said = speech("; ").join(listed)
    return [speech("The gradient arrives") + speech(": ") + said] if said else []


def found(outcomes: Sequence[Outcome], speech: Speech) -> str:
    """Say in a sentence what a study has found over its longest gap, for previews of links."""
    figures = gathered(outcomes)["long"]
    gap = max(gap for each in figures.values() for gap in each)
    listed = _listed({name: each[gap] for name, each in figures.items() if gap in each}, speech)
    words = speech("Right answers over a gap of {gap}").format(gap=speech.counted(gap, "words"))
    return f"{words}{speech(': ')}{listed}{speech('; ')}{budget(outcomes, speech)}"


def overview(outcomes: Sequence[Outcome], speech: Speech) -> Section:
    """Return the table of a study, and the article's claims beside it."""
    long = [each for each in outcomes if each.task in ("short", "long")]
    words = speech(
        "Everything on this page was measured on this machine by one command; nothing is quoted "
        "from elsewhere."
    )
    table = accuracy_table(gathered(long), speech)
    data = {
        "about": words,
        "budget": budget(long, speech),
        **table,
        "caption": caption(long, speech),
        "claims": claims(long, speech),
        "commands": trials(long),
    }
    return Section("overview", speech("In short"), "short.html.j2", data)
