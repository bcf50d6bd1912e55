"""The commands ``unrolled report`` and ``unrolled demo``."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, final

import torch
from rich.console import Console

from ...cells import find
from ...display import counted
from ...errors import DrawError, UserError
from ..files import require_place
from ..study.command import follow, show
from ..study.entrant import Entrant
from ..study.grid import Plan, tasks
from ..study.outcome import Outcome, Results
from ..study.trial import Budget
from ..terminal import Interrupt, rule, say
from ..train import checkpoint as checkpoints
from ..train.demo import demo as train
from ..train.doubts import equally_likely
from ..train.language import Characters, Language
from ..train.sample_inputs import sample_inputs, source_for, words_for
from ..train.series.options import AS_USUAL, Reading
from ..train.table.format import AS_FOUND, FormatOptions
from ..train.text import Source
from . import tables
from .claims import found, overview
from .memory import memory
from .model import Run, diagnosis, inside, model, units
from .network import cells, network
from .page import Section, Speech, check, page, write
from .siblings import siblings
from .verdicts import ENOUGH

NAME = "report"
BESIDE = "model"
"""In the folder of a demonstration, whose own page has the other name."""


def page_name(name: str, language: str) -> str:
    """Return the name of a page's file: pages of two languages stand beside each other.

    >>> page_name(NAME, "en"), page_name(NAME, "zh")
    ('report.html', 'report.zh.html')
    """
    return f"{name}.html" if language == "en" else f"{name}.{language}.html"


def report(
    path: Path,
    text: str | None,
    language: str,
    out: Path | None,
    seeds: int = 1,
    data: Sequence[Path] = (),
    console: Console | None = None,
    interrupt: Interrupt | None = None,
    table: TableInput | None = None,
) -> Path:
    """Write the report of a run; where it stands.

    Args:
        path: folder of the run, or a checkpoint.
        text: a file, or the text itself; see `unrolled.apps.train.sample_inputs.words_for`.
        language: en or zh.
        out: the file; None: ``report.html`` in the run's folder, in Chinese ``report.zh.html``, or
            ``model.html`` and ``model.zh.html`` in that of a demonstration, whose page stands.
        seeds: how many models the figures are of: with more than one, models like the run are
            trained from other seeds; see `unrolled.apps.report.siblings`.
        data: files of the text that the run was trained on; none: Python's help topics. What simple
            predictors reach is counted on it, more seeds are trained on it, and without `text` its
            held-out part is read.
        console: shows how far these are; None: nothing does.
        interrupt: ends their training after the models that are done.
        table: for a run on a table: the file that it is looked at with, and how it is read.

    Raises:
        UserError: the run cannot be read, there is no text for it, or more seeds cannot be had.
        DrawError: packages are missing, the text does not fit, or the file cannot be written.
    """
    check()
    if out is not None:
        require_place("--out", out, ".html", ".htm")
    speech = Speech(language)
    checkpoint = checkpoints.load(path)
    if not isinstance(checkpoint.problem, Characters):
        return _of_table(path, checkpoint, text, speech, out, seeds, data, table or TableInput())
    if table is not None and table.file is not None:
        raise UserError("--file is for a run on a table; this one reads text: give --text")
    source = source_for(checkpoint, data)
    words = words_for(checkpoint, text, source)
    Run(path, checkpoint, words)  # an error for a text that does not fit, before any training
    console, interrupt = console or Console(quiet=True), interrupt or Interrupt()
    others = siblings(path, checkpoint, seeds, source, console, interrupt)
    run = Run(path, checkpoint, words, others, text, data)
    lead = speech("Every measurement on this page was made on this model by one command.")
    title = f"{path.name or checkpoint.cell.name}{speech(': ')}{checkpoint.cell.name}"
    baselines = _baselines(checkpoint, source)
    trained = model(run, baselines, "The model", speech)
    sections = [trained, cells([checkpoint.cell], speech, run.path), *about(run, baselines, speech)]
    place = out or _place(checkpoints.folder_of(path), language, console)
    write(place, page(title, lead, sections, speech, described(run, speech)))
    return place


@final
class TableInput(NamedTuple):
    """The table that a run is looked at with.

    Attributes:
        file: None: the data that come with a package, for a run on these.
        options: how it is read.
        reading: how times and gaps of series are read.
        words: the options as they were given, for commands on the page.
    """

    file: Path | None = None
    options: FormatOptions = AS_FOUND
    reading: Reading = AS_USUAL
    words: Sequence[str] = ()


def _of_table(
    path: Path,
    checkpoint: checkpoints.Checkpoint,
    text: str | None,
    speech: Speech,
    out: Path | None,
    seeds: int,
    data: Sequence[Path],
    given: TableInput,
) -> Path:
    """Write the report of a run on a table."""
    if seeds != 1 or data:
        raise UserError(
            "--seeds and --data are for a run on text; of a table: unrolled train "
            f"{checkpoint.problem.kind} FILE --seeds N, then unrolled compare"
        )
    inputs = sample_inputs(
        checkpoint, text, given.file, options=given.options, reading=given.reading
    )
    lead = speech("Every measurement on this page was made on this model by one command.")
    title = f"{path.name or checkpoint.cell.name}{speech(': ')}{checkpoint.cell.name}"
    parts = tables.sections(path, checkpoint, inputs, given.words, speech)
    place = out or checkpoints.folder_of(path) / page_name(NAME, speech.language)
    write(place, page(title, lead, parts, speech, tables.described(checkpoint, speech)))
    return place


def _place(folder: Path, language: str, console: Console) -> Path:
    """Return where the report of a run stands, so that no demonstration loses its page."""
    pages = [folder / page_name(NAME, each) for each in ("en", "zh")]
    demonstrated = [each for each in pages if each.exists() and (folder / RESULTS).exists()]
    if not demonstrated:
        return folder / page_name(NAME, language)
    for each in demonstrated:
        say(console, f"{each} is the page of a demonstration, and stays as it is")
    return folder / page_name(BESIDE, language)


def described(run: Run, speech: Speech) -> str:
    """Say in a sentence what a model is and how far it came."""
    parts = [run.checkpoint.cell.name]
    parts.append(speech.counted(run.checkpoint.settings.hidden, "hidden units"))
    parts.append(speech.counted(run.checkpoint.step, "steps"))
    if run.checkpoint.last is not None:
        bits = f"{run.checkpoint.last.loss:.3f} {speech('bits per character')}"
        parts.append(f"{speech('held out')} {bits}")
    return speech(", ").join(parts) + speech(".")


def about(run: Run, baselines: Mapping[str, float], speech: Speech) -> list[Section]:
    """Return the inside of a model, its telling units, its diagnosis."""
    found = [inside(run, speech), units(run, speech), diagnosis(run, baselines, speech)]
    return [section for section in found if section is not None]


NEAR_CELLS = ("rnn_tanh", "rnn_relu", "gru", "lstm")
FAR_CELLS = ("rnn_tanh", "rnn_relu", "rnn_relu+identity", "gru", "lstm")
"""Over long gaps one more, whose gradients do not vanish: does it learn for that?"""
SEEDS = 3
"""As many as a verdict takes; with too little time there are fewer."""
STUDY = 0.8
"""The part of the training time that the study takes; the language model has the rest."""
LEAST = 20
"""Seconds of study from which on trials run side by side: processes take a while to start."""
USED = 0.85
"""The part of the cores' time that trials get; the rest is starting, waiting and measuring."""
RESULTS = "study.json"


