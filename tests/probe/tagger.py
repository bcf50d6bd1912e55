"""A tagger whose answer lies some steps back: what advice is tried on.

A sequence is of filler words, with one of four markers somewhere and a question some steps later,
whose tag is the marker's. Chance is 1 in 4.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import unrolled
from unrolled.cells import CELLS

MARKERS, FILLERS = 4, 8
WORDS, TAGS = MARKERS + FILLERS + 1, MARKERS + 2
ROWS, TESTED = 32, 256
RATE = 0.01
Gaps = tuple[int, int]
"""The least and the greatest number of steps between a marker and its question."""


class Tagger(nn.Module):
    """Embedding, one recurrent layer, a tag for every word."""

    def __init__(self, cell: str, hidden: int = 32) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, 16)
        self.rnn = unrolled.Recurrent(CELLS[cell], 16, hidden)
        self.tags = nn.Linear(hidden, TAGS)

    def forward(self, words: Tensor) -> Tensor:
        return self.tags(self.rnn(self.embedding(words))[0])


def sentences(
    gaps: Gaps, steps: int, rows: int, draw: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Words (T, B), their tags (T, B), and at which step each row asks, (B,)."""
    words = torch.randint(MARKERS, MARKERS + FILLERS, (steps, rows), generator=draw)
    tags = torch.full((steps, rows), MARKERS)
    gap = torch.randint(gaps[0], gaps[1] + 1, (rows,), generator=draw)
    first = (torch.rand(rows, generator=draw) * (steps - gap)).long()
    marker, row = torch.randint(MARKERS, (rows,), generator=draw), torch.arange(rows)
    words[first, row], tags[first, row] = marker, MARKERS + 1
    words[first + gap, row], tags[first + gap, row] = MARKERS + FILLERS, marker
    return words, tags, first + gap


def words(gaps: Gaps, steps: int, rows: int = 8) -> Tensor:
    """What such a tagger reads, for a diagnosis."""
    return sentences(gaps, steps, rows, torch.Generator().manual_seed(1))[0]


def accuracy(outputs: Tensor, tags: Tensor, asked: Tensor) -> float:
    """The fraction of questions that are answered."""
    row = torch.arange(len(asked))
    return (outputs[asked, row].argmax(-1) == tags[asked, row]).double().mean().item()


@torch.no_grad()
def tested(model: nn.Module, gaps: Gaps, steps: int) -> float:
    """The accuracy on sentences of their own."""
    x, y, asked = sentences(gaps, steps, TESTED, torch.Generator().manual_seed(999))
    return accuracy(model(x), y, asked)


def fixed(gaps: Gaps, steps: int) -> Iterator[tuple[Gaps, int]]:
    """The whole gaps from the start; to be sent accuracies, as `growing`."""
    while True:
        yield gaps, steps


def growing(gaps: Gaps, steps: int) -> Iterator[tuple[Gaps, int]]:
    """A curriculum: gaps of 1 and 2 in sentences as short, doubled at 90 % until they are whole."""
    most, seen = 2, 0.0
    while most < gaps[1]:
        correct = yield (max(1, most // 2), most), most + most // 2
        seen = 0.9 * seen + 0.1 * correct
        if seen > 0.9:
            most, seen = 2 * most, 0.5
    yield from fixed(gaps, steps)


def learns(
    model: nn.Module,
    gaps: Gaps = (20, 40),
    steps: int = 60,
    updates: int = 300,
    seed: int = 0,
    course: Any = fixed,
    everywhere: bool = False,
    clip: float = 0.0,
    rate: float = RATE,
) -> int | None:
    """After how many updates (a multiple of 25) 95 % are answered; None if never so.

    The loss is that of the questions, or of every word's tag.
    """
    draw = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    lesson: Any = course(gaps, steps)
    now, length = next(lesson)
    for update in range(1, updates + 1):
        x, y, asked = sentences(now, length, ROWS, draw)
        outputs, row = model(x), torch.arange(ROWS)
        chosen = slice(None) if everywhere else (asked, row)
        loss = cross_entropy(outputs[chosen].reshape(-1, TAGS), y[chosen].flatten())
        if not loss.isfinite():
            return None
        optimizer.zero_grad()
        loss.backward()
        if clip:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        now, length = lesson.send(accuracy(outputs, y, asked))
        if update % 25 == 0 and tested(model, gaps, steps) > 0.95:
            return update
    return None
