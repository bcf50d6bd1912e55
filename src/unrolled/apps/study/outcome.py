"""The outcomes of trials as data, and the JSON file that keeps them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, final

import msgspec

from ...display import page_of, text_of
from ...errors import UserError, refusing
from ...schema import Count, Size, checked, parse
from ..bench.machine import machine
from ..files import dated, write_json


@final
@dataclass(frozen=True, kw_only=True)
class Reading:
    """One sentence, word by word.

    Attributes:
        words: of the sentence, without its answer.
        facts: the places of the two words that decide the answer.
        answer: the two words that are right.
        said: the two words that the model says.
        shares: how much of what it says each word has decided: the norm of gradient × input of
            the said words' scores, as shares of 1.
    """

    words: list[str]
    facts: tuple[int, int]
    answer: tuple[str, str]
    said: tuple[str, str]
    shares: list[float]

    __repr__ = text_of
    _repr_html_ = page_of

    @property
    def right(self) -> bool:
        """True if both words are right."""
        return self.said == self.answer


class Point(NamedTuple):
    """One evaluation along the way.

    Attributes:
        step: how many steps were done.
        loss: of training, the mean since the evaluation before.
        trained: the score on fresh sequences of the kind that is trained on, with the whole gap.
        held_out: the same on those of the held-out kind.
        reach: the size of the loss's gradient by the states of the first step, relative to the
            last step's; NaN in files that do not have it.
    """

    step: Count
    loss: float
    trained: float
    held_out: float
    reach: float = math.nan

    __repr__ = text_of
    _repr_html_ = page_of


@final
@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One trial.

    Attributes:
        task, gap, entrant, digest, seed, hidden, steps: what was tried; the digest is of the
            cell's equations.
        unit, chance, goal: of the problem; see `unrolled.apps.study.problems.GapProblem`.
        trained, held_out: the last scores.
        diverged: whether the loss became infinite or NaN, which ended the training.
        seconds: wall time, evaluations and gradients included.
        curve: the evaluations.
        gradients: after parts of the training (0 is its start), the size of the loss's gradient
            by the states k steps before the end, relative to k = 0.
        reading: one sentence as the trained model reads it; None for problems of another kind.
        dead: the part of the output's units that are the same after the last step of every
            sequence, at the end; None in files that do not have it.
    """

    task: str
    gap: Count
    entrant: str
    digest: str
    seed: Count
    hidden: Size
    steps: Size
    unit: str
    chance: float
    goal: float
    trained: float
    held_out: float
    diverged: bool
    seconds: float
    curve: list[Point]
    gradients: dict[float, list[float]]
    reading: Reading | None
    dead: float | None = None

    __repr__ = text_of
    _repr_html_ = page_of

    @property
    def key(self) -> tuple[Any, ...]:
        """Trials of equal keys are the same."""
        entrant = self.digest, self.entrant
        return self.task, self.gap, *entrant, self.seed, self.hidden, self.steps

    @property
    def solved(self) -> bool:
        """True if the held-out score reaches the goal."""
        better = self.held_out - self.goal
        return better >= 0 if self.goal > self.chance else better <= 0

    def to_json(self) -> dict[str, Any]:
        """Return the outcome as JSON has it; numbers that JSON has not are null."""
        return json.loads(msgspec.json.encode(self), parse_float=lambda t: float(f"{float(t):.6g}"))

    @classmethod
    def from_json(cls, data: Any) -> Outcome:
        """Return the outcome that `to_json` gave.

        Raises:
            ValueError: it is something else.
        """
        if isinstance(data, dict):
            data = {n: value if n == "reading" else _numbers(value) for n, value in data.items()}
            if isinstance(data.get("gradients"), dict):
                data["gradients"] = {float(p): sizes for p, sizes in data["gradients"].items()}
        return checked(data, cls)


def _numbers(value: Any) -> Any:
    """Return JSON with NaN for null."""
    if isinstance(value, dict):
        return {name: _numbers(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_numbers(each) for each in value]
    return math.nan if value is None else value


VERSION = 1


@final
class Results:
    """Outcomes by their keys; every addition rewrites the file whole.

    Args:
        path: of the file; None: nothing is kept.

    Raises:
        UserError: the file is there, but is not one of results.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._outcomes: dict[tuple[Any, ...], Outcome] = {}
        if path is not None and path.exists():
            for outcome in _read(path):
                self._outcomes[outcome.key] = outcome

    def __contains__(self, key: tuple[Any, ...]) -> bool:
        return key in self._outcomes

    def __getitem__(self, key: tuple[Any, ...]) -> Outcome:
        return self._outcomes[key]

    def __iter__(self) -> Iterator[Outcome]:
        return iter(self._outcomes.values())

    def __len__(self) -> int:
        return len(self._outcomes)

    def add(self, outcome: Outcome) -> None:
        """Keep an outcome, in the file too."""
        self._outcomes[outcome.key] = outcome
        self.save()

    def save(self) -> None:
        """Write the file, whole or not at all.

        Raises:
            UserError: it cannot be written.
        """
        if self.path is None:
            return
        outcomes = [outcome.to_json() for outcome in self]
        data = dated(VERSION, machine=machine(), outcomes=outcomes)
        with refusing(f"write {self.path}"):
            self.path.parent.mkdir(parents=True, exist_ok=True)
        write_json(self.path, data)


class File(msgspec.Struct, forbid_unknown_fields=True):
    """The file."""

    version: Literal[1]
    date: str
    machine: dict[str, Any]
    outcomes: list[Any]


def _read(path: Path) -> list[Outcome]:
    if not path.is_file():  # to open a pipe would wait for ever
        raise UserError(f"{path} is no regular file: a study's results are expected")
    try:
        with refusing(f"read {path}"):
            data = parse(path.read_text(encoding="utf-8"))
        if isinstance(data, dict) and data.get("version", VERSION) != VERSION:
            raise UserError(f"{path} has format {data['version']}, expected {VERSION}")
        return [Outcome.from_json(each) for each in checked(data, File).outcomes]
    except ValueError as error:
        raise UserError(
            f"{path} is damaged or not a study's results ({error}): name another file by --out"
        ) from error
