import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from unrolled.apps.train import checkpoint as checkpoints
from unrolled.apps.train.batch import Shard
from unrolled.apps.train.machine import Machine, machine
from unrolled.apps.train.settings import Settings, option
from unrolled.apps.train.training import Training
from unrolled.cells import find
from unrolled.errors import UserError

from .conftest import TEXT, TINY, reading

fabric = pytest.mark.skipif(
    importlib.util.find_spec("lightning_fabric") is None, reason="needs Lightning Fabric"
)


def command(*arguments: object, starter: tuple[str, ...] = (), code: int = 0) -> str:
    """What ``unrolled train text`` writes, in processes of its own."""
    done = subprocess.run(
        [sys.executable, *starter, "-m", "unrolled", "train", "text", *map(str, arguments)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def logged(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_shards_are_dealt_by_process_and_turn() -> None:
    alone = Machine()
    assert alone.shards(2) == [Shard(0, 2), Shard(1, 2)]
    alone.rank, alone.size = 1, 3
    assert alone.shards(2) == [Shard(2, 6), Shard(3, 6)]
    rows = [row for shard in alone.shards(2) for row in shard.rows(12)]
    assert rows == [4, 5, 6, 7]


def test_plain_settings_need_no_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lightning_fabric", None)
    assert type(machine(TINY)) is Machine
    for change in ({"devices": 2}, {"precision": "bf16"}, {"accelerator": "auto"}):
        with pytest.raises(UserError, match=r"pip install 'unrolled\[train\]'"):
            machine(replace(TINY, **change))


SETTINGS = Settings(
    hidden=8, layers=2, batch=4, window=8, lr=0.01, steps=20, held_out=0.2, threads=1
)
OPTIONS = [
    part
    for name, value in vars(SETTINGS).items()
    if value != getattr(Settings, name)
    for part in (option(name), value)
]


@fabric
@pytest.mark.slow
def test_two_processes_give_the_losses_of_one(tmp_path: Path) -> None:
    file, folder = tmp_path / "fox.txt", tmp_path / "two"
    file.write_text(TEXT)
    text = command(file, "--out", folder, *OPTIONS, "--evaluate-every", 10, "--devices", 2)
    assert text.count("is at step 20 of 20") == 1  # one of them talks
    assert "Warning" not in text
    one = Training(reading(SETTINGS), find("lstm"))
    reports = [one.advance() for _ in range(20)]
    two = logged(folder)
    assert [line["step"] for line in two] == list(range(1, 21))
    assert [x["loss"] for x in two] == pytest.approx([x.loss for x in reports], rel=1e-5)
    norms = [x.gradient_norm for x in reports]
    assert [x["gradient_norm"] for x in two] == pytest.approx(norms, rel=1e-4)
    stored = checkpoints.load(folder)
    assert stored.tensors["random/cpu"].shape[0] == 2
    for kind in ("weights", "states"):
        for name, tensor in one.checkpoint().group(kind).items():
            torch.testing.assert_close(stored.group(kind)[name], tensor, rtol=1e-3, atol=1e-5)
    _go_on(file, folder, one)


def _go_on(file: Path, folder: Path, one: Training) -> None:
    """What two began, one can go on with, and two that torchrun starts."""
    task = reading(replace(SETTINGS, steps=23))
    resumed = Training.resume(checkpoints.load(folder), task)
    losses = [one.advance().loss for _ in range(3)]
    assert [resumed.advance().loss for _ in range(3)] == pytest.approx(losses, rel=1e-4)
    start = ("-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone")
    command(file, "--out", folder, "--resume", "--steps", 23, starter=start)
    assert [x["loss"] for x in logged(folder)[20:]] == pytest.approx(losses, rel=1e-4)


@fabric
@pytest.mark.slow
def test_what_ends_one_process_ends_all_with_one_message(tmp_path: Path) -> None:
    file = tmp_path / "fox.txt"
    file.write_text(TEXT)
    (tmp_path / "run" / "log.jsonl").mkdir(parents=True)
    text = command(file, "--devices", 2, "--out", tmp_path / "run", *OPTIONS, code=2)
    begun, message = text.splitlines()
    assert begun.startswith("Training lstm")
    assert message.startswith("unrolled: cannot write ")


@fabric
@pytest.mark.filterwarnings("default")  # of Fabric's own imports
def test_bfloat16_trains_and_keeps_float32_weights() -> None:
    settings = replace(TINY, steps=30, lr=2e-2, precision="bf16")
    processes = machine(settings)
    processes.launch()
    training = Training(reading(settings), find("lstm"), processes)
    exact = Training(reading(replace(settings, precision="32")), find("lstm"))
    losses = [(training.advance().loss, exact.advance().loss) for _ in range(settings.steps)]
    assert losses[0][0] != losses[0][1]
    assert losses[0][0] == pytest.approx(losses[0][1], rel=0.02)
    assert losses[-1][0] < losses[0][0] - 0.3
    assert all(p.dtype == torch.float32 for p in training.model.parameters())
    assert training.evaluate().loss > 0


@fabric
@pytest.mark.filterwarnings("default")
def test_a_device_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match=r"cannot compute with .*--accelerator cuda"):
        machine(replace(TINY, accelerator="cuda"))
