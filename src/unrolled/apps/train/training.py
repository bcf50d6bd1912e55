"""A model in training, one step at a time, whatever is learned."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, final

import msgspec
import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from ...display import page_of, text_of
from ...equations import Cell
from ...errors import UserError
from ...schema import checked
from .batch import ROWS, States, detach, joined, unlisted
from .checkpoint import Checkpoint, Evaluation
from .checkpoint_format import Scalars
from .machine import Machine
from .task import Task


@final
@dataclass(frozen=True, kw_only=True)
class Report:
    """One step, as it stands in the log.

    Attributes:
        step: how many steps are done with this one.
        loss: of the training batch, in the task's unit.
        held_out: what was measured on the held-out part, after the steps that evaluate.
        gradient_norm: before clipping.
        learning_rate: of this step.
        speed: items per second of this step, evaluations and checkpoints left out.
    """

    step: int
    loss: float
    held_out: dict[str, float] | None
    gradient_norm: float
    learning_rate: float
    speed: float

    __repr__ = text_of
    _repr_html_ = page_of


@final
class Training:
    """A model, its optimizer and its place in the data: all that a checkpoint holds.

    Every step takes one batch, in as many shards as there are processes and turns; which batch,
    follows from the step's number alone. States that a task carries from batch to batch are
    carried without their gradient.

    Raises:
        UserError: a batch cannot be divided among so many shards, or the model does not fit.
    """

    def __init__(self, task: Task, cell: Cell, machine: Machine | None = None) -> None:
        self.task, self.settings, self.cell = task, task.settings, cell
        self.machine = machine or Machine()
        count = self.machine.size * self.settings.accumulate
        if self.settings.batch % count:
            raise UserError(
                f"--batch {self.settings.batch} cannot be divided among {self.machine.size} "
                f"process{'' if self.machine.size == 1 else 'es'} with --accumulate "
                f"{self.settings.accumulate}: it must be a multiple of {count}"
            )
        self.shards = self.machine.shards(self.settings.accumulate)
        torch.manual_seed(self.settings.seed)
        self.model = task.model(cell)
        # 0.999 for the second moment would average over more steps than a short run has.
        self.optimizer = torch.optim.AdamW(self.model.parameters(), betas=(0.9, 0.99))
        self.forward, self.stepped = self.machine.setup(self.model, self.optimizer)
        if self.machine.rank > 0:  # dropout is drawn anew in every process
            torch.manual_seed((self.settings.seed + self.machine.rank * 1_000_003) % 2**63)
        self.states: list[States | None] = [None for _ in self.shards]
        self.step = 0
        self.loss: float | None = None
        self.last: Evaluation | None = None
        self.best: Evaluation | None = None
        self.stale = 0

    def updates(self, stop: Callable[[], bool] = lambda: False) -> Iterator[Report]:
        """Take steps to their end, the end of patience, or until ``stop`` says so before one.

        Yields:
            A report after every step.

        Raises:
            FloatingPointError: as `advance`.
        """
        while self.step < self.settings.steps and not self.waited and not stop():
            yield self.advance()

    def advance(self) -> Report:
        """Take one step.

        Raises:
            FloatingPointError: the loss or its gradient is not finite; the weights are untouched.
        """
        began = time.perf_counter()
        self.optimizer.zero_grad()
        total, states, count = self._accumulate()
        norm = clip_grad_norm_(self.model.parameters(), self.settings.clip).item()
        loss = self.machine.total(total).item() / count * self.task.metric.scale
        for name, value in (("loss", loss), ("gradient's norm", norm)):
            if not math.isfinite(value):
                raise FloatingPointError(f"the {name} became {value} at step {self.step + 1}")
        rate = self.task.learning_rate(self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.stepped.step()
        self.step, self.loss, self.states = self.step + 1, loss, states
        return Report(
            step=self.step,
            loss=loss,
            held_out=None,
            gradient_norm=norm,
            learning_rate=rate,
            speed=count / (time.perf_counter() - began),
        )

    def _accumulate(self) -> tuple[Tensor, list[States | None], int]:
        """Add up gradients; return this process's summed loss, its states, the whole count."""
        total, states, count = torch.zeros((), device=self.machine.device), [], 1
        for shard, before in zip(self.shards, self.states, strict=True):
            batch = self.task.batch(self.step, shard).to(self.machine.device)
            count = batch.count
            with self.machine.turn(self.forward, shard is self.shards[-1]):
                found = self.task.loss(self.forward, batch, None if batch.fresh else before)
                # Gradients of processes are averaged: times their number, they are summed.
                self.machine.backward(found.total * (self.machine.size / count))
            total = total + found.total.detach()
            states.append(None if found.states is None else detach(found.states))
        return total, states, count

    def evaluate(self) -> Evaluation:
        """Measure what is held out, and remember it as the last and perhaps the best.

        Raises:
            FloatingPointError: the loss is not finite; what was remembered stands.
        """
        measures = self.machine.first(lambda: self.task.evaluate(self.model))
        if not math.isfinite(measures["loss"]):
            raise FloatingPointError(
                f"the held-out loss became {measures['loss']} at step {self.step}"
            )
        self.last = Evaluation(self.step, measures)
        better = self.best is None or self.last.loss < self.best.loss
        self.best = self.last if better else self.best
        self.stale = 0 if better else self.stale + 1
        return self.last

    @property
    def waited(self) -> bool:
        """True once nothing has become better for as many evaluations as patience allows."""
        patience = self.settings.patience
        return patience is not None and self.stale >= patience

    def checkpoint(self) -> Checkpoint:
        """Return the run as it stands, its tensors copies; all processes have to ask for it."""
        names = [name for name, _ in self.model.named_parameters()]
        optimizer = self.optimizer.state_dict()
        tensors = {f"weights/{name}": tensor for name, tensor in self.model.state_dict().items()}
        for index, moments in optimizer["state"].items():
            for moment, tensor in moments.items():
                tensors[f"optimizer/{names[index]}/{moment}"] = tensor
        parts = [states for states in self.states if states is not None]
        if len(parts) == len(self.states):  # else they begin anew
            for name, state in zip(self.cell.states, joined(parts), strict=True):
                tensors[f"states/{name}"] = self.machine.joined(state, ROWS)
        for device, module in _generators().items():
            tensors[f"random/{device}"] = self.machine.joined(module.get_rng_state()[None], 0)
        (group,) = optimizer["param_groups"]
        return Checkpoint(
            step=self.step,
            settings=self.settings,
            cell=self.cell,
            problem=self.task.problem,
            metric=self.task.metric,
            digest=self.task.digest,
            loss=self.loss,
            last=self.last,
            best=self.best,
            stale=self.stale,
            optimizer={name: value for name, value in group.items() if name != "params"},
            tensors={
                name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
                for name, tensor in tensors.items()
            },
        )

    @classmethod
    def resume(cls, checkpoint: Checkpoint, task: Task, machine: Machine | None = None) -> Training:
        """Return the run that ``checkpoint`` was made of, with the task's settings, some renewed.

        Raises:
            UserError: another problem, other data, or tensors that do not fit the settings.
        """
        checkpoint.require(task)
        training = cls(task, checkpoint.cell, machine)
        try:
            training._restore(checkpoint)
        except (LookupError, TypeError, ValueError, RuntimeError) as error:
            raise UserError(f"the checkpoint's tensors do not fit its settings: {error}") from error
        return training

    def _restore(self, checkpoint: Checkpoint) -> None:
        self.step, self.loss, self.stale = checkpoint.step, checkpoint.loss, checkpoint.stale
        self.last, self.best = checkpoint.last, checkpoint.best
        self.model.load_state_dict(checkpoint.group("weights"))
        state: dict[int, dict[str, Tensor]] = {}
        for index, (name, _) in enumerate(self.model.named_parameters()):
            if moments := checkpoint.group(f"optimizer/{name}"):
                state[index] = moments
        group: dict[str, Any] = self.optimizer.state_dict()["param_groups"][0]
        group.update(msgspec.structs.asdict(checked(checkpoint.optimizer, Scalars)))
        self.optimizer.load_state_dict({"state": state, "param_groups": [group]})
        if states := checkpoint.group("states"):
            whole = [states[name].to(self.machine.device) for name in self.cell.states]
            self.states = [
                unlisted([state[:, shard.rows(state.shape[ROWS])] for state in whole])
                for shard in self.shards
            ]
        generators, rank = _generators(), self.machine.rank
        for device, kept in checkpoint.group("random").items():
            if device in generators and rank < len(kept):  # a new process keeps its own
                generators[device].set_rng_state(kept[rank].clone())  # a view is read past its end


def _generators() -> dict[str, Any]:
    """Return the modules of PyTorch that have a random generator here, by device."""
    return {"cpu": torch, "cuda": torch.cuda} if torch.cuda.is_available() else {"cpu": torch}
