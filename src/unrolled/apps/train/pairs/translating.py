"""New texts, turned into others by a trained model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from ....errors import UserError
from ..checkpoint import best_model
from .problem import Translation


def translate(run: Path, texts: Iterable[str], beam: int) -> Iterator[str]:
    """Return what the model makes of each text, one after the other as they come.

    Args:
        run: folder of a run, or a checkpoint.
        texts: lines; an empty one stays empty.
        beam: how many sequences are kept at a time.

    Raises:
        UserError: it is a run of another kind, or ``beam`` is out of range.
    """
    if not 1 <= beam <= 1000:
        raise UserError(f"--beam must be from 1 to 1000, not {beam}")
    problem, model = best_model(run, Translation)
    return (
        problem.translate(model, [text.strip()], beam)[0] if text.strip() else "" for text in texts
    )
