"""Trained modules as programs of other languages, so far of C.

The function `unrolled.export` stands here; each language has a module of its own.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from .files import written

if TYPE_CHECKING:
    from torch import nn

LANGUAGES = ("c",)
"""What a module can be exported to."""


def export(
    module: nn.Module,
    path: str | os.PathLike[str],
    to: str = "c",
    name: str | None = None,
    *,
    overwrite: bool = False,
    **options: Any,
) -> list[Path]:
    """Write what a module computes in evaluation as a program without unrolled.

    Recurrent layers and steps of any cell can be exported, those of `torch.nn` too, and
    `structures.ManyToOne` and `ManyToMany` with their embedding and their head.

    Args:
        module: that is written.
        path: for C a folder, made if need be, in which NAME.c and NAME.h come to stand.
        to: c.
        name: what functions of C begin with; the folder's name if it can be one, else "model".
        overwrite: whether files that are there already are replaced.
        options: of the language. C: ``dtype`` float or double; ``fast``, activations with a
            relative error of at most 2e-4; ``weights`` "inside", or "beside" in NAME.bin;
            ``max_steps``, of a sequence that is read in both directions.

    Returns:
        The files that were written.

    Raises:
        UserError: the module has parts that cannot be exported, or weights that are not finite; a
            file is there already; an option or a name is none.

    >>> import tempfile, unrolled
    >>> layer = unrolled.GRU(3, 8)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [file.name for file in unrolled.export(layer, f"{folder}/voice", to="c")]
    ['voice.h', 'voice.c']
    """
    if to not in LANGUAGES:
        raise UserError(f"--to must be one of {', '.join(LANGUAGES)}, not {to!r}")
    files = _writers()[to](module, Path(path), name, options)
    if not overwrite:
        for file in files:
            if file.exists():
                raise UserError(f"{file} is there already: say --overwrite to replace it")
    return written(files)


def _writers() -> Mapping[str, Any]:
    from . import c

    return {"c": c.files}
