"""Learning to turn one text into another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, final

import numpy
import torch
from torch import nn
from torch.nn import functional

from ....display import counted
from ....structures import EncoderDecoder
from ..alphabet import Alphabet, plain, split
from ..batch import Batch, Shard, States
from ..classify.columns import by_words
from ..counter_rng import Order
from ..parts import drawn
from ..settings import Settings
from ..table import Table, open_table
from ..table.builtin import dates
from ..table.format import AS_FOUND, Format, FormatOptions
from ..task import Loss, Metric, Problem, Task, TestMetrics, evaluating
from .examples import Pairs
from .problem import Translation

if TYPE_CHECKING:
    from .command import Choice

NATS = Metric("nats/symbol", "symbols")

CHUNK = 128
"""How many pairs are evaluated at a time."""

WRITTEN = 200
"""How many sources an evaluation on the way writes targets for."""

TESTED = 2_000
"""How many sources the test writes targets for at most."""


def table(
    file: Path | None, options: FormatOptions = AS_FOUND, known: Format | None = None
) -> Table:
    """Return the table in a file; without one, dates in ten languages.

    Args:
        file: one with tabs has no header, and quotation marks mean nothing there, unless told so.
        options: of how it is read.
        known: how a run's own table was read.
    """
    if file is None:
        return dates()
    if file.suffix.lower() in (".tsv", ".tab", ".txt"):
        options = replace(options, quote=options.quote or "none", header=bool(options.header))
    return open_table(file, options, known)


def open_task(
    settings: Settings, source: Table, choice: Choice, problem: Problem | None = None
) -> Translate:
    """Return the task of a table, for the problem of a run that goes on.

    Without one, the alphabets are those of the training part.
    """
    known = problem if isinstance(problem, Translation) else None
    by = known.source.by if known else choice.by or _guessed(source, choice)
    longest = known.longest if known else choice.longest
    drop = choice.missing == "drop"
    pairs = Pairs(source, choice.source, choice.target, by, longest, drop)
    if known is None:
        parts = drawn(pairs.keys, settings.held_out, settings.seed, source.name)
        first, second = (
            Alphabet.of((pair[side] for pair in pairs.at(parts.training)), by, choice.vocabulary)
            for side in (0, 1)
        )
        known = Translation(first, second, longest, choice.attention, source.format)
    return Translate(settings, pairs, known)


def _guessed(source: Table, choice: Choice) -> str:
    """Return words, if the texts of both columns are better read so, else characters."""
    columns = [source.column(name) for name in (choice.source, choice.target) if name] or [0, 1]
    records = list(islice(source, 200))
    texts = [
        [str(record.values[place]) for record in records]
        for place in columns
        if place < len(source.columns)
    ]
    return "words" if texts and records and all(map(by_words, texts)) else "characters"


@final
class Translate(Task[Translation]):
    """Batches of pairs drawn from the training part, in another order in every round."""

    def __init__(self, settings: Settings, pairs: Pairs, problem: Translation) -> None:
        self.settings, self.pairs, self.problem, self.metric = settings, pairs, problem, NATS
        self.digest = pairs.table.digest()
        self.parts = drawn(pairs.keys, settings.held_out, settings.seed, pairs.table.name)
        self._order = Order(len(self.parts.training), settings.batch, settings.seed)

    def description(self) -> list[str]:
        """Return what was found in the table, and guessed of it."""
        pairs, (source, target) = self.pairs, self.pairs.names
        by = self.problem.source.by
        found = [
            f"{pairs.table.name}: {counted(len(pairs), 'pairs')}; from {source!r} to {target!r} "
            f"by {by}: {len(self.problem.source.symbols):,} and "
            f"{len(self.problem.target.symbols):,} different",
            self.parts.described("pairs"),
            *pairs.table.notes,
        ]
        found += [
            f"left out: {counted(count, 'pairs')} {why}"
            for why, count in pairs.left_out.items()
            if count
        ]
        return found

    def batch(self, step: int, shard: Shard) -> Batch:
        """Return sources (S, B) with their lengths, targets (T, B) with theirs."""
        places = self.parts.training[self._order.rows(step).numpy()]
        pairs = list(self.pairs.at(places))
        count = sum(len(self.problem.target.encode(target)) + 1 for _, target in pairs)
        rows = shard.rows(self.settings.batch)
        return self.problem.batch(pairs[rows.start : rows.stop], count)

    def loss(self, model: nn.Module, batch: Batch, states: States | None) -> Loss:
        """Sum the cross entropy of the target's symbols, each told from those before it."""
        sources, source_lengths = batch.inputs
        targets, target_lengths = batch.targets
        logits = model(
            sources, targets, source_lengths=source_lengths, target_lengths=target_lengths
        )
        there = torch.arange(len(targets), device=targets.device)[:, None] < target_lengths
        wanted = targets.masked_fill(~there, -100)
        return Loss(
            functional.cross_entropy(logits.flatten(0, 1), wanted.flatten(), reduction="sum")
        )

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Measure the loss, and how many targets are written exactly, on the validation part.

        The first targets are written, greedily.
        """
        indices = self.parts.validation[: self.settings.evaluate_at_most]
        total = count = 0
        with evaluating(model) as device:
            for chunk in numpy.array_split(indices, -(-len(indices) // CHUNK)):
                batch = self.problem.batch(list(self.pairs.at(chunk)), 1).to(device)
                total += self.loss(model, batch, None).total.item()
                count += int(batch.targets[1].sum())
        pairs = list(self.pairs.at(indices[:WRITTEN]))
        written = self._written(model, pairs)
        right = exact(written, [self._plain(target) for _, target in pairs])
        return {"loss": total / count, "exact": right}

    def _written(self, model: nn.Module, pairs: list[tuple[str, str]]) -> list[str]:
        if not isinstance(model, EncoderDecoder):
            raise TypeError(f"an EncoderDecoder is expected, not {type(model).__name__}")
        written: list[str] = []
        with evaluating(model):
            for first in range(0, len(pairs), CHUNK):
                sources = [source for source, _ in pairs[first : first + CHUNK]]
                written += self.problem.translate(model, sources)
        return written

    def _plain(self, text: str) -> str:
        return plain(text, self.problem.target.by)

    def test_metrics(self, model: nn.Module, name: str) -> TestMetrics:
        """Measure the model, writing greedily, beside copies and the commonest target."""
        pairs = list(self.pairs.at(self.parts.test[:TESTED]))
        wanted = [self._plain(target) for _, target in pairs]
        known = self.pairs.at(self.parts.training[:50_000])
        ((commonest, _),) = Counter(target for _, target in known).most_common(1)
        written = {
            "copy of the source": [self._plain(source) for source, _ in pairs],
            "commonest target": [self._plain(commonest)] * len(pairs),
            name: self._written(model, pairs),
        }
        rows: dict[str, tuple[float | None, ...]] = {
            each: (exact(texts, wanted), symbols(texts, wanted, self.pairs.by))
            for each, texts in written.items()
        }
        part = f"test part: {len(pairs):,} of {len(self.pairs):,} pairs"
        return TestMetrics(part, ("exact match", "symbols right"), rows)


def exact(written: Sequence[str], wanted: Sequence[str]) -> float:
    """Return the share of texts that are written as they were wanted.

    >>> exact(["ab", "c"], ["ab", "d"])
    0.5
    """
    return sum(a == b for a, b in zip(written, wanted, strict=True)) / len(wanted)


def symbols(written: Sequence[str], wanted: Sequence[str], by: str) -> float:
    """Return the share of places that hold the wanted symbol, of those that either text has.

    >>> symbols(["abx"], ["abcd"], "characters")
    0.5
    """
    hits = places = 0
    for one, other in zip(written, wanted, strict=True):
        ours, theirs = split(one, by), split(other, by)
        hits += sum(a == b for a, b in zip(ours, theirs, strict=False))
        places += max(len(ours), len(theirs))
    return hits / max(places, 1)
