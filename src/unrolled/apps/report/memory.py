"""The section about the long-term dependency problem: a study, as figures and tables."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from ...display import gradient_size
from ...draw.drawings import find
from ..curves import Curve, learning
from ..draw.request import subject
from ..study.grammar import STORIES, Grammar
from ..study.outcome import Outcome, Reading
from ..study.table import Figure as Scores
from ..study.table import Found, gathered, lines, number, ordered
from .charts import against_distance, against_gap
from .commands import draw, study, trials
from .figures import inline, picture
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
    gap, seeds = last[0].gap, {each.seed for each in last}
    gaps = find("gaps").picture(subject(language=speech.pictures.language))
    words, first = speech.chart, [each for each in last if each.seed == min(seeds)]
    accuracy = against_gap(
        long, last[0].chance, words("words in the gap"), words("held-out answers right, %")
    )
    title = speech("Training loss with a gap of {gap}").format(gap=speech.counted(gap, "words"))
    data: dict[str, Any] = {
        "gaps": picture(gaps, speech("What decides the last word is near, or far away.")),
        "gaps_command": draw("gaps", speech.pictures.language),
        "examples": [_example(name, speech) for name in STORIES],
        "accuracy": inline(accuracy, _scores_said(long, speech), language=speech.language),
        "commands": trials([each for each in outcomes if each.task in STORIES]),
        "command": study(last),
        **accuracy_table(found, speech, seconds=True),
        "caption": caption(outcomes, speech),
        "learning": _learning(last, speech),
        "learning_caption": f"{title}{speech('. ')}{spread(len(seeds), speech)}",
        **_gradients(last, speech),
        "gradient_caption": spread(len(seeds), speech),
        "readings": [_read(each) for each in first if each.reading],
        "reading_seed": speech("seed {number}").format(number=min(seeds)),
        "others": [_other(task, found[task], speech) for task in OTHERS if task in found],
    }
    title = speech("The long-term dependency problem")
    return Section("memory", title, "memory.html.j2", data)


def spread(seeds: int, speech: Speech) -> str:
    """Say what a curve and the band around it are."""
    if seeds == 1:
        return speech("One seed: the spread is not known.")
    words = speech("Mean of {seeds}; the band goes from the least to the greatest.")
    return words.format(seeds=speech.counted(seeds, "seeds"))


OTHERS = {
    "adding": "Adding problem, mean squared error",
    "copy": "Copy memory, nats",
}


def _longest(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return outcomes of all seeds, with a gap of 100 if that was tried, or the longest."""
    gaps = {each.gap for each in outcomes if each.task == "long"}
    gap = 100 if 100 in gaps else max(gaps)
    return [each for each in outcomes if each.task == "long" and each.gap == gap]


def _by_entrant(outcomes: Sequence[Outcome]) -> dict[str, list[Outcome]]:
    found: dict[str, list[Outcome]] = {}
    for each in outcomes:
        found.setdefault(each.entrant, []).append(each)
    return ordered(found)


def accuracy_table(found: Found, speech: Speech, seconds: bool = False) -> dict[str, list[Any]]:
    """Tabulate the held-out answers that are right, of both tasks, cells down.

    Args:
        found: the figures.
        speech: the language of the page.
        seconds: whether the last column has the seconds of a trial.
    """
    titles = {"short": speech("short task"), "long": speech("long task")}
    comma = speech(", ")
    table = _table(found, {task: f"{title}{comma}" for task, title in titles.items()}, speech)
    if not seconds:
        table = {"head": table["head"][:-1], "body": [row[:-1] for row in table["body"]]}
    return table


def _table(found: Found, titles: Mapping[str, str], speech: Speech) -> dict[str, list[Any]]:
    """Tabulate scores, cells down and gaps across, of tasks by what stands before their gaps.

    Returns:
        The headings of the columns, ``head``, and rows that begin with a heading of their own.
    """
    columns, made = lines(found, titles)
    head = [speech("cell"), *(f"{titles[task]}{speech('gap')} {gap}" for task, gap in columns)]
    body: list[list[Any]] = []
    for name, figures, seconds in made:
        cells = (_score(figure) if figure else "–" for figure in figures)
        body.append([name, *cells, f"{seconds:.0f}"])
    return {"head": [*head, speech("seconds for a trial")], "body": body}


