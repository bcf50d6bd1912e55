from pathlib import Path

import numpy
import pytest
import torch
from numpy.testing import assert_allclose
from tests.draw.geometry import problems

import unrolled
from unrolled import affine, sigmoid, tanh
from unrolled.apps.draw.models import trained
from unrolled.apps.draw.numbers import SENTENCE, Measured
from unrolled.apps.train.text import encode
from unrolled.cells import CELLS
from unrolled.draw import draw
from unrolled.draw.drawings import DRAWINGS, find
from unrolled.draw.elements import elements
from unrolled.draw.layout import STUB
from unrolled.draw.layout import scene as cell_scene
from unrolled.draw.palette import LOOKS
from unrolled.draw.picture import HOLD
from unrolled.draw.render import MARGIN
from unrolled.draw.shapes import LETTER, Line
from unrolled.draw.subject import Subject
from unrolled.errors import DrawError

NAMES = [
    "loop",
    "chain",
    "passing",
    "general",
    "rnn-chain",
    "rnn-cell",
    "structures",
    "activations",
    "squash",
    "gaps",
    "lstm-chain",
    "legend",
    "lstm-cell",
    "belt",
    "gate",
    "forget",
    "input",
    "update",
    "output",
    "variants",
    "memory",
    "intent",
    "shrinking",
    "switches",
    "surface",
    "paths",
    "terms",
    "film",
]
MOVING = [
    "passing",
    "rnn-cell",
    "activations",
    "squash",
    "lstm-cell",
    "forget",
    "input",
    "update",
    "output",
    "memory",
    "intent",
    "shrinking",
    "film",
]
STILL = [name for name in NAMES if not DRAWINGS[name].takes & {"run"} and name != "intent"]


def test_all_drawings_are_there_in_order() -> None:
    assert [each.name for each in DRAWINGS.values() if not each.chart] == NAMES
    assert [each.name for each in DRAWINGS.values() if each.moves] == MOVING


@pytest.mark.parametrize("name", STILL)
def test_drawings_without_numbers(name: str) -> None:
    picture = DRAWINGS[name].picture()
    assert picture.figure().get_figwidth() < 30
    assert bool(picture.frames) == DRAWINGS[name].moves
    if picture.frames:
        assert picture.frames[-1].seconds == HOLD


@pytest.mark.parametrize("name", [name for name in STILL if DRAWINGS[name].picture().scene])
def test_nothing_in_a_drawing_overlaps(name: str) -> None:
    picture = DRAWINGS[name].picture()
    assert picture.scene is not None
    assert problems(picture.scene) == {}


@pytest.mark.usefixtures("small_models")
@pytest.mark.parametrize("name", ["passing", "intent", "paths"])
def test_nothing_in_a_drawing_with_numbers_overlaps(name: str) -> None:
    picture = DRAWINGS[name].picture(Subject(numbers=Measured()))
    assert picture.scene is not None
    assert set(problems(picture.scene)) == ({"slanted"} if name == "paths" else set())


@pytest.mark.usefixtures("small_models")
@pytest.mark.parametrize("name", [name for name in DRAWINGS if "run" in DRAWINGS[name].takes])
def test_drawings_with_numbers(name: str) -> None:
    picture = DRAWINGS[name].picture(Subject(numbers=Measured()))
    assert picture.values
    assert picture.figure().get_figwidth() < 30
    if picture.frames:
        assert 2 < sum(frame.seconds for frame in picture.frames) < 15
        first, last = (picture.frames[n].make() for n in (0, -1))
        assert tuple(first.get_size_inches()) == tuple(last.get_size_inches())


@pytest.mark.usefixtures("small_models")
def test_values_in_a_picture_are_those_of_the_recording() -> None:
    checkpoint = trained("lstm")
    model = checkpoint.model().eval()
    ids = encode(SENTENCE, checkpoint.vocabulary).long().unsqueeze(1)
    with torch.no_grad(), unrolled.record(model) as recording:
        model(ids)
    picture = DRAWINGS["gates"].picture(Subject(numbers=Measured()))
    assert picture.values is not None
    assert list(picture.values) == ["i", "f", "o", "h", "c"]
    for name, values in picture.values.items():
        assert_allclose(values, recording[f"recurrent.l0.{name}"][:, 0])
    # The picture itself: a heat map's numbers are the recording's, its units sorted.
    image = picture.figure().axes[1].images[0].get_array()
    assert image is not None
    f = picture.values["f"]
    assert_allclose(image, f[:, numpy.argsort(-f.mean(0), kind="stable")].T)


