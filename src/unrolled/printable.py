"""Text of strangers as text: nothing in it acts on a terminal."""

from __future__ import annotations

import re
from unicodedata import combining, normalize

ACTING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls, but for tabs and line feeds
    "\u200e\u200f\u2028-\u202e\u2066-\u2069"  # line separators, and what turns the direction
    "\ud800-\udfff]"  # halves of characters
)


ESCAPED = re.compile("[\udc80-\udcff]+")
"""Bytes of an argument or a file's name that the locale's encoding has not."""


def decoded(text: str) -> str:
    r"""Return ``text`` with the letters that its escaped bytes are in UTF-8: where the locale is
    ASCII, names that are not come as bytes. Bytes that are no UTF-8 stay as they are.

    >>> decoded("caf\udcc3\udca9") == "caf\u00e9", decoded("caf\udce9") == "caf\udce9"
    (True, True)
    """
    return ESCAPED.sub(_letters, text)


def _letters(found: re.Match[str]) -> str:
    try:
        return found[0].encode("ascii", "surrogateescape").decode()
    except UnicodeDecodeError:
        return found[0]


def printable(text: str) -> str:
    r"""Return ``text`` with escapes for characters that would act instead of being shown.

    >>> print(printable("a\x1b[2Jb\u202ec"))
    a\x1b[2Jb\u202ec
    """
    return ACTING.sub(lambda found: found[0].encode("unicode_escape").decode(), decoded(text))


SPELLED = "unrolled.spelled"
"""The name under which `spelled` can be registered as a handler of errors."""

SPELLINGS = {
    **{"…": "...", "→": "->", "←": "<-", "⇒": "=>", "–": "-", "—": "-", "−": "-", "×": "x"},
    **{"·": "*", "⊙": "*", "≤": "<=", "≥": ">=", "≈": "~", "±": "+-", "∞": "inf", "μ": "u"},
    **{"“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "′": "'", "σ": "sigma", "∂": "d"},
    **{"━": "=", "╸": "=", "╺": " ", "│": "|", "─": "-", "•": "*", "\xa0": " ", "‖": "||"},
}
"""Signs of ours that not every terminal has, in ASCII."""


RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ᵀⁿ", "0123456789+-()Tn", strict=True))
LOWERED = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₜₙₕₛ", "0123456789+-=()tnhs", strict=True))
SMALL = re.compile(f"(?P<raised>[{''.join(RAISED)}]+)|[{''.join(LOWERED)}]+")


def spelled(error: UnicodeError) -> tuple[str, int]:
    """Return what stands for characters that an encoding has not: a handler of errors.

    Accents are left out, small figures stand behind ``^`` and ``_``; what has no letters of ASCII
    becomes a question mark.

    >>> import codecs
    >>> codecs.register_error(SPELLED, spelled)
    >>> "a → b, naïve … 2·10⁻³⁸ 中".encode("ascii", SPELLED)
    b'a -> b, naive ... 2*10^-38 ?'
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = SMALL.sub(_figures, error.object[error.start : error.end])
    return "".join(map(_spelled, text)), error.end


def _figures(found: re.Match[str]) -> str:
    """Return small figures as plain ones: 10³ is not 103."""
    if found["raised"]:
        return f"^{''.join(map(RAISED.__getitem__, found[0]))}"
    text = "".join(map(LOWERED.__getitem__, found[0]))
    return f"_({text})" if len(text) > 1 else f"_{text}"


def _spelled(letter: str) -> str:
    if letter.isascii():
        return letter
    plain = normalize("NFKD", letter).encode("ascii", "ignore").decode()
    return SPELLINGS.get(letter) or plain or ("" if combining(letter) else "?")
