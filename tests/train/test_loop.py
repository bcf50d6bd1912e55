import itertools
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from unrolled.cells import CELLS, find
from unrolled.train import checkpoint as checkpoints
from unrolled.train.errors import UserError
from unrolled.train.folder import begin, resume
from unrolled.train.interrupt import Interrupt
from unrolled.train.loop import Report, Training, run
from unrolled.train.settings import Settings
from unrolled.train.text import Corpus

from .conftest import TEXT, TINY


def train(
    folder: Path, settings: Settings = TINY, stop_after: int | None = None, cell: str = "lstm"
) -> list[Report]:
    training = begin(folder, settings, find(cell), TEXT, overwrite=True)
    return list(itertools.islice(run(training, folder, Interrupt()), stop_after))


def logged(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def timeless(report: Report) -> Report:
    return replace(report, characters_per_second=0.0)


@pytest.mark.parametrize("name", CELLS)
def test_every_cell_learns(name: str) -> None:
    settings = replace(TINY, hidden=16, lr=2e-2, steps=25)
    training = Training(settings, CELLS[name], Corpus.of(TEXT, 0.2))
    bits = [training.advance().bits for _ in range(settings.steps)]
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
    training = resume(tmp_path / "parts", {}, None, TEXT)
    assert training.step == stop_after
    second = list(run(training, tmp_path / "parts", Interrupt()))
    assert list(map(timeless, first + second)) == list(map(timeless, whole))
    ends = [checkpoints.load(tmp_path / name).tensors for name in ("whole", "parts")]
    assert ends[0].keys() == ends[1].keys()
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


def test_the_log_doubles_no_line_when_resumed(tmp_path: Path) -> None:
    train(tmp_path, replace(TINY, save_every=4), stop_after=5)
    assert [line["step"] for line in logged(tmp_path)] == [1, 2, 3, 4, 5]
    list(run(resume(tmp_path, {}, None, TEXT), tmp_path, Interrupt()))
    assert [line["step"] for line in logged(tmp_path)] == [1, 2, 3, 4, 5, 6]


def test_reports_are_logged_and_held_out_loss_comes_at_its_steps(tmp_path: Path) -> None:
    reports = train(tmp_path, replace(TINY, steps=7))
    assert [vars(report) for report in reports] == logged(tmp_path)
    assert [r.step for r in reports if r.held_out_bits is not None] == [3, 6, 7]
    assert all(report.characters_per_second > 0 for report in reports)


def test_the_best_evaluation_is_kept(tmp_path: Path) -> None:
    settings = replace(TINY, steps=40, lr=0.5, schedule="constant", evaluate_every=1)
    reports = train(tmp_path, settings)
    figures = [report.held_out_bits for report in reports if report.held_out_bits is not None]
    checkpoint = checkpoints.load(tmp_path)
    assert checkpoint.best == (figures.index(min(figures)) + 1, min(figures))
    assert checkpoint.last == (40, figures[-1])


def test_streams_walk_through_the_whole_training_part() -> None:
    corpus = Corpus.of("abcdefghijklmnopqrstuvwxyz", 0.2)
    training = Training(replace(TINY, batch=2, window=3), find("lstm"), corpus)
    seen = []
    for training.step in range(4):
        x, y = training._window()
        seen.append(["".join(corpus.vocabulary[i] for i in stream) for stream in x.t()])
        assert torch.equal(y, x.long() + 1)
    assert seen == [["abc", "jkl"], ["def", "mno"], ["ghi", "pqr"], ["abc", "jkl"]]


def test_states_are_carried_and_start_anew_with_the_text() -> None:
    training = Training(replace(TINY, window=100), find("lstm"), Corpus.of(TEXT, 0.2))
    training.advance()
    assert training.states is not None
    training._window()
    assert training.states is None


@pytest.mark.parametrize(("batch", "window"), [(4, 108), (108, 4), (433, 1), (10**30, 10**30)])
def test_a_text_shorter_than_a_window_of_every_stream_is_refused(batch: int, window: int) -> None:
    corpus = Corpus.of(TEXT, 0.2)
    assert len(corpus.training) == 432
    with pytest.raises(UserError, match=f"432 characters.*--batch {batch} times --window {window}"):
        Training(replace(TINY, batch=batch, window=window), find("lstm"), corpus)


def test_the_longest_window_that_fits_is_taken() -> None:
    training = Training(replace(TINY, batch=1, window=431), find("lstm"), Corpus.of(TEXT, 0.2))
    assert math.isfinite(training.advance().bits)


@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_a_loss_that_is_not_finite_ends_the_run(
    tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = begin(tmp_path, TINY, find("lstm"), TEXT)
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
    training = begin(tmp_path, replace(TINY, save_every=100), find("lstm"), TEXT)
    with Interrupt() as interrupt:
        for report in run(training, tmp_path, interrupt):
            if report.step == 3:
                interrupt._note(2, None)
    assert checkpoints.load(tmp_path).step == 3 == logged(tmp_path)[-1]["step"]


def test_a_budget_of_seconds_ends_the_run_with_an_evaluation(tmp_path: Path) -> None:
    reports = train(tmp_path, replace(TINY, steps=10**6, seconds=0.2))
    assert 1 < len(reports) < 10**6
    assert reports[-1].held_out_bits is not None
    assert checkpoints.load(tmp_path).step == len(reports)


def test_a_finished_run_has_nothing_left_to_do(trained: Path) -> None:
    before = logged(trained)
    assert list(run(resume(trained, {}, None, TEXT), trained, Interrupt())) == []
    assert logged(trained) == before


def test_the_same_seed_trains_the_same_model(tmp_path: Path) -> None:
    first, second = (list(map(timeless, train(tmp_path))) for _ in range(2))
    other = list(map(timeless, train(tmp_path, replace(TINY, seed=1))))
    assert first == second != other
