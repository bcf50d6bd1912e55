"""The gradients of weights and biases, summed over rows."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from unrolled.kernels.codegen.weight_gradients import Outer
from unrolled.kernels.runtime import code
from unrolled.kernels.runtime import weight_gradients as weights
from unrolled.kernels.runtime.abi import Buffer, Role
from unrolled.kernels.runtime.launch import Place
from unrolled.kernels.runtime.launcher import Form
from unrolled.kernels.runtime.weight_gradients import StridedRows, Sums, WeightGradients

from ..codegen.targets import WIDTHS, target

ROWS = (1, 7, 128, 129, 300)
SHAPES = ((1, (1,)), (5, (3,)), (33, (17, 9, 65)), (72, (40,)), (80, (10, 20)), (16, (64, 32)))


class Product(NamedTuple):
    """One outer product: gradients and sources in wider rows, and what is written."""

    outer: Outer
    wide: Tensor
    wide_sources: list[Tensor]
    weights: list[Tensor]
    bias: Tensor

    @property
    def gradient(self) -> Tensor:
        """The gradient, which stands from the second column on."""
        return self.wide[:, 1 : self.outer.units + 1]

    @property
    def sources(self) -> list[Tensor]:
        """The sources, which stand from the first column on."""
        lengths = self.outer.lengths
        return [wide[:, :n] for wide, n in zip(self.wide_sources, lengths, strict=True)]


def some(rows: int, units: int, lengths: tuple[int, ...], dtype: torch.dtype) -> Product:
    """Random numbers, and what is written full of NaN."""
    return Product(
        Outer(units, lengths),
        torch.randn(rows, units + 3, dtype=dtype),
        [torch.randn(rows, length + 2, dtype=dtype) for length in lengths],
        [torch.full((units, n), float("nan"), dtype=dtype) for n in lengths],
        torch.full((units,), float("nan"), dtype=dtype),
    )


def run(
    made: WeightGradients,
    products: Sequence[Product],
    wanted: Sequence[bool] | None = None,
    bias: bool = True,
    rows: int | None = None,
) -> None:
    """Write the gradients, of all rows; of what is not wanted nobody says where it goes."""
    forms, tensors, sums = dict[Buffer, Form](), list[Tensor](), list[Sums]()

    def place(role: Role, name: str, tensor: Tensor, column: int = 0) -> Place:
        buffer = Buffer(role, name)
        forms[buffer] = Form(str(buffer), tuple(tensor.shape))
        tensors.append(tensor)
        return Place(buffer, column)

    for number, product in enumerate(products):
        gradient = place(Role.GRADIENT, f"{number}", product.wide, 1)
        each = []
        pairs = zip(product.wide_sources, product.weights, strict=True)
        for at, (source, weight) in enumerate(pairs):
            read = StridedRows(place(Role.SOURCE, f"{number} {at}", source), source.shape[1])
            into = place(Role.WEIGHT, f"{number} {at}", weight)
            each.append((read, into if wanted is None or wanted[at] else None))
        into = place(Role.BIAS, f"{number}", product.bias)
        wide = StridedRows(gradient, product.wide.shape[1])
        sums.append(Sums(wide, each, into if bias else None))
    count = len(products[0].wide) if rows is None else rows
    made.template("a test", forms, sums, count, made.threads(count)).at().run(tensors)


def check(product: Product) -> None:
    def close(found: Tensor, expected: Tensor) -> None:
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)

    for source, written in zip(product.sources, product.weights, strict=True):
        close(written, product.gradient.t() @ source)
    close(product.bias, product.gradient.sum(0))


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("width", WIDTHS)
def test_sums_of_outer_products(
    width: str, shape: tuple[int, tuple[int, ...]], threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts of the rows and their rest, vectors of units and their rest, more threads than work."""
    monkeypatch.setattr(weights, "host", lambda dtype: target(dtype, width))
    monkeypatch.setattr(code, "WORTH_A_THREAD", 1)
    torch.set_num_threads(threads)
    units, lengths = shape
    made = WeightGradients([Outer(units, lengths)], torch.float64)
    for rows in ROWS:
        product = some(rows, units, lengths, torch.float64)
        run(made, [product])
        check(product)