@pytest.mark.usefixtures("small_models")
def test_gradients_in_a_picture_are_those_of_autograd() -> None:
    fade = Measured(text="The function returns", cell=None).fades()[-2]
    checkpoint = trained("lstm")
    model = checkpoint.model().eval().double()
    ids = encode("The function returns", checkpoint.vocabulary).long()
    x = model.get_submodule("embedding")(ids).detach()
    layer, state = model.get_submodule("recurrent"), None
    hidden = []
    for t in range(len(ids)):
        _, state = layer(x[t : t + 1, None], state)
        state = tuple(s.requires_grad_() if t == 0 else s for s in state)
        hidden.append(state[0])
        state[0].retain_grad()
    last = hidden[-1].flatten()
    rows = [torch.autograd.grad(v, hidden[-3], retain_graph=True)[0].flatten() for v in last]
    expected = torch.stack(rows).norm() / torch.eye(len(last)).norm()
    # h alone is varied here, and c held fixed: one step back that is all there is to it.
    assert_allclose(fade.sizes[2], expected.detach(), rtol=1e-6)


@pytest.mark.usefixtures("small_models")
def test_terms_add_up_and_the_usual_formula_is_exact_for_one_step() -> None:
    terms = Measured(text="The function").terms(50)
    assert set(terms.names) == {"direct", "i", "f", "g"}
    assert terms.errors[1][0] < 1e-9 < terms.errors[1][1]
    assert terms.errors[2][0] > 1e-9


@pytest.mark.usefixtures("small_models")
def test_long_texts_are_cut_and_it_is_said() -> None:
    said: list[str] = []
    story = Measured(text="a text " * 30, say=said.append).story(50)
    assert len(story.tokens) == 50
    assert story.values["f"].shape == (50, 6)
    assert said == ["the text has 210 characters: the drawing shows the last 50, steps 161 to 210"]
    assert (story.start, story.total) == (160, 210)


def test_gates_are_lit_one_after_the_other() -> None:
    picture = DRAWINGS["forget"].picture()
    assert picture.scene is not None
    lit = {shape.id for shape in picture.scene.shapes if shape.light == "lit"}
    assert {"box f", "x -> join 0", "join 0 -> box f", "name box f"} <= lit
    assert not {"box i", "box o", "op c"} & lit
    (equation,) = [s for s in picture.scene.labels if s.role == "equation"]
    assert "W_{if} x_t" in equation.text


def test_the_belt_goes_from_state_to_state() -> None:
    picture = DRAWINGS["belt"].picture()
    assert picture.scene is not None
    lit = [s for s in picture.scene.shapes if s.light == "lit" and isinstance(s, Line)]
    assert lit[0].source == "c"
    assert lit[-1].target == "c'"
    assert len(lit) == 3


def test_what_comes_to_the_belt_is_as_plain_as_in_its_equation() -> None:
    scene = DRAWINGS["belt"].picture().scene
    assert scene is not None
    lights = {shape.id: shape.light for shape in scene.shapes}
    gates = {f"{what} {gate}" for what in ("box", "name box") for gate in "fig"}
    assert {lights[key] for key in gates} == {"plain"}
    assert {lights["box o"], lights["name box o"], lights["output"]} == {"dim"}
    marked = {key.split("|")[1] for key in lights if key.startswith("term")}
    assert marked == {"c", "c before"}


