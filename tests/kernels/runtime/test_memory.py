"""Memory that is used again."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from unrolled.kernels.runtime import memory
from unrolled.kernels.runtime.memory import Reserve, aligned, empty, offsets
from unrolled.kernels.tuning import LARGE_PAGE

COUNT = LARGE_PAGE // 4  # numbers of a large page


def test_memory_in_use_is_not_handed_out() -> None:
    reserve = Reserve(8 * LARGE_PAGE)
    first = reserve.take(torch.float32, COUNT)
    second = reserve.take(torch.float32, COUNT)
    assert first.data_ptr() != second.data_ptr()
    part, place = first[7:9], first.data_ptr()
    del first
    assert reserve.take(torch.float32, COUNT).data_ptr() != place
    del part
    assert reserve.take(torch.float32, COUNT).data_ptr() == place


def test_other_dtypes_and_sizes_take_what_fits() -> None:
    reserve = Reserve(16 * LARGE_PAGE)
    place = reserve.take(torch.float32, 2 * COUNT).data_ptr()
    assert reserve.take(torch.float64, COUNT).data_ptr() == place
    assert reserve.take(torch.float32, 2 * COUNT + 1).data_ptr() != place
    taken = reserve.take(torch.float32, COUNT - 1 + COUNT // 2)
    assert taken.data_ptr() == place
    assert taken.shape == (COUNT - 1 + COUNT // 2,)


def test_no_more_is_kept_than_said() -> None:
    reserve = Reserve(2 * LARGE_PAGE)
    tensors = [reserve.take(torch.float32, COUNT).fill_(number) for number in range(4)]
    assert len(reserve._blocks) == 2
    for number, tensor in enumerate(tensors):  # what is not kept lives as long as it is used
        assert (tensor == number).all()
    one = reserve.take(torch.float32, 3 * COUNT)  # more than is kept at all
    assert one.fill_(1).sum() == 3 * COUNT
    assert not reserve._blocks


def test_a_little_more_takes_the_same_memory() -> None:
    reserve = Reserve(1 << 30)
    for count in range(9 * COUNT + 1, 10 * COUNT, 4096):
        reserve.take(torch.float32, count)
    assert len(reserve._blocks) == 1


def test_small_tensors_are_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    reserve = Reserve(8 * LARGE_PAGE)
    assert reserve.take(torch.float64, 3).shape == (3,)
    assert not reserve._blocks
    monkeypatch.setattr(reserve, "_alone", None)  # another PyTorch cannot tell
    assert reserve.take(torch.float32, COUNT).shape == (COUNT,)
    assert not reserve._blocks


def test_many_threads_never_share() -> None:
    reserve = Reserve(64 * LARGE_PAGE)

    def work(number: int) -> bool:
        for _ in range(20):
            tensor = reserve.take(torch.float32, COUNT).fill_(number)
            if not bool((tensor == number).all()):
                return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(8)))


def test_large_tensors_without_large_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_advise", None)
    assert empty(torch.ones(1), COUNT, 2).fill_(1).sum() == 2 * COUNT


def test_arrays_of_a_layout_are_apart_and_aligned() -> None:
    counts = {"a": 1, "b": 100, "c": 0, "d": 33}
    for dtype in (torch.float32, torch.float64):
        starts, size = offsets(counts, dtype)
        ends = [starts[name] + count for name, count in counts.items()]
        assert all(
            aligned(start * dtype.itemsize) == start * dtype.itemsize for start in starts.values()
        )
        assert all(
            end <= start for end, start in zip(ends, list(starts.values())[1:], strict=False)
        )
        assert size == ends[-1]
