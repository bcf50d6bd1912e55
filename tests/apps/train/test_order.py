import tracemalloc

import pytest
import torch

from unrolled.apps.train.order import Order
from unrolled.errors import UserError


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
