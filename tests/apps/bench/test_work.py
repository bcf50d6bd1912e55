import pytest
import torch
from torch.nn.utils.rnn import PackedSequence

from unrolled.apps.bench import work
from unrolled.apps.bench.rows import layer
from unrolled.apps.bench.work import Shape, StandardLayer
from unrolled.cells import CELLS

from .fakes import SMALL


@pytest.mark.parametrize(("cell", "gates"), [("rnn", 1), ("gru", 3), ("lstm", 4)])
def test_operations_of_the_products(cell: str, gates: int) -> None:
    assert StandardLayer(cell, SMALL).flops == 2 * (3 * 2) * gates * 5 * (4 + 5)


def test_operations_of_a_projection() -> None:
    projected = StandardLayer("lstm", SMALL, projected=True)  # to 2 units
    assert projected.flops == 2 * (3 * 2) * (4 * 5 * (4 + 2) + 2 * 5)


def test_learned_vectors_are_no_products() -> None:
    sizes = [work.flops(layer(CELLS[name], SMALL), 7) for name in ("lstm", "lstm_peephole")]
    assert sizes[0] == sizes[1]


def test_lengths_are_spread_and_only_valid_steps_count() -> None:
    given = work.feed(Shape(8, 4, 3, 5), [5], ragged=True)
    assert given.batch_sizes is not None
    lengths = [int((given.batch_sizes > row).sum()) for row in range(4)]
    assert lengths == [8, 6, 4, 2]
    assert given.rows == sum(lengths) == len(given.data)
    packed, _ = given.arguments(given.states, given.data)
    assert isinstance(packed, PackedSequence)


@pytest.mark.parametrize("ragged", [False, True])
def test_training_gives_every_gradient(ragged: bool) -> None:
    problem = StandardLayer("lstm", SMALL, ragged=ragged)
    results = work.named(problem.ours, problem.feed)(work.training(problem.ours, problem.feed)())
    gradients = [name.removeprefix("the gradient of ") for name in results][3:]
    weights = [name for name, _ in problem.theirs.named_parameters()]
    assert gradients == ["x", "state 0", "state 1", *weights]
    assert all(torch.isfinite(each).all() for each in results.values())


def test_problems_are_the_same_every_time() -> None:
    first, second = StandardLayer("gru", SMALL), StandardLayer("gru", SMALL)
    assert torch.equal(first.feed.data, second.feed.data)
    assert torch.equal(first.ours.weight_hh_l0, second.theirs.weight_hh_l0)  # pyright: ignore
