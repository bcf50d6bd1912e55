import re
from itertools import pairwise
from typing import Any

import numpy
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from numpy.testing import assert_allclose

import unrolled
from unrolled import affine, tanh
from unrolled.display import number
from unrolled.draw import charts, timeline
from unrolled.draw.drawing import DRAWINGS
from unrolled.draw.drawings import find
from unrolled.draw.palette import stroke
from unrolled.draw.picture import encode
from unrolled.draw.render import shade
from unrolled.draw.scale import Scale, dark, zeros
from unrolled.draw.subject import Subject
from unrolled.draw.words import Words
from unrolled.errors import DrawError
from unrolled.printable import ACTING
from unrolled.printing.unicode import readable


def recorded(steps: int = 7) -> dict[str, torch.Tensor]:
    layer = unrolled.LSTM(3, 5)
    with torch.no_grad(), unrolled.record(layer) as recording:
        layer(torch.randn(steps, 1, 3))
    return {name: recording[f"l0.{name}"][:, 0] for name in ("i", "f", "o", "c")}


def test_heat_maps_hold_the_recording() -> None:
    values = recorded()
    picture = charts.gates(values, "letters", "a title")
    assert picture.values is not None
    made = picture.figure()
    panels = [axes for axes in made.axes if axes.get_ylabel()]
    order = numpy.argsort(-values["f"].double().numpy().mean(0), kind="stable")
    assert [axes.get_ylabel() for axes in panels] == ["$i_t$", "$f_t$", "$o_t$", "$c_t$"]
    for axes, (name, recording) in zip(panels, values.items(), strict=True):
        expected = recording.double().numpy()
        assert_allclose(picture.values[name], expected)
        image = axes.images[0].get_array()
        assert image is not None
        assert_allclose(image, expected[:, order].T)  # a row is the same unit in every panel
    assert [tick.get_text() for tick in panels[-1].get_xticklabels()] == list("letters")


def test_tensors_of_16_bits() -> None:
    values = torch.tensor([[0.5, 0.25], [0.125, 1.0]], dtype=torch.bfloat16)
    held = charts.gates({"f": values}, "ab").values
    assert held is not None
    assert held["f"].tolist() == values.tolist()
    sizes = charts.curves_of({"a": values[:, 1]})["a"].sizes
    assert sizes.tolist() == [1.0, 4.0]


def test_tensors_with_gradients_and_large_states() -> None:
    picture = charts.gates({"c": torch.full((2, 3), -18.0, requires_grad=True)}, "ab")
    (axes, bar) = picture.figure().axes
    scale = axes.images[0].norm
    assert (scale.vmin, scale.vmax) == (-18.0, 18.0)
    assert numpy.asarray(scale(numpy.zeros(1))).tolist() == [0.5]
    assert [tick.get_text() for tick in bar.get_yticklabels()] == ["−18", "0", "18"]


def test_large_states_do_not_turn_the_others_grey() -> None:
    c = numpy.linspace(-2, 2, 100).reshape(10, 10)
    c[0, 0] = 50
    axes = charts.gates({"c": c}, "x" * 10).figure().axes[0]
    shown = numpy.asarray(axes.images[0].norm(c), dtype=float)
    assert shown.min() < 0.35
    assert 0.6 < numpy.sort(shown.ravel())[-2] < 1


def test_states_without_a_negative_value_are_not_cut_at_1() -> None:
    axes = charts.gates({"h": numpy.array([[0.0, 3.0], [1.5, 0.2]])}, "ab").figure().axes[0]
    assert (axes.images[0].norm.vmin, axes.images[0].norm.vmax) == (-3.0, 3.0)
    gate = charts.gates({"f": numpy.array([[0.2, 0.9]])}, "a").figure().axes[0]
    assert (gate.images[0].norm.vmin, gate.images[0].norm.vmax) == (0, 1)


def numbered(axes: Axes) -> dict[int, int]:
    """The numbers of the steps that are written below an axis, by the place of their letter."""
    axes.figure.canvas.draw()
    ticks = axes.get_xticklabels(minor=True)
    return {round(tick.get_position()[0]): int(tick.get_text()) for tick in ticks}


