"""What speaks against judging a run."""

import re
from pathlib import Path

import pytest
from msgspec import structs

from unrolled.apps.train import checkpoint as checkpoints
from unrolled.apps.train.checkpoint import Checkpoint, Evaluation
from unrolled.apps.train.doubts import BLIND, CHINESE, FEW, doubts, equally_likely
from unrolled.apps.train.language import Characters


@pytest.fixture
def stored(trained: Path) -> Checkpoint:
    return checkpoints.load(trained)


def after(checkpoint: Checkpoint, step: int, loss: float | None) -> Checkpoint:
    last = None if loss is None else Evaluation(step, {"loss": loss})
    return structs.replace(checkpoint, step=step, last=last, problem=Characters("abcdefgh"))


def test_what_is_too_few_steps(stored: Checkpoint) -> None:
    (said,) = doubts(after(stored, 2, 1.0))
    assert said == "The model was trained for 2 steps: fewer than 100 are too few to judge it by."
    assert "trained for 1 step:" in doubts(after(stored, 1, 1.0))[0]
    assert doubts(after(stored, FEW - 1, 1.0))
    assert not doubts(after(stored, FEW, 1.0))
    assert doubts(after(stored, 2, 1.0), language="zh") == [
        "这个模型只训练了 2 步：少于 100 步，还不足以评判。"
    ]


def test_guessing_is_compared_with_though_the_text_is_not_there(stored: Checkpoint) -> None:
    for loss in (3.0, 3.2):
        (said,) = doubts(after(stored, FEW, loss))
        assert f"(every symbol equally likely: 3.000 bits/char; the model: {loss:.3f})" in said
        (chinese,) = doubts(after(stored, FEW, loss), language="zh")
        assert f"（各符号等概率：3.000 比特/字符；模型：{loss:.3f}）" in chinese
    assert not doubts(after(stored, FEW, 2.9))
    (said,) = doubts(after(stored, FEW, 2.9), {"symbol frequencies": 2.5, "5-gram": 1.0})
    assert "(symbol frequencies: 2.500 bits/char; the model: 2.900)" in said
    few, blind = doubts(after(stored, 2, 3.2))
    assert "2 steps" in few
    assert "equally likely" in blind


def test_a_run_that_was_not_measured(stored: Checkpoint) -> None:
    assert doubts(after(stored, FEW, None)) == [
        "The model has not been measured on the held-out part."
    ]


def test_all_is_said_in_chinese() -> None:
    assert set(BLIND) <= set(CHINESE)
    assert set(equally_likely(Characters("ab"))) <= set(BLIND)
    for words in CHINESE.values():
        assert not re.search("[a-zA-Z,;:()]", re.sub(r"\{\w+\}", "", words))
