"""Excerpts of a text, side by side, to look at a trained model with."""

from __future__ import annotations

import hashlib
from pathlib import Path

from torch import Tensor

from ...errors import UserError
from . import text
from .checkpoint import Checkpoint

STEPS = 128
ROWS = 8
LEAST = 16
"""The fewest characters that say anything."""


def words_for(checkpoint: Checkpoint, given: str | None) -> str:
    """The text to look with: a file, the text itself, or what the run was held out from.

    Args:
        checkpoint: of the run.
        given: the name of a UTF-8 file, or, if it holds white space and no file is called so, the
            text itself. None: the held-out part of Python's help topics, for a run on these.

    Raises:
        UserError: the file cannot be read, or there is no text for the run.
    """
    if given is not None:
        is_text = any(map(str.isspace, given)) and not _exists(given)
        return given if is_text else text.read(Path(given))
    words = text.default()
    if hashlib.sha256(words.encode("utf-8", "surrogatepass")).hexdigest() != checkpoint.digest:
        raise UserError("the run was trained on a text of its own: name a file of it by --text")
    return words[int(len(words) * (1 - checkpoint.settings.held_out)) :]


def _exists(name: str) -> bool:
    try:
        return Path(name).exists()
    except (OSError, ValueError):  # longer than a name can be
        return False


def excerpts(words: str, vocabulary: str) -> Tensor:
    """Up to 8 excerpts of up to 128 characters, spread over a text: int64 ids (T, B).

    Raises:
        UserError: the text is too short, or has a character that the vocabulary lacks.

    >>> excerpts("abba" * 100, "ab").shape
    torch.Size([128, 3])
    """
    if len(words) < LEAST:
        raise UserError(f"--text has {len(words)} characters: it takes at least {LEAST}")
    steps = min(STEPS, len(words))
    rows = min(ROWS, len(words) // steps)
    stride = len(words) // rows
    parts = [words[row * stride : row * stride + steps] for row in range(rows)]
    return text.encode("".join(parts), vocabulary).long().view(rows, steps).T.contiguous()
