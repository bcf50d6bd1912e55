"""The demonstration: a character model trained in about a minute on text that Python brings."""

import statistics
import time
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ...cells import find
from ...errors import UserError
from ..terminal import Interrupt, rule, say
from . import checkpoint as checkpoints
from . import text
from .folder import begin
from .language import Language, sample
from .loop import run
from .progress import progress
from .settings import FREE, Settings
from .training import Training

SETTINGS = Settings(
    cell="lstm", hidden=256, batch=16, window=64, dropout=0.3, lr=1e-2, schedule="cosine"
)
"""As for any run; chosen for what a minute on two cores can learn."""

EVALUATIONS = 4
WARM, PACED = 3, 20
"""Steps before a pace is taken, and those that it is the median of."""
SAMPLES = (("The ", 0.7), ("    def ", 0.5), ("", 1.0))


def demo(console: Console, seconds: float, folder: Path, interrupt: Interrupt) -> None:
    """Train for about ``seconds``, write samples, and compare with simple predictors.

    The run is an ordinary one: ``folder`` can be sampled and resumed. An interrupt ends the
    demonstration after its checkpoint.

    Raises:
        UserError: the folder holds a run that is not the demonstration's own.
    """
    _require_own(folder)
    words, cell = text.default(), find(SETTINGS.cell)
    say(
        console,
        f"A character {cell.name} of {SETTINGS.hidden} units reads {len(words):,} characters of "
        f"Python's own documentation for about {seconds:g} s.\n",
    )
    corpus = text.Corpus.of(words, SETTINGS.held_out)
    settings = paced(Training(Language(SETTINGS, corpus), cell), seconds)
    task = Language(settings, corpus)
    training = begin(folder, task, cell, overwrite=True)
    began = time.monotonic()
    with progress(console, settings, task.metric) as show:
        for report in run(training, folder, interrupt):
            show(report)
    if interrupt.requested:
        return
    seconds = time.monotonic() - began
    for prompt, temperature in SAMPLES:
        rule(console, f"{prompt!r} continued at temperature {temperature}")
        characters = sample(training.model, corpus.vocabulary, prompt, 300, temperature)
        console.out(prompt + "".join(characters), highlight=False)
    rule(console)
    console.print(_summary(training, corpus, seconds))
    say(
        console,
        f"\nGo on:  unrolled sample {folder} --prompt 'A generator '"
        "\n        unrolled train text FILE --cell gru"
        f"\n        unrolled show {cell.name}",
    )


def _require_own(folder: Path) -> None:
    if not (folder / checkpoints.NAME).exists():
        return
    way_out = f"delete {folder}, or name another folder by --out"
    try:
        stored = asdict(checkpoints.load(folder).settings)
    except UserError as error:
        raise UserError(f"{error}: {way_out}") from error
    if any(stored[name] != value for name, value in asdict(SETTINGS).items() if name not in FREE):
        raise UserError(f"{folder} holds a run that is not the demonstration's: {way_out}")


def paced(trial: Training, seconds: float) -> Settings:
    """Return settings with as many steps as fit into ``seconds``, by the pace of a short trial."""
    began = time.monotonic()
    moments = [began]
    for _ in range(WARM + PACED):
        trial.advance()
        moments.append(time.monotonic())
    trained = moments[-1]
    trial.evaluate()
    now = time.monotonic()
    paces = [after - before for before, after in pairwise(moments)]
    step, left = statistics.median(paces[WARM:]), seconds - (now - began)
    steps = max(1, int((0.95 * left - EVALUATIONS * (now - trained)) / step))
    every = max(1, steps // EVALUATIONS)
    return replace(
        trial.settings,
        steps=steps,
        seconds=max(0.05 * seconds, 1.05 * left),
        save_every=every,
        evaluate_every=every,
    )


def _summary(training: Training, corpus: text.Corpus, seconds: float) -> Table:
    step, settings, name = training.step, training.settings, f"this {training.cell.name}"
    learned = step * settings.batch * settings.window
    count = sum(parameter.numel() for parameter in training.model.parameters())
    losses = training.task.baselines()
    if training.last is not None:
        losses[name] = training.last.loss
    table = Table(box=None, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_row("text", f"{len(corpus.ids):,} characters, {len(corpus.vocabulary)} different")
    table.add_row("parameters", f"{count:,}")
    table.add_row("steps", f"{step:,} in {seconds:.0f} s")
    table.add_row("speed", f"{learned / seconds:,.0f} characters/s, evaluations included")
    table.add_section()
    table.add_row(f"held-out part: {len(corpus.held_out):,} characters", "bits per character")
    for each, loss in losses.items():
        table.add_row(each, f"{loss:.3f}", style="bold" if each == name else None)
    return table
