import math

import pytest
import torch

from unrolled import cells
from unrolled.apps.study.entrant import Entrant
from unrolled.apps.study.outcome import Outcome
from unrolled.apps.study.problems import Adding, Copying, Sentences
from unrolled.apps.study.trial import Budget, Trial, run
from unrolled.equations import cell
from unrolled.equations.language import affine, exp
from unrolled.errors import UserError


@cell
def bursting(x, h):
    """Grows without bounds."""
    h = exp(exp(affine(x) + affine(h)))
    return locals()


def outcome(trial: Trial) -> Outcome:
    found = run(trial)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def learned() -> Outcome:
    trial = Trial(Sentences("long", 2), Entrant(cells.gru), 0, Budget(hidden=48, steps=900))
    return outcome(trial)


def test_held_out_answers_are_learned_over_a_short_gap(learned: Outcome) -> None:
    assert learned.trained > 0.9
    assert learned.held_out > 0.5  # chance is 1 in 288
    assert learned.curve[0].loss > learned.curve[-1].loss
    assert learned.curve[-1].step == 900


def test_the_answer_comes_from_the_facts(learned: Outcome) -> None:
    found = learned.reading
    assert found is not None
    assert sum(found.shares) == pytest.approx(1, abs=0.01)
    assert sum(found.shares[place] for place in found.facts) > 0.5


def test_an_outcome_is_read_back(learned: Outcome) -> None:
    again = Outcome.from_json(learned.to_json())
    assert again.key == learned.key
    assert again.reading == learned.reading
    assert again.to_json() == learned.to_json()


@pytest.mark.parametrize("problem", [Sentences("short", 3), Adding(6), Copying(2)])
def test_a_trial_repeats_itself(problem: Sentences | Adding | Copying) -> None:
    first, again, other = (
        outcome(Trial(problem, Entrant(cells.lstm), seed, Budget(hidden=8, steps=6)))
        for seed in (3, 3, 4)
    )
    assert first.curve == again.curve
    assert first.gradients == again.gradients
    assert first.held_out == again.held_out
    assert first.curve != other.curve


def test_gradients_are_relative_to_the_last_step_and_reach_the_first() -> None:
    problem = Sentences("long", 30)
    trial = Trial(problem, Entrant(cells.rnn_tanh), 0, Budget(hidden=16, steps=1))
    sizes = trial.gradient()
    assert len(sizes) == problem.grammar.length(30)
    assert sizes[0] == 1.0
    assert 0 < sizes[-1] < 1e-4 < sizes[1] < 1
    identity = Trial(problem, Entrant(cells.rnn_relu, "identity"), 0, Budget(hidden=16, steps=1))
    assert identity.gradient()[-1] > 1e-3


def test_a_training_that_diverges_says_so() -> None:
    trial = Trial(Adding(8), Entrant(bursting), 0, Budget(hidden=4, steps=10))
    found = outcome(trial)
    assert found.diverged
    assert math.isnan(Outcome.from_json(found.to_json()).held_out)
    assert not found.solved


def test_a_trial_stops_when_told() -> None:
    trial = Trial(Adding(4), Entrant(cells.gru), 0, Budget(hidden=4, steps=1000))
    assert run(trial, lambda: trial.training.step >= 5) is None
    assert trial.training.step == 5


def test_the_rate_rises_stays_and_falls() -> None:
    trial = Trial(Adding(4), Entrant(cells.gru), 0, Budget(hidden=4, steps=200))
    steps = (0, 19, 60, 100, 150, 199)
    rates = [trial.learning_rate(step) / trial.problem.rate for step in steps]
    assert rates == pytest.approx([0.05, 1, 1, 1, 0.5, 0.01])


def test_sizes_out_of_range() -> None:
    with pytest.raises(UserError, match="--hidden"):
        Budget(hidden=1)
    with pytest.raises(UserError, match="--steps"):
        Budget(steps=0)


def test_the_generator_of_the_caller_is_its_own() -> None:
    torch.manual_seed(0)
    Trial(Adding(4), Entrant(cells.gru), 0, Budget(hidden=4, steps=1))
