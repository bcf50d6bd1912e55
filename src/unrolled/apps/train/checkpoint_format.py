"""The format of checkpoints: the schema of their header, and the tensors a run has to hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple, final

import msgspec
import torch
from msgspec import Meta
from torch import Tensor, nn

from ...equations import Cell
from ...errors import CellError, UserError
from ...schema import Count, Finite, checked, parse
from .settings import Settings
from .task import Problem

VERSION = 2

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


@final
class Header(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Entries of the header; settings, cell, problem and unit have schemas of their own.

    What is unknown is refused: a new entry comes with a new version.
    """

    version: int
    step: Count
    settings: dict[str, Any]
    cell: Any
    problem: dict[str, Any]
    unit: dict[str, Any]
    digest: Name
    loss: Finite | None
    last: tuple[Count, Measures] | None
    best: tuple[Count, Measures] | None
    stale: Count
    optimizer: dict[str, Any]

    def __post_init__(self) -> None:
        for name in ("last", "best"):
            found = getattr(self, name)
            if found is None:
                continue
            step, measures = found
            checked(measures, LossMeasure)
            if step > self.step:
                raise ValueError(f"{name} is of step {step}, but the run is at step {self.step}")
        if self.stale > self.step:
            raise ValueError(f"stale is {self.stale}, but the run is at step {self.step}")
        checked(self.optimizer, Scalars)


def read(text: str) -> Header:
    """Return the header that JSON text holds.

    Raises:
        ValueError: it is damaged.
        UserError: it is of another version.
    """
    data = parse(text)
    if not isinstance(data, dict) or type(data.get("version")) is not int:
        raise ValueError("it has no version")
    if data["version"] != VERSION:
        raise UserError(
            f"has checkpoint format {data['version']}; this version of unrolled reads {VERSION}"
        )
    return checked(data, Header)


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


class Kind(NamedTuple):
    """The type of a stored tensor, as safetensors names it, and its shape."""

    dtype: str
    shape: tuple[int, ...]


def require_fitting(
    found: Mapping[str, Kind], settings: Settings, cell: Cell, problem: Problem
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
    model = _outline(settings, cell, problem)
    weights = {f"weights/{name}": _kind(tensor) for name, tensor in model.state_dict().items()}
    rest = {name: kind for name, kind in found.items() if not name.startswith("weights/")}
    _compare("weights", {n: kind for n, kind in found.items() if n not in rest}, weights)
    _require_moments(_taken("optimizer", rest), model)
    _require_states(_taken("states", rest), problem.carried(model, settings))
    _require_random(_taken("random", rest))
    if rest:
        raise UserError(f"it holds tensors that no run has: {_listed(rest)}")


def _outline(settings: Settings, cell: Cell, problem: Problem) -> nn.Module:
    """Return the model without memory."""
    try:
        with torch.device("meta"):
            return problem.model(settings, cell)
    except (CellError, ValueError, TypeError, RuntimeError, OverflowError) as error:
        raise UserError(
            f"there is no model of the cell {cell.name} with --hidden {settings.hidden} "
            f"--layers {settings.layers}: {error}"
        ) from error


def _kind(tensor: Tensor) -> Kind:
    names = {torch.float32: "F32", torch.int64: "I64", torch.bool: "BOOL"}
    return Kind(names.get(tensor.dtype, str(tensor.dtype)), tuple(tensor.shape))


def _taken(group: str, rest: dict[str, Kind]) -> dict[str, Kind]:
    """Return the tensors of a group, which ``rest`` loses."""
    return {name: rest.pop(name) for name in list(rest) if name.startswith(f"{group}/")}


def _compare(group: str, found: Mapping[str, Kind], expected: Mapping[str, Kind]) -> None:
    troubles = [f"{name.partition('/')[2]} is missing" for name in expected if name not in found]
    troubles += [f"{name.partition('/')[2]!r} is unknown" for name in found if name not in expected]
    troubles += [
        f"{name.partition('/')[2]} is {_shown(found[name])}, expected {_shown(kind)}"
        for name, kind in expected.items()
        if name in found and found[name] != kind
    ]
    if troubles:
        _refuse(group, "; ".join(troubles[:LISTED]))


def _refuse(group: str, trouble: str) -> None:
    raise UserError(f"the checkpoint's {GROUPS[group]} not fit its settings: {trouble}")


def _shown(kind: Kind) -> str:
    return f"{kind.dtype} {list(kind.shape)}"


def _listed(names: Mapping[str, Any]) -> str:
    return ", ".join(repr(name[:60]) for name in sorted(names)[:LISTED])


def _require_moments(found: Mapping[str, Kind], model: nn.Module) -> None:
    """Require all moments of each parameter that has been trained, and none of the others."""
    expected: dict[str, Kind] = {}
    for name, parameter in model.named_parameters():
        names = [f"optimizer/{name}/{moment}" for moment in MOMENTS]
        if any(each in found for each in names):
            step, *moments = names
            expected[step] = Kind("F32", ())
            expected.update(dict.fromkeys(moments, _kind(parameter)))
    _compare("optimizer", found, expected)


def _require_states(found: Mapping[str, Kind], carried: Mapping[str, tuple[int, ...]]) -> None:
    """Return all states, or none, where batches begin anew."""
    if found:
        types = {name: kind.dtype for name, kind in found.items() if kind.dtype in STATES}
        expected = {
            f"states/{name}": Kind(types.get(f"states/{name}", "F32"), shape)
            for name, shape in carried.items()
        }
        _compare("states", found, expected)


def _require_random(found: Mapping[str, Kind]) -> None:
    """Return one row for each process."""
    rows = {kind.shape[:1] for kind in found.values()} or {(1,)}
    if len(rows) > 1 or not all(row and 1 <= row[0] <= PROCESSES for row in rows):
        _refuse("random", f"they have {', '.join(map(_shown, found.values()))}")
    (row,) = rows
    expected = {"random/cpu": Kind("U8", (*row, torch.get_rng_state().numel()))}
    if "random/cuda" in found:
        expected["random/cuda"] = Kind("U8", (*row, CUDA))
    _compare("random", found, expected)


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
