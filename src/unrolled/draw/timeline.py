"""The tokens along the axis of time, and words about spans of steps."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unicodedata import category

from rich.cells import cell_len

from ..display import short
from ..printable import printable
from .type import MONOSPACE
from .words import Words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from ..equations import Cell


def letters(axes: Axes, tokens: Sequence[str], start: int = 0) -> None:
    """Write characters or words along the axis of time, and below some the number of their step.

    Args:
        axes: of a figure that is filled to its edges, about.
        tokens: that are shown.
        start: how many steps of the sequence come before them.
    """
    texts = [visible(token) for token in tokens]
    numbers = step_numbers(start, len(texts))
    wide = axes.figure.get_figwidth()  # pyright: ignore[reportAttributeAccessIssue]
    pitch = wide * 72 * 0.88 / len(texts)
    longest = max(map(columns, texts))
    size = min(12.0, pitch / 0.62 / longest)
    if size < 8 and longest > 1:  # words that do not fit beside each other
        labels = [f"{text} {start + n + 1}" for n, text in enumerate(texts)]
        axes.set_xticks(range(len(texts)), labels, rotation=90)
        axes.tick_params(axis="x", length=0, pad=5)
        size = min(12.0, max(7.0, pitch * 0.9))
    else:
        axes.set_xticks(range(len(texts)), texts, va="baseline")
        axes.set_xticks(list(numbers), list(numbers.values()), minor=True, va="baseline")
        axes.xaxis.remove_overlapping_locs = False
        axes.tick_params(axis="x", length=0, pad=16)
        axes.tick_params(axis="x", which="minor", length=0, pad=30)
    for label in axes.get_xticklabels(which="both"):
        label.set_fontfamily([MONOSPACE])
        label.set_fontsize(size)


def columns(text: str) -> int:
    """Return how many columns a token takes: of Chinese two a letter, of marks over letters none.

    >>> columns("ab"), columns("中"), columns("e\u0301"), columns("\\\\$")
    (2, 2, 1, 1)
    """
    return cell_len(text.replace("\\$", "$"))


def step_numbers(start: int, count: int) -> dict[int, str]:
    """Return by place the numbers of the steps that are named, the first step being 1.

    >>> step_numbers(17, 13)
    {0: '18', 2: '20', 7: '25', 12: '30'}
    """
    every = 1 if count <= 12 else 5 if count <= 60 else 10
    found = {n: str(start + n + 1) for n in range(count) if (start + n + 1) % every == 0}
    if min(found, default=count) > 1:
        found[0] = str(start + 1)
    return dict(sorted(found.items()))


def joined(words: Words, *parts: str) -> str:
    """Return what is said side by side, without what is empty.

    >>> joined(Words(), "lstm", "", "9 steps")
    'lstm; 9 steps'
    """
    return words("; ").join(filter(None, parts))


def span(words: Words, first: int, count: int, total: int) -> str:
    """Return which steps of a sequence are shown, in words.

    Args:
        words: of a language.
        first: the number of the first one, from 1.
        count: how many are shown.
        total: how many there are.

    >>> span(Words(), 24, 31, 54), span(Words(), 1, 9, 9)
    ('steps 24 to 54 of 54', '9 steps')
    """
    if count >= total:
        return words("1 step") if total == 1 else words("{count} steps").format(count=total)
    if count == 1:
        return words("step {first} of {total}").format(first=first, total=total)
    said = words("steps {first} to {last} of {total}")
    return said.format(first=first, last=first + count - 1, total=total)


def read(words: Words, tokens: Sequence[str]) -> str:
    """Return how a text begins, for a picture in which it is not seen.

    >>> read(Words(), "to be or not"), read(Words(), "to be or not to be, that is the question")
    ('text: “to be or not”', 'text: “to be or not to be, tha…”')
    """
    start, cut = plain("".join(tokens[:BEGINNING])), len(tokens) > BEGINNING
    return words("text: “{start}”").format(start=start.rstrip() + "…" if cut else start)


BEGINNING = 23
"""Characters of a text that name it."""


def visible(token: str) -> str:
    """Return a token as it is seen: marks for white space and controls, no mathematics in it.

    >>> visible(" "), visible("$"), visible("\u202e"), visible("\u0301") == "\u25cc\u0301"
    ('␣', '\\\\$', '�', True)
    """
    return plain("".join(map(_visible, token)) if token else "∅")


def _visible(letter: str) -> str:
    """Return a sign of one column for a letter that has no shape of its own."""
    if letter in SPACES:
        return SPACES[letter]
    kind = category(letter)
    if kind == "Zs":
        return "␣"
    if kind[0] in "CZ":  # controls, halves of characters, what turns the direction
        return "�"
    return f"◌{letter}" if kind[0] == "M" else letter


SPACES = {"\n": "↵", "\t": "⇥"}
"""Signs for what moves on."""


def cell_name(cell: Cell) -> str:
    """Return a cell's name for a picture: a long one without its end."""
    return plain(short(cell.name, NAME))


NAME = 32
"""Letters of a cell's name in a picture."""


def plain(words: str) -> str:
    """Return words in which a dollar sign begins no mathematics, and no character acts."""
    return printable(words).replace("$", "\\$")
