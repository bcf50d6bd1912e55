import json
import math
import resource
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from stored import keep, rewrite
from unrolled.apps.train import checkpoint as checkpoints
from unrolled.apps.train.checkpoint_format import require_sound
from unrolled.errors import UserError

from .conftest import TINY

BAD = [
    ({"step": -1}, "step is -1: expected `int` >= 0"),
    ({"step": 10**400}, "step is .*: expected `int` <= "),
    ({"step": True}, "step is True: expected `int`"),
    ({"step": 2}, "last is of step 6, but the run is at step 2"),
    ({"stale": 7}, "stale is 7, but the run is at step 6"),
    ({"loss": math.nan}, "loss is nan"),
    ({"last": [6, {"loss": math.inf}]}, "expected `float` <="),
    ({"last": [6, {"accuracy": 1.0}]}, "missing required field `loss`"),
    ({"last": [6]}, "last"),
    ({"digest": 5}, "digest is 5: expected `str"),
    ({"more": 1}, "unknown field `more`"),
    ({"unit": {"name": "bits", "item": "chars", "scale": 0}}, "scale is 0"),
    ({"unit": {"name": "bits", "item": "chars", "scale": math.nan}}, "scale is nan"),
    ({"settings": {"hidden": 0}}, "--hidden must be from 1 to 2\\*\\*20, not 0"),
    ({"settings": {"batch": 10**30}}, "--batch must be from 1 to 2\\*\\*20"),
    ({"settings": {"lr": 1e300}}, "--lr must be more than 0 and at most 1000"),
    ({"settings": {"steps": 2**41}}, "--steps must be from 1 to 2\\*\\*40"),
    ({"settings": {"hidden": True}}, "hidden is True: expected `int`"),
    ({"settings": {"lr": "fast"}}, "lr is 'fast': expected `float`"),
    ({"problem": {"kind": ["text"]}}, r"a problem of kind \['text'\]"),
    ({"problem": {"kind": "text", "vocabulary": ""}}, "vocabulary: expected sorted"),
    ({"problem": {"kind": "text", "vocabulary": "ba"}}, "vocabulary: expected sorted"),
    ({"problem": {"kind": "text", "vocabulary": "a\ud800"}}, "surrogates not allowed"),
    ({"problem": {"kind": "text", "vocabulary": ["a"]}}, "vocabulary is .*: expected `str`"),
    ({"problem": {"kind": "text", "vocabulary": "ab", "x": 1}}, "unknown: 'x'"),
]


@pytest.mark.parametrize(("change", "words"), BAD)
def test_a_damaged_entry_is_named(trained: Path, change: dict[str, Any], words: str) -> None:
    rewrite(trained / checkpoints.NAME, **change)
    with pytest.raises(UserError, match=f"(?i)is damaged: .*{words}"):
        checkpoints.load(trained)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"lr": "x"}, "optimizer.lr|lr is 'x'"),
        ({"betas": [0.9]}, "betas"),
        ({"betas": [0.9, 0.99, 0.999]}, "betas"),
        ({"betas": [0.9, 1.0]}, "betas"),
        ({"betas": [math.nan, 0.9]}, "betas"),
        ({"eps": -1}, "eps is -1"),
        ({"weight_decay": 1e300}, "weight_decay"),
        ({"amsgrad": True}, "amsgrad"),
        ({"maximize": True}, "maximize"),
    ],
)
def test_scalars_of_the_optimizer_are_in_range(
    trained: Path, change: dict[str, Any], words: str
) -> None:
    kept = checkpoints.load(trained).optimizer
    rewrite(trained / checkpoints.NAME, optimizer={**kept, **change})
    with pytest.raises(UserError, match=f"is damaged: .*({words})"):
        checkpoints.load(trained)


def test_ways_to_compute_a_step_are_not_the_runs(trained: Path) -> None:
    kept = checkpoints.load(trained).optimizer
    rewrite(trained / checkpoints.NAME, optimizer={**kept, "fused": "often", "new": [1]})
    assert checkpoints.load(trained).step == 6


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "7", '"x"', "{}", '{"version": "2"}', "[" * 9999]
)
def test_what_is_no_header_is_refused(text: str) -> None:
    with pytest.raises(UserError, match=r"the header of a is damaged: ."):
        checkpoints.read_header(Path("a"), text)


def test_clipping_at_infinity_is_read_as_it_was_written(trained: Path) -> None:
    settings = {"hidden": 8, "batch": 4, "clip": math.inf}
    assert "Infinity" in json.dumps(settings)
    rewrite(trained / checkpoints.NAME, settings=settings)
    assert checkpoints.load(trained).settings.clip == math.inf