def test_steps_are_those_of_the_whole_sequence() -> None:
    values, tokens = numpy.linspace(0, 1, 400).reshape(200, 2), "x" * 199 + "y"
    made = charts.gates({"f": values}, tokens).figure()
    found = numbered(made.axes[0])
    assert found[0] == 81
    assert found[119] == 200
    assert all(number == place + 81 for place, number in found.items())
    assert "steps 81 to 200 of 200" in [text.get_text() for text in made.texts]
    later = charts.gates({"f": values[:9]}, tokens[:9], first=24, total=54).figure()
    assert numbered(later.axes[0]) == {place: place + 24 for place in range(9)}
    assert "steps 24 to 32 of 54" in [text.get_text() for text in later.texts]
    one = charts.gates({"f": values[:1]}, "x", first=7, total=9).figure()
    assert "step 7 of 9" in [text.get_text() for text in one.texts]
    rows = charts.text("x" * 70, numpy.ones(70), first=31).figure()
    assert [text.get_text() for text in rows.axes[0].texts][70:] == ["31", "91"]
    assert "steps 31 to 100 of 100" in rows.texts[0].get_text()
    with pytest.raises(DrawError, match="number of a step, from 1: got 0"):
        charts.text("ab", [1, 2], first=0)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"first": 3, "total": 2}, "4 steps from first=3 on end with step 6, .*total=2 steps"),
        ({"total": 3}, "4 steps from first=1 on end with step 4, .*total=3"),
        ({"total": 0}, "total=0"),
        ({"first": 0}, "from 1: got 0"),
        ({"first": 1.5}, "first should be a whole number, got 1.5"),
        ({"total": "9"}, "total should be a whole number, got '9'"),
        ({"first": True}, "got True"),
    ],
)
def test_steps_that_a_sequence_does_not_have_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(DrawError, match=f"text: .*{said}"):
        charts.text("four", numpy.ones(4), **given)
    with pytest.raises(DrawError, match=f"gates: .*{said}"):
        charts.gates({"f": numpy.ones((4, 2))}, "four", **given)


def test_words_that_do_not_fit_are_turned() -> None:
    words = [f"word{n}" for n in range(40)]
    made = charts.gates({"f": numpy.zeros((40, 2))}, words).figure()
    labels = made.axes[0].get_xticklabels()
    assert [label.get_text() for label in labels][-1] == "word39 40"
    assert {label.get_rotation() for label in labels} == {90.0}


def test_long_sequences_are_cut_to_the_last_steps_and_it_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    values = numpy.linspace(0, 1, 400).reshape(200, 2)
    picture = charts.gates({"f": values}, "x" * 200)
    assert picture.values is not None
    assert_allclose(picture.values["f"], values[-charts.MOST :])
    assert capsys.readouterr().err == (
        f"unrolled: the text has 200 characters: the drawing shows the last {charts.MOST}, "
        "steps 81 to 200\n"
    )
    charts.text("x" * 2000, numpy.zeros(2000))
    assert "the last 1800" in capsys.readouterr().err


def test_distance_draws_each_curve_up_to_what_can_be_told() -> None:
    single = numpy.array([2.0, 1e-30, 1e-37, 1e-40], dtype=numpy.float32)  # the last: subnormal
    curves = {"lstm": [4.0, 2.0, 1.0], "rnn": single, "dead": [1.0, 0.5, 0.0, 0.0]}
    picture = charts.distance({**curves, "deep": [1.0, 1e-14, 1e-200]})
    made = picture.figure()
    axes = made.axes[0]
    drawn = [line for line in axes.lines if len(numpy.atleast_1d(line.get_xdata())) > 1]
    expected = [[1, 0.5, 0.25], [1, 5e-31, 5e-38], [1, 0.5], [1, 1e-14, 1e-200]]
    for line, sizes in zip(drawn, expected, strict=True):
        assert_allclose(numpy.asarray(line.get_ydata(), dtype=float), sizes, rtol=1e-6)
    ends = [line.get_marker() for line in axes.lines if line not in drawn]
    assert ends == ["o", "v", "v", "o"]
    assert any("triangle: 0, or too small" in text.get_text() for text in made.texts)
    assert "relative to that at" in axes.get_title("left")
    assert [text.get_text() for text in axes.texts] == ["lstm", "rnn", "dead", "deep"]
    whole = charts.distance({"lstm": [1.0, 0.5]}, title="c by c").figure()
    assert whole.axes[0].get_title("left") == "c by c"
    assert not any("triangle" in text.get_text() for text in whole.texts)


