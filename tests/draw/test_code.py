"""The code under a picture, as matplotlib sets it."""

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from unrolled.cells import CELLS
from unrolled.draw.formulas import text_panel
from unrolled.draw.frames import FRAME_DPI
from unrolled.draw.render import DPI, figure
from unrolled.draw.type import MONOSPACE, dressed, style
from unrolled.equations import Cell


@pytest.mark.parametrize("cell", CELLS.values(), ids=str)
def test_lines_of_code_end_inside_their_box(cell: Cell) -> None:
    for scale in (1.0, 1.25):
        scene = text_panel(cell.graph, list(cell.graph.lines), scale).scene
        left, _, right, _ = scene.boxes["code"].bounds
        with style():
            made = dressed(figure(scene.shapes, scene.bounds))
            for dpi in (72, FRAME_DPI, 110, DPI, 200):
                made.set_dpi(dpi)
                renderer = FigureCanvasAgg(made).get_renderer()
                (axes,) = made.axes
                lines = [text for text in axes.texts if MONOSPACE in text.get_fontfamily()]
                assert lines
                for line in lines:
                    extent = line.get_window_extent(renderer)
                    ends = axes.transData.inverted().transform([extent.min, extent.max])[:, 0]
                    assert left + 0.1 < ends[0] < ends[1] < right - 0.1, (dpi, line.get_text())
