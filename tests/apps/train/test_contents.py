import resource
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from torch import Tensor

from stored import keep, rewrite
from unrolled.apps.train import checkpoint as checkpoints
from unrolled.apps.train.contents import require_sound
from unrolled.errors import UserError

from .conftest import TINY

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
