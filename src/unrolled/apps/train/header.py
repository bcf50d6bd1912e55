"""The part of a checkpoint that is not tensors: a schema, and the way to JSON and back."""

from __future__ import annotations

from typing import Annotated, Any, Literal, final

import msgspec
from msgspec import Meta

from ...errors import UserError
from ...schema import Count, Finite, checked, parse

VERSION = 2

Name = Annotated[str, Meta(max_length=1000)]
"""Of a unit or a digest."""
Share = Annotated[float, Meta(ge=0, lt=1)]
"""How much of the average before a moment keeps."""
Measures = Annotated[dict[str, float], Meta(max_length=100)]
"""By name."""


class Loss(msgspec.Struct):
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
    betas: tuple[Share, Share]
    eps: Annotated[float, Meta(ge=0, le=1)]
    weight_decay: Annotated[float, Meta(ge=0, le=1)]
    amsgrad: Literal[False] = False
    maximize: Literal[False] = False


@final
class Header(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What stands in it; settings, cell, problem and unit have schemas of their own.

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
            checked(measures, Loss)
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
