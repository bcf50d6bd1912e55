import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.equations.arithmetic import Arithmetic
from unrolled.errors import CellError
from unrolled.graph.node import Node
from unrolled.graph.scalars import ARITHMETIC, hyperparameter, leaves_of, parse, text, value

NUMBERS = st.floats(-1e3, 1e3, allow_nan=False) | st.integers(-20, 20)
NAMES = st.sampled_from(["dt", "tau", "alpha"])


@given(st.lists(st.tuples(st.sampled_from("+-*/n"), NAMES | NUMBERS, st.booleans()), max_size=8))
def test_what_python_computes_is_remembered_as_it_was_computed(steps) -> None:
    known = {"dt": 0.1, "tau": 3.0, "alpha": 7}
    arithmetic = Arithmetic()
    names = {name: arithmetic.hyperparameter(name, each) for name, each in known.items()}
    number, plain = names["dt"], 0.1
    for sign, other, swapped in steps:
        a, b = (names[other], known[other]) if isinstance(other, str) else (other, other)
        if sign == "n":
            number, plain = -number, -plain
            continue
        if sign == "/" and (plain if swapped else b) == 0:
            continue
        (one, two), (three, four) = (
            ((a, number), (b, plain)) if swapped else ((number, a), (plain, b))
        )
        number = (
            {"+": one + two, "-": one - two, "*": one * two}.get(sign) if sign != "/" else one / two
        )
        plain = (
            {"+": three + four, "-": three - four, "*": three * four}.get(sign)
            if sign != "/"
            else three / four
        )
    assert number == plain or plain != plain
    scalar = getattr(number, "scalar", None)
    if scalar is not None and plain == plain and abs(plain) != float("inf"):
        assert value(scalar, known) == plain
        again = parse(text(scalar))
        assert again is scalar or text(again) == text(scalar)
        assert value(again, known) == plain
        assert leaves_of([again]) <= set(known)


@pytest.mark.parametrize(
    "code",
    [
        "",
        "dt +",
        "dt ** 2",
        "f(dt)",
        "dt.real",
        "[dt]",
        "True",
        "'a'",
        "dt if dt else 1",
        "1j",
        "a" * 300,
        "(" * 150,
        "dt\0",
        "lambda: 1",
        "dt := 1",
    ],
)
def test_no_other_code_is_read(code) -> None:
    with pytest.raises(CellError, match="no number computed from hyperparameters"):
        parse(code)


def test_every_operation_of_arithmetic_can_be_written_and_read() -> None:
    a, b = hyperparameter("a"), hyperparameter("b")
    for operation in ARITHMETIC:
        made = Node(operation, (a, b)[: 1 if operation.name == "NEG" else 2])
        assert parse(text(made)) is made
