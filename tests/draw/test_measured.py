"""The numbers of pictures, derived again from the weights alone."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy
import pytest
import torch
from matplotlib.colors import to_rgba
from matplotlib.container import BarContainer
from matplotlib.text import Text
from numpy.testing import assert_allclose
from torch import Tensor

from stored import rewrite
from unrolled.apps.draw import models
from unrolled.apps.draw.models import moments, trained
from unrolled.apps.draw.numbers import SENTENCE, Measured
from unrolled.apps.train import checkpoint as checkpoints
from unrolled.apps.train.settings import Settings
from unrolled.apps.train.text import encode
from unrolled.cells import CELLS, find
from unrolled.draw import charts
from unrolled.draw.contrast import contrast
from unrolled.draw.drawings import DRAWINGS
from unrolled.draw.drawings.functions import BROWN, NORMAL, _number
from unrolled.draw.picture import Picture
from unrolled.draw.subject import Subject
from unrolled.draw.words import Words
from unrolled.errors import DrawError

pytestmark = pytest.mark.broad

LONG = "the string is returned as it stands, or none of it"  # 50 steps
H = 6


@pytest.fixture(scope="module", autouse=True)
def small_models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Models of a few units, once for all tests of this file."""
    folder = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "folder", lambda: folder)
        patch.setattr(models, "SETTINGS", Settings(hidden=H, batch=2, window=8, steps=4))
        patch.setattr(models, "MOMENTS", (0, 4))
        patch.setattr(models, "LETTERS", 20_000)
        models._moments.cache_clear()
        yield folder
        models._moments.cache_clear()


def drawn(name: str, text: str | None = None, **given: object) -> Picture:
    numbers = Measured(text=text, say=lambda words: None, **given)  # pyright: ignore[reportArgumentType]
    return DRAWINGS[name].picture(Subject(numbers=numbers))


def values_of(picture: Picture) -> dict[str, numpy.ndarray]:
    assert picture.values is not None
    return picture.values


def texts_of(picture: Picture) -> str:
    """Everything that is written in a picture."""
    if picture.scene is not None:
        return "\n".join(label.text for label in picture.scene.labels)
    return "\n".join(text.get_text() for text in picture.figure().findobj(Text))  # pyright: ignore[reportAttributeAccessIssue]


