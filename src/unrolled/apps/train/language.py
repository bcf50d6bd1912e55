"""Character language models: the network, the task with its baselines, and sampling."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, final

import numpy
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ...display import counted, text_of
from ...equations import Cell
from ...errors import UserError
from ...structures import ManyToMany, Symbols
from .batch import Batch, Shard, States
from .settings import Settings
from .task import BITS, Loss, Problem, Task, build, evaluating
from .text import Corpus, Source, encode

EMBEDDING = 64
"""Units that a character is read as, at most; and no more than the hidden size."""


@final
@dataclass(frozen=True)
class Characters(Problem):
    """Which characters there are.

    Attributes:
        vocabulary: the distinct characters, sorted: the model's symbols are their places.

    >>> Characters.from_json(Characters("abc").to_json())
    Characters(vocabulary='abc')
    """

    kind: ClassVar[str] = "text"
    data: ClassVar[str] = "text"
    vocabulary: str

    __repr__ = text_of

    def __post_init__(self) -> None:
        if not self.vocabulary or "".join(sorted(set(self.vocabulary))) != self.vocabulary:
            raise ValueError("vocabulary: expected sorted characters, each once, at least one")
        self.vocabulary.encode()  # no halves of characters

    def model(self, settings: Settings, cell: Cell) -> ManyToMany:
        """Return a network that predicts the next character at every step."""
        count = len(self.vocabulary)
        reads = Symbols(count, embedding=min(settings.hidden, EMBEDDING))
        return build(ManyToMany, settings, cell, reads, Symbols(count))

    def carried(self, model: nn.Module, settings: Settings) -> dict[str, tuple[int, ...]]:
        """Return those of the recurrent layers, with a row for each stream."""
        assert isinstance(model, ManyToMany)
        layer = model.recurrent
        units = {"hidden": layer.hidden_size, "projection": layer.proj_size, "one": 1}
        return {
            name: (layer.num_layers, settings.batch, units[size])
            for name, size in layer.cell.graph.states.items()
        }


def uniform(corpus: Source) -> float:
    """Return bits per character when every symbol is equally likely: log2 V.

    >>> uniform(Corpus.of("abcd" * 5))
    2.0
    """
    return math.log2(len(corpus.vocabulary))


def ngram(corpus: Corpus, order: int) -> float:
    """Return held-out bits per character of an interpolated n-gram of the training part.

    ``order`` symbols to a gram, so order 1 knows the frequencies alone. Witten-Bell smoothing
    (Witten & Bell 1991): P(s | context) = (n(context s) + t(context) P(s | shorter context)) /
    (n(context) + t(context)), with t the number of distinct symbols seen after the context, down
    to the uniform distribution.

    >>> ngram(Corpus.of("ab" * 50), 2) < 0.1 < 0.9 < ngram(Corpus.of("ab" * 50), 1)
    True
    """
    ids, start, symbols = corpus.ids.numpy().astype(numpy.int64), corpus.start, uniform(corpus)
    probability = numpy.full(len(ids) - start, 2.0**-symbols)
    for context in _contexts(ids, order):
        gram = _rank(context, ids)
        grams = numpy.bincount(gram[:start], minlength=gram.max() + 1)
        seen = numpy.bincount(context[:start], minlength=context.max() + 1)
        first = numpy.unique(gram[:start], return_index=True)[1]
        kinds = numpy.bincount(context[first], minlength=context.max() + 1)
        n, total, t = grams[gram[start:]], seen[context[start:]], kinds[context[start:]]
        mixed = (n + t * probability) / numpy.maximum(total + t, 1)
        probability = numpy.where(total > 0, mixed, probability)
    return float(-numpy.log2(probability).mean())


def _contexts(ids: NDArray[numpy.int64], order: int) -> Iterator[NDArray[numpy.int64]]:
    """Yield, for 0, 1, … ``order`` - 1, each place's context of so many symbols as a number."""
    context = numpy.zeros_like(ids)
    yield context
    before = numpy.concatenate(([-1], ids[:-1]))
    for _ in range(order - 1):
        context = _rank(numpy.concatenate(([0], context[:-1])), before)
        yield context


def _rank(context: NDArray[numpy.int64], symbol: NDArray[numpy.int64]) -> NDArray[numpy.int64]:
    """Return equal pairs get equal numbers, from 0."""
    pairs = context * (symbol.max() + 2) + symbol + 1
    return numpy.unique(pairs, return_inverse=True)[1]


STREAM = 512
"""About how many held-out symbols one stream predicts; streams run side by side."""

WARM_UP = 128
"""How many symbols a stream reads before its first prediction counts."""

CHUNK = 8192
"""How many predictions are in memory at a time."""


def held_out_bits(model: nn.Module, source: Source, at_most: int = sys.maxsize) -> float:
    """Measure bits per character on the held-out part: each symbol predicted exactly once.

    The part, or its first ``at_most`` symbols, is cut into streams, each warmed up by the symbols
    before it, so that the figure hardly depends on the cutting.
    """
    count = min(len(source) - source.start, at_most)
    total, states = 0.0, None
    with evaluating(model) as device:
        for x, y in _chunks(source, count):
            nats, states = _nats(model, x.to(device), y.to(device), states)
            total += nats.item()
    return total / count / math.log(2)


