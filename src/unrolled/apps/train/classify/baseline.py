"""What simple classifiers reach: the figures that a network has to beat."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, final

import numpy
from numpy.typing import NDArray

from ..table.numbers import chunks


def frequencies(targets: NDArray[Any], indices: NDArray[Any], classes: int) -> NDArray[Any]:
    """How many of some records have each class, (classes,).

    >>> frequencies(numpy.array([0, 1, 1, 2]), numpy.array([0, 1, 2]), 3).tolist()
    [1, 2, 0]
    """
    found = numpy.zeros(classes, numpy.int64)
    for chunk in chunks(indices):
        found += numpy.bincount(targets[chunk], minlength=classes)
    return found


def surprise(counts: NDArray[Any], test: NDArray[Any]) -> float:
    """Cross entropy in nats of the frequencies, with one more record of every class.

    >>> surprise(numpy.array([2, 0]), numpy.array([1])) == math.log(4)
    True
    """
    counts = counts + 1
    return float(-numpy.log((counts / counts.sum())[test]).mean())


@final
class NaiveBayes:
    """Multinomial naive Bayes over the symbols of a text: how often, not in which order.

    >>> bayes = NaiveBayes(symbols=3, classes=2)
    >>> bayes.learn([[1, 1], [2, 2, 1]], [0, 1])
    >>> bayes.classify([1]), bayes.classify([2, 2])
    (0, 1)
    """

    def __init__(self, symbols: int, classes: int) -> None:
        self.counts = numpy.ones((classes, symbols))
        self.records = numpy.ones(classes)

    def learn(self, texts: Iterable[list[int]], classes: Iterable[int]) -> None:
        """Count the symbols of some texts."""
        for text, number in zip(texts, classes, strict=True):
            self.counts[number] += numpy.bincount(text, minlength=self.counts.shape[1])
            self.records[number] += 1
        self.chances = numpy.log(self.counts / self.counts.sum(1, keepdims=True))
        self.prior = numpy.log(self.records / self.records.sum())

    def classify(self, text: list[int]) -> int:
        """The likeliest class."""
        return int((self.prior + self.chances[:, text].sum(1)).argmax())


@final
class NearestMean:
    """The class whose mean sequence is nearest; sequences have one length.

    >>> nearest = NearestMean(2)
    >>> nearest.learn([numpy.array([0.0, 0.0]), numpy.array([1.0, 3.0])], [0, 1])
    >>> nearest.classify(numpy.array([1.0, 2.0]))
    1
    """

    def __init__(self, classes: int) -> None:
        self.classes = classes

    def learn(self, sequences: Iterable[NDArray[Any]], classes: Iterable[int]) -> None:
        """Take the mean of each class."""
        sums: dict[int, Any] = {}
        counts: dict[int, int] = {}
        for sequence, number in zip(sequences, classes, strict=True):
            sums[number] = sums.get(number, 0) + sequence
            counts[number] = counts.get(number, 0) + 1
        self.means = {number: total / counts[number] for number, total in sums.items()}

    def classify(self, sequence: NDArray[Any]) -> int:
        """The class of the nearest mean."""
        return min(self.means, key=lambda each: float(((sequence - self.means[each]) ** 2).sum()))


def f1(truth: NDArray[Any], found: NDArray[Any], classes: int) -> float:
    """The mean over the classes in ``truth`` of F1, 2 hits / (found + there are).

    >>> f1(numpy.array([0, 0, 1]), numpy.array([0, 0, 0]), 2)
    0.4
    """
    hits = numpy.bincount(truth[truth == found], minlength=classes)
    total = numpy.bincount(truth, minlength=classes) + numpy.bincount(found, minlength=classes)
    there = numpy.bincount(truth, minlength=classes) > 0
    mean = float((2 * hits[there] / total[there]).mean())
    return 0.0 if math.isnan(mean) else mean
