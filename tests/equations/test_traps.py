"""What is said of equations that hardly mean what they say, and what is not."""

import re
import time
import warnings
from collections.abc import Callable
from typing import Any

import pytest

import unrolled
from unrolled import (
    affine,
    layer_norm,
    mean,
    normalize,
    project,
    relu,
    scalar,
    sigmoid,
    tanh,
    vector,
    where,
)
from unrolled.cells import CELLS
from unrolled.errors import CellError, CellWarning


def said(function: Callable[..., Any]) -> list[str]:
    """The warnings about a function, without the cell's name."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        cell = unrolled.cell(function)
    assert all(warning.category is CellWarning for warning in caught)
    assert all(warning.filename == __file__ for warning in caught)
    prefix = f"{cell.name}: "
    assert all(str(warning.message).startswith(prefix) for warning in caught)
    for warning in caught:
        place = re.match(r"line (\d+): ", str(warning.message).removeprefix(prefix))
        assert place is None or int(place[1]) == warning.lineno
    return [str(warning.message).removeprefix(prefix) for warning in caught]


def only(function: Callable[..., Any], text: str) -> str:
    """The one warning about a function, after its place: the line that holds a text."""
    (message,) = said(function)
    code = function.__code__
    with open(code.co_filename, encoding="utf-8") as file:
        lines = file.read().splitlines()
    first = code.co_firstlineno
    line = first + next(n for n, source in enumerate(lines[first - 1 :]) if text in source)
    place, _, rest = message.partition(": ")
    assert place == f"line {line}", message
    return rest


def quiet(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of which nothing is said."""
    assert said(function) == []
    return function


@pytest.mark.parametrize("cell", CELLS.values(), ids=str)
def test_nothing_is_said_of_known_cells(cell: Any) -> None:
    quiet(cell._function._call)


# Learned parts in loops.


def test_a_layer_in_a_loop_that_reads_what_it_made() -> None:
    def deep(x, h):
        for _ in range(3):
            h = tanh(affine(x, h))
        return locals()

    assert only(deep, "affine").startswith(
        "affine() makes a new one in every turn of the loop, 3 layers with parameters of their "
        "own; a cell cannot apply one layer twice (docs/extending.md)."
    )


def test_a_layer_of_a_helper_in_a_loop() -> None:
    def step(v):
        return tanh(affine(v))

    def deep(x, h):
        h = affine(x) + h
        turns = 0
        while turns < 2:
            h = step(h)
            turns = turns + 1
        return locals()

    assert "affine() makes a new one in every turn of the loop, 2 layers" in only(deep, "step(h)")


def test_learned_vectors_and_norms_in_a_loop() -> None:
    def scaled(x, h):
        h = affine(x, h)
        for _ in range(2):
            h = tanh(h * vector())
        return locals()

    def shared(x, h):
        h, p = affine(x, h), vector()
        for _ in range(2):
            h = tanh(h * p)
        return locals()

    def normed(x, h):
        h = affine(x, h)
        for _ in range(2):
            h = tanh(layer_norm(h))
        return locals()

    assert "to share one, make it before the loop" in only(scaled, "vector()")
    assert "2 layer norms with parameters of their own" in only(normed, "layer_norm(h)")
    quiet(shared)


def test_parts_side_by_side_are_plainly_several() -> None:
    def gates(x, h):
        i, f, o = (sigmoid(affine(x, h)) for _ in range(3))
        scales = [vector() for _ in range(2)]
        parts = [tanh(affine(v)) for v in (x, h)]
        h = f * h * scales[0] + i * parts[0] * scales[1] + o * parts[1]
        return locals()

    quiet(gates)


def test_layers_that_no_one_layer_could_be_are_plainly_several() -> None:
    def highway(x, h):
        for depth in range(3):
            sources = (x, h) if depth == 0 else (h,)
            u = sigmoid(affine(*sources))
            h = u * tanh(affine(*sources)) + (1 - u) * h
        return locals()

    def stacked(x, h):
        v = x
        for _ in range(2):
            v = tanh(affine(v))
        h = tanh(affine(v, h))
        return locals()

    quiet(highway)
    quiet(stacked)


def test_a_helper_called_twice_is_no_loop() -> None:
    def gate(*sources):
        return sigmoid(affine(*sources))

    def reset(x, h):
        r = gate(x, h)
        z = gate(x, r * h)
        h = z * h + (1 - z) * tanh(affine(x, r * h))
        return locals()

    quiet(reset)


# Outputs.


def test_a_value_called_h_that_is_no_state() -> None:
    def lstm(x, c):
        i, f, o = sigmoid(affine(x, c)), sigmoid(affine(x, c)), sigmoid(affine(x, c))
        c = f * c + i * tanh(affine(x))
        h = o * tanh(c)
        return locals()

    assert only(lstm, "h = o").startswith(
        "h is not the cell's output: that is c, the first state, as none is called h."
    )