def _chunks(source: Source, count: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield inputs and targets, (T, B); a target that does not count is -100."""
    batch = min(256, math.ceil(count / STREAM))
    length = math.ceil(count / batch)
    warm_up = min(WARM_UP, source.start - 1)
    streams = torch.arange(batch) * length
    size = max(1, CHUNK // batch)
    for first in range(-warm_up, length, size):
        last = min(first + size, length)
        ids = source.windows(source.start + streams + first - 1, last - first + 1)
        time = torch.arange(first, last)[:, None]
        counts = (time >= 0) & (streams + time < count)
        yield ids[:-1], ids[1:].long().where(counts, -100)


def _nats(model: nn.Module, x: Tensor, y: Tensor, states: States | None) -> tuple[Tensor, States]:
    """Return the summed cross-entropy of symbols, and the states after them."""
    logits, after = model(x, states)
    return functional.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="sum"), after


COUNTED = 2_000_000
"""The longest text, in characters, whose n-grams are counted: that takes seconds."""


@final
class Language(Task):
    """A character language model by truncated back-propagation through time.

    B streams go through the training part side by side, a window of T characters a step. States
    are carried from window to window, and begin anew with the text. Where a step stands in the
    text follows from its number alone.

    Raises:
        UserError: the text is too short for one window of every stream.
    """

    def __init__(self, settings: Settings, source: Source) -> None:
        self.settings, self.source = settings, source
        self.problem, self.digest, self.metric = Characters(source.vocabulary), source.digest, BITS
        self.length = _length(source, settings)

    def batch(self, step: int, shard: Shard) -> Batch:
        """Return a window of each stream: inputs and targets (T, B)."""
        B, T = self.settings.batch, self.settings.window
        start = step % (self.length // T) * T
        streams = shard.rows(B)
        starts = torch.arange(streams.start, streams.stop) * self.length + start
        ids = self.source.windows(starts, T + 1)
        return Batch(inputs=(ids[:-1],), targets=(ids[1:].long(),), count=B * T, fresh=start == 0)

    def loss(self, model: nn.Module, batch: Batch, states: States | None) -> Loss:
        """Sum the cross-entropy of the next characters."""
        (ids,), (targets,) = batch.inputs, batch.targets
        return Loss(*_nats(model, ids, targets, states))

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Measure bits per character on the held-out part."""
        return {"loss": held_out_bits(model, self.source, self.settings.evaluate_at_most)}

    def baselines(self) -> dict[str, float]:
        """Return what a uniform distribution, frequencies and a 5-gram reach."""
        found = {"every symbol equally likely": uniform(self.source)}
        if isinstance(self.source, Corpus) and len(self.source) <= COUNTED:
            found["symbol frequencies"] = ngram(self.source, 1)
            found["interpolated 5-gram"] = ngram(self.source, 5)
        return found


def _length(source: Source, settings: Settings) -> int:
    """Return how many characters each stream predicts."""
    B, T, count = settings.batch, settings.window, source.start
    if count <= B * T:
        raise UserError(
            f"the training part has {counted(count, 'characters')}, and --batch {B} times "
            f"--window {T} needs more than {B * T}: give more text, or a smaller batch or window"
        )
    return (count - 1) // B


def sample(
    model: nn.Module,
    vocabulary: str,
    prompt: str = "",
    length: int = 500,
    temperature: float = 1.0,
    seed: int = 0,
) -> Iterator[str]:
    """Write characters that continue ``prompt``, one at a time, without the prompt itself.

    Args:
        model: as trained; used in evaluation mode and left in it.
        vocabulary: the characters of its symbols.
        prompt: where to start; empty: at the beginning of a line.
        length: how many characters to write.
        temperature: divides the logits; 1 is the model's own distribution, 0 takes the likeliest.
        seed: of the draws; the same seed writes the same text.

    Raises:
        UserError: a length, temperature or seed out of range, or a prompt with a character that
            the vocabulary lacks. At the call, not at the first character.
    """
    if length < 0:
        raise UserError(f"--length must be at least 0, not {length}")
    if not 0 <= temperature < math.inf:
        raise UserError(f"--temperature must be at least 0 and finite, not {temperature}")
    if not 0 <= seed < 2**63:
        raise UserError(f"--seed must be at least 0 and less than 2**63, not {seed}")
    start = prompt or ("\n" if "\n" in vocabulary else vocabulary[0])
    ids = encode(start, vocabulary)[:, None]
    generator = torch.Generator().manual_seed(seed)
    return _continue(model.eval(), vocabulary, ids, length, temperature, generator)


@torch.no_grad()
def _continue(
    model: nn.Module,
    vocabulary: str,
    ids: Tensor,
    length: int,
    temperature: float,
    generator: torch.Generator,
) -> Iterator[str]:
    states: States | None = None
    for _ in range(length):
        logits, states = model(ids, states)
        # In float64, with the largest at zero, no temperature is small enough to overflow.
        logits = logits[-1, 0].double()
        if not torch.isfinite(logits).all():
            raise UserError("the model's scores are not finite: its weights are too large")
        if temperature == 0:
            choice = logits.argmax()
        else:
            chances = ((logits - logits.max()) / temperature).softmax(0)
            choice = torch.multinomial(chances, 1, generator=generator)
        ids = choice.view(1, 1)
        yield vocabulary[int(choice)]
