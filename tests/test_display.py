"""What a console and a notebook show of everything that a user gets back."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from typing import Any, NamedTuple

import numpy
import pytest
import torch
from torch import nn

import unrolled
from unrolled import affine, sigmoid, tanh
from unrolled.display import (
    LETTERS,
    LINES,
    bounded,
    brief,
    curve,
    number,
    page_of,
    paragraph,
    short,
    table,
)

EVIL = "<script>alert('&')</script>"
MANY = 30
"""Layers of a model that is too large to be listed."""


def large() -> nn.ModuleDict:
    """A model of many layers, one of them of no harmless name."""
    return nn.ModuleDict(
        {**{f"layer{i}": unrolled.GRU(1, 1) for i in range(MANY)}, EVIL: nn.RNN(1, 1)}
    )


class Run(nn.Module):
    """Runs all its layers side by side."""

    def __init__(self, layers: nn.ModuleDict) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.stack([layer(x)[0] for layer in self.layers.values()]).sum(0)


@unrolled.cell
def evil(x, h):
    """<b>Some</b> values & a name of no harm."""
    value = x
    for _ in range(3):
        value = tanh(affine(value, h))
    h = sigmoid(value)
    return locals()


def recordings() -> Iterator[Any]:
    model = Run(large())
    unrolled.adopt(model)
    x = torch.randn(4, 2, 1)
    with unrolled.record(model) as recording:
        model(x)
    yield recording
    yield unrolled.names(model) and unrolled.patch(recording)
    yield unrolled.Change(torch.zeros(2, 100), steps=list(range(1000)))
    lstm, wide = unrolled.LSTM(3, 64), torch.randn(200, 2, 3)
    with unrolled.record(lstm) as recording:
        lstm(wide)
    yield recording
    with unrolled.record(unrolled.LSTM(3, 4)) as recording:
        yield recording  # nothing in it
    search = unrolled.find_units(recording_of(lstm), (wide[..., 0] > 0).float())
    yield search
    yield search[0]


def recording_of(layer: Any) -> Any:
    with unrolled.record(layer, "*.h") as recording:
        layer(torch.randn(200, 2, 3))
    return recording


def flows() -> Iterator[Any]:
    model = Run(large())
    x = torch.randn(12, 2, 1)
    yield unrolled.gradient_flow(model, x)
    flow = unrolled.gradient_flow(unrolled.LSTM(3, 40, batch_first=True), torch.randn(2, 30, 3))
    yield flow
    yield flow.passage("l0")
    yield flow.terms("l0", 9, 5)
    yield flow.memory("l0")
    yield unrolled.gradient_flow(unrolled.GRU(3, 4), torch.randn(5, 3))


def diagnoses() -> Iterator[Any]:
    rnn: Any = unrolled.RNN(3, 400)
    with torch.no_grad():
        rnn.weight_hh_l0.mul_(0.1)
        rnn.weight_ih_l0[:300] = 0
        rnn.bias_ih_l0[:300] = 0
    diagnosis = unrolled.diagnose(rnn, torch.randn(60, 2, 3))
    assert diagnosis.findings
    yield diagnosis
    yield from diagnosis.findings
    for measurement in diagnosis.layers.values():
        yield measurement
        yield from measurement.saturation.values()
    yield unrolled.diagnose(Run(large()), torch.randn(3, 2, 1))


def changes() -> Iterator[Any]:
    model = large()
    yield unrolled.adopt(model)
    yield unrolled.open_gate(model)
    yield unrolled.release(model)
    yield unrolled.adopt(nn.LSTM(3, 4))


def equations() -> Iterator[Any]:
    for cell in (unrolled.cells.gru, evil):
        yield cell
        yield cell.graph
    yield unrolled.cells.gru.derivative
    yield evil.derivative


def pictures() -> Iterator[Any]:
    from unrolled.draw import scene_of
    from unrolled.draw.drawings import DRAWINGS
    from unrolled.draw.picture import moving
    from unrolled.draw.subject import Fade, Story, Subject

    scene = scene_of(unrolled.cells.lstm)
    yield scene
    yield from scene.shapes[:5]
    yield max(scene.lines, key=lambda line: len(line.points))
    film = moving([scene, scene.moved(1, 0)], numbers=numpy.zeros((100, 100)))
    yield film
    yield film.frames[0]
    yield DRAWINGS["lstm-cell"]
    yield DRAWINGS["lstm-cell"].picture()
    yield Subject(unrolled.cells.lstm)
    values = {f"value{i}": numpy.zeros((500, 64)) for i in range(50)}
    yield Story(EVIL, unrolled.cells.lstm.graph, ["token"] * 500, values)
    yield Fade("a model", "$dh_T$", numpy.arange(10_000.0), "the last step")


def trained() -> Iterator[Any]:
    from unrolled.apps.train.checkpoint import Checkpoint
    from unrolled.apps.train.language import Language
    from unrolled.apps.train.settings import Settings
    from unrolled.apps.train.text import Corpus
    from unrolled.apps.train.training import Training
    from unrolled.cells import find

    corpus = Corpus.of("the quick brown fox & the <lazy> dog.\n" * 400)
    yield corpus
    training = Training(Language(Settings(hidden=8, batch=4, window=8), corpus), find("gru"))
    yield training.advance()
    yield training.evaluate()
    checkpoint = training.checkpoint()
    assert isinstance(checkpoint, Checkpoint)
    yield checkpoint
    yield checkpoint.problem
    yield training.settings


def written() -> Iterator[Any]:
    from unrolled.structures.decoding import Carried, Decoded

    yield Decoded(*([torch.zeros(100, 100)] * len(Decoded._fields)))
    assert Carried
    yield unrolled.explain(unrolled.LSTM(2, 3), torch.randn(2, 3, 2))


SOURCES = (recordings, flows, diagnoses, changes, equations, pictures, trained, written)
"""Functions that give what public functions return, small and large."""

RICH = {
    *("Recording", "GradientFlow", "Terms", "Derivative", "Cell", "Diagnosis", "UnitSearch"),
    *("MemoryLength", "Adoption", "Opening", "Checkpoint", "Story"),
}
"""Classes that a notebook shows in more than text."""


class Page(HTMLParser):
    """Checks that tags are closed in their order, and gathers them and the text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)
        if tag not in ("img", "br", "meta"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.__name__)
