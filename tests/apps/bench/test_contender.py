import pytest
import torch

from unrolled.apps.bench.contender import Contender

from .fakes import contender


def test_right_numbers_are_accepted() -> None:
    assert contender("a").complaint() is None
    assert contender("a", value=1 + 5e-6).complaint() is None


@pytest.mark.parametrize("value", [1.001, -1.0, float("nan"), float("inf")])
def test_wrong_numbers_are_named(value: float) -> None:
    complaint = contender("a", value=value).complaint()
    assert complaint is not None
    assert complaint.startswith("a: output is off by")


def test_other_shapes_and_names_are_wrong() -> None:
    right = {"output": torch.ones(2, 1, dtype=torch.float64)}
    shape = Contender("a", list, lambda _: {"output": torch.ones(2)}, lambda: right, 1)
    assert shape.complaint() == "a: output is (2,), expected (2, 1)"
    name = Contender("a", list, lambda _: {"h": torch.ones(2, 1)}, lambda: right, 1)
    assert name.complaint() == "a: gives h, expected output"


def test_work_that_fails_is_wrong() -> None:
    def work() -> None:
        raise ValueError("too odd\nand more")

    made = Contender("a", work, dict, dict, 1)
    assert made.complaint() == "a: ValueError: too odd"
