import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import unrolled
from samples import execute, quiet, sample
from unrolled import affine, layer_norm, mean, project, scalar, sigmoid, tanh, vector, where
from unrolled.equations import Cell
from unrolled.errors import CellError
from unrolled.graph import parameters
from unrolled.graph.node import constant


def refused(function: Callable[..., Any]) -> str:
    """What is said about a function that is no cell."""
    with pytest.raises(CellError) as caught:
        unrolled.cell(function)
    return str(caught.value)


def line(function: Callable[..., Any], text: str) -> int:
    """The number of the line of this file, inside the function, that holds a text."""
    code = function.__code__
    with open(code.co_filename, encoding="utf-8") as file:
        lines = file.read().splitlines()
    first = code.co_firstlineno
    return first + next(n for n, source in enumerate(lines[first - 1 :]) if text in source)


def shapes(cell: Cell) -> dict[str, tuple[str, ...] | str]:
    """The rows of each learned array by name; for matrices, with what they read after @."""
    found: dict[str, Any] = {}
    for parameter in parameters(cell.graph):
        rows = " ".join(size[0].upper() for size in parameter.rows)
        found[parameter.name] = rows + (f" @ {parameter.columns}" if parameter.columns else "")
    return found


def layers(cell: Cell) -> dict[str, list[tuple[str, int, int | None]]]:
    """For each learned layer, its blocks: group, row, row of the bias."""
    return {
        node.attribute.name: [(b.group, b.row, b.bias) for b in node.attribute.blocks]
        for node in cell.graph.layers
    }


# What is refused.


def test_unknown_name_with_a_suggestion() -> None:
    def typo(x, h):
        h = sigmod(affine(x, h))  # noqa: F821
        return locals()

    assert refused(typo) == (
        "typo: unknown name: name 'sigmod' is not defined; did you mean unrolled.sigmoid?"
    )


def test_unknown_name_without_a_suggestion() -> None:
    def typo(x, h):
        h = qqq(affine(x, h))  # noqa: F821
        return locals()

    assert refused(typo) == "typo: unknown name: name 'qqq' is not defined"


def test_state_of_another_cell() -> None:
    leaked = []

    def other(x, k):
        leaked.append(k)
        k = tanh(affine(x, k))
        return locals()

    def leaky(x, h):
        h = tanh(affine(x, h) + leaked[0])
        return locals()

    unrolled.cell(other)
    assert refused(leaky) == (
        "leaky: h = tanh(W_ih @ x + b_ih + W_hh @ h + b_hh + k): unknown name: k is not an input "
        "or state of leaky (x, h)"
    )


def test_input_of_another_cell() -> None:
    leaked = []

    def other(u, h):
        leaked.append(u)
        h = tanh(affine(u, h))
        return locals()

    def leaky(x, h):
        h = tanh(affine(x, h, leaked[0]))
        return locals()

    unrolled.cell(other)
    assert "unknown name: u is not an input or state of leaky (x, h)" in refused(leaky)


def test_learned_part_of_another_cell() -> None:
    leaked = []

    def other(x, h):
        p = vector()
        leaked[:] = [p, affine(x)]
        h = tanh(affine(x, h)) * p
        return locals()

    def leaky(x, h):
        h = tanh(affine(x, h)) * leaked[0]
        return locals()

    def leakier(x, h):
        h = tanh(affine(h) + leaked[1])
        return locals()

    quiet(other)
    assert refused(leaky) == "leaky: learned belongs to other"
    assert refused(leakier) == "leakier: affine(x) belongs to other"


def test_state_without_a_next_value() -> None:
    def forgets(x, h, c):
        h = tanh(affine(x, h))
        return locals()

    assert refused(forgets) == (
        "forgets: the state c has no next value: assign to c before `return locals()`"
    )


def test_deleted_state() -> None:
    def deletes(x, h, c):
        h = tanh(affine(x, h))
        del c
        return locals()

    assert "the state c has no next value" in refused(deletes)


def test_state_that_is_no_number() -> None:
    def text(x, h):
        h = "text"
        return locals()

    assert refused(text) == ("text: the state h takes symbols of a cell and numbers, got str")


