from functools import lru_cache

import pytest

from unrolled.cells import CELLS
from unrolled.draw import search
from unrolled.draw.elements import elements
from unrolled.draw.placement import Grid, placements
from unrolled.draw.wiring import Wiring, wire


@pytest.fixture(autouse=True)
def _thorough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "WORK", 40_000)


@lru_cache
def best(name: str) -> Wiring:
    return search.best(elements(CELLS[name].graph))


def test_a_layout_is_no_dearer_than_any_placement_as_it_comes() -> None:
    for name in ("gru", "lstm", "mgu", "cornn"):
        found = elements(CELLS[name].graph)
        placed = placements(Grid(found))[: search.STARTS]
        assert best(name).price <= min(wire(found, each).price for each in placed)


def test_known_cells_have_no_more_crossings_than_they_need() -> None:
    # h crosses c on its way out of an LSTM; a GRU's z crosses what leads to its candidate.
    known = {"lstm": 1, "lstm_1997": 1, "gru": 1, "gru_reset_before": 1, "mgu": 1}
    known |= {"ugrnn": 0, "min_gru": 0, "rnn_tanh": 0, "indrnn": 0}
    found = {name: best(name).router.crossings for name in known}
    assert {name: count for name, count in found.items() if count > known[name]} == {}


def test_an_input_runs_straight_into_its_join() -> None:
    for name in ("gru", "lstm", "mgu", "ugrnn"):
        found = best(name)
        joined = [target for source, target in found.paths if source == "x" and "join" in target]
        columns = {found.placed.cells[join].column for join in joined}
        assert found.placed.cells["x"].column in columns, name


def test_the_same_cell_is_laid_out_in_the_same_way() -> None:
    found = elements(CELLS["mgu"].graph)
    assert search.best(found).paths == best("mgu").paths