@pytest.mark.parametrize("name", ["y", "out", "output", "y_t"])
def test_a_value_called_an_output(name: str) -> None:
    source = f"def told(x, h):\n h = tanh(affine(x, h))\n {name} = affine(h)\n return locals()"
    names: dict[str, Any] = {"affine": affine, "tanh": tanh}
    exec(source, names)
    with pytest.warns(CellWarning, match=f"told: line 3: {name} is not the cell's output") as got:
        unrolled.cell(names["told"])
    assert len(got) == 1


def test_outputs_that_are_used_or_the_same_value() -> None:
    def used(x, h):
        out = tanh(affine(x, h))
        h = 0.5 * out + 0.5 * h
        return locals()

    def same(x, s):
        h = y = s = tanh(affine(x, s))
        return locals()

    def watched(x, h):
        h = tanh(affine(x, h))
        _y = affine(h)
        return locals()

    for function in (used, same, watched):
        quiet(function)


def test_another_state_is_called_like_the_output() -> None:
    def named(x, c, hidden):
        c = tanh(affine(x, hidden)) + c
        hidden = tanh(affine(x, c))
        return locals()

    assert only(named, "hidden = ").startswith(
        "the cell's output is c, the first state, as none is called h; if hidden is meant"
    )

    def first(x, hidden, c):
        c = tanh(affine(x, hidden)) + c
        hidden = tanh(affine(x, c))
        return locals()

    quiet(first)


# Values and gradients that are dead.


def test_values_that_nothing_uses() -> None:
    def gate(x, h):
        r = sigmoid(affine(x, h))
        z = r * sigmoid(affine(x, h))
        h = tanh(affine(x, h))
        return locals()

    def plain(x, h):
        f = sigmoid(affine(x, h))
        i = 1 - f
        h = f * h + tanh(affine(x))
        return locals()

    assert only(gate, "z = ") == (
        "nothing uses z: no state depends on it, and what it has learned gets no gradient. If it "
        "is only to be recorded, call it _z"
    )
    assert only(plain, "i = ").startswith("nothing uses i: no state depends on it. If it")


def test_statistics_and_what_is_measured_of_new_states_are_meant() -> None:
    def watched(x, h):
        f = sigmoid(affine(x, h))
        openness = mean(f)
        h = f * h + tanh(affine(x))
        size = h * h
        old = f
        _gate = sigmoid(affine(x))
        return locals()

    quiet(watched)


def test_learned_parts_that_nothing_uses() -> None:
    def lost(x, h):
        a = tanh(affine(x))
        a = tanh(affine(x, h))
        h = a
        return locals()

    def vectors(x, h):
        p, q, _r = vector(), scalar(), vector()
        h = tanh(affine(x, h)) * p
        return locals()

    assert only(lost, "a = tanh(affine(x))") == (
        "nothing uses what affine() makes here: it has no parameters"
    )
    assert "nothing uses what scalar() makes here" in only(vectors, "scalar()")


@pytest.mark.parametrize(
    ("what", "of"),
    [
        (lambda a, h: where(a > 0, 1.0, 0.5), "affine"),
        (lambda a, h: 0 * a, "affine"),
        (lambda a, h: a * (h - h), "affine"),
        (lambda a, h: a - a, "affine"),
        (lambda a, h: (a * 0.0) ** 2 + 1, "affine"),
        (lambda a, h: where(h < h, a, 1.0), "affine"),
        (lambda a, h: where(tanh(0.5) > 0.9, a, 1.0), "affine"),
        (lambda a, h: where(vector() < h, 1.0, 0.5), "vector"),
        (lambda a, h: scalar(2.0) * 0, "scalar"),
    ],
)
def test_learned_parts_whose_gradient_is_always_zero(what: Any, of: str) -> None:
    def frozen(x, h):
        a = affine(x)
        b = what(a, h) + (0 if of == "affine" else a)
        h = tanh(affine(x, h) + b)
        return locals()

    text = "a = affine" if of == "affine" else "b = what"
    assert only(frozen, text).startswith(f"{of}() in {text[0]} never learns: its gradient is alw")


@pytest.mark.parametrize(
    "what",
    [
        lambda a, h: where(a > 0, a, 0.5),
        lambda a, h: where(h > 0, a, 0.5),
        lambda a, h: a - 2 * a,
        lambda a, h: relu(a) / (1 + h * h),
        lambda a, h: where(tanh(0.5) > 0.1, a, 1.0),
        lambda a, h: normalize(a),
    ],
)
def test_learned_parts_with_a_gradient(what: Any) -> None:
    def moved(x, h):
        a = affine(x)
        h = tanh(affine(x, h) + what(a, h))
        return locals()

    quiet(moved)


def test_the_input_is_not_used() -> None:
    def blind(x, h):
        h = tanh(affine(h))
        return locals()

    def meant(_x, h):
        h = tanh(affine(h))
        return locals()

    assert only(blind, "def blind").startswith("nothing uses the input x")
    quiet(meant)


# States.


