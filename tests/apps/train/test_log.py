import importlib.util
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import unrolled
from unrolled.apps.terminal import Interrupt
from unrolled.apps.train import log
from unrolled.apps.train import log as board
from unrolled.apps.train.folder import begin, resume
from unrolled.apps.train.log import Board, gates
from unrolled.apps.train.loop import run
from unrolled.apps.train.training import Training
from unrolled.cells import find
from unrolled.errors import UserError
from unrolled.schema import checked, parse

from .conftest import TINY, reading, reading_again

LINES = [f'{{"step": {step}}}\n' for step in range(1, 6)]


@pytest.mark.parametrize(
    "tail", ["", '{"step": 6', "garbage\n", '{"no": 1}\n', "7\n", '{"step": 3}']
)
def test_the_log_is_cut_back_to_the_step(tmp_path: Path, tail: str) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text("".join(LINES) + tail)
    log.cut(path, 9)
    assert path.read_text() == "".join(LINES)
    log.cut(path, 3)
    assert path.read_text() == "".join(LINES[:3])
    log.cut(path, 0)
    assert path.read_text() == ""


def test_a_missing_log_stays_missing(tmp_path: Path) -> None:
    log.cut(tmp_path / "log.jsonl", 3)
    assert list(tmp_path.iterdir()) == []


NO_STEP = [
    "[" * 100_000,
    '{"step": 1e400, "loss": 1}',
    f'{{"step": {"9" * 4000}, "loss": 1}}',
    f'{{"step": {"9" * 5000}, "loss": 1}}',
    '{"step": true, "loss": 1}',
    '{"step": -1, "loss": 1}',
]
NO_LOSS = [
    '{"step": 1, "loss": NaN}',
    '{"step": 1, "loss": "low"}',
    '{"step": 1, "loss": 1, "held_out": {"loss": Infinity}}',
]


@pytest.mark.parametrize("line", NO_STEP)
def test_a_line_without_a_step_is_cut_off(tmp_path: Path, line: str) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text("".join(LINES) + line + "\n")
    log.cut(path, 5)
    assert path.read_text() == "".join(LINES)


@pytest.mark.parametrize("line", [*NO_STEP, *NO_LOSS])
def test_a_damaged_line_gives_no_curve(tmp_path: Path, line: str) -> None:
    path, good = tmp_path / "log.jsonl", '{"step": 1, "loss": 1}\n'
    path.write_text(good)
    assert log.lines(path) == [log.Line(1, 1.0)]
    path.write_text(good + line + "\n")
    with pytest.raises(ValueError, match=r"."):
        log.lines(path)


def test_a_line_is_read() -> None:
    text = '{"step": 3, "loss": 1.5, "held_out": {"loss": 2, "accuracy": NaN}, "speed": 9}'
    assert checked(parse(text), log.Line) == log.Line(3, 1.5, log.HeldOut(2.0), 9)


class Writer:
    """Takes the place of TensorBoard's."""

    def __init__(self) -> None:
        self.scalars: dict[str, list[tuple[float, int]]] = {}
        self.histograms: dict[str, Any] = {}

    def add_scalar(self, name: str, value: float, step: int) -> None:
        self.scalars.setdefault(name, []).append((value, step))

    def add_histogram(self, name: str, values: Any, step: int) -> None:
        self.histograms[name] = values


def test_gradient_norms_add_up_to_the_norm_before_clipping() -> None:
    training = Training(reading(replace(TINY, clip=0.01, layers=2)), find("lstm"))
    writer = Writer()
    for _ in range(10):
        report = training.advance()
    Board(training, writer).write(report)
    norms = {n: v for n, v in writer.scalars.items() if n.startswith("gradient norm/")}
    assert report.gradient_norm > 0.02
    assert norms["gradient norm/all"] == [(report.gradient_norm, 10)]
    parts = [values[0][0] for name, values in norms.items() if name != "gradient norm/all"]
    assert len(parts) == len(list(training.model.parameters()))
    assert sum(part**2 for part in parts) ** 0.5 == pytest.approx(report.gradient_norm, rel=1e-3)


