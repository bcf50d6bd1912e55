"""Pages about runs on tables: of classes, series and pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...display import number
from ...draw import charts
from ...probe.diagnosis import diagnose
from ...probe.gates import squashing
from ...probe.names import places
from ...probe.record import record
from ..train import checkpoint as checkpoints
from ..train.checkpoint import Checkpoint
from ..train.comparison import Reached, tested
from ..train.doubts import doubts
from ..train.sample_inputs import Inputs
from .commands import language_of, line
from .figures import picture
from .model import diagnosed, gates_said, learned, learning_said, seeds_said
from .network import cells
from .page import Section, Speech, TableCell

SHOWN = 120
"""Steps of a sequence, at most: the last ones."""

NAMES = (
    *("accuracy", "macro F1", "exact match", "symbols right", "nats", "nats/symbol"),
    *("scaled squared error", "last value", "most frequent class", "naive Bayes"),
    *("nearest mean", "copy of the source", "commonest target", "seasonal naive"),
)
"""Units, measures and simple predictors, which pages of other languages call otherwise."""


def sections(
    path: Path, checkpoint: Checkpoint, inputs: Inputs, options: Sequence[object], speech: Speech
) -> list[Section]:
    """Return what was learned, the cell, its inside over one sequence, and its diagnosis.

    Args:
        path: of the run.
        checkpoint: of its best model.
        inputs: what its model reads; see `unrolled.apps.train.sample_inputs`.
        options: of the command line that lead to these inputs.
        speech: of the page.
    """
    command = line("report", path, *options, *language_of(speech.language))
    again = line("diagnose", path, *options, *language_of(speech.language))
    model = checkpoint.model().eval()
    with torch.no_grad():
        found = [(checkpoint.settings.seed, diagnose(model, inputs))]
    return [
        _model(path, checkpoint, command, speech),
        cells([checkpoint.cell], speech, path),
        _inside(model, checkpoint, inputs, command, speech),
        diagnosed(found, doubts(checkpoint, {}, speech.language), again, speech),
    ]


def _model(path: Path, checkpoint: Checkpoint, command: str, speech: Speech) -> Section:
    """Return what was trained, how far it came, and what it reached on the test part."""
    count = sum(each.numel() for each in checkpoint.model().parameters())
    parts = [
        speech.counted(count, "parameters"),
        speech.counted(checkpoint.settings.hidden, "hidden units"),
        f"{speech('trained for')} {speech.counted(checkpoint.step, 'steps')}",
    ]
    body: list[list[Any]] = []
    if checkpoint.last is not None:
        name = own_name(checkpoint.cell.name, speech)
        body.append([name, TableCell(number(checkpoint.last.loss, 4), False)])
    reached = tested(checkpoints.folder_of(path), checkpoint.best.step if checkpoint.best else 0)
    data = {
        "about": f"{checkpoint.cell.name}{speech(': ')}{speech(', ').join(parts)}{speech('.')}",
        "unit": speech(checkpoint.metric.name),
        "bits": body,
        "tested": None if reached is None else _tested(reached, checkpoint.cell.name, speech),
        "doubts": doubts(checkpoint, {}, speech.language),
        "caption": f"{speech('held-out loss')}{speech('; ')}{seeds_said(1, speech)}",
        "learning": learned([path], speech),
        "learning_caption": learning_said(1, checkpoint.step, speech),
        "command": command,
        "written": "",
    }
    return Section("model", speech("The model"), "model.html.j2", data)


def own_name(cell: str, speech: Speech) -> str:
    """Return what a model is called in tables."""
    return f"{cell}{speech(' (')}{speech('this model')}{speech(')')}"


def _named(name: str, speech: Speech) -> str:
    """Return a name in the page's language; of one such as ``seasonal naive (12)`` its words."""
    words, bracket, rest = name.partition(" (")
    known = speech(words) if words in NAMES else words
    return f"{known}{bracket}{rest}"


def _tested(found: Reached, cell: str, speech: Speech) -> dict[str, Any]:
    """Return the table of the test part; the model's figure is marked as good if it is the best."""
    own = found.rows["this"][0]
    others = [row[0] for name, row in found.rows.items() if name != "this" and row[0] is not None]
    is_share = found.measures[0] in ("accuracy", "exact match")
    is_best = own is not None and bool(others)
    is_best = is_best and (own > max(others) if is_share else own < min(others))  # pyright: ignore
    body = []
    for name, row in found.rows.items():
        shown = (
            cell + f"{speech(' (')}{speech('this model')}{speech(')')}" if name == "this" else name
        )
        figures = ["-" if figure is None else number(figure, 4) for figure in row]
        first = TableCell(figures[0], is_best and name == "this")
        body.append([shown, first, *figures[1:]])
    return {
        "head": [speech("on the test part"), *(_named(each, speech) for each in found.measures)],
        "body": body,
        "caption": speech("what neither training nor the choice of a model has seen"),
    }


def _inside(
    model: Any, checkpoint: Checkpoint, inputs: Inputs, command: str, speech: Speech
) -> Section:
    """Return the gates and states of the first layer over one sequence."""
    place = places(model)[0]
    cell = checkpoint.cell
    names = [*squashing(cell.graph), *cell.states]
    names = [name for name in dict.fromkeys(names) if name in place.values]
    with torch.no_grad(), record(model, [f"{place.name}.{name}" for name in names]) as recording:
        _called(model, inputs)
    lengths = inputs.get("lengths", inputs.get("source_lengths"))
    values = {name: recording[f"{place.name}.{name}"][:, 0] for name in names}
    steps = len(values[names[0]]) if lengths is None else int(lengths[0])
    values = {name: each[:steps][-SHOWN:] for name, each in values.items()}
    shown = len(values[names[0]])
    first = steps - shown + 1
    made = charts.gates(
        values, [""] * shown, place.name, speech.pictures.language, first=first, total=steps
    )
    data = {
        "gates": picture(made, gates_said(cell, made.values or {}, speech)),
        "command": command,
    }
    return Section("inside", speech("Inside, on real data"), "inside_table.html.j2", data)


def _called(model: Any, inputs: Mapping[str, Any]) -> Any:
    """Call a model with what it reads, by name."""
    return model(**{name: each for name, each in inputs.items() if isinstance(each, Tensor)})


def described(checkpoint: Checkpoint, speech: Speech) -> str:
    """Say in a sentence what a model is and how far it came."""
    parts = [checkpoint.cell.name]
    parts.append(speech.counted(checkpoint.settings.hidden, "hidden units"))
    parts.append(speech.counted(checkpoint.step, "steps"))
    if checkpoint.last is not None:
        unit = speech(checkpoint.metric.name)
        parts.append(f"{speech('held out')} {number(checkpoint.last.loss, 4)} {unit}")
    return speech(", ").join(parts) + speech(".")