def test_everything_is_short_as_text_and_whole_as_a_page(
    source: Callable[[], Iterator[Any]],
) -> None:
    kinds = set()
    for result in source():
        kinds.add(type(result).__name__)
        text = repr(result)
        assert 0 < len(text) <= LETTERS, (type(result), len(text))
        assert len(text.splitlines()) <= LINES, text
        assert "\x1b" not in text
        assert str(result).strip()
        page = getattr(result, "_repr_html_", lambda: None)()
        assert page or type(result).__name__ not in RICH
        if page:
            assert "script" not in Page(page).tags
            assert page.strip()
    assert kinds


class Mixed(NamedTuple):
    """Values of all kinds, too many of each to be named in a line."""

    names: frozenset[str]
    nested: list[list[int]]
    pairs: list[tuple[str, dict[str, int]]]

    _repr_html_ = page_of


def test_collections_stand_whole_on_a_page() -> None:
    names = [f"name{n}" for n in range(50)]
    rows = [list(range(n * 100, n * 100 + 40)) for n in range(20)]
    pairs = [(name, {name: 7}) for name in names]
    mixed = Mixed(frozenset(names), rows, pairs)
    shown = Page(page_of(mixed)).text
    assert "in all" not in shown
    assert ", ".join(sorted(names)) in shown
    assert all(str(row) in shown for row in rows)
    assert all(f"({name}, {{{name}: 7}})" in shown for name in names)
    outer: Any = Mixed(frozenset(), [], [mixed, unrolled.cells.gru])  # pyright: ignore[reportArgumentType]
    shown = Page(page_of(outer)).text
    assert repr(unrolled.cells.gru) in shown


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(2, 3).to(torch.float8_e4m3fn),
        torch.eye(3).to_sparse(),
        torch.zeros(2, 0),
        torch.zeros(2, device="meta"),
    ],
    ids=["float8", "sparse", "empty", "meta"],
)
def test_arrays_without_a_range_are_shown_by_shape_and_dtype(tensor: torch.Tensor) -> None:
    shown = Page(page_of(Mixed(frozenset(), [], [("a", {})])._replace(nested=tensor))).text  # pyright: ignore[reportArgumentType]
    assert str(tuple(tensor.shape)).rstrip(",)") in shown
    assert str(tensor.dtype).removeprefix("torch.") in shown
    assert " to " not in shown


def test_a_page_cuts_nothing() -> None:
    model = Run(large())
    adoption = unrolled.adopt(model)
    with unrolled.record(model, "*.h") as recording:
        model(torch.randn(3, 2, 1))
    page = Page(recording._repr_html_())
    assert all(name in page.text for name in recording)
    assert EVIL in Page(adoption._repr_html_()).text
    diagnosis = unrolled.diagnose(model, torch.randn(8, 2, 1))
    shown = Page(diagnosis._repr_html_()).text
    assert all(name in shown for name in diagnosis.layers)
    assert all(finding.text in shown for finding in diagnosis.findings)
    flow = unrolled.gradient_flow(model, torch.randn(3, 2, 1))
    assert all(name in Page(flow._repr_html_()).text for name in flow.layers)
    assert repr(recording).endswith("more layers)")


