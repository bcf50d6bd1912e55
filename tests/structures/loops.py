"""The structures once more: plain loops over torch.nn cells, one row and one step at a time."""

from typing import Any

import torch
from torch import Tensor, nn

CELLS: dict[str, tuple[type[nn.Module], dict[str, Any]]] = {
    "lstm": (nn.LSTMCell, {}),
    "gru": (nn.GRUCell, {}),
    "rnn_tanh": (nn.RNNCell, {}),
    "rnn_relu": (nn.RNNCell, {"nonlinearity": "relu"}),
}

SEVERAL = ("lstm", "gru", "lstm_projected", "slstm", "cornn")
"""Cells of one to four states, one of them projected."""

State = list[Tensor]


def read(
    layer: Any, rows: list[Tensor], states: list[list[State]] | None = None
) -> tuple[list[Tensor], list[list[State]]]:
    """Outputs of each row, (T, directions * H), and states by row, layer and direction."""
    outputs, finals = [], []
    for index, row in enumerate(rows):
        data, last = row, []
        for number in range(layer.num_layers):
            sides = []
            for direction, suffix in enumerate(suffixes(layer, number)):
                place = number * len(suffixes(layer, 0)) + direction
                start = states[index][place] if states else None
                order = range(len(row)) if direction == 0 else reversed(range(len(row)))
                written, state = _run(layer, suffix, data, list(order), start)
                sides.append(written)
                last.append(state)
            data = torch.cat(sides, -1)
        outputs.append(data)
        finals.append(last)
    return outputs, finals


def suffixes(layer: Any, number: int) -> list[str]:
    return [f"_l{number}", f"_l{number}_reverse"][: 2 if layer.bidirectional else 1]


def _run(
    layer: Any, suffix: str, data: Tensor, order: list[int], start: State | None
) -> tuple[Tensor, State]:
    kind, options = CELLS[layer.cell.name]
    cell = kind(data.shape[-1], layer.hidden_size, dtype=data.dtype, **options)
    weights = {
        name: getattr(layer, name + suffix)
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    }
    count = 2 if layer.cell.name == "lstm" else 1
    state = start or [data.new_zeros(layer.hidden_size) for _ in range(count)]
    written = data.new_zeros(len(data), layer.hidden_size)
    written = list(written.unbind())
    for t in order:
        hx = tuple(state) if count == 2 else state[0]
        after = torch.func.functional_call(cell, weights, (data[t], hx))
        state = list(after) if count == 2 else [after]
        written[t] = state[0]
    return torch.stack(written) if written else data.new_zeros(0, layer.hidden_size), state


def rows(padded: Tensor, lengths: list[int]) -> list[Tensor]:
    """Padded sequences (T, B, …), each cut at its end."""
    return [padded[:length, row] for row, length in enumerate(lengths)]


def attend(attention: Any, query: Tensor, memory: Tensor) -> Tensor:
    """One query (H) on the memory (S, M) of its row."""
    if len(memory) == 0:
        seen = memory.new_zeros(memory.shape[1])
    else:
        scores = torch.stack([step @ (attention.score.weight @ query) for step in memory])
        seen = torch.stack(
            [a * step for a, step in zip(scores.softmax(0), memory, strict=True)]
        ).sum(0)
    return torch.tanh(attention.combine.weight @ torch.cat([seen, query]))