class Transcription:
    """The LSTM of the picture's model, written out with its weights in float64."""

    def __init__(self, text: str) -> None:
        checkpoint = trained("lstm")
        weights = {name: value.double() for name, value in checkpoint.group("weights").items()}
        layer = {n.removeprefix("recurrent."): w for n, w in weights.items() if "recurrent" in n}
        self.W, self.U = layer["weight_ih_l0"], layer["weight_hh_l0"]
        self.b = layer["bias_ih_l0"] + layer["bias_hh_l0"]
        model = checkpoint.model().eval().double()
        ids = encode(text, checkpoint.vocabulary).long()
        self.x: Tensor = model.get_submodule("embedding")(ids).detach()

    def gates(self, x: Tensor, h: Tensor) -> list[Tensor]:
        i, f, g, o = (self.W @ x + self.U @ h + self.b).chunk(4)
        return [i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()]

    def step(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        i, f, g, o = self.gates(x, h)
        c = f * c + i * g
        return o * c.tanh(), c

    def states(self, x: Tensor | None = None) -> list[Tensor]:
        """(h, c) joined, before the first step and after every step."""
        state = torch.zeros(2 * H, dtype=torch.float64)
        found = [state]
        for each in self.x if x is None else x:
            state = torch.cat(self.step(each, *state.split(H)))
            found.append(state)
        return found

    def jacobian(self, later: int, earlier: int) -> Tensor:
        """Of (h, c) after one step by (h, c) after another; steps count from 1."""

        def way(state: Tensor) -> Tensor:
            for t in range(earlier, later):
                state = torch.cat(self.step(self.x[t], *state.split(H)))
            return state

        found = torch.autograd.functional.jacobian(way, self.states()[earlier])
        assert isinstance(found, Tensor)
        return found


def test_memory_of_a_cut_text_has_the_share_of_everything_that_was_read() -> None:
    picture, own = drawn("memory", LONG), Transcription(LONG)
    values, start = values_of(picture), 19
    assert values["shares"].shape == (31, 31)
    assert_allclose(values["shares"].sum(1) + values["before"], 1)
    for row in (0, 12, 30):
        t = start + row + 1
        gradient = torch.autograd.functional.jacobian(
            lambda x: own.states(x)[-1][:H], own.x[:t].clone()
        )
        assert isinstance(gradient, Tensor)
        size = torch.einsum("hse,se->sh", gradient, own.x[:t]).norm(dim=1)
        shares = size / size.sum()
        assert_allclose(values["shares"][row, : row + 1], shares[start:], rtol=1e-6)
        assert_allclose(values["before"][row], shares[:start].sum(), rtol=1e-6)
    assert values["before"][0] > 0.3  # what the window alone would have left out
    said = texts_of(picture)
    assert "after step $t$ = 50" in said
    assert "steps 20 to 50 of 50" in said
    assert "1–19" in said


@pytest.mark.parametrize("name", ["memory", "terms", "gates", "film"])
def test_letters_stand_over_the_numbers_of_their_steps(name: str) -> None:
    text = LONG + LONG[:20]
    made = drawn(name, text).figure()
    axes = [each for each in made.axes if len(each.get_xticklabels(minor=True)) > 2]
    assert axes
    letters = [tick.get_text() for tick in axes[-1].get_xticklabels()]
    for tick in axes[-1].get_xticklabels(minor=True):
        letter = letters[round(tick.get_position()[0])]
        assert letter == text[int(tick.get_text()) - 1].replace(" ", "␣")
    assert any(f"of {len(text)}" in each.get_text() for each in made.texts)


def test_switches_compare_whole_jacobians_and_name_the_direct_path() -> None:
    picture, own = drawn("switches", LONG), Transcription(LONG)
    values = values_of(picture)
    name = "lstm, 6 units, seed 0, after 4 steps of training"
    whole, direct = values[f"whole, {name}"], values[f"direct, {name}"]
    assert whole.shape == (40, 2 * H)
    assert values["whole, rnn" + name[4:].replace(", 6", "_tanh, 6", 1)].shape == (40, H)
    for row, t in ((0, 11), (39, 50)):
        assert_allclose(whole[row], torch.linalg.svdvals(own.jacobian(t, t - 1)), atol=1e-9)
        before = own.states()[t - 1]
        assert_allclose(direct[row], own.gates(own.x[t - 1], before[:H])[1], rtol=1e-7)
    product = torch.linalg.matrix_norm(own.jacobian(50, 10), 2)
    assert_allclose(values[f"whole, {name}, product"][-1], product, rtol=1e-6)
    assert_allclose(values[f"direct, {name}, product"][-1], direct.prod(0).max(), rtol=1e-9)
    titles = [axes.get_title("left") for axes in picture.figure().axes[:3]]
    assert ["whole Jacobian" in title for title in titles] == [True, True, False]
    assert "direct path only: $f_t$" in titles[2]
    assert "of steps 11 to $t$" in texts_of(picture)
    assert "text: “the string is returned…”; 50 characters" in texts_of(picture)
    assert "an excerpt of Python’s help topics, 41 characters" in texts_of(drawn("switches"))


def test_paths_print_the_belt_and_the_whole_sum_and_fade_what_is_on_no_path() -> None:
    picture, own = drawn("paths", LONG), Transcription(LONG)
    blocks = [own.jacobian(t, t - 1) for t in range(47, 51)]
    for block, sizes in zip(blocks, values_of(picture)["sizes"], strict=True):
        parts = ((block[a : a + H, b : b + H] for b in (0, H)) for a in (0, H))
        expected = [[float(torch.linalg.matrix_norm(part, 2)) for part in row] for row in parts]
        assert_allclose(sizes, expected, rtol=1e-6)
    belt = torch.linalg.multi_dot([block[H:, H:] for block in reversed(blocks)])
    exact = own.jacobian(50, 46)[H:, H:]
    said = texts_of(picture)
    multiplied = numpy.prod(values_of(picture)["sizes"][:, 1, 1])
    assert picture.scene is not None
    signs = {label.id: label.text for label in picture.scene.labels if label.role == "sign"}
    bold = [float(signs[f"size c {t} -> c"]) for t in range(4)]
    assert f"{numpy.prod(bold):.3f}" == f"{multiplied:.3f}"  # as a reader multiplies
    assert min(len(signs[f"size c {t} -> c"]) for t in range(4)) >= len("0.1234")
    assert f"multiplied: {multiplied:.3f};" in said
    assert f"matrices multiplied: {float(torch.linalg.matrix_norm(belt, 2)):.3f}" in said
    assert f"$: {float(torch.linalg.matrix_norm(exact, 2)):.3f}" in said
    assert "$c_{t-4}$: 8;" in said
    assert "after step 46: " in said
    assert picture.scene is not None
    dim = {line.id for line in picture.scene.lines if line.light == "dim"}
    assert dim == {"h 0 -> h", "h 0 -> c", "c 3 -> h", "h 3 -> h"}


def test_paths_count_only_derivatives_that_are_there() -> None:
    picture = drawn("paths", LONG, cell=find("cornn"))
    sizes = values_of(picture)["sizes"]
    assert picture.scene is not None
    zero = {line.id for line in picture.scene.lines if line.value == 0}
    assert zero <= {line.id for line in picture.scene.lines if line.light == "dim"}
    count = numpy.linalg.multi_dot([(each > 0).astype(int) for each in sizes[::-1]])[1, 1]
    assert f": {count}; bold" in texts_of(picture)


def test_gradients_are_named_by_what_they_are_and_read_from_the_beginning() -> None:
    found = {fade.name: fade for fade in Measured(text=LONG).fades()}
    own = Transcription(LONG)
    for state, place in (("h", slice(0, H)), ("c", slice(H, None))):
        fade = found[f"lstm (6): $\\partial {state}_{{T}} / \\partial {state}_{{T-k}}$"]
        assert len(fade.sizes) == 50
        for k in (0, 1, 20, 49):
            block = own.jacobian(50, 50 - k)[place, place]
            assert_allclose(fade.sizes[k], float(block.norm()) / H**0.5, rtol=1e-6)
    made = drawn("distance", LONG).figure()
    assert "$T$ = 50" in made.texts[0].get_text()
    assert "h_T" not in made.axes[0].get_title("left")


def test_gradients_over_a_long_text_are_taken_at_several_steps_of_it() -> None:
    text, own = LONG * 5, Transcription(LONG * 5)
    fade = Measured(text=text, say=lambda words: None).fades()[-1]
    assert "62, 125, 187, 250" in fade.where
    assert len(fade.sizes) == 61
    blocks = [own.jacobian(T, T - 9)[H:, H:].norm() for T in (62, 125, 187, 250)]
    expected = torch.stack(blocks).log().mean().exp() / H**0.5
    assert_allclose(fade.sizes[9], expected, rtol=1e-6)


def test_small_gradients_are_float64_and_what_is_0_is_no_point() -> None:
    curves = charts.curves_of({"a": numpy.array([1, 1e-200, 1e-290, 0.0])})
    assert curves["a"].stops == "low"
    assert curves["a"].sizes.tolist() == [1, 1e-200, 1e-290]
    for fade in Measured().fades():
        assert fade.sizes.dtype == numpy.float64
        assert fade.sizes[0] == pytest.approx(1)


def test_terms_are_those_of_the_formulas_and_drawn_in_one_colour() -> None:
    picture, own = drawn("terms", LONG), Transcription(LONG)
    found = Measured(text=LONG).terms(54)
    t = 30
    before, _ = own.states()[t - 1], None
    h, c = before.split(H)
    i, f, g, _o = own.gates(own.x[t - 1], h)
    o_before = own.gates(own.x[t - 2], own.states()[t - 2][:H])[3]
    D = torch.diag(o_before * (1 - c.tanh() ** 2))
    U = own.U.chunk(4)
    expected = {
        "direct": torch.diag(f),
        "i": torch.diag(g * i * (1 - i)) @ U[0] @ D,
        "f": torch.diag(c * f * (1 - f)) @ U[1] @ D,
        "g": torch.diag(i * (1 - g**2)) @ U[2] @ D,
    }
    row = t - 1 - found.start
    for name, matrix in expected.items():
        size = float(matrix.norm()) / H**0.5
        assert_allclose(found.sizes[row, found.names.index(name)], size, rtol=1e-6)
    whole = sum(expected.values())
    assert isinstance(whole, Tensor)
    assert_allclose(found.exact[row], float(whole.norm()) / H**0.5, rtol=1e-6)
    assert numpy.isnan(found.around[0])
    wrong, steps = [], {t: own.jacobian(t, t - 1) for t in range(1, 51)}
    for t in range(11, 51):  # every step that has 10 before it
        far = torch.linalg.multi_dot([steps[s] for s in range(t, t - 10, -1)])[H:]
        o, c = own.gates(own.x[t - 11], own.states()[t - 11][:H])[3], own.states()[t - 10][H:]
        exact = far[:, H:] + far[:, :H] @ torch.diag(o * (1 - c.tanh() ** 2))
        gates = [own.gates(own.x[s - 1], own.states()[s - 1][:H])[1] for s in range(t - 9, t + 1)]
        product = torch.diag(torch.stack(gates).prod(0))
        wrong.append(float((product - exact).norm() / exact.norm()))
    assert_allclose(values_of(picture)["errors 10"][1], numpy.median(wrong), rtol=1e-6)
    said = texts_of(picture)
    assert "median over the $t$ shown" in said
    assert "terms of $\\partial c_t / \\partial c_{t{-}1}$, and one over two steps" in said
    assert "over two steps: $\\partial c_t / \\partial c_{t{-}2}$ through" in said
    upper, lower = picture.figure().axes
    direct = upper.lines[found.names.index("direct")].get_color()
    bars = [each for each in lower.containers if isinstance(each, BarContainer)]
    colors = {each.get_label(): each.patches[0].get_facecolor() for each in bars}
    assert colors["forget gates alone, multiplied"] == to_rgba(direct)


def test_formulas_of_the_lstm_stand_only_at_an_lstm() -> None:
    said = texts_of(drawn("terms", "The function", cell=find("lstm_coupled")))
    assert "mathrm{diag}" not in said
    assert "last through $f_t$" in said
    assert "mathrm{diag}(f_t)" in texts_of(drawn("terms", "The function"))


def test_a_film_says_the_loss_of_each_checkpoint() -> None:
    picture = drawn("film", LONG)
    for checkpoint, loss in zip(moments(find("lstm")), values_of(picture)["loss"], strict=True):
        model = checkpoint.model().eval()
        ids = encode(LONG, checkpoint.vocabulary).long()
        with torch.no_grad():
            scores = model(ids[:, None])[0][:, 0].double().numpy()
        scores -= scores.max(1, keepdims=True)
        chance = numpy.exp(scores) / numpy.exp(scores).sum(1, keepdims=True)
        bits = [-numpy.log2(chance[t, ids[t + 1]]) for t in range(49)]
        assert loss == pytest.approx(numpy.mean(bits), rel=1e-5)
        assert f"{loss:.2f}" in texts_of(picture)


def test_spectrum_is_of_what_multiplies_the_old_state() -> None:
    for name, factor in (("lstm", "f"), ("gru", "z"), ("min_gru", "1 - z")):
        numbers = Measured(text=LONG, cell=find(name))
        found = numbers.direct(2000)
        recorded = numbers.story(54).values[factor[-1]]
        assert found.factor == factor
        assert_allclose(found.values, 1 - recorded if factor != factor[-1] else recorded, atol=1e-6)
    with pytest.raises(DrawError, match="rnn_tanh has none"):
        drawn("spectrum", cell=find("rnn_tanh"))


def test_surface_shows_few_points_and_the_shares_of_all() -> None:
    picture = drawn("surface", LONG)
    values = values_of(picture)
    own = Transcription(LONG)
    states = torch.stack(own.states()[1:])
    o = torch.stack([own.gates(x, s[:H])[3] for x, s in zip(own.x, own.states(), strict=False)])
    factor = (o * (1 - states[:, H:].tanh() ** 2)).flatten()
    assert_allclose(values["factor"], factor, atol=1e-5)
    parts = [(factor < 0.1), (factor >= 0.1) & (factor <= 0.9), (factor > 0.9)]
    assert_allclose(values["shares"], [float(part.double().mean()) for part in parts], atol=0.01)
    dots = picture.figure().axes[0].collections[-1].get_offsets()
    assert len(numpy.asarray(dots)) == 250
    assert "250 of 300 points" in texts_of(picture)
    neither = 100 * float(parts[1].double().mean())
    assert f"here {neither:.0f} % of its values are neither" in texts_of(picture)
    sample = numpy.random.default_rng(1).normal(size=(2, 400_000))
    drawn_at_random = (1 - numpy.tanh(sample[0]) ** 2) / (1 + numpy.exp(-sample[1]))
    between = (drawn_at_random >= 0.1) & (drawn_at_random <= 0.9)
    assert_allclose(NORMAL[1], between.mean(), atol=0.005)


@pytest.mark.parametrize("name", ["slstm", "cornn", "rnn_tanh"])
def test_surface_is_only_drawn_where_the_output_is_that_product(name: str) -> None:
    with pytest.raises(DrawError, match=f"{name} has none"):
        drawn("surface", cell=CELLS[name])


def test_a_run_beside_a_model_of_ours_says_what_differs(small_models: Path, tmp_path: Path) -> None:
    trained("gru")
    said: list[str] = []
    run = tmp_path / "run.safetensors"
    run.write_bytes(next(small_models.glob("gru-*-4.safetensors")).read_bytes())
    ours, own, *_ = Measured([run], LONG, say=said.append).factors()
    assert ours.model.startswith("rnn_tanh, 6 units")
    assert own.model.startswith("gru, 6 units")
    assert {each.model.rpartition("; ")[2] for each in (ours, own)} == {
        "trained on a part of Python's help topics"
    }
    rewrite(run, digest="0" * 64)
    *_, own = Measured([run], LONG, say=said.append).factors()[:2]
    assert own.model.endswith("; trained on a text of its own")
    assert all("--run given twice compares two runs" in each for each in said)
    assert len(said) == 2


def test_runs_of_the_same_kind_are_told_apart(small_models: Path, tmp_path: Path) -> None:
    trained("lstm")
    last = next(small_models.glob("lstm-*-4.safetensors"))
    runs = [tmp_path / name for name in ("one.safetensors", "two.safetensors")]
    for run in runs:
        run.write_bytes(last.read_bytes())
    for name, count in (("distance", 4), ("film", 3)):
        numbers = Measured(runs, LONG, say=lambda words: None)
        values = values_of(DRAWINGS[name].picture(Subject(numbers=numbers)))
        assert len(values) == count
        assert sum("two.safetensors" in each for each in values) == count // 2
    both = Measured(runs, LONG, say=lambda words: None).factors()
    assert ["two" in each.model for each in both] == [False, True, False, True]
    other = checkpoints.load(last)
    with pytest.raises(DrawError, match="got 3"):
        Measured([*runs, last], LONG).factors()
    assert other.step == 4


SHOWN = ["memory", "switches", "shrinking", "surface", "terms", "film", "gates", "spectrum"]


CASES = [(name, LONG * 3) for name in [*SHOWN, "saturation", "text"]]
CASES += [(name, "ab") for name in ("switches", "terms")]


@pytest.mark.parametrize(("name", "text"), CASES)
def test_nothing_that_is_written_is_cut(name: str, text: str) -> None:
    whole(drawn(name, text))


@pytest.mark.broad
@pytest.mark.parametrize("name", ["memory", "switches", "shrinking", "terms", "film"])
def test_nothing_that_is_written_in_chinese_is_cut(name: str) -> None:
    words = Words("zh")
    whole(DRAWINGS[name].picture(Subject(numbers=Measured(words=words), words=words)))


@pytest.mark.parametrize(("name", "every"), [("squash", 5), ("activations", 3)])
def test_nothing_that_is_written_about_functions_is_cut(name: str, every: int) -> None:
    picture = DRAWINGS[name].picture()
    for frame in picture.frames[1::every]:  # every step's numbers; both ends of the way of x
        whole(replace(picture, make=frame.make))


def whole(picture: Picture) -> None:
    """Fail if a text reaches over the edge of the figure, or over another one."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    made, seen = picture.figure(), list[Text]()
    canvas, draw = FigureCanvasAgg(made), Text.draw
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Text, "draw", lambda text, *given: (seen.append(text), draw(text, *given))[1])
        canvas.draw()
    boxes = {}
    for text in seen:  # without the ticks beyond the limits of an axis, which are not drawn
        if text.get_visible() and text.get_text().strip():
            box = text.get_window_extent(canvas.get_renderer())
            boxes[text.get_text(), round(box.x0), round(box.y0)] = box
    width, height = canvas.get_width_height()
    cut = [
        key[0]
        for key, box in boxes.items()
        if box.x0 < -1 or box.y0 < -1 or box.x1 > width + 1 or box.y1 > height + 1
    ]
    assert cut == []
    notes = {key: box for key, box in boxes.items() if len(key[0]) > 6 or "\n" in key[0]}
    over = [
        (one[0], other[0])
        for one, first in notes.items()
        for other, second in notes.items()
        if one < other and _overlap(first, second)
    ]
    assert over == []


def _overlap(one: object, other: object) -> bool:
    wide = min(one.x1, other.x1) - max(one.x0, other.x0)  # pyright: ignore[reportAttributeAccessIssue]
    high = min(one.y1, other.y1) - max(one.y0, other.y0)  # pyright: ignore[reportAttributeAccessIssue]
    return wide > 1 and high > 1


def test_squash_has_a_symmetric_axis_and_moves_between_steps() -> None:
    picture = DRAWINGS["squash"].picture()
    values = values_of(picture)
    assert_allclose(values["free"][2], [-0.1 * 3**n for n in range(9)])
    kept = values["held"]
    assert_allclose(kept[:, 1:], numpy.tanh(3 * kept[:, :-1]))
    axes = picture.figure().axes
    assert [each.get_yscale() for each in axes] == ["symlog", "symlog"]
    assert axes[0].get_ylim() == axes[1].get_ylim()
    line = next(
        each for each in picture.frames[-2].make().axes[0].lines if each.get_marker() == "o"
    )
    steps, sizes = (numpy.asarray(data, dtype=float) for data in line.get_data())
    assert 7 < steps[-1] < 8
    assert_allclose(sizes, 0.5 * 3**steps)
    for frame in picture.frames[1::4]:
        for axes, exact in zip(frame.make().axes, (values["free"], kept), strict=True):
            numbers = [text.get_text() for text in axes.texts]
            for line, row in zip(axes.lines[1:], exact, strict=True):
                every = line.get_markevery()
                assert isinstance(every, slice)
                marked = numpy.asarray(line.get_xdata(), dtype=float)[every]
                assert set(marked) <= set(range(9))  # no mark where nothing was computed
                if numbers:
                    assert len(numpy.asarray(line.get_xdata())) == len(marked)
                    assert _number(row[len(marked) - 1]) in numbers


def test_curves_can_be_seen() -> None:
    assert contrast(BROWN) >= 4.5
    made = DRAWINGS["activations"].picture().figure()
    for axes in made.axes:
        for line in axes.lines[-4:]:
            assert contrast(line.get_color()) >= 4.5


def test_a_reading_names_its_readout_as_its_code_does() -> None:
    picture = drawn("intent")
    assert picture.scene is not None
    boxes = [box for box in picture.scene.boxes.values() if box.text == "readout"]
    assert len(boxes) == 4
    said = texts_of(picture)
    assert "p = readout(h)" in said
    assert "seed 1; 60 steps of training; trained on 120 sentences, this one among them" in said
    for row in values_of(picture)["probabilities"]:
        assert row.sum() == pytest.approx(1)
        assert all(f"{p:.2f}" in said for p in row)


def test_pictures_of_our_own_sentence_name_its_steps() -> None:
    assert f"steps 1 to 31 of {len(SENTENCE)}" in texts_of(drawn("memory"))


@pytest.mark.parametrize("text", [None, "ab", LONG])
def test_every_frame_of_memory_shows_what_was_measured_at_one_step(text: str | None) -> None:
    picture = drawn("memory", text)
    shares = values_of(picture)["shares"]
    for row, frame in list(enumerate(picture.frames[1:-1]))[::3]:
        top, main = frame.make().axes[:2]
        bars = top.containers[0]
        assert isinstance(bars, BarContainer)
        assert_allclose([bar.get_height() for bar in bars], shares[row, : row + 1])
        seen = main.images[-1].get_array()
        assert isinstance(seen, numpy.ma.MaskedArray)
        assert (
            sum(not hidden.all() for hidden in numpy.asarray(seen.mask)) == row + 1
        )  # as many rows as the title says steps
        first = {None: 0, "ab": 0, LONG: 19}[text]
        assert f"step $t$ = {first + row + 1}, " in top.get_title()
    assert len(picture.frames) == len(shares) + 1


def test_distance_is_of_models_before_while_and_after_their_training() -> None:
    values = values_of(drawn("distance", LONG))
    steps = [each.step for each in moments(find("lstm"))]
    steps = sorted({steps[0], steps[len(steps) // 2], steps[-1]})
    for kind, state in (("rnn_tanh", "h"), ("lstm", "c")):
        for count in steps:
            name = f"{kind}, trained {count} step{'s' * (count != 1)}"
            assert any(each.startswith(name) and f"{state}_{{T}}" in each for each in values), name
    fades = {fade.name: fade.sizes for fade in Measured(text=LONG).fades()}
    last = f"lstm, trained {steps[-1]} steps: $\\partial c_{{T}} / \\partial c_{{T-k}}$"
    trained_c = next(sizes for name, sizes in fades.items() if "lstm" in name and "c_{T}" in name)
    assert_allclose(values[last], trained_c[: len(values[last])], rtol=1e-9)


def test_every_frame_of_a_film_shows_checkpoints_alone() -> None:
    picture = drawn("film", LONG)
    names = [name for name in values_of(picture) if name != "loss"]
    for number, frame in enumerate(picture.frames[1:]):
        last, part = divmod(number, 4)
        read = (13, 25, 38, 50)[part]
        after = [name.rpartition(", ")[2] for name in names]
        panels = [axes for axes in frame.make().axes if axes.get_title() in after]
        assert len(panels) == len(names)
        for n, axes in enumerate(panels):
            image = axes.images[0].get_array()
            assert image is not None
            shown = numpy.ma.filled(image, numpy.nan)
            exact = values_of(picture)[names[n]].T
            count = 50 if n < last else read if n == last else 0
            assert_allclose(shown[:, :count], exact[:, :count])
            assert numpy.isnan(shown[:, count:]).all()
    assert len(picture.frames) == 4 * len(names) + 1


def test_every_frame_of_a_walk_back_ends_at_a_step() -> None:
    picture = drawn("shrinking", LONG)
    values = list(values_of(picture).values())
    for frame in picture.frames[::4]:
        lines = frame.make().axes[0].lines
        for curve, end in zip(lines[::2], lines[1::2], strict=True):
            k = numpy.atleast_1d(end.get_xdata())[0]
            assert k == int(k)
            assert any(k < len(v) and v[int(k)] == numpy.ravel(end.get_ydata()) for v in values)
            assert len(numpy.atleast_1d(curve.get_xdata())) == k + 1


MODELS = ["memory", "switches", "shrinking", "surface", "paths", "terms", "film", "gates"]
MODELS += ["spectrum", "distance", "saturation", "text", "passing"]


@pytest.mark.parametrize("name", MODELS)
def test_pictures_of_a_model_say_its_seed(name: str) -> None:
    assert re.search(r"seed 0\b", texts_of(drawn(name, LONG)))


def test_units_are_counted_from_0() -> None:
    assert f"units 0–{H - 1} of $h_t$" in texts_of(drawn("passing", LONG))
    states = Measured(text=LONG).story(99).values["h"]
    assert f"unit {states.std(0).argmax()} of $h_t$" in texts_of(drawn("text", LONG))


@pytest.mark.parametrize("name", ["surface", "spectrum", "saturation", "switches", "distance"])
def test_pictures_in_which_a_text_is_not_seen_name_it(name: str) -> None:
    assert "text: “the string is returned…”" in texts_of(drawn(name, LONG))


def test_the_end_of_a_long_text_is_measured_as_all_of_it() -> None:
    flow = Measured(text=LONG)._flow(trained("lstm"))
    whole = flow.influence("recurrent.l0")
    _, found = Measured(text=LONG, say=lambda words: None).influence(7)
    assert_allclose(found, whole[-7:], rtol=1e-9, atol=1e-15)
    _, found = Measured(text=LONG, say=lambda words: None).influence(99)
    assert_allclose(found, whole, rtol=1e-12)