@pytest.mark.parametrize("threads", [1, 4])
def test_several_layers_at_once(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code, "WORTH_A_THREAD", 1)
    torch.set_num_threads(threads)
    made = WeightGradients([Outer(5, (3, 9)), Outer(40, (8,)), Outer(7, ())], torch.float64)
    each = [some(50, 5, (3, 9), torch.float64), some(50, 40, (8,), torch.float64)]
    each.append(some(50, 7, (), torch.float64))
    for _ in range(20):
        for product in each:
            for written in (*product.weights, product.bias):
                written.fill_(float("nan"))
        run(made, each)
        for product in each:
            check(product)


def test_what_is_not_wanted_is_not_written() -> None:
    made = WeightGradients([Outer(6, (4, 5))], torch.float64)
    for first, second, bias in itertools.product((True, False), repeat=3):
        product = some(20, 6, (4, 5), torch.float64)
        wanted = (first, second)
        run(made, [product], wanted, bias)
        for source, written, asked in zip(product.sources, product.weights, wanted, strict=True):
            if asked:
                torch.testing.assert_close(written, product.gradient.t() @ source)
            else:
                assert written.isnan().all()
        assert product.bias.isnan().any() != bias


def test_what_has_no_room_is_refused() -> None:
    made = WeightGradients([Outer(6, (4,))], torch.float64)
    fits = some(20, 6, (4,), torch.float64)
    (weight,), more = fits.weights, torch.randn(21, 9).double()
    for product, rows, message in (
        (fits._replace(weights=[weight[:5]]), 20, "weight 0[.]0 takes 24 numbers, 20 are there"),
        (fits._replace(bias=fits.bias[1:]), 20, "bias 0 takes 6 numbers, 5 are there"),
        (fits, 21, "gradient 0 takes 186 numbers, 179 are there"),
        (fits._replace(wide=more), 21, "source 0[.]0 takes 124 numbers, 120 are there"),
    ):
        with pytest.raises(RuntimeError, match=f"^a test: the buffer {message}$"):
            run(made, [product], rows=rows)
        assert weight.isnan().all()
        assert fits.bias.isnan().all()
    run(made, [fits])
    check(fits)


def test_the_number_of_threads_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code, "WORTH_A_THREAD", 1)
    made = WeightGradients([Outer(72, (40, 9))], torch.float32)
    product = some(200, 72, (40, 9), torch.float32)
    found = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        run(made, [product])
        found.append([written.clone() for written in (*product.weights, product.bias)])
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            assert torch.equal(a, b)


def test_single_precision_is_as_exact_as_in_pytorch() -> None:
    """Long sums too: the error against float64 is no larger than 1.5 times PyTorch's."""
    made = WeightGradients([Outer(48, (40,))], torch.float32)
    product = some(5000, 48, (40,), torch.float32)
    run(made, [product])
    (source,), (written,), gradient = product.sources, product.weights, product.gradient
    exact = gradient.double().t() @ source.double()
    ours, theirs = (
        (found.double() - exact).square().mean().sqrt()
        for found in (written, gradient.t() @ source)
    )
    assert ours <= 1.5 * theirs
    total = gradient.double().sum(0)
    ours, theirs = (
        (found.double() - total).square().mean().sqrt() for found in (product.bias, gradient.sum(0))
    )
    assert ours <= 1.5 * theirs


def test_fresh_memory_is_never_read(poisoned: list[str]) -> None:
    made = WeightGradients([Outer(33, (17, 9))], torch.float64)
    product = some(131, 33, (17, 9), torch.float64)
    run(made, [product])
    assert "empty" in poisoned
    check(product)
