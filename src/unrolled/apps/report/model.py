"""Sections about one trained character model: what it learned, its inside, its diagnosis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import torch
from markupsafe import Markup

from ...draw.axes import visible
from ...draw.drawings import find
from ...draw.subject import Subject
from ...errors import DrawError
from ...probe.diagnosis import diagnose
from ..draw.numbers import Measured
from ..train import log
from ..train.excerpts import excerpts
from ..train.sample import sample
from . import charts
from .figure import inline, picture
from .memory import shade
from .section import Cell, Rows, Section
from .words import Speech

if TYPE_CHECKING:
    from ..train.checkpoint import Checkpoint

SENTENCE = 54
"""Characters of the sentence that gates are shown for: as many as the drawing has room for."""
WRITTEN, TEMPERATURE = 400, 0.7


@final
@dataclass(frozen=True)
class Run:
    """A run and the text that it is looked at with.

    Attributes:
        path: its folder or checkpoint.
        checkpoint: what is in it.
        words: text that the model reads, at least `unrolled.apps.train.excerpts.LEAST` characters.
    """

    path: Path
    checkpoint: Checkpoint
    words: str

    @property
    def sentence(self) -> str:
        """A piece of the text, from the beginning of a line if there is one."""
        start = 0
        for line in self.words.splitlines(keepends=True):
            if len(line.strip()) >= SENTENCE:
                start += len(line) - len(line.lstrip())
                break
            start += len(line)
        else:
            start = 0
        return (
            self.words[start : start + SENTENCE].rstrip("\n").partition("\n")[0]
            or self.words[:SENTENCE]
        )


def model(run: Run, baselines: Mapping[str, float], title: str, speech: Speech) -> Section:
    """What was trained, how far it came, and what it writes."""
    checkpoint = run.checkpoint
    network = checkpoint.model()
    count = sum(each.numel() for each in network.parameters())
    unit = speech("bits per character")
    body: list[list[Any]] = [[speech(name), f"{bits:.3f}"] for name, bits in baselines.items()]
    if checkpoint.last is not None:
        name = f"{checkpoint.cell.name} ({speech('this model')})"
        body.append([name, Cell(f"{checkpoint.last.loss:.3f}", True)])
    about = (
        f"{checkpoint.cell.name}: {count:,} {speech('parameters')}, "
        f"{checkpoint.settings.hidden} {speech('hidden units')}, {speech('trained for')} "
        f"{checkpoint.step:,} {speech('steps')}."
    )
    known = "\n" if "\n" in checkpoint.vocabulary else ""
    written = sample(network, checkpoint.vocabulary, known, WRITTEN, TEMPERATURE)  # pyright: ignore[reportArgumentType]
    data = {
        "about": about,
        "table": Rows([speech("on the held-out part"), unit], body),
        "caption": speech("held-out loss"),
        "learning": _learning(run, speech),
        "written": "".join(written),
        "temperature": TEMPERATURE,
    }
    return Section("model", speech(title), "model.html.j2", data)


def _learning(run: Run, speech: Speech) -> Markup | None:
    """The learning curve of the run's log; None where there is no log, or a damaged one."""
    folder = run.path if run.path.is_dir() else run.path.parent
    try:
        lines = log.lines(folder / log.NAME)
    except (OSError, ValueError):
        return None
    steps, losses = [line.step for line in lines], [line.loss for line in lines]
    held = [(line.step, line.held_out.loss) for line in lines if line.held_out]
    if len(steps) < 2:
        return None
    curves: dict[str, tuple[Sequence[float], Sequence[float]]] = {
        speech.chart("training"): _smooth(steps, losses)
    }
    if held:
        curves[speech.chart("held out")] = tuple(zip(*held, strict=True))  # pyright: ignore[reportArgumentType]
    across, up = speech.chart("steps of training"), speech.chart("loss")
    return inline(charts.learning(curves, across, up, False), speech("Learning curves"))


POINTS = 150


def _smooth(steps: Sequence[int], losses: Sequence[float]) -> tuple[list[float], list[float]]:
    """Means of neighbouring steps, so that a curve has at most so many points."""
    size = max(1, len(steps) // POINTS)
    pieces = range(0, len(steps) - size + 1, size)
    return (
        [float(steps[start + size - 1]) for start in pieces],
        [sum(losses[start : start + size]) / size for start in pieces],
    )


def inside(run: Run, speech: Speech) -> Section:
    """Gates, memory and gradients while the model reads a sentence."""
    numbers = Measured([run.path], run.sentence, say=lambda words: None, words=speech.pictures)
    about = Subject(None, numbers, speech.pictures)
    data: dict[str, Any] = {
        "sentence": run.sentence,
        "gates": picture(find("gates").picture(about), _caption("gates", speech)),
        "strip": None,
        "gradient": None,
    }
    _, influence = numbers.influence(len(run.sentence))
    last = [float(each) for each in influence[-1]]
    if max(last) > 0:
        data["strip"] = [
            {"text": visible(token).replace("\\$", "$"), "share": shade(share, max(last))}
            for token, share in zip(run.sentence, last, strict=True)
        ]
        data["memory"] = picture(find("memory").picture(about), _caption("memory", speech))
    fades = numbers.fades()
    curves = {fade.model: [float(size) for size in fade.sizes] for fade in fades}
    across, up = speech.chart("steps back"), speech.chart("gradient, relative")
    data["gradient"] = inline(
        charts.against_distance(curves, across, up), speech("Gradient against distance")
    )
    return Section("inside", speech("Inside, on a real sentence"), "inside.html.j2", data)


def _caption(name: str, speech: Speech) -> str:
    return f"{name}: {speech('Inside, on a real sentence')}"


def diagnosis(run: Run, speech: Speech) -> Section:
    """What is wrong with the model's layers, and what usually helps."""
    checkpoint = run.checkpoint
    ids = excerpts(run.words, checkpoint.vocabulary)
    with torch.no_grad():
        found = diagnose(checkpoint.model().eval(), ids)
    body: list[list[Any]] = []
    for each in found.layers.values():
        reach = f"{speech('more than')} {each.back}" if each.reach is None else str(each.reach)
        rate = "–" if each.rate is None else f"{each.rate:.2g}"
        keep = "–" if each.keep is None else f"{each.keep:.2f}"
        body.append([each.layer, rate, reach, keep, str(len(each.dead))])
    head = [
        speech("layer"),
        speech("factor of the gradient per step back"),
        speech("steps until 1 % is left"),
        speech("kept of the memory per step"),
        speech("dead units"),
    ]
    data = {
        "table": Rows(head, body),
        "caption": speech("The diagnosis"),
        "findings": [
            {"layer": f.layer, "code": f.code, "text": f.text, "advice": f.advice}
            for f in found.findings
        ],
    }
    return Section("diagnosis", speech("The diagnosis"), "diagnosis.html.j2", data)


def check_text(run: Run) -> None:
    """DrawError for a text that the model cannot read."""
    strange = sorted(set(run.words) - set(run.checkpoint.vocabulary))
    if strange:
        raise DrawError(
            f"--text does not fit the run: the model does not know {''.join(strange[:10])!r}"
        )
