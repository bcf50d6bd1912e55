import pytest

from unrolled.apps.train.schedule import learning_rate
from unrolled.apps.train.settings import Settings


def rates(schedule: str, steps: int) -> list[float]:
    settings = Settings(steps=steps, lr=0.5, schedule=schedule)
    return [learning_rate(step, settings) for step in range(steps)]


@pytest.mark.parametrize("steps", [1, 2, 10, 700])
@pytest.mark.parametrize("schedule", ["cosine", "constant"])
def test_every_rate_is_positive_and_at_most_the_peak(schedule: str, steps: int) -> None:
    assert all(0 < rate <= 0.5 for rate in rates(schedule, steps))


def test_constant_rises_and_stays() -> None:
    constant = rates("constant", 700)
    assert constant[:51] == sorted(constant[:51])
    assert set(constant[50:]) == {0.5}


def test_cosine_falls_towards_zero() -> None:
    cosine = rates("cosine", 700)
    assert cosine[50:] == sorted(cosine[50:], reverse=True)
    assert cosine[-1] < 1e-4
    assert cosine[350] == pytest.approx(0.25)


def test_cosine_stays_at_zero_beyond_the_last_step() -> None:
    assert learning_rate(900, Settings(steps=700, schedule="cosine")) == 0
