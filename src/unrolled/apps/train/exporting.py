"""Runs as programs of other languages, with all that they read and write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...errors import UserError
from ...exporters import export
from ...exporters.meaning import Forecasting as SeriesMeaning
from ...exporters.meaning import Meaning
from .alphabet import Alphabet
from .classify.problem import Classification
from .classify.reading import Numbers, Text
from .language import Characters
from .series.problem import Forecasting
from .task import Problem


def export_run(
    model: Any, problem: Problem, path: Path, to: str, name: str | None, **options: Any
) -> list[Path]:
    """Write the model of a run as a program; see `unrolled.export`.

    Raises:
        UserError: as that, or runs of the kind cannot be written.
    """
    return export(model, path, to, name, meaning=meaning(problem), **options)


def meaning(problem: Problem) -> Meaning:
    """Return what the numbers of a run's model stand for.

    Raises:
        UserError: its kind cannot be written.

    >>> meaning(Characters("ab")).symbols
    ('a', 'b')
    """
    if isinstance(problem, Characters):
        return Meaning(tuple(problem.vocabulary), -1, True, tuple(problem.vocabulary))
    if isinstance(problem, Classification):
        reading = problem.reading
        if isinstance(reading, Numbers):
            return Meaning(answers=problem.classes, mean=reading.mean, scale=reading.scale)
        assert isinstance(reading, Text)
        return _of_alphabet(reading.alphabet, problem.classes)
    if isinstance(problem, Forecasting):
        roles = problem.roles
        figures = problem.names, problem.mean, problem.scale
        about = SeriesMeaning(
            roles.numbers, len(roles.known), problem.window, problem.horizon, problem.relative,
            *figures,
        )  # fmt: skip
        return Meaning(forecasting=about)
    raise UserError(
        f"a run of `unrolled train {problem.kind}` cannot be exported as a whole: of its model, "
        "unrolled.load(run).model, the encoder can, by unrolled.export"
    )


def _of_alphabet(alphabet: Alphabet, classes: tuple[str, ...]) -> Meaning:
    """Return the meaning of a text's symbols; 0 stands for all that are none of them."""
    is_characters = alphabet.by == "characters"
    return Meaning(("", *alphabet.symbols), 0, is_characters, classes)
