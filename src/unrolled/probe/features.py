"""Properties of text, character by character: what a unit might have learned to track.

Each is a float32 tensor (T,), aligned with what a model knows after it has read a character. For a
batch of texts, `find_units` takes a list of them, one for each row, in any layout.
"""

from __future__ import annotations

import torch
from torch import Tensor


def inside_quotes(text: str, quote: str = '"') -> Tensor:
    """Return 1 from an opening quote on, 0 from the closing one on.

    >>> inside_quotes('a "b" c').int().tolist()
    [0, 0, 1, 1, 0, 0, 0]
    """
    _require(text, "quote", quote)
    return torch.tensor([character == quote for character in text]).cumsum(0).remainder(2).float()


def position_in_line(text: str) -> Tensor:
    """Return how many characters of the line have been read; 0 after its end.

    >>> position_in_line("ab" + chr(10) + "c").int().tolist()
    [1, 2, 0, 1]
    """
    _require(text)
    found, count = [], 0
    for character in text:
        count = 0 if character == "\n" else count + 1
        found.append(float(count))
    return torch.tensor(found)


def after(text: str, keyword: str, until: str = "\n") -> Tensor:
    """Return 1 from the last character of a keyword on, 0 from the next `until` on.

    >>> after("x if y: z", "if", until=":").int().tolist()
    [0, 0, 0, 1, 1, 1, 0, 0, 0]
    """
    _require(text, "keyword", keyword, "until", until)
    found, on = [], 0.0
    for end in range(1, len(text) + 1):
        if text.endswith(until, 0, end):
            on = 0.0
        if text.endswith(keyword, 0, end):
            on = 1.0
        found.append(on)
    return torch.tensor(found)


def _require(text: str, *named: str) -> None:
    """Raise TypeError for anything but a string, ValueError where there is nothing to look for."""
    if not isinstance(text, str):
        raise TypeError(
            f"text should be a string, got {type(text).__name__}: of a batch of texts, make a list "
            "of features, one for each"
        )
    if not text:
        raise ValueError("text is empty: a feature has one value for each character")
    for name, value in zip(named[::2], named[1::2], strict=True):
        if not value or (name == "quote" and len(value) != 1):
            kind = "one character" if name == "quote" else "at least one character"
            raise ValueError(f"{name} should be {kind}, got {value!r}")
