import gc

import pytest

from unrolled.apps.bench import clock


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
