"""Advice of `diagnose`, each followed to the letter on a case that it cures."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from torch.nn import init

import unrolled

from .tagger import Tagger, fixed, growing, learns, words

Act = Callable[[Any], object]


class Case(NamedTuple):
    """A tagger that does not learn, what is found in it, and what makes it learn."""

    code: str
    cell: str
    sick: Act  # what makes it sick
    advice: tuple[str, ...]  # words of the advice that is followed
    follow: Act | str = lambda layer: None  # what is done before training; or another cell
    gaps: tuple[int, int] = (5, 8)
    steps: int = 20
    needs: int | None = None
    updates: int = 100
    everywhere: bool = False  # whether the loss counts every word
    course: Any = fixed  # of the training that follows the advice
    clip: float = 0.0


def nothing(layer: Any) -> None:
    pass


def scaled(factor: float, part: str = "") -> Act:
    def act(layer: Any) -> None:
        for name, parameter in layer.named_parameters():
            if part in name:
                parameter.mul_(factor)

    return act


def orthogonal(layer: Any) -> None:
    for block in layer.weight_hh_l0.split(layer.hidden_size):
        init.orthogonal_(block)


def chaotic(layer: Any) -> None:
    orthogonal(layer)
    layer.weight_hh_l0.mul_(5)


def growing_identity(layer: Any) -> None:
    init.eye_(layer.weight_hh_l0).mul_(2)


def dead(layer: Any) -> None:
    layer.bias_ih_l0.fill_(-100)


def biases_of_zero(layer: Any) -> None:
    layer.bias_ih_l0.zero_()
    layer.bias_hh_l0.zero_()


def alike(layer: Any) -> None:
    for parameter in layer.parameters():
        gates = parameter.unflatten(0, (-1, layer.hidden_size))
        gates.copy_(gates[:, :1].clone().expand_as(gates))
    layer.weight_hh_l0.copy_(layer.weight_hh_l0.mean(1, keepdim=True).expand(-1, layer.hidden_size))


def reset(layer: Any) -> None:
    layer.reset_parameters()


def opened(*arguments: Any, **options: Any) -> Act:
    return lambda layer: unrolled.open_gate(layer, *arguments, **options)


FAR: dict[str, Any] = {"gaps": (20, 40), "steps": 60, "needs": 40, "updates": 125}
OPEN_40, CURRICULUM = "unrolled.open_gate(model, steps=40) before training", "a curriculum: train"
ORTHOGONAL = ("weights that are orthogonal", "clipping of the gradient's norm to 1")
CASES = {
    "far": Case("out-of-reach", "lstm", nothing, (OPEN_40, "first alone"), opened(steps=40), **FAR),
    "far, with a bias of 1": Case(
        "out-of-reach", "lstm", opened(), (OPEN_40, "first alone"), opened(steps=40), **FAR
    ),
    "far, with answers among much else": Case(
        "out-of-reach",
        "lstm",
        nothing,
        (OPEN_40, f"and {CURRICULUM}"),
        opened(steps=40),
        everywhere=True,
        course=growing,
        **FAR,
    ),
    "far, without a gate": Case(
        "out-of-reach",
        "rnn_tanh",
        nothing,
        ("a gated cell (gru, lstm)", OPEN_40, f"and {CURRICULUM}"),
        "gru",
        everywhere=True,
        course=growing,
        **FAR,
    ),
    "small weights": Case(
        "vanishing", "rnn_tanh", scaled(0.1, "weight_hh"), ("a gated cell",), "gru"
    ),
    "small weights, step by step": Case(
        "vanishing",
        "rnn_tanh",
        scaled(0.1, "weight_hh"),
        (CURRICULUM,),
        course=growing,
        updates=150,
    ),
    "closed lstm": Case("vanishing", "lstm", opened(-5), ("steps=N",), opened(steps=8)),
    "closed lstm, step by step": Case(
        "vanishing", "lstm", opened(-5), (CURRICULUM,), course=growing
    ),
    "closed gru": Case(
        "vanishing",
        "gru",
        lambda layer: (scaled(0.5, "weight_hh")(layer), unrolled.open_gate(layer, -6)),
        ("steps=N",),
        opened(steps=8),
    ),
    "in a long sequence": Case(
        "short-memory", "lstm", opened(-5), ("steps=N",), opened(steps=8), steps=160
    ),
    "half closed": Case(
        "forget-bias", "lstm", nothing, ("steps=N",), opened(steps=15), (10, 15), 30
    ),
    "half closed, near": Case("forget-bias", "lstm", nothing, ("a bias of 1",), opened(), (7, 10)),
    "saturated lstm": Case("saturated", "lstm", scaled(50), ("reset_parameters()",), reset, (3, 6)),
    "dead": Case("dead-units", "rnn_relu", dead, ("biases of 0",), biases_of_zero, (2, 4)),
    "explodes": Case(
        "exploding", "rnn_relu", growing_identity, ("a gated cell",), "gru", (3, 6), 40
    ),
    "explodes, mended": Case(
        "exploding",
        "rnn_relu",
        growing_identity,
        ORTHOGONAL,
        orthogonal,
        (3, 6),
        40,
        clip=1.0,
    ),
    "explodes, gated": Case(
        "exploding", "lstm", scaled(20, "weight_hh"), ORTHOGONAL, orthogonal, (3, 6), 40, clip=1.0
    ),
}


@torch.no_grad()
def made(cell: str, *acts: Act) -> Tagger:
    torch.manual_seed(0)
    model = Tagger(cell)
    for act in acts:
        act(model.rnn)
    return model


@pytest.mark.parametrize("name", CASES)
def test_advice_cures(name: str) -> None:
    case = CASES[name]
    options: dict[str, Any] = {
        "gaps": case.gaps,
        "steps": case.steps,
        "updates": case.updates,
        "everywhere": case.everywhere,
    }
    sick = made(case.cell, case.sick)
    diagnosis = unrolled.diagnose(sick, words(case.gaps, case.steps), needs=case.needs)
    advice = {finding.code: finding.advice for finding in diagnosis.findings}
    assert all(part in advice[case.code] for part in case.advice), advice
    assert learns(sick, **options) is None
    if isinstance(case.follow, str):
        cured = made(case.follow, *([opened(steps=case.needs)] if case.needs else []))
    else:
        cured = made(case.cell, case.sick, case.follow)
    after = unrolled.diagnose(cured, words(case.gaps, case.steps), needs=case.needs)
    if case.course is fixed or case.needs:
        assert case.code not in after.codes
    assert learns(cured, course=case.course, clip=case.clip, **options) is not None


def test_new_weights_tell_units_apart_and_no_more_is_promised() -> None:
    sick = made("gru", alike)
    (finding,) = (
        each
        for each in unrolled.diagnose(sick, words((2, 4), 20)).findings
        if each.code == "duplicate-units"
    )
    assert "reset_parameters(); whether more is learned then is not settled" in finding.advice
    cured = made("gru", alike, reset)
    assert "duplicate-units" not in unrolled.diagnose(cured, words((2, 4), 20)).codes