@pytest.mark.parametrize(
    ("value", "kind"), [(None, "NoneType"), (1, "int"), ((1, 2), "tuple")], ids=str
)
def test_returning_something_else(value: object, kind: str) -> None:
    def other(x, h):
        h = tanh(affine(x, h))
        return value

    assert refused(other) == (
        f"other returned {kind}: end it with `return locals()`, so that its values have names"
    )


def test_returning_the_state() -> None:
    def other(x, h):
        return tanh(affine(x, h))

    assert refused(other).startswith("other returned Node: end it with `return locals()`")


def test_use_before_assignment() -> None:
    def cyclic(x, h):
        a = tanh(b + affine(x))  # noqa: F821
        b = tanh(a + affine(h))
        h = a * b
        return locals()

    assert refused(cyclic) == (
        "cyclic: cyclic use: b is used before its line; within one step a value can only depend "
        "on the input, the old states and values above it"
    )


def test_a_circle_made_by_hand() -> None:
    def circle(x, h):
        a = tanh(affine(x))
        b = sigmoid(a)
        object.__setattr__(a, "arguments", (b,))
        h = a * b
        return locals()

    assert re.search(r"cyclic use: (tanh|sigmoid) depends on its own value", refused(circle))


def test_python_if_on_a_symbol() -> None:
    def branches(x, h):
        gate = sigmoid(affine(x, h))
        if gate:
            h = gate
        return locals()

    assert refused(branches) == (
        f"branches: line {line(branches, 'if gate')}, gate: a symbol has no value until the cell "
        "runs, so `if`, `and`, `or`, `not`, `min` and `max` cannot use it: write "
        "where(condition, a, b), minimum(a, b) or maximum(a, b)"
    )


def test_python_if_on_a_condition() -> None:
    def branches(x, h):
        gate = sigmoid(affine(x, h))
        h = gate if gate > 0.5 else h
        return locals()

    place = f"branches: line {line(branches, 'gate > 0.5')}, gate > 0.5: "
    assert refused(branches).startswith(place + "a symbol has no value until the cell runs")


def test_python_and_max_on_a_symbol() -> None:
    def both(x, h):
        h = h and affine(x)
        return locals()

    def most(x, h):
        h = max(tanh(affine(x, h)), 0)
        return locals()

    assert refused(both).startswith(f"both: line {line(both, 'h and')}, h: a symbol has no value")
    assert refused(most).startswith(f"most: line {line(most, 'max(')}, tanh(affine(x, h)) < 0: a")


def test_misuse_in_a_helper_names_the_cells_line() -> None:
    def helper(v):
        return 1 if v else 0

    def calls(x, h):
        gate = sigmoid(affine(x, h))
        h = helper(gate) * gate
        return locals()

    assert refused(calls).startswith(f"calls: line {line(calls, 'helper(gate)')}, gate: a symbol")


def test_symbols_compared() -> None:
    def compares(x, h):
        h = where(h == 0, affine(x), h)
        return locals()

    assert refused(compares) == (
        f"compares: line {line(compares, 'h == 0')}, h: symbols cannot be compared with == or !=: "
        "use <, <=, > or >="
    )


def test_bad_power() -> None:
    def power(x, h):
        h = tanh(affine(x, h)) ** 0.5
        return locals()

    assert refused(power) == (
        f"power: line {line(power, '** 0.5')}, tanh(affine(x, h)): a power must be a whole number "
        "of at least 1, got 0.5: use exp and log"
    )


def test_the_input_cannot_be_assigned() -> None:
    def assigns(x, h):
        x = tanh(x)
        h = tanh(affine(x, h))
        return locals()

    assert refused(assigns) == (
        "assigns: x is the input: give the value computed from it another name"
    )


def test_signatures() -> None:
    def stars(x, h, *states):
        return locals()

    def more(x, h, **options):
        return locals()

    def alone(x):
        return locals()

    assert refused(stars) == "stars: *states has no place in a cell"
    assert refused(more) == "more: *options has no place in a cell"
    assert refused(alone) == ("alone(x) needs an input and at least one state, such as (x, h)")
    assert refused(lambda: {}) == (
        "<lambda>() needs an input and at least one state, such as (x, h)"
    )


@pytest.mark.parametrize("default", ["1", None, True, (1.0,)])
def test_hyperparameters_are_numbers(default: Any) -> None:
    def tuned(x, h, *, rate=default):
        h = tanh(affine(x, h)) * rate
        return locals()

    assert refused(tuned) == "tuned: the hyperparameter rate needs a number as its default"


