"""Sentences with a gap: two facts, so many words about other things, and an answer.

The two stories are those of an article. Short: "the clouds are in the *sky*". Long: "I grew up in
France … I speak *fluent French*". Each story gives two facts in its first sentence, and each fact
decides one word of the answer.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any, NamedTuple, final

from ...schema import checked

NEW = "<new>"
"""Stands for a word that was not seen in training."""
RESERVED = 4
"""One word in so many of every list of the gap is never seen in training."""


@final
@dataclass(frozen=True)
class Story:
    """Sentences with two facts at their beginning and an answer of two words at their end.

    Attributes:
        openings: sentences of equally many words, with ``A`` and ``B`` for the facts.
        closings: the words before the answer, equally many each.
        first: by fact A, the first word of the answer.
        second: by fact B, the second word of the answer.
    """

    openings: tuple[str, ...]
    closings: tuple[str, ...]
    first: dict[str, str]
    second: dict[str, str]

    @classmethod
    def of(cls, name: str) -> Story:
        """Return the story of a task: short or long."""
        return checked(_STORED["stories"][name], cls)


_STORED: dict[str, Any] = json.loads(
    resources.files("unrolled.apps.study").joinpath("stories.json").read_text("utf-8")
)

SHORT = Story.of("short")
"""Task A: what, and when; where it is, and in which light."""
LONG = Story.of("long")
"""Task B: where, and for how long; which language, and how well."""
STORIES = {"short": SHORT, "long": LONG}

FILLERS: tuple[str, ...] = tuple(_STORED["fillers"])
"""What stands in the gap, one pattern of every length; a word in capitals stands for a list."""
LISTS: dict[str, str] = _STORED["lists"]
"""The words of the gap by kind; the last quarter of each list is never seen in training."""


class Sentence(NamedTuple):
    """A sentence without its answer.

    Attributes:
        words: in their order.
        answer: the numbers of the answer's first and second word.
    """

    words: list[str]
    answer: tuple[int, int]


@final
class Grammar:
    """The sentences of a story.

    An answer is a pair such as *fluent French*. One pair in twelve is **held out**: training never
    asks for it, though it asks for *fluent Spanish* and for *broken French*. Whoever gives a
    held-out answer has carried both facts over the gap, each by itself; a sentence or an answer
    learned by heart does not help. Held-out sentences also have words in their gap that training
    has not; a model reads them as `NEW`.

    >>> from unrolled.apps.study.grammar import LONG
    >>> grammar = Grammar(LONG)
    >>> sentence = grammar.sentence(5, random.Random(3))
    >>> grammar.text(sentence)
    'my family spent ages in Turkey the warm train sang . we speak perfect Turkish'
    """

    def __init__(self, story: Story) -> None:
        self.story = story
        self.facts = tuple(story.first), tuple(story.second)
        self.answers = tuple(story.first.values()), tuple(story.second.values())
        self.vocabulary = _vocabulary(story)
        self._openings = [each.split() for each in story.openings]
        self._closings = [each.split() for each in story.closings]
        self._pairs = {held_out: self.pairs(held_out) for held_out in (False, True)}

    @property
    def chance(self) -> float:
        """The part of guesses that are right."""
        first, second = self.answers
        return 1 / (len(first) * len(second))

    def pairs(self, held_out: bool) -> list[tuple[int, int]]:
        """Return the answers that training asks for, or those that it never does."""
        first, second = self.answers
        return [
            (a, b)
            for b in range(len(second))
            for a in range(len(first))
            if (b % len(first) == a) is held_out
        ]

    def length(self, gap: int) -> int:
        """Return T: of a sentence without its answer."""
        return len(self._openings[0]) + gap + len(self._closings[0])

    def sentence(self, gap: int, draw: random.Random, held_out: bool = False) -> Sentence:
        """Return a sentence with so many words between its opening and its closing words.

        Args:
            gap: the number of words.
            draw: the same one in the same state gives the same sentence.
            held_out: whether the answer, and words of the gap, are those that training lacks.
        """
        a, b = draw.choice(self._pairs[held_out])
        facts = {"A": self.facts[0][a], "B": self.facts[1][b]}
        opening = [facts.get(word, word) for word in draw.choice(self._openings)]
        words = [*opening, *filler(gap, draw, held_out), *draw.choice(self._closings)]
        return Sentence(words, (a, b))

    def text(self, sentence: Sentence) -> str:
        """Return a sentence with its answer, to be read."""
        return " ".join([*sentence.words, *self.answer(sentence.answer)])

    def answer(self, numbers: Sequence[int]) -> tuple[str, str]:
        """Return the two words of an answer."""
        return self.answers[0][numbers[0]], self.answers[1][numbers[1]]


def _vocabulary(story: Story) -> tuple[str, ...]:
    """Return every word that a model is trained on, `NEW` first."""
    patterns = " ".join([*story.openings, *story.closings, *FILLERS]).split()
    fixed = {word for word in patterns if word not in LISTS and word not in ("A", "B")}
    lists = [word for name in LISTS for word in known(name)]
    return (NEW, *sorted({*fixed, *lists, *story.first, *story.second}))


@lru_cache(maxsize=32)
def known(name: str) -> tuple[str, ...]:
    """Return the words of a list that training sees."""
    words = LISTS[name].split()
    return tuple(words[: len(words) - len(words) // RESERVED])


@lru_cache(maxsize=32)
def every(name: str) -> tuple[str, ...]:
    """Return all words of a list."""
    return tuple(LISTS[name].split())


_PATTERNS = {len(pattern.split()): pattern.split() for pattern in FILLERS}


def filler(gap: int, draw: random.Random, held_out: bool = False) -> list[str]:
    """Draw so many words about other things, in whole clauses.

    >>> len(filler(100, random.Random(0)))
    100
    """
    words = every if held_out else known
    found: list[str] = []
    longest = len(FILLERS)
    while len(found) < gap:
        left = gap - len(found)
        size = draw.randint(3, longest) if left > longest else left
        found += [draw.choice(words(word)) if word in LISTS else word for word in _PATTERNS[size]]
    return found
