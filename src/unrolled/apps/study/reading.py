"""A trained model reads one held-out sentence, and what its answer came from."""

from __future__ import annotations

import copy
import random
from dataclasses import asdict, dataclass
from typing import Any, final

import torch

from .reader import Reader
from .sentences import Sentences


@final
@dataclass(frozen=True, kw_only=True)
class Reading:
    """One sentence, word by word.

    Attributes:
        words: of the sentence, without its answer.
        facts: the places of the two words that decide the answer.
        answer: the two words that are right.
        said: the two words that the model says.
        shares: how much of what it says each word has decided: the norm of gradient × input of
            the said words' scores, as shares of 1.
    """

    words: list[str]
    facts: tuple[int, int]
    answer: tuple[str, str]
    said: tuple[str, str]
    shares: list[float]

    @property
    def right(self) -> bool:
        """Whether both words are right."""
        return self.said == self.answer

    def to_json(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def reading(model: Reader, problem: Sentences, seed: int = 4) -> Reading:
    """Let a model read the held-out sentence of a seed; all entrants read the same one."""
    grammar = problem.grammar
    sentence = grammar.sentence(problem.gap, random.Random(f"reading {seed}"), held_out=True)
    double = copy.deepcopy(model).double().eval()
    embedded = double.embedding(torch.tensor(problem.encode(sentence.words)).unsqueeze(1))
    embedded = embedded.detach().requires_grad_()
    outputs = double.readout(double.recurrent(embedded)[0][-1:])
    parts = problem.parts(outputs)
    best = [part.argmax(1) for part in parts]
    score = sum(part[0, int(place)] for part, place in zip(parts, best, strict=True))
    assert isinstance(score, torch.Tensor)
    (found,) = torch.autograd.grad(score, embedded)
    sizes = (found * embedded).detach().norm(dim=-1)[:, 0].nan_to_num(0.0, 0.0, 0.0)
    shares = sizes / sizes.sum().clamp_min(1e-300)
    given = [fact[number] for fact, number in zip(grammar.facts, sentence.answer, strict=True)]
    opening = len(grammar.story.openings[0].split())
    first, second = (sentence.words[:opening].index(word) for word in given)
    return Reading(
        words=sentence.words,
        facts=(first, second),
        answer=grammar.answer(sentence.answer),
        said=grammar.answer([int(place) for place in best]),
        shares=[float(f"{share:.4g}") for share in shares.tolist()],
    )