BIAS = "optimizer/readout.bias"
Change = Callable[[dict[str, Tensor]], object]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.pop("weights/readout.bias"), "readout.bias is missing"),
        (lambda t: t.update({"weights/x": torch.zeros(1)}), "'x' is unknown"),
        (lambda t: t.update({"x": torch.zeros(1)}), "tensors that no run has: 'x'"),
        (lambda t: t.update({"weights/readout.bias": torch.zeros(0)}), r"F32 \[0\], expected"),
        (
            lambda t: t.update({"weights/readout.weight": t["weights/readout.weight"].double()}),
            "readout.weight is F64",
        ),
        (lambda t: t.pop(f"{BIAS}/exp_avg_sq"), "readout.bias/exp_avg_sq is missing"),
        (lambda t: t.pop(f"{BIAS}/exp_avg"), "readout.bias/exp_avg is missing"),
        (lambda t: t.pop(f"{BIAS}/step"), "readout.bias/step is missing"),
        (lambda t: t.update({f"{BIAS}/exp_avg": torch.zeros(2)}), r"exp_avg is F32 \[2\]"),
        (lambda t: t.update({f"{BIAS}/step": torch.ones(1)}), r"step is F32 \[1\], expected"),
        (lambda t: t.update({f"{BIAS}/max_exp_avg_sq": torch.zeros(2)}), "is unknown"),
        (lambda t: t[f"{BIAS}/exp_avg_sq"].fill_(-1), "exp_avg_sq is negative somewhere"),
        (lambda t: t[f"{BIAS}/step"].fill_(-1), "step is -1: a whole number from 1 to 6"),
        (lambda t: t[f"{BIAS}/step"].fill_(7), "step is 7: a whole number from 1 to 6"),
        (lambda t: t[f"{BIAS}/step"].fill_(1.5), "step is 1.5: a whole number"),
        (lambda t: t[f"{BIAS}/step"].fill_(torch.nan), "step has NaN"),
        (lambda t: t.pop("states/c"), "carried states do not fit .*: c is missing"),
        (lambda t: t.update({"states/c": torch.zeros(1, 3, 8)}), r"c is F32 \[1, 3, 8\]"),
        (lambda t: t.pop("random/cpu"), "random generators do not fit .*: cpu is missing"),
        (lambda t: t.update({"random/cpu": t["random/cpu"][0]}), "random generators do not fit"),
        (lambda t: t.update({"random/cpu": t["random/cpu"][:0]}), "random generators do not fit"),
        (lambda t: t.update({"random/cpu": t["random/cpu"][:, 1:]}), "cpu is U8"),
        (lambda t: t["random/cpu"].fill_(255), "no state of PyTorch's generator"),
    ],
)
def test_tensors_that_no_run_comes_to_are_named(trained: Path, change: Change, words: str) -> None:
    path = trained / checkpoints.NAME
    tensors = checkpoints.load(path).tensors
    change(tensors)
    keep(path, {name: tensor.contiguous() for name, tensor in tensors.items()})
    with pytest.raises(UserError, match=words) as error:
        checkpoints.load(path)
    assert str(path) in str(error.value)


def test_a_run_without_states_or_moments_is_whole(trained: Path) -> None:
    path = trained / checkpoints.NAME
    tensors = checkpoints.load(path).tensors
    keep(path, {n: t for n, t in tensors.items() if n.startswith(("weights/", "random/"))})
    assert checkpoints.load(path).step == 6


@pytest.mark.parametrize("left", [2, 3, 100, 624])
def test_a_generator_never_reads_past_its_numbers(left: int) -> None:
    state = torch.Generator().manual_seed(1).get_state()
    state[8:12] = torch.tensor([left], dtype=torch.int32).view(torch.uint8)
    for following, good in ((625 - left, True), (626 - left, False)):
        state[16:24] = torch.tensor([following], dtype=torch.int64).view(torch.uint8)
        if good:
            require_sound({"random/cpu": state[None]}, 1)
        else:
            with pytest.raises(UserError, match=f"{left} numbers are left from place {following}"):
                require_sound({"random/cpu": state[None]}, 1)


def test_every_generator_is_in_a_state_that_it_can_be_in() -> None:
    generator = torch.Generator().manual_seed(1)
    for _ in range(1300):
        require_sound({"random/cpu": generator.get_state()[None]}, 1)
        torch.rand(1, generator=generator)


@pytest.mark.parametrize("change", [{"hidden": 2**20}, {"layers": 2**10}, {"batch": 2**20}])
def test_sizes_that_only_the_settings_state_take_no_memory(
    trained: Path, change: dict[str, int]
) -> None:
    rewrite(trained / checkpoints.NAME, settings={**asdict(TINY), **change})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UserError, match="not fit its settings"):
        checkpoints.load(trained)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 300_000  # kilobytes; the weights would have terabytes