def test_numbers_of_a_recording_are_its_own() -> None:
    gru = unrolled.GRU(2, 5, batch_first=True)
    with unrolled.record(gru, "l0.z") as recording:
        gru(torch.randn(3, 7, 2))
    z = recording["l0.z"]
    _, shape, dtype, *numbers, drawn = next(iter([("l0.z", *recording._described("l0.z"))]))
    assert (shape, dtype) == ("(3, 7, 5)", "float32")
    assert numbers == pytest.approx([z.mean().item(), z.min().item(), z.max().item()])
    assert f"to {z.mean((0, 2)).max().item():.3g} over 7 steps" in drawn


def test_numbers_of_a_flow_are_its_own() -> None:
    for batch_first, x in ((True, torch.randn(3, 7, 2)), (False, torch.randn(7, 2))):
        flow = unrolled.gradient_flow(unrolled.LSTM(2, 5, batch_first=batch_first), x)
        cell, steps, rows, least, greatest, drawn = flow._described("l0")
        assert (cell, steps, rows) == ("lstm", 7, 3 if batch_first else 1)
        norms = flow.norms["l0"]
        assert (least, greatest) == pytest.approx((norms.min().item(), norms.max().item()))
        logs = norms.mean(0).log10() if batch_first else norms.log10()
        assert f"from {number(logs.min().item(), 3)} to {number(logs.max().item(), 3)}" in drawn


def test_a_cell_is_its_picture_and_its_formula() -> None:
    page = Page(unrolled.cells.gru._repr_html_())
    assert {"svg", "math"} <= set(page.tags)
    assert unrolled.cells.gru.summary in page.text
    assert "<b>Some</b> values & a name" in Page(evil._repr_html_()).text


WITHOUT = """
import sys
class Nobody:
    def find_spec(self, name, *_):
        if name.split(".")[0] == "matplotlib":
            raise ImportError(name)
sys.meta_path.insert(0, Nobody())
import unrolled
page = unrolled.cells.gru._repr_html_()
assert "<math" in page and "<svg" not in page
assert "torch" not in sys.modules
"""


def test_without_the_extra_for_drawing_a_cell_is_its_formula() -> None:
    subprocess.run([sys.executable, "-c", WITHOUT], check=True, timeout=60)


NOTEBOOK = """
import builtins, sys, types
shown = []
class Shell:
    pass
Shell.__name__ = "ZMQInteractiveShell"
builtins.get_ipython = Shell
display = types.ModuleType("IPython.display")
display.display = lambda *each, **_: shown.append(each)
display.HTML = str
sys.modules |= {"IPython": types.ModuleType("IPython"), "IPython.display": display}
import rich.console, torch, unrolled
assert rich.console.Console().is_jupyter
diagnosis = unrolled.diagnose(unrolled.GRU(3, 8), torch.randn(30, 2, 3))
assert "layer" in str(diagnosis) and "layer" in diagnosis._repr_html_()
assert not shown, shown
"""


def test_in_a_notebook_a_result_is_shown_once() -> None:
    """Rich shows by itself what it prints in a notebook, on whatever file, and writes nothing."""
    subprocess.run([sys.executable, "-c", NOTEBOOK], check=True, timeout=60)


def test_animations_play() -> None:
    from unrolled.draw import scene_of
    from unrolled.draw.picture import moving, still

    scene = scene_of(unrolled.cells.rnn_tanh)
    film = moving([scene, scene.moved(1, 0)])
    page = film._repr_html_()
    assert "src='data:image/gif;base64,R0lGOD" in page
    assert film._repr_svg_() is None  # a notebook keeps one of them
    for shown in (still(scene), scene):
        page = shown._repr_html_()
        assert page.startswith("<svg style='max-width:100%;height:auto")
        assert "<?xml" not in page


def test_text_is_bounded_and_says_so() -> None:
    text = bounded("head", (f"line {i}" for i in range(100)))
    assert len(text.splitlines()) == LINES
    assert text.endswith(f"  … {100 - LINES + 2} more")
    assert bounded("head", ["one"]) == "head\none"
    long = bounded("x" * 5000, ["y" * 5000] * 100)
    assert len(long) <= LETTERS
    assert "…" in long
    assert short("a\x1b[2Jb") == "a\\x1b[2Jb"
    assert brief(torch.zeros(3, 4)) == "(3, 4) float32"
    assert brief({i: i for i in range(9)}) == "{0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 5, … 9 in all}"
    assert brief(unrolled.LSTM(2, 3)) == "LSTM"


