import tracemalloc

import numpy
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unrolled.apps.train.counter_rng import Order, mixed, shuffled
from unrolled.errors import UserError


@given(count=st.integers(1, 3000), key=st.integers(0, 2**70))
def test_every_place_goes_to_a_place_of_its_own(count: int, key: int) -> None:
    whole = shuffled(numpy.arange(count), count, key)
    assert sorted(whole.tolist()) == list(range(count))
    some = numpy.arange(0, count, 7)
    assert (shuffled(some, count, key) == whole[some]).all()


@pytest.mark.broad
def test_places_go_anywhere_equally_often() -> None:
    count, keys = 11, 4000
    found = numpy.zeros((count, count))
    for key in range(keys):
        found[numpy.arange(count), shuffled(numpy.arange(count), count, key)] += 1
    assert abs(found / keys * count - 1).max() < 0.25  # a standard deviation is 0.05


def test_neighbours_part() -> None:
    count = 10**9
    found = shuffled(numpy.arange(10_000), count, 1)
    apart = numpy.abs(numpy.diff(found)) / count
    assert abs(apart.mean() - 1 / 3) < 0.02
    assert len(set(found.tolist())) == 10_000


def test_mixed_numbers_fill_their_range_whatever_the_values() -> None:
    values = numpy.arange(-50_000, 50_000)
    for key in (0, 1, 2**63):
        found = mixed(values, key)
        assert len(set(found.tolist())) == len(values)
        counts = numpy.bincount((found >> numpy.uint64(60)).astype(int), minlength=16)
        assert abs(counts / len(values) * 16 - 1).max() < 0.1
    assert (mixed(values, 1) != mixed(values, 2)).all()


def test_every_round_has_every_example_in_another_order() -> None:
    order = Order(7, batch=3, seed=5)
    rows = torch.cat([order.rows(step) for step in range(7)]).view(3, 7)
    assert [sorted(each) for each in rows.tolist()] == [list(range(7))] * 3
    assert len({tuple(each) for each in rows.tolist()}) == 3
    assert torch.equal(Order(7, batch=3, seed=5).rows(4), order.rows(4))
    assert not torch.equal(Order(7, batch=7, seed=6).rows(0), rows[0])


def test_a_batch_may_be_several_rounds() -> None:
    assert sorted(Order(2, batch=4, seed=0).rows(1).tolist()) == [0, 0, 1, 1]


def test_memory_does_not_grow_with_the_examples() -> None:
    order = Order(10**12, batch=64, seed=0)
    tracemalloc.start()
    assert order.rows(10**6).max() < 10**12
    assert tracemalloc.get_traced_memory()[1] < 100_000
    tracemalloc.stop()


def test_a_batch_of_many_rounds_is_refused() -> None:
    assert len(Order(5, batch=1024, seed=0).rows(3)) == 1024
    with pytest.raises(UserError, match="--batch 1025 is more than there is to train on, 5"):
        Order(5, batch=1025, seed=0)
