"""The words of pictures, in English and Chinese: one table."""

from __future__ import annotations

from typing import final

from ..errors import DrawError
from ..speech import LANGUAGES, Speaker, read_catalogue
from .notice import say
from .type import chinese as chinese_font

CHINESE: dict[str, str] = {
    words: chinese
    for group in read_catalogue("unrolled.draw").values()
    for words, chinese in group.items()
}
"""Chinese for the words of the pictures; the file groups them by what they stand in."""

_said = False


@final
class Words:
    """The words of one language.

    Args:
        language: en or zh. Without a font with Chinese glyphs, zh falls back to English and says
            so once, on stderr.

    Raises:
        DrawError: for another language.

    >>> Words("en")("forget gate")
    'forget gate'
    """

    def __init__(self, language: str = "en") -> None:
        if language not in LANGUAGES:
            raise DrawError(f"there are no labels in {language!r}: --lang is en or zh")
        if language == "zh" and not _has_chinese():
            language = "en"
        self.language = language
        self._speaker = Speaker(language, CHINESE)

    def counted(self, count: int, things: str) -> str:
        """Return how many things there are, of which the plural is given.

        >>> Words("en").counted(1, "steps")
        '1 step'
        """
        return self._speaker.counted(count, things)

    def __call__(self, words: str) -> str:
        """Return the words in the language."""
        return self._speaker(words)


def _has_chinese() -> bool:
    global _said
    found = chinese_font() is not None
    if not found and not _said:
        _said = True
        say(
            "no font with Chinese glyphs is installed (such as Noto Sans CJK SC): "
            "labels stay English"
        )
    return found
