"""Sections about one trained character model: what it learned, its inside, its units."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import torch
from markupsafe import Markup
from torch import Tensor

from ...display import gradient_size, number
from ...draw.contrast import ink_on
from ...draw.drawings import find
from ...draw.render import shade
from ...draw.subject import Subject
from ...draw.timeline import visible
from ...errors import DrawError
from ...printing.unicode import readable
from ...probe import features
from ...probe.diagnosis import diagnose, row
from ...probe.record import record
from ...probe.units import Unit, UnitSearch, find_units
from ..curves import Curve, learning
from ..draw.numbers import Measured
from ..train import checkpoint as checkpoints
from ..train import log, text
from ..train.doubts import doubts
from ..train.language import sample
from ..train.sample_inputs import LEAST, excerpts
from .charts import against_distance
from .commands import language_of, line, of_run
from .figures import inline, picture
from .memory import shade_level, spread
from .network import openings
from .page import Section, Speech, TableCell

if TYPE_CHECKING:
    from numpy import ndarray

    from ...draw.picture import Picture
    from ...equations import Cell
    from ...probe.diagnosis import Diagnosis
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
        others: folders of models like it, trained from other seeds.
        given: ``--text`` as it was given; None: it was not.
        data: ``--data`` as it was given.

    Raises:
        DrawError: for a text that the model cannot read.
    """

    path: Path
    checkpoint: Checkpoint
    words: str
    others: Sequence[Path] = ()
    given: str | None = None
    data: Sequence[Path] = ()

    def __post_init__(self) -> None:
        strange = sorted(set(self.words) - set(self.checkpoint.vocabulary))
        if strange:
            raise DrawError(
                f"--text does not fit the run: the model does not know {''.join(strange[:10])!r}"
            )

    @property
    def paths(self) -> list[Path]:
        """Of the run and of the models like it."""
        return [self.path, *self.others]

    @property
    def checkpoints(self) -> list[Checkpoint]:
        """The run's, and those of the models like it."""
        return [self.checkpoint, *map(checkpoints.load, self.others)]

    @property
    def options(self) -> list[str]:
        """Of a command that is to read the same text."""
        return [] if self.given is None else ["--text", self.given]

    @property
    def line(self) -> str:
        """The first line of the text that is long enough, else the longest one; without one that
        says anything, all of the text.
        """
        lines = [line.strip() for line in self.words.splitlines()]
        long = next((line for line in lines if len(line) >= SENTENCE), max(lines, key=len))
        return long if len(long) >= LEAST else self.words

    @property
    def sentence(self) -> str:
        """The beginning of that line, up to the end of a sentence or of a word."""
        return beginning(self.line)


END = re.compile(r"[.!?](?=\s)|[。！？]")
"""The end of a sentence."""


def beginning(line: str, most: int = SENTENCE) -> str:
    """Return so many characters of a line at most: up to the last end of a sentence in their second
    half, else of a word; only a longer word is cut.

    >>> beginning("One two three. Four five", 20), beginning("One two three four", 15)
    ('One two three.', 'One two three')
    """
    if len(line) <= most:
        return line
    half = most // 2
    ends = [found.end() for found in END.finditer(line) if half <= found.end() <= most]
    spaces = [place for place in range(half, most + 1) if line[place].isspace()]
    return line[: max(ends or spaces or [most])].rstrip()


def model(run: Run, baselines: Mapping[str, float], title: str, speech: Speech) -> Section:
    """Return what was trained, how far it came, and what it writes."""
    checkpoint = run.checkpoint
    network = checkpoint.model()
    count = sum(each.numel() for each in network.parameters())
    about = (
        f"{checkpoint.cell.name}{speech(': ')}{speech.counted(count, 'parameters')}{speech(', ')}"
        f"{speech.counted(checkpoint.settings.hidden, 'hidden units')}{speech(', ')}"
        f"{speech('trained for')} {speech.counted(checkpoint.step, 'steps')}{speech('.')}"
    )
    written = sample(network, checkpoint.vocabulary, "", WRITTEN, TEMPERATURE)  # pyright: ignore[reportArgumentType]
    seeds = len(run.paths)
    data = {
        "about": about,
        "bits": _bits(run, baselines, speech),
        "doubts": doubts(run.checkpoint, baselines, speech.language),
        "unit": speech("bits per character"),
        "tested": None,
        "caption": f"{speech('held-out loss')}{speech('; ')}{seeds_said(seeds, speech)}",
        "learning": learned(run.paths, speech),
        "learning_caption": learning_said(seeds, checkpoint.step, speech),
        "command": _report(run, speech),
        "written": "".join(written),
        "temperature": TEMPERATURE,
        "sample": line(
            "sample", run.path, "--length", WRITTEN, "--temperature", TEMPERATURE,
        ),
    }  # fmt: skip
    return Section("model", speech(title), "model.html.j2", data)


