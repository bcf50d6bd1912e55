"""Cells written in what is called like a function."""

import copy
import functools
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import unrolled
from unrolled import affine, relu, tanh
from unrolled.equations.function import CellFunction
from unrolled.errors import CellError


def leaky(x, h, *, k=0.5):
    """A leaky unit."""
    h = k * h + tanh(affine(x, h))
    return locals()


def with_argument(x, h, k):
    """A leaky unit."""
    h = k * h + tanh(affine(x, h))
    return locals()


def activated(x, h, *, act=tanh, k=1.0):
    """Any activation."""
    h = k * act(affine(x, h))
    return locals()


class Leaky:
    """A leaky unit."""

    def __init__(self, k: float) -> None:
        self.k = k

    def __call__(self, x, h):
        h = self.k * h + tanh(affine(x, h))
        return locals()

    def method(self, x, h):
        """A leaky unit."""
        h = self.k * h + tanh(affine(x, h))
        return locals()

    @staticmethod
    def static(x, h, *, k=2):
        h = k * h + tanh(affine(x, h))
        return locals()


def wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **options: Any) -> Any:
        return function(*args, **options)

    return wrapper


KINDS: dict[str, tuple[Any, str]] = {
    "partial": (functools.partial(leaky, k=2), "leaky"),
    "partial of an argument": (functools.partial(with_argument, k=2), "with_argument"),
    "partial of a partial": (functools.partial(functools.partial(leaky, k=1), k=2), "leaky"),
    "object": (Leaky(2), "Leaky"),
    "bound method": (Leaky(2).method, "method"),
    "static method": (Leaky.static, "static"),
    "partial of a method": (functools.partial(Leaky.method, Leaky(2)), "method"),
    "partial of an object": (functools.partial(Leaky(2)), "Leaky"),
    "wrapped": (functools.partial(wrapped(leaky), k=2), "leaky"),
    "lambda": (lambda x, h: {"h": 2 * h + tanh(affine(x, h))}, "<lambda>"),
}


@pytest.mark.parametrize(("function", "name"), KINDS.values(), ids=KINDS)
def test_whatever_can_be_called_is_a_cell(function: Any, name: str) -> None:
    cell = unrolled.cell(function)
    assert cell.name == name
    assert cell.doc in ("A leaky unit.", "")
    assert cell.states == ("h",)
    layer = unrolled.Recurrent(cell, 3, 4)
    twin = unrolled.Recurrent(unrolled.cell(leaky)(k=2), 3, 4)
    twin.load_state_dict(layer.state_dict())
    x = torch.randn(5, 2, 3)
    torch.testing.assert_close(layer(x), twin(x))
    again = pickle.loads(pickle.dumps(cell))
    assert again == cell
    assert (again.name, again.doc) == (cell.name, cell.doc)
    assert pickle.loads(pickle.dumps(layer)).cell == cell
    assert copy.deepcopy(layer).cell is cell


def test_what_a_partial_fixes_is_a_hyperparameter() -> None:
    cell = unrolled.cell(functools.partial(leaky, k=2))
    assert cell.hyperparameters == {"k": 2}
    assert cell(k=0.5) == unrolled.cell(leaky)
    argument = unrolled.cell(functools.partial(with_argument, k=2))
    assert argument.hyperparameters == {"k": 2}
    assert argument(k=3) == unrolled.cell(functools.partial(with_argument, k=3))


def test_a_partial_fixes_what_is_no_number() -> None:
    cell = unrolled.cell(functools.partial(activated, act=relu))
    assert cell.hyperparameters == {"k": 1.0}
    assert str(cell(k=2).graph.values["h"]).startswith("<2 * relu(")
    with pytest.raises(CellError, match="activated takes k, got act"):
        cell(act=tanh)
    with pytest.raises(CellError, match="the hyperparameter act needs a number as its default"):
        unrolled.cell(activated)


def test_an_object_or_partial_may_have_a_name() -> None:
    named = functools.partial(leaky, k=2)
    named.__name__ = "fast"  # pyright: ignore[reportAttributeAccessIssue]
    assert unrolled.cell(named).name == "fast"
    unit = Leaky(2)
    unit.__name__ = "slow"  # pyright: ignore[reportAttributeAccessIssue]
    assert unrolled.cell(unit).name == "slow"


class Branching:
    def __call__(self, x, h):
        if h:
            h = affine(x)
        return locals()


def branching(x, h, *, k=1):
    return Branching()(x, h * k)