@final
class Part(NamedTuple):
    """A part of the study.

    Attributes:
        gaps: by task.
        cells: which take part.
        steps: as many as every cell that can learn these gaps needs.
    """

    gaps: dict[str, tuple[int, ...]]
    cells: tuple[str, ...]
    steps: int


PARTS = (
    Part({"short": (1,), "long": (1,)}, NEAR_CELLS, ENOUGH),
    Part({"long": (10,)}, FAR_CELLS, 900),
    Part({"long": (100,)}, FAR_CELLS, 1300),
)


def demo(
    console: Console,
    seconds: float,
    folder: Path,
    language: str,
    interrupt: Interrupt,
    seeds: int = SEEDS,
) -> None:
    """Train for about so many seconds, print tables, and write ``report.html`` into the folder, in
    Chinese ``report.zh.html``.

    Args:
        console: to write on.
        seconds: of training in all; the page takes some more.
        folder: of the language model's run; the study's results and the page stand beside it.
        language: of the page: en or zh.
        interrupt: ends the demonstration after what is done.
        seeds: of the study, at most: fewer where there is no time for them.

    Raises:
        UserError: the folder holds another run, or cannot be written; no seed, or too many.
        DrawError: an unknown language.
    """
    if not 1 <= seeds <= 1000:
        raise UserError(f"--seeds must be from 1 to 1000, not {seeds}")
    speech, pictures = Speech(language), True
    try:
        check()
    except DrawError as error:
        pictures = False
        say(console, f"No page will be written: {error}\n")
    train(console, (1 - STUDY) * seconds, folder, interrupt)
    if interrupt.requested:
        return
    outcomes = _study(console, STUDY * seconds, folder, interrupt, seeds)
    if interrupt.requested or not pictures:
        return
    with console.status("Writing the page …"):
        place = folder / page_name(NAME, language)
        write(place, _page(outcomes, folder, speech))
    say(console, f"\nThe whole story, with pictures: {place}")


