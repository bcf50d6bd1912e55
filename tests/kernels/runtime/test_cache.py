"""Caches are bounded by bytes, over all that share a budget."""

import copy
import gc
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from unrolled.kernels.runtime.cache import Budget, Cache


def test_the_oldest_goes_once_so_many_bytes_have_come_after_it() -> None:
    cache = Cache(Budget(100))
    for key in range(10):
        assert cache.keep(key, str(key), 30) == str(key)
    assert list(cache) == [7, 8, 9]
    cache.keep("large", "l", 80)
    assert list(cache) == ["large"]


def test_what_takes_more_than_there_is_drives_nothing_out() -> None:
    cache = Cache(Budget(100))
    cache.keep("small", 1, 10)
    assert cache.keep("large", 2, 101) == 2
    assert cache == {"small": 1}


def test_caches_share_a_budget() -> None:
    budget = Budget(100)
    first, second = Cache(budget), Cache(budget)
    first.keep("a", 1, 60)
    second.keep("a", 2, 60)
    assert (first, second) == ({}, {"a": 2})
    budget.charge(50)  # for something that belongs to an older entry
    assert second == {}


def test_the_first_of_two_values_stays() -> None:
    cache = Cache(Budget(100))
    assert [cache.keep("a", value, 20) for value in ("x", "y")] == ["x", "x"]


def test_a_value_instead_of_another_has_its_own_age() -> None:
    cache = Cache(Budget(100))
    cache.keep("a", "old", 40)
    cache.replace("a", "new", 40)
    cache.keep("b", "b", 40)
    assert cache == {"a": "new", "b": "b"}


def test_a_cache_that_is_gone_is_forgotten() -> None:
    budget = Budget(100)
    Cache(budget).keep("a", 1, 60)
    gc.collect()
    cache = Cache(budget)
    for key in range(5):
        cache.keep(key, key, 60)
    assert cache == {4: 4}


@pytest.mark.parametrize("again", [copy.deepcopy, lambda c: pickle.loads(pickle.dumps(c))])
def test_copies_begin_with_nothing(again: type) -> None:
    cache = Cache(Budget(100))
    cache.keep("a", 1, 60)
    assert again(cache) == {}
    assert again(cache).keep("a", 1, 60) == 1


def test_threads_never_keep_more_than_there_is() -> None:
    budget = Budget(1000)
    caches = [Cache(budget) for _ in range(3)]

    def work(number: int) -> None:
        for key in range(4000):
            cache = caches[key % 3]
            cache.replace(key % 7, number, 10)
            assert cache.keep((number, key), key, 10) == key

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
    finally:
        sys.setswitchinterval(interval)
    assert sum(map(len, caches)) <= 100
