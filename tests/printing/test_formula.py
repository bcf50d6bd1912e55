"""LaTeX, MathML and plain letters: one formula in three notations."""

import re
from unicodedata import combining, normalize
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings

import unrolled
from graph.drawn import cells
from unrolled import affine, log_sigmoid, scalar, sigmoid, tanh, vector
from unrolled.cells import CELLS
from unrolled.equations import Cell
from unrolled.graph.graph import Graph
from unrolled.printing.latex import STYLE as LATEX
from unrolled.printing.latex import equations
from unrolled.printing.mathml import STYLE as MATHML
from unrolled.printing.names import GREEK, parsed
from unrolled.printing.text import text

QUIET = re.compile(r"[\s()_^/√{}′'¯]")
"""Signs that say how symbols hang together: not in all notations, and not the same ones."""


def of_latex(formula: str) -> str:
    """The symbols of a formula in LaTeX, in their order."""
    for name, sign in {
        "odot": "⊙",
        "cdot": "·",
        "leq": "≤",
        "geq": "≥",
        "sum": "∑",
        "top": "⊤",
    }.items():
        formula = formula.replace(f"\\{name}", sign)
    formula = re.sub(r"\\(?:left|right|mathrm|frac|sqrt|bar)(?![a-z])|\\[,;]", " ", formula)
    formula = re.sub(r"\\([a-z]+)", lambda found: GREEK.get(found[1], found[1]), formula)
    return QUIET.sub("", formula.replace("-", "−").replace("\\", ""))


def of_mathml(element: ElementTree.Element) -> str:
    """The same in MathML; what is raised comes before what is below, as in the other two."""
    parts = [of_mathml(below) for below in element]
    parts = [parts[0], parts[2], parts[1]] if element.tag == "msubsup" else parts
    return QUIET.sub("", (element.text or "") + "".join(parts))


def of_text(formula: str) -> str:
    """The same in plain letters, small ones as large ones."""
    formula = formula.replace("ᵀ", "⊤").replace("Σ", "∑")
    formula = formula.replace("⁻", "−").replace("₋", "−")
    formula = normalize("NFKC", "".join(letter for letter in formula if not combining(letter)))
    return QUIET.sub("", formula.replace("\N{MINUS SIGN}", "−"))


def check(graph: Graph) -> None:
    plain = text(graph).splitlines()
    others = MATHML.equations(graph).values()
    for (left, right), other, line in zip(equations(graph).values(), others, plain, strict=True):
        said = of_latex(f"{left}={right}")
        xml = f"<mrow>{other[0]}<mo>=</mo>{other[1]}</mrow>".replace("&nbsp;", " ")
        assert of_mathml(ElementTree.fromstring(xml)) == said
        assert of_text(line) == said


@pytest.mark.parametrize("cell", CELLS.values(), ids=str)
def test_known_cells_carry_the_same_symbols_in_the_same_order(cell: Cell) -> None:
    check(cell.graph)
    check(cell.derivative)


@settings(max_examples=50)
@given(cells())
def test_random_cells_do(cell: Cell) -> None:
    check(cell.graph)


@unrolled.cell
def odd(x, h, s_2, *, beta=2e-9, long_time_of_decay=1e20):
    c2 = tanh(affine(x, h))
    c2_new = log_sigmoid(affine(c2)) * 1e-9
    lambda_ = scalar(0.5) * c2_new + vector() * beta * -3e-7
    s_2 = sigmoid(lambda_) / long_time_of_decay + s_2 * 1e30
    h = c2 * s_2
    return locals()


def test_names_numbers_and_functions_are_written_alike() -> None:
    check(odd.graph)
    check(odd.derivative)
    found = equations(odd.graph)
    assert found["c2"][0] == "c_{2,t}"
    assert found["c2"][1].startswith("\\tanh\\left(W_{i,c_{2}} x_t + b_{i,c_{2}} +")
    assert found["c2_new"][0] == "c^{\\mathrm{new}}_{2,t}"
    assert found["c2_new"][1].startswith("\\log \\sigma\\left(W_{c_{2},")
    assert found["lambda_"][0] == "\\lambda_t"
    lines = text(odd.graph)
    assert "log σ(" in lines
    assert "· 10⁻⁹" in lines
    assert "−3 · 10⁻⁷" in lines
    assert "/long_time_of_decay" in lines


@pytest.mark.parametrize(
    ("value", "latex"),
    [(0.5, "0.5"), (-2.0, "-2"), (1e-9, "10^{-9}"), (-2e-9, "-2 \\cdot 10^{-9}")],
)
def test_numbers(value: float, latex: str) -> None:
    assert LATEX.decimal(value) == latex
    said = of_mathml(ElementTree.fromstring(MATHML.decimal(value)))
    assert said == of_latex(latex)


def test_infinity() -> None:
    assert LATEX.decimal(float("-inf")) == "-\\infty"
    assert of_mathml(ElementTree.fromstring(MATHML.decimal(float("-inf")))) == "−∞"


@pytest.mark.parametrize(
    ("name", "base", "digits", "mark"),
    [
        ("h", "h", (), ""),
        ("c2", "c", ("2",), ""),
        ("c_2", "c", ("2",), ""),
        ("hr12", "hr", ("12",), ""),
        ("m_new", "m", (), "new"),
        ("tau_m", "tau", (), "m"),
        ("gain_i", "gain", (), "i"),
        ("another_gate", "another_gate", (), ""),
        ("a_very_long_name", "a_very_long_name", (), ""),
        ("_private", "private", (), ""),
        ("lambda_", "lambda", (), ""),
        ("v0_", "v'", ("0",), ""),
        ("__", "__", (), ""),
    ],
)
def test_names(name: str, base: str, digits: tuple[str, ...], mark: str) -> None:
    assert parsed(name) == (base, digits, mark)


def test_names_that_differ_by_a_mark_differ_in_print() -> None:
    names = ["s", "s_", "s__", "s_2", "s_new", "v0", "v0_", "another_gate", "anothergate"]
    for style in (LATEX, MATHML):
        assert len({style.name(name) for name in names}) == len(names)
        assert len({style.symbol(name, "t") for name in names}) == len(names)
