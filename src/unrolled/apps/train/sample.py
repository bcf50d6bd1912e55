"""Text written by a model, character by character."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ...errors import UserError
from .states import States
from .text import encode


def sample(
    model: nn.Module,
    vocabulary: str,
    prompt: str = "",
    length: int = 500,
    temperature: float = 1.0,
    seed: int = 0,
) -> Iterator[str]:
    """Characters that continue ``prompt``, one at a time; the prompt itself is not repeated.

    Args:
        model: as trained; used in evaluation mode and left in it.
        vocabulary: the characters of its symbols.
        prompt: where to start; empty: at the beginning of a line.
        length: how many characters to write.
        temperature: divides the logits; 1 is the model's own distribution, 0 takes the likeliest.
        seed: of the draws; the same seed writes the same text.

    Raises:
        UserError: a length, temperature or seed out of range, or a prompt with a character that
            the vocabulary lacks. At the call, not at the first character.
    """
    if length < 0:
        raise UserError(f"--length must be at least 0, not {length}")
    if not 0 <= temperature < math.inf:
        raise UserError(f"--temperature must be at least 0 and finite, not {temperature}")
    if not 0 <= seed < 2**63:
        raise UserError(f"--seed must be at least 0 and less than 2**63, not {seed}")
    start = prompt or ("\n" if "\n" in vocabulary else vocabulary[0])
    ids = encode(start, vocabulary)[:, None]
    generator = torch.Generator().manual_seed(seed)
    return _continue(model.eval(), vocabulary, ids, length, temperature, generator)


@torch.no_grad()
def _continue(
    model: nn.Module,
    vocabulary: str,
    ids: Tensor,
    length: int,
    temperature: float,
    generator: torch.Generator,
) -> Iterator[str]:
    states: States | None = None
    for _ in range(length):
        logits, states = model(ids, states)
        choice = _draw(logits[-1, 0], temperature, generator)
        ids = choice.view(1, 1)
        yield vocabulary[int(choice)]


def _draw(logits: Tensor, temperature: float, generator: torch.Generator) -> Tensor:
    if not torch.isfinite(logits).all():
        raise UserError("the model's scores are not finite: its weights are too large")
    if temperature == 0:
        return logits.argmax()
    # In float64, with the largest at zero, no temperature is small enough to overflow.
    logits = logits.double()
    return torch.multinomial(
        ((logits - logits.max()) / temperature).softmax(0), 1, generator=generator
    )
