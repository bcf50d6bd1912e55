from collections.abc import Callable
from typing import Any

import pytest

import unrolled
from samples import quiet
from unrolled import affine, mean, normalize, project, scalar, tanh, vector, where
from unrolled.errors import CellError
from unrolled.graph.graph import Graph
from unrolled.graph.node import Node
from unrolled.graph.operation import Operation

TOGETHER = "; bring them together with affine() or project()"


def next_h(value: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    def cell(x, h):
        h = value(x, h)
        return locals()

    return cell


def refused(value: Callable[[Any, Any], Any]) -> str:
    """What is said about a next value of h."""
    with pytest.raises(CellError) as caught:
        unrolled.cell(next_h(value))
    return str(caught.value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            lambda x, h: x * h,
            "cell: h = x * h: sizes that cannot agree: x has I units, h has H units" + TOGETHER,
        ),
        (
            lambda x, h: tanh(affine(x)) - x,
            "cell: h = tanh(W_ih @ x + b_ih) - x: sizes that cannot agree: "
            "tanh(W_ih @ x + b_ih) has H units, x has I units" + TOGETHER,
        ),
        (
            lambda x, h: project(affine(x, h)) + affine(x),
            "cell: h = W_hr @ (W_ih @ x + b_ih + W_hh @ h + b_hh) + (W_i_h2 @ x + b_i_h2): "
            "sizes that cannot agree: W_hr @ (W_ih @ x + b_ih + W_hh @ h + b_hh) has P units, "
            "W_i_h2 @ x + b_i_h2 has H units" + TOGETHER,
        ),
        (
            lambda x, h: where(x > 0, affine(x), h),
            "cell: h = where(x > 0, W_ih @ x + b_ih, h): sizes that cannot agree: x > 0 has I "
            "units, W_ih @ x + b_ih has H units, h has H units" + TOGETHER,
        ),
    ],
)
def test_sizes_that_cannot_agree(value: Callable[[Any, Any], Any], message: str) -> None:
    assert refused(value) == message


def test_a_state_of_two_sizes() -> None:
    """The projected h cannot be added to what has H units."""

    def residual(x, h, c):
        c = tanh(affine(x, h)) + h
        h = project(c)
        return locals()

    with pytest.raises(CellError, match="h has P units; bring them together with affine"):
        unrolled.cell(residual)


def test_a_vector_of_two_sizes() -> None:
    def shared(x, h):
        v = vector()
        h = v * project(affine(x, h)) + mean(v * affine(x))
        return locals()

    with pytest.raises(CellError, match=r"v has P units, .* has H units"):
        unrolled.cell(shared)


def test_a_state_never_has_the_inputs_units() -> None:
    with pytest.raises(CellError, match="the state h has H units, its next value I"):
        unrolled.cell(next_h(lambda x, h: tanh(x)))
    with pytest.raises(CellError, match="sizes that cannot agree"):
        unrolled.cell(next_h(lambda x, h: tanh(x + h)))


@pytest.mark.parametrize(
    "value",
    [
        lambda x, h: (h > 0) * affine(x),
        lambda x, h: tanh(h > 0) + affine(x),
        lambda x, h: mean(h > 0) * affine(x),
        lambda x, h: normalize(h > 0) * affine(x),
        lambda x, h: affine(x, h > 0),
        lambda x, h: where(h > 0, h < 1, affine(x)),
        lambda x, h: where((h > 0) < 1, h, affine(x)),
        lambda x, h: h > 0,
    ],
)
def test_conditions_outside_where(value: Callable[[Any, Any], Any]) -> None:
    message = refused(value)
    assert message.startswith("cell: h = ")
    assert message.endswith(": a condition such as a < b can only be used in where()")


@pytest.mark.parametrize("condition", [lambda x, h: h, lambda x, h: tanh(h), lambda x, h: 1])
def test_where_without_a_condition(condition: Callable[[Any, Any], Any]) -> None:
    message = refused(lambda x, h: where(condition(x, h), affine(x), h))
    assert message.startswith("cell: h = where(")
    assert message.endswith(": where() needs a condition such as a < b as its first argument")


def test_a_condition_with_a_name() -> None:
    @unrolled.cell
    def named(x, h):
        open_ = h > 0.5
        h = where(open_, affine(x), h)
        return locals()

    assert named.graph.sizes[named.graph.values["open_"]] == "hidden"


def test_sizes_of_values() -> None:
    @quiet
    def sized(x, h, c):
        a = mean(x) * scalar()
        b = tanh(x) * vector()
        c = affine(b) * a + c
        p = project(c) * vector()
        h = where(p > a, p, 0) + mean(c)
        one = scalar() + 1
        return locals()

    sizes = {name: sized.graph.sizes[node] for name, node in sized.graph.values.items()}
    assert sizes == {
        **{"a": "one", "b": "input", "c": "hidden", "p": "projection", "h": "projection"},
        "one": "one",
    }


def test_a_vector_that_nothing_decides_has_h_units() -> None:
    @quiet
    def alone(x, h):
        start = tanh(vector())
        h = affine(x, start) + mean(vector() * 2)
        return locals()

    assert all(node.attribute.size == "hidden" for node in alone.graph.learned)


def test_only_one_unit_can_be_spread() -> None:
    x, h = Node(Operation.INPUT, (), "x"), Node(Operation.STATE, (), "h")
    spread = Node(Operation.BROADCAST, (x, h))
    with pytest.raises(CellError, match="only a value of one unit can be spread over units"):
        Graph("spread", {"x": "input"}, {"h": "hidden"}, {"h": spread})
