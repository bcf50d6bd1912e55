"""What loops read, computed for all steps at once."""

import pytest
import torch
from torch import Tensor

from unrolled.cells import CELLS
from unrolled.graph import parameters
from unrolled.graph.learned import Size
from unrolled.kernels.planning.split import hoisted, split
from unrolled.kernels.runtime.cache import Budget, Cache
from unrolled.kernels.runtime.product import Product, suits

SIZES: dict[Size, int] = {"input": 5, "hidden": 7, "one": 1}
GRAPH = CELLS["lstm"].graph


def made(dtype: torch.dtype) -> tuple[Product, dict[str, Tensor]]:
    """A product, and the cell's parameters; it does not read all of them."""
    shapes = {p.name: p.shape(SIZES) for p in parameters(GRAPH)}
    weights = {name: torch.randn(shape, dtype=dtype) for name, shape in shapes.items()}
    return Product(hoisted(GRAPH), SIZES, dtype, shapes, list(weights)), weights


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("rows", [1, 3, 17, 200])
def test_one_product_of_all_rows(rows: int, dtype: torch.dtype) -> None:
    product, weights = made(dtype)
    x = torch.randn(rows, 5, dtype=dtype, requires_grad=True)
    expected = x @ weights["weight_ih"].t() + weights["bias_ih"]
    (bank,) = product.run([x.detach()], list(weights.values()), rows)
    torch.testing.assert_close(bank, expected)
    gradient = torch.randn(rows, 28, dtype=dtype)
    (found,) = product.gradients([gradient], list(weights.values()), rows)
    torch.testing.assert_close(found, torch.autograd.grad(expected, x, gradient)[0])


def test_weights_are_found_in_the_order_of_the_call() -> None:
    _, weights = made(torch.float64)
    shapes = {name: tuple(value.shape) for name, value in weights.items()}
    x = torch.randn(3, 5, dtype=torch.float64)
    expected = x @ weights["weight_ih"].t() + weights["bias_ih"]
    for names in (sorted(weights), sorted(weights)[::-1], ["bias_ih", "weight_ih"]):
        product = Product(hoisted(GRAPH), SIZES, torch.float64, shapes, names)
        (bank,) = product.run([x], [weights[name] for name in names], 3)
        torch.testing.assert_close(bank, expected)


def test_what_does_not_fit_is_refused() -> None:
    product, weights = made(torch.float64)
    x, gradient = torch.randn(3, 5).double(), torch.randn(3, 28).double()
    given = list(weights.values())
    narrow = [v[:, :4] if name == "weight_ih" else v for name, v in weights.items()]
    for use, message in (
        (lambda: product.run([x.float()], given, 3), "x should be .* got torch.float32"),
        (lambda: product.run([x[:2]], given, 3), "x should be .* got shape [(]2, 5[)]"),
        (lambda: product.run([x], narrow, 3), "weight_ih should be .* got shape [(]28, 4[)]"),
        (lambda: product.gradients([gradient], narrow, 3), "weight_ih should be .* got shape"),
        (lambda: product.gradients([gradient[:2]], given, 3), "should be .* got shape [(]2, 28[)]"),
    ):
        with pytest.raises(RuntimeError, match=f"^lstm_hoisted: .*{message}"):
            use()


def test_only_learned_layers_of_inputs_suit() -> None:
    assert suits(hoisted(GRAPH))
    assert not suits(split(GRAPH))  # nothing is computed before the loop


def test_launches_that_are_not_kept() -> None:
    product, weights = made(torch.float32)
    product._launches = Cache(Budget(0))
    x = torch.randn(3, 5)
    (bank,) = product.run([x], list(weights.values()), 3)
    torch.testing.assert_close(bank, x @ weights["weight_ih"].t() + weights["bias_ih"])
    assert not product._launches
