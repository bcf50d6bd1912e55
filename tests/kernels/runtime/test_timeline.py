"""Where the rows of each step stand."""

import ctypes

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from samples import batch_sizes
from unrolled.kernels.runtime.timeline import Timeline, dense, ragged, turned


def numbers(time: Timeline, *names: str) -> list[list[int]]:
    return [getattr(time, name).tolist() for name in names]


def states(time: Timeline, place: slice | Tensor) -> list[int]:
    """Rows of the array of states, as numbers."""
    return torch.arange(time.batch + time.total)[place].tolist()


def turns(time: Timeline) -> tuple[list[int], list[int]]:
    """Where, in a pair, the states stand before each step, and after it."""
    old, new = tables(time)[-2:]
    return old, new


def tables(time: Timeline) -> list[list[int]]:
    """What stands where a kernel is told that its tables stand."""
    _, places = time.places
    return [list((ctypes.c_int64 * time.steps).from_address(place)) for _, place in places]


STEPS = ("counts", "step", "old", "new")


def test_sequences_of_one_length() -> None:
    time = dense(3, 2, reverse=False)
    assert numbers(time, *STEPS) == [[2, 2, 2], [0, 2, 4], [0, 2, 4], [2, 4, 6]]
    assert (time.batch, time.total) == (2, 6)
    assert list(time.lengths) == [3, 3]
    assert states(time, time.initial) == [0, 1]
    assert states(time, time.last) == [6, 7]
    assert states(time, time.before) == [0, 1, 2, 3, 4, 5]


def test_sequences_of_one_length_from_the_end() -> None:
    """The states before the first step, which is the last one in time, stand behind all others."""
    time = dense(3, 2, reverse=True)
    assert numbers(time, *STEPS) == [[2, 2, 2], [4, 2, 0], [6, 4, 2], [4, 2, 0]]
    assert states(time, time.initial) == [6, 7]
    assert states(time, time.last) == [0, 1]
    assert states(time, time.before) == [2, 3, 4, 5, 6, 7]


def test_sequences_of_several_lengths() -> None:
    """Lengths 3, 1, 1 and 0: three rows take part in the first step, one in the others."""
    time = ragged([3, 1, 1], 4)
    assert numbers(time, *STEPS) == [[3, 1, 1], [0, 3, 4], [0, 4, 7], [4, 7, 8]]
    assert (time.batch, time.total) == (4, 5)
    assert list(time.lengths) == [3, 1, 1, 0]
    assert states(time, time.initial) == [0, 1, 2, 3]
    assert states(time, time.last) == [8, 5, 6, 3]
    assert states(time, time.before) == [0, 1, 2, 4, 7]


def test_the_way_back() -> None:
    back = ragged([3, 1, 1], 4).backward
    assert numbers(back, *STEPS) == [[1, 1, 3], [4, 3, 0], [7, 4, 0], [8, 7, 4]]
    assert list(back.lengths) == [3, 3, 3, 0]  # of steps until the row is through
    back = dense(3, 2, reverse=True).backward
    assert numbers(back, *STEPS) == [[2, 2, 2], [0, 2, 4], [2, 4, 6], [0, 2, 4]]
    back = dense(3, 2, reverse=False).backward
    assert numbers(back, *STEPS) == [[2, 2, 2], [4, 2, 0], [4, 2, 0], [6, 4, 2]]
    assert numbers(back.backward, *STEPS) == numbers(dense(3, 2, reverse=False), *STEPS)