def test_the_legend_shows_a_port_as_cells_do() -> None:
    legend = DRAWINGS["legend"].picture().scene
    cell = cell_scene(CELLS["lstm_peephole"].graph)
    assert legend is not None
    pills = [
        [box for box in scene.boxes.values() if box.role == "learned" and "odot" in box.text]
        for scene in (legend, cell)
    ]
    for scene, found in zip((legend, cell), pills, strict=True):
        for pill in found:
            left, _, right, _ = pill.bounds
            at = [line for line in scene.lines if abs(line.points[-1][1] - pill.y) < 1e-6]
            (into,) = [
                line
                for line in at
                if min(abs(line.points[-1][0] - side) for side in (left, right)) < 1e-9
            ]
            (stub,) = [line for line in at if line.points[0][0] in (left, right)]
            assert into.arrow
            assert not stub.arrow
            end, start = stub.points[-1][0], stub.points[0][0]
            assert abs(end - start) == pytest.approx(STUB)
            layers = [box for box in scene.boxes.values() if box.role == "layer"]
            sides = [x for box in layers if abs(box.y - pill.y) < 1e-6 for x in box.bounds[::2]]
            assert sum(abs(end - x) < 1e-6 for x in sides) == 1


def test_the_legend_names_what_moves_and_what_is_lit() -> None:
    legend = DRAWINGS["legend"].picture().scene
    assert legend is not None
    assert {shape.light for shape in legend.shapes} == {"plain", "lit", "dim"}
    assert {"opening", "term", "vector"} <= {shape.role for shape in legend.shapes}
    assert any("\n" in box.text for box in legend.boxes.values())
    assert any(label.id.endswith(" numbers") for label in legend.labels)
    left, _, right, _ = legend.bounds
    words = [label for label in legend.labels if label.id.endswith(" words")]
    letter = 800 / (right - left + 2 * MARGIN) * LETTER * words[0].size
    assert letter > 11  # pixels, on a page of 800


def test_every_mark_of_a_cell_is_in_the_legend() -> None:
    @unrolled.cell
    def signs(x, h, c):
        a = sigmoid(affine(x, h)) / (1 + unrolled.exp(c))
        c = unrolled.where(a < h, c - a, 0.5 * c)
        h = tanh(c)
        return locals()

    legend = DRAWINGS["legend"].picture().scene
    assert legend is not None
    shown = {shape.role for shape in legend.shapes}
    signs_shown = {label.text for label in legend.labels if label.role == "sign"}
    for cell in [*CELLS.values(), signs]:
        found = elements(cell.graph)
        roles = {each.role for each in (*found.elements.values(), *found.ports.values())}
        assert roles - {"state", "next", "join"} <= shown
        assert {sign for wire in found.wires for sign in (wire.mark,) if sign} <= signs_shown


def test_the_general_step_says_one_thing() -> None:
    scene = DRAWINGS["general"].picture().scene
    assert scene is not None
    frame = scene.boxes["f frame"].bounds
    for inside in ("A", "linear", "softmax"):
        left, down, right, up = scene.boxes[inside].bounds
        assert frame[0] < left < right < frame[2]
        assert frame[1] < down < up < frame[3]
    for outside in ("x in", "h in", "h out", "y out"):
        box = scene.boxes[outside]
        assert not (frame[0] < box.x < frame[2] and frame[1] < box.y < frame[3])
    texts = {label.id: label.text for label in scene.labels}
    assert texts["formula"] == "$h',\\, y = f(h,\\, x)$"
    assert "$y = \\mathrm{softmax}(W h')$" in texts["parts"]


def test_state_lines_have_names_at_both_ends() -> None:
    for name, states in (("rnn-chain", "h"), ("lstm-chain", "hc")):
        scene = DRAWINGS[name].picture().scene
        assert scene is not None
        texts = {label.text for label in scene.labels}
        assert {f"${s}_{{{time}}}$" for s in states for time in ("t-2", "t+1")} <= texts
        assert problems(scene) == {}


def test_the_handed_state_begins_and_has_its_equation(small_models: Path) -> None:
    for cell, equation in ((None, "$h_t = A(h_{t-1}, x_t)$"),
                           ("lstm", "$h_t, c_t = A(h_{t-1}, c_{t-1}, x_t)$")):  # fmt: skip
        scene = draw("passing", cell=CELLS[cell] if cell else None).scene
        assert scene is not None
        texts = {label.id: label.text for label in scene.labels}
        assert texts["formula"] == equation
        assert texts["start"] == "$h_0$"
        assert "units 0–" in texts["under"]
        assert problems(scene) == {}


