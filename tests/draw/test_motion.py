import io
import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy
import pytest
import torch
from hypothesis import given, settings
from numpy.testing import assert_allclose
from PIL import Image, ImageSequence
from tests.draw.geometry import overlap, problems
from tests.graph.drawn import cells as drawn

import unrolled
from unrolled.cells import CELLS
from unrolled.draw import draw, frames
from unrolled.draw.drawings import DRAWINGS
from unrolled.draw.example import UNITS, example
from unrolled.draw.formulas import code, text_panel
from unrolled.draw.frames import Frame, images
from unrolled.draw.layout import scene as cell_scene
from unrolled.draw.motion import Flow, Move
from unrolled.draw.palette import LOOKS, WIRE_LIT
from unrolled.draw.picture import FIRST, HOLD, Picture, encode, moving
from unrolled.draw.render import figure, shade
from unrolled.draw.scale import Scale
from unrolled.draw.scene import Scene
from unrolled.draw.shapes import Box, Line, Strip
from unrolled.draw.strokes import along
from unrolled.draw.ways import length, track, train
from unrolled.draw.words import Words
from unrolled.draw.working import Working
from unrolled.equations import Cell
from unrolled.graph.operation import Operation

pytestmark = pytest.mark.broad

GATES = ("forget", "input", "update", "output")


def working(cell: Cell) -> Working:
    return Working(cell.graph, cell_scene(cell.graph))


def recorded(cell: Cell) -> dict[str, numpy.ndarray]:
    """The last step of a layer with the example's weights on the example's sequence."""
    made = example(cell.graph)
    size = UNITS["projection"] if cell.projects else None
    layer = unrolled.Recurrent(
        cell, UNITS["input"], UNITS["hidden"], dtype=torch.float64, proj_size=size or 0
    )
    with torch.no_grad():
        for name, array in made.arrays.items():
            getattr(layer, f"{name}_l0").copy_(torch.as_tensor(array))
    sequence = [torch.as_tensor(rows).unsqueeze(1) for rows in made.sequence.values()]
    with torch.no_grad(), unrolled.record(layer) as recording:
        layer(*sequence)
    return {name.rpartition(".")[2]: value[-1, 0].numpy() for name, value in recording.items()}


@pytest.mark.parametrize("cell", CELLS.values(), ids=str)
def test_values_are_those_of_a_layer(cell: Cell) -> None:
    shown, expected = working(cell).shown(), recorded(cell)
    for name in cell.graph.values:
        assert_allclose(shown[name], expected[name], rtol=1e-9, atol=1e-12)


def test_what_runs_along_the_lines_of_a_picture() -> None:
    picture = draw("lstm-cell")
    assert picture.values is not None
    assert picture.scene is not None
    v = {name: numpy.asarray(value) for name, value in picture.values.items()}
    scale = working(CELLS["lstm"]).scale
    joined = numpy.concatenate([v["x"], v["h before"]])
    runs: dict[str, dict[int, float]] = {}
    for frame in picture.frames:
        for strip in frame.strips:
            line, _, unit = strip.id.rpartition(" ")
            (value,) = strip.values
            assert runs.setdefault(line, {}).setdefault(int(unit), value) == value
    by_ends = {(line.source, line.target): line.id for line in picture.scene.lines}

    def run(source: str, target: str) -> list[float]:
        units = runs[by_ends[source, target]]
        return [units[n] * scale for n in range(len(units))]

    assert set(runs) == {line.id for line in picture.scene.lines}
    (times,) = {target for source, target in by_ends if source == "box f"}
    assert_allclose(run("box f", times), v["f"])
    assert_allclose(run("c", times), v["c before"])
    (join,) = (box.id for box in picture.scene.boxes.values() if box.role == "join")
    (sources,) = {tuple(s for s, t in by_ends if t == join)}
    expected = numpy.concatenate([{"x": v["x"], "h": v["h before"]}[name] for name in sources])
    assert_allclose(run(join, "box f"), expected)
    assert sorted(expected) == sorted(joined)
    (plus,) = {target for source, target in by_ends if source == times}
    assert_allclose(run(times, plus), v["f"] * v["c before"], rtol=1e-12)
    assert_allclose(run(plus, "c'"), v["f"] * v["c before"] + v["i"] * v["g"], rtol=1e-12)