def test_lengths_share_their_tables() -> None:
    """Longer and shorter ones, in both directions: a new length makes no array."""
    whole = dense(100, 3, reverse=False)
    for steps in (1, 7, 99, 127):
        for reverse in (False, True):
            time = dense(steps, 3, reverse)
            back = time.backward
            t = torch.arange(steps) * 3
            forth = t.flip(0) if reverse else t
            assert time.step.equal(forth)
            assert time.old.equal(forth + 3 * reverse)
            assert time.new.equal(forth + 3 * (not reverse))
            assert time.counts.equal(torch.full((steps,), 3))
            for name in STEPS:
                assert getattr(back, name).equal(getattr(time, name).flip(0))
                shared = getattr(time, name).untyped_storage().data_ptr()
                assert shared == whole.tables.numbers.untyped_storage().data_ptr()


def test_two_steps_of_states_take_turns() -> None:
    time = ragged([3, 1, 1], 4)
    assert turns(time) == ([0, 4, 0], [4, 0, 4])
    assert time.half.tolist() == [4, 5, 6, 3]  # after 3, 1, 1 and 0 steps
    time = dense(2, 3, reverse=False)
    assert turns(time) == ([0, 3], [3, 0])
    assert time.half == slice(0, 3)
    assert dense(3, 2, reverse=False).half == slice(2, 4)


def test_rows_are_turned_round() -> None:
    assert turned((3, 1, 1)).tolist() == [4, 1, 2, 3, 0]
    assert turned((2, 2)).tolist() == [2, 3, 0, 1]
    assert turned((1,)).tolist() == [0]


def test_places_are_on_the_cpu() -> None:
    with torch.device("meta"):
        time, backwards = ragged([2, 1], 2), turned((2, 1))
        others = dense(13, 17, reverse=True)
    for each in (time, time.backward, others, others.backward):
        tensors = [each.counts, each.step, each.old, each.new]
        assert all(tensor.device.type == "cpu" for tensor in tensors)
        assert all(tensor.dtype is torch.int64 for tensor in tensors)
    assert backwards.device.type == "cpu"


sorted_lengths = st.lists(st.integers(0, 5), min_size=1, max_size=6).map(
    lambda lengths: sorted(lengths, reverse=True)
)


@given(sorted_lengths.filter(any))
def test_every_row_finds_its_way(lengths: list[int]) -> None:
    """Following old and new from step to step, a row comes from its first state to its last."""
    time = ragged(batch_sizes(lengths), len(lengths))
    place = torch.arange(time.batch)[time.initial]
    through_pair = place.clone()
    old, new = map(torch.tensor, turns(time))
    step = 0
    for t, count in enumerate(time.counts.tolist()):
        rows = torch.arange(count)
        assert place[:count].equal(time.old[t] + rows)
        assert through_pair[:count].equal(old[t] + rows)
        assert torch.as_tensor(time.before)[step : step + count].equal(place[:count])
        place[:count] = time.new[t] + rows
        through_pair[:count] = new[t] + rows
        step += count
    assert place.equal(torch.arange(time.batch + time.total)[time.last])
    assert through_pair.equal(torch.as_tensor(time.half))
    assert step == time.total


@given(sorted_lengths.filter(any), st.integers(1, 6), st.booleans())
def test_no_step_ends_after_the_row_that_is_stated(lengths: list[int], t: int, last: bool) -> None:
    """On the way forward and back; the tables stand where a kernel looks for them."""
    time = ragged(batch_sizes(lengths), len(lengths))
    one = dense(t, len(lengths), last)
    for each in (time, time.backward, one, one.backward):
        counts, places = each.places
        assert counts == each.counts.data_ptr()
        assert tables(each)[:3] == numbers(each, "step", "old", "new")
        for begins, (end, _) in zip(tables(each), places, strict=True):
            assert (torch.tensor(begins) + each.counts).max() <= end
        rows = [each.total, *[each.batch + each.total] * 2, *[2 * each.batch] * 2]
        assert all(end <= most for (end, _), most in zip(places, rows, strict=True))


@given(sorted_lengths.filter(any))
def test_turning_twice_changes_nothing(lengths: list[int]) -> None:
    places = turned(tuple(batch_sizes(lengths)))
    assert places[places].equal(torch.arange(sum(lengths)))
