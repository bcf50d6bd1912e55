import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from unrolled import cells
from unrolled.apps.study.command import study
from unrolled.apps.study.entrant import Entrant
from unrolled.apps.study.grid import Plan, carry_out, tasks
from unrolled.apps.study.outcome import Results
from unrolled.apps.study.problems import problem
from unrolled.apps.study.table import Figure, gathered
from unrolled.apps.study.trial import Budget
from unrolled.apps.terminal import Interrupt
from unrolled.cells import find
from unrolled.errors import UserError

BUDGET = Budget(hidden=6, steps=4)


def small(seeds: int = 2) -> list[Plan]:
    return tasks({"long": (2, 5)}, [Entrant(cells.rnn_tanh)], seeds, BUDGET)


@pytest.mark.broad
def test_known_trials_are_not_run_again(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    first = list(carry_out(small(1), Results(path), 1, Interrupt()))
    assert [(each.gap, each.seed) for each in first] == [(2, 0), (5, 0)]
    again = Results(path)
    new = list(carry_out(small(2), again, 1, Interrupt()))
    assert [(each.gap, each.seed) for each in new] == [(2, 1), (5, 1)]
    assert len(Results(path)) == 4
    assert not list(carry_out(small(2), Results(path), 1, Interrupt()))
    assert not list(tmp_path.glob("*.partial"))


def test_other_sizes_equations_and_starts_are_other_trials(tmp_path: Path) -> None:
    results = Results(tmp_path / "results.json")
    list(carry_out(small(1), results, 1, Interrupt()))
    entrant = Entrant(cells.rnn_tanh)
    for changed in (
        Plan(problem("long", 2), entrant, 0, Budget(hidden=7, steps=4)),
        Plan(problem("long", 2), entrant, 0, Budget(hidden=6, steps=5)),
        Plan(problem("short", 2), entrant, 0, BUDGET),
        Plan(problem("long", 2), Entrant(cells.rnn_tanh, "identity"), 0, BUDGET),
        Plan(problem("long", 2), Entrant(cells.rnn_relu), 0, BUDGET),
    ):
        assert changed.key not in results
    assert Plan(problem("long", 2), entrant, 0, BUDGET).key in results


def test_an_interrupt_keeps_what_is_done(tmp_path: Path) -> None:
    results = Results(tmp_path / "results.json")
    with Interrupt() as interrupt:
        found = carry_out(small(3), results, 1, interrupt)
        next(found)
        interrupt._note(2, None)
        assert not list(found)
    assert len(Results(tmp_path / "results.json")) == 1


@pytest.mark.slow
def test_trials_side_by_side_find_the_same() -> None:
    here, beside = Results(), Results()
    list(carry_out(small(2), here, 1, Interrupt()))
    list(carry_out(small(2), beside, 2, Interrupt()))
    assert len(beside) == 4
    for each in here:
        assert beside[each.key].curve == each.curve


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"version": 99, "outcomes": []}', '{"version": 1, "outcomes": [{}]}'],
)
def test_a_damaged_file_is_not_replaced(tmp_path: Path, content: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(content)
    with pytest.raises(UserError, match=r"results\.json"):
        Results(path)
    assert path.read_text() == content


def shown(tmp_path: Path, *, gaps: tuple[int, ...], seeds: int = 1) -> str:
    console = Console(file=io.StringIO(), width=100, _environ={})
    study(
        console, ["long"], ["rnn_tanh", "lstm+forget"], gaps, seeds, BUDGET, 1,
        tmp_path / "r.json", find, Interrupt(),
    )  # fmt: skip
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.broad
def test_the_command_prints_a_table_and_goes_on(tmp_path: Path) -> None:
    text = shown(tmp_path, gaps=(1,))
    for part in ("gap 1", "lstm+forget", "chance 0.3 %", "2/2  long 1"):
        assert part in text
    text = shown(tmp_path, gaps=(1, 3))
    assert "Known already: 2 of 4 trials." in text
    assert "gap 3" in text
    data = json.loads((tmp_path / "r.json").read_text())
    assert len(data["outcomes"]) == 4
    assert data["machine"]["versions"]["unrolled"]


def test_figures_have_their_mean_and_spread() -> None:
    results = Results()
    list(carry_out(small(2), results, 1, Interrupt()))
    figure = gathered(results)["long"]["rnn_tanh"][5]
    assert isinstance(figure, Figure)
    scores = [each.held_out for each in results if each.gap == 5]
    assert figure.mean == sum(scores) / 2
    assert figure.spread == (min(scores), max(scores))