def test_hyperparameter_without_a_default() -> None:
    def tuned(x, h, *, rate):
        h = tanh(affine(x, h)) * rate
        return locals()

    assert refused(tuned) == "tuned: the hyperparameter rate needs a number as its default"


def test_an_error_of_the_functions_own_is_left_alone() -> None:
    def divides(x, h):
        h = tanh(affine(x, h)) * (1 / 0)
        return locals()

    with pytest.raises(ZeroDivisionError):
        unrolled.cell(divides)


def test_a_number_that_cannot_be_computed_from_hyperparameters_names_them() -> None:
    @unrolled.cell
    def ode(x, h, *, dt=0.1, tau=1.0):
        h = h + dt / tau * tanh(affine(x, h))
        return locals()

    with pytest.raises(CellError, match=r"ode: line \d+: .*division by zero, with dt=0.1, tau=0"):
        ode(tau=0)
    with pytest.raises(CellError, match=r"with dt=10\.0, tau=1e-320"):
        unrolled.cell(lambda x, h, *, dt=10.0, tau=1e-320: {"h": (dt * (x + h)) * int(dt / tau)})


# What is allowed.


def test_no_source_is_needed() -> None:
    source = """
import unrolled
from unrolled import affine, tanh

@unrolled.cell
def typed(x, h):
    n = tanh(affine(x, h))
    h = n
    return locals()
"""
    names: dict[str, Any] = {}
    exec(source, names)
    assert list(names["typed"].graph.values) == ["n", "h"]


def test_errors_need_no_source() -> None:
    names: dict[str, Any] = {"affine": affine, "cell": unrolled.cell}
    source = "def typed(x, h):\n    h = affine(x) if h else h\n    return locals()"
    exec(source, names)
    assert refused(names["typed"]).startswith("typed: line 2, h: a symbol has no value")


def test_a_lambda_that_names_its_values() -> None:
    cell = unrolled.cell(lambda x, h: {"n": (n := tanh(affine(x, h))), "h": n * 0.5})
    assert cell.name == "<lambda>"
    assert list(cell.graph.values) == ["n", "h"]


def test_closures_helpers_and_loops() -> None:
    number, array_number = 3, np.float32(0.5)

    def gate(*sources):
        return sigmoid(affine(*sources))

    @quiet
    def helped(x, h):
        total = 0
        for k in range(number):
            total = total + gate(x, h) * k
        h = total * array_number
        return locals()

    assert list(helped.graph.values) == ["total", "h"]
    # The first gate is multiplied by 0, which is not 0 for every number, so it stays.
    assert shapes(helped) == {
        "weight_ih": "H H H @ input",
        "weight_hh": "H H H @ hidden",
        "bias_ih": "H H H",
        "bias_hh": "H H H",
    }
    assert list(layers(helped)) == ["total", "total2", "total3"]


def test_a_reassigned_name_stands_for_its_last_value() -> None:
    @unrolled.cell
    def again(x, h):
        a = affine(x, h)
        a = tanh(a)
        a = a * 2
        h = a
        return locals()

    assert list(again.graph.values) == ["a", "h"]
    assert again.graph.values["a"] is again.graph.values["h"]
    assert str(again.graph.values["a"]) == "<tanh(W_ia @ x + b_ia + W_ha @ h + b_ha) * 2>"


def test_values_that_reach_no_state_are_kept() -> None:
    @unrolled.cell
    def watched(x, h):
        h = tanh(affine(x, h))
        norm = mean(h * h)
        return locals()

    assert list(watched.graph.values) == ["h", "norm"]


def test_names_that_are_no_symbols_are_left_out() -> None:
    @unrolled.cell
    def mixed(x, h):
        number, text, p, one = 1, "text", vector(), constant(1)
        h = tanh(affine(x, h)) * p * one * number
        return locals()

    assert list(mixed.graph.values) == ["h"]


def test_states_come_in_the_order_of_the_signature_and_values_as_computed() -> None:
    @quiet
    def order(x, a, b):
        late = tanh(affine(x, a))
        b = b * late
        a = late
        return locals()

    assert order.states == ("a", "b")
    assert list(order.graph.values) == ["late", "a", "b"]


