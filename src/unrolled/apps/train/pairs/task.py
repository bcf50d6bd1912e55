"""Learning to turn one text into another."""

from __future__ import annotations

from collections import Counter
from typing import Any, final

import numpy
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from ....structures import EncoderDecoder
from ..alphabet import plain
from ..batch import Batch, Shard, States
from ..counter_rng import Order
from ..parts import drawn
from ..settings import Settings
from ..task import Loss, Metric, Task, TestMetrics
from .baseline import exact, symbols
from .examples import Pairs
from .problem import Translation

NATS = Metric("nats/symbol", "symbols")

CHUNK = 128
"""How many pairs are evaluated at a time."""

WRITTEN = 200
"""How many sources an evaluation on the way writes targets for."""

TESTED = 2_000
"""How many sources the test writes targets for at most."""


@final
class Translate(Task[Translation]):
    """Batches of pairs drawn from the training part, in another order in every round."""

    def __init__(self, settings: Settings, pairs: Pairs, problem: Translation) -> None:
        self.settings, self.pairs, self.problem, self.metric = settings, pairs, problem, NATS
        self.digest = pairs.table.digest()
        self.parts = drawn(pairs.keys, settings.held_out, settings.seed, pairs.table.name)
        self._order = Order(len(self.parts.training), settings.batch, settings.seed)

    def description(self) -> list[str]:
        """What was found in the table, and guessed of it."""
        pairs, (source, target) = self.pairs, self.pairs.names
        by = self.problem.source.by
        found = [
            f"{pairs.table.name}: {len(pairs):,} pairs; from {source!r} to {target!r} by {by}: "
            f"{len(self.problem.source.symbols):,} and {len(self.problem.target.symbols):,} "
            "different",
            f"{len(self.parts.training):,} pairs to train on, "
            f"{len(self.parts.validation):,} to choose the best model by, "
            f"{len(self.parts.test):,} to test it",
        ]
        found += [
            f"{count:,} pairs {why} are left out" for why, count in pairs.left_out.items() if count
        ]
        return found

    def batch(self, step: int, shard: Shard) -> Batch:
        """Sources (S, B) with their lengths, targets (T, B) with theirs."""
        places = self.parts.training[self._order.rows(step).numpy()]
        pairs = list(self.pairs.at(places))
        count = sum(len(self.problem.target.encode(target)) + 1 for _, target in pairs)
        rows = shard.rows(self.settings.batch)
        return self._batch(pairs[rows.start : rows.stop], count)

    def _batch(self, pairs: list[tuple[str, str]], count: int) -> Batch:
        sources, source_lengths = self.problem.sources([source for source, _ in pairs])
        targets, target_lengths = self.problem.targets([target for _, target in pairs])
        return Batch(
            inputs=(sources, source_lengths),
            targets=(targets, target_lengths),
            count=count,
        )

    def loss(self, model: nn.Module, batch: Batch, states: States | None) -> Loss:
        """Cross entropy of the target's symbols, each told from those before it."""
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
        """The loss, and how many of the first targets are written exactly, on the validation part.

        Targets are written greedily.
        """
        indices = self.parts.validation[: self.settings.evaluate_at_most]
        loss = self._mean_loss(model, indices)
        pairs = list(self.pairs.at(indices[:WRITTEN]))
        written = self._written(model, pairs)
        return {"loss": loss, "exact": exact(written, [self._plain(target) for _, target in pairs])}

    def _mean_loss(self, model: nn.Module, indices: NDArray[Any]) -> float:
        device = next(model.parameters()).device
        training = model.training
        model.eval()
        total = count = 0
        with torch.no_grad():
            for chunk in numpy.array_split(indices, -(-len(indices) // CHUNK)):
                batch = self._batch(list(self.pairs.at(chunk)), 1).to(device)
                total += self.loss(model, batch, None).total.item()
                count += int(batch.targets[1].sum())
        model.train(training)
        return total / count

    def _written(self, model: nn.Module, pairs: list[tuple[str, str]]) -> list[str]:
        if not isinstance(model, EncoderDecoder):
            raise TypeError(f"an EncoderDecoder is expected, not {type(model).__name__}")
        training = model.training
        model.eval()
        written: list[str] = []
        for first in range(0, len(pairs), CHUNK):
            sources = [source for source, _ in pairs[first : first + CHUNK]]
            written += self.problem.translate(model, sources)
        model.train(training)
        return written

    def _plain(self, text: str) -> str:
        return plain(text, self.problem.target.by)

    def test_metrics(self, model: nn.Module, name: str) -> TestMetrics:
        """The model, writing greedily, beside a copy of the source and the commonest target."""
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
