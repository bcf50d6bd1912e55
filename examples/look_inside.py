"""Look inside a model: record gates, find a unit, change it, follow gradients, diagnose.

    python examples/look_inside.py

The model reads text one character at a time and says whether it stands inside quotes. How does it
know? With `pip install 'unrolled[draw]'` the answer is also drawn, into inside.png.
"""

import importlib.util
import random
import sys
from pathlib import Path

import torch
from torch import Tensor, nn

import unrolled

ALPHABET = 'abcde "'
UNITS = 6


class Reader(nn.Module):
    """Give for every character the log-odds that it is inside quotes."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(ALPHABET), 8)
        self.lstm = nn.LSTM(8, UNITS)
        self.answer = nn.Linear(UNITS, 1)

    def forward(self, text: Tensor) -> Tensor:
        """Return log-odds (T, B) of numbers of characters (T, B)."""
        return self.answer(self.lstm(self.embedding(text))[0]).squeeze(-1)


def numbers(texts: list[str]) -> Tensor:
    """Return the numbers of the characters of texts of equal length, (T, B)."""
    return torch.tensor([[ALPHABET.index(c) for c in text] for text in texts]).T


def inside(texts: list[str]) -> Tensor:
    """Return 1 where a character is inside quotes, else 0: (T, B)."""
    return torch.stack([unrolled.features.inside_quotes(text) for text in texts], 1)


def write(length: int, draw: random.Random) -> str:
    """Make up a text, in which one character in seven is a quote."""
    return "".join(draw.choices(ALPHABET, k=length))


def train(model: Reader, draw: random.Random) -> None:
    """Take 150 steps of Adam, each on 16 fresh texts."""
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(150):
        texts = [write(40, draw) for _ in range(16)]
        loss = nn.functional.binary_cross_entropy_with_logits(model(numbers(texts)), inside(texts))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def right(model: Reader, texts: list[str]) -> float:
    """Return the part of all characters about which the model is right."""
    with torch.no_grad():
        return ((model(numbers(texts)) > 0) == (inside(texts) > 0)).float().mean().item()


def main() -> None:
    """Train a reader, then open it."""
    torch.manual_seed(0)
    draw = random.Random(0)
    model = Reader()
    unrolled.adopt(model)
    train(model, draw)
    texts = [write(200, draw) for _ in range(8)]
    print(f"On new text it is right about {right(model, texts):.1%} of all characters.")

    print("\nRECORD. Every value of the equations has a name:")
    print(" ", ", ".join(name for name in unrolled.names(model) if not name.endswith("_pre")))
    with unrolled.record(model, "lstm.l0.[fch]") as recording, torch.no_grad():
        model(numbers(texts))

    search = unrolled.find_units(recording, inside(texts))
    best = search[0]
    print(
        f"\nFIND. {len(search.found)} of {len(search)} values follow the quotes. The one that does"
    )
    print(f"best is unit {best.unit} of {best.name}, with a correlation of {best.score:.2f}:")
    values = recording[best.name][:, 0, best.unit]
    for character, value in zip(texts[0][:24], values.tolist(), strict=False):
        print(f"  {character}  {value:+.2f}")

    print("\nCHANGE. Put 0 in the place of a value, and ask again:")
    with unrolled.edit(model, {"lstm.l0.f": 0.0}):
        print(f"  with the forget gate closed, it is right about {right(model, texts):.1%}")
    for unit in range(UNITS):
        with unrolled.edit(model, {"lstm.l0.c": 0.0}, units=[unit]):
            print(f"  without unit {unit} of the cell state, about {right(model, texts):.1%}")

    print("\nFOLLOW. How much of the gradient of the last answer is left so many steps earlier:")
    flow = unrolled.gradient_flow(model, numbers(texts), loss=lambda answer: answer[-1].sum())
    norms = flow.norms["lstm.l0"].mean(1)  # (T, B): the mean over the texts
    for back in (1, 5, 10, 20, 40):
        print(f"  {back:2} steps   {(norms[-1 - back] / norms[-1]).item():.2g}")

    print("\nDIAGNOSE. What usually goes wrong in recurrent layers, looked for in this one:")
    print(" ", unrolled.diagnose(model, numbers(texts)).verdict)

    if importlib.util.find_spec("matplotlib") and importlib.util.find_spec("PIL"):
        from unrolled.draw import charts

        gates = {name: recording[f"lstm.l0.{name}"][:24, 0] for name in ("f", "c", "h")}
        path = Path(*sys.argv[1:2] or ["."]) / "inside.png"
        charts.gates(gates, texts[0][:24], title="inside quotes?").save(path)
        print(f"\nDRAW. f, c and h of all units over the first characters: {path}")


if __name__ == "__main__":
    main()