def test_a_delayed_state_takes_an_old_value() -> None:
    @quiet
    def delayed(x, h, c):
        c = h
        h = tanh(affine(x, c))
        return locals()

    given = sample(delayed.graph)
    values, last = execute(delayed.graph, given)
    assert values["c"][0].equal(given.states["h"])
    assert values["c"][1:].equal(values["h"][:-1])
    assert last["c"].equal(values["h"][-2])


def test_swapped_states() -> None:
    @quiet
    def swapped(x, h, c, d):
        h = tanh(affine(x, h))
        c, d = d, c
        return locals()

    given = sample(swapped.graph, steps=3)
    values, last = execute(swapped.graph, given)
    assert values["c"][0].equal(given.states["d"])
    assert values["c"][1].equal(given.states["c"])
    assert last["c"].equal(given.states["d"])


@pytest.mark.parametrize("number", [0, 0.5, np.float64(0.5)])
def test_a_constant_state(number: float) -> None:
    @unrolled.cell
    def fixed(x, h, c):
        h = tanh(affine(x, h)) + c
        c = number
        return locals()

    assert dict(fixed.graph.states) == {"h": "hidden", "c": "one"}
    given = sample(fixed.graph)
    values, last = execute(fixed.graph, given)
    assert values["c"].shape == (4, 2, 1)
    assert (values["c"] == float(number)).all()
    assert last["c"].shape == (2, 1)
    assert (last["c"] == float(number)).all()


def test_a_scalar_state() -> None:
    @unrolled.cell
    def averaged(x, h, level):
        h = tanh(affine(x, h, level)) + level
        level = mean(h * h)
        return locals()

    assert dict(averaged.graph.states) == {"h": "hidden", "level": "one"}
    assert shapes(averaged)["weight_levelh"] == "H @ one"
    values, last = execute(averaged.graph, sample(averaged.graph))
    assert last["level"].shape == (2, 1)
    torch.testing.assert_close(values["level"], (values["h"] ** 2).mean(-1, keepdim=True))


def test_a_state_whose_size_nothing_decides_has_h_units() -> None:
    @quiet
    def leaky(x, h, level):
        h = tanh(affine(x, h))
        level = 0.5 * level + 0.5 * mean(h)
        return locals()

    assert dict(leaky.graph.states) == {"h": "hidden", "level": "hidden"}
    _, last = execute(leaky.graph, sample(leaky.graph))
    assert last["level"].shape == (2, 3)


def test_the_output_is_h_wherever_it_stands() -> None:
    @unrolled.cell
    def last(x, c, h):
        c = c + tanh(affine(x, h))
        h = tanh(c)
        return locals()

    assert last.output == "h"
    assert last.states == ("c", "h")
    assert shapes(last)["weight_hh"] == "H @ hidden"
    assert "weight_ch" not in shapes(last)


def test_without_h_the_output_is_the_first_state() -> None:
    @unrolled.cell
    def named(u, s, r):
        s = tanh(affine(u, s, r))
        r = s * r
        return locals()

    assert named.output == "s"
    assert list(named.graph.inputs) == ["u"]
    assert list(shapes(named)) == [
        *("weight_ih", "weight_hh", "weight_rh", "bias_ih", "bias_hh", "bias_rh")
    ]


def test_positional_only_states() -> None:
    @unrolled.cell
    def positional(x, h, /):
        h = tanh(affine(x, h))
        return locals()

    assert positional.states == ("h",)


# Names and rows of what is learned.


def test_rows_follow_the_order_of_appearance() -> None:
    @unrolled.cell
    def rows(x, h):
        only_x = affine(x)
        both = affine(x, h)
        only_h = affine(h)
        unbiased = affine(x, h, bias=False)
        h = tanh(unbiased * only_h + both + only_x)
        return locals()

    assert layers(rows) == {
        "only_x": [("ih", 0, 0)],
        "both": [("ih", 1, 1), ("hh", 0, 0)],
        "only_h": [("hh", 1, 1)],
        "unbiased": [("ih", 2, None), ("hh", 2, None)],
    }
    assert shapes(rows) == {
        "weight_ih": "H H H @ input",
        "weight_hh": "H H H @ hidden",
        "bias_ih": "H H",
        "bias_hh": "H H",
    }


