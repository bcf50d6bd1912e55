import json
import math
from pathlib import Path
from typing import Any

import pytest

from stored import rewrite
from unrolled.apps.train import checkpoint as checkpoints
from unrolled.apps.train import header
from unrolled.errors import UserError

BAD = [
    ({"step": -1}, "step is -1: expected `int` >= 0"),
    ({"step": 10**400}, "step is .*: expected `int` <= "),
    ({"step": True}, "step is True: expected `int`"),
    ({"step": 2}, "last is of step 6, but the run is at step 2"),
    ({"stale": 7}, "stale is 7, but the run is at step 6"),
    ({"loss": math.nan}, "loss is nan"),
    ({"last": [6, {"loss": math.inf}]}, "expected `float` <="),
    ({"last": [6, {"accuracy": 1.0}]}, "missing required field `loss`"),
    ({"last": [6]}, "last"),
    ({"digest": 5}, "digest is 5: expected `str"),
    ({"more": 1}, "unknown field `more`"),
    ({"unit": {"name": "bits", "item": "chars", "scale": 0}}, "scale is 0"),
    ({"unit": {"name": "bits", "item": "chars", "scale": math.nan}}, "scale is nan"),
    ({"settings": {"hidden": 0}}, "--hidden must be from 1 to 2\\*\\*20, not 0"),
    ({"settings": {"batch": 10**30}}, "--batch must be from 1 to 2\\*\\*20"),
    ({"settings": {"lr": 1e300}}, "--lr must be more than 0 and at most 1000"),
    ({"settings": {"steps": 2**41}}, "--steps must be from 1 to 2\\*\\*40"),
    ({"settings": {"hidden": True}}, "hidden is True: expected `int`"),
    ({"settings": {"lr": "fast"}}, "lr is 'fast': expected `float`"),
    ({"problem": {"kind": ["text"]}}, r"a problem of kind \['text'\]"),
    ({"problem": {"kind": "text", "vocabulary": ""}}, "vocabulary: expected sorted"),
    ({"problem": {"kind": "text", "vocabulary": "ba"}}, "vocabulary: expected sorted"),
    ({"problem": {"kind": "text", "vocabulary": "a\ud800"}}, "surrogates not allowed"),
    ({"problem": {"kind": "text", "vocabulary": ["a"]}}, "vocabulary is .*: expected `str`"),
    ({"problem": {"kind": "text", "vocabulary": "ab", "x": 1}}, "unknown: 'x'"),
]


@pytest.mark.parametrize(("change", "words"), BAD)
def test_a_damaged_entry_is_named(trained: Path, change: dict[str, Any], words: str) -> None:
    rewrite(trained / checkpoints.NAME, **change)
    with pytest.raises(UserError, match=f"(?i)is damaged: .*{words}"):
        checkpoints.load(trained)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"lr": "x"}, "optimizer.lr|lr is 'x'"),
        ({"betas": [0.9]}, "betas"),
        ({"betas": [0.9, 0.99, 0.999]}, "betas"),
        ({"betas": [0.9, 1.0]}, "betas"),
        ({"betas": [math.nan, 0.9]}, "betas"),
        ({"eps": -1}, "eps is -1"),
        ({"weight_decay": 1e300}, "weight_decay"),
        ({"amsgrad": True}, "amsgrad"),
        ({"maximize": True}, "maximize"),
    ],
)
def test_scalars_of_the_optimizer_are_in_range(
    trained: Path, change: dict[str, Any], words: str
) -> None:
    kept = checkpoints.load(trained).optimizer
    rewrite(trained / checkpoints.NAME, optimizer={**kept, **change})
    with pytest.raises(UserError, match=f"is damaged: .*({words})"):
        checkpoints.load(trained)


def test_ways_to_compute_a_step_are_not_the_runs(trained: Path) -> None:
    kept = checkpoints.load(trained).optimizer
    rewrite(trained / checkpoints.NAME, optimizer={**kept, "fused": "often", "new": [1]})
    assert checkpoints.load(trained).step == 6


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "7", '"x"', "{}", '{"version": "2"}', "[" * 9999]
)
def test_what_is_no_header_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        header.read(text)


def test_clipping_at_infinity_is_read_as_it_was_written(trained: Path) -> None:
    settings = {"hidden": 8, "batch": 4, "clip": math.inf}
    assert "Infinity" in json.dumps(settings)
    rewrite(trained / checkpoints.NAME, settings=settings)
    assert checkpoints.load(trained).settings.clip == math.inf
