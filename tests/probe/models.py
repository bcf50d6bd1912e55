"""Models in the style of those that people have, and every cell in every way of running it."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

import unrolled
from unrolled.cells import CELLS

I, H, T, B, P = 3, 5, 6, 4, 2  # noqa: E741
LENGTHS = [3, 6, 1, 4]


class Tagger(nn.Module):
    """Embedding, packed bidirectional layers, a linear layer."""

    def __init__(self, library: Any = nn, layers: int = 2) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, I)
        self.lstm = library.LSTM(I, H, layers, bidirectional=True, batch_first=True, dropout=0.2)
        self.tags = nn.Linear(2 * H, 3)

    def forward(self, words: Tensor, lengths: Tensor) -> Tensor:
        x = pack_padded_sequence(
            self.embedding(words), lengths, batch_first=True, enforce_sorted=False
        )
        return self.tags(pad_packed_sequence(self.lstm(x)[0], batch_first=True)[0])


class Translator(nn.Module):
    """An encoder, and a decoder that takes steps in a loop."""

    def __init__(self, library: Any = nn) -> None:
        super().__init__()
        self.encoder = library.GRU(I, H, bidirectional=True)
        self.start = nn.Linear(2 * H, H)
        self.decoder = library.LSTMCell(H, H)
        self.out = nn.Linear(H, I)

    def forward(self, x: Tensor, steps: int = 5) -> Tensor:
        _, last = self.encoder(x)
        h = self.start(torch.cat([last[0], last[1]], -1))
        c, y, outputs = torch.zeros_like(h), torch.zeros_like(h), []
        for _ in range(steps):
            h, c = self.decoder(y, (h, c))
            y = torch.tanh(h)
            outputs.append(self.out(y))
        return torch.stack(outputs)


class Ending(nn.Module):
    """A loop over a cell in which rows end, the longest first (as in stanza's PackedLSTM)."""

    def __init__(self, cell: Any) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, x: Tensor, sizes: list[int]) -> Tensor:
        h = c = x.new_zeros(sizes[0], H)
        outputs = []
        for x_t, rows in zip(x, sizes, strict=True):
            h, c = self.cell(x_t[:rows], (h[:rows], c[:rows]))
            outputs.append(nn.functional.pad(h, (0, 0, 0, sizes[0] - rows)))
        return torch.stack(outputs)


class LanguageModel(nn.Module):
    """Layers in a list, weights of the embedding tied to the output (Merity et al. 2017)."""

    def __init__(self, library: Any = nn) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, H)
        self.layers = nn.ModuleList([library.LSTM(H, H), library.LSTM(H, H)])
        self.out = nn.Linear(H, 7)
        self.out.weight = self.embedding.weight

    def forward(self, words: Tensor, states: Any = None) -> tuple[Tensor, list[Any]]:
        x, last = self.embedding(words), []
        for index, layer in enumerate(self.layers):
            x, state = layer(x, None if states is None else states[index])
            last.append(state)
            x = nn.functional.dropout(x, 0.1, self.training)
        return self.out(x), last


class Forecaster(nn.Module):
    """A plain layer in a layer of names, read at the last step."""

    def __init__(self, library: Any = nn) -> None:
        super().__init__()
        self.core = nn.ModuleDict({"rnn": library.RNN(I, H, 2, "relu", batch_first=True)})
        self.head = nn.Sequential(nn.Linear(H, H), nn.ReLU(), nn.Linear(H, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.core["rnn"](x)[0][:, -1])


def inputs(model: nn.Module) -> tuple[Any, ...]:
    """What a model is called with."""
    if isinstance(model, Tagger):
        return torch.randint(7, (B, T)), torch.tensor(LENGTHS)
    if isinstance(model, LanguageModel):
        return (torch.randint(7, (T, B)),)
    return (torch.randn(*((B, T) if isinstance(model, Forecaster) else (T, B)), I),)


MODELS = [Tagger, Translator, LanguageModel, Forecaster]


def layer(name: str, **options: Any) -> unrolled.Recurrent:
    """A layer of a known cell; weights are small, so that divisions are safe."""
    options.setdefault("proj_size", P if CELLS[name].projects else 0)
    return unrolled.Recurrent(CELLS[name], I, H, **options)


def step(name: str, **options: Any) -> unrolled.RecurrentCell:
    """A step of a known cell."""
    options.setdefault("proj_size", P if CELLS[name].projects else 0)
    return unrolled.RecurrentCell(CELLS[name], I, H, **options)


def initial(module: Any, *leading: int) -> Any:
    """Positive states, (*leading, units): a tensor, or a tuple of several."""
    states = tuple(
        0.2 + torch.rand(*leading, P if module.proj_size and state == "h" else H)
        for state in module.graph.states
    )
    return states if len(states) > 1 else states[0]


def parts(module: Any, hx: Any, place: int) -> dict[str, Tensor]:
    """The states of one layer and direction, by name."""
    given = hx if isinstance(hx, tuple) else (hx,)
    return {state: v[place] for state, v in zip(module.graph.states, given, strict=True)}


def packed(x: Tensor, lengths: list[int]) -> PackedSequence:
    return pack_padded_sequence(x, torch.tensor(lengths), enforce_sorted=False)
