"""Formulas as text and as MathML: the same equations."""

import re
from html.parser import HTMLParser
from unicodedata import combining
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings

from graph.drawn import cells
from unrolled.cells import CELLS
from unrolled.equations import Cell
from unrolled.graph.graph import Graph
from unrolled.printing.mathml import mathml
from unrolled.printing.text import text
from unrolled.printing.unicode import ASCII


def plainly(text: str) -> str:
    """Text without marks over letters, which take no column."""
    return "".join(letter for letter in text if not combining(letter))


GRAPHS = {
    **{name: cell.graph for name, cell in CELLS.items()},
    **{f"{name} backward": cell.derivative for name, cell in CELLS.items()},
}


def test_an_lstm_reads_like_the_textbook() -> None:
    assert text(CELLS["lstm"].graph) == (
        "iₜ = σ(W_ii xₜ + b_ii + W_hi hₜ₋₁ + b_hi)\n"
        "fₜ = σ(W_if xₜ + b_if + W_hf hₜ₋₁ + b_hf)\n"
        "gₜ = tanh(W_ig xₜ + b_ig + W_hg hₜ₋₁ + b_hg)\n"
        "oₜ = σ(W_io xₜ + b_io + W_ho hₜ₋₁ + b_ho)\n"
        "cₜ = fₜ ⊙ cₜ₋₁ + iₜ ⊙ gₜ\n"
        "hₜ = oₜ ⊙ tanh(cₜ)"
    )
    backward = text(CELLS["rnn_tanh"].derivative)
    assert "h̄⁺ₜ₋₁  = W_hhᵀ h̄^preₜ" in backward


@pytest.mark.parametrize("name", GRAPHS)
def test_it_fits_and_is_broken_between_terms_alone(name: str) -> None:
    whole = text(GRAPHS[name])
    for columns in (60, 80, 120):
        folded = text(GRAPHS[name], columns)
        assert max(map(len, map(plainly, folded.splitlines()))) <= columns
        assert folded.split() == whole.split()
        assert not re.search(r"\bW_\w+\n {4,}\w+ₜ", folded)  # a weight and what it reads


class Said(HTMLParser):
    """Gathers the text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("name", ["lstm", "gru", "indrnn", "janet", "rnn_relu backward"])
def test_mathml_and_text_say_the_same(name: str) -> None:
    said = Said()
    said.feed(mathml(GRAPHS[name]))
    plain = text(GRAPHS[name]).replace("ₜ₋₁", "t−1").replace("ₜ", "t").replace("ᵀ", "⊤")
    if "backward" not in name:
        assert said.text == re.sub(r"[ _\n]", "", plain)
    assert said.text.count("=") == plain.count("=")
    assert said.text.count("⊤") == plain.count("⊤")


@pytest.mark.parametrize("name", GRAPHS)
def test_ascii_says_the_same(name: str) -> None:
    plain = text(GRAPHS[name], None, ASCII)
    assert plain.isascii()
    assert not re.search(r"[\\{}$]", plain)
    assert plain.replace("<=", "").count("=") == text(GRAPHS[name]).count("=")
    folded = text(GRAPHS[name], 80, ASCII)
    assert max(map(len, folded.splitlines())) <= 80
    assert folded.split() == plain.split()


@pytest.mark.parametrize("name", GRAPHS)
def test_mathml_is_well_formed(name: str) -> None:
    check(GRAPHS[name])


def check(graph: Graph) -> None:
    """Elements have as many children as MathML asks for."""
    root = ElementTree.fromstring(mathml(graph).replace("&nbsp;", " "))
    children = {"msub": 2, "msup": 2, "mover": 2, "mfrac": 2, "msubsup": 3, "msqrt": 1}
    for element in root.iter():
        assert element.tag in {
            *children,
            *("math", "mtable", "mtr", "mtd", "mrow", "mi", "mo", "mn", "mtext", "mspace"),
        }
        if element.tag in children:
            assert len(element) == children[element.tag], element.tag
    assert len(root.findall("mtable/mtr")) == len(graph.lines)


@settings(max_examples=15)
@given(cells())
def test_any_cell_has_both(cell: Cell) -> None:
    check(cell.graph)
    assert cell.text(80).split() == cell.text().split()
