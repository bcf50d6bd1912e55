"""What the layers of this library and those of torch.nn learn in the same time.

    python benchmarks/language_model.py unrolled [--seconds 75]
    python benchmarks/language_model.py torch [--seconds 75]

Trains the demonstration's character model on Python's help topics, in the same loop with the same
settings and weights; only the layer differs. Whoever is faster takes more steps. Printed are the
steps, the held-out bits per character, and what n-grams reach.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, final

from torch import nn

from unrolled.apps.terminal import Interrupt
from unrolled.apps.train import text
from unrolled.apps.train.demo import SETTINGS, paced
from unrolled.apps.train.language import Characters, Language
from unrolled.apps.train.loop import run
from unrolled.apps.train.settings import Settings
from unrolled.apps.train.task import Problem
from unrolled.apps.train.training import Training
from unrolled.cells import find
from unrolled.equations import Cell


@final
class TorchLSTM(nn.LSTM):
    """PyTorch's layer, called as ours is."""

    def forward(self, input: Any, hx: Any = None, lengths: None = None) -> Any:
        """Read whole sequences, of one length."""
        return super().forward(input, hx)


@final
@dataclass(frozen=True)
class TorchCharacters(Problem):
    """The next character, by a layer of torch.nn."""

    kind: ClassVar[str] = "torch"
    data: ClassVar[str] = "text"
    vocabulary: str

    def model(self, settings: Settings, cell: Cell) -> nn.Module:
        """The same model, with the same weights in a layer of torch.nn."""
        model: Any = Characters(self.vocabulary).model(settings, cell)
        ours = model.recurrent
        model.recurrent = TorchLSTM(ours.input_size, ours.hidden_size, ours.num_layers)
        model.recurrent.load_state_dict(ours.state_dict())
        return model


def main() -> None:
    """Train and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("layer", choices=("unrolled", "torch"))
    parser.add_argument("--seconds", type=float, default=75)
    given = parser.parse_args()
    cell = find(SETTINGS.cell)
    corpus = text.Corpus.of(text.default(), SETTINGS.held_out)

    def task(settings: Settings) -> Language:
        found = Language(settings, corpus)
        if given.layer == "torch":
            found.problem = TorchCharacters(corpus.vocabulary)
        return found

    training = Training(task(paced(Training(task(SETTINGS), cell), given.seconds)), cell)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for _ in run(training, Path(folder), Interrupt()):
            pass
    seconds = time.monotonic() - began
    assert training.last is not None
    layer = type(training.model.get_submodule("recurrent"))
    print(
        f"{layer.__module__}.{layer.__qualname__}: {training.step} steps in {seconds:.0f} s, "
        f"held out {training.last.loss:.3f} bits/char"
    )
    for name, loss in training.task.baselines().items():
        print(f"{name}: {loss:.3f} bits/char")


if __name__ == "__main__":
    main()
