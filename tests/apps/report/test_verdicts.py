"""Every verdict comes out each way, by the numbers alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from unrolled.apps.report.claims import claims
from unrolled.apps.report.page import Speech
from unrolled.apps.report.verdicts import (
    Seed,
    by_seed,
    cure,
    enough,
    falling,
    long_gap,
    needed,
    short_gap,
    trouble,
)
from unrolled.apps.settling import Told, Verdict, both, settled
from unrolled.apps.study.outcome import Outcome

from .outcomes import ARRIVES, LEARNS, SCORES, VANISHES, outcome, study

HOLDS, FAILS, OPEN = Verdict.HOLDS, Verdict.FAILS, Verdict.OPEN
FAR = {"rnn_tanh": 100, "rnn_relu": 100, "lstm": 100}
YOUNG = ((0.0, 1e-22), (0.5, 1e-20), (0.9, 0.1), (1.0, 0.2))
"""Of a cell that has begun to learn while its gradient was gone."""
SUDDEN = ((0.3, 0.2), (0.5, 0.1), (0.9, 0.1), (1.0, 0.2))
"""Of a cell whose gradient and answers came between two evaluations."""


def changed(**scores: float) -> dict[tuple[str, int], float]:
    """The scores with others over the longest gap."""
    return SCORES | {(name, 100): score for name, score in scores.items()}


def told(comparison: Callable[[Seed], Told], outcomes: list[Outcome]) -> Verdict:
    return settled(map(comparison, by_seed(outcomes))).verdict


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        (study(SCORES), HOLDS),
        (study(SCORES | {("rnn_relu", 1): 0.8}), FAILS),
        (study(SCORES | {("rnn_relu", 1): 0.8}, steps=500), OPEN),
        (study(SCORES, seeds=2), OPEN),
    ],
)
def test_short_gap(outcomes: list[Outcome], verdict: Verdict) -> None:
    assert told(short_gap, outcomes) is verdict


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        (study(SCORES), HOLDS),
        (study(changed(rnn_tanh=0.97)), FAILS),
        (study(changed(rnn_tanh=0.7)), OPEN),  # neither learned nor lost
        (study(changed(lstm=0.2)), OPEN),  # too few steps for every cell, perhaps
        (study(SCORES | {("rnn_tanh", 1): 0.4}), OPEN),  # nothing to compare with
        (study(SCORES, seeds=1), OPEN),
        (study({("rnn_tanh", 1): 1.0, ("lstm", 1): 1.0}), OPEN),
    ],
)
def test_long_gap(outcomes: list[Outcome], verdict: Verdict) -> None:
    assert told(partial(long_gap, cell="rnn_tanh"), outcomes) is verdict


@pytest.mark.parametrize(
    ("scores", "verdict"),
    [
        (changed(rnn_relu=0.97), HOLDS),
        (SCORES, FAILS),
        (changed(lstm=0.1), OPEN),  # no cell learned it
        (changed(rnn_tanh=0.99), OPEN),  # nothing to cure
        (SCORES | {("rnn_relu+identity", 100): 0.99}, OPEN),  # depends on the start
        ({key: score for key, score in SCORES.items() if key[0] != "rnn_relu"}, OPEN),
    ],
)
def test_cure(scores: Mapping[tuple[str, int], float], verdict: Verdict) -> None:
    assert told(partial(cure, cell="rnn_relu", ill="rnn_tanh"), study(scores)) is verdict


def test_seeds_that_disagree_settle_nothing() -> None:
    other = [replace(each, seed=3) for each in study(changed(rnn_relu=0.97), seeds=1)]
    found = settled(
        cure(each, "rnn_relu", "rnn_tanh") for each in by_seed([*study(SCORES), *other])
    )
    assert (found.verdict, found.seeds, found.held, found.failed) == (OPEN, 4, 1, 3)


@pytest.mark.parametrize(
    ("looks", "verdict"),
    [
        (LEARNS, HOLDS),
        (YOUNG, FAILS),
        (SUDDEN, OPEN),
    ],
)
def test_gradients_are_needed(looks: Any, verdict: Verdict) -> None:
    outcomes = study(SCORES, looks={("lstm", 100): looks})
    assert told(needed, outcomes) is verdict


@pytest.mark.parametrize(
    "outcomes",
    [
        study(SCORES, seeds=1),  # of one seed nothing holds, however clear it is
        study(changed(lstm=0.1)),  # nobody learned
        study(changed(rnn_tanh=0.99, rnn_relu=0.99)),  # everybody did
        study(SCORES, looks={("rnn_tanh", 100): ARRIVES, ("rnn_relu", 100): ARRIVES}),
        [
            replace(each, curve=[point._replace(reach=float("nan")) for point in each.curve])
            for each in study(SCORES)
        ],
    ],
)
def test_without_a_contrast_it_is_not_settled_whether_gradients_are_needed(
    outcomes: list[Outcome],
) -> None:
    assert told(needed, outcomes) is OPEN


def test_small_gradients_before_training_are_no_evidence() -> None:
    """All of them vanish at first: what counts is when learning begins."""
    outcomes = study(SCORES)
    assert all(each.gradients[0.0][-1] < 1e-20 for each in outcomes)
    assert told(needed, outcomes) is HOLDS
    assert told(needed, study(SCORES, looks={("lstm", 100): YOUNG})) is FAILS


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        (study(SCORES), HOLDS),
        (study(SCORES, looks={("rnn_relu", 100): ARRIVES}), FAILS),
        (study(changed(rnn_relu=0.7), looks={("rnn_relu", 100): ARRIVES}), OPEN),
        (study(changed(lstm=0.1), looks={("rnn_relu", 100): ARRIVES}), OPEN),
        (study(SCORES, looks=dict.fromkeys(FAR.items(), VANISHES)), OPEN),
    ],
)
def test_gradients_are_enough(outcomes: list[Outcome], verdict: Verdict) -> None:
    assert told(enough, outcomes) is verdict


def test_what_comes_after_learning_is_no_reason_for_it() -> None:
    """The same gradients as of an able cell, but that they came when it had learned."""
    effect = ((0.0, 1e-20), (0.9, 0.2), (1.0, 0.2), (1.0, 0.2))
    found = study(SCORES, looks={("lstm", 100): effect})
    assert told(enough, found) is OPEN
    at_once = study(SCORES, looks={("lstm", 100): SUDDEN})  # no look before it
    assert told(enough, at_once) is OPEN
    assert {enough(each).why for each in by_seed(at_once)} == {
        "gradient and answers came between two evaluations"
    }
    unable = {("lstm", 100): effect, ("rnn_relu", 100): ARRIVES}
    assert told(enough, study(SCORES, looks=unable)) is FAILS  # who does not learn counts whole


def test_a_claim_of_two_parts_holds_if_both_do() -> None:
    assert both(HOLDS, HOLDS) is HOLDS
    assert both(HOLDS, OPEN) is OPEN
    assert both(OPEN, FAILS) is FAILS


def test_what_went_wrong_is_told_apart() -> None:
    dead = outcome("rnn_relu", 10, 0.0, dead=1.0)
    flat = [point._replace(loss=5.0) for point in dead.curve]
    dead = replace(dead, curve=flat)
    burst = replace(dead, dead=0.0, gradients={0.0: [1.0, 40.0]})
    slow = replace(dead, dead=0.1, curve=[p._replace(loss=5000 / p.step) for p in flat])
    lost = replace(dead, dead=0.0, diverged=True)
    solved = outcome("rnn_relu", 10, 1.0)
    assert trouble([dead, burst, slow, lost, solved]) == (4, 1, 2, 1, 0)
    assert falling(dead) is False
    assert falling(slow) is True


def test_a_loss_that_nobody_looked_at_does_not_fall() -> None:
    unseen = outcome("rnn_relu", 10, 0.0, curve=[], diverged=True)
    assert falling(unseen) is None
    assert trouble([unseen]) == (1, 0, 1, 0, 1)
    points = outcome("rnn_relu", 10, 0.0).curve
    late = [each._replace(loss=5000 / each.step) for each in points]
    burst = outcome("rnn_relu", 10, 0.0, curve=late, diverged=True)
    assert trouble([burst]) == (1, 0, 1, 0, 0)  # exploded, and so did not still fall
    assert trouble([replace(burst, diverged=False)]) == (1, 0, 0, 1, 0)


# The page says it with the number of seeds and steps.


def kinds(outcomes: list[Outcome]) -> list[str]:
    return [each["kind"] for each in claims(outcomes, Speech())]


def test_claims_follow_from_the_numbers() -> None:
    assert kinds(study(SCORES)) == ["yes", "yes", "no", "yes", "yes"]
    other = changed(lstm=0.3, rnn_relu=0.99, rnn_tanh=0.98)
    assert kinds(study(other)) == ["yes", "no", "part", "part", "yes"]
    assert kinds(study(changed(lstm=0.3, rnn_relu=0.99))) == ["yes", "yes", "yes", "no", "yes"]
    arriving = study(SCORES, looks={("rnn_relu", 100): ARRIVES})
    assert kinds(arriving) == ["yes", "yes", "no", "yes", "no"]


def test_one_seed_settles_nothing() -> None:
    assert kinds(study(SCORES, seeds=1)) == ["part"] * 5
    found = claims(study(SCORES, seeds=1), Speech())
    assert found[0]["why"] == ("of 1 seed, 1 for it and 0 against it; a verdict takes at least 3")


def test_a_short_study_settles_nothing_against_a_cell() -> None:
    low = dict.fromkeys(SCORES, 0.01)
    assert kinds(study(low, steps=50)) == ["part"] * 5


def test_trouble_is_said_with_its_steps() -> None:
    relu = claims(study(SCORES), Speech())[2]
    assert "after 2,000 steps, of 3 seeds: 0 with more than half" in relu["measured"][1]
    assert "95 %" in relu["test"]
