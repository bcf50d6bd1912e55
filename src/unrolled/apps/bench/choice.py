"""The rows and rivals that a user asks for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final

from . import neighbours, rows, work
from .library import UserError
from .neighbours import beside_neighbour
from .rivals import Rival, chosen, present
from .rows import Maker, Row
from .work import CLASSES, INFERENCE, TRAINING, Shape

OTHERS = ("lstm_peephole", "lstm_coupled", rows.lstm_highway.name, "lstm_layernorm")
"""Cells that are compared with our LSTM."""

CELLS = (*CLASSES, *OTHERS)
"""Cells that have rows."""


@final
@dataclass(frozen=True)
class Shapes:
    """The shapes of rows beside torch.nn, beside ourselves, of streams, and of neighbours."""

    grid: Sequence[Shape] = work.GRID
    middle: Sequence[Shape] = work.MIDDLE
    stream: Sequence[Shape] = (work.STREAM,)
    small: Sequence[Shape] = work.SMALL

    @property
    def first(self) -> Sequence[Shape]:
        """The first of those beside ourselves."""
        return self.middle[:1]


FEW = Shapes(work.QUICK, work.MIDDLE[:1], small=work.SMALL[:1])


LSTM = ("lstm",)
GROUPS: tuple[tuple[str, str, Maker, Sequence[str], str], ...] = (
    ("inference", "{CELL} inference", rows.standard(INFERENCE, True), tuple(CLASSES), "grid"),
    ("training", "{CELL} training", rows.standard(TRAINING), tuple(CLASSES), "grid"),
    (
        "packed", "packed {CELL} training, lengths T/4 to T", rows.standard(TRAINING, ragged=True),
        LSTM, "grid",
    ),
    (
        "projected", "projected {CELL} training, proj_size H/2",
        rows.standard(TRAINING, projected=True), LSTM, "grid",
    ),
    (
        "streaming", "LSTMCell, for each step of a stream", rows.stepwise("LSTMCell", False), LSTM,
        "stream",
    ),
    (
        "streaming", "LSTM with T = 1, for each step of a stream", rows.stepwise("LSTM", False),
        LSTM, "stream",
    ),
    ("cells", "{cell} inference, per operation", rows.beside_lstm(INFERENCE), OTHERS, "middle"),
    ("cells", "{cell} training, per operation", rows.beside_lstm(TRAINING), OTHERS, "middle"),
    ("loop", "{cell} training", rows.beside_loop, (rows.lstm_highway.name,), "first"),
    (
        "taps", "{CELL} inference with every value recorded", rows.recording, ("lstm", "gru"),
        "middle",
    ),
)  # fmt: skip
"""All rows but those of neighbours, in the order of the table: kind, heading, maker, cells, and
which of the `Shapes`."""

NEIGHBOURS = (
    *(
        (f"{heading}: {difference}", beside_neighbour(pair, learns))
        for heading, pairs, learns in (
            ("LSTMCell inference", neighbours.CELLS, False),
            ("LSTM inference", neighbours.LAYERS, False),
            ("LSTM training", neighbours.LAYERS, True),
        )
        for difference, pair in pairs.items()
    ),
    ("LSTMCell in a loop of Python, for each step of training", rows.stepwise("LSTMCell", True)),
    ("LSTM with T = 1 in a loop of Python, for each step of training", rows.stepwise("LSTM", True)),
)
"""Headings and makers of the rows of neighbours."""


def every(shapes: Shapes) -> Iterator[Row]:
    """Yield all rows in the order of the table."""
    for kind, heading, make, cells, sizes in GROUPS:
        for cell in cells:
            yield from (Row(kind, heading, make, cell, each) for each in getattr(shapes, sizes))
    for each in shapes.small:
        yield from (Row("neighbours", title, make, "lstm", each) for title, make in NEIGHBOURS)


KINDS = tuple(dict.fromkeys(row.kind for row in every(Shapes())))
"""The kinds of rows that can be asked for."""

USUAL = tuple(kind for kind in KINDS if kind != "neighbours")
"""Those that are measured unless others are asked for."""

SECONDS, QUICK_SECONDS = 1.0, 0.2


@final
@dataclass(frozen=True)
class Choice:
    """Rows to measure, beside which rivals.

    Attributes:
        rows: in the order of the table.
        rivals: beside torch.nn.
        seconds: about how long each row is timed.
    """

    rows: Sequence[Row]
    rivals: Sequence[Rival]
    seconds: float


def choice(
    own: Sequence[str],
    kinds: Sequence[str],
    cells: Sequence[str],
    rivals: str | None,
    quick: bool,
    seconds: float | None,
) -> Choice:
    """Return the choice that options make; names may be joined by commas.

    Raises:
        UserError: for names that are unknown, shapes that are none, or no row at all.
    """
    if quick and own:
        raise UserError("--quick and --own both choose the shapes: give one of them")
    if seconds is not None and not 0 < seconds < float("inf"):
        raise UserError(f"--seconds {seconds:g}: expected a number above 0")
    shapes = [work.parsed_shape(text) for text in own]
    sizes = FEW if quick else Shapes(*[shapes] * 4) if own else Shapes()
    kinds = _names("--rows", kinds, KINDS) if kinds else USUAL
    cells = _names("--cells", cells, CELLS)
    wanted = [row for row in every(sizes) if row.kind in kinds and row.cell in cells]
    if not wanted:
        raise UserError(
            f"no row of {', '.join(kinds)} is about {', '.join(cells)}: leave out --rows or --cells"
        )
    return Choice(
        wanted,
        present() if rivals is None else chosen(_split([rivals])),
        seconds if seconds is not None else QUICK_SECONDS if quick else SECONDS,
    )


def _names(option: str, given: Sequence[str], known: Sequence[str]) -> list[str]:
    """Return the names under an option; all if it is not given."""
    names = _split(given) or list(known)
    for name in names:
        if name not in known:
            raise UserError(f"{option}: unknown name {name!r}; known: {', '.join(known)}")
    return names


def _split(given: Sequence[str]) -> list[str]:
    return [name for text in given for part in text.split(",") if (name := part.strip())]
