"""Learning to tell the classes of a table's sequences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, final

import numpy
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ....display import counted
from ....errors import UserError
from ..alphabet import Alphabet
from ..batch import Batch, Shard, States, padded
from ..counter_rng import Order
from ..parts import drawn
from ..settings import Settings
from ..table import Table, open_table
from ..table.builtin import digits
from ..table.format import AS_FOUND, Format, FormatOptions
from ..task import Loss, Metric, Problem, Task, TestMetrics, evaluating
from .baseline import f1, frequencies, naive_bayes, nearest_mean, surprise
from .classes import Classes
from .columns import by_words, choose
from .examples import Examples
from .identifying import telling
from .problem import Classification
from .reading import Numbers, Reading, Text

if TYPE_CHECKING:
    from .command import Choice

NATS = Metric("nats", "records")

CHUNK = 256
"""How many records are evaluated at a time."""

LOOKED_AT = 10_000
"""How many records are looked at for columns that tell the class by themselves."""

TESTED = 50_000
"""How many records the test and its simple classifiers go through at most."""


def table(
    file: Path | None, options: FormatOptions = AS_FOUND, known: Format | None = None
) -> Table:
    """Return the table in a file; without one, handwritten digits."""
    return digits() if file is None else open_table(file, options, known)


def open_task(
    settings: Settings, source: Table, choice: Choice, problem: Problem | None = None
) -> Classify:
    """Return the task of a table, for the problem of a run that goes on.

    Without one, vocabulary and scale are made of the training part.
    """
    drop = choice.missing == "drop"
    if isinstance(problem, Classification):
        return Classify(settings, Examples(source, problem.cells, problem.label, drop), problem)
    cells, label, left_out = choose(source, choice.sequence or [], choice.label, choice.step)
    examples = Examples(source, cells, label, drop)
    reading = _reading(settings, examples, choice)
    problem = Classification(
        cells, label, reading, examples.classes, choice.longest, examples.table.format
    )
    return Classify(settings, examples, problem, left_out)


def _reading(settings: Settings, examples: Examples, choice: Choice) -> Reading:
    parts = drawn(examples.keys, settings.held_out, settings.seed, examples.table.name)
    if not examples.cells.text:
        return Numbers.of(examples.raws(parts.training), examples.size)
    some = list(map(str, islice(examples.raws(parts.training), 200)))
    by = choice.by or ("words" if by_words(some) else "characters")
    texts = map(str, examples.raws(parts.training))
    return Text(Alphabet.of(texts, by, choice.vocabulary))


@final
class Classify(Task[Classification]):
    """Batches of records drawn from the training part, in another order in every round.

    Args:
        settings: of the run.
        examples: the records.
        problem: how they are read; vocabulary or scale are those of the training part.
        left_out: columns that are not read, and why.
    """

    def __init__(
        self,
        settings: Settings,
        examples: Examples,
        problem: Classification,
        left_out: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.left_out = left_out
        self.settings, self.examples, self.problem, self.metric = settings, examples, problem, NATS
        self.digest = examples.table.digest()
        self.parts = drawn(examples.keys, settings.held_out, settings.seed, examples.table.name)
        known = Classes(problem.classes)
        for name in examples.classes:
            if known.place(name) is None:
                raise UserError(
                    f"{examples.table.name} has a class {name!r} that the run does not know"
                )
        self._order = Order(len(self.parts.training), settings.batch, settings.seed)

    def description(self) -> list[str]:
        """Return what was found in the table, and guessed of it."""
        problem, examples = self.problem, self.examples
        columns = problem.cells.columns
        what = (
            repr(columns[0])
            if len(columns) == 1
            else f"{counted(len(columns), 'columns')} of numbers"
        )
        if len(columns) > 1 and problem.cells.step > 1:
            what += f", {problem.cells.step} a step"
        reading = problem.reading
        if isinstance(reading, Text):
            what += f" as {reading.alphabet.by}, {len(reading.alphabet.symbols):,} different"
        found = [
            f"{examples.table.name}: {counted(len(examples), 'records')}; the class is "
            f"{problem.label!r} ({len(problem.classes)} classes), the sequence {what}",
            self.parts.described("records"),
            *examples.table.notes,
            *(f"left out: the column {name!r}, {why}" for name, why in self.left_out.items()),
            *self._telling(),
        ]
        if examples.left_out:
            found.append(f"left out: {counted(examples.left_out, 'records')} with an empty cell")
        if examples.longer_than(problem.longest):
            found.append(
                f"{examples.longer_than(problem.longest):,} records are longer than --longest "
                f"{problem.longest:,}: of these the end is read"
            )
        return found

    def _telling(self) -> list[str]:
        """Return of which columns that are read the class can be told without a network."""
        examples, columns = self.examples, self.problem.cells.columns
        if len(columns) == 1:
            return []
        places = self.parts.training[:LOOKED_AT]
        values = numpy.array([raw.ravel() for raw in examples.raws(places)])  # pyright: ignore
        found = telling(zip(columns, values.T, strict=True), examples.targets[places])
        return [
            f"the column {name!r} alone tells the class: if it is another name of it, leave it out "
            "by naming the others by --sequence"
            for name in found
        ]

    def batch(self, step: int, shard: Shard) -> Batch:
        """Return sequences (T, B, …) with lengths (B,), and classes (B,)."""
        places = self._order.rows(step).numpy()[shard.rows(self.settings.batch)]
        sequences, lengths, classes = self._rows(self.parts.training[places])
        return Batch(inputs=(sequences, lengths), targets=(classes,), count=self.settings.batch)

    def _rows(self, indices: NDArray[Any]) -> tuple[Tensor, Tensor, Tensor]:
        rows = [self.problem.encode(raw) for raw in self.examples.raws(indices)]
        return *padded(rows), torch.from_numpy(self.examples.targets[indices].astype(numpy.int64))

    def loss(self, model: nn.Module, batch: Batch, states: States | None) -> Loss:
        """Sum the cross entropy of the classes."""
        sequences, lengths = batch.inputs
        logits, _ = model(sequences, lengths=lengths)
        return Loss(functional.cross_entropy(logits, batch.targets[0], reduction="sum"))

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Measure cross entropy and accuracy on the validation part."""
        loss, found = self._answers(model, self._validated)
        right = found == self.examples.targets[self._validated]
        return {"loss": loss, "accuracy": float(right.mean())}

    @property
    def _validated(self) -> NDArray[Any]:
        """The records of an evaluation."""
        return self.parts.validation[: self.settings.evaluate_at_most]

    def _answers(self, model: nn.Module, indices: NDArray[Any]) -> tuple[float, NDArray[Any]]:
        """Return mean cross entropy, and the likeliest classes (N,), of some records."""
        loss, found = 0.0, []
        with evaluating(model) as device:
            for chunk in numpy.array_split(indices, -(-len(indices) // CHUNK)):
                sequences, lengths, targets = self._rows(chunk)
                logits = model(sequences.to(device), lengths=lengths)[0].cpu()
                loss += functional.cross_entropy(logits, targets, reduction="sum").item()
                found.append(logits.argmax(-1).numpy())
        return loss / len(indices), numpy.concatenate(found)

    def _frequencies(self) -> NDArray[Any]:
        """Return how often each class stands in the training part."""
        count = len(self.problem.classes)
        return frequencies(self.examples.targets, self.parts.training, count)

    def baselines(self) -> dict[str, float]:
        """Return what the frequencies of the classes reach."""
        truth = self.examples.targets[self._validated]
        return {"frequencies of the classes": surprise(self._frequencies(), truth)}

    def test_metrics(self, model: nn.Module, name: str) -> TestMetrics:
        """Measure the model beside simple classifiers on the test part."""
        indices, count = self.parts.test[:TESTED], len(self.problem.classes)
        loss, found = self._answers(model, indices)
        truth, known = self.examples.targets[indices], self._frequencies()
        guesses = {
            "most frequent class": (numpy.full_like(truth, known.argmax()), surprise(known, truth)),
            **{each: (guessed, None) for each, guessed in self._simple(indices).items()},
            name: (found, loss),
        }
        rows: dict[str, tuple[float | None, ...]] = {
            each: (float((guessed == truth).mean()), f1(truth, guessed, count), nats)
            for each, (guessed, nats) in guesses.items()
        }
        part = f"test part: {len(indices):,} of {len(self.examples):,} records"
        return TestMetrics(part, ("accuracy", "macro F1", "nats"), rows)

    def _simple(self, indices: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Return what a classifier without order says of some records."""
        problem, places = self.problem, self.parts.training[:TESTED]
        if not problem.cells.text and len(problem.cells.columns) == 1:
            return {}  # sequences of any length
        classes = self.examples.targets[places].tolist()
        known = zip(self._encoded(places), classes, strict=True)
        test = self._encoded(indices)
        if not problem.cells.text:
            return {"nearest mean": nearest_mean(known, test)}
        symbols = problem.reading.kind.units
        return {"naive Bayes": naive_bayes(known, test, symbols, len(problem.classes))}

    def _encoded(self, indices: NDArray[Any]) -> Iterator[NDArray[Any]]:
        return (self.problem.encode(raw).numpy() for raw in self.examples.raws(indices))
