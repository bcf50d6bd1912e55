"""Pictures: a graph of equations becomes a scene, a scene becomes a file.

A picture is shown by notebooks and written by its `save`. Matplotlib, Pillow and platformdirs come
with ``pip install 'unrolled[draw]'`` and are imported when a picture is made. `charts` draws
recordings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import DrawError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ..equations import Cell
    from .picture import Picture
    from .scene import Scene

__all__ = ["DrawError", "draw", "scene_of"]


def scene_of(cell: Cell) -> Scene:
    """Return the picture of a cell as plain data: boxes, lines and labels.

    >>> from unrolled import cells
    >>> from unrolled.draw import scene_of
    >>> sorted(scene_of(cells.rnn_tanh).boxes)
    ['box h', 'frame', 'h', "h'", 'join 0', 'output', 'x']
    """
    from .layout import scene

    return scene(cell.graph)


def draw(
    name: str,
    cell: Cell | None = None,
    runs: Sequence[Path] = (),
    text: str | None = None,
    language: str = "en",
) -> Picture:
    """Return one of the drawings.

    Args:
        name: see ``unrolled draw --list``.
        cell: to be drawn instead of the drawing's own; any cell, known or not.
        runs: folders or checkpoints of ``unrolled train text`` whose numbers are shown. Without:
            a small model is trained once, in seconds, and kept in the user's cache.
        text: what the model reads.
        language: of the labels: en or zh.

    Raises:
        DrawError: for an unknown name, something that the drawing does not take, or a run that
            does not fit it.

    >>> from unrolled import cells
    >>> from unrolled.draw import draw
    >>> draw("lstm-cell", cell=cells.gru).scene.title
    'gru'
    """
    from ..apps.draw.request import check, subject
    from .drawings import find

    drawing = find(name)
    check(drawing, cell=cell, run=runs, text=text)
    return drawing.picture(subject(cell, runs, text, language))
