"""What simple predictors reach on the same split: the figures that a network has to beat."""

import math
from collections.abc import Iterator

import numpy
from numpy.typing import NDArray

from .source import Source
from .text import Corpus


def uniform(corpus: Source) -> float:
    """Bits per character when every symbol is equally likely: log2 V.

    >>> uniform(Corpus.of("abcd" * 5))
    2.0
    """
    return math.log2(len(corpus.vocabulary))


def ngram(corpus: Corpus, order: int) -> float:
    """Held-out bits per character of an interpolated n-gram counted on the training part.

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
    """For 0, 1, … ``order`` - 1: the number of the context of so many symbols, at each place."""
    context = numpy.zeros_like(ids)
    yield context
    before = numpy.concatenate(([-1], ids[:-1]))
    for _ in range(order - 1):
        context = _rank(numpy.concatenate(([0], context[:-1])), before)
        yield context


def _rank(context: NDArray[numpy.int64], symbol: NDArray[numpy.int64]) -> NDArray[numpy.int64]:
    """Equal pairs get equal numbers, from 0."""
    pairs = context * (symbol.max() + 2) + symbol + 1
    return numpy.unique(pairs, return_inverse=True)[1]
