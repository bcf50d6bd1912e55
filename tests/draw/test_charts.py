import numpy
import pytest
import torch
from matplotlib.colors import to_hex
from numpy.testing import assert_allclose

import unrolled
from unrolled.draw import charts
from unrolled.draw.render import shade
from unrolled.errors import DrawError


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
    assert [axes.get_ylabel() for axes in panels] == ["$i_t$", "$f_t$", "$o_t$", "$c_t$"]
    for axes, (name, recording) in zip(panels, values.items(), strict=True):
        expected = recording.double().numpy()
        assert_allclose(picture.values[name], expected)
        image = axes.images[0].get_array()
        assert image is not None
        assert_allclose(image, expected[:, numpy.argsort(-expected.mean(0), kind="stable")].T)
    assert [tick.get_text() for tick in panels[-1].get_xticklabels()] == list("letters")


def test_tensors_with_gradients_and_large_states() -> None:
    picture = charts.gates({"c": torch.full((2, 3), -18.0, requires_grad=True)}, "ab")
    (axes, bar) = picture.figure().axes
    assert axes.images[0].get_array().min() == -1.0  # pyright: ignore[reportOptionalMemberAccess]
    assert [tick.get_text() for tick in bar.get_yticklabels()] == ["−18", "0", "18"]


def test_long_sequences_are_cut_to_the_last_steps_and_it_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    values = numpy.linspace(0, 1, 400).reshape(200, 2)
    picture = charts.gates({"f": values}, "x" * 200)
    assert picture.values is not None
    assert_allclose(picture.values["f"], values[-charts.MOST :])
    assert capsys.readouterr().err == (
        f"unrolled: the text has 200 characters: the drawing shows the last {charts.MOST}\n"
    )
    charts.text("x" * 2000, numpy.zeros(2000))
    assert "the last 1800" in capsys.readouterr().err


def test_distance_draws_each_curve_up_to_what_can_be_seen() -> None:
    picture = charts.distance({"lstm": [1.0, 0.5, 0.25], "rnn": [1.0, 1e-6, 1e-14, 1e-15]})
    axes = picture.figure().axes[0]
    curves = [line for line in axes.lines if len(numpy.atleast_1d(line.get_xdata())) > 1]
    assert numpy.asarray(curves[0].get_ydata()).tolist() == [1.0, 0.5, 0.25]
    assert numpy.asarray(curves[1].get_ydata()).tolist() == [1.0, 1e-6]
    assert [text.get_text() for text in axes.texts] == ["lstm", "rnn"]


def test_spectrum_and_saturation() -> None:
    f = numpy.array([[0.05, 0.95], [0.05, 0.5], [0.5, 0.95], [0.05, 0.95]])
    axes = charts.spectrum(f).figure().axes[0]
    means = numpy.asarray(axes.lines[0].get_ydata(), dtype=float)
    assert_allclose(means, [f[:, 1].mean(), f[:, 0].mean()])
    marks = charts.saturation({"f": f}).figure().axes[0].collections[0].get_offsets()
    assert_allclose(numpy.asarray(marks), [[0.75, 0.0], [0.0, 0.75]])


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
