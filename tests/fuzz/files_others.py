"""Files that are no checkpoints: studies, recordings, logs and tables."""

from __future__ import annotations

import random
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import unrolled
from unrolled.apps.study.outcome import Outcome, Point, Reading, Results
from unrolled.apps.study.table import tables
from unrolled.apps.train import log
from unrolled.apps.train.table import open_table
from unrolled.errors import UserError
from unrolled.probe.recording import INDEX, INITIAL, Recording

from .files_mutations import mutated, mutated_text
from .files_uses import Finding, kind_of

JSON_LINES = b'{"text": "ab", "x": [1, 2.5], "label": "a"}\n' * 9
LOG = b'{"step": 1, "loss": 1.5, "held_out": {"loss": 2.0}, "speed": 9.0}\n' * 5


def begin(folder: Path) -> None:
    """Write a whole file of each kind."""
    reading = Reading(
        words=["a", "b"], facts=(0, 1), answer=("c", "d"), said=("c", "e"), shares=[0.5, 0.5]
    )
    results = Results(folder / "study.json")
    results.add(
        Outcome(
            **{"task": "long", "gap": 2, "entrant": "lstm", "digest": "0", "seed": 0, "hidden": 4},
            **{"steps": 2, "unit": "accuracy", "chance": 0.1, "goal": 0.9, "trained": 0.5},
            **{"held_out": 0.2, "diverged": False, "seconds": 1.0, "reading": reading},
            **{"curve": [Point(1, 2.0, 0.5, 0.1)], "gradients": {0.0: [1.0], 1.0: [0.5]}},
        )
    )
    model = unrolled.GRU(2, 3)
    with torch.no_grad(), unrolled.record(model, to=folder / "recording"):
        model(torch.randn(4, 2, 2))
        model(torch.randn(3, 2, 2))
    (folder / "table.jsonl").write_bytes(JSON_LINES)
    (folder / "log.jsonl").write_bytes(LOG)


def _study(folder: Path) -> None:
    outcomes = list(Results(folder / "study.json"))
    if {each.task for each in outcomes} <= {"long"}:
        tables(outcomes)


def _recording(folder: Path) -> None:
    recording = Recording.load(folder / "recording")
    for name in recording:
        try:
            recording.calls(name)
            recording[name].sum()
        except ValueError:  # calls that cannot be joined
            continue
    assert recording.lengths is not None
    assert all(value is not None for value in recording.initial.values())


def _table(folder: Path) -> None:
    for record in open_table(folder / "table.jsonl"):
        assert record.values is not None


def _log(folder: Path) -> None:
    log.cut(folder / "log.jsonl", 3)
    log.lines(folder / "log.jsonl")


KINDS: tuple[tuple[str, Callable[[Path], None], tuple[type[Exception], ...]], ...] = (
    ("study.json", _study, (UserError,)),
    (f"recording/{INDEX}", _recording, (ValueError, FileNotFoundError)),
    (f"recording/{INITIAL}", _recording, (ValueError, FileNotFoundError)),
    ("table.jsonl", _table, (UserError,)),
    ("log.jsonl", _log, (ValueError,)),
)


def case(folder: Path, draw: random.Random) -> Finding | None:
    """Mutate one of the files, and read it; it stands as it was afterwards."""
    name, use, expected = draw.choice(KINDS)
    path = folder / name
    whole = path.read_bytes()
    change: Any = mutated if name.endswith(".safetensors") else mutated_text
    path.write_bytes(change(whole, draw))
    try:
        use(folder)
    except expected:
        return None
    except Exception as error:
        text = "".join(traceback.format_exception(error))
        return Finding(kind_of(error), f"{name}\n{text}")
    finally:
        path.write_bytes(whole)
    return None
