"""The section about the long-term dependency problem: a study, as figures and tables."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from ...draw.drawings import find
from ..draw.request import subject
from ..study.grammar import STORIES, Grammar
from ..study.outcome import Outcome, Reading
from ..study.table import Figure as Scores
from ..study.table import Found, gathered, lines, number, ordered
from .figures import against_distance, against_gap, inline, learning, picture
from .page import Section, Speech, TableCell

SHOWN_GAP = 20
"""Words in the gap of the examples."""


def memory(outcomes: Sequence[Outcome], speech: Speech) -> Section:
    """Return all of a study that has outcomes of the long task.

    Args:
        outcomes: of the study.
        speech: the language of the page.
    """
    found = gathered(outcomes)
    long, last = found["long"], _longest(outcomes)
    gap = last[0].gap
    gaps = find("gaps").picture(subject(language=speech.pictures.language))
    words = speech.chart
    accuracy = against_gap(
        long, last[0].chance, words("words in the gap"), words("held-out answers right, %")
    )
    learning_caption = f"{speech('Training loss with a gap of')} {gap} {speech('words')}."
    data: dict[str, Any] = {
        "gaps": picture(gaps, speech("What decides the last word is near, or far away.")),
        "examples": [_example(name, speech) for name in STORIES],
        "accuracy": inline(accuracy, speech("Accuracy against the gap")),
        **accuracy_table(found, speech),
        "caption": caption(outcomes, speech),
        "learning": _learning(last, speech),
        "learning_caption": learning_caption,
        **_gradients(last, speech),
        "readings": [_read(each) for each in last if each.reading],
        "others": [_other(task, found[task], speech) for task in OTHERS if task in found],
    }
    title = speech("The long-term dependency problem")
    return Section("memory", title, "memory.html.j2", data)


OTHERS = {
    "adding": "Adding problem, mean squared error",
    "copy": "Copy memory, nats",
}


def _longest(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return outcomes of the first seed, with a gap of 100 if that was tried, or the longest."""
    gaps = {each.gap for each in outcomes if each.task == "long"}
    gap = 100 if 100 in gaps else max(gaps)
    chosen = [each for each in outcomes if each.task == "long" and each.gap == gap]
    seed = min(each.seed for each in chosen)
    return list(ordered({each.entrant: each for each in chosen if each.seed == seed}).values())


def accuracy_table(found: Found, speech: Speech) -> dict[str, list[Any]]:
    """Tabulate the held-out answers that are right, of both tasks, cells down."""
    titles = {"short": speech("short task"), "long": speech("long task")}
    return _table(found, {task: f"{title}, " for task, title in titles.items()}, speech)


def _table(found: Found, titles: Mapping[str, str], speech: Speech) -> dict[str, list[Any]]:
    """Tabulate scores, cells down and gaps across, of tasks by what stands before their gaps.

    Returns:
        The headings of the columns, ``head``, and rows that begin with a heading of their own.
    """
    columns, made = lines(found, titles)
    head = [speech("cell"), *(f"{titles[task]}{speech('gap')} {gap}" for task, gap in columns)]
    body: list[list[Any]] = []
    for name, figures, seconds in made:
        cells = (TableCell(str(f), f.all_solved) if f else "–" for f in figures)
        body.append([name, *cells, f"{seconds:.0f}"])
    return {"head": [*head, speech("seconds for a trial")], "body": body}


def caption(outcomes: Sequence[Outcome], speech: Speech) -> str:
    """Return what the figures of the table are."""
    count = len({each.seed for each in outcomes})
    chance = f"{speech('chance')} {100 * outcomes[0].chance:.1f} %"
    parts = [speech("Held-out answers that are right, in %")]
    if count > 1:
        parts.append(f"{speech('mean over seeds; in brackets the least and the greatest')}")
    seeds = speech("seeds" if count > 1 else "seed")
    return "; ".join([*parts, f"{count} {seeds}", chance]) + "."


def _example(name: str, speech: Speech) -> dict[str, Any]:
    grammar = Grammar(STORIES[name])
    gap = 1 if name == "short" else SHOWN_GAP
    sentence = grammar.sentence(gap, random.Random(7))
    facts = {fact[n] for fact, n in zip(grammar.facts, sentence.answer, strict=True)}
    opening = len(grammar.story.openings[0].split())
    kinds = ["fact" if word in facts else "" for word in sentence.words[:opening]]
    kinds += ["filler"] * gap + [""] * (len(sentence.words) - opening - gap)
    return {
        "title": speech(f"A sentence of the {name} task"),
        "words": [
            {"text": text, "kind": kind} for text, kind in zip(sentence.words, kinds, strict=True)
        ],
        "answer": " ".join(grammar.answer(sentence.answer)),
    }


def _learning(outcomes: Sequence[Outcome], speech: Speech) -> Markup:
    curves = {
        each.entrant: ([p.step for p in each.curve], [p.loss for p in each.curve])
        for each in outcomes
    }
    across, up = speech.chart("steps of training"), speech.chart("training loss, nats")
    return inline(learning(curves, across, up), speech("Learning curves"))


def _gradients(outcomes: Sequence[Outcome], speech: Speech) -> dict[str, Markup]:
    across, up = speech.chart("steps back"), speech.chart("gradient, relative")
    made = {}
    for name, moment, words in (("before", 0.0, "before"), ("after", 1.0, "after")):
        curves = {each.entrant: each.gradients[moment] for each in outcomes}
        about = f"{speech('Gradient against distance')}, {speech(f'{words} training')}"
        made[name] = inline(against_distance(curves, across, up), about)
    return made


def shade_level(share: float, greatest: float) -> int:
    """Return one of seven shades, 0 for nothing.

    >>> shade_level(0.5, 0.5), shade_level(0.0, 0.5)
    (6, 0)
    """
    return round(6 * math.sqrt(share / greatest)) if greatest > 0 else 0


def _read(outcome: Outcome) -> dict[str, Any]:
    found = outcome.reading
    assert isinstance(found, Reading)
    greatest = max(found.shares)
    return {
        "name": outcome.entrant,
        "said": " ".join(found.said),
        "answer": " ".join(found.answer),
        "right": found.right,
        "words": [
            {"text": word, "share": shade_level(share, greatest), "fact": place in found.facts}
            for place, (word, share) in enumerate(zip(found.words, found.shares, strict=True))
        ],
    }


def _other(task: str, found: Mapping[str, Mapping[int, Scores]], speech: Speech) -> dict[str, Any]:
    first = next(iter(next(iter(found.values())).values())).outcomes[0]
    return {
        **_table({task: found}, {task: ""}, speech),
        "caption": f"{speech(OTHERS[task])}; {speech('chance')} {number(first.chance)}.",
    }
