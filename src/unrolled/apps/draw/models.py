"""Small models for pictures: trained once in seconds."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from functools import lru_cache
from importlib import resources
from itertools import product
from typing import TYPE_CHECKING

import platformdirs
import torch
from torch import nn

from ...cells import find
from ...errors import UserError
from ...nn import LSTM
from ..train import checkpoint as checkpoints
from ..train import text
from ..train.language import Language
from ..train.settings import Settings
from ..train.training import Training

if TYPE_CHECKING:
    from pathlib import Path

    from ...equations import Cell
    from ..train.checkpoint import Checkpoint

TEMPLATES: dict[str, list[str]] = json.loads(
    resources.files("unrolled.apps.draw").joinpath("questions.json").read_text("utf-8")
)
"""Questions by class, with a place for an end."""
ENDS = ("", "now", "please", "today", "here", "tomorrow")
SENTENCE = "what time is it"
SEED = 1
"""Of the classifier's weights."""
FITTED = 60
"""Steps of its training, each with all sentences."""
CODE = """embedding = nn.Embedding(words, 12)
lstm = unrolled.LSTM(12, 16)
readout = nn.Linear(16, 4)

h, _ = lstm(embedding(sentence))
p = readout(h).softmax(-1)"""


def sentences() -> list[tuple[list[str], int]]:
    """Return all sentences with the number of their class."""
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
        """Return scores (T, B, classes), from ids (T, B)."""
        return self.readout(self.lstm(self.embedding(ids))[0])


@lru_cache(maxsize=1)
def read(sentence: str = SENTENCE) -> tuple[list[str], torch.Tensor]:
    """Return a sentence's words, and the classes' probabilities after each, (T, classes)."""
    data = sentences()
    vocabulary = {word: n for n, word in enumerate(sorted({w for words, _ in data for w in words}))}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        model = Classifier(len(vocabulary), len(TEMPLATES))
        _fit(model, data, vocabulary)
    words = sentence.split()
    ids = torch.tensor([vocabulary[word] for word in words]).unsqueeze(1)
    with torch.no_grad():
        return words, model(ids)[:, 0].softmax(-1)


def _fit(model: Classifier, data: list[tuple[list[str], int]], vocabulary: dict[str, int]) -> None:
    """Train a model on all sentences, those of one length side by side, asked after every word."""
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    lengths = sorted({len(words) for words, _ in data})
    batches = []
    for length in lengths:
        same = [(words, label) for words, label in data if len(words) == length]
        ids = torch.tensor([[vocabulary[word] for word in words] for words, _ in same]).T
        batches.append((ids, torch.tensor([label for _, label in same])))
    for _ in range(FITTED):
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


SETTINGS = Settings(hidden=48, batch=16, window=48, steps=400, lr=5e-3, schedule="cosine")
"""A character model of Python's help topics."""
MOMENTS = (0, 10, 40, 120, 400)
"""After how many steps a checkpoint is kept."""
LETTERS = 120_000
"""Of the text that is trained on: encoding all of it takes as long as the training."""


def folder() -> Path:
    """Return where the models are kept."""
    return platformdirs.user_cache_path("unrolled") / "draw"


def moments(cell: Cell) -> list[Checkpoint]:
    """Return a model of a cell at several moments of its training, the trained one last."""
    return list(_moments(json.dumps(cell.to_json(), sort_keys=True), cell))


def progress(cell: Cell) -> list[Checkpoint]:
    """Return a model of a cell before, while and after its training."""
    found = moments(cell)
    return [found[n] for n in sorted({0, len(found) // 2, len(found) - 1})]


@lru_cache(maxsize=8)
def _moments(equations: str, cell: Cell) -> tuple[Checkpoint, ...]:
    key = hashlib.sha256(f"{equations}{asdict(SETTINGS)}{LETTERS}".encode()).hexdigest()[:12]
    places = [folder() / f"{cell.name}-{key}-{step}.safetensors" for step in MOMENTS]
    try:
        return tuple(checkpoints.load(place, cell) for place in places)
    except UserError:  # not there yet, or damaged
        made = _train(cell)
    try:
        folder().mkdir(parents=True, exist_ok=True)
        for place, each in zip(places, made, strict=True):
            checkpoints.save(place, each)
    except (OSError, UserError):  # the cache cannot be written: the models are still good
        pass
    return made


def _train(cell: Cell) -> tuple[Checkpoint, ...]:
    corpus = text.Corpus.of(text.default()[:LETTERS])
    training = Training(Language(SETTINGS, corpus), cell)
    made = []
    while True:
        if training.step in MOMENTS:
            made.append(training.checkpoint())
        if training.step == MOMENTS[-1]:
            return tuple(made)
        training.advance()


def trained(name: str) -> Checkpoint:
    """Return the trained model of one of the known cells."""
    return moments(find(name))[-1]
