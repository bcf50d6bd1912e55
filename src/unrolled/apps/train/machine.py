"""Where a run computes: one process, or several that take equal shares of every batch."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import NoReturn, TypeVar, final

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ...errors import UserError
from .settings import Settings
from .share import Share

T = TypeVar("T")


class Machine(ABC):
    """The processes of a run, and the devices and precision that they compute with.

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
        """Whether this process writes files and talks."""
        return self.rank == 0

    def shares(self, turns: int) -> list[Share]:
        """This process's shares of every batch, which it works through in so many turns."""
        return [Share(self.rank * turns + turn, self.size * turns) for turn in range(turns)]

    @abstractmethod
    def launch(self) -> None:
        """Start the other processes, or meet them: once, before anything is written."""

    @abstractmethod
    def setup(self, model: nn.Module, optimizer: Optimizer) -> tuple[nn.Module, Optimizer]:
        """What is to be called, and stepped, in their place; the model is moved to the device."""

    @abstractmethod
    def turn(self, model: nn.Module, last: bool) -> AbstractContextManager[object]:
        """While entered, a share is worked through; gradients are added up after the last one."""

    @abstractmethod
    def backward(self, loss: Tensor) -> None:
        """Differentiate."""

    @abstractmethod
    def total(self, value: Tensor) -> Tensor:
        """The sum of a value over all processes."""

    @abstractmethod
    def joined(self, value: Tensor, dim: int) -> Tensor:
        """The values of all processes, of equal shapes, one after the other."""

    @abstractmethod
    def first(self, make: Callable[[], T]) -> T:
        """What ``make`` gives in the process that leads, which alone calls it.

        Its `UserError` ends all processes.
        """

    def some(self, here: bool) -> bool:
        """Whether something holds in any of the processes."""
        return self.total(torch.tensor(float(here), device=self.device)).item() > 0

    def refuse(self, message: str) -> NoReturn:
        """End all processes, where all of them call it: the one that leads says why."""
        if self.leads:
            raise UserError(message)
        raise SystemExit(2)


@final
class Alone(Machine):
    """This process, on the CPU, in float32."""

    def launch(self) -> None:
        """Nothing to do."""

    def setup(self, model: nn.Module, optimizer: Optimizer) -> tuple[nn.Module, Optimizer]:
        """As they are."""
        return model, optimizer

    def turn(self, model: nn.Module, last: bool) -> AbstractContextManager[object]:
        """Gradients add up by themselves."""
        return nullcontext()

    def backward(self, loss: Tensor) -> None:
        """Differentiate."""
        loss.backward()

    def total(self, value: Tensor) -> Tensor:
        """The value."""
        return value

    def joined(self, value: Tensor, dim: int) -> Tensor:
        """The value."""
        return value

    def first(self, make: Callable[[], T]) -> T:
        """What ``make`` gives."""
        return make()


def machine(settings: Settings) -> Machine:
    """The machine that the settings, or the one who started this process, ask for.

    One process on the CPU in float32 needs nothing but PyTorch; all else is Lightning Fabric's.

    Raises:
        UserError: Fabric is not installed, or does not have what is asked for.
    """
    started = int(os.environ.get("WORLD_SIZE", "1")) > 1
    plain = (settings.devices, settings.accelerator, settings.precision) == (1, "cpu", "32")
    if plain and not started:
        return Alone()
    from .processes import Processes

    return Processes(settings)
