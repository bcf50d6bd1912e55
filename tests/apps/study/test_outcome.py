import json
import math
from pathlib import Path
from typing import Any

import pytest

from unrolled.apps.study.outcome import Outcome, Point, Results
from unrolled.errors import UserError

OUTCOME = Outcome(
    task="long",
    gap=2,
    entrant="lstm",
    digest="0",
    seed=0,
    hidden=4,
    steps=2,
    unit="accuracy",
    chance=0.1,
    goal=0.9,
    trained=0.5,
    held_out=math.nan,
    diverged=True,
    seconds=1.0,
    curve=[Point(1, 2.0, 0.5, math.nan)],
    gradients={0.0: [1.0, 0.5]},
    reading=None,
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    results = Results(tmp_path / "study.json")
    results.add(OUTCOME)
    return tmp_path / "study.json"


def test_what_is_written_is_read(file: Path) -> None:
    (outcome,) = Results(file)
    assert outcome.key == OUTCOME.key
    assert math.isnan(outcome.held_out)
    assert outcome.gradients == OUTCOME.gradients
    assert outcome.curve[0][:3] == OUTCOME.curve[0][:3]


@pytest.mark.parametrize(
    "change",
    [
        {"seed": -1},
        {"gap": 10**30},
        {"hidden": "4"},
        {"diverged": 1},
        {"curve": [[1, 2.0]]},
        {"gradients": {"x": [1.0]}},
        {"gradients": {"0.0": [[]]}},
        {"reading": {"words": []}},
        {"trained": "[red]"},
        {"more": 1},
    ],
)
def test_a_damaged_outcome_is_refused(file: Path, change: dict[str, Any]) -> None:
    data = json.loads(file.read_text())
    data["outcomes"][0].update(change)
    file.write_text(json.dumps(data))
    with pytest.raises(UserError, match=r"is damaged or not a study's results \("):
        Results(file)


@pytest.mark.parametrize("text", ["[" * 100_000, "[]", "null", '{"version": 1}', "9" * 5000, "\0"])
def test_what_is_no_study_is_refused(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(UserError, match="is damaged or not a study's results"):
        Results(file)