def test_gates_open_as_far_as_they_let_through() -> None:
    work = working(CELLS["lstm"])
    values = work.shown()
    assert set(work.openings) == {"box f", "box i", "box o"}
    for gate in "fio":
        box, bars = work.scene.boxes[f"box {gate}"], work.openings[f"box {gate}"]
        shares = [bar.height / (box.height - 0.06) for bar in bars]
        assert_allclose(shares, values[gate], atol=0.02)
        assert all(
            bar.y - bar.height / 2 == pytest.approx(bars[0].y - bars[0].height / 2) for bar in bars
        )


def check_order(work: Working) -> None:
    """Every box is computed once, after all that it reads, and with all its lines."""
    scene, known = work.scene, set(work.scene.boxes)
    known -= {line.target for line in scene.lines}
    ways: list[str] = []
    for stage in work.stages():
        for line in scene.lines:
            if line.id in stage.lines:
                assert line.source in known
        assert not stage.boxes & known
        known |= stage.boxes
        ways += stage.lines
    assert known == set(scene.boxes)
    assert sorted(ways) == sorted(line.id for line in scene.lines)


@pytest.mark.parametrize("cell", CELLS.values(), ids=str)
def test_values_flow_in_the_order_of_computation(cell: Cell) -> None:
    work = working(cell)
    check_order(work)
    rows = [stage.row for stage in work.stages()]
    names = [*cell.graph.lines, ""]
    first = [names.index(row) for n, row in enumerate(rows) if row not in rows[:n]]
    assert first == sorted(first)


@settings(max_examples=5)
@given(drawn())
def test_random_cells_come_to_life(cell: Cell) -> None:
    work = working(cell)
    check_order(work)
    panel = text_panel(cell.graph, list(cell.graph.lines))
    whole = work.scene + panel.scene
    flow = work.flow(whole, work.steps(panel), Words("en"), panel.marks)
    frames = flow.frames()
    assert 3 < sum(frame.seconds for frame in frames) < 20
    left, down, right, up = flow.bounds
    for frame in frames:
        for strip in frame.strips:
            assert left < strip.x < right
            assert down < strip.y < up


def test_rows_and_terms_are_lit_with_what_computes_them() -> None:
    graph = CELLS["lstm"].graph
    work = working(CELLS["lstm"])
    panel = text_panel(graph, list(graph.lines))
    assert code(graph)["c"] == "c = f * c + i * g"
    steps = {step.arrive & set(work.scene.boxes): step.marks for step in work.steps(panel)}
    times = next(marks for boxes, marks in steps.items() if "op c" in boxes or "box c" in boxes)
    lit = {mark.rpartition(" ")[0] if mark.startswith("term") else mark for mark in times}
    assert {"row c|0", "row c|1"} <= times
    assert {mark.split("|")[1] for mark in lit if mark.startswith("term c")} >= {"c"}
    gate = next(marks for boxes, marks in steps.items() if boxes == {"box f"})
    values = {mark.split("|")[1] for mark in gate if mark.startswith("term f|")}
    assert values == {"x", "h before", "f"}


def test_a_term_is_marked_where_it_stands() -> None:
    panel = text_panel(CELLS["lstm"].graph, ["c"])
    terms = sorted((mark for mark in panel.marks if mark.role == "term"), key=lambda m: m.x)
    order = [mark.id.split("|")[1] for mark in terms]
    assert order == ["c", "f", "c before", "i", "g"]  # c = f c + i g
    for one, other in pairwise(terms):
        assert one.bounds[2] <= other.bounds[0] + 0.05


def pixels(make: Any) -> bytes:
    (image,) = images([Frame(make)])
    return image.convert("RGB").tobytes()


@pytest.mark.parametrize("name", ["lstm-cell", "rnn-cell", *GATES])
def test_the_first_frame_is_the_still_picture(name: str) -> None:
    picture = DRAWINGS[name].picture()
    first = picture.frames[0]
    assert first.seconds == FIRST
    assert not first.cutouts
    assert not first.strips
    assert picture.frames[-1].seconds == HOLD
    if name == "forget":
        still, film = picture.make(), first.make()
        assert still.get_figwidth() == film.get_figwidth()
        assert still.get_figheight() < film.get_figheight()  # cropped: nothing stands under it
        assert len(still.axes[0].texts) == len(film.axes[0].texts)
    assert picture.scene is not None
    assert problems(picture.scene) == {}