def test_markup_is_text() -> None:
    for page in (paragraph(EVIL, EVIL), table([EVIL], [[EVIL]]), curve([1.0, 2.0], EVIL)):
        assert "script" not in Page(page).tags
        assert "<script" not in page
    assert curve([], "nothing") == ""
    assert "over 3 steps" in curve([1.0, 3.0, 2.0], "some")


NAN, INF = float("nan"), float("inf")


def strokes(drawn: str) -> list[list[float]]:
    """The places of the points of every line of a curve; of a dot its own."""
    lines = re.findall(r"points='([^']*)'|cx='([^']*)'", drawn)
    return [[float(point.split(",")[0]) for point in (line or dot).split()] for line, dot in lines]


def test_a_curve_has_gaps_where_there_are_no_numbers() -> None:
    drawn = curve([1.0, 2.0, NAN, INF, 4.0, 3.0], "mean")
    first, second = strokes(drawn)
    step = second[1] - second[0]
    assert second[0] - first[1] == pytest.approx(3 * step, abs=0.2)
    assert "mean: from 1 to 4; 4 of 6 steps finite" in drawn
    assert Page(drawn).text.endswith("4 of 6 steps finite")  # where no mouse goes, too
    assert curve([NAN, -INF], "mean") == "<small>0 of 2 steps finite</small>"
    alone = curve([7.0], "mean")
    assert len(strokes(alone)) == 1
    assert "over 1 step<" in alone
    assert [len(line) for line in strokes(curve([1.0, NAN, 2.0, 3.0], "mean"))] == [1, 2]
    worded = curve(["0", "0", 1.0, NAN], "log")
    assert "3 of 4 steps finite, 0 at 2 of 4 steps" in worded


def test_a_long_curve_keeps_its_extremes() -> None:
    values = [0.0] * 5001
    values[2500], values[4000] = 5.0, -5.0
    drawn = curve(values, "mean")
    (points,) = re.findall(r"points='([^']*)'", drawn)
    heights = [float(point.split(",")[1]) for point in points.split()]
    assert (min(heights), max(heights)) == (2.0, 22.0)
    assert len(heights) < 400
    assert len(strokes(curve([1e308, -1e308, 0.0], "mean"))[0]) == 3


def test_what_is_not_finite_is_counted_and_left_out_of_ranges() -> None:
    x = torch.randn(6, 2, 3)
    x[4:] = NAN
    layer = unrolled.GRU(3, 4)
    with unrolled.record(layer) as recording, torch.no_grad():
        layer(x)
    values = recording["l0.h"]
    *_, mean, least, greatest, drawn = recording._described("l0.h")
    finite = values[:4]
    expected = (finite.mean().item(), finite.min().item(), finite.max().item())
    assert (mean, least, greatest) == pytest.approx(expected)
    assert "4 of 6 steps finite" in drawn
    assert "nan" not in Page(recording._repr_html_()).text

    flow = unrolled.gradient_flow(unrolled.GRU(3, 4), torch.randn(6, 2, 3), lambda o: o[0][2].sum())
    assert flow._described("l0")[-1].endswith("<small>0 at 3 of 6 steps</small>")
    assert "finite" not in repr(flow)
    flow = unrolled.gradient_flow(unrolled.GRU(3, 4), x)
    assert repr(flow).endswith("not finite in l0)")
    assert flow._described("l0")[-1].endswith("of 6 steps finite</small>")

    some = torch.tensor([1.0, NAN, 3.0, INF])
    for array in (some, some.bfloat16(), some.numpy()):
        shown = Page(page_of(Mixed(frozenset(), [], [("a", {})])._replace(nested=array))).text
        assert ", 1 to 3, 2 of 4 finite" in shown


def test_narrow_pages_break_lines_between_words() -> None:
    """Notebooks let words break anywhere: of a title one letter a line was left."""
    page = table(["a title"], [["name", 1.5, curve([1.0, 2.0], "mean")]])
    assert page.count("overflow-wrap:normal;word-break:normal") == 1 + 3
    assert page.count("white-space:nowrap") == 1
    assert "style='max-width:none'" in page
    backward = unrolled.cells.gru.derivative._repr_html_()
    assert "overflow-wrap:normal" in backward.partition("<pre")[2].partition(">")[0]


def test_counts_have_their_nouns_and_lines_their_indent() -> None:
    flow = unrolled.gradient_flow(unrolled.GRU(3, 4), torch.randn(1, 1, 3))
    assert repr(flow.passage("l0")) == "Passage(l0: gru, 1 step, 1 row)"
    text = bounded("head", ["  " + "word " * 100])
    assert text.splitlines()[1].startswith("  word")
    assert len(text.splitlines()[1]) < 210
    assert brief(0.5711034568428687) == "0.571103"