def test_rows_do_not_follow_the_order_of_use() -> None:
    @quiet
    def used(x, h):
        first, second = affine(x), affine(x)
        h = tanh(second) * first
        return locals()

    assert layers(used) == {"second": [("ih", 1, 1)], "first": [("ih", 0, 0)]}


def test_a_layer_that_nothing_uses_has_no_rows() -> None:
    @quiet
    def unused(x, h):
        affine(x, h)
        h = tanh(affine(x, h))
        return locals()

    assert layers(unused) == {"h": [("ih", 0, 0), ("hh", 0, 0)]}


def test_other_sources_have_matrices_of_their_own() -> None:
    @unrolled.cell
    def sources(x, h, c):
        r = sigmoid(affine(x, c))
        named = r * h
        n = tanh(affine(x, named) + affine(r * c))
        c = tanh(affine(x, c))
        h = n * c
        return locals()

    assert shapes(sources) == {
        "weight_ih": "H H H @ input",
        "weight_ch": "H H @ hidden",
        "weight_namedh": "H @ hidden",
        "weight_rch": "H @ hidden",
        "bias_ih": "H H H",
        "bias_ch": "H H",
        "bias_namedh": "H",
        "bias_rch": "H",
    }


def test_a_source_with_two_names_goes_by_the_first() -> None:
    @quiet
    def twice(x, h):
        a = tanh(affine(x))
        b = a
        h = affine(b)
        return locals()

    assert "weight_ah" in shapes(twice)


def test_a_value_named_i_as_a_source() -> None:
    @unrolled.cell
    def named_i(x, h):
        i = tanh(affine(x))
        f = sigmoid(affine(x, h, i))
        h = f * i
        return locals()

    assert list(shapes(named_i)) == [
        *("weight_ih", "weight_hh", "weight_i_h", "bias_ih", "bias_hh", "bias_i_h")
    ]
    assert no_name_twice(named_i)


def test_a_state_named_i() -> None:
    @unrolled.cell
    def state_i(x, h, i):
        f = sigmoid(affine(x, h, i))
        h = f * i
        i = tanh(h)
        return locals()

    assert "weight_i_h" in shapes(state_i)
    assert no_name_twice(state_i)


def test_an_output_named_i() -> None:
    @unrolled.cell
    def output_i(x, i):
        i = tanh(affine(x, i))
        return locals()

    assert list(shapes(output_i)) == ["weight_ih", "weight_hh", "bias_ih", "bias_hh"]
    assert no_name_twice(output_i)


def test_the_same_expression_and_the_same_name() -> None:
    @unrolled.cell
    def stems(x, h):
        ab = tanh(affine(x))
        a = tanh(affine(x))
        b = tanh(affine(x))
        h = affine(ab) + affine(a * b) + affine(b * a) + affine(mean(h), 2 * h)
        return locals()

    assert {name for name in shapes(stems) if name.startswith("weight")} == {
        *("weight_ih", "weight_abh", "weight_ab_h", "weight_bah", "weight_h_h", "weight_h__h")
    }
    assert no_name_twice(stems)


def test_names_that_meet_when_joined() -> None:
    @quiet
    def joined(x, h, a, a_b):
        c = tanh(affine(x, a_b))
        b_c = tanh(affine(x, a))
        h = b_c * c
        a = tanh(h)
        a_b = a * h
        return locals()

    assert no_name_twice(joined)


def test_a_reset_gate_beside_a_projection() -> None:
    @unrolled.cell
    def projected_gru(x, h, c):
        r = sigmoid(affine(x, h))
        c = r * tanh(affine(x, h)) + (1 - r) * c
        h = project(c)
        return locals()

    assert shapes(projected_gru)["weight_hr"] == "P @ hidden"
    assert no_name_twice(projected_gru)


def no_name_twice(cell: Cell) -> bool:
    """Whether all weights have different names in the printed equations."""
    parts = sum(
        1 + (block.bias is not None)
        for node in cell.graph.layers
        for block in node.attribute.blocks
    )
    arrays = dict(sample(cell.graph).weights)
    return len(unrolled.equations.weights(cell.graph, arrays)) == parts + len(cell.graph.learned)


