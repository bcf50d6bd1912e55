"""Text of strangers as text: nothing in it acts on a terminal."""

from __future__ import annotations

import re

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
