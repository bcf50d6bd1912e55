"""The format of checkpoints: parts of their header, and the tensors that a run has to hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, NamedTuple, final

import msgspec
import torch
from msgspec import Meta
from torch import Tensor, nn

from ...equations import Cell
from ...errors import CellError, UserError
from ...schema import Finite
from .settings import Settings
from .task import Problem

Name = Annotated[str, Meta(max_length=1000)]
"""Of a unit or a digest."""
Decay = Annotated[float, Meta(ge=0, lt=1)]
"""How much of the average before a moment keeps."""
Measures = Annotated[dict[str, float], Meta(max_length=100)]
"""By name."""


class LossMeasure(msgspec.Struct):
    """The measure that has to be there, and finite."""

    loss: Finite


@final
class Scalars(msgspec.Struct, kw_only=True):
    """The numbers of AdamW's parameter group.

    How it is computed (``foreach``, ``fused``, …), and what another version of PyTorch writes, is
    not the run's: names that are not here are left out.

    Attributes:
        lr, betas, eps, weight_decay: of `torch.optim.AdamW`.
        amsgrad, maximize: ways of AdamW that a run of ours never takes.
    """

    lr: Annotated[float, Meta(ge=0, le=1e3)]
    betas: tuple[Decay, Decay]
    eps: Annotated[float, Meta(ge=0, le=1)]
    weight_decay: Annotated[float, Meta(ge=0, le=1)]
    amsgrad: Literal[False] = False
    maximize: Literal[False] = False


STATES = ("F32", "BF16", "F16")
"""Under bfloat16, cells without a cell state of their own carry it."""

MOMENTS = ("step", "exp_avg", "exp_avg_sq")
"""What AdamW keeps of a parameter."""
PROCESSES = 1024
"""How many a run can have."""
CUDA = 16
"""Bytes of the state of a CUDA generator."""
LISTED = 5
"""How many tensors a message names."""

GROUPS = {
    "weights": "weights do",
    "optimizer": "state of the optimizer does",
    "states": "carried states do",
    "random": "states of the random generators do",
}


class Stored(NamedTuple):
    """The type of a stored tensor, as safetensors names it, and its shape."""

    dtype: str
    shape: tuple[int, ...]

    @classmethod
    def of(cls, tensor: Tensor) -> Stored:
        """Return those that a tensor is going to have."""
        names = {torch.float32: "F32", torch.int64: "I64", torch.bool: "BOOL"}
        return cls(names.get(tensor.dtype, str(tensor.dtype)), tuple(tensor.shape))

    def __str__(self) -> str:
        return f"{self.dtype} {list(self.shape)}"


Group = dict[str, Stored]
"""The tensors of a group, by their names in it."""


def require_fitting(
    found: Mapping[str, Stored], settings: Settings, cell: Cell, problem: Problem
) -> None:
    """Refuse tensors that do not follow from a run's settings, before any of them is read.

    Nothing is made whose size a file states without holding as much: the model that is compared
    with has shapes, but no memory.

    Args:
        found: by name, as `Checkpoint.tensors`.
        settings, cell, problem: of the run.

    Raises:
        UserError: names, types or shapes differ, or there is no such model.
    """
    try:
        with torch.device("meta"):
            model = problem.model(settings, cell)
    except (CellError, ValueError, TypeError, RuntimeError, OverflowError) as error:
        raise UserError(
            f"there is no model of the cell {cell.name} with --hidden {settings.hidden} "
            f"--layers {settings.layers}: {error}"
        ) from error
    groups: dict[str, Group] = {group: {} for group in GROUPS}
    strange: list[str] = []
    for name, stored in found.items():
        group, slash, rest = name.partition("/")
        if slash and group in groups:
            groups[group][rest] = stored
        else:
            strange.append(name)
    weights = {name: Stored.of(tensor) for name, tensor in model.state_dict().items()}
    _compare("weights", groups["weights"], weights)
    _compare("optimizer", groups["optimizer"], _moments(groups["optimizer"], model))
    carried = problem.carried(model, settings)
    _compare("states", groups["states"], _states(groups["states"], carried))
    _compare("random", groups["random"], _generators(groups["random"]))
    if strange:
        names = ", ".join(repr(name[:60]) for name in sorted(strange)[:LISTED])
        raise UserError(f"it holds tensors that no run has: {names}")


def _compare(group: str, found: Group, expected: Group) -> None:
    troubles = [f"{name} is missing" for name in expected if name not in found]
    troubles += [f"{name!r} is unknown" for name in found if name not in expected]
    troubles += [
        f"{name} is {found[name]}, expected {stored}"
        for name, stored in expected.items()
        if found.get(name, stored) != stored
    ]
    if troubles:
        _refuse(group, "; ".join(troubles[:LISTED]))


def _refuse(group: str, trouble: str) -> None:
    raise UserError(f"the checkpoint's {GROUPS[group]} not fit its settings: {trouble}")


def _moments(found: Group, model: nn.Module) -> Group:
    """Return all moments of each parameter that has been trained, and none of the others."""
    expected: Group = {}
    for name, parameter in model.named_parameters():
        alike = Stored.of(parameter)
        moments = (Stored("F32", ()), alike, alike)
        own = dict(zip((f"{name}/{moment}" for moment in MOMENTS), moments, strict=True))
        if own.keys() & found.keys():
            expected |= own
    return expected


def _states(found: Group, carried: Mapping[str, tuple[int, ...]]) -> Group:
    """Return all states, or none, where batches begin anew."""
    if not found:
        return {}
    types = {name: stored.dtype for name, stored in found.items() if stored.dtype in STATES}
    return {name: Stored(types.get(name, "F32"), shape) for name, shape in carried.items()}


def _generators(found: Group) -> Group:
    """Return one row for each process."""
    rows = {stored.shape[:1] for stored in found.values()} or {(1,)}
    if len(rows) > 1 or not all(row and 1 <= row[0] <= PROCESSES for row in rows):
        _refuse("random", f"they have {', '.join(map(str, found.values()))}")
    (row,) = rows
    sizes = {"cpu": torch.get_rng_state().numel(), "cuda": CUDA}
    return {
        name: Stored("U8", (*row, size))
        for name, size in sizes.items()
        if name == "cpu" or name in found
    }


def require_sound(tensors: Mapping[str, Tensor], step: int) -> None:
    """Refuse values that no run comes to.

    Args:
        tensors: that fit, by name.
        step: of the run.

    Raises:
        UserError: a number is not finite, a mean of squares negative, a parameter ahead of the
            run, or a generator in a state that it cannot be in.
    """
    require_finite(tensors)
    for name, tensor in tensors.items():
        moment = name.rpartition("/")[2] if name.startswith("optimizer/") else ""
        if moment == "exp_avg_sq" and bool((tensor < 0).any()):
            raise UserError(f"{name} is negative somewhere: a mean of squares is expected")
        if moment == "step" and not (1 <= tensor.item() <= step and tensor.item() % 1 == 0):
            raise UserError(
                f"{name} is {tensor.item():g}: a whole number from 1 to {step}, the step of the "
                "run, is expected"
            )
    for row in tensors.get("random/cpu", ()):
        _require_generator(row)


def require_finite(tensors: Mapping[str, Tensor]) -> None:
    """Refuse NaN and infinity.

    Raises:
        UserError: there is some; the message names the tensor.
    """
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise UserError(f"{name} has NaN or infinite values")


def _require_generator(state: Tensor) -> None:
    """Refuse a state of the Mersenne Twister that would read past its 624 numbers.

    PyTorch looks whether ``left`` (bytes 8 to 12) and ``next`` (16 to 24) are in range, but not
    whether they belong together: ``next`` rises as ``left`` falls, and at 1 all are drawn anew.
    """
    left = int(state[8:12].view(torch.int32).item())
    following = int(state[16:24].view(torch.int64).item())
    try:
        torch.Generator().set_state(state.clone())
    except (RuntimeError, TypeError) as error:
        raise UserError(f"random/cpu is no state of PyTorch's generator: {error}") from error
    if left > 1 and not 0 <= following <= 625 - left:
        raise UserError(
            f"random/cpu is no state of PyTorch's generator: {left} numbers are left from place "
            f"{following} on"
        )