def test_examples_and_left_out_words_say_so() -> None:
    for name, words in (("gaps", "… many words …"), ("gate", "an example of four units")):
        scene = DRAWINGS[name].picture().scene
        assert scene is not None
        assert words in {label.text for label in scene.labels}
        assert problems(scene) == {}


def test_what_carries_is_no_learned_layer() -> None:
    scene = DRAWINGS["gaps"].picture().scene
    assert scene is not None
    roles = {box.role for box in scene.boxes.values()}
    assert roles == {"closed", "carrier"}
    looks = [LOOKS[role].fill for role in (*roles, "layer")]
    assert len(set(looks)) == 3
    assert any(label.text.startswith("orange") for label in scene.labels)


def test_a_gate_prints_numbers_whose_products_come_out() -> None:
    scene = DRAWINGS["gate"].picture().scene
    assert scene is not None
    said = {label.id: float(label.text.replace("−", "-")) for label in scene.labels
            if label.id.startswith("number ")}  # fmt: skip
    for n in range(4):
        assert said[f"number 0 {n}"] * said[f"number 1 {n}"] == pytest.approx(said[f"number 2 {n}"])
    assert {shape.role for shape in scene.shapes if shape.id.startswith("field 1")} == {"share"}


def test_structures_name_their_rows_and_parts() -> None:
    scene = DRAWINGS["structures"].picture().scene
    assert scene is not None
    texts = [label.text for label in scene.labels]
    assert all(texts.count(name) == 4 for name in ("input", "hidden state", "output"))
    heights = {label.text: label.y for label in scene.labels}
    assert heights["encoder"] == heights["decoder"]
    assert {"encoder", "decoder", "one to many", "many to one", "translation"} <= set(texts)


def test_a_cell_of_ones_own() -> None:
    @unrolled.cell
    def mine(x, h, q):
        f = sigmoid(affine(x, h))
        q = f * q + tanh(affine(x))
        h = tanh(affine(q) + h)
        return locals()

    for name in ("lstm-cell", "rnn-cell", "lstm-chain", "belt", "variants"):
        picture = draw(name, cell=mine)
        assert picture.scene is not None
        assert any("box f" in shape.id for shape in picture.scene.shapes)


@pytest.mark.parametrize("name", CELLS)
def test_every_cell_comes_to_life_in_stages(name: str) -> None:
    picture = draw("rnn-cell", cell=CELLS[name])
    assert len(picture.frames) > 2


def test_what_does_not_fit_is_said() -> None:
    with pytest.raises(DrawError, match="did you mean lstm-cell"):
        find("lstm-cel")
    with pytest.raises(DrawError, match="legend does not take --cell"):
        draw("legend", cell=CELLS["gru"])
    with pytest.raises(DrawError, match="gru has no c, f, g, i, o: draw it with: unrolled draw"):
        draw("forget", cell=CELLS["gru"])
    with pytest.raises(DrawError, match="rnn_tanh has none"):
        draw("belt", cell=CELLS["rnn_tanh"])
    with pytest.raises(DrawError, match="en or zh"):
        draw("lstm-cell", language="de")
    with pytest.raises(DrawError, match="shows a model's numbers"):
        DRAWINGS["memory"].picture()


@pytest.mark.usefixtures("small_models")
def test_runs_that_do_not_fit() -> None:
    with pytest.raises(DrawError, match="rnn_tanh has no state beside h"):
        draw("terms", cell=CELLS["rnn_tanh"])
    with pytest.raises(DrawError, match="a cell with two states: gru has 1"):
        draw("paths", cell=CELLS["gru"])
    with pytest.raises(DrawError, match="gru has none; take a run of lstm"):
        draw("surface", cell=CELLS["gru"])
    with pytest.raises(DrawError, match="--text does not fit the run: the character 'é'"):
        draw("memory", text="café")
    with pytest.raises(DrawError, match="has 0 characters"):
        draw("memory", text="")
