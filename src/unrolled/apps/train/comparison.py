"""A fair comparison of runs: what was equal, what each reaches, and what the seeds settle."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import msgspec

from ...columns import Columns
from ...display import counted, number
from ...errors import UserError, refusing
from ...schema import Count, Finite, checked, parse
from ..curves import Curve
from ..files import write_json
from ..settling import SEEDS, Settled, Told, Verdict, settled
from . import checkpoint as checkpoints
from . import log
from .checkpoint import Checkpoint
from .settings import FREE, Settings, option

if TYPE_CHECKING:
    from .task import TestMetrics

TESTED = "test.json"
"""What the best model of a run reached on the test part, in the run's folder."""

SAME = ("held_out", "evaluate_at_most")
"""Settings that decide what is measured: runs that differ in them cannot be compared."""

LEFT_OUT = frozenset({"cell", "seed", *SAME, *FREE})
"""Settings that do not name an entrant: those of all entrants, and those that change no result."""


class Reached(msgspec.Struct, forbid_unknown_fields=True):
    """Measures on the test part in a file; see `TestMetrics`."""

    version: Count
    date: str
    step: Count
    part: str
    measures: tuple[str, ...]
    rows: dict[str, tuple[Finite | None, ...]]


def keep(folder: Path, step: int, name: str, found: TestMetrics) -> None:
    """Write what the best model, called ``name``, reached on the test part into a run's folder."""
    from ..files import dated

    rows = {("this" if each == name else each): figures for each, figures in found.rows.items()}
    about = {"step": step, "part": found.part, "measures": list(found.measures), "rows": rows}
    write_json(folder / TESTED, dated(1, **about))


@final
@dataclass(frozen=True, eq=False)
class Entry:
    """A run that is compared.

    Attributes:
        path: of its folder.
        last, best: its checkpoints.
        curve: steps and losses of its evaluations.
        tested: what it reached on the test part; None if that was not measured of its best model.
    """

    path: Path
    last: Checkpoint
    best: Checkpoint
    curve: Curve
    tested: Reached | None

    @classmethod
    def at(cls, path: Path) -> Entry:
        """Return the run in a folder.

        Raises:
            UserError: there is none, it is damaged, or was never evaluated.
        """
        last, best = checkpoints.load(path), checkpoints.best(path)
        if best.best is None:
            raise UserError(
                f"{path} was not evaluated yet: go on with it by unrolled train "
                f"{last.problem.kind} --resume --out {path}"
            )
        curve: tuple[list[float], list[float]] = ([], [])
        try:
            for line in log.lines(path / log.NAME):
                if line.held_out is not None:
                    curve[0].append(line.step)
                    curve[1].append(line.held_out.loss)
        except (OSError, ValueError):  # the figures stand in the checkpoints
            curve = ([best.best.step], [best.best.loss])
        return cls(path, last, best, curve, tested(path, best.best.step))

    @property
    def loss(self) -> float:
        """The best loss on the held-out part."""
        assert self.best.best is not None
        return self.best.best.loss

    @property
    def parameters(self) -> int:
        """How many numbers the model has learned."""
        tensors = self.last.tensors.items()
        return sum(each.numel() for name, each in tensors if name.startswith("weights/"))

    @property
    def is_finished(self) -> bool:
        """Whether all steps are done, or patience or time ended it before."""
        settings = self.last.settings
        waited = settings.patience is not None and self.last.stale >= settings.patience
        return self.last.step >= settings.steps or waited or settings.seconds is not None


def tested(path: Path, step: int) -> Reached | None:
    """Return what the best model of a run, of a step, reached on the test part; None if that was
    not measured.

    Raises:
        UserError: the file is damaged.
    """
    file = path / TESTED
    if not file.is_file():
        return None
    with refusing(f"read {file}"):
        text = file.read_bytes()
    try:
        found: Reached = checked(parse(text), Reached)
    except ValueError as error:
        raise UserError(f"{file} is damaged: {error}") from error
    return found if found.step == step else None


