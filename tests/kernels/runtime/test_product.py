"""What loops read, computed for all steps at once."""

import pytest
import torch

from unrolled.cells import CELLS
from unrolled.graph import parameters
from unrolled.graph.learned import Size
from unrolled.kernels.planning.split import hoisted, split
from unrolled.kernels.runtime.cache import Budget, Cache
from unrolled.kernels.runtime.product import Product, suits

SIZES: dict[Size, int] = {"input": 5, "hidden": 7, "one": 1}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("rows", [1, 3, 17, 200])
def test_one_product_of_all_rows(rows: int, dtype: torch.dtype) -> None:
    graph = CELLS["lstm"].graph
    product = Product(hoisted(graph), SIZES, dtype)
    weights = {p.name: torch.randn(p.shape(SIZES), dtype=dtype) for p in parameters(graph)}
    x = torch.randn(rows, 5, dtype=dtype, requires_grad=True)
    expected = x @ weights["weight_ih"].t() + weights["bias_ih"]
    (bank,) = product.run([x.detach()], weights, rows)
    torch.testing.assert_close(bank, expected)
    gradient = torch.randn(rows, 28, dtype=dtype)
    (found,) = product.gradients([gradient], weights, rows)
    torch.testing.assert_close(found, torch.autograd.grad(expected, x, gradient)[0])


def test_only_learned_layers_of_inputs_suit() -> None:
    assert suits(hoisted(CELLS["lstm"].graph))
    assert not suits(split(CELLS["lstm"].graph))  # nothing is computed before the loop


def test_jobs_that_are_not_kept() -> None:
    graph = CELLS["lstm"].graph
    product = Product(hoisted(graph), SIZES, torch.float32)
    product._jobs = Cache(Budget(0))
    weights = {p.name: torch.randn(p.shape(SIZES)) for p in parameters(graph)}
    assert product.run([torch.randn(3, 5)], weights, 3)[0].shape == (3, 28)