def _study(
    console: Console, seconds: float, folder: Path, interrupt: Interrupt, most: int
) -> list[Outcome]:
    """Return every cell on both tasks, from as many seeds and with as many steps as fit."""
    rule(console, "How far does each cell remember?")
    entrants = [[Entrant.of(name, find) for name in part.cells] for part in PARTS]
    jobs = os.cpu_count() or 1 if seconds >= LEAST else 1
    both = list(zip(PARTS, entrants, strict=True))
    paces = [sum(map(_pace, tasks(part.gaps, who, 1, Budget()))) for part, who in both]
    wanted = [part.steps for part in PARTS]
    seeds, steps = fitted(USED * seconds * min(jobs, 8), paces, wanted, most)
    todo = [
        plan
        for (part, who), count in zip(both, steps, strict=True)
        for plan in tasks(part.gaps, who, seeds, Budget(steps=count))
    ]
    todo.sort(key=lambda plan: plan.seed)  # whole seeds first
    results = Results()
    lengths = ", ".join([*(f"{count:,}" for count in steps[:-1]), counted(steps[-1], "steps")])
    fit = "fits" if seeds == 1 else "fit"
    trials = counted(len(todo), "trials")
    say(console, f"{counted(seeds, 'seeds')} {fit} into the time: {trials} of {lengths}.")
    follow(console, todo, results, jobs, interrupt)
    show(console, results)
    results.path = folder / RESULTS
    results.save()
    return [results[task.key] for task in todo if task.key in results]


FEWEST = 20
"""Steps of a trial, even if they take too long."""
SHORTER = 0.7
"""The part of the wanted steps down to which more seeds are worth more than more steps."""
LONGER = 1.5
"""Steps beside the wanted ones, if there is time for them."""


def fitted(
    seconds: float, paces: Sequence[float], wanted: Sequence[int], most: int
) -> tuple[int, list[int]]:
    """Return from how many seeds, and with how many steps, the parts of a study fit into a time.

    Args:
        seconds: for all of them.
        paces: by part, the seconds of one step of all its trials of one seed.
        wanted: by part, the steps that its trials need.
        most: seeds.

    >>> fitted(120.0, [0.02, 0.04], [1000, 500], 3), fitted(60.0, [0.02, 0.04], [1000, 500], 3)
    ((3, [1000, 500]), (2, [750, 375]))
    """
    whole = sum(pace * steps for pace, steps in zip(paces, wanted, strict=True))
    fit = int(seconds / (SHORTER * whole))
    seeds = max(1, min(most, fit))
    part = min(LONGER, seconds / (seeds * whole))
    return seeds, [max(FEWEST, int(part * steps)) for steps in wanted]


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
    source = source_for(checkpoint)
    run = Run(folder, checkpoint, words_for(checkpoint, None, source))
    baselines = _baselines(checkpoint, source)
    sections: list[Section] = [
        overview(outcomes, speech),
        network(speech),
        cells([find(name) for name in ("rnn_tanh", "lstm", "gru")], speech),
        memory(outcomes, speech),
        model(run, baselines, "A language model on real text", speech),
        *about(run, baselines, speech),
    ]
    lead = speech(
        "The clouds are in the sky: what decides the last word is near. I grew up in France … I "
        "speak fluent French: it is far away. Does a network learn the link?"
    )
    title = speech("How far does a network remember?")
    return page(title, lead, sections, speech, found(outcomes, speech))


def _baselines(checkpoint: checkpoints.Checkpoint, source: Source | None) -> dict[str, float]:
    """Return what simple predictors reach on a run's text; without it, what follows from how many
    symbols there are.
    """
    if source is None:
        return equally_likely(checkpoint.problem)
    return Language(checkpoint.settings, source).baselines()