def test_two_layers_in_one_line() -> None:
    @unrolled.cell
    def two(x, h):
        n = tanh(affine(x, h) * affine(x, h) + affine(h))
        h = n
        return locals()

    assert layers(two) == {
        "n": [("ih", 0, 0), ("hh", 0, 0)],
        "n2": [("ih", 1, 1), ("hh", 1, 1)],
        "n3": [("hh", 2, 2)],
    }
    assert no_name_twice(two)


def test_layers_that_share_no_matrix_share_a_name() -> None:
    assert [node.attribute.name for node in unrolled.cells.gru.graph.layers].count("n") == 2


def test_unnamed_vectors_and_scalars() -> None:
    @unrolled.cell
    def unnamed(x, h):
        n = vector() * tanh(affine(x, h)) + vector(0.5) * scalar(2.0)
        h = vector() * n
        return locals()

    learned = {p.name: p.init for p in parameters(unnamed.graph) if "ih" not in p.name}
    learned = {name: init for name, init in learned.items() if "hh" not in name}
    assert learned == {"vector_n": None, "vector_n2": 0.5, "scalar_n": 2.0, "vector_h": None}


def test_a_vector_goes_by_its_variable() -> None:
    @quiet
    def named(x, h):
        p, unused = vector(), vector()
        g = scalar(0.5)
        h = tanh(affine(x, h) * p) * g
        return locals()

    assert shapes(named)["p"] == "H"
    assert shapes(named)["g"] == "O"
    assert "unused" not in shapes(named)


def test_layer_norms_are_named_after_their_lines() -> None:
    @unrolled.cell
    def normed(x, h):
        n = layer_norm(affine(x)) * layer_norm(affine(h))
        h = layer_norm(n)
        return locals()

    learned = {p.name: p.init for p in parameters(normed.graph)}
    assert (
        learned.items()
        >= {
            "norm_weight_n": 1.0,
            "norm_bias_n": 0.0,
            "norm_weight_n2": 1.0,
            "norm_bias_n2": 0.0,
            "norm_weight_h": 1.0,
            "norm_bias_h": 0.0,
        }.items()
    )


def test_a_vector_has_the_size_of_what_it_meets() -> None:
    @unrolled.cell
    def sized(x, h, c):
        p, q, r = vector(), vector(), vector()
        c = c + tanh(affine(x * r, h)) * p
        h = q * project(c) + layer_norm(project(c * 2))
        return locals()

    assert {name: shapes(sized)[name] for name in "pqr"} == {"p": "H", "q": "P", "r": "I"}
    assert shapes(sized)["norm_weight_h"] == "P"
    assert shapes(sized)["weight_hh"] == "H @ projection"


def test_projections() -> None:
    @quiet
    def twice(x, h, c):
        hr = tanh(affine(x, h))
        c = project(tanh(affine(x, c, hr)))
        h = project(hr)
        return locals()

    assert twice.projects
    assert dict(twice.graph.states) == {"h": "projection", "c": "projection"}
    assert shapes(twice) == {
        "weight_ih": "H H @ input",
        "weight_hh": "H @ projection",
        "weight_ch": "H @ projection",
        "weight_hrh": "H @ hidden",
        "bias_ih": "H H",
        "bias_hh": "H",
        "bias_ch": "H",
        "bias_hrh": "H",
        "weight_hr": "P @ hidden",
        "weight_hr2": "P @ hidden",
    }
    assert no_name_twice(twice)
    execute(twice.graph, sample(twice.graph))


def test_learned_parts_are_counted_anew_for_every_cell() -> None:
    def made(x, h):
        h = tanh(affine(x, h))
        return locals()

    assert unrolled.cell(made) == unrolled.cell(made)


def test_a_cell_within_a_cell() -> None:
    @unrolled.cell
    def outer(x, h):
        before = affine(x)

        @unrolled.cell
        def inner(x, h):
            h = tanh(affine(x, h))
            return locals()

        n = tanh(before + affine(h))
        h = n
        return locals()

    assert layers(outer) == {"before": [("ih", 0, 0)], "n": [("hh", 0, 0)]}


def test_a_value_that_is_used_twice_is_a_line_of_its_own() -> None:
    """A recurrent highway step (Zilly et al. 2017) in a loop: its text grows line by line."""

    @unrolled.cell
    def highway(x, h):
        for depth in range(8):
            sources = (x, h) if depth == 0 else (h,)
            u = sigmoid(affine(*sources))
            h = u * tanh(affine(*sources)) + (1 - u) * h
        return locals()

    text = highway.python()
    assert len(text) < 6000
    assert all(len(name) < 16 for name in shapes(highway))
    assert [name for name in highway.graph.values if name.startswith("v")]


