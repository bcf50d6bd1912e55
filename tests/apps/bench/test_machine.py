import ctypes

import pytest

from unrolled.apps.bench.machine import Ceiling


def test_every_chain_multiplies_and_adds() -> None:
    ceiling = Ceiling()
    numbers = type(ceiling._numbers)(*[0.5] * len(ceiling._numbers))
    ceiling._run(ctypes.addressof(numbers), 3)
    right = 0.5
    for _ in range(3):
        right = 0.5 * right + 0.5
    assert set(numbers) == {right}


def test_operations_of_a_turn() -> None:
    ceiling = Ceiling()
    assert ceiling._flops == 2 * len(ceiling._numbers)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_rate_comes_out(threads: int) -> None:
    assert Ceiling().gflops(threads) > 0
