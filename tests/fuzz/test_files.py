import os
import random

import pytest
import safetensors.torch
import torch

from unrolled.apps.train import checkpoint as checkpoints

from .files import findings
from .files_mutations import Stored, mutated
from .files_uses import Commands

COUNT = 120
"""Files: about as many as go through in 20 seconds, with the runs they are made of."""

FILE = safetensors.torch.save(
    {"weights/x": torch.arange(3.0), "random/cpu": torch.zeros(2, 3, dtype=torch.uint8)},
    {"unrolled": '{"step": 3, "settings": {"hidden": 4}, "cell": {"doc": ""}}'},
)


def test_mutated_files_work_or_are_refused_with_words() -> None:
    seeds = [f"test {number}" for number in range(COUNT)]
    found = {seed: each for seed, each in findings(seeds, 1, ("cell",)) if each is not None}
    assert not found, "\n".join(f"{seed}: {each.kind}\n{each.text}" for seed, each in found.items())


def test_a_seed_is_a_file() -> None:
    files = [mutated(FILE, random.Random(str(seed)), ("cell",)) for seed in range(300)]
    assert files == [mutated(FILE, random.Random(str(seed)), ("cell",)) for seed in range(300)]
    assert len(set(files)) > 200


def test_a_file_is_taken_apart_and_joined() -> None:
    assert safetensors.torch.load(Stored.of(FILE).joined()).keys() == {"weights/x", "random/cpu"}


@pytest.mark.parametrize("error", [KeyError("exp_avg_sq"), RecursionError("deep"), SystemExit(3)])
def test_what_is_no_error_of_a_user_is_found(
    error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(checkpoints, "load", fail)
    found = Commands()("sample", os.devnull)
    assert found is not None
    assert type(error).__name__ in found.kind or "exit code 3" in found.kind


def test_a_run_that_is_not_there_is_no_finding(tmp_path: object) -> None:
    assert Commands()("sample", str(tmp_path)) is None