def test_a_state_that_never_influences_the_output() -> None:
    def counted(x, h, n):
        h = tanh(affine(x, h))
        n = n + 1
        return locals()

    def meant(x, h, _n):
        h = tanh(affine(x, h))
        _n = _n + 1
        return locals()

    def by_another(x, h, c, d):
        d = 0.9 * d + affine(x)
        h = tanh(affine(x, h, c))
        c = c + d
        return locals()

    assert only(counted, "n = n").startswith("the state n never influences the output h")
    quiet(meant)
    quiet(by_another)


def test_a_state_that_is_assigned_before_its_old_value_is_read() -> None:
    def late(x, h, c):
        h = tanh(affine(x))
        i = sigmoid(affine(x, h))
        c = (1 - i) * c + i * h
        h = tanh(c)
        return locals()

    def plain(x, h, c):
        c = 0.9 * c + tanh(affine(x))
        h = sigmoid(affine(x)) * c
        return locals()

    assert only(late, "h = tanh(affine(x))").startswith(
        "h is assigned before its old value is read: from here on h is the new value"
    )
    quiet(plain)


def test_no_memory() -> None:
    def pointwise(x, h):
        h = tanh(affine(x))
        return locals()

    assert only(pointwise, "h = tanh").startswith("the cell has no memory: the output h")


@pytest.mark.parametrize("line", ["c = c", "c = +c", "c, h = c, h * 1", "d = c; c = d; del d"])
def test_a_state_that_is_assigned_to_itself(line: str) -> None:
    source = f"def kept(x, h, c):\n h = tanh(affine(x, h) + c)\n {line}\n return locals()"
    names: dict[str, Any] = {"affine": affine, "tanh": tanh}
    exec(source, names)
    with pytest.raises(CellError) as caught:
        unrolled.cell(names["kept"])
    assert str(caught.value).startswith(
        "kept: line 3: the state c is assigned its own old value, so that it keeps what it starts "
        "with for ever."
    )


def test_a_state_assigned_to_itself_beside_its_new_value() -> None:
    def forgets(x, h):
        h_new = tanh(affine(x, h))
        h = h
        return locals()

    with pytest.raises(CellError, match=r"assign the new value \(such as h = h_new\)"):
        unrolled.cell(forgets)


def test_many_dead_values_take_no_time() -> None:
    """Each is looked at once, however long the chain below it is."""

    def chain(x, h):
        v, dead = affine(x, h), {}
        for turn in range(1000):
            v = tanh(v)
            dead[f"v{turn}"], dead[f"w{turn}"] = v, v * 2
        h = tanh(affine(x, h))
        return {"h": h, **dead}

    start = time.process_time()
    assert len(said(chain)) == 1000  # w0, w1, ...; each v is read
    assert time.process_time() - start < 10


def test_an_exchange_in_two_lines() -> None:
    def exchanged(x, h, c):
        c = h
        h = c
        return locals()

    with pytest.raises(CellError, match=r"the state h is assigned its own old value.*a, b = b, a"):
        unrolled.cell(exchanged)


def test_a_new_value_under_another_name() -> None:
    def renamed(x, h):
        h_new = tanh(affine(x, h))
        return locals()

    with pytest.raises(CellError, match=r"the state h has no next value.*\(such as h = h_new\)"):
        unrolled.cell(renamed)


@pytest.mark.parametrize("name", ["h_prev", "prev_h", "h_old", "h_", "h0"])
def test_an_old_value_under_another_name(name: str) -> None:
    source = f"def renamed(x, {name}):\n h = tanh(affine(x, {name}))\n return locals()"
    names: dict[str, Any] = {"affine": affine, "tanh": tanh}
    exec(source, names)
    words = rf"the state {name} has no next value.*\(or call the state h: one name stands"
    with pytest.raises(CellError, match=words):
        unrolled.cell(names["renamed"])


@pytest.mark.parametrize("value", ["3", "h", "affine(x)", "None"])
def test_the_input_is_shadowed(value: str) -> None:
    source = f"def hides(x, h):\n h = tanh(affine(x, h))\n x = {value}\n return locals()"
    names: dict[str, Any] = {"affine": affine, "tanh": tanh}
    exec(source, names)
    with pytest.raises(CellError, match="hides: x is the input: give the value"):
        unrolled.cell(names["hides"])


def test_a_value_called_like_a_function_of_the_language() -> None:
    def shadows(x, h):
        tanh = tanh(affine(x, h))  # noqa: F823
        h = tanh
        return locals()

    with pytest.raises(CellError, match="shadows: tanh is a function of unrolled and the name of"):
        unrolled.cell(shadows)


# How a warning is shown and silenced.


def test_a_warning_is_silenced_by_the_cells_name() -> None:
    def deep(x, h):
        for _ in range(2):
            h = project(tanh(affine(x, h)))
        return locals()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(CellWarning):
            unrolled.cell(deep)
        warnings.filterwarnings("ignore", r"deep: ", CellWarning)
        unrolled.cell(deep)


def test_a_warning_is_shown_once() -> None:
    def deep(x, h, *, rate=0.5):
        for _ in range(2):
            h = tanh(affine(x, h)) * rate
        return locals()

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        cell = unrolled.cell(deep)
        cell(rate=0.1)
    assert len(caught) == 1
