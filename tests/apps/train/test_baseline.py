import math
from collections import Counter

import pytest

from unrolled.apps.train.baseline import ngram, uniform
from unrolled.apps.train.text import Corpus

WORDS = "she sells sea shells by the sea shore; the shells she sells are sea shells, sure! " * 3


def witten_bell(words: str, symbols: int, context: str, symbol: str, order: int) -> float:
    """The recursion as it stands in the docstring, on strings."""
    if order == 0:
        return 1 / symbols
    context = context[len(context) - order + 1 :] if order > 1 else ""
    after = Counter(
        words[i + len(context)]
        for i in range(len(words) - len(context))
        if words.startswith(context, i)
    )
    shorter = witten_bell(words, symbols, context, symbol, order - 1)
    if not after:
        return shorter
    return (after[symbol] + len(after) * shorter) / (after.total() + len(after))


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_ngram_equals_the_recursion(order: int) -> None:
    corpus = Corpus.of(WORDS, 0.2)
    train = WORDS[: corpus.start]
    bits = [
        -math.log2(witten_bell(train, len(corpus.vocabulary), WORDS[:place], WORDS[place], order))
        for place in range(corpus.start, len(WORDS))
    ]
    assert ngram(corpus, order) == pytest.approx(sum(bits) / len(bits))


def test_a_symbol_unseen_in_training_costs_a_finite_number_of_bits() -> None:
    corpus = Corpus.of("a" * 90 + "b" * 10, 0.1)
    assert uniform(corpus) == 1.0
    assert 1 < ngram(corpus, 3) < 20
