"""Why gradients vanish: a lesson in measurements, on fresh layers and five seeds.

    python examples/why_gradients_vanish.py

A network learns what happened long ago only if the gradient of its answer reaches back so far. At
each step on the way it is multiplied by that step's Jacobian, the matrix of the derivatives of the
new state by the old one. Fifty factors below 1 leave nothing; fifty above 1 leave too much.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

import unrolled

SEEDS = range(5)
STEPS, ROWS, INPUTS, UNITS = 60, 8, 8, 32
BACK = (1, 10, 20, 40)


def rnn(factor: float = 1.0) -> nn.Module:
    """Return a simple recurrent layer with recurrent weights that are larger or smaller."""
    layer = unrolled.RNN(INPUTS, UNITS)
    with torch.no_grad():
        layer.weight_hh_l0.mul_(factor)
    return layer


def opened(layer: nn.Module, value: float) -> nn.Module:
    """Open the gate that keeps the state, by its bias."""
    unrolled.open_gate(layer, value)
    return layer


LAYERS: dict[str, Callable[[], nn.Module]] = {
    "rnn": rnn,
    "rnn, weights x 4": lambda: rnn(4.0),
    "gru": lambda: unrolled.GRU(INPUTS, UNITS),
    "lstm": lambda: unrolled.LSTM(INPUTS, UNITS),
    "lstm, bias 1": lambda: opened(unrolled.LSTM(INPUTS, UNITS), 1.0),
    "lstm, bias 3": lambda: opened(unrolled.LSTM(INPUTS, UNITS), 3.0),
}


def left(make: Callable[[], nn.Module], seed: int) -> Tensor:
    """Return the norm of the last output's gradient so many steps back, relative to its end."""
    torch.manual_seed(seed)
    layer, x = make(), torch.randn(STEPS, ROWS, INPUTS)
    flow = unrolled.gradient_flow(layer, x, loss=lambda output: output[0][-1].sum())
    norms = flow.norms["l0"].mean(1).flip(0)  # (T, B) to (T,), the last step first
    return norms / norms[0]


def factor(curve: Tensor, back: int = 40) -> float:
    """Return what a step multiplies the gradient by: the geometric mean of so many steps."""
    return curve[back].item() ** (1 / back)


def more_than(curves: dict[str, list[Tensor]], one: str, other: str, back: int = 40) -> str:
    """Say in how many seeds more is left with one layer than with another."""
    pairs = zip(curves[one], curves[other], strict=True)
    count = sum(bool(a[back] > b[back]) for a, b in pairs)
    return f"  {one} keeps more than {other}: in {count} of {len(SEEDS)} seeds"


def main() -> None:
    """Measure, and say what the measurements show."""
    print("1. What is left of the gradient, so many steps back (geometric mean of 5 seeds)\n")
    curves = {name: [left(make, seed) for seed in SEEDS] for name, make in LAYERS.items()}
    print(f"{'':18}" + "".join(f"{back:>9}" for back in BACK) + "   each step")
    for name, group in curves.items():
        mean = torch.stack(group).log().mean(0).exp()
        row = "".join(f"{mean[back].item():9.1e}" for back in BACK)
        print(f"{name:18}{row}     x {factor(mean):.2f}")

    print("\n   Forty steps back:")
    print(more_than(curves, "gru", "rnn"))
    print(more_than(curves, "lstm", "rnn"))
    print(more_than(curves, "lstm, bias 1", "lstm"))
    print(more_than(curves, "lstm, bias 3", "lstm, bias 1"))

    print("\n2. Why: the Jacobian of one step\n")
    torch.manual_seed(0)
    layer, x = rnn().double(), torch.randn(STEPS, 1, INPUTS).double()
    h = layer(x)[0][31, 0]
    by_hand = torch.diag(1 - h**2) @ layer.weight_hh_l0
    measured = unrolled.gradient_flow(layer, x).jacobian("l0", later=31, earlier=30)
    same = torch.allclose(by_hand, measured)
    print(f"   rnn: it is diag(1 - h²) W. By this formula and measured, equal: {same}")
    size = torch.linalg.eigvals(layer.weight_hh_l0).abs().max().item()
    print(f"   Over many steps the largest eigenvalue of W counts, here of size {size:.2f};")
    print("   1 - h² is at most 1 and can only make it less.")

    print("   lstm: along c it is f, the forget gate, one number for each unit:\n")
    for name in ("lstm", "lstm, bias 1", "lstm, bias 3"):
        torch.manual_seed(0)
        layer, x = LAYERS[name](), torch.randn(STEPS, ROWS, INPUTS)
        with unrolled.record(layer, "l0.f") as recording, torch.no_grad():
            layer(x)
        f = recording["l0.f"].mean().item()
        print(
            f"   {name:13} f is {f:.2f} on average, and {f:.2f} to the power of 40 is {f**40:.0e}"
        )

    print("\n3. What follows\n")
    tail = torch.stack(curves["rnn, weights x 4"])[:, BACK[-1]]
    low, high = tail.min().item(), tail.max().item()
    print(
        "   The gate decides, and its bias sets it before anything is learned. Larger weights are"
    )
    print(
        f"   no such means: with x 4 the gradient comes back {low:.0f} to {high:.0f} times as large"
    )
    print("   after forty steps, by the seed, and no learning rate fits both ends.")
    print("   A gradient that arrives is where learning begins, not where it ends: what was tried")
    print("   on a task, and what helped, is in docs/diagnosis.md.")


if __name__ == "__main__":
    main()
