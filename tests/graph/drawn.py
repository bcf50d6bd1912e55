"""Random cells for property tests."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from samples import quiet
from unrolled import (
    abs,
    affine,
    exp,
    layer_norm,
    log,
    log_sigmoid,
    maximum,
    mean,
    minimum,
    normalize,
    relu,
    scalar,
    sigmoid,
    sqrt,
    tanh,
    vector,
    where,
)
from unrolled.equations import Cell

UNARY: list[Callable[[Any], Any]] = [
    *(sigmoid, tanh, relu, abs, normalize, layer_norm, mean, log_sigmoid, lambda v: -v),
    lambda v: exp(tanh(v)),
    lambda v: log(v * v + 0.5),
    lambda v: sqrt(v * v + 0.5),
    lambda v: tanh(v) ** 2,
    lambda v: v * vector(),
    lambda v: scalar() * v + scalar(0.5),
    lambda v: affine(v),
    lambda v: v + 0.0,
    lambda v: 1.0 * v,
]
BINARY: list[Callable[[Any, Any], Any]] = [
    *(minimum, maximum),
    lambda a, b: a + b,
    lambda a, b: a - b,
    lambda a, b: a * tanh(b),
    lambda a, b: sigmoid(a) * b,
    lambda a, b: a / (b * b + 1),
    lambda a, b: -a + -b,
    lambda a, b: affine(a) if a is b else affine(a, b, bias=False),
    lambda a, b: where(a < b, a, b * 0.5),
    lambda a, b: where(a <= b, 0.25, tanh(a)),
]


@st.composite
def cells(draw: st.DrawFn) -> Cell:
    """A cell whose lines are drawn: each does something with the values above it."""

    @quiet
    def drawn(x, h, c):
        pool = [h, c, affine(x), affine(x, h), mean(x)]
        values = {}
        for number in range(draw(st.integers(1, 7))):
            values_above = st.sampled_from(pool)
            if draw(st.booleans()):
                value = draw(st.sampled_from(UNARY))(draw(values_above))
            else:
                function = draw(st.sampled_from(BINARY))
                value = function(draw(values_above), draw(values_above))
            pool.append(value)
            if draw(st.booleans()):
                values[f"v{number}"] = value
        h = tanh(pool[-1]) + affine(x)
        c = draw(st.sampled_from(pool)) * 0.5 + sigmoid(affine(h)) * c
        return {**values, "h": h, "c": c}

    return drawn