@pytest.mark.parametrize(
    ("function", "line"),
    [
        (Branching(), Branching.__call__.__code__.co_firstlineno + 1),
        (Branching().__call__, Branching.__call__.__code__.co_firstlineno + 1),
        (functools.partial(Branching()), Branching.__call__.__code__.co_firstlineno + 1),
        (functools.partial(branching, k=2), branching.__code__.co_firstlineno + 1),
        (wrapped(branching), branching.__code__.co_firstlineno + 1),
    ],
    ids=["object", "method", "partial of an object", "partial", "wrapped"],
)
def test_errors_name_the_line(function: Any, line: int) -> None:
    with pytest.raises(CellError, match=rf": line {line}, h.*: a symbol has no value until the ce"):
        unrolled.cell(function)


class Module(torch.nn.Module):
    def forward(self, x, h):
        return locals()


@pytest.mark.parametrize(
    ("thing", "message"),
    [
        (Leaky, r"Leaky is a class: make a cell of an object of it, unrolled\.cell\(Leaky\("),
        (Module(), r"Module is a module: .* made in it, by affine\(\), vector\(\) or scalar\(\)"),
        (torch.nn.Linear(2, 3), "Linear is a module"),
        (unrolled.cells.gru, "gru is a cell already"),
        (3, "int is no function"),
        (
            lambda x, h, k=2: {},
            r"<lambda>: k=2 makes k a state .* keyword-only: \(\.\.\., \*, k=2\)",
        ),
        (functools.partial(leaky, k=torch.tensor(2.0)), r"hyperparameter k needs a number.*scalar"),
        (functools.partial(leaky, k=np.ones(2)), r"hyperparameter k needs a number.*vector"),
    ],
    ids=["class", "module", "layer", "cell", "number", "default", "tensor", "array"],
)
def test_what_is_no_cell(thing: Any, message: str) -> None:
    with pytest.raises(CellError, match=message):
        unrolled.cell(thing)


@pytest.mark.parametrize("value", [torch.tensor(1.0), "1", None, True, np.ones(1)], ids=repr)
def test_a_new_hyperparameter_is_a_number(value: Any) -> None:
    with pytest.raises(CellError, match="leaky: the hyperparameter k must be a number, got"):
        unrolled.cell(leaky)(k=value)


def test_assignments_and_reads() -> None:
    def lines(x, h, c):
        c = x

        d = c  # a line further down
        h = d + h
        return locals()

    function = CellFunction(lines)
    first = lines.__code__.co_firstlineno
    assert function.assignments("c") == [first + 1]
    assert function.assignments("h") == [first + 4]
    assert function.assignments("x") == []
    assert function.is_assigned_first("c")
    assert not function.is_assigned_first("h")
    assert not function.is_assigned_first("x")


# Arrays of other libraries in a cell.

WEIGHT = torch.nn.Parameter(torch.tensor(0.5))
ARRAYS = {
    "parameter": WEIGHT,
    "data": WEIGHT.data,
    "vector": torch.ones(4),
    "array": np.array(0.5),
    "matrix": np.ones((4, 4)),
}


@pytest.mark.parametrize("value", ARRAYS.values(), ids=ARRAYS)
@pytest.mark.parametrize(
    "use",
    [
        lambda h, v: v * h,
        lambda h, v: h / v,
        lambda h, v: unrolled.where(h > v, h, 0),
        lambda h, v: unrolled.where(h > 0, v, 0),
        lambda h, v: unrolled.maximum(h, v),
        lambda h, v: tanh(v) * h,
        lambda h, v: affine(h, v),
        lambda h, v: unrolled.project(v),
        lambda h, v: unrolled.vector(v) * h,
        lambda h, v: unrolled.scalar(v) * h,
        lambda h, v: unrolled.normalize(h, v),
        lambda h, v: v,
    ],
)
def test_arrays_in_a_cell_are_refused(use: Any, value: Any) -> None:
    def frozen(x, h):
        h = affine(x, h)
        h = use(h, value)
        return locals()

    with pytest.raises(
        CellError, match=r"^frozen: .*scalar\(\), vector\(\).*hyperparameter"
    ) as got:
        unrolled.cell(frozen)
    assert "\n" not in str(got.value)
    assert type(value).__name__ in str(got.value)


def test_a_module_in_a_cell_is_refused() -> None:
    linear = torch.nn.Linear(3, 4)

    def called(x, h):
        h = tanh(linear(x) + affine(h))
        return locals()

    def multiplied(x, h):
        h = linear * affine(x, h)
        return locals()

    for function in (called, multiplied):
        with pytest.raises(CellError, match=r"line \d+.*affine\(\).*scalar\(\)|scalar\(\).*affine"):
            unrolled.cell(function)


def test_what_was_taken_out_of_a_tensor_is_a_number() -> None:
    def fixed(x, h):
        h = WEIGHT.item() * h + tanh(affine(x, h)) * np.float32(0.5)
        return locals()

    assert "0.5 * h" in str(unrolled.cell(fixed).graph.values["h"])
