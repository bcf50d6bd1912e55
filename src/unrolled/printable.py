"""Text of strangers as text: nothing in it acts on a terminal."""

from __future__ import annotations

import re
from unicodedata import combining, normalize

ACTING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls, but for tabs and line feeds
    "\u200e\u200f\u2028-\u202e\u2066-\u2069"  # line separators, and what turns the direction
    "\ud800-\udfff]"  # halves of characters
)


def printable(text: str) -> str:
    r"""Return ``text`` with escapes for characters that would act instead of being shown.

    >>> print(printable("a\x1b[2Jb\u202ec"))
    a\x1b[2Jb\u202ec
    """
    return ACTING.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


SPELLED = "unrolled.spelled"
"""The name under which `spelled` can be registered as a handler of errors."""

SPELLINGS = {
    **{"…": "...", "→": "->", "←": "<-", "⇒": "=>", "–": "-", "—": "-", "−": "-", "×": "x"},
    **{"·": "*", "⊙": "*", "≤": "<=", "≥": ">=", "≈": "~", "±": "+-", "∞": "inf", "μ": "u"},
    **{"“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "′": "'", "σ": "sigma", "∂": "d"},
    **{"━": "=", "╸": "=", "╺": " ", "│": "|", "─": "-", "•": "*", "\xa0": " ", "‖": "||"},
}
"""Signs of ours that not every terminal has, in ASCII."""


def spelled(error: UnicodeError) -> tuple[str, int]:
    """Return what stands for characters that an encoding has not: a handler of errors.

    Accents are left out; what has no letters of ASCII becomes a question mark.

    >>> import codecs
    >>> codecs.register_error(SPELLED, spelled)
    >>> "a → b, naïve … 中".encode("ascii", SPELLED)
    b'a -> b, naive ... ?'
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_spelled, error.object[error.start : error.end])), error.end


def _spelled(letter: str) -> str:
    plain = normalize("NFKD", letter).encode("ascii", "ignore").decode()
    return SPELLINGS.get(letter) or plain or ("" if combining(letter) else "?")
