"""The code under a picture, as matplotlib sets it."""

import re

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

import unrolled
from unrolled import affine, exp, sigmoid, tanh, vector
from unrolled.cells import CELLS
from unrolled.draw import scene_of
from unrolled.draw.formulas import LONGEST, _lines, measured, text_panel, written
from unrolled.draw.frames import FRAME_DPI
from unrolled.draw.parts import circle
from unrolled.draw.render import DPI, figure
from unrolled.draw.shapes import text_width
from unrolled.draw.type import MONOSPACE, dressed, style
from unrolled.equations import Cell
from unrolled.printing.latex import symbol
from unrolled.printing.names import GREEK


@unrolled.cell
def named(x, h, a_state_with_a_long_name, *, α=0.5, five=5.0):
    a_very_long_name_of_a_gate = sigmoid(affine(x, h))
    omega = tanh(affine(x, a_very_long_name_of_a_gate))
    a_state_with_a_long_name = omega * five + a_state_with_a_long_name * α
    h = a_very_long_name_of_a_gate * a_state_with_a_long_name - vector() * omega
    return locals()


@unrolled.cell
def chinese_names(x, h, *, 常数=0.25):
    门控 = sigmoid(affine(x, h))
    h = 门控 * h + 常数 * (1 - 门控)
    return locals()


@pytest.mark.parametrize("cell", [*CELLS.values(), named, chinese_names], ids=str)
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


@pytest.mark.parametrize("cell", [named, chinese_names], ids=str)
def test_long_names_leave_neither_boxes_nor_columns(cell: Cell) -> None:
    panel = text_panel(cell.graph, list(cell.graph.lines)).scene
    assert all(measured(label.text) <= LONGEST for label in panel.labels if "$" in label.text)
    code = panel.boxes["code"]
    assert code.width < 9
    for box in scene_of(cell).boxes.values():
        if box.text:
            assert max(map(measured, box.text.split("\n"))) < box.width - 0.06, box.text


@pytest.mark.parametrize("name", [*GREEK, "WWW", "another_gate", "c2", "m_new"])
def test_names_take_no_more_room_than_is_kept_for_them(name: str) -> None:
    text = f"${symbol(name, 't')}$"
    assert measured(text) <= text_width(text) * 1.02


@pytest.mark.parametrize("cell", [*CELLS.values(), named, chinese_names], ids=str)
def test_names_hang_above_the_borders_of_boxes(cell: Cell) -> None:
    scene = scene_of(cell)
    with style():
        made = dressed(figure(scene.shapes, scene.bounds))
        made.set_dpi(DPI)
        renderer = FigureCanvasAgg(made).get_renderer()
        (axes,) = made.axes
        texts = {text.get_position(): text for text in axes.texts}
        for label in (label for label in scene.labels if label.role == "name"):
            extent = texts[label.x, label.y].get_window_extent(renderer)
            corners = axes.transData.inverted().transform([extent.min, extent.max])
            (left, down), (right, up) = corners
            for box in (box for box in scene.boxes.values() if box.role in ("layer", "operation")):
                a, b, c, d = box.bounds
                assert max(a - right, left - c, b - up, down - d) > 0.06, (label.id, box.id)


def test_a_sign_that_begins_a_line_stands_apart_from_its_term() -> None:
    second = written(CELLS["cornn"].graph, ["z"]).shapes[1].text
    alone = second.replace("{}", "", 1)
    assert alone.startswith("$+ b_{hz}")
    assert measured(second) > measured(alone) + 0.05


def test_code_is_broken_in_sums_before_products() -> None:
    assert _lines(
        "p = p + dt * (tanh(W_ip @ x + b_ip + W_qp @ q + b_qp) - k * q - mu * d * p)"
    ) == [
        "p = p + dt * (tanh(W_ip @ x + b_ip + W_qp @ q + b_qp)",
        "    - k * q - mu * d * p)",
    ]
    name = "a_very_long_name_of_a_gate"
    assert _lines(f"h = {name} * {name} * h") == [f"h = {name}", f"    * {name} * h"]


def test_bars_are_as_tall_as_letters() -> None:
    @unrolled.cell
    def barred(x, h):
        w = vector()
        h = exp(-abs(w)) * h + tanh(affine(x))
        return locals()

    (label, *_) = text_panel(barred.graph, ["h"]).scene.labels
    assert "|w|" in label.text
    assert not re.search(r"\\(left|right)", label.text)


def test_a_long_name_has_a_pill_and_no_letter_at_its_wall() -> None:
    @unrolled.cell
    def long(x, fast, slow):
        fast = tanh(affine(x, fast, slow))
        slow = slow + fast
        return locals()

    scene = scene_of(long)
    output = scene.boxes["output"]
    assert output.width > output.height == 2 * output.radius
    assert output.width - measured(output.text) > 0.14
    assert scene.boxes["x"].width == scene.boxes["x"].height
    small = circle("h", "output", 0, 0, output.text)
    assert small.size * measured(small.text) < small.width - 0.1
    assert circle("h", "output", 0, 0, "$h_t$").size == 1.0
