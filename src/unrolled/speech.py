"""English words and sentences, and the catalogues that have them in Chinese."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any, NamedTuple, TypeAlias, final

from .display import counted

LANGUAGES = ("en", "zh")


def read_catalogue(package: str, *folders: str) -> dict[str, dict[str, str]]:
    """Return the groups of a package's ``chinese.json``: in each, English words and their Chinese.

    >>> read_catalogue("unrolled.draw")["Cells"]["forget gate"]
    '遗忘门'
    """
    text = resources.files(package).joinpath(*folders, "chinese.json").read_text("utf-8")
    return json.loads(text)


@final
class Speaker:
    """The words of a catalogue in one language.

    Args:
        language: en or zh.
        chinese: the catalogue: English words and what they are in Chinese. What is not in it stays
            English.

    Raises:
        ValueError: for another language.

    >>> Speaker("zh", {"cell": "单元"})("cell")
    '单元'
    """

    def __init__(self, language: str, chinese: Mapping[str, str]) -> None:
        if language not in LANGUAGES:
            raise ValueError(f"language should be en or zh, got {language!r}")
        self.language = language
        self._chinese = chinese

    def __call__(self, words: str) -> str:
        """Return the words in the language."""
        return self._chinese.get(words, words) if self.language == "zh" else words

    def counted(self, count: int, things: str) -> str:
        """Return how many things there are, of which the plural is given.

        >>> seeds = {"seeds": "个种子"}
        >>> Speaker("en", seeds).counted(1, "seeds"), Speaker("zh", seeds).counted(1, "seeds")
        ('1 seed', '1 个种子')
        """
        return counted(count, things) if self.language == "en" else f"{count:,} {self(things)}"


@final
class Count(NamedTuple):
    """How many things there are, of which the plural is given."""

    number: int
    things: str


Value: TypeAlias = "str | int | Count | Sequence[Value]"
"""What fills a place of a sentence: names and numbers as they are written, counts, sentences, or
several of them."""


@final
class Sentence(str):
    """A sentence, or a part of one, that can be said in each language.

    As a string it is English, or the language that it was said in.

    Args:
        template: in English, with places for the values.
        values: by name of the place.

    >>> sentence = Sentence("after {steps} it ends", steps=Count(1, "steps"))
    >>> sentence
    'after 1 step it ends'
    >>> sentence.said(Speaker("zh", {"after {steps} it ends": "{steps}后结束", "steps": "步"}))
    '1 步后结束'
    """

    __slots__ = ("template", "values")

    template: str
    values: Mapping[str, Value]

    def __new__(cls, template: str, /, **values: Value) -> Sentence:
        """Say a sentence in English."""
        return cls._made(template, values, Speaker("en", {}))

    @classmethod
    def _made(cls, template: str, values: Mapping[str, Value], speaker: Speaker) -> Sentence:
        said = {name: _said(value, speaker) for name, value in values.items()}
        sentence = super().__new__(cls, speaker(template).format(**said))
        sentence.template, sentence.values = template, values
        return sentence

    def said(self, speaker: Speaker) -> Sentence:
        """Return the sentence in the language of a speaker."""
        return self._made(self.template, self.values, speaker)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (str(self), self.template, self.values)


def _said(value: Value, speaker: Speaker) -> str:
    """Return what fills a place, in the language of a speaker."""
    if isinstance(value, Sentence):
        return value.said(speaker)
    if isinstance(value, Count):
        return speaker.counted(*value)
    if isinstance(value, (str, int)):
        return str(value)
    return speaker(", ").join(_said(each, speaker) for each in value)


def _restored(text: str, template: str, values: Mapping[str, Value]) -> Sentence:
    """Return a sentence from a pickle, in the language that it was said in."""
    sentence = str.__new__(Sentence, text)
    sentence.template, sentence.values = template, values
    return sentence