def test_every_animation_begins_with_its_end() -> None:
    scenes = [Scene((Box("a", "layer", n, 0, 1, 0.5),)) for n in range(3)]
    picture = moving(scenes)
    assert [frame.seconds for frame in picture.frames] == [FIRST, 0.6, 0.6, HOLD]
    assert pixels(picture.frames[0].make) == pixels(picture.make)
    assert pixels(picture.frames[0].make) != pixels(picture.frames[1].make)


def small_flow() -> Flow:
    line = Line("l", ((0.5, 0), (4.0, 0)), source="a", target="b", net="a")
    boxes = (Box("a", "input", 0, 0, 1, 1, 0.5), Box("b", "layer", 4.5, 0, 1, 1))
    steps = [Move((), frozenset({"a"})), Move(["l"], frozenset({"b"}))]
    return Flow(Scene((*boxes, line)), steps, {"l": (-1.0, 0.0, 1.0)})


def test_a_file_holds_the_differences_of_frames_alone() -> None:
    picture = small_flow().picture()
    data = encode(picture, "gif")
    shown = [image.convert("RGB").tobytes() for image in images(picture.frames)]
    film = Image.open(io.BytesIO(data))
    seen = [each.convert("RGB").tobytes() for each in ImageSequence.Iterator(film)]
    assert seen == [image for image, _ in itertools.groupby(shown)]
    whole = io.BytesIO()
    images(picture.frames)[0].save(whole, format="GIF")
    assert len(data) < 0.5 * len(seen) * len(whole.getvalue())


