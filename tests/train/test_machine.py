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

from unrolled.cells import find
from unrolled.train import checkpoint as checkpoints
from unrolled.train.errors import UserError
from unrolled.train.machine import Alone, machine
from unrolled.train.share import Share
from unrolled.train.training import Training

from .conftest import TEXT, TINY, reading

SMALL = (
    *("--hidden", "8", "--layers", "2", "--batch", "4", "--window", "8", "--lr", "0.01"),
    *("--steps", "20", "--save-every", "2", "--evaluate-every", "10", "--threads", "1"),
)

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


def test_shares_are_dealt_by_process_and_turn() -> None:
    alone = Alone()
    assert alone.shares(2) == [Share(0, 2), Share(1, 2)]
    alone.rank, alone.size = 1, 3
    assert alone.shares(2) == [Share(2, 6), Share(3, 6)]
    rows = [row for share in alone.shares(2) for row in share.rows(12)]
    assert rows == [4, 5, 6, 7]


def test_plain_settings_need_no_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lightning_fabric", None)
    assert isinstance(machine(TINY), Alone)
    for change in ({"devices": 2}, {"precision": "bf16"}, {"accelerator": "auto"}):
        with pytest.raises(UserError, match=r"pip install 'unrolled\[train\]'"):
            machine(replace(TINY, **change))


@fabric
@pytest.mark.slow
def test_two_processes_give_the_losses_of_one(tmp_path: Path) -> None:
    file = tmp_path / "fox.txt"
    file.write_text(TEXT)
    command(file, "--out", tmp_path / "one", *SMALL)
    text = command(file, "--out", tmp_path / "two", *SMALL, "--devices", 2)
    assert text.count("is at step 20 of 20") == 1  # one of them talks
    assert "Warning" not in text
    one, two = logged(tmp_path / "one"), logged(tmp_path / "two")
    assert [line["step"] for line in two] == list(range(1, 21))
    for name in ("loss", "gradient_norm"):
        assert [line[name] for line in two] == pytest.approx([x[name] for x in one], rel=1e-5)
    ends = [checkpoints.load(tmp_path / name) for name in ("one", "two")]
    for kind in ("weights", "states"):
        for name, tensor in ends[0].group(kind).items():
            torch.testing.assert_close(ends[1].group(kind)[name], tensor, rtol=1e-3, atol=1e-5)
    assert ends[1].tensors["random/cpu"].shape[0] == 2
    _lengthen(file, tmp_path)


def _lengthen(file: Path, folder: Path) -> None:
    """What two began, one and two can go on with: also by torchrun."""
    start = ("-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone")
    longer = ("--resume", "--steps", 24)
    command(file, "--out", folder / "one", *longer)
    command(file, "--out", folder / "two", *longer, starter=start)
    one, two = (logged(folder / name) for name in ("one", "two"))
    assert len(two) == 24
    assert [x["loss"] for x in two] == pytest.approx([x["loss"] for x in one], rel=1e-4)
    command(file, "--out", folder / "two", "--resume", "--steps", 26, "--devices", 1)
    assert checkpoints.load(folder / "two").step == 26


@fabric
@pytest.mark.slow
def test_what_ends_one_process_ends_all_with_one_message(tmp_path: Path) -> None:
    file = tmp_path / "fox.txt"
    file.write_text(TEXT)
    two = ("--devices", 2, "--out", tmp_path / "run")
    assert command(file, *two, *SMALL, "--batch", 5, code=2).startswith(
        "unrolled: --batch 5 cannot"
    )
    (tmp_path / "run" / "log.jsonl").mkdir(parents=True)
    text = command(file, *two, *SMALL, code=2)
    assert text.startswith("unrolled: cannot write ")
    assert len(text.splitlines()) == 1


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
