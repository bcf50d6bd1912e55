"""The commands ``unrolled report`` and ``unrolled demo``."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from rich.console import Console

from ...cells import find
from ...errors import DrawError
from ..study.command import follow, show
from ..study.entrant import Entrant
from ..study.grid import Plan, tasks
from ..study.outcome import Outcome, Results
from ..study.problems import problem
from ..study.trial import Budget
from ..terminal import Interrupt, say
from ..train import checkpoint as checkpoints
from ..train import text
from ..train.demo import demo as train
from ..train.sample_inputs import words_for
from .claims import ENOUGH, overview
from .memory import memory
from .model import Run, diagnosis, inside, model, units
from .network import cells, network
from .page import Section, Speech, check, page, write

NAME = "report.html"


def report(path: Path, text: str | None, language: str, out: Path | None) -> Path:
    """Write the report of a run; where it stands.

    Args:
        path: folder of the run, or a checkpoint.
        text: a file, or the text itself; see `unrolled.apps.train.sample_inputs.words_for`.
        language: en or zh.
        out: the file; None: ``report.html`` in the run's folder.

    Raises:
        UserError: the run cannot be read, or there is no text for it.
        DrawError: packages are missing, the text does not fit, or the file cannot be written.
    """
    check()
    speech = Speech(language)
    checkpoint = checkpoints.load(path)
    _ = checkpoint.vocabulary  # an error for a run of another kind
    run = Run(path, checkpoint, words_for(checkpoint, text))
    lead = speech("Everything on this page was measured on this model by one command.")
    title = f"{path.name or checkpoint.cell.name}: {checkpoint.cell.name}"
    sections = [model(run, {}, "The model", speech), *about(run, speech)]
    sections.insert(1, cells([checkpoint.cell], speech))
    place = out or (path if path.is_dir() else path.parent) / NAME
    write(place, page(title, lead, sections, speech))
    return place


def about(run: Run, speech: Speech) -> list[Section]:
    """Return the inside of a model, its telling units, its diagnosis."""
    found = [inside(run, speech), units(run, speech), diagnosis(run, speech)]
    return [section for section in found if section is not None]


ENTRANTS = ("rnn_tanh", "rnn_relu", "gru", "lstm")
NEAR = {"short": (1,), "long": (1,)}
FAR = {"long": (10, 100)}
SEEDS = 3
"""From how many every trial is run at most, if there is time."""
STUDY = 0.6
"""The part of the training time that the study takes; the language model has the rest."""
LEAST = 20
"""Seconds of study from which on trials run side by side: processes take a while to start."""
RESULTS = "study.json"


def demo(
    console: Console, seconds: float, folder: Path, language: str, interrupt: Interrupt
) -> None:
    """Train for about so many seconds, print tables, and write ``report.html`` into the folder.

    Args:
        console: to write on.
        seconds: of training in all; the page takes some more.
        folder: of the language model's run; the study's results and the page stand beside it.
        language: of the page: en or zh.
        interrupt: ends the demonstration after what is done.

    Raises:
        UserError: the folder holds another run, or cannot be written.
        DrawError: an unknown language.
    """
    speech, pictures = Speech(language), True
    try:
        check()
    except DrawError as error:
        pictures = False
        say(console, f"No page will be written: {error}\n")
    train(console, (1 - STUDY) * seconds, folder, interrupt)
    if interrupt.requested:
        return
    outcomes = _study(console, STUDY * seconds, folder, interrupt)
    if interrupt.requested or not pictures:
        return
    with console.status("Writing the page …"):
        place = folder / NAME
        write(place, _page(outcomes, folder, speech))
    say(console, f"\nThe whole story, with pictures: {place}")


def _study(console: Console, seconds: float, folder: Path, interrupt: Interrupt) -> list[Outcome]:
    """Return every cell on both tasks, with as many steps as fit."""
    console.rule("How far does each cell remember?")
    entrants = [Entrant(find(name)) for name in ENTRANTS]
    jobs = os.cpu_count() or 1 if seconds >= LEAST else 1
    paces = [sum(map(_pace, tasks(gaps, entrants, 1, Budget()))) for gaps in (NEAR, FAR)]
    budget = 0.85 * seconds * min(jobs, 8)
    near, far = divided(budget, *paces)
    seeds = max(1, min(SEEDS, int(budget / (near * paces[0] + far * paces[1]))))
    todo = tasks(NEAR, entrants, seeds, Budget(steps=near))
    todo += tasks(FAR, entrants, seeds, Budget(steps=far))
    results = Results()
    follow(console, todo, results, jobs, interrupt)
    show(console, results)
    results.path = folder / RESULTS
    results.save()
    return [results[task.key] for task in todo if task.key in results]


FEWEST = 20
"""Steps of a trial, even if they take too long."""
SHARE = 0.6
"""The part of the study's time that short gaps may take, so that they are settled."""


def divided(seconds: float, near: float, far: float) -> tuple[int, int]:
    """Return how many steps the trials with short gaps can take, and those with long ones.

    Short gaps are learned by every cell if there are steps enough, and these are cheap: they come
    first. What is left is for the long ones.

    Args:
        seconds: for all of them.
        near, far: seconds that a step of all trials of a kind takes.

    >>> divided(120.0, 0.02, 0.04), divided(40.0, 0.02, 0.04), divided(1200.0, 0.02, 0.04)
    ((2000, 2000), (1200, 400), (3000, 2000))
    """
    most = problem("long", 1).steps, problem("long", max(FAR["long"])).steps
    even = seconds / (near + far)
    short = min(most[0], max(even, min(ENOUGH, SHARE * seconds / near)))
    long = min(most[1], (seconds - short * near) / far)
    return max(FEWEST, int(short)), max(FEWEST, int(long))


PACED = 12
"""Steps that a pace is taken from: they have different gaps."""


def _pace(task: Plan) -> float:
    """Measure the seconds of one step on one thread, after a first one that compiles."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        training = task.trial().training
        training.advance()
        began = time.perf_counter()
        for _ in range(PACED):
            training.advance()
        return (time.perf_counter() - began) / PACED
    finally:
        torch.set_num_threads(threads)


def _page(outcomes: Sequence[Outcome], folder: Path, speech: Speech) -> str:
    checkpoint = checkpoints.load(folder)
    run = Run(folder, checkpoint, words_for(checkpoint, None))
    sections: list[Section] = [
        overview(outcomes, speech),
        network(speech),
        cells([find(name) for name in ("rnn_tanh", "lstm", "gru")], speech),
        memory(outcomes, speech),
        model(run, _baselines(checkpoint), "A language model on real text", speech),
        *about(run, speech),
    ]
    lead = speech(
        "The clouds are in the sky: what decides the last word is near. I grew up in France … I "
        "speak fluent French: it is far away. Does a network learn the link?"
    )
    return page(speech("How far does a network remember?"), lead, sections, speech)


def _baselines(checkpoint: checkpoints.Checkpoint) -> dict[str, float]:
    """Return what simple predictors reach on the same text."""
    from ..train.language import Language

    corpus = text.Corpus.of(text.default(), checkpoint.settings.held_out)
    return Language(checkpoint.settings, corpus).baselines()
