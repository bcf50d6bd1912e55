import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings

import unrolled
from graph.drawn import cells
from unrolled import abs, affine, log, maximum, mean, project, relu, sigmoid, sqrt, tanh, where
from unrolled.cells import CELLS
from unrolled.equations import Cell
from unrolled.graph.graph import Graph
from unrolled.graph.node import Node, constant
from unrolled.graph.notation import Writer
from unrolled.graph.operation import Operation
from unrolled.printing.latex import STYLE, equations, latex, learned_symbol, letter, symbol

x = Node(Operation.INPUT, (), "x")
h = Node(Operation.STATE, (), "h")


def check(graph: Graph) -> None:
    """Every equation is well-formed."""
    for left, right in equations(graph).values():
        structure(left)
        structure(right)


def structure(text: str) -> None:
    """Braces match, \\left and \\right match, no symbol has two subscripts or two exponents."""
    groups = [(False, set[str]())]  # open braces: whether a script, and the last symbol's scripts
    fences, script = 0, False
    for token in re.findall(r"\\[a-zA-Z]+|\\.|\S", text):
        scripts = groups[-1][1]
        if token in ("_", "^"):
            assert token not in scripts, f"two scripts {token}: {text}"
            scripts.add(token)
            script = True
            continue
        if token == "{":
            groups.append((script, set()))
        elif token == "}":
            ended, _ = groups.pop()
            assert groups, f"a brace too many: {text}"
            if not ended:
                groups[-1][1].clear()
        elif not script:
            scripts.clear()
        script = False
        fences += (token == "\\left") - (token == "\\right")
        assert fences >= 0, f"\\right before \\left: {text}"
    assert len(groups) == 1, f"a brace too few: {text}"
    assert fences == 0, f"\\left without \\right: {text}"


@pytest.mark.parametrize(
    "text", ["a_b_c", "a^b^c", "{a", "a}", "\\left(a", "a\\right)", "h_t^{\\top}_1", "{a_b}^c^d"]
)
def test_the_check_of_structure_finds_mistakes(text: str) -> None:
    with pytest.raises((AssertionError, IndexError)):
        structure(text)
    structure(
        "\\bar{W}_{\\mathrm{rh},n}^{\\top} {m^{\\mathrm{new}}_t}^{\\top} \\left(a_b\\right)_c"
    )


@pytest.mark.parametrize("cell", CELLS.values(), ids=str)
def test_cells_are_well_formed(cell: Cell) -> None:
    check(cell.graph)
    check(cell.derivative)


@pytest.mark.slow
def test_matplotlib_draws_cells() -> None:
    mathtext = pytest.importorskip("matplotlib.mathtext", exc_type=ImportError)
    parser = mathtext.MathTextParser("path")
    graphs = [graph for cell in CELLS.values() for graph in (cell.graph, cell.derivative)]
    for left, right in (sides for graph in graphs for sides in equations(graph).values()):
        parser.parse(f"${left} = {right}$")


@settings(max_examples=30)
@given(cells())
def test_random_cells_are_well_formed(cell: Cell) -> None:
    check(cell.graph)
    check(cell.derivative)


def test_names_with_underscores_are_well_formed() -> None:
    @unrolled.cell
    def named(x, h, beta_slow_1):
        m_new = tanh(affine(x, h))
        s_ = sigmoid(affine(m_new, beta_slow_1))
        _private = relu(affine(s_)) * 1e-7
        lambda_ = project(m_new) * _private if False else maximum(s_, _private)
        h = lambda_ * where(mean(m_new) < 0.5, h, log(sqrt(abs(m_new))))
        beta_slow_1 = h * -2
        return locals()

    check(named.graph)
    check(named.derivative)


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_printed_text(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"{name}_latex.txt", CELLS[name].latex())


def test_printed_text_of_a_derivative(golden: Callable[[str, str], None]) -> None:
    golden("lstm_backward_latex.txt", latex(CELLS["lstm"].derivative))


def test_a_number_in_a_name_is_no_power() -> None:
    assert symbol("c_1", "t") == "c_{1,t}"
    assert symbol("c_1", "t-1") == "c_{1,t-1}"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("c", "c_t"),
        ("beta", "\\beta_t"),
        ("rh", "\\mathrm{rh}_t"),
        ("m_new", "m^{\\mathrm{new}}_t"),
        ("m_s_2", "m^{\\mathrm{s\\,2}}_t"),
        ("tau_m", "\\tau^{m}_t"),
    ],
)
def test_symbols(name: str, text: str) -> None:
    assert symbol(name, "t") == text
    assert symbol(name, "t-1") == text.removesuffix("t") + "{t-1}"


@pytest.mark.parametrize(
    ("name", "text"),
    [("p", "p"), ("p_i", "p_{i}"), ("tau_m", "\\tau_{m}"), ("gain", "\\mathrm{gain}")],
)
def test_learned_symbols(name: str, text: str) -> None:
    assert learned_symbol(name) == text


def test_letters() -> None:
    assert [letter(name) for name in ("a", "omega", "ab")] == ["a", "\\omega", "\\mathrm{ab}"]


