"""Variants of the LSTM under each other, each beside its equations."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ...cells import find
from ..drawing import drawing
from ..formulas import written
from ..layout import scene as cell_scene
from ..picture import Picture, still
from ..scene import Scene
from ..shapes import Label

if TYPE_CHECKING:
    from ...graph.graph import Graph
    from ..subject import Subject
from ..timeline import cell_name

VARIANTS = (("peepholes", "lstm_peephole"), ("coupled gates", "lstm_coupled"), ("GRU", "gru"))
BESIDE, UNDER = 0.6, 1.0
"""The room between a cell and its equations, and between one variant and the next."""


@drawing(20, "variants", "peephole, coupled gates, GRU, drawn from their equations", "cell")
def variants(subject: Subject) -> Picture:
    """Draw three variants with their equations; with a cell, the LSTM above it."""
    chosen = [(title, find(name).graph) for title, name in VARIANTS]
    if subject.cell is not None:
        chosen = [("LSTM", find("lstm").graph), (cell_name(subject.cell), subject.cell.graph)]
    scenes = [cell_scene(graph) for _, graph in chosen]
    wide = max(right - left for left, _, right, _ in (scene.bounds for scene in scenes))
    column, y = Scene(), 0.0
    for number, (scene, (title, graph)) in enumerate(zip(scenes, chosen, strict=True)):
        row = _row(scene, subject.words(title), graph, wide)
        _, down, _, up = row.bounds
        column += row.moved(0, y - up).renamed(f"{number} ")
        y -= up - down + UNDER
    return still(replace(column, title=""))


def _row(scene: Scene, title: str, graph: Graph, wide: float) -> Scene:
    """Return a cell with its title over it and its equations to its right."""
    left, _, right, up = scene.bounds
    text = written(graph, list(graph.values))
    a, low, _, high = text.bounds
    centre = (wide - (right - left)) / 2 - left
    label = Label("title", title, wide / 2, up + 0.5, "title", size=1.2)
    middle = scene.boxes["frame"].y - (low + high) / 2
    return scene.moved(centre, 0) + text.moved(wide + BESIDE - a, middle) + Scene((label,))