def test_frames_show_what_has_happened() -> None:
    flow = small_flow()
    frames = flow.frames()
    shown = images(frames)
    assert len({image.size for image in shown}) == 1
    assert all(image.getpalette() == shown[0].getpalette() for image in shown)
    first, last = (shown[n].convert("RGB") for n in (0, -1))
    assert first.tobytes() == last.tobytes()
    moved = [n for n, frame in enumerate(frames) if frame.strips]
    lit = Image.new("RGB", (1, 1), "#d55e00").getpixel((0, 0))

    def reach(n: int) -> int:
        """How far the lit line has come, in pixels."""
        image = numpy.asarray(shown[n].convert("RGB"))
        columns = (image == numpy.array(lit)).all(-1).any(0).nonzero()[0]
        return int(columns.max()) if len(columns) else 0

    ways = [reach(n) for n in moved]
    assert ways == sorted(ways)
    assert ways[-1] > ways[0]
    colors = shown[moved[len(moved) // 2]].convert("RGB").getcolors(1 << 20)
    assert {(254, 232, 56), (0, 34, 78)} <= {color for _, color in colors or ()}


def test_a_row_shows_none_of_the_terms_of_other_moments() -> None:
    row = Box("row c|0", "row", 2.0, -1, 4.0, 0.6, 0.06)
    terms = [Box(f"term c|{n}|0", "term", n * 2.0 + 1.0, -1, 0.5, 0.4, 0.05) for n in range(2)]
    box = Box("a", "layer", 2.0, 0, 1, 1)
    steps = [Move((), frozenset({"a"}), {row.id, terms[n].id}) for n in range(2)]
    flow = Flow(Scene((box, *terms)), steps, {}, Scene((row,)), settled=False)
    shown = images(flow.frames())
    fill = numpy.array(Image.new("RGB", (1, 1), LOOKS["term"].fill).getpixel((0, 0)))
    middle = shown[0].width / 2

    def marked(image: Image.Image) -> tuple[bool, bool]:
        """Whether the left and the right term are marked."""
        found = (numpy.asarray(image.convert("RGB")) == fill).all(-1).any(0).nonzero()[0]
        return bool((found < middle).any()), bool((found > middle).any())

    assert {marked(image) for image in shown[1:-1]} == {(True, False), (False, True)}
    assert marked(shown[0]) == (True, True)


def test_joins_may_feed_joins() -> None:
    whole = working(CELLS["rnn_tanh"]).scene
    between = replace(whole.boxes["join 0"], id="join 1")
    (last,) = (line for line in whole.lines if line.source == "join 0")
    ways = (
        replace(last, id="join 0 -> join 1", target="join 1"),
        replace(last, id="join 1 -> box h", source="join 1"),
    )
    shapes = [shape for shape in whole.shapes if shape.id != last.id]
    work = Working(CELLS["rnn_tanh"].graph, Scene((*shapes, between, *ways)))
    check_order(work)
    rows = {key: stage.row for stage in work.stages() for key in stage.boxes}
    assert rows["join 0"] == rows["join 1"] == rows["box h"] == "h"


def test_a_train_follows_the_bends() -> None:
    line = Line("l", ((0, 0), (2, 0), (2, 2)))
    way = track(line)
    assert 3.8 < length(way) < 4.0  # the corner is cut
    assert along(way, 0.0) == (0, 0)
    assert along(way, 10.0) == (2, 2)
    strips = list(train("l", way, (0.1, 0.2, 0.3), 1.0))
    assert [strip.values for strip in strips] == [(0.3,), (0.2,), (0.1,)]  # the last goes first
    assert strips[0].x > strips[1].x > strips[2].x
    assert list(train("l", way, (0.1, 0.2), 0.0)) == []
    assert list(train("l", way, (0.1, 0.2), length(way) + 1)) == []


def test_strips_stay_where_nothing_crosses_them() -> None:
    for cell in CELLS.values():
        work = working(cell)
        for net, strip in work.parked().items():
            values = work.vectors()[
                next(line.source for line in work.scene.lines if line.net == net)
            ]
            assert sorted(strip.values) == sorted(values)
            assert not _met(work.scene, net, strip), (cell, net)
            beside = [each.id for each in work.scene.labels if overlap(strip.bounds, each.bounds)]
            assert not beside, (cell, net)


def _met(scene: Scene, net: str, strip: Strip) -> list[str]:
    others = [line for line in scene.lines if line.net != net]
    return problems(Scene((*others, Box("s", "layer", *_middle(strip))))).get("crossed boxes", [])  # pyright: ignore[reportReturnType]


def _middle(strip: Strip) -> Sequence[Any]:
    left, down, right, up = strip.bounds
    return (left + right) / 2, (down + up) / 2, right - left, up - down, 0.0


@pytest.mark.broad
@pytest.mark.parametrize("name", ["lstm", "slstm"])
def test_animations_are_small(name: str) -> None:
    assert len(encode(draw("lstm-cell", cell=CELLS[name]), "gif")) < 300_000


def test_sigmoids_alone_are_gates() -> None:
    for cell in CELLS.values():
        work = working(cell)
        for key in work.openings:
            root = cell.graph.order[work.scene.boxes[key].nodes[-1]]
            assert root.operation is Operation.SIGMOID
            assert all(0 <= value <= 1 for value in work.value(key))


def test_the_gate_multiplies() -> None:
    picture: Picture = draw("gate")
    assert picture.values is not None
    assert picture.scene is not None
    v = {name: numpy.asarray(value) for name, value in picture.values.items()}
    assert_allclose(v["gated"], v["s"] * v["v"])
    assert_allclose(v["s"], [0.95, 0.5, 0.05, 0.7])  # open, half open, closed, partly open
    texts = [label.text for label in picture.scene.labels if label.id.startswith("number 2")]
    assert texts == [f"{value:.2f}".replace("-", "−") for value in v["gated"]]
    assert problems(picture.scene) == {}


def test_a_palette_keeps_lines_and_all_shades() -> None:
    shades = [n / 49 - 1 for n in range(99)]  # more than a palette has places for
    strips = [Strip(f"s {n}", 0.2 + 0.3 * n, 1.0, tuple(shades[n::33])) for n in range(33)]
    line = Line("l", ((0.0, 0.0), (10.2, 0.0)), light="lit")
    field = [Strip(f"f {n}", 0.25 * n, 2.0, (n / 20 - 1,)) for n in range(41)]
    scene = Scene((line, *field))
    make = partial(figure, scene.shapes, scene.bounds)
    (image,) = images([Frame(make, 1.0, (), tuple(strips))])
    assert image.mode == "P"
    shown = image.convert("RGB")
    colors = numpy.array([color for _, color in shown.getcolors(1 << 16) or ()])
    for wanted in (WIRE_LIT, *map(shade, shades)):
        channels = list(bytes.fromhex(wanted[1:]))
        assert numpy.abs(colors - channels).max(1).min() <= 6, wanted
    (still,) = images([Frame(make)])
    plate = numpy.asarray(frames._plate(make, "en", frames.PIXELS).image).astype(int)
    assert numpy.abs(numpy.asarray(still.convert("RGB")) - plate).max() <= 16


def test_one_value_greys_out_no_strip() -> None:
    states = numpy.full((4, 8), 0.5)
    states[0, 0] = 1e6
    scale = Scale.signed(states)
    places = scale.placed(states)
    assert places[0, 0] == 1
    assert places[1, 1] > 0.25
    assert shade(math.inf) == shade(math.nan)
