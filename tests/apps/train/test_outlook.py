"""When a run will pass a simple predictor, as its curve tells."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.apps.train.outlook import Point, outlook, steps_until

from .tables import run


@given(
    slope=st.floats(-2, -0.01), level=st.floats(1, 5), steps=st.integers(100, 10_000),
    part=st.floats(0.01, 0.9),
)  # fmt: skip
def test_a_curve_that_falls_by_as_much_with_each_doubling_is_followed(
    slope: float, level: float, steps: int, part: float
) -> None:
    places = [steps * k // 8 for k in range(1, 9)]
    curve = [Point(each, level + slope * math.log(each)) for each in places]
    target = curve[-1].loss + part * slope
    told = steps_until(curve, target)
    assert told == pytest.approx(places[-1] * math.exp(part), rel=1e-3)


def said(curve: list[tuple[int, float]], target: float = 1.0) -> str:
    return outlook([Point(*each) for each in curve], target, "a 5-gram", 1.0, 64, 0.0)


def test_every_curve_has_an_answer() -> None:
    assert "three evaluations would tell" in said([(10, 3.0)])
    assert "no longer falls; more text would help most, else --dropout 0.3" in said(
        [(10, 3.0), (20, 2.0), (40, 2.1), (80, 2.2)]
    )
    assert "more than 1,000 times as long" in said([(10, 3.0), (20, 2.9), (40, 2.8)])
    text = said([(10, 3.0), (20, 2.5), (40, 2.0)])
    assert "about step 160, in 2 minutes; go on by --resume --steps 200" in text


def test_a_text_that_was_read_too_shortly_says_how_long_it_takes(tmp_path: Path) -> None:
    file = tmp_path / "text.txt"
    file.write_text("".join(f"{n} times {n % 7} is {n * (n % 7)}.\n" for n in range(400)))
    options = ("--hidden", 16, "--steps", 30, "--evaluate-every", 5, "--window", 16, "--batch", 4)
    text = run("train", "text", file, *options, "--out", tmp_path / "run")
    assert "for comparison, interpolated 5-gram" in text
    assert "It is not better than interpolated 5-gram yet" in text
