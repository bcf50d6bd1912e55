"""New texts, turned into others by a trained model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from ....errors import UserError
from ....structures import EncoderDecoder
from ..checkpoint import best
from ..checkpoint import problem as of_kind
from .problem import Translation


def translate(run: Path, texts: Iterable[str], beam: int) -> Iterator[str]:
    """What the model makes of each text, one after the other as they come.

    Args:
        run: folder of a run, or a checkpoint.
        texts: lines; an empty one stays empty.
        beam: how many sequences are kept at a time.

    Raises:
        UserError: it is a run of another kind, or ``beam`` is out of range.
    """
    if not 1 <= beam <= 1000:
        raise UserError(f"--beam must be from 1 to 1000, not {beam}")
    checkpoint = best(run)
    problem = of_kind(checkpoint, Translation, run)
    model = checkpoint.model().eval()
    assert isinstance(model, EncoderDecoder)
    return (
        problem.translate(model, [text.strip()], beam)[0] if text.strip() else "" for text in texts
    )
