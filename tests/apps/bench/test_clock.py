import gc

import pytest

from unrolled.apps.bench import clock
from unrolled.apps.bench.clock import geometric_mean, ratio, short


def test_works_take_turns_and_each_begins_some_rounds() -> None:
    order: list[str] = []

    def work(name: str):
        def done() -> None:
            if not order or order[-1] != name:
                order.append(name)

        return done

    times = clock.measure([work("a"), work("b")], 0.0)
    assert [len(each) for each in times] == [clock.LEAST] * 2
    assert all(seconds > 0 for each in times for seconds in each)
    assert order == ["a", "b", "a", "b"]  # ab, ba, ab


def test_garbage_is_collected_again_afterwards() -> None:
    def broken() -> None:
        assert not gc.isenabled()
        raise KeyError

    with pytest.raises(KeyError):
        clock.measure([broken], 0.0)
    assert gc.isenabled()


def test_a_single_round_has_no_spread() -> None:
    assert ratio([2.0], [3.0]) == (1.5, 1.5, 1.5)


def test_rounds_are_paired() -> None:
    with pytest.raises(ValueError, match="zip"):
        ratio([1.0, 2.0], [1.0])


def test_geometric_mean() -> None:
    assert geometric_mean([1.0, 4.0, 2.0]) == pytest.approx(2.0)


@pytest.mark.parametrize("value", [0.001, 0.5, 1.0, 9.994, 9.996, 99.94, 99.96, 100.4, 9999])
def test_four_characters(value: float) -> None:
    assert len(short(value)) <= 4
    assert float(short(value)) == pytest.approx(value, abs=0.5 if value > 99 else 0.05)
