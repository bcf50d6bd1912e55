"""A small classifier of questions, for the drawing that reads a sentence to a class."""

from __future__ import annotations

from functools import lru_cache
from itertools import product

import torch
from torch import nn

from ...nn import LSTM

TEMPLATES: dict[str, tuple[str, ...]] = {
    "time": (
        "what time is it {}",
        "what is the time {}",
        "how late is it {}",
        "tell me the time {}",
        "what day is it {}",
    ),
    "weather": (
        "what is the weather {}",
        "what weather is coming {}",
        "is it going to rain {}",
        "how cold is it {}",
        "will it snow {}",
    ),
    "place": (
        "where is the station {}",
        "where am i {}",
        "how far is the airport {}",
        "what street is this {}",
        "where is the museum {}",
    ),
    "order": (
        "i want a coffee {}",
        "bring me the menu {}",
        "i would like a table {}",
        "what is on the menu {}",
        "can i have the bill {}",
    ),
}
ENDS = ("", "now", "please", "today", "here", "tomorrow")
SENTENCE = "what time is it"
CODE = """embedding = nn.Embedding(words, 12)
lstm = unrolled.LSTM(12, 16)
readout = nn.Linear(16, 4)

h, _ = lstm(embedding(sentence))
p = readout(h).softmax(-1)"""


def sentences() -> list[tuple[list[str], int]]:
    """All sentences with the number of their class."""
    return [
        (template.format(end).split(), number)
        for number, templates in enumerate(TEMPLATES.values())
        for template, end in product(templates, ENDS)
    ]


class Classifier(nn.Module):
    """Embedding, LSTM, readout: class scores after every word."""

    def __init__(self, words: int, classes: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, 12)
        self.lstm = LSTM(12, 16)
        self.readout = nn.Linear(16, classes)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Scores (T, B, classes), from ids (T, B)."""
        return self.readout(self.lstm(self.embedding(ids))[0])


@lru_cache(maxsize=1)
def read(sentence: str = SENTENCE) -> tuple[list[str], torch.Tensor]:
    """The words of a sentence and the probabilities of the classes after each, (T, classes)."""
    data = sentences()
    vocabulary = {word: n for n, word in enumerate(sorted({w for words, _ in data for w in words}))}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = Classifier(len(vocabulary), len(TEMPLATES))
        _train(model, data, vocabulary)
    words = sentence.split()
    ids = torch.tensor([vocabulary[word] for word in words]).unsqueeze(1)
    with torch.no_grad():
        return words, model(ids)[:, 0].softmax(-1)


def _train(
    model: Classifier, data: list[tuple[list[str], int]], vocabulary: dict[str, int]
) -> None:
    """All sentences of one length side by side, the class asked for after every word."""
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    lengths = sorted({len(words) for words, _ in data})
    batches = []
    for length in lengths:
        same = [(words, label) for words, label in data if len(words) == length]
        ids = torch.tensor([[vocabulary[word] for word in words] for words, _ in same]).T
        batches.append((ids, torch.tensor([label for _, label in same])))
    for _ in range(60):
        loss = torch.zeros(())
        for ids, labels in batches:
            scores = model(ids)
            everywhere = labels.expand(len(ids), -1)
            loss = loss + nn.functional.cross_entropy(
                scores.flatten(0, 1), everywhere.flatten(), reduction="sum"
            )
        optimizer.zero_grad()
        (loss / len(data)).backward()
        optimizer.step()
