import json
import math
from typing import Any

import msgspec
import pytest

from unrolled.apps.train.task import Metric
from unrolled.schema import DEEPEST, Count, Finite, Positive, Size, checked, parse


@pytest.mark.parametrize("brackets", ["[]", "{}"])
def test_brackets_in_each_other_are_bounded(brackets: str) -> None:
    opening = "[" if brackets == "[]" else '{"a":'
    parse(opening * (DEEPEST - 1) + "0" + brackets[1] * (DEEPEST - 1))
    for depth in (DEEPEST + 1, 1000, 100_000):
        with pytest.raises(ValueError, match="more than 64 levels"):
            parse(opening * depth + "0" + brackets[1] * depth)


@pytest.mark.parametrize("text", ["", "{", "9" * 5000, "[1,]", "nul", '{"a":1} x', b"\xff\xfe\x00"])
def test_what_is_no_json_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(text)


def test_numbers_that_json_has_not_are_read_as_python_writes_them() -> None:
    data = [math.inf, -math.inf, 1e300]
    assert parse(json.dumps(data)) == data
    assert math.isnan(parse("NaN"))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        *((Count, value) for value in (-1, 2**53 + 1, 10**400, 1.0, True, "1", None, [])),
        *((Size, value) for value in (0, -1, False)),
        *((Finite, value) for value in (math.nan, math.inf, -math.inf, 10**400, True, "1.0")),
        *((Positive, value) for value in (0, 0.0, -1e-9, math.nan, math.inf)),
    ],
)
def test_what_is_no_such_number_is_refused(kind: Any, value: Any) -> None:
    with pytest.raises(ValueError, match=r"value is .*: "):
        checked({"value": value}, msgspec.defstruct("Holder", [("value", kind)]))


def test_names_that_a_dataclass_lacks_are_refused() -> None:
    assert checked({"name": "bits", "item": "chars"}, Metric) == Metric("bits", "chars")
    with pytest.raises(ValueError, match="unknown: 'more'"):
        checked({"name": "bits", "item": "chars", "more": 1}, Metric)


def test_the_value_in_a_message_is_short() -> None:
    with pytest.raises(ValueError, match="expected `int`") as error:
        checked({"a": {"b": ["x" * 10**6]}}, dict[str, dict[str, list[int]]])
    assert len(str(error.value)) < 200
