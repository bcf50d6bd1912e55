import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

import unrolled
from graph.drawn import cells
from samples import execute, quiet, sample
from unrolled import (
    affine,
    layer_norm,
    maximum,
    mean,
    normalize,
    project,
    scalar,
    sigmoid,
    tanh,
    vector,
    where,
)
from unrolled.cells import CELLS
from unrolled.equations import Cell
from unrolled.graph.graph import Graph
from unrolled.graph.node import Node
from unrolled.graph.operation import Operation
from unrolled.graph.parameters import weights
from unrolled.printing.python import python

x = Node(Operation.INPUT, (), "x")
h = Node(Operation.STATE, (), "h")


def printed(graph: Graph) -> Callable[..., Any]:
    """The printed function, executed."""
    names: dict[str, Any] = {}
    exec(python(graph), names)
    return names[graph.name]


def check(graph: Graph, of: Graph | None = None) -> None:
    """What is printed computes what the eager backend does, row by row and step by step.

    The weights are those of the graph, or of the graph that it is the derivative of.
    """
    source = of or graph
    own = sample(graph, steps=3)
    arrays = weights(source, sample(source).weights)
    given = own._replace(weights=sample(source).weights)
    _, last = execute(graph, given, [])
    function = printed(graph)
    wanted = inspect.signature(function).parameters
    arguments = {name: array.numpy() for name, array in arrays.items() if name in wanted}
    for row in range(2):
        states = {name: value[row].numpy() for name, value in given.states.items()}
        for t in range(3):
            inputs = {name: value[t, row].numpy() for name, value in given.inputs.items()}
            returned = function(**inputs, **states, **arguments)
            returned = returned if len(states) > 1 else (returned,)
            states = dict(zip(states, returned, strict=True))
        for name, value in states.items():
            np.testing.assert_allclose(value, last[name][row], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("cell", CELLS.values(), ids=str)
def test_printed_cells_compute(cell: Cell) -> None:
    check(cell.graph)


@pytest.mark.parametrize("cell", CELLS.values(), ids=str)
def test_printed_derivatives_compute(cell: Cell) -> None:
    check(cell.derivative, cell.graph)


@pytest.mark.broad
@settings(max_examples=40)
@given(cells())
def test_printed_random_cells_compute(cell: Cell) -> None:
    check(cell.graph)
    check(cell.derivative, cell.graph)


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_printed_text(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"{name}_python.txt", CELLS[name].python())


def test_printed_text_of_a_derivative(golden: Callable[[str, str], None]) -> None:
    golden("lstm_backward_python.txt", python(CELLS["lstm"].derivative))


# States, old and new, go by one name.


def test_an_old_state_that_is_read_late() -> None:
    @quiet
    def late(x, h, c):
        old = h
        h = tanh(affine(x, h))
        c = c * old + h
        return locals()

    assert "h_next = tanh(" in late.python()
    assert "return h_next, c\n" in late.python()
    check(late.graph)
    check(late.derivative, late.graph)


def test_swapped_states() -> None:
    @unrolled.cell
    def swapped(x, h, c, d):
        h = tanh(affine(x, h)) * c
        c, d = d, c
        return locals()

    check(swapped.graph)
    check(swapped.derivative, swapped.graph)


def test_delayed_states() -> None:
    @quiet
    def delayed(x, h, c, d):
        d = c
        c = h
        h = tanh(affine(x, d))
        return locals()

    check(delayed.graph)
    check(delayed.derivative, delayed.graph)


def test_what_a_value_is_compared_with_stands_on_the_right() -> None:
    @quiet  # a vector that is only compared with does not learn
    def compared(x, h, *, alpha=0.3):
        p = vector()
        s = affine(x, h)
        a = where(s > 0, tanh(s), s)
        b = where(0 >= a, h, a)  # noqa: SIM300
        h = where(1 - alpha <= h, b, where(p < b, a, b * h)) + where(a < b, a, b)
        return locals()

    code = "\n".join(lines_of(compared))
    assert all(text in code for text in ("s > 0", "a <= 0", "h >= 1 - alpha", "b > p", "a < b"))
    assert "sₜ > 0" in compared.text()
    assert "hₜ₋₁ ≥ 1 − α" in compared.text()
    check(compared.graph)
    check(compared.derivative, compared.graph)


def test_lines_stand_where_no_state_needs_a_second_name() -> None:
    @unrolled.cell
    def kept(x, h, c, m):
        z = tanh(affine(x, m))
        c_new = c * z
        h = tanh(affine(x, h) + c_new + m * c)
        m = m + z
        c = c_new
        return locals()

    @unrolled.cell
    def twice(x, h, c):
        z = tanh(affine(x, h))
        c = c * z
        h = c
        return locals()

    assert lines_of(CELLS["slstm"])[-4:] == [
        *("c = f * c + i * z", "n = f * n + i", "h = o * c / n", "m = m_new")
    ]
    assert lines_of(kept)[1] == "c_new = c * z"
    assert {"c = c_new", "m = m + z"} == set(lines_of(kept)[-2:])
    assert lines_of(twice)[-2:] == ["c = c * z", "h = c"]
    for cell in (kept, twice):
        assert "_next" not in cell.python()
        check(cell.graph)
        check(cell.derivative, cell.graph)


def lines_of(cell: Cell) -> list[str]:
    """Return the lines of a cell's code, without that which returns the states."""
    return [line.strip() for line in cell.python().split("\n") if " = " in line and line[0] == " "]


def test_a_value_named_next() -> None:
    @quiet
    def named(x, h, c):
        h_next = tanh(affine(x))
        old = h
        h = tanh(affine(x, h))
        c = old * h_next + c
        return locals()

    check(named.graph)


def test_a_value_with_several_names() -> None:
    @unrolled.cell
    def several(x, h, m):
        m_new = maximum(affine(x, h), m)
        copy = m_new
        h = tanh(m - m_new) + copy
        m = m_new
        return locals()

    assert "    copy = m_new\n" in several.python()
    check(several.graph)


def test_a_constant_state() -> None:
    @unrolled.cell
    def fixed(x, h, c):
        h = tanh(affine(x, h)) + c
        c = 0.5
        return locals()

    check(fixed.graph)


# Sizes other than H.


def test_values_of_one_unit() -> None:
    @unrolled.cell
    def averaged(x, h, level):
        a = mean(x) * scalar()
        n = tanh(affine(x, h, level, a)) * mean(mean(h)) + normalize(a)
        h = n
        level = mean(n * n)
        return locals()

    check(averaged.graph)
    check(averaged.derivative, averaged.graph)


def test_normalizing_in_several_ways() -> None:
    @unrolled.cell
    def normed(x, h):
        n = normalize(affine(x, h)) + normalize(h, 0.5)
        h = normalize(n, 1)
        return locals()

    assert "normalize(h, 0.5)" in normed.python()
    check(normed.graph)
    check(normed.derivative, normed.graph)


def test_projections_and_vectors() -> None:
    @unrolled.cell
    def projected(x, h, c):
        hr = h * vector()
        r = sigmoid(affine(x * vector(), hr))
        c = r * c + affine(h) * scalar()
        h = project(tanh(c)) + layer_norm(project(c))
        return locals()

    check(projected.graph)
    check(projected.derivative, projected.graph)


def test_sources_named_like_inputs() -> None:
    @unrolled.cell
    def collision(x, h):
        i = tanh(affine(x))
        f = sigmoid(affine(x, h, i))
        h = f * i + affine(mean(h), h * 2)
        return locals()

    check(collision.graph)
    check(collision.derivative, collision.graph)


def test_only_what_is_needed_is_imported() -> None:
    assert python(CELLS["rnn_tanh"].graph).startswith("from numpy import tanh\n\n\ndef rnn_tanh(")
    assert "sqrt" not in python(CELLS["lstm"].graph)
    linear = Graph("linear", {"x": "input"}, {"h": "hidden"}, {"h": h * 2})
    assert python(linear) == "def linear(\n    x, h,\n):\n    h = h * 2\n    return h\n"


def test_the_docstring_is_the_cells_first_line() -> None:
    assert f'    """{CELLS["cornn"].summary}"""\n' in CELLS["cornn"].python()
    assert '"""' not in python(CELLS["cornn"].graph)


def test_the_signature_names_every_weight_in_the_order_of_rows() -> None:
    names = list(inspect.signature(printed(CELLS["multiplicative_lstm"].graph)).parameters)
    assert names[:3] == ["x", "h", "c"]
    arrays = sample(CELLS["multiplicative_lstm"].graph).weights
    assert set(names[3:]) == set(weights(CELLS["multiplicative_lstm"].graph, arrays))
    gates = [name for name in names if name.startswith("W_m")]
    assert gates == ["W_mi", "W_mf", "W_mg", "W_mo"]


def test_a_derivatives_signature_holds_weights_that_are_only_transposed() -> None:
    names = inspect.signature(printed(CELLS["lstm_projected"].derivative)).parameters
    assert "W_hr" in names
    assert list(names)[:5] == ["x", "h", "c", "d_h", "d_c"]


def test_hyperparameters_stand_under_their_names() -> None:
    @unrolled.cell
    def leaky(x, h, *, alpha=0.5, beta=1.0):
        keep = 1 - alpha
        h = keep * h + alpha * tanh(affine(x, h) - beta)
        return locals()

    scope: dict[str, Any] = {}
    text = leaky.python()
    exec(text, scope)
    row, weight = np.array([0.3, -0.2]), np.eye(2)
    expected = 0.5 * row + 0.5 * np.tanh(4 * row - 1.0)
    np.testing.assert_allclose(scope["leaky"](row, row, weight, row, weight, row), expected)
    assert "    alpha = 0.5\n    beta = 1\n" in text  # as in the signature
    assert "h = (1 - alpha) * h + alpha * tanh(" in text


def test_a_hyperparameter_with_the_name_of_a_weight_stays_a_number() -> None:
    @unrolled.cell
    def clash(x, h, *, W_ih=0.25):
        h = tanh(affine(x, h)) * W_ih
        return locals()

    assert "* 0.25" in clash.python()


def test_parts_that_nobody_named_stand_in_their_places() -> None:
    text = CELLS["slstm"].python()
    assert "v1" not in text
    assert "b = log_sigmoid(" in text
    assert "f = exp(b + m - m_new)" in text
