"""Adopt somebody's model: the same weights and results, in less time.

    python examples/adopt_a_model.py

The model is a tagger as it is often written: sentences of different lengths, packed, go through two
bidirectional LSTM layers. Not a line of it knows of unrolled.
"""

import copy
import time

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import unrolled


class Tagger(nn.Module):
    """Say of every word which of five tags it has."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(1000, 64)
        self.lstm = nn.LSTM(64, 96, num_layers=2, bidirectional=True, batch_first=True)
        self.tags = nn.Linear(192, 5)

    def forward(self, words: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores (B, T, 5) of words (B, T)."""
        packed = pack_padded_sequence(self.embedding(words), lengths, True, enforce_sorted=False)
        output, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        return self.tags(output)


def train(model: nn.Module, words: Tensor, lengths: Tensor, tags: Tensor) -> tuple[float, float]:
    """Take three steps of Adam; return the last loss and the seconds that the fastest step took."""
    optimizer = torch.optim.Adam(model.parameters())
    seconds = []
    for _ in range(3):
        begin = time.perf_counter()
        loss = nn.functional.cross_entropy(model(words, lengths).mT, tags, ignore_index=-1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seconds.append(time.perf_counter() - begin)
    return loss.item(), min(seconds)


def main() -> None:
    """Train a model and its adopted copy side by side, and turn the copy back."""
    torch.manual_seed(0)
    words = torch.randint(1000, (32, 40))
    lengths = torch.randint(10, 41, (32,))
    lengths[0] = 40
    is_word = torch.arange(40) < lengths.unsqueeze(1)
    tags = torch.where(is_word, words % 5, -1)  # what is to be learned; -1 is padding

    theirs = Tagger()
    ours = copy.deepcopy(theirs)
    print(f"unrolled.adopt(model): {unrolled.adopt(ours)}")
    print(f"It is still an nn.LSTM: {isinstance(ours.lstm, nn.LSTM)}")

    difference = (ours(words, lengths) - theirs(words, lengths)).abs().max().item()
    print(f"\nGreatest difference between the scores of both: {difference:.0e}")

    loss_theirs, seconds_theirs = train(theirs, words, lengths, tags)
    loss_ours, seconds_ours = train(ours, words, lengths, tags)
    print("\n                 torch.nn   adopted")
    print(f"loss, 3 steps    {loss_theirs:8.5f}  {loss_ours:8.5f}")
    print(f"seconds a step   {seconds_theirs:8.3f}  {seconds_ours:8.3f}")
    print(f"The adopted model takes {seconds_ours / seconds_theirs:.0%} of the time.")

    print(f"\nunrolled.release(model): {unrolled.release(ours)}")
    theirs.load_state_dict(ours.state_dict())
    same = torch.equal(ours(words, lengths), theirs(words, lengths))
    print(f"Its weights load into a model that was never adopted, with equal results: {same}")


if __name__ == "__main__":
    main()
