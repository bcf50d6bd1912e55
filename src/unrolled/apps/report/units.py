"""The section of units that tell something: a text, coloured by what a unit says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ...draw.render import ink_on, shade
from ...probe import features
from ...probe.record import record
from ...probe.units import Unit, UnitSearch, find_units
from ..train import text
from .model import Run
from .section import Rows, Section
from .words import Speech

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
    """The units that track a property of the text; None where the text is too short to tell."""
    words = run.words[:READ]
    values = _recorded(run, words)
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
        "table": Rows(
            [
                speech("property"),
                speech("units found"),
                speech("the best one"),
                speech("by chance"),
            ],
            [_row(name, each, speech) for name, each in found.items()],
        ),
        "caption": f"{speech('correlation')}, {len(words):,}",
        "units": [_colored(name, each, values, words, speech) for name, each in telling[:COLORED]],
    }
    return Section("units", speech("Units that tell something"), "units.html.j2", data)


def _recorded(run: Run, words: str) -> dict[str, Tensor]:
    """The states of the first layer while the text is read, (T, H) each."""
    checkpoint = run.checkpoint
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
    """The text with each character on the colour of the best unit's value."""
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
    """Where the stretch begins in which the feature changes most."""
    if len(feature) <= SHOWN:
        return 0
    changes = feature.diff().abs().clamp(max=1.0)
    sums = torch.cat([torch.zeros(1), changes.cumsum(0)])
    windows = sums[SHOWN - 1 :] - sums[: -(SHOWN - 1)]
    return int(windows.argmax())
