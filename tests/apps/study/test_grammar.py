import random

import pytest

from unrolled.apps.study.grammar import FILLERS, LISTS, STORIES, Grammar, every, filler, known


@pytest.fixture(params=sorted(STORIES))
def grammar(request: pytest.FixtureRequest) -> Grammar:
    return Grammar(STORIES[request.param])


@pytest.mark.parametrize("gap", [1, 2, 3, 9, 10, 11, 57, 500])
def test_a_gap_has_exactly_so_many_words(grammar: Grammar, gap: int) -> None:
    draw = random.Random(gap)
    for _ in range(20):
        assert len(filler(gap, draw)) == gap
        assert len(grammar.sentence(gap, draw).words) == grammar.length(gap)


def test_there_is_one_pattern_of_every_length() -> None:
    assert [len(each.split()) for each in FILLERS] == list(range(1, len(FILLERS) + 1))


def test_openings_are_of_one_length_and_have_both_facts(grammar: Grammar) -> None:
    for opening in grammar.story.openings:
        words = opening.split()
        assert len(words) == len(grammar.story.openings[0].split())
        assert words.count("A") == words.count("B") == 1
    assert len({len(closing.split()) for closing in grammar.story.closings}) == 1


def test_answers_follow_from_the_facts(grammar: Grammar) -> None:
    draw = random.Random(0)
    for held_out in (False, True):
        for _ in range(50):
            sentence = grammar.sentence(7, draw, held_out)
            opening = sentence.words[: grammar.length(0)]
            first, second = grammar.answer(sentence.answer)
            assert [grammar.story.first[w] for w in opening if w in grammar.story.first] == [first]
            assert [grammar.story.second[w] for w in opening if w in grammar.story.second] == [
                second
            ]


def test_held_out_answers_are_never_asked_in_training(grammar: Grammar) -> None:
    trained, held_out = (set(grammar.pairs(each)) for each in (False, True))
    firsts, seconds = grammar.answers
    assert not trained & held_out
    assert len(trained | held_out) == len(firsts) * len(seconds)
    assert len(held_out) == len(seconds)  # one in as many as there are first words
    # Each word of a held-out answer is asked for in training, in other company.
    for a, b in held_out:
        assert sum(pair[0] == a for pair in trained) > 1
        assert sum(pair[1] == b for pair in trained) > 1
    draw = random.Random(1)
    for _ in range(300):
        assert grammar.sentence(3, draw).answer in trained
        assert grammar.sentence(3, draw, held_out=True).answer in held_out


def test_held_out_gaps_have_words_that_training_lacks(grammar: Grammar) -> None:
    reserved = {word for name in LISTS for word in set(every(name)) - set(known(name))}
    assert reserved
    assert not reserved & set(grammar.vocabulary)
    draw = random.Random(2)
    trained = {word for _ in range(200) for word in grammar.sentence(30, draw).words}
    assert trained <= set(grammar.vocabulary)
    tested = {word for _ in range(200) for word in grammar.sentence(30, draw, True).words}
    assert tested & reserved


def test_words_and_facts_are_distinct(grammar: Grammar) -> None:
    firsts, seconds = grammar.answers
    assert len(set(firsts)) == len(firsts)
    assert len(set(seconds)) == len(seconds)
    lists = {word for name in LISTS for word in every(name)}
    assert not lists & {*grammar.facts[0], *grammar.facts[1]}


def test_the_same_seed_gives_the_same_sentences(grammar: Grammar) -> None:
    a, b = (
        [grammar.sentence(12, draw).words for _ in range(9)]
        for draw in (random.Random(5), random.Random(5))
    )
    assert a == b
    assert a != [grammar.sentence(12, random.Random(6)).words for _ in range(9)]
