"""Processes, devices and precision: this process alone, or several by Lightning Fabric."""

from __future__ import annotations

import atexit
import logging
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NoReturn, TypeVar, final

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ...errors import UserError
from ..parent import end_with_parent
from .batch import Shard
from .settings import Settings

T = TypeVar("T")


class Machine:
    """The processes of a run, and their devices and precision: this one, on the CPU, in float32.

    Attributes:
        rank: which process this is; 0 writes files and talks.
        size: how many there are.
        device: of this process.
    """

    rank: int = 0
    size: int = 1
    device: torch.device = torch.device("cpu")

    @property
    def leads(self) -> bool:
        """True in the one process that writes files and talks."""
        return self.rank == 0

    def shards(self, turns: int) -> list[Shard]:
        """Return this process's shards of every batch, worked through in so many turns."""
        return [Shard(self.rank * turns + turn, self.size * turns) for turn in range(turns)]

    def launch(self) -> None:
        """Start the other processes, or meet them: once, before anything is written."""

    def setup(self, model: nn.Module, optimizer: Optimizer) -> tuple[nn.Module, Optimizer]:
        """Move the model to the device; return what to call, and to step, in their place."""
        return model, optimizer

    def turn(self, model: nn.Module, last: bool) -> AbstractContextManager[object]:
        """Work through a shard while entered; gradients are added up after the last one."""
        return nullcontext()

    def backward(self, loss: Tensor) -> None:
        """Differentiate; gradients are averaged over processes."""
        loss.backward()

    def total(self, value: Tensor) -> Tensor:
        """Return the sum of a value over all processes."""
        return value

    def joined(self, value: Tensor, dim: int) -> Tensor:
        """Return the values of all processes, of equal shapes, one after the other."""
        return value

    def first(self, make: Callable[[], T]) -> T:
        """Return what ``make`` gives in the process that leads, which alone calls it.

        Its `UserError` ends all processes.
        """
        return make()

    def some(self, here: bool) -> bool:
        """Tell whether something holds in any of the processes."""
        return self.total(torch.tensor(float(here), device=self.device)).item() > 0

    def refuse(self, message: str) -> NoReturn:
        """End all processes, where all of them call it: the one that leads says why."""
        if self.leads:
            raise UserError(message)
        raise SystemExit(2)


def machine(settings: Settings) -> Machine:
    """Return the machine that the settings, or the one who started this process, ask for.

    One process on the CPU in float32 needs nothing but PyTorch; all else is Lightning Fabric's.

    Raises:
        UserError: Fabric is not installed, or does not have what is asked for.
    """
    started = int(os.environ.get("WORLD_SIZE", "1")) > 1
    plain = (settings.devices, settings.accelerator, settings.precision) == (1, "cpu", "32")
    return Machine() if plain and not started else Processes(settings)


PRECISIONS = {"32": "32-true", "bf16": "bf16-mixed"}
"""Fabric's names: weights stay float32, products are bfloat16."""


@final
class Processes(Machine):
    """Processes of data-parallel training: each takes its shard, gradients are summed over all.

    They are started by `launch`, or by ``torchrun`` or ``fabric run`` on one machine or several.

    Raises:
        UserError: Fabric is not installed, or does not have what is asked for.
    """

    def __init__(self, settings: Settings) -> None:
        self.fabric = _fabric(settings)
        self._find_place()

    def _find_place(self) -> None:
        fabric = self.fabric
        self.rank, self.size, self.device = fabric.global_rank, fabric.world_size, fabric.device

    def launch(self) -> None:
        """Start the other processes with this one's command line, or meet those that run."""
        self.fabric.launch()
        if int(os.environ.get("LOCAL_RANK", "0")) > 0:
            end_with_parent()
        atexit.register(_leave)
        self._find_place()

    def setup(self, model: nn.Module, optimizer: Optimizer) -> tuple[nn.Module, Optimizer]:
        """Wrap both; the weights of the process that leads are everyone's."""
        wrapped, stepped = self.fabric.setup(model, optimizer)
        return wrapped, stepped

    def turn(self, model: nn.Module, last: bool) -> AbstractContextManager[object]:
        """Let gradients travel between processes in the last turn alone."""
        return self.fabric.no_backward_sync(model, enabled=not last)  # pyright: ignore

    def backward(self, loss: Tensor) -> None:
        """Differentiate, and average gradients over processes."""
        self.fabric.backward(loss)

    def total(self, value: Tensor) -> Tensor:
        """Return the sum of a value over all processes."""
        if self.size == 1:
            return value
        found = value.to(self.device, copy=True)
        torch.distributed.all_reduce(found)  # Fabric's own waits at a barrier before
        return found

    def joined(self, value: Tensor, dim: int) -> Tensor:
        """Return the values of all processes, one after the other."""
        if self.size == 1:
            return value
        own = value.to(self.device).contiguous()
        found = [torch.empty_like(own) for _ in range(self.size)]
        torch.distributed.all_gather(found, own)
        return torch.cat(found, dim)

    def first(self, make: Callable[[], T]) -> T:
        """Return what ``make`` gives in the process that leads; the others wait for it."""
        found: tuple[Any, str | None] = (None, None)
        if self.leads:
            try:
                found = (make(), None)
            except UserError as error:
                found = (None, str(error))
        value, message = self.fabric.broadcast(found, src=0)
        if message is not None:
            self.refuse(message)
        return value


CORES = max(8, os.cpu_count() or 1)
"""Processes on CPUs of this machine, at most: more would wait for each other."""


def _fabric(settings: Settings) -> Any:
    if settings.accelerator == "cpu" and settings.devices > CORES:
        raise UserError(
            f"--devices must be from 1 to {CORES} on the CPU of this machine, not "
            f"{settings.devices}"
        )
    try:
        from lightning_fabric import Fabric
    except ImportError as error:
        raise UserError(
            "--devices, --accelerator, --precision and several processes need Lightning Fabric: "
            "pip install 'unrolled[train]'"
        ) from error
    for name in ("lightning_fabric", "lightning.fabric"):  # it announces every process
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        return Fabric(**_arguments(settings))
    except Exception as error:  # of many kinds, for one reason: it is not to be had here
        message = " ".join(str(error).split())
        raise UserError(
            f"cannot compute with --devices {settings.devices} --accelerator "
            f"{settings.accelerator} --precision {settings.precision} here: {message}"
        ) from error


def _arguments(settings: Settings) -> dict[str, Any]:
    """Return Fabric's arguments; those left out may stand in the environment, by ``fabric run``."""
    given: dict[str, Any] = {}
    if "LT_CLI_USED" not in os.environ or settings.accelerator != Settings.accelerator:
        given["accelerator"] = settings.accelerator
    if "LT_CLI_USED" not in os.environ or settings.precision != Settings.precision:
        given["precision"] = PRECISIONS[settings.precision]
    # torchrun has started the processes, and says how many are here
    world, here = (int(os.environ.get(name, "0")) for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"))
    given["devices"] = devices = here or settings.devices
    nodes = max(1, world // devices)
    if here or devices * nodes > 1:
        from lightning_fabric.strategies.ddp import DDPStrategy

        # Gradients lie where they are summed.
        given["strategy"] = DDPStrategy(gradient_as_bucket_view=True)
        given["num_nodes"] = nodes
    return given


def _leave() -> None:
    """End the threads that the processes talk on: at exit, they would end the process instead."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
