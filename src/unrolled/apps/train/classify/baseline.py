"""What simple classifiers reach: the figures that a network has to beat."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy
from numpy.typing import NDArray

from ..table.spill import chunks


def frequencies(targets: NDArray[Any], indices: NDArray[Any], classes: int) -> NDArray[Any]:
    """Return how many of some records have each class, (classes,).

    >>> frequencies(numpy.array([0, 1, 1, 2]), numpy.array([0, 1, 2]), 3).tolist()
    [1, 2, 0]
    """
    found = numpy.zeros(classes, numpy.int64)
    for chunk in chunks(indices):
        found += numpy.bincount(targets[chunk], minlength=classes)
    return found


def surprise(counts: NDArray[Any], test: NDArray[Any]) -> float:
    """Return cross entropy in nats of the frequencies, with one more record of every class.

    >>> surprise(numpy.array([2, 0]), numpy.array([1])) == math.log(4)
    True
    """
    counts = counts + 1
    return float(-numpy.log((counts / counts.sum())[test]).mean())


Known = Iterable[tuple[Any, int]]
"""Sequences with their classes, to learn from."""


def naive_bayes(known: Known, texts: Iterable[Any], symbols: int, classes: int) -> NDArray[Any]:
    """Return the likeliest classes (N,) by how often symbols stand in texts, not in which order.

    Multinomial naive Bayes.

    >>> naive_bayes([([1, 1], 0), ([2, 2, 1], 1)], [[1], [2, 2]], symbols=3, classes=2).tolist()
    [0, 1]
    """
    counts, records = numpy.ones((classes, symbols)), numpy.ones(classes)
    for text, number in known:
        counts[number] += numpy.bincount(text, minlength=symbols)
        records[number] += 1
    chances = numpy.log(counts / counts.sum(1, keepdims=True))
    prior = numpy.log(records / records.sum())
    return numpy.array([int((prior + chances[:, text].sum(1)).argmax()) for text in texts])


def nearest_mean(known: Known, sequences: Iterable[NDArray[Any]]) -> NDArray[Any]:
    """Return the classes (N,) whose mean sequences are nearest; all sequences have one length.

    >>> known = [(numpy.array([0.0, 0.0]), 0), (numpy.array([1.0, 3.0]), 1)]
    >>> nearest_mean(known, [numpy.array([1.0, 2.0])]).tolist()
    [1]
    """
    sums: dict[int, Any] = {}
    counts: Counter[int] = Counter()
    for sequence, number in known:
        sums[number] = sums.get(number, 0) + sequence
        counts[number] += 1
    means = {number: total / counts[number] for number, total in sums.items()}

    def nearest(sequence: NDArray[Any]) -> int:
        return min(means, key=lambda number: float(((sequence - means[number]) ** 2).sum()))

    return numpy.array([nearest(sequence) for sequence in sequences])


def f1(truth: NDArray[Any], found: NDArray[Any], classes: int) -> float:
    """Return the mean over the classes in ``truth`` of F1, 2 hits / (found + there are).

    >>> f1(numpy.array([0, 0, 1]), numpy.array([0, 0, 0]), 2)
    0.4
    """
    hits = numpy.bincount(truth[truth == found], minlength=classes)
    total = numpy.bincount(truth, minlength=classes) + numpy.bincount(found, minlength=classes)
    there = numpy.bincount(truth, minlength=classes) > 0
    mean = float((2 * hits[there] / total[there]).mean())
    return 0.0 if math.isnan(mean) else mean
