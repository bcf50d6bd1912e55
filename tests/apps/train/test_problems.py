import math
from typing import Any

import pytest

from unrolled.apps.train import problems
from unrolled.apps.train.alphabet import Alphabet
from unrolled.apps.train.characters import Characters
from unrolled.apps.train.classify.problem import Classification
from unrolled.apps.train.classify.reading import Cells, Numbers, Text
from unrolled.apps.train.pairs.problem import Translation
from unrolled.apps.train.series.problem import Forecasting
from unrolled.errors import UserError

LETTERS = Alphabet("characters", ("a", "b"))
WHOLE = {
    "text": Characters("ab"),
    "words": Classification(Cells(("x",), True), "y", Text(LETTERS), ("n", "p"), 9),
    "numbers": Classification(
        Cells(("a", "b", "c", "d"), False, 2), "y", Numbers((0.0, 1.0), (1.0, 2.0)), ("n", "p"), 9
    ),
    "series": Forecasting("x", ("z",), 4, 2, 1, True, (0.0, 1.0), (1.0, 2.0), 0.5),
    "pairs": Translation(LETTERS, LETTERS, 9, True),
}


@pytest.mark.parametrize("problem", WHOLE.values(), ids=WHOLE)
def test_what_is_written_is_read(problem: Any) -> None:
    assert problems.from_json(problems.to_json(problem)) == problem


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("words", {"columns": []}, "columns"),
    ("words", {"columns": "x"}, "columns"),
    ("words", {"columns": ["x", "z"]}, "text of one column"),
    ("words", {"text": False}, "text of one column, or numbers"),
    ("words", {"text": 1}, "text is 1"),
    ("words", {"reading": {}}, "either text or numbers"),
    ("words", {"reading": {"text": {"by": "lines", "symbols": []}}}, "--by must be one of"),
    ("words", {"reading": {"text": {"by": "words", "symbols": [1]}}}, r"symbols\[0\] is 1"),
    ("words", {"reading": {"text": {"by": "words"}}}, "symbols"),
    ("words", {"classes": []}, "classes"),
    ("words", {"classes": ["n", "n"]}, "twice"),
    ("words", {"longest": 0}, "longest is 0"),
    ("words", {"longest": 10**400}, "longest is"),
    ("numbers", {"step": 3}, "step is 3: 4 columns cannot be read so"),
    ("numbers", {"step": 4}, "step is 4"),
    ("numbers", {"reading": {"numbers": {"mean": [0.0], "scale": [1.0, 2.0]}}}, "1 means, but 2"),
    ("numbers", {"reading": {"numbers": {"mean": [], "scale": []}}}, "mean"),
    ("numbers", {"reading": {"numbers": {"mean": [0, 1], "scale": [0, 1]}}}, r"scale\[0\] is 0"),
    ("numbers", {"reading": {"numbers": {"mean": [math.nan], "scale": [1]}}}, "mean.* is nan"),
    ("series", {"mean": [0.0]}, "expected 2 numbers each"),
    ("series", {"scale": [1.0, -1.0]}, r"scale\[1\] is -1.0"),
    ("series", {"error": math.inf}, "error is inf"),
    ("series", {"window": 1.5}, "window is 1.5"),
    ("series", {"relative": "yes"}, "relative is 'yes'"),
    ("series", {"horizon": -3}, "horizon is -3"),
    ("series", {"more": 3}, "unknown: 'more'"),
    ("pairs", {"longest": 10**9}, "longest is 1000000000"),
    ("pairs", {"source": None}, "source is None"),
    ("pairs", {"attention": 0}, "attention is 0"),
    ("pairs", {"more": 0}, "unknown field `more`"),
]


@pytest.mark.parametrize(("name", "change", "words"), BAD)
def test_what_no_run_writes_is_named(name: str, change: dict[str, Any], words: str) -> None:
    with pytest.raises((ValueError, UserError), match=words):
        problems.from_json({**problems.to_json(WHOLE[name]), **change})
