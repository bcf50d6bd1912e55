import errno
import itertools
import json
import math
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from unrolled.apps.terminal import Interrupt
from unrolled.apps.train import checkpoint as checkpoints
from unrolled.apps.train import log as records
from unrolled.apps.train.folder import begin, resume
from unrolled.apps.train.language import Language, held_out_bits
from unrolled.apps.train.loop import run
from unrolled.apps.train.settings import Settings
from unrolled.apps.train.training import Report, Training
from unrolled.cells import CELLS, find
from unrolled.errors import UserError

from .conftest import TINY, reading, reading_again


def train(
    folder: Path, settings: Settings = TINY, stop_after: int | None = None, cell: str = "lstm"
) -> list[Report]:
    training = begin(folder, reading(settings), find(cell), overwrite=True)
    return list(itertools.islice(run(training, folder, Interrupt()), stop_after))


def logged(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def timeless(report: Report) -> Report:
    return replace(report, speed=0.0)


@pytest.mark.parametrize("name", CELLS)
def test_every_cell_learns(name: str) -> None:
    settings = replace(TINY, hidden=16, lr=2e-2, steps=25)
    training = Training(reading(settings), CELLS[name])
    bits = [training.advance().loss for _ in range(settings.steps)]
    assert min(bits[-3:]) < bits[0] - 0.25


@pytest.mark.parametrize(
    ("cell", "change"),
    [
        ("lstm", {}),
        ("gru", {"schedule": "constant"}),
        ("rnn_tanh", {"clip": 0.1}),
        ("lstm", {"layers": 2, "dropout": 0.4}),
        ("gru", {"layers": 3, "dropout": 0.2, "window": 5}),
    ],
)
@pytest.mark.parametrize("stop_after", [3, 15])
def test_a_resumed_run_repeats_an_uninterrupted_one_bit_for_bit(
    tmp_path: Path, cell: str, change: dict[str, Any], stop_after: int
) -> None:
    # 20 steps go through the text more than once, so that states start anew on the way.
    settings = replace(TINY, steps=20, save_every=1, **change)
    whole = train(tmp_path / "whole", settings, cell=cell)
    first = train(tmp_path / "parts", settings, stop_after, cell)
    torch.rand(7)  # whatever else draws numbers in between
    training = resume(tmp_path / "parts", {}, None, reading_again)
    assert training.step == stop_after
    second = list(run(training, tmp_path / "parts", Interrupt()))
    assert list(map(timeless, first + second)) == list(map(timeless, whole))
    ends = [checkpoints.load(tmp_path / name).tensors for name in ("whole", "parts")]
    assert ends[0].keys() == ends[1].keys()
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


def test_the_log_doubles_no_line_when_resumed(tmp_path: Path) -> None:
    train(tmp_path, replace(TINY, save_every=4), stop_after=5)
    assert [line["step"] for line in logged(tmp_path)] == [1, 2, 3, 4, 5]
    list(run(resume(tmp_path, {}, None, reading_again), tmp_path, Interrupt()))
    assert [line["step"] for line in logged(tmp_path)] == [1, 2, 3, 4, 5, 6]


def test_reports_are_logged_and_held_out_loss_comes_at_its_steps(tmp_path: Path) -> None:
    reports = train(tmp_path, replace(TINY, steps=7))
    assert [vars(report) for report in reports] == logged(tmp_path)
    assert [r.step for r in reports if r.held_out is not None] == [3, 6, 7]
    assert all(report.speed > 0 for report in reports)


def test_the_best_evaluation_is_kept(tmp_path: Path) -> None:
    settings = replace(TINY, steps=40, lr=0.5, schedule="constant", evaluate_every=1)
    reports = train(tmp_path, settings)
    figures = [report.held_out["loss"] for report in reports if report.held_out is not None]
    checkpoint = checkpoints.load(tmp_path)
    step = figures.index(min(figures)) + 1
    assert checkpoint.best == (step, {"loss": min(figures)})
    assert checkpoint.last == (40, {"loss": figures[-1]})
    assert checkpoint.stale == 40 - step > 0
    best = checkpoints.load(tmp_path / checkpoints.BEST)
    assert (best.step, best.last) == (step, checkpoint.best)
    assert held_out_bits(best.model(), reading(settings).source) == pytest.approx(min(figures))


def test_patience_ends_a_run_that_does_not_become_better(tmp_path: Path) -> None:
    settings = replace(TINY, steps=1000, lr=0.5, evaluate_every=1, patience=3)
    reports = train(tmp_path, settings)
    figures = [report.held_out["loss"] for report in reports if report.held_out is not None]
    assert len(reports) < 1000
    assert figures.index(min(figures)) == len(figures) - 4
    checkpoint = checkpoints.load(tmp_path)
    assert (checkpoint.step, checkpoint.stale) == (len(reports), 3)
    training = resume(tmp_path, {}, None, reading_again)
    assert list(run(training, tmp_path, Interrupt())) == []
    training = resume(tmp_path, {"patience": 4}, None, reading_again)
    assert len(list(run(training, tmp_path, Interrupt()))) >= 1


def test_a_new_run_forgets_the_best_of_the_old_one(trained: Path) -> None:
    assert (trained / checkpoints.BEST).exists()
    train(trained, replace(TINY, evaluate_every=100), stop_after=1)
    assert not (trained / checkpoints.BEST).exists()


def test_only_one_trains_in_a_folder(trained: Path) -> None:
    before = {path.name: path.read_bytes() for path in trained.iterdir()}
    longer = {"steps": 9}
    first = run(resume(trained, longer, None, reading_again), trained, Interrupt())
    next(first)
    second = run(resume(trained, longer, None, reading_again), trained, Interrupt())
    with pytest.raises(UserError, match="in use by another process"):
        next(second)
    assert len(list(first)) == 2
    assert before.keys() == {path.name for path in trained.iterdir()}
    assert checkpoints.load(trained).step == 9
    list(run(resume(trained, {"steps": 10}, None, reading_again), trained, Interrupt()))


@pytest.mark.parametrize("turns", [2, 4])
def test_turns_add_up_to_the_whole_batch(turns: int) -> None:
    settings = replace(TINY, steps=20, layers=2)
    whole = Training(reading(settings), find("lstm"))
    parts = Training(reading(replace(settings, accumulate=turns)), find("lstm"))
    for _ in range(settings.steps):
        first, second = whole.advance(), parts.advance()
        assert second.loss == pytest.approx(first.loss, rel=1e-5)
        assert second.gradient_norm == pytest.approx(first.gradient_norm, rel=1e-4)
    states = [training.checkpoint().group("states") for training in (whole, parts)]
    assert states[0].keys() == states[1].keys() == {"h", "c"}
    for name, state in states[0].items():
        torch.testing.assert_close(states[1][name], state, rtol=1e-4, atol=1e-4)


def test_a_batch_that_cannot_be_divided_is_refused() -> None:
    with pytest.raises(UserError, match=r"--batch 4 cannot be .* 1 process with --accumulate 3"):
        Training(reading(replace(TINY, accumulate=3)), find("lstm"))


def test_turns_can_change_when_a_run_is_resumed(tmp_path: Path) -> None:
    settings = replace(TINY, steps=12, save_every=1)
    whole = train(tmp_path / "whole", settings)
    first = train(tmp_path / "parts", settings, stop_after=5)
    training = resume(tmp_path / "parts", {"accumulate": 2}, None, reading_again)
    second = list(run(training, tmp_path / "parts", Interrupt()))
    losses = [report.loss for report in first + second]
    assert losses == pytest.approx([report.loss for report in whole], rel=1e-5)


@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_a_loss_that_is_not_finite_ends_the_run(
    tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = begin(tmp_path, reading(), find("lstm"))
    break_at(monkeypatch, training, step=5, where=where)
    with pytest.raises(UserError) as error:
        list(run(training, tmp_path, Interrupt()))
    message = str(error.value)
    assert "became nan at step 5" in message
    assert "that of step 4" in message
    assert str(tmp_path / checkpoints.NAME) in message
    assert "--lr (now 0.01)" in message
    assert "--clip (now 1.0)" in message
    assert checkpoints.load(tmp_path).step == 4


def break_at(monkeypatch: pytest.MonkeyPatch, training: Training, step: int, where: str) -> None:
    forward: Callable[..., Any] = training.model.forward

    def broken(*arguments: Any) -> Any:
        logits, states = forward(*arguments)
        if training.step + 1 == step and where == "loss":
            logits = logits * math.nan
        elif training.step + 1 == step:
            logits.register_hook(lambda gradient: gradient * math.nan)
        return logits, states

    monkeypatch.setattr(training.model, "forward", broken)


def test_an_interrupt_ends_the_run_with_a_checkpoint(tmp_path: Path) -> None:
    training = begin(tmp_path, reading(replace(TINY, save_every=100)), find("lstm"))
    with Interrupt() as interrupt:
        for report in run(training, tmp_path, interrupt):
            if report.step == 3:
                interrupt._note(2, None)
    assert checkpoints.load(tmp_path).step == 3 == logged(tmp_path)[-1]["step"]


def test_a_budget_of_seconds_ends_the_run_with_an_evaluation(tmp_path: Path) -> None:
    reports = train(tmp_path, replace(TINY, steps=10**6, seconds=0.2))
    assert 1 < len(reports) < 10**6
    assert reports[-1].held_out is not None
    assert checkpoints.load(tmp_path).step == len(reports)


def test_a_finished_run_has_nothing_left_to_do(trained: Path) -> None:
    before = logged(trained)
    assert list(run(resume(trained, {}, None, reading_again), trained, Interrupt())) == []
    assert logged(trained) == before


def test_the_same_seed_trains_the_same_model(tmp_path: Path) -> None:
    first, second = (list(map(timeless, train(tmp_path))) for _ in range(2))
    other = list(map(timeless, train(tmp_path, replace(TINY, seed=1))))
    assert first == second != other


def full(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)


def test_a_full_disk_ends_the_run_and_spares_the_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = begin(tmp_path, reading(replace(TINY, save_every=4)), find("lstm"))
    reports = run(training, tmp_path, Interrupt())
    for _ in range(4):
        next(reports)
    full(monkeypatch)
    with pytest.raises(UserError) as error:
        list(reports)
    message = str(error.value)
    assert "best.safetensors: No space left on device" in message
    assert "checkpoint.safetensors is whole, of step 4: --resume goes on" in message
    monkeypatch.undo()
    assert checkpoints.load(tmp_path).step == 4
    assert not list(tmp_path.glob("*.partial"))
    training = resume(tmp_path, {}, None, reading_again)
    assert [report.step for report in run(training, tmp_path, Interrupt())] == [5, 6]


def test_a_log_that_cannot_grow_ends_the_run_with_a_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    training = begin(tmp_path, reading(replace(TINY, save_every=100)), find("lstm"))
    reports = run(training, tmp_path, Interrupt())
    for _ in range(2):
        next(reports)
    monkeypatch.setattr(records, "asdict", fail)
    with pytest.raises(
        UserError, match=r"cannot write .*log\.jsonl: No space left.*of step 3 is w"
    ):
        list(reports)
    monkeypatch.undo()
    assert checkpoints.load(tmp_path).step == 3
    assert [line["step"] for line in logged(tmp_path)] == [1, 2]


def test_a_held_out_loss_that_is_not_finite_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Language, "evaluate", lambda *_: {"loss": math.nan})
    with pytest.raises(UserError, match=r"held-out loss became nan at step 3; .* that of step 2"):
        train(tmp_path)
    assert checkpoints.load(tmp_path).step == 2
    assert not (tmp_path / checkpoints.BEST).exists()
