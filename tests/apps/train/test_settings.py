import math
from typing import Any

import pytest

from unrolled.apps.train.settings import ABOUT, ANY, FREE, Settings, learning_rate
from unrolled.errors import UserError


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hidden", 0),
        ("hidden", 2**21),
        ("layers", 0),
        ("dropout", 1.5),
        ("dropout", 1.0),
        ("dropout", -0.1),
        ("batch", 0),
        ("window", -3),
        ("steps", 0),
        ("seconds", 0.0),
        ("seconds", math.inf),
        ("lr", -1e-3),
        ("lr", 0.0),
        ("schedule", "linear"),
        ("clip", 0.0),
        ("seed", -1),
        ("seed", 2**63),
        ("held_out", 0.0),
        ("held_out", 1.0),
        ("save_every", 0),
        ("evaluate_every", 0),
        ("threads", 0),
        ("patience", 0),
        ("evaluate_at_most", 0),
        ("accelerator", "tpu"),
        ("devices", 0),
        ("precision", "8"),
        ("accumulate", 0),
        ("tensorboard", "yes"),
    ],
)
def test_a_value_out_of_range_is_named_with_its_option(name: str, value: Any) -> None:
    with pytest.raises(UserError) as error:
        Settings(**{name: value})
    assert f"--{name.replace('_', '-')} must be " in str(error.value)
    assert str(error.value).endswith(f"not {value!r}")


@pytest.mark.parametrize("name", ["dropout", "seconds", "lr", "clip", "held_out"])
def test_nan_is_never_in_range(name: str) -> None:
    with pytest.raises(UserError, match="not nan"):
        Settings(**{name: math.nan})


def test_every_setting_but_the_cell_has_a_rule() -> None:
    assert [name for name, about in ABOUT.items() if about.rule is ANY] == ["cell"]


def test_free_settings_are_renewed() -> None:
    given: dict[str, Any] = {
        "steps": 5,
        "seconds": 3.0,
        "patience": 4,
        "save_every": 1,
        "evaluate_every": 2,
        "threads": 1,
        "accelerator": "auto",
        "devices": 2,
        "accumulate": 3,
        "tensorboard": True,
    }
    assert given.keys() == FREE
    assert Settings(lr=1.0).resumed(given) == Settings(lr=1.0, **given)


@pytest.mark.parametrize("name", sorted(Settings.__dataclass_fields__.keys() - FREE))
def test_another_value_of_any_other_setting_is_refused(name: str) -> None:
    with pytest.raises(UserError) as error:
        Settings().resumed({name: "other"})
    assert str(getattr(Settings(), name)) in str(error.value)
    assert "not other" in str(error.value)


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