def test_spectrum_and_saturation() -> None:
    f = numpy.array([[0.05, 0.95], [0.05, 0.5], [0.5, 0.95], [0.05, 0.95]])
    axes = charts.spectrum(f).figure().axes[0]
    band, means = (patch.get_data() for patch in axes.patches)  # pyright: ignore[reportAttributeAccessIssue]
    assert_allclose(means.values, [f[:, 1].mean(), f[:, 0].mean()])
    assert_allclose(band.baseline, numpy.quantile(f[:, ::-1], 0.1, axis=0))
    assert_allclose(band.values, numpy.quantile(f[:, ::-1], 0.9, axis=0))
    assert "mean over 4 steps" in axes.get_title("left")
    marks = charts.saturation({"f": f}).figure().axes[0].collections[0].get_offsets()
    assert_allclose(numpy.asarray(marks), [[0.0, 0.75], [0.75, 0.0]])
    axes = charts.saturation({"f": f[:, [0, 1, 1, 1]], "i": f}).figure().axes
    assert [text.get_text() for text in axes[0].texts][:1] == ["3"]
    assert [len(each.get_offsets()) for each in axes[0].collections] == [1, 1]
    assert "4 units" in axes[0].get_title("left")
    assert "2 units" in axes[1].get_title("left")


def test_text_is_coloured_by_its_values() -> None:
    axes = charts.text("ab", [0.25, -0.5]).figure().axes[0]
    assert [text.get_text() for text in axes.texts] == ["a", "b"]
    found = [to_hex(patch.get_facecolor()) for patch in axes.patches]
    assert found == [shade(0.5), shade(-1.0)]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: charts.gates({"f": numpy.zeros((3, 2))}, "ab"), "f has 3 steps, but there are 2"),
        (lambda: charts.gates({}, "ab"), "there is nothing to draw"),
        (lambda: charts.gates({"f": numpy.zeros(3)}, "abc"), r"shape \(T, H\).*got \(3,\)"),
        (lambda: charts.gates({"f": "abc"}, "abc"), "f is not an array of numbers"),
        (lambda: charts.gates({"f": torch.ones(2, 1) * 1j}, "ab"), r"f .* complex \(complex64\)"),
        (lambda: charts.spectrum(numpy.ones((2, 1)) * 1j), r"f .* complex \(complex128\)"),
        (lambda: charts.gates({"f": numpy.zeros((2, 1))}, "ab", language="de"), "en or zh"),
        (lambda: charts.spectrum(numpy.zeros((0, 3))), r"got \(0, 3\)"),
        (lambda: charts.distance({}), "there is no curve"),
        (lambda: charts.distance({"a": [0.0, 1.0]}), "a begins with 0.0"),
        (lambda: charts.saturation({}), "there is no gate"),
        (lambda: charts.text("abc", [1, 2]), "3 characters, but 2 values"),
    ],
)
def test_what_does_not_fit_is_said(make: object, message: str) -> None:
    with pytest.raises(DrawError, match=message):
        make()  # pyright: ignore[reportCallIssue]


def test_what_explodes_is_not_called_small() -> None:
    curves = charts.curves_of({"up": [1.0, 10.0, numpy.inf], "gone": [1.0, numpy.nan, 0.5]})
    assert [curve.stops for curve in curves.values()] == ["lost", "lost"]
    made = charts.distance({"up": [1.0, 10.0, numpy.inf], "low": [1.0, 0.0]}).figure()
    (said,) = [text.get_text() for text in made.texts]
    assert "cross: infinite" in said
    assert "triangle: 0" in said


def test_small_values_have_digits_and_no_values_are_an_error() -> None:
    said = charts.text("ab", [0.004, -0.002]).figure().texts[0].get_text()
    assert "−0.004" in said
    with pytest.raises(DrawError, match="none of the values is a finite number"):
        charts.text("ab", [numpy.nan, numpy.nan])


