from unrolled.cells import CELLS
from unrolled.draw.contrast import ink_on
from unrolled.draw.layout import scene
from unrolled.draw.palette import RED
from unrolled.draw.render import figure, shade


def grey(color: str) -> float:
    r, g, b = (int(color[n : n + 2], 16) for n in (1, 3, 5))
    return 0.3 * r + 0.59 * g + 0.11 * b


def test_every_text_and_shape_is_drawn() -> None:
    picture = scene(CELLS["lstm"].graph)
    (axes,) = figure(picture.shapes, picture.bounds).axes
    texts = [text.get_text() for text in axes.texts]
    assert sorted(texts) == sorted(
        [box.text for box in picture.boxes.values() if box.text]
        + [label.text for label in picture.labels]
    )


def test_texts_lie_inside_the_figure() -> None:
    picture = scene(CELLS["lstm_projected"].graph)
    made = figure(picture.shapes, picture.bounds)
    made.canvas.draw()
    width, height = made.get_size_inches() * made.dpi
    for text in made.axes[0].texts:
        box = text.get_window_extent()
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= width
        assert box.y1 <= height


def test_colours_of_numbers_can_be_read_in_grey() -> None:
    greys = [grey(shade(value / 10)) for value in range(-10, 11)]
    assert greys == sorted(greys)
    assert shade(float("nan")) == RED
    assert shade(float("inf")) == shade(float("-inf")) == RED
    for value in (-1.0, -0.5, 0.0, 0.5, 1.0):
        fill = shade(value)
        assert abs(grey(ink_on(fill)) - grey(fill)) > 70