@pytest.mark.parametrize(
    ("node", "text"),
    [
        (x * h, "x_t \\odot h_{t-1}"),
        (2 * h, "2 \\cdot h_{t-1}"),
        (h * 2, "h_{t-1} \\cdot 2"),
        (x * (h + 1), "x_t \\odot \\left(h_{t-1} + 1\\right)"),
        (x - (h - 1), "x_t - \\left(h_{t-1} - 1\\right)"),
        (x / (h + 1), "\\frac{x_t}{h_{t-1} + 1}"),
        (-(x * h), "-x_t \\odot h_{t-1}"),
        (-x * h, "-x_t \\odot h_{t-1}"),
        (h - -x * h, "h_{t-1} - \\left(-x_t \\odot h_{t-1}\\right)"),
        (h + -x * h, "h_{t-1} + \\left(-x_t \\odot h_{t-1}\\right)"),
        (h * -x, "h_{t-1} \\odot \\left(-x_t\\right)"),
        (h * (-x + h), "h_{t-1} \\odot \\left(-x_t + h_{t-1}\\right)"),
        ((-x + h) * h, "\\left(-x_t + h_{t-1}\\right) \\odot h_{t-1}"),
        (h + (-x + h), "h_{t-1} + \\left(-x_t + h_{t-1}\\right)"),
        (h * -2, "h_{t-1} \\cdot \\left(-2\\right)"),
        (-2 * h + x, "-2 \\cdot h_{t-1} + x_t"),
        (x + -2 * h, "x_t + \\left(-2 \\cdot h_{t-1}\\right)"),
        (abs(x - h), "\\left|x_t - h_{t-1}\\right|"),
        (sqrt(x + 1), "\\sqrt{x_t + 1}"),
        (relu(x), "\\mathrm{relu}\\left(x_t\\right)"),
        (maximum(x, h), "\\max\\left(x_t,\\, h_{t-1}\\right)"),
        (mean(x), "\\frac{\\sum x_t}{\\dim\\left(x_t\\right)}"),
        (
            where(x <= h, x, 0),
            "\\left(x_t \\;\\mathrm{if}\\; x_t \\leq h_{t-1} \\;\\mathrm{else}\\; 0\\right)",
        ),
        (x < h, "x_t < h_{t-1}"),
        (x > 0, "x_t > 0"),
        (constant(0) < x, "x_t > 0"),
        (x >= 0.5, "x_t \\geq 0.5"),
        (x < 0, "x_t < 0"),
        (1 - constant(0.25) >= x, "x_t \\leq 1 - 0.25"),
        (Node(Operation.BROADCAST, (constant(0), h)), "0"),
        (Node(Operation.OUTER, (x, h)), "x_t h_{t-1}^{\\top}"),
        (Node(Operation.OUTER, (x, h + 1)), "x_t \\left(h_{t-1} + 1\\right)^{\\top}"),
        (
            Node(Operation.OUTER, (h, Node(Operation.INPUT, (), "m_new"))),
            "h_{t-1} {m^{\\mathrm{new}}_t}^{\\top}",
        ),
    ],
    ids=lambda part: "" if isinstance(part, str) else repr(part),
)
def test_expressions(node: Node, text: str) -> None:
    written = Writer(STYLE.rules, STYLE.brackets, lambda node: None).operand(node)
    assert written == text
    structure(written)


def test_a_projection_and_other_sources() -> None:
    right = {name: right for name, (_, right) in equations(CELLS["lstm_projected"].graph).items()}
    assert right["h"] == "W_{\\mathrm{hr}} \\left(o_t \\odot \\tanh\\left(c_t\\right)\\right)"
    right = {name: right for name, (_, right) in equations(CELLS["mgu"].graph).items()}
    assert "W_{\\mathrm{fh},n} \\mathrm{fh}_t + b_{\\mathrm{fh},n}" in right["n"]


def test_sides_of_a_derivative() -> None:
    found = equations(CELLS["lstm"].derivative)
    assert found["d_h"][0] == "\\bar{h}^{+}_{t-1}"
    assert found["d_h_new"] == ("\\bar{h}_t", "\\bar{h}^{+}_t")
    assert found["d_c_new"][0] == "\\bar{c}_t"
    assert found["c_new"] == ("c_t", "f_t \\odot c_{t-1} + i_t \\odot g_t")
    assert found["d_x"][0] == "\\bar{x}_t"
    assert found["d_f_pre"][0] == "\\bar{f}^{\\mathrm{pre}}_t"
    assert found["d_W_if"] == ("\\bar{W}_{if}", "\\bar{f}^{\\mathrm{pre}}_t x_t^{\\top}")
    assert found["d_b_hf"] == ("\\bar{b}_{hf}", "\\bar{f}^{\\mathrm{pre}}_t")


def test_only_a_states_new_value_loses_its_ending() -> None:
    @unrolled.cell
    def named(x, h):
        m_new = tanh(affine(x, h))
        h = tanh(affine(m_new))
        return locals()

    found = equations(named.derivative)
    assert found["m_new"][0] == "m^{\\mathrm{new}}_t"
    assert found["d_m_new"][0] == "\\bar{m}^{\\mathrm{new}}_t"


def test_lines_are_aligned() -> None:
    lines = latex(CELLS["gru"].graph).splitlines()
    assert lines[0] == "\\begin{aligned}"
    assert lines[-1] == "\\end{aligned}"
    assert all(" &= " in line and line.endswith(" \\\\") for line in lines[1:-1])


def test_numbers_and_names_with_numbers_are_read_as_what_they_are() -> None:
    @unrolled.cell
    def odd(x, h, h_3):
        h_3 = h_3 * 2e-9 + h * -2.0 + tanh(affine(x))
        h = h_3 * 0.5
        return locals()

    text = odd.latex()
    assert "h_{3,t} &= " in text  # not the cube of h
    assert "2 \\cdot 10^{-9}" in text
    assert "\\left(-2\\right)" in text
