"""Sections about one trained character model: what it learned, its inside, its units."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import torch
from markupsafe import Markup
from torch import Tensor

from ...draw.axes import visible
from ...draw.drawings import find
from ...draw.render import ink_on, shade
from ...draw.subject import Subject
from ...errors import DrawError
from ...probe import features
from ...probe.diagnosis import diagnose
from ...probe.record import record
from ...probe.units import Unit, UnitSearch, find_units
from ..draw.numbers import Measured
from ..train import log, text
from ..train.language import sample
from ..train.sample_inputs import excerpts
from .figures import against_distance, inline, learning, picture
from .memory import shade_level
from .page import Section, Speech, TableCell

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
        words: text that the model reads, at least `LEAST` characters of
            `unrolled.apps.train.sample_inputs`.

    Raises:
        DrawError: for a text that the model cannot read.
    """

    path: Path
    checkpoint: Checkpoint
    words: str

    def __post_init__(self) -> None:
        strange = sorted(set(self.words) - set(self.checkpoint.vocabulary))
        if strange:
            raise DrawError(
                f"--text does not fit the run: the model does not know {''.join(strange[:10])!r}"
            )

    @property
    def sentence(self) -> str:
        """A piece of the text, from the beginning of a line if there is one."""
        lines = (line.strip() for line in self.words.splitlines())
        chosen = next((line for line in lines if len(line) >= SENTENCE), self.words)[:SENTENCE]
        return chosen.rstrip("\n").partition("\n")[0] or chosen


def model(run: Run, baselines: Mapping[str, float], title: str, speech: Speech) -> Section:
    """Return what was trained, how far it came, and what it writes."""
    checkpoint = run.checkpoint
    network = checkpoint.model()
    count = sum(each.numel() for each in network.parameters())
    body: list[list[Any]] = [[speech(name), f"{bits:.3f}"] for name, bits in baselines.items()]
    if checkpoint.last is not None:
        name = f"{checkpoint.cell.name} ({speech('this model')})"
        body.append([name, TableCell(f"{checkpoint.last.loss:.3f}", True)])
    about = (
        f"{checkpoint.cell.name}: {count:,} {speech('parameters')}, "
        f"{checkpoint.settings.hidden} {speech('hidden units')}, {speech('trained for')} "
        f"{checkpoint.step:,} {speech('steps')}."
    )
    known = "\n" if "\n" in checkpoint.vocabulary else ""
    written = sample(network, checkpoint.vocabulary, known, WRITTEN, TEMPERATURE)  # pyright: ignore[reportArgumentType]
    data = {
        "about": about,
        "bits": body,
        "learning": _learning(run, speech),
        "written": "".join(written),
        "temperature": TEMPERATURE,
    }
    return Section("model", speech(title), "model.html.j2", data)


def _learning(run: Run, speech: Speech) -> Markup | None:
    """Return the learning curve of the run's log; None where there is no log, or a damaged one."""
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
    return inline(learning(curves, across, up), speech("Learning curves"))


POINTS = 150


