from dataclasses import replace
from itertools import islice

import numpy
import pytest
import torch

from unrolled.apps.train.batch import Shard
from unrolled.apps.train.classify.baseline import f1
from unrolled.apps.train.classify.command import Choice
from unrolled.apps.train.classify.reading import Numbers
from unrolled.apps.train.classify.task import Classify, open_task
from unrolled.apps.train.settings import Settings
from unrolled.apps.train.table.memory import memory_table
from unrolled.cells import find

SETTINGS = Settings(hidden=8, batch=6, held_out=0.2)


def task(settings: Settings = SETTINGS) -> Classify:
    rows = [["abc"[: n % 4] + str(n), "yn"[n % 2]] for n in range(50)]
    table = memory_table("rows", ["text", "label"], rows)
    return open_task(settings, table, Choice())


def test_shares_make_up_the_batch() -> None:
    whole = task().batch(3, Shard())
    parts = [task().batch(3, Shard(n, 3)) for n in range(3)]
    assert torch.equal(torch.cat([part.targets[0] for part in parts]), whole.targets[0])
    assert torch.equal(torch.cat([part.inputs[1] for part in parts]), whole.inputs[1])
    model = task().problem.model(SETTINGS, find("gru"))
    total = sum(task().loss(model, part, None).total for part in parts)
    torch.testing.assert_close(total, task().loss(model, whole, None).total)


def test_held_out_records_are_never_trained_on() -> None:
    learned = task()
    seen = {
        int(index)
        for step in range(40)
        for index in learned.parts.training[learned._order.rows(step).numpy()]
    }
    assert seen == set(learned.parts.training.tolist())
    assert not seen & {*learned.parts.validation.tolist(), *learned.parts.test.tolist()}


def test_vocabulary_and_scale_are_those_of_the_training_part() -> None:
    rows = [[n / 2, 1.0, "yn"[n % 2]] for n in range(50)]
    table = memory_table("rows", ["a", "b", "label"], rows)
    learned = open_task(SETTINGS, table, Choice(step=2))
    reading = learned.problem.reading
    assert isinstance(reading, Numbers)
    known = learned.parts.training / 2
    assert reading.mean == pytest.approx((known.mean(), 1.0))
    assert reading.scale == pytest.approx((known.std(), 1.0))


def test_evaluation_is_that_of_one_record_after_the_other() -> None:
    learned = task()
    model = learned.problem.model(SETTINGS, find("lstm")).train()
    measured = learned.evaluate(model)
    assert model.training
    losses, right = [], []
    for index in learned.parts.validation:
        row = learned.problem.encode(learned.examples.raw(int(index)))
        logits, _ = model(row[:, None])
        target = learned.examples.targets[index]
        losses.append(-logits.log_softmax(-1)[0, target].item())
        right.append(logits.argmax().item() == target)
    assert measured["loss"] == pytest.approx(numpy.mean(losses), rel=1e-5)
    assert measured["accuracy"] == pytest.approx(numpy.mean(right))


def test_the_verdict_is_on_the_test_part() -> None:
    learned = task(replace(SETTINGS, held_out=0.4))
    model = learned.problem.model(SETTINGS, find("lstm"))
    verdict = learned.test_metrics(model, "this")
    frequent = numpy.bincount(learned.examples.targets[learned.parts.training]).argmax()
    truth = learned.examples.targets[learned.parts.test]
    assert verdict.rows["most frequent class"][0] == pytest.approx((truth == frequent).mean())
    assert list(verdict.rows) == ["most frequent class", "naive Bayes", "this"]
    assert "10 of 50" in verdict.part


def test_f1() -> None:
    truth, found = numpy.array([0, 0, 1, 2]), numpy.array([0, 1, 1, 1])
    assert f1(truth, found, 4) == pytest.approx((2 / 3 + 2 / 4 + 0) / 3)


def test_problems_are_what_they_were_stored_as() -> None:
    problem = task().problem
    assert type(problem).from_json(problem.to_json()) == problem
    assert next(islice(iter(problem.classes), 1)) == "n"