def test_functions_of_other_libraries_are_refused_with_the_line() -> None:
    def outside(x, h):
        h = np.tanh(affine(x, h))
        return locals()

    message = refused(outside)
    assert message.startswith(f"outside: line {line(outside, 'np.tanh')}: ")
    assert "the functions of unrolled" in message


def test_the_first_name_of_a_value_is_that_to_which_it_was_assigned_first() -> None:
    @unrolled.cell
    def handed(x, h, c):
        c = tanh(affine(x, h, c))
        h = c
        return locals()

    @unrolled.cell
    def copied(x, h):
        h = tanh(affine(x, h))
        d = h
        return locals()

    assert list(handed.graph.lines) == ["c", "h"]
    assert list(copied.graph.lines) == ["h", "d"]
    assert handed.text().splitlines()[1] == "hₜ = cₜ"
    assert copied.text().splitlines()[1] == "dₜ = hₜ"


def test_hyperparameters_stand_in_the_order_of_the_signature() -> None:
    @unrolled.cell
    def ordered(x, h, *, five=5.0, dt=0.1, alpha=0.9):
        h = alpha * h + dt * tanh(affine(x, h)) + five
        return locals()

    assert list(ordered.graph.written.hyperparameters) == ["five", "dt", "alpha"]
    assert ordered.python().index("five = 5") < ordered.python().index("dt = 0.1")


def test_numbers_computed_from_hyperparameters_stand_as_they_were_written() -> None:
    @unrolled.cell
    def leaky(x, h, *, alpha=0.9, dt=0.1, tau=3.0, turns=2):
        z = tanh(affine(x, h))
        for _ in range(turns):
            z = -dt * z
        h = (1 - alpha) * h + dt / tau * z + 1 / (2 * tau) + turns
        return locals()

    assert "(1 - alpha) * h + dt / tau * z + 1 / (2 * tau)" in leaky.python()
    assert "tau = 3" in leaky.python()
    assert "\\left(1 - \\alpha\\right) \\cdot h_{t-1}" in leaky.latex()
    again = Cell.from_json(leaky.to_json())
    assert again.python() == leaky.python()
    other = leaky(alpha=0.5)
    assert "alpha = 0.5" in other.python()
    assert "(1 - alpha)" in other.python()


def test_a_number_that_is_a_hyperparameter_for_some_values_stands_as_a_number() -> None:
    @unrolled.cell
    def chooses(x, h, *, a=0.7, b=0.25, p=0.5, scale=-2.0):
        assert 0 < p < 1
        u = sigmoid(affine(x, h))
        h = max(a, 0.5) * u + min(b, 0.3) * h + abs(scale) * u + p * h
        return locals()

    assert chooses.graph.written.hyperparameters == {"p": 0.5}
    assert "0.7 * u + 0.25 * h + 2 * u + p * h" in chooses.python()


def test_hyperparameters_that_look_like_something_else_stand_as_numbers() -> None:
    @unrolled.cell
    def alike(x, h, *, x_t=0.125, _x=0.25, W_iu=0.375, sigma=0.625, b_hu=3.5, h_=7.5, alpha=9.5):
        u = sigmoid(affine(x, h))
        h = x_t * h + _x * u + W_iu * u * h + sigma * h * h + b_hu * u * u + h_ * u + alpha * h
        return locals()

    assert alike.graph.written.hyperparameters == {"alpha": 9.5}
    for number in ("0.125", "0.25", "0.375", "0.625", "3.5", "7.5"):
        assert f"{number} · " in alike.text(), number
    assert "α · hₜ₋₁" in alike.text()
    again = Cell.from_json(alike.to_json())
    assert again.text() == alike.text()
    assert again.python() == alike.python()


def test_hyperparameters_that_look_alike_stand_as_numbers() -> None:
    @unrolled.cell
    def twins(x, h, *, a1=0.5, a_1=0.25, tau=0.75):
        h = a1 * tanh(affine(x, h)) + a_1 * h + tau * h * h
        return locals()

    assert twins.graph.written.hyperparameters == {"tau": 0.75}
