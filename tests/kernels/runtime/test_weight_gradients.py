"""The gradients of weights and biases, summed over rows."""

import itertools

import pytest
import torch
from torch import Tensor

from unrolled.kernels.codegen.weight_gradients import Outer
from unrolled.kernels.runtime import launch as kernel
from unrolled.kernels.runtime import weight_gradients as weights
from unrolled.kernels.runtime.weight_gradients import Sums, WeightGradients

from ..codegen.targets import WIDTHS, target

ROWS = (1, 7, 128, 129, 300)
SHAPES = ((1, (1,)), (5, (3,)), (33, (17, 9, 65)), (72, (40,)), (80, (10, 20)), (16, (64, 32)))


def some(rows: int, units: int, lengths: tuple[int, ...], dtype: torch.dtype) -> Sums:
    """Gradients and sources that stand in wider rows, and what is written, full of NaN."""
    gradient = torch.randn(rows, units + 3, dtype=dtype)[:, 1 : units + 1]
    sources = [torch.randn(rows, length + 2, dtype=dtype)[:, :length] for length in lengths]
    written = [torch.full((units, n), float("nan"), dtype=dtype) for n in lengths]
    bias = torch.full((units,), float("nan"), dtype=dtype)
    return Sums(gradient, list(zip(sources, written, strict=True)), bias)


def check(sums: Sums) -> None:
    def close(found: Tensor | None, expected: Tensor) -> None:
        assert found is not None
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)

    for source, written in sums.sources:
        close(written, sums.gradient.t() @ source)
    close(sums.bias, sums.gradient.sum(0))


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("width", WIDTHS)
def test_sums_of_outer_products(
    width: str, shape: tuple[int, tuple[int, ...]], threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts of the rows and their rest, vectors of units and their rest, more threads than work."""
    monkeypatch.setattr(weights, "host", lambda dtype: target(dtype, width))
    monkeypatch.setattr(kernel, "WORTH_A_THREAD", 1)
    torch.set_num_threads(threads)
    units, lengths = shape
    made = WeightGradients([Outer(units, lengths)], torch.float64)
    for rows in ROWS:
        sums = some(rows, units, lengths, torch.float64)
        made.run([sums])
        check(sums)


@pytest.mark.parametrize("threads", [1, 4])
def test_several_layers_at_once(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "WORTH_A_THREAD", 1)
    torch.set_num_threads(threads)
    made = WeightGradients([Outer(5, (3, 9)), Outer(40, (8,)), Outer(7, ())], torch.float64)
    each = [some(50, 5, (3, 9), torch.float64), some(50, 40, (8,), torch.float64)]
    each.append(some(50, 7, (), torch.float64))
    for _ in range(20):
        made.run(each)
        for sums in each:
            check(sums)


def test_what_is_not_wanted_is_not_written() -> None:
    made = WeightGradients([Outer(6, (4, 5))], torch.float64)
    for first, second, bias in itertools.product((True, False), repeat=3):
        sums = some(20, 6, (4, 5), torch.float64)
        wanted = (first, second)
        pairs = zip(sums.sources, wanted, strict=True)
        sources = [(s, w if asked else None) for (s, w), asked in pairs]
        made.run([Sums(sums.gradient, sources, sums.bias if bias else None)])
        for (source, written), asked in zip(sums.sources, wanted, strict=True):
            assert written is not None
            if asked:
                torch.testing.assert_close(written, sums.gradient.t() @ source)
            else:
                assert written.isnan().all()
        assert sums.bias is not None
        assert sums.bias.isnan().any() != bias


def test_the_number_of_threads_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "WORTH_A_THREAD", 1)
    made = WeightGradients([Outer(72, (40, 9))], torch.float32)
    sums = some(200, 72, (40, 9), torch.float32)
    found = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        made.run([sums])
        found.append([written.clone() for _, written in sums.sources if written is not None])
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            assert torch.equal(a, b)


def test_single_precision_is_as_exact_as_in_pytorch() -> None:
    """Long sums too: the error against float64 is no larger than 1.5 times PyTorch's."""
    made = WeightGradients([Outer(48, (40,))], torch.float32)
    sums = some(5000, 48, (40,), torch.float32)
    made.run([sums])
    ((source, written),) = sums.sources
    assert written is not None
    assert sums.bias is not None
    exact = sums.gradient.double().t() @ source.double()
    ours, theirs = (
        (found.double() - exact).square().mean().sqrt()
        for found in (written, sums.gradient.t() @ source)
    )
    assert ours <= 1.5 * theirs
    total = sums.gradient.double().sum(0)
    ours, theirs = (
        (found.double() - total).square().mean().sqrt()
        for found in (sums.bias, sums.gradient.sum(0))
    )
    assert ours <= 1.5 * theirs


def test_fresh_memory_is_never_read(monkeypatch: pytest.MonkeyPatch) -> None:
    empty = torch.empty

    def poisoned(*sizes: int, **options: object) -> Tensor:
        return empty(*sizes, **options).fill_(float("nan"))  # pyright: ignore

    made = WeightGradients([Outer(33, (17, 9))], torch.float64)
    sums = some(131, 33, (17, 9), torch.float64)
    monkeypatch.setattr(torch, "empty", poisoned)
    made.run([sums])
    check(sums)