def learning_said(seeds: int, steps: int, speech: Speech) -> str:
    """Say of how many models each learning curve is, and of how many steps each of its points."""
    size = _size(steps)
    if seeds == 1:
        caption = speech("Loss of the training batch, and on the held-out part.")
    else:
        caption = speech("Loss of the training batch, and of the first model on the held-out part.")
    if size > 1:
        points = speech("Points of training: means over {steps}.")
        caption += speech(" ") + points.format(steps=speech.counted(size, "steps"))
    if seeds == 1:
        return caption + speech(" ") + spread(1, speech)
    return f"{caption}{speech(' ')}{speech('Training')}{speech(': ')}{spread(seeds, speech)}"


def _report(run: Run, speech: Speech) -> str:
    """Return the command that writes the report of a run."""
    more: list[object] = list(run.options)
    if len(run.paths) > 1:
        more += ["--seeds", len(run.paths)]
    more += [word for file in run.data for word in ("--data", file)]
    return line("report", run.path, *more, *language_of(speech.language))


def seeds_said(seeds: int, speech: Speech) -> str:
    """Say of how many models a figure is."""
    if seeds == 1:
        return speech("one model of one seed: another seed may differ.")
    words = speech("{models} of as many seeds: mean, and the least and the greatest.")
    return words.format(models=speech.counted(seeds, "models"))


def _bits(run: Run, baselines: Mapping[str, float], speech: Speech) -> list[list[Any]]:
    """Tabulate held-out losses; that of the models is marked as good if all beat every baseline."""
    body: list[list[Any]] = [[speech(name), f"{bits:.3f}"] for name, bits in baselines.items()]
    losses = [each.last.loss for each in run.checkpoints if each.last is not None]
    if losses:
        name = run.checkpoint.cell.name + _bracketed(speech("this model"), speech)
        best = bool(baselines) and max(losses) < min(baselines.values())
        around = f"{min(losses):.3f}–{max(losses):.3f}" if len(losses) > 1 else ""
        body.append([name, TableCell(f"{sum(losses) / len(losses):.3f}", best, around)])
    return body


def _bracketed(words: str, speech: Speech) -> str:
    return f"{speech(' (')}{words}{speech(')')}"


def learned(paths: Sequence[Path], speech: Speech) -> Markup | None:
    """Return the learning curves of runs' logs; None where there is no log, or a damaged one."""
    logs = [_logged(path) for path in paths]
    own = logs[0]
    if len(own) < 2:
        return None
    logs = [lines for lines in logs if len(lines) >= 2]
    size = _size(max(lines[-1].step for lines in logs))
    curves: dict[str, list[Curve]] = {
        speech.chart("training"): [_smooth(lines, size) for lines in logs]
    }
    held = [(each.step, each.held_out.loss) for each in own if each.held_out]
    about = f"{speech('Learning curves')}{speech(': ')}{speech('loss')} {own[0].loss:.2f}"
    about += f" → {own[-1].loss:.2f}"
    if held:
        places, heights = zip(*held, strict=True)
        curves[speech.chart("held out")] = [(places, heights)]
        about += f"{speech(', ')}{speech('held out')} {heights[-1]:.2f}"
    across, up = speech.chart("steps of training"), speech.chart("loss")
    return inline(learning(curves, across, up), about + speech("."), language=speech.language)


def _logged(path: Path) -> list[log.Line]:
    """Return the lines of a run's log; none where there is no log, or a damaged one."""
    try:
        return list(log.lines(checkpoints.folder_of(path) / log.NAME))
    except (OSError, ValueError):
        return []


POINTS = 150