SIZES = {
    "tiny": 1e-30, "small": 1e-6, "usual": 1.0, "large": 160.0, "million": 1e6, "huge": 1e30,
    "immense": 1e300,
}  # fmt: skip


def noise(size: float = 1.0) -> numpy.ndarray:
    return size * numpy.random.default_rng(0).normal(size=(9, 6))


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_values_of_every_size_have_colours_and_a_scale_that_can_be_read(size: float) -> None:
    whole = numpy.append(noise(size), numpy.full((9, 1), numpy.nan), axis=1)
    for values in (noise(size), abs(noise(size)), whole):
        made = charts.gates({"a_long_name": values}, "x" * 9).figure()
        made.draw_without_rendering()
        axes, bar = made.axes
        image: Any = axes.images[0]
        shown = numpy.ma.compressed(image.norm(image.get_array()))
        assert shown.max() - shown.min() > 0.45
        labels = [tick for tick in bar.get_yticklabels() if tick.get_text()]
        assert labels[-1].get_text().lstrip("≥ ") == number(abs(noise(size)).max())
        boxes = [label.get_window_extent() for label in labels]
        assert all(box.x1 <= made.bbox.x1 for box in boxes)
        assert all(low.y1 <= high.y0 + 2 for low, high in pairwise(boxes))
        assert axes.yaxis.label.get_window_extent().x0 >= 0
        assert not any("e+" in label.get_text() or "e-" in label.get_text() for label in labels)


@pytest.mark.parametrize(
    ("spoilt", "said", "bars"),
    [
        (numpy.full((9, 6), numpy.nan), "no finite value; 54 of 54 values not a number (×)", 0),
        (numpy.full((9, 6), -numpy.inf), "no finite value; 54 of 54 values infinite (+, −)", 0),
        (numpy.zeros((9, 6), dtype=int), "all finite values: 0", 1),
        (numpy.full((9, 6), 7), "all finite values: 7", 1),
    ],
)
def test_a_panel_says_what_its_colours_cannot(spoilt: Any, said: str, bars: int) -> None:
    made = charts.gates({"c": spoilt}, "x" * 9).figure()
    assert made.axes[0].get_title("right") == said
    assert len(made.axes) == 1 + bars


def test_what_is_not_finite_is_marked_and_sets_no_scale() -> None:
    values = noise()
    values[3, 2], values[4, 2], values[5, 1] = numpy.inf, -numpy.inf, numpy.nan
    axes = charts.gates({"c": values}, "x" * 9).figure().axes[0]
    assert axes.images[0].norm.vmax == numpy.nanmax(numpy.abs(values[numpy.isfinite(values)]))
    assert axes.get_title("right").startswith("1 of 54 values not a number (×); 2 of 54 values inf")
    marked = {
        tuple(map(int, place))
        for each in axes.collections
        for place in numpy.asarray(each.get_offsets())
    }
    assert {step for step, _ in marked} == {3, 4, 5}
    red = axes.images[1].get_array()
    assert red is not None
    assert numpy.ma.count(red) == 3
    said = charts.text("x" * 9, values[:, 2]).figure().texts[0].get_text()
    assert "2 of 9 values infinite" in said


def test_one_value_does_not_turn_the_others_grey_and_it_is_said() -> None:
    values = noise()
    values[2, 2] = 1e9
    axes = charts.gates({"c": values}, "x" * 9).figure().axes[0]
    shown = numpy.sort(numpy.abs(numpy.asarray(axes.images[0].norm(values)).ravel() - 0.5))
    assert shown[-2] > 0.25
    assert "logarithmic beyond ±" in axes.get_title("right")
    assert "greatest size: 1.0·10⁹" in axes.get_title("right")
    scale = Scale.of(values)
    assert scale.ends == (f"≤ {number(-scale.top)}", f"≥ {number(scale.top)}")
    drawn = axes.images[0].norm(values)
    assert_allclose(scale.placed(values), numpy.clip(drawn, 0, 1) * 2 - 1, atol=1e-12)
    said = charts.text("x" * 9, values[:, 2]).figure().texts[0].get_text()
    assert "greatest size: 1.0·10⁹" in said


