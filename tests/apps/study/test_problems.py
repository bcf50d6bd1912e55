import math
import random

import pytest
import torch

from unrolled.apps.study.grammar import NEW
from unrolled.apps.study.problems import (
    BLANK,
    GAPS,
    GO,
    LENGTH,
    Adding,
    Copying,
    Sentences,
    problem,
)
from unrolled.errors import UserError


def test_a_sentence_problem_scores_both_words() -> None:
    given = Sentences("long", 4)
    x, y = given.test(8, random.Random(0), held_out=True)
    assert x.shape == (given.grammar.length(4), 8)
    outputs = torch.zeros(1, 8, given.outputs)
    count = len(given.grammar.answers[0])
    outputs[0, torch.arange(8), y[:, 0]] = 1
    outputs[0, torch.arange(8), count + y[:, 1]] = 1
    assert given.score(outputs, y) == 1.0
    outputs[0, 0, count + y[0, 1]] = -1  # one of the words wrong: the answer is wrong
    assert given.score(outputs, y) == 7 / 8
    assert given.loss(torch.zeros_like(outputs), y).item() == pytest.approx(
        math.log(count) + math.log(given.outputs - count)
    )


def test_training_gaps_go_up_to_the_gap_and_have_new_words() -> None:
    given = Sentences("long", 50)
    draw = random.Random(0)
    batches = [given.batch(4, draw).x for _ in range(200)]
    base = given.grammar.length(0)
    gaps = [len(x) - base for x in batches]
    assert min(gaps) == 1
    assert max(gaps) > 40
    assert sum(gap <= 7 for gap in gaps) > 70  # evenly on a logarithmic scale
    new = given.grammar.vocabulary.index(NEW)
    assert any(bool((x == new).any()) for x in batches)


def test_the_sum_of_the_marked_numbers_is_asked_for() -> None:
    x, y = Adding(20).batch(16, random.Random(3))
    assert x.shape == (20, 16, 2)
    assert torch.equal(x[..., 1].sum(0), torch.full((16,), 2.0))
    assert torch.equal(x[:10, :, 1].sum(0), torch.ones(16))
    assert torch.allclose((x[..., 0] * x[..., 1]).sum(0), y)


def test_chance_of_the_adding_problem() -> None:
    given = Adding(10)
    _, y = given.test(20_000, random.Random(0), True)
    assert given.score(torch.ones(1, len(y), 1), y) == pytest.approx(given.chance, rel=0.03)


def test_the_copied_symbols_are_asked_for_after_the_signal() -> None:
    given = Copying(6)
    x, y = given.batch(5, random.Random(1))
    assert x.shape == y.shape == (26, 5)
    assert torch.equal(y[-LENGTH:], x[:LENGTH])
    assert bool((y[:-LENGTH] == BLANK).all())
    assert bool((x[6 + LENGTH - 1] == GO).all())
    assert int((x == GO).sum()) == 5
    assert bool((x[:LENGTH] < BLANK).all())


def test_chance_of_the_copy_problem() -> None:
    given = Copying(10)
    x, y = given.batch(64, random.Random(0))
    outputs = torch.full((len(x), 64, given.outputs), -1e4)
    outputs[:-LENGTH, :, BLANK] = 0
    outputs[-LENGTH:, :, :BLANK] = 0
    assert given.score(outputs, y) == pytest.approx(given.chance, rel=1e-5)


@pytest.mark.parametrize("task", sorted(GAPS))
def test_problems_repeat_themselves_by_their_seed(task: str) -> None:
    given = problem(task, 12)
    first, again, other = (given.batch(3, random.Random(seed)) for seed in (1, 1, 2))
    assert torch.equal(first.x, again.x)
    assert torch.equal(first.y, again.y)
    assert first.x.shape != other.x.shape or not torch.equal(first.x, other.x)


@pytest.mark.parametrize(("task", "gap"), [("longer", 5), ("long", 0), ("adding", 1)])
def test_unknown_tasks_and_gaps(task: str, gap: int) -> None:
    with pytest.raises(UserError, match="task"):
        problem(task, gap)