def _size(steps: int) -> int:
    """Return how many steps of training are one point of a curve."""
    return max(1, steps // POINTS)


def _smooth(lines: Sequence[log.Line], size: int) -> Curve:
    """Average the loss of so many steps, up to each step that is a multiple of them."""
    found: dict[int, list[float]] = {}
    for each in lines:
        found.setdefault(-(-each.step // size) * size, []).append(each.loss)
    whole = {end: losses for end, losses in found.items() if end <= lines[-1].step}
    return list(whole), [sum(losses) / len(losses) for losses in whole.values()]


def inside(run: Run, speech: Speech) -> Section:
    """Show gates, memory and gradients while the model reads a sentence."""
    numbers = Measured([run.path], run.sentence, say=lambda words: None, words=speech.pictures)
    language = speech.pictures.language
    about, title = Subject(None, numbers, speech.pictures), speech("Inside, on real text")

    def drawn(made: Picture, words: str) -> Markup:
        return picture(made, f"{title}{speech(': ')}{words}")

    gates = find("gates").picture(about)

    gradient, said = _fading(run, speech)
    data: dict[str, Any] = {
        "sentence": run.sentence,
        "shortened": speech("The first {count} of the {characters} of a line").format(
            count=len(run.sentence), characters=speech.counted(len(run.line), "characters")
        )
        if len(run.sentence) < len(run.line)
        else "",
        "gates": drawn(gates, gates_said(run.checkpoint.cell, gates.values or {}, speech)),
        "gates_command": of_run("gates", language, run.path, run.sentence),
        "strip": None,
        "gradient": gradient,
        "gradient_caption": said,
        # `draw` has a curve for each run, not the mean of several.
        "gradient_command": _report(run, speech)
        if len(run.paths) > 1
        else of_run("distance", language, run.path, run.sentence),
    }
    _, influence = numbers.influence(len(run.sentence))
    last = influence[-1].tolist()
    if max(last) > 0:
        data |= {
            "strip": [
                {"text": visible(token).replace("\\$", "$"), "share": shade_level(share, max(last))}
                for token, share in zip(run.sentence, last, strict=True)
            ],
            "strip_said": _strip_said(last, speech),
            "memory": drawn(find("memory").picture(about), _strip_said(last, speech)),
            "memory_command": of_run("memory", language, run.path, run.sentence),
        }
    return Section("inside", title, "inside.html.j2", data)


def gates_said(cell: Cell, values: Mapping[str, ndarray], speech: Speech) -> str:
    """Say how far each gate is open and closed, and between what values each state is.

    Args:
        cell: whose they are.
        values: by name, (T, H).
        speech: of the page.
    """
    opening = openings(cell)
    said = [
        speech(
            "gate {name} {mean} on average, {low} of it below 0.1 (closed), {high} above 0.9 (open)"
        ).format(
            name=name,
            mean=number(each.mean()),
            low=f"{100 * (each < 0.1).mean():.0f} %",
            high=f"{100 * (each > 0.9).mean():.0f} %",
        )
        if name in opening
        else speech("{name} from {low} to {high}").format(
            name=name, low=number(each.min()), high=number(each.max())
        )
        for name, each in values.items()
    ]
    return speech("; ").join(said) + speech(".")


def _strip_said(shares: Sequence[float], speech: Speech) -> str:
    """Say how far back half of the memory's share lies."""
    sums = accumulate(reversed(shares))
    back = next(n for n, left in enumerate(sums, 1) if left >= 0.5 * sum(shares))
    words = (
        speech("Half of it comes from the last of {characters}.")
        if back == 1
        else speech("Half of it comes from the last {count} of {characters}.")
    )
    return words.format(count=back, characters=speech.counted(len(shares), "characters"))


def _fading(run: Run, speech: Speech) -> tuple[Markup, str]:
    """Draw how gradients shrink in the run's model, and in those of other seeds."""
    fades: dict[str, list[list[float]]] = {}
    for path in run.paths:
        numbers = Measured([path], run.sentence, say=lambda words: None, words=speech.pictures)
        for fade in numbers.fades():
            fades.setdefault(fade.derivative, []).append(fade.sizes.tolist())
    across, up = speech.chart("steps back"), speech.chart("gradient, relative")
    back = min(len(each) for several in fades.values() for each in several) - 1
    words = speech("Left of the gradient after {steps} on the way back")
    words = words.format(steps=speech.counted(back, "steps"))
    left = speech(", ").join(
        f"{readable(name)} {gradient_size(several[0][back])}" for name, several in fades.items()
    )
    about = f"{speech('Gradient against distance')}{speech('. ')}{words}{speech(': ')}{left}"
    caption = speech("How a gradient shrinks on its way back through this model.")
    chart = against_distance(fades, across, up)
    return inline(
        chart, about, language=speech.language
    ), f"{caption}{speech(' ')}{spread(len(run.paths), speech)}"


def diagnosis(run: Run, baselines: Mapping[str, float], speech: Speech) -> Section:
    """Return what is wrong with the model's layers, what helps, and what is not settled.

    The table has models of other seeds, too; findings are of the run's own.
    """
    ids = excerpts(run.words, run.checkpoint.vocabulary)
    found = []
    for checkpoint in run.checkpoints:
        with torch.no_grad():
            found.append((checkpoint.settings.seed, diagnose(checkpoint.model().eval(), ids)))
    command = (
        _report(run, speech)
        if len(found) > 1 or (run.data and run.given is None)  # diagnose takes no --data
        else line("diagnose", run.path, *run.options, *language_of(speech.language))
    )
    return diagnosed(found, doubts(run.checkpoint, baselines, speech.language), command, speech)


def diagnosed(
    found: Sequence[tuple[int, Diagnosis]],
    doubts: Sequence[object],
    command: str,
    speech: Speech,
) -> Section:
    """Return what was found in models, by their seeds: the table of all, and what is said of the
    first.

    Args:
        found: seeds, and what was found.
        doubts: what speaks against judging the first.
        command: that says it again.
        speech: of the page.
    """
    body: list[list[Any]] = []
    for seed, each_found in found:
        for each in each_found.layers.values():
            cells = row(each)
            reach = cells["reach"].replace(">", speech("more than"))
            name = each.layer
            if len(found) > 1:
                name += f"{speech(', ')}{speech('seed {number}').format(number=seed)}"
            body.append([name, cells["factor"], reach, cells["keeps"], cells["dead"]])
    own = found[0][1].translated(speech.language)
    data = {
        "body": body,
        "caption": f"{speech('The diagnosis')}{speech('; ')}{_diagnosed(len(found), speech)}",
        "findings": [(own.heading(each), each.text, each.advice) for each in own.findings],
        "unsettled": own.unsettled,
        "none": own.verdict if own.healthy else "",
        "doubts": doubts,
        "command": command,
    }
    return Section("diagnosis", speech("The diagnosis"), "diagnosis.html.j2", data)


def _diagnosed(seeds: int, speech: Speech) -> str:
    if seeds == 1:
        return speech("one model of one seed: another seed may differ.")
    return speech("what was found is said of the first model.")


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
        "caption": speech("correlation, over {characters} of one model").format(
            characters=speech.counted(len(words), "characters")
        )
        + speech("."),
        "command": _report(run, speech),
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
        _short(best) + _bracketed(f"{best.score:.2f}", speech),
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
    whole = values[best.name][:, best.unit]
    shown = whole[start : start + SHOWN]
    low, high = whole.min().item(), whole.max().item()
    scaled = 2 * (shown - low) / max(high - low, 1e-9) - 1
    colors = [shade(round(4.5 * value) / 4.5) for value in scaled.tolist()]
    pieces: list[dict[str, str]] = []
    for letter, fill in zip(words[start : start + SHOWN], colors, strict=True):
        if pieces and pieces[-1]["fill"] == fill:
            pieces[-1]["text"] += letter
        else:
            pieces.append({"text": letter, "fill": fill, "ink": ink_on(fill)})
    place = speech("characters {first} to {last} of {count}").format(
        first=start + 1, last=start + len(shown), count=len(whole)
    )
    scale = " – ".join(
        f"{end:.2f}{_bracketed(speech(color), speech)}"
        for end, color in ((low, "dark blue"), (high, "yellow"))
    )
    return {
        "feature": speech(name),
        "name": _short(best),
        "score": speech("; ").join([f"{best.score:.2f}", scale, place]),
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