def entries(paths: Sequence[Path]) -> list[Entry]:
    """Return the runs in folders, and in the folders inside those that are no runs.

    Raises:
        UserError: there are fewer than two, or they cannot be compared.
    """
    found: dict[Path, Entry] = {}
    for path in paths:
        inside = sorted(each.parent for each in path.glob(f"*/{checkpoints.NAME}"))
        is_run = (path / checkpoints.NAME).exists() or not inside
        for each in [path] if is_run else inside:
            found.setdefault(each.resolve(), Entry.at(each))
    several = list(found.values())
    if len(several) < 2:
        raise UserError(
            f"{' '.join(map(str, paths))}: {counted(len(several), 'runs')}, and a comparison takes "
            "at least two: name their folders, or a folder with them"
        )
    for each in several[1:]:
        _require_same(several[0], each)
    return several


def _require_same(one: Entry, other: Entry) -> None:
    """Refuse runs that do not answer the same question."""
    a, b = one.last, other.last
    pairs: list[tuple[str, Any, Any]] = [
        ("was trained by `unrolled train`", a.problem.kind, b.problem.kind),
        ("measures", a.metric.name, b.metric.name),
        ("read data with the SHA-256", a.digest[:12], b.digest[:12]),
        *(
            (f"has {option(name)}", getattr(a.settings, name), getattr(b.settings, name))
            for name in SAME
        ),
        *_asked(a, b),
    ]
    for what, ours, theirs in pairs:
        if ours != theirs:
            raise UserError(
                f"{other.path} cannot be compared with {one.path}: it {what} {theirs}, not {ours}"
            )


ASKED = ("target", "horizon", "classes", "label", "vocabulary", "names", "source")
"""What a problem asks for; how it reads is a matter of each entrant."""


def _asked(a: Checkpoint, b: Checkpoint) -> Iterator[tuple[str, Any, Any]]:
    for name in ASKED:
        ours, theirs = (getattr(each.problem, name, None) for each in (a, b))
        yield f"has another {name}, of", str(ours)[:40], str(theirs)[:40]