def test_gates_are_those_of_the_next_batch() -> None:
    training = Training(reading(replace(TINY, dropout=0.5)), find("lstm"))
    training.advance()
    random = torch.get_rng_state()
    found = gates(training)
    assert torch.equal(torch.get_rng_state(), random)
    assert training.model.training
    assert set(found) == {f"recurrent.l0.{name}" for name in "ifgo"}
    batch = training.task.batch(1, training.shards[0])
    model: Any = training.model
    layer = model.recurrent
    x = model.embedding(batch.inputs[0])[0]
    (h, _) = training.states[0]  # pyright: ignore
    rows = x @ layer.weight_ih_l0.T + layer.bias_ih_l0 + h[0] @ layer.weight_hh_l0.T
    first = torch.sigmoid((rows + layer.bias_hh_l0)[:, :8])
    torch.testing.assert_close(found["recurrent.l0.i"].values[0], first.detach())
    assert found["recurrent.l0.i"].saturated == 0


def test_a_gate_that_is_stuck_is_saturated() -> None:
    training = Training(reading(), find("gru"))
    with torch.no_grad():
        training.model.recurrent.bias_ih_l0[:4] = 50.0  # pyright: ignore
    found = gates(training)
    assert found["recurrent.l0.r"].saturated == pytest.approx(0.5, abs=0.05)
    assert found["recurrent.l0.z"].saturated < 0.05


def test_what_follows_a_rows_end_is_no_value_of_a_gate() -> None:
    model, x = unrolled.GRU(3, 4), torch.randn(6, 2, 3)
    batch = SimpleNamespace(fresh=True)
    batch.to = lambda device: batch
    task = SimpleNamespace(
        batch=lambda step, shard: batch, loss=lambda *_: model(x, lengths=[6, 1])
    )
    machine = SimpleNamespace(device="cpu")
    training: Any = SimpleNamespace(model=model, task=task, step=0, shards=[0], machine=machine)
    found = gates(training)["l0.z"]
    assert found.values.shape == (6, 2, 4)
    assert found.taken.shape == (7, 4)
    assert found.saturated == 0  # the zeros of the padding are not closed gates


@pytest.mark.skipif(importlib.util.find_spec("tensorboard") is None, reason="needs TensorBoard")
@pytest.mark.filterwarnings("default")  # of TensorBoard's own imports
def test_a_run_is_the_same_with_tensorboard_and_stands_there(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    settings = replace(TINY, dropout=0.3, save_every=100)
    plain = begin(tmp_path / "plain", reading(settings), find("lstm"))
    expected = [report.loss for report in run(plain, tmp_path / "plain", Interrupt())]
    logged = begin(tmp_path / "logged", reading(replace(settings, steps=4)), find("lstm"))
    losses = [report.loss for report in run(logged, tmp_path / "logged", Interrupt())]
    logged = resume(tmp_path / "logged", {"steps": 6, "tensorboard": True}, None, reading_again)
    losses += [report.loss for report in run(logged, tmp_path / "logged", Interrupt())]
    assert losses == expected
    events = EventAccumulator(str(tmp_path / "logged" / board.BOARD))
    events.Reload()
    steps = [(each.step, each.value) for each in events.Scalars("loss/training, bits/char")]
    assert [step for step, _ in steps] == [5, 6]
    assert [value for _, value in steps] == pytest.approx(expected[4:], rel=1e-6)
    assert "gate mean/recurrent.l0.f" in events.Tags()["scalars"]
    assert "gate/recurrent.l0.f" in events.Tags()["histograms"]


def test_without_tensorboard_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard.writer", None)
    training = begin(tmp_path, reading(replace(TINY, tensorboard=True)), find("lstm"))
    with pytest.raises(UserError, match=r"--tensorboard needs TensorBoard: pip install"):
        list(run(training, tmp_path, Interrupt()))