def test_sixteen_curves_are_told_apart_by_colour_and_stroke() -> None:
    axes = charts.distance({f"run {n}": [1.0, 0.9**n] for n in range(16)}).figure().axes[0]
    lines = [line for line in axes.lines if len(numpy.atleast_1d(line.get_xdata())) > 1]
    looks = [stroke(n) for n in range(16)]
    assert [line.get_color() for line in lines] == [look["color"] for look in looks]
    assert len({str(look) for look in looks}) == 16
    for part in ("color", "linestyle"):
        assert len({look[part] for look in looks[:8]}) == 8
    heights = [text.get_position()[1] for text in axes.texts]
    assert min(heights) >= axes.get_ylim()[0]


def test_statistics_leave_out_what_is_not_finite_and_say_so() -> None:
    values = numpy.array([[0.1, 0.2, numpy.nan], [0.3, 0.2, 0.5]])
    made = charts.spectrum(values).figure()
    assert_allclose(made.axes[0].patches[1].get_data().values, [0.2, 0.2])  # pyright: ignore
    assert "1 of 6 values not a number" in made.texts[0].get_text()
    said = [text.get_text() for text in charts.saturation({"f": values}).figure().texts]
    assert any("1 of 6" in text for text in said)
    with pytest.raises(DrawError, match="every unit of f has a value that is no finite number"):
        charts.spectrum(numpy.full((2, 2), numpy.inf))


def test_fields_can_be_told_apart_in_grey() -> None:
    light = dark()(numpy.linspace(0, 1, 11))[:, :3] @ [0.299, 0.587, 0.114]
    steps = -numpy.diff(light)
    assert steps.min() > 0.6 * steps.mean()


ODD = (
    "\u202e",
    "\u200d",
    "\x07",
    "\t",
    " ",
    "\u00a0",
    "\u0301",
    "中",
    "👩",
    "\ud800",
    "a",
    "$",
    "",
    "e\u0301",
)


@pytest.mark.parametrize("token", ODD)
def test_a_token_takes_a_column_or_two(token: str) -> None:
    shown = timeline.visible(token)
    assert 1 <= timeline.columns(shown) <= 2
    assert not ACTING.search(shown)


def test_charts_of_odd_tokens_are_drawn() -> None:
    tokens = [token for token in ODD if token != "\ud800"]
    values = numpy.linspace(-1, 1, len(tokens))
    for picture in (charts.text(tokens, values), charts.gates({"f": values[:, None]}, tokens)):
        svg = encode(picture, "svg").decode()
        assert "u202e" not in svg
        assert not ACTING.search(svg)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_marks_follow_the_language_and_not_the_names(language: str) -> None:
    values = {"更新门": numpy.linspace(0, 1, 12).reshape(4, 3)}
    svg = encode(charts.gates(values, "abcd", "own, 3 units", language), "svg").decode()
    (about,) = re.findall(r"<desc[^>]*>([^<]*)<", svg)
    assert "更新门ₜ" in about
    assert "mathregular" not in svg
    assert (language == "zh") == ("；" in about)
    assert (language == "en") == ("; " in about)


def test_titles_name_the_picture_and_the_cell() -> None:
    @unrolled.cell
    def own(x, h):
        """Ours, of $x$ and h."""
        h = tanh(affine(x, h))
        return locals()

    seen = Subject(own)
    assert find("memory")._title(seen) == "How much of each input is still in hₜ, step by step; own"
    assert readable(find("lstm-cell")._title(seen)).endswith("Ours, of $x$ and h.")
    for drawing in DRAWINGS.values():
        assert not re.search(r"[_{}\\]", drawing.about), drawing.name


def test_zeros_are_said() -> None:
    assert zeros(numpy.array([0.0, 1.0, -0.0]), Words("zh")) == "3 个值中有 2 个恰为 0"


def test_names_of_curves_hide_no_line() -> None:
    curves = {"stops early": [1.0, 0.1, 0.01, 0.0], "goes on": 0.5 ** numpy.arange(40)}
    axes = charts.distance(curves).figure().axes[0]
    axes.figure.canvas.draw()
    left = axes.transData.transform([(39.0, 1.0)])[0, 0]
    assert all(text.get_window_extent().x1 < left for text in axes.texts)
    (thread,) = axes.collections
    assert isinstance(thread, LineCollection)
    assert_allclose(thread.get_segments()[0][0], (2.0, 0.01))