@final
@dataclass(frozen=True, eq=False)
class Comparison:
    """Runs, by what they were trained with.

    Attributes:
        groups: the runs by the name of their cell, and the settings in which it differs.
    """

    groups: Mapping[str, Sequence[Entry]]

    @classmethod
    def of(cls, several: Sequence[Entry]) -> Comparison:
        """Return a comparison of runs, those of one cell and other seeds together, best first.

        Raises:
            UserError: two runs have the same settings and seed.
        """
        differing = [
            each.name
            for each in fields(Settings)
            if each.name not in LEFT_OUT
            and len({getattr(entry.last.settings, each.name) for entry in several}) > 1
        ]
        groups: dict[str, dict[int, Entry]] = {}
        for entry in several:
            settings = entry.last.settings
            own = [f"{option(name)} {getattr(settings, name)}" for name in differing]
            group = groups.setdefault(" ".join([entry.last.cell.name, *own]), {})
            if settings.seed in group:
                raise UserError(
                    f"{entry.path} and {group[settings.seed].path} have the same settings and "
                    f"seed: a comparison takes other seeds, by --seed or --seeds"
                )
            group[settings.seed] = entry
        found = {name: list(group.values()) for name, group in groups.items()}
        best = sorted(found, key=lambda name: _median(found[name]))
        return cls({name: found[name] for name in best})

    @property
    def unit(self) -> str:
        """Of the losses."""
        return next(iter(self.groups.values()))[0].last.metric.name

    def records(self) -> list[dict[str, Any]]:
        """Return what each run reached."""
        return [
            {
                "entrant": name,
                "seed": each.last.settings.seed,
                "parameters": each.parameters,
                "step": each.last.step,
                "best_step": each.best.step,
                "loss": each.loss,
                **_first(each.tested),
                "run": str(each.path),
            }
            for name, group in self.groups.items()
            for each in group
        ]

    def table(self) -> Columns:
        """Return a row for each entrant: the median of its seeds, from the least to the most."""
        measure = self._measure()
        rows = []
        for name, group in self.groups.items():
            steps = sorted({each.last.step for each in group})
            tested = [each.tested.rows["this"][0] for each in group if each.tested is not None]
            figures = [each for each in tested if each is not None]
            rows.append(
                (
                    name,
                    str(len(group)),
                    f"{group[0].parameters:,}",
                    f"{steps[0]:,}" if len(steps) == 1 else f"{steps[0]:,}-{steps[-1]:,}",
                    _spread([each.loss for each in group]),
                    *([_spread(figures)] if measure else []),
                )
            )
        heads = ("entrant", "seeds", "parameters", "steps", f"best held out, {self.unit}")
        return Columns((*heads, *([f"test, {measure}"] if measure else [])), rows)

    def _measure(self) -> str:
        """Return the first measure on the test part, if all have one."""
        every = [each.tested for group in self.groups.values() for each in group]
        return every[0].measures[0] if every[0] is not None and None not in every else ""

    def lines(self) -> list[str]:
        """Return what has to be said of it: what was unequal, and what the seeds settle."""
        said = [f"{self._equal()}. In the table: the median of the seeds (least to most)."]
        for group in self.groups.values():
            for each in group:
                if not each.is_finished:
                    steps = each.last.settings.steps
                    said.append(f"{each.path} is not finished: step {each.last.step} of {steps}")
        first, *others = self.groups
        return [*said, *(self._claim(first, other) for other in others)]

    def _equal(self) -> str:
        every = [each for group in self.groups.values() for each in group]
        counts = sorted({each.parameters for each in every})
        same = "Equal: the data, what is held out"
        steps = {each.last.step for each in every}
        same += ", the steps" if len(steps) == 1 else ""
        unequal = [] if len(steps) == 1 else ["the steps"]
        if counts[-1] > 1.05 * counts[0]:
            unequal.append(f"the parameters ({counts[0]:,} to {counts[-1]:,})")
        return same + (f"; not equal: {' and '.join(unequal)}" if unequal else "")

    def _claim(self, better: str, other: str) -> str:
        """Say whether one is better than another, by the seeds that both have."""
        result = self.settled(better, other)
        seeds = counted(result.seeds, "seeds")
        text = f"{better} is better than {other}: {result.verdict.value}"
        if result.verdict is Verdict.OPEN and result.seeds < SEEDS:
            return f"{text}: {seeds} of both, and {SEEDS} have to agree, by --seeds {SEEDS}"
        if result.why and result.verdict is Verdict.OPEN:
            return f"{text}: {result.why}"
        return f"{text}, by {result.held} of {seeds}"

    def settled(self, better: str, other: str) -> Settled:
        """Return what the seeds that two entrants both have say to one being better."""
        ours, theirs = (
            {each.last.settings.seed: each for each in self.groups[name]}
            for name in (better, other)
        )
        return settled(_told(ours[seed], theirs[seed]) for seed in sorted(ours.keys() & theirs))

    @property
    def curves(self) -> dict[str, list[Curve]]:
        """The losses on the held-out part, by entrant."""
        return {name: [each.curve for each in group] for name, group in self.groups.items()}


def _told(one: Entry, other: Entry) -> Told:
    if not (one.is_finished and other.is_finished):
        return Told(None, "not all runs are finished")
    return Told(one.loss < other.loss)


def _median(group: Sequence[Entry]) -> float:
    return statistics.median(each.loss for each in group)


def _spread(values: Sequence[float]) -> str:
    """Return the median, and the least and the most.

    >>> _spread([1.0, 3.0, 2.5]), _spread([0.5])
    ('2.5 (1-3)', '0.5')
    """
    middle = number(statistics.median(values), 4)
    if len(values) == 1:
        return middle
    return f"{middle} ({number(min(values), 4)}-{number(max(values), 4)})"


def _first(tested: Reached | None) -> dict[str, Any]:
    return {} if tested is None else {f"test {tested.measures[0]}": tested.rows["this"][0]}
