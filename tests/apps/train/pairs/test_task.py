import pytest
import torch

from unrolled.apps.train.batch import Shard
from unrolled.apps.train.pairs.command import Choice
from unrolled.apps.train.pairs.task import Translate, exact, open_task, symbols
from unrolled.apps.train.settings import Settings
from unrolled.apps.train.table.memory import memory_table
from unrolled.cells import find

SETTINGS = Settings(hidden=8, batch=6, held_out=0.2)


def task() -> Translate:
    rows = [
        ["abcd"[: n % 4 + 1] * (1 + n % 3) + str(n % 20), str(n) * (n % 5 + 1)] for n in range(60)
    ]
    table = memory_table("rows", ["from", "to"], rows)
    return open_task(SETTINGS, table, Choice())


def test_shares_make_up_the_loss_of_the_batch() -> None:
    learned = task()
    model = learned.problem.model(SETTINGS, find("gru"))
    whole = learned.batch(2, Shard())
    parts = [learned.batch(2, Shard(n, 3)) for n in range(3)]
    assert {part.count for part in parts} == {whole.count} == {int(whole.targets[1].sum())}
    total = sum(learned.loss(model, part, None).total for part in parts)
    torch.testing.assert_close(total, learned.loss(model, whole, None).total)


@pytest.mark.broad
def test_evaluation_is_that_of_one_pair_after_the_other() -> None:
    learned = task()
    model = learned.problem.model(SETTINGS, find("lstm"))
    total = count = right = 0
    for source, target in learned.pairs.at(learned.parts.validation):
        ids = torch.tensor([*learned.problem.target.encode(target), learned.problem.end])[:, None]
        logits = model(learned.problem.sources([source])[0], ids)
        total -= logits.log_softmax(-1).gather(2, ids[..., None]).sum().item()
        count += len(ids)
        right += learned.problem.translate(model, [source]) == [target]
    measured = learned.evaluate(model)
    assert measured["loss"] == pytest.approx(total / count, rel=1e-5)
    assert measured["exact"] == pytest.approx(right / len(learned.parts.validation))


def test_pairs_with_one_source_stay_together() -> None:
    learned = task()
    sides = [{source for source, _ in learned.pairs.at(part)} for part in learned.parts]
    assert len(set.union(*sides)) == sum(map(len, sides))


def test_measures_of_likeness() -> None:
    assert exact(["a", "b", ""], ["a", "c", ""]) == pytest.approx(2 / 3)
    assert symbols(["abc", ""], ["abd", "xy"], "characters") == pytest.approx(2 / 5)
    assert symbols(["the cat sat"], ["the dog sat"], "words") == pytest.approx(2 / 3)


def test_problems_are_what_they_were_stored_as() -> None:
    problem = task().problem
    assert type(problem).from_json(problem.to_json()) == problem