def _smooth(steps: Sequence[int], losses: Sequence[float]) -> tuple[list[float], list[float]]:
    """Average neighbouring steps, so that a curve has at most so many points."""
    size = max(1, len(steps) // POINTS)
    pieces = range(0, len(steps) - size + 1, size)
    return (
        [float(steps[start + size - 1]) for start in pieces],
        [sum(losses[start : start + size]) / size for start in pieces],
    )


def inside(run: Run, speech: Speech) -> Section:
    """Show gates, memory and gradients while the model reads a sentence."""
    numbers = Measured([run.path], run.sentence, say=lambda words: None, words=speech.pictures)
    about, title = Subject(None, numbers, speech.pictures), speech("Inside, on a real sentence")

    def drawn(name: str) -> Markup:
        return picture(find(name).picture(about), f"{name}: {title}")

    fades = {fade.model: fade.sizes.tolist() for fade in numbers.fades()}
    across, up = speech.chart("steps back"), speech.chart("gradient, relative")
    gradient = against_distance(fades, across, up)
    data: dict[str, Any] = {
        "sentence": run.sentence,
        "gates": drawn("gates"),
        "strip": None,
        "gradient": inline(gradient, speech("Gradient against distance")),
    }
    _, influence = numbers.influence(len(run.sentence))
    last = influence[-1].tolist()
    if max(last) > 0:
        data["strip"] = [
            {"text": visible(token).replace("\\$", "$"), "share": shade_level(share, max(last))}
            for token, share in zip(run.sentence, last, strict=True)
        ]
        data["memory"] = drawn("memory")
    return Section("inside", title, "inside.html.j2", data)


def diagnosis(run: Run, speech: Speech) -> Section:
    """Return what is wrong with the model's layers, what helps, and what is not settled."""
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
    data = {"body": body, "findings": found.findings, "unsettled": found.unsettled}
    return Section("diagnosis", speech("The diagnosis"), "diagnosis.html.j2", data)


READ, SHOWN = 2400, 360
"""Characters that units are searched for in, and that are shown."""
PROPERTIES: dict[str, Callable[[str], Tensor]] = {
    "inside quotes": features.inside_quotes,
    "inside backquotes": lambda words: features.inside_quotes(words, "`"),
    "inside brackets": lambda words: features.after(words, "(", ")"),
    "position in the line": features.position_in_line,
    "inside a word": lambda words: torch.tensor([float(each.isalnum()) for each in words]),
}
"""What units are searched for."""
COLORED = 3
"""How many units are shown."""


def units(run: Run, speech: Speech) -> Section | None:
    """Return the units that track a property of the text; None if the text is too short."""
    words = run.words[:READ]
    values = _recorded(run.checkpoint, words)
    found: dict[str, UnitSearch] = {}
    for name, feature in PROPERTIES.items():
        try:
            found[name] = find_units(values, feature(words))
        except ValueError:  # the text has none of it, or is too short
            continue
    if not found:
        return None
    telling = sorted(
        ((name, each) for name, each in found.items() if each.found),
        key=lambda pair: -pair[1][0].score,
    )
    data = {
        "body": [_row(name, each, speech) for name, each in found.items()],
        "caption": f"{speech('correlation')}, {len(words):,}",
        "units": [_colored(name, each, values, words, speech) for name, each in telling[:COLORED]],
    }
    return Section("units", speech("Units that tell something"), "units.html.j2", data)


def _recorded(checkpoint: Checkpoint, words: str) -> dict[str, Tensor]:
    """Return the states of the first layer while the text is read, (T, H) each."""
    ids = text.encode(words, checkpoint.vocabulary).long().unsqueeze(1)
    model = checkpoint.model().eval()
    names = [f"recurrent.l0.{state}" for state in checkpoint.cell.states]
    with torch.no_grad(), record(model, names) as recording:
        model(ids)
    return {name: value[:, 0].double() for name, value in recording.items()}


def _row(name: str, search: UnitSearch, speech: Speech) -> list[Any]:
    best: Unit = search[0]
    return [
        speech(name),
        str(len(search.found)),
        f"{_short(best)} ({best.score:.2f})",
        f"{search.chance:.2f}",
    ]


def _short(unit: Unit) -> str:
    return f"{unit.name.rpartition('.')[2]}[{unit.unit}]"


def _colored(
    name: str, search: UnitSearch, values: dict[str, Tensor], words: str, speech: Speech
) -> dict[str, Any]:
    """Return the text with each character on the colour of the best unit's value."""
    best: Unit = search[0]
    start = _place(PROPERTIES[name](words))
    shown = values[best.name][start : start + SHOWN, best.unit]
    low, high = shown.min().item(), shown.max().item()
    scaled = 2 * (shown - low) / max(high - low, 1e-9) - 1
    colors = [shade(round(4.5 * value) / 4.5) for value in scaled.tolist()]
    pieces: list[dict[str, str]] = []
    for letter, fill in zip(words[start : start + SHOWN], colors, strict=True):
        if pieces and pieces[-1]["fill"] == fill:
            pieces[-1]["text"] += letter
        else:
            pieces.append({"text": letter, "fill": fill, "ink": ink_on(fill)})
    scale = f"{low:.2f} ({speech('dark')}) – {high:.2f} ({speech('light')})"
    return {
        "feature": speech(name),
        "name": _short(best),
        "score": f"{best.score:.2f}; {scale}",
        "about": f"{speech(name)}: {_short(best)}",
        "pieces": pieces,
    }


def _place(feature: Tensor) -> int:
    """Return where the stretch begins in which the feature changes most."""
    if len(feature) <= SHOWN:
        return 0
    changes = feature.diff().abs().clamp(max=1.0)
    sums = torch.cat([torch.zeros(1), changes.cumsum(0)])
    windows = sums[SHOWN - 1 :] - sums[: -(SHOWN - 1)]
    return int(windows.argmax())
