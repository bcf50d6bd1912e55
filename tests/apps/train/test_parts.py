import tracemalloc

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.apps.train.parts import drawn, key
from unrolled.errors import UserError


@pytest.mark.broad
@given(keys=st.lists(st.integers(0, 40), min_size=60, max_size=200), seed=st.integers(0, 9))
def test_parts_hold_everything_once_and_share_no_content(keys: list[int], seed: int) -> None:
    contents = numpy.array(keys)
    if len(set(keys)) < 10:
        return
    parts = drawn(contents, 0.3, seed, "table")
    assert sorted(numpy.concatenate(parts).tolist()) == list(range(len(keys)))
    sets = [set(contents[part].tolist()) for part in parts]
    assert len(set.union(*sets)) == sum(map(len, sets))
    again = drawn(contents, 0.3, seed, "table")
    assert all((one == other).all() for one, other in zip(parts, again, strict=True))


def test_too_few_records_are_refused() -> None:
    with pytest.raises(UserError, match=r"table has 3 different records: --held-out 0.1 leaves 3"):
        drawn(numpy.arange(3), 0.1, 0, "table")


def test_keys_tell_contents_apart() -> None:
    assert key("a") == key("a") != key("b")
    assert -(2**63) <= key("\ud800") < 2**63


def test_of_many_records_some_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unrolled.apps.train.parts.LOOKED_AT", 2**14)
    keys = numpy.arange(10**6) // 4
    tracemalloc.start()
    parts = drawn(keys, 0.2, 0, "table")
    assert tracemalloc.get_traced_memory()[1] < keys.nbytes
    tracemalloc.stop()
    shares = [len(part) / len(keys) for part in parts]
    assert shares == pytest.approx([0.8, 0.1, 0.1], abs=0.01)
    training, validation, test = (set(keys[part].tolist()) for part in parts)
    assert not training & validation
    assert not (training | validation) & test
