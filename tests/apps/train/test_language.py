import math
from dataclasses import replace

import pytest
import torch

from unrolled.apps.train.share import Share
from unrolled.apps.train.training import Training
from unrolled.cells import find
from unrolled.errors import UserError

from .conftest import TEXT, TINY, reading


def test_streams_walk_through_the_whole_training_part() -> None:
    settings = replace(TINY, batch=2, window=3)
    task = reading(settings, "abcdefghijklmnopqrstuvwxyz")
    seen = []
    for step in range(4):
        batch = task.batch(step, Share())
        (x,), (y,) = batch.inputs, batch.targets
        seen.append(["".join(task.source.vocabulary[i] for i in stream) for stream in x.t()])
        assert torch.equal(y, x.long() + 1)
        assert batch.count == 6
        assert batch.fresh == (step in (0, 3))
    assert seen == [["abc", "jkl"], ["def", "mno"], ["ghi", "pqr"], ["abc", "jkl"]]


def test_shares_make_up_the_batch() -> None:
    task = reading(replace(TINY, batch=6, window=5))
    whole = task.batch(3, Share())
    parts = [task.batch(3, Share(index, 3)) for index in range(3)]
    assert all(part.count == whole.count == 30 for part in parts)
    for kind in ("inputs", "targets"):
        (expected,) = getattr(whole, kind)
        assert torch.equal(torch.cat([getattr(part, kind)[0] for part in parts], 1), expected)


def test_states_are_carried_and_start_anew_with_the_text() -> None:
    task = reading(replace(TINY, window=50))
    model = task.problem.model(task.settings, find("lstm"))
    training = Training(task, find("lstm"))
    training.model.load_state_dict(model.state_dict())
    with torch.no_grad():
        first = task.batch(0, Share())
        carried = task.loss(model, first, None).states
        second = task.batch(1, Share())
        expected = task.loss(model, second, carried).total.item()
        anew = task.loss(model, second, None).total.item()
    assert [first.fresh, second.fresh, task.batch(2, Share()).fresh] == [True, False, True]
    training.settings = replace(TINY, lr=1e-12)  # the weights stay
    training.advance()
    loss = training.advance().loss
    assert loss == pytest.approx(expected / second.count / math.log(2), rel=1e-5)
    assert loss != pytest.approx(anew / second.count / math.log(2), rel=1e-5)


@pytest.mark.parametrize(("batch", "window"), [(4, 108), (108, 4), (433, 1), (2**20, 2**20)])
def test_a_text_shorter_than_a_window_of_every_stream_is_refused(batch: int, window: int) -> None:
    assert len(reading().source) - reading().source.start == len(TEXT) - 432
    with pytest.raises(UserError, match=f"432 characters.*--batch {batch} times --window {window}"):
        reading(replace(TINY, batch=batch, window=window))


def test_the_longest_window_that_fits_is_taken() -> None:
    training = Training(reading(replace(TINY, batch=1, window=431)), find("lstm"))
    assert math.isfinite(training.advance().loss)


def test_an_evaluation_can_be_cut_short() -> None:
    task, short = reading(), reading(replace(TINY, evaluate_at_most=20))
    model = task.problem.model(TINY, find("lstm"))
    exact = reading(replace(TINY, held_out=0.2), TEXT[: short.source.start + 20])
    exact.source = replace(exact.source, start=short.source.start)
    assert short.evaluate(model) != task.evaluate(model)
    assert short.evaluate(model)["loss"] == pytest.approx(exact.evaluate(model)["loss"])


def test_baselines_stand_in_order() -> None:
    assert sorted(reading().baselines().values(), reverse=True) == list(
        reading().baselines().values()
    )
    assert list(reading().baselines())[-1] == "interpolated 5-gram"
