"""The training loop: truncated backpropagation through time over parallel streams of a text."""

import json
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.utils import clip_grad_norm_

from ..equations import Cell
from . import checkpoint as checkpoints
from . import log
from .checkpoint import Checkpoint, Evaluation
from .errors import UserError
from .evaluation import held_out_bits
from .interrupt import Interrupt
from .model import States, build, detach
from .schedule import learning_rate
from .settings import Settings
from .text import Corpus


@final
@dataclass(frozen=True, kw_only=True)
class Report:
    """One step, as it stands in the log.

    Attributes:
        step: how many steps are done with this one.
        bits: training loss in bits per character.
        held_out_bits: the same on the held-out part, after the steps that evaluate.
        gradient_norm: before clipping.
        learning_rate: of this step.
        characters_per_second: of this step, evaluations and checkpoints left out.
    """

    step: int
    bits: float
    held_out_bits: float | None
    gradient_norm: float
    learning_rate: float
    characters_per_second: float


@final
class Training:
    """A model, its optimizer and its place in the text: all that a checkpoint holds.

    B streams go through the training part side by side, a window of T symbols a step. States are
    carried from window to window without their gradient, and start anew with the text. Where a
    step stands in the text follows from its number alone.

    Raises:
        UserError: the text is too short for one window of every stream.
    """

    def __init__(self, settings: Settings, cell: Cell, corpus: Corpus) -> None:
        self.settings, self.cell, self.corpus = settings, cell, corpus
        self.inputs, self.targets = _streams(corpus, settings)
        torch.manual_seed(settings.seed)
        self.model = build(settings, cell, corpus.vocabulary)
        # 0.999 for the second moment would average over more steps than a short run has.
        self.optimizer = torch.optim.AdamW(self.model.parameters(), betas=(0.9, 0.99))
        self.states: States | None = None
        self.step = 0
        self.bits: float | None = None
        self.last: Evaluation | None = None
        self.best: Evaluation | None = None

    def advance(self) -> Report:
        """Take one step.

        Raises:
            FloatingPointError: the loss or its gradient is not finite; the weights are untouched.
        """
        began = time.perf_counter()
        x, y = self._window()
        logits, states = self.model(x, self.states)
        loss = functional.cross_entropy(logits.flatten(0, 1), y.flatten())
        self.optimizer.zero_grad()
        loss.backward()
        norm = clip_grad_norm_(self.model.parameters(), self.settings.clip).item()
        bits = loss.item() / math.log(2)
        for name, value in (("loss", bits), ("gradient's norm", norm)):
            if not math.isfinite(value):
                raise FloatingPointError(f"the {name} became {value} at step {self.step + 1}")
        rate = learning_rate(self.step, self.settings)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.step, self.bits, self.states = self.step + 1, bits, detach(states)
        return Report(
            step=self.step,
            bits=bits,
            held_out_bits=None,
            gradient_norm=norm,
            learning_rate=rate,
            characters_per_second=x.numel() / (time.perf_counter() - began),
        )

    def _window(self) -> tuple[Tensor, Tensor]:
        T = self.settings.window
        start = self.step % (len(self.inputs) // T) * T
        if start == 0:
            self.states = None
        return self.inputs[start : start + T], self.targets[start : start + T].long()

    def evaluate(self) -> Evaluation:
        """Measure the held-out loss, and remember it as the last and perhaps the best."""
        self.last = Evaluation(self.step, held_out_bits(self.model, self.corpus))
        self.best = min(self.best or self.last, self.last, key=lambda each: each.bits)
        return self.last

    def checkpoint(self) -> Checkpoint:
        """The run as it stands; its tensors are copies."""
        names = [name for name, _ in self.model.named_parameters()]
        optimizer = self.optimizer.state_dict()
        tensors = {f"weights/{name}": tensor for name, tensor in self.model.state_dict().items()}
        for index, moments in optimizer["state"].items():
            for moment, tensor in moments.items():
                tensors[f"optimizer/{names[index]}/{moment}"] = tensor
        if self.states is not None:
            states = (self.states,) if isinstance(self.states, Tensor) else self.states
            for name, state in zip(self.cell.states, states, strict=True):
                tensors[f"states/{name}"] = state
        tensors["random"] = torch.get_rng_state()
        (group,) = optimizer["param_groups"]
        return Checkpoint(
            step=self.step,
            settings=self.settings,
            cell=self.cell,
            vocabulary=self.corpus.vocabulary,
            digest=self.corpus.digest,
            bits=self.bits,
            last=self.last,
            best=self.best,
            optimizer={name: value for name, value in group.items() if name != "params"},
            tensors={
                name: tensor.detach().clone(memory_format=torch.contiguous_format)
                for name, tensor in tensors.items()
            },
        )

    @classmethod
    def resume(cls, checkpoint: Checkpoint, settings: Settings, corpus: Corpus) -> "Training":
        """The run that ``checkpoint`` was made of, with the free ones among its settings renewed.

        Raises:
            UserError: another text, or tensors that do not fit the settings.
        """
        if corpus.digest != checkpoint.digest:
            raise UserError(
                "the run was trained on another text: to resume it, name the files it began with"
            )
        training = cls(settings, checkpoint.cell, corpus)
        try:
            training._restore(checkpoint)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise UserError(
                f"the checkpoint's tensors do not fit its settings: {error!r}"
            ) from error
        return training

    def _restore(self, checkpoint: Checkpoint) -> None:
        self.step, self.bits = checkpoint.step, checkpoint.bits
        self.last, self.best = checkpoint.last, checkpoint.best
        self.model.load_state_dict(checkpoint.group("weights"))
        state: dict[int, dict[str, Tensor]] = {}
        for index, (name, _) in enumerate(self.model.named_parameters()):
            if moments := checkpoint.group(f"optimizer/{name}"):
                state[index] = moments
        group: dict[str, Any] = self.optimizer.state_dict()["param_groups"][0]
        group.update(checkpoint.optimizer)
        self.optimizer.load_state_dict({"state": state, "param_groups": [group]})
        if states := checkpoint.group("states"):
            first, *others = (states[name] for name in self.cell.states)
            self.states = (first, *others) if others else first
        torch.set_rng_state(checkpoint.tensors["random"])


def _streams(corpus: Corpus, settings: Settings) -> tuple[Tensor, Tensor]:
    """Inputs and targets of all streams, (N // B, B)."""
    B, T, ids = settings.batch, settings.window, corpus.training
    if len(ids) <= B * T:
        raise UserError(
            f"the training part has {len(ids)} characters, and --batch {B} times --window {T} "
            f"needs more than {B * T}: give more text, or a smaller batch or window"
        )
    length = (len(ids) - 1) // B
    inputs, targets = ids[: B * length], ids[1 : B * length + 1]
    return inputs.view(B, length).t(), targets.view(B, length).t()


def run(training: Training, folder: Path, interrupt: Interrupt) -> Iterator[Report]:
    """Train to the end of the steps or seconds, or to an interrupt; a report after every step.

    In ``folder`` stand the checkpoint, renewed at intervals and at the end, and the log. The
    seconds count from the call.

    Raises:
        UserError: the loss is no longer finite, or a file cannot be written.
    """
    settings, path = training.settings, folder / checkpoints.NAME
    deadline = time.monotonic() + (settings.seconds or math.inf)
    checkpoints.save(path, training.checkpoint())
    saved = training.step
    log.cut(folder / log.NAME, training.step)
    with (folder / log.NAME).open("a", encoding="utf-8", buffering=1) as lines:
        while training.step < settings.steps and not interrupt.requested:
            try:
                report = training.advance()
            except FloatingPointError as error:
                raise UserError(
                    f"{error}; the last good checkpoint is that of step {saved}, {path}: try a "
                    f"lower --lr (now {settings.lr}) or --clip (now {settings.clip})"
                ) from error
            last = training.step >= settings.steps or time.monotonic() >= deadline
            if last or training.step % settings.evaluate_every == 0:
                report = replace(report, held_out_bits=training.evaluate().bits)
            print(json.dumps(asdict(report)), file=lines)
            if training.step % settings.save_every == 0:
                checkpoints.save(path, training.checkpoint())
                saved = training.step
            yield report
            if last:
                break
    if training.step > saved:
        checkpoints.save(path, training.checkpoint())
