"""Small models for pictures without a run: trained once in seconds, kept in the cache."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from functools import lru_cache
from typing import TYPE_CHECKING

import platformdirs

from ...cells import find
from ...errors import UserError
from ..train import checkpoint as checkpoints
from ..train import text
from ..train.language import Language
from ..train.settings import Settings
from ..train.training import Training

if TYPE_CHECKING:
    from pathlib import Path

    from ...equations import Cell
    from ..train.checkpoint import Checkpoint

SETTINGS = Settings(hidden=48, batch=16, window=48, steps=400, lr=5e-3, schedule="cosine")
"""A character model of Python's help topics."""
MOMENTS = (0, 10, 40, 120, 400)
"""After how many steps a checkpoint is kept."""
LETTERS = 120_000
"""Of the text that is trained on: encoding all of it takes as long as the training."""


def folder() -> Path:
    """Where the models are kept."""
    return platformdirs.user_cache_path("unrolled") / "draw"


def moments(cell: Cell) -> list[Checkpoint]:
    """A model of a cell at several moments of its training, the trained one last."""
    return list(_moments(json.dumps(cell.to_json(), sort_keys=True), cell))


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
    """The trained model of one of the known cells."""
    return moments(find(name))[-1]
