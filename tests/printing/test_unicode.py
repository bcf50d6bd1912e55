import re

import pytest

from unrolled.cells import CELLS
from unrolled.graph.derivative import derivative
from unrolled.printing.latex import equations
from unrolled.printing.names import GREEK
from unrolled.printing.unicode import ASCII, SIGNS, formula, readable


@pytest.mark.parametrize(
    ("latex", "expected"),
    [
        ("h_{t-1}", "hₜ₋₁"),
        ("h'_{t{-}1}", "h′ₜ₋₁"),
        (r"\frac{a + b}{c_t} \div \sqrt{x + 1}", "(a + b)/cₜ ÷ √(x + 1)"),
        (r"m^{\mathrm{new}}_t \odot \tilde{c}_t", "m^newₜ ⊙ c̃ₜ"),
        (r"W_{\mathrm{rh},n} \, \mathrm{rh}_t", "W_(rh,n) rhₜ"),
        (r"\left\|\partial h_T / \partial c\right\|", "‖∂h_T / ∂c‖"),
        (r"\beta_t \leq \sigma(x)^\top", "βₜ ≤ σ(x)ᵀ"),
        (r"$\mathdefault{10^{-3}}$"[1:-1], "10⁻³"),
        ("W_{if}", "W_if"),
        ("a_", "a_"),
        (r"\frac{\partial c_t}{\partial c_{t-4}} \sim N", "∂cₜ/∂cₜ₋₄ ∼ N"),
        ("{a", "a"),
    ],
)
def test_formulas(latex: str, expected: str) -> None:
    assert formula(latex) == expected


@pytest.mark.parametrize(
    ("latex", "expected"),
    [
        (r"\frac{a + b}{c_t} \div \sqrt{x + 1}", "(a + b)/c_t / sqrt(x + 1)"),
        (r"\bar{h}^{+}_{t-1} \odot c^2", "bar(h)^+_(t-1) * c^2"),
        (r"\frac{\bar{h}^{+}_t}{n_{t-1}}", "bar(h)^+_t/n_(t-1)"),
        (r"α_t \leq \sigma(x)^\top", "alpha_t <= sigma(x)^T"),
        ("h'", "h'"),
    ],
)
def test_formulas_in_ascii(latex: str, expected: str) -> None:
    assert formula(latex, ASCII) == expected


def test_texts_with_formulas() -> None:
    assert readable(r"5 \$ for $h_t$ and $c_t$") == "5 $ for hₜ and cₜ"


@pytest.mark.parametrize("name", CELLS)
def test_no_command_is_left_in_a_cells_equations(name: str) -> None:
    for graph in (CELLS[name].graph, derivative(CELLS[name].graph)):
        for left, right in equations(graph).values():
            assert not re.search(r"[\\{}$]|left|right|mathrm", formula(f"{left} = {right}"))


def test_every_greek_letter_has_a_sign() -> None:
    assert {SIGNS[name] for name in GREEK} <= set("αβγδεζηθικλμνξπρστυφχψω")
    assert (SIGNS["alpha"], SIGNS["lambda"], SIGNS["omega"]) == ("α", "λ", "ω")
