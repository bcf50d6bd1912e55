import numpy
from hypothesis import given
from hypothesis import strategies as st

from unrolled.apps.train.chance import mixed, shuffled


@given(count=st.integers(1, 3000), key=st.integers(0, 2**70))
def test_every_place_goes_to_a_place_of_its_own(count: int, key: int) -> None:
    whole = shuffled(numpy.arange(count), count, key)
    assert sorted(whole.tolist()) == list(range(count))
    some = numpy.arange(0, count, 7)
    assert (shuffled(some, count, key) == whole[some]).all()


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
