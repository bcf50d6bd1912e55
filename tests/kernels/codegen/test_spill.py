"""Pages that must not be touched."""

import ctypes

import numpy as np
import pytest

from .memory import guarded, posix, survives

pytestmark = [posix, pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")]


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("size", [1, 7, 512, 513])
def test_what_is_beside_an_array_cannot_be_read(size: int, before: bool) -> None:
    values = np.arange(float(size))
    array = guarded(values, before)
    assert (array == values).all()
    array += 1
    outside = array.ctypes.data + (-1 if before else array.nbytes)
    inside = array.ctypes.data + (0 if before else array.nbytes - 1)
    assert survives(lambda: ctypes.string_at(inside, 1))
    assert not survives(lambda: ctypes.string_at(outside, 1))


def test_functions_that_fail() -> None:
    assert not survives(lambda: 1 / 0)