def _score(figure: Scores) -> TableCell:
    mean, _, around = str(figure).partition(" (")
    return TableCell(mean, figure.all_solved, around.rstrip(")"))


def caption(outcomes: Sequence[Outcome], speech: Speech) -> str:
    """Return what the figures of the table are."""
    count = len({each.seed for each in outcomes})
    chance = f"{speech('chance')} {100 * outcomes[0].chance:.1f} %"
    parts = [speech("Held-out answers that are right, in %")]
    if count > 1:
        parts.append(f"{speech('mean over seeds; beside it the least and the greatest')}")
    seeds = speech.counted(count, "seeds")
    green = speech("green: 95 % or more from every seed")
    return speech("; ").join([*parts, seeds, chance, green]) + speech(".")


def budget(outcomes: Sequence[Outcome], speech: Speech) -> str:
    """Say from how many seeds trials were run, and how many steps each took."""
    count = len({each.seed for each in outcomes})
    steps = dict(sorted({each.gap: each.steps for each in outcomes}.items()))
    words = speech("{steps} of training with a gap of {gap}")
    listed = (words.format(steps=speech.counted(n, "steps"), gap=gap) for gap, n in steps.items())
    seeds = speech.counted(count, "seeds")
    return seeds + speech(": ") + speech("; ").join(listed) + speech(".")


def _scores_said(long: Mapping[str, Mapping[int, Scores]], speech: Speech) -> str:
    """Say what the chart of scores shows, for who cannot see it."""
    parts = (
        f"{name}{speech(': ')}"
        + speech(", ").join(
            f"{speech('gap')} {gap} {each.percent}" for gap, each in figures.items()
        )
        for name, figures in long.items()
    )
    return (
        f"{speech('Accuracy against the gap')}{speech('. ')}{speech('; ').join(parts)}{speech('.')}"
    )


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
    curves: dict[str, list[Curve]] = {
        name: [([p.step for p in each.curve], [p.loss for p in each.curve]) for each in several]
        for name, several in _by_entrant(outcomes).items()
    }
    ends = (
        f"{name} {sum(heights[-1] for _, heights in several) / len(several):.2f}"
        for name, several in curves.items()
        if all(heights for _, heights in several)
    )
    about = f"{speech('Learning curves')}{speech('. ')}{speech('At the end')}{speech(': ')}"
    across, up = speech.chart("steps of training"), speech.chart("training loss, nats")
    about += speech(", ").join(ends) + speech(".")
    return inline(learning(curves, across, up), about, language=speech.language)


def _gradients(outcomes: Sequence[Outcome], speech: Speech) -> dict[str, Markup]:
    across, up = speech.chart("steps back"), speech.chart("gradient, relative")
    made = {}
    for name, moment, words in (("before", 0.0, "before"), ("after", 1.0, "after")):
        curves = {
            entrant: [each.gradients[moment] for each in several]
            for entrant, several in _by_entrant(outcomes).items()
        }
        left = (
            f"{entrant} {gradient_size(min(s[-1] for s in sizes))}–"
            f"{gradient_size(max(s[-1] for s in sizes))}"
            for entrant, sizes in curves.items()
        )
        title = f"{speech('Gradient against distance')}{speech(', ')}{speech(f'{words} training')}"
        about = title + speech(". ")
        about += speech("Left at the first word") + speech(": ") + speech(", ").join(left)
        figure = against_distance(curves, across, up)
        made[name] = inline(figure, about + speech("."), language=speech.language)
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
        "share": f"{100 * sum(found.shares[place] for place in found.facts):.0f} %",
        "words": [
            {"text": word, "share": shade_level(share, greatest), "fact": place in found.facts}
            for place, (word, share) in enumerate(zip(found.words, found.shares, strict=True))
        ],
    }


def _other(task: str, found: Mapping[str, Mapping[int, Scores]], speech: Speech) -> dict[str, Any]:
    first = next(iter(next(iter(found.values())).values())).outcomes[0]
    chance = f"{speech('chance')} {number(first.chance)}"
    return {
        **_table({task: found}, {task: ""}, speech),
        "caption": speech(OTHERS[task]) + speech("; ") + chance + speech("."),
        "commands": trials(
            [o for gaps in found.values() for f in gaps.values() for o in f.outcomes]
        ),
    }
