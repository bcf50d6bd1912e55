"""Write a cell as its equations; get its layer, formula and derivative, and check them.

    python examples/a_cell_of_your_own.py

The cell has two memories, one that forgets quickly and one that forgets slowly, and a gate that
chooses between them. `torch.nn` has nothing like it.
"""

import time
from collections.abc import Callable

import torch
from torch import Tensor

import unrolled
from unrolled import affine, sigmoid, tanh


@unrolled.cell
def two_speeds(x, h, slow, *, rate=0.05):
    """A quick and a slow memory, and a gate between them."""
    gate = sigmoid(affine(x, h))
    news = tanh(affine(x, h))
    slow = (1 - rate) * slow + rate * news
    h = gate * news + (1 - gate) * slow
    return locals()


def loop(layer: unrolled.Recurrent, inputs: Tensor) -> Tensor:
    """Compute the same as one writes it in PyTorch, with the weights of a layer: (T, B, H)."""
    h = slow = inputs.new_zeros(inputs.shape[1], layer.hidden_size)
    output = []
    for x in inputs:
        from_x = torch.nn.functional.linear(x, layer.weight_ih_l0, layer.bias_ih_l0)
        from_h = torch.nn.functional.linear(h, layer.weight_hh_l0, layer.bias_hh_l0)
        gate, news = (from_x + from_h).chunk(2, 1)
        gate, news = torch.sigmoid(gate), torch.tanh(news)
        slow = 0.95 * slow + 0.05 * news
        h = gate * news + (1 - gate) * slow
        output.append(h)
    return torch.stack(output)


def gradients(layer: unrolled.Recurrent, run: Callable[[], Tensor]) -> list[Tensor]:
    """Return the output of a run and the gradients of the weights for the sum of its squares."""
    output = run()
    return [output, *torch.autograd.grad(output.square().sum(), list(layer.parameters()))]


def seconds(act: Callable[[], object]) -> float:
    """Return how long an act takes: the fastest of five times, after one to prepare."""
    times = []
    for _ in range(6):
        begin = time.perf_counter()
        act()
        times.append(time.perf_counter() - begin)
    return min(times[1:])


def main() -> None:
    """Print what follows from the equations, and compare the layer with a loop."""
    torch.manual_seed(0)
    print("The formula, in LaTeX:\n")
    print(two_speeds.latex())
    print("\nThe derivative, one step back in time, as code:\n")
    print(two_speeds.derivative.python())

    layer = unrolled.Recurrent(two_speeds, input_size=16, hidden_size=64)
    print(f"\nThe layer: {layer}")
    for name, parameter in layer.named_parameters():
        print(f"  {name:13} {tuple(parameter.shape)}")

    x = torch.randn(50, 16, 16)  # (T, B, I)
    print(f"What runs it: {unrolled.explain(layer, x)}")
    layer.double()
    pairs = zip(
        gradients(layer, lambda: layer(x.double())[0]),
        gradients(layer, lambda: loop(layer, x.double())),
        strict=True,
    )
    difference = max(((a - b).abs().max() / b.abs().max()).item() for a, b in pairs)
    print(f"\nOutput and gradients against a loop in PyTorch, in float64: {difference:.0e} apart,")
    print("in parts of the greatest value.")

    layer.float()
    ours = seconds(lambda: gradients(layer, lambda: layer(x)[0]))
    theirs = seconds(lambda: gradients(layer, lambda: loop(layer, x)))
    print(
        f"\nForward and backward, float32: layer {1e3 * ours:.1f} ms, loop {1e3 * theirs:.1f} ms."
    )
    print(f"The loop takes {theirs / ours:.1f} times as long.")


if __name__ == "__main__":
    main()
