from dataclasses import replace
from functools import lru_cache

import pytest

from unrolled.cells import CELLS
from unrolled.draw import scene_of, search
from unrolled.draw.elements import elements
from unrolled.draw.placement import Grid, Slot, closed, opened, placements
from unrolled.draw.wiring import Wiring, corners, wire

pytestmark = pytest.mark.broad


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


def test_an_opened_row_is_free_and_closes_again() -> None:
    placed = closed(placements(Grid(elements(CELLS["slstm"].graph)))[0])
    for row in (placed.inside[2] - 1, -1, 1, 2, placed.inside[3] + 1):
        wider = opened(placed, row)
        assert row not in {slot.row for slot in wider.cells.values()}
        assert sum(wider.inside[3:]) - wider.inside[2] == placed.inside[3] - placed.inside[2] + 1
        assert closed(wider) == placed


def test_an_element_may_get_a_row_of_its_own() -> None:
    # The second join stands below the first, so that x comes straight to both.
    for name, bends in (("mgu", 14), ("gru_reset_before", 16)):
        found = best(name)
        rows = {found.placed.cells[join].row for join in ("join 0", "join 1")}
        assert len(rows) == 2, name
        assert found.router.bends <= bends, name
        assert {len(corners(found.paths["x", join])) for join in ("join 0", "join 1")} <= {2, 3}


def test_no_row_of_a_picture_is_empty() -> None:
    for name in ("mgu", "ugrnn", "janet", "cornn"):
        placed = best(name).placed
        rows = {0, *(slot.row for slot in placed.cells.values())}
        assert rows >= set(range(placed.inside[2], placed.inside[3] + 1)), name
        assert placed.output == Slot(placed.inside[1], placed.inside[3] + 1)


def own_bends(wiring: Wiring) -> int:
    """How often the line to the output bends after it has left its value's line."""
    state = f"{wiring.found.graph.output}'"
    (source,) = wiring.found.sources(state)
    path, other = wiring.paths[source, "output"], set(wiring.paths[source, state])
    own = [n for n, vertex in enumerate(path) if vertex not in other]
    return len(corners(path[own[0] - 1 :])) - 2


def test_the_line_to_the_output_can_be_laid_first_and_has_no_hook() -> None:
    found = elements(CELLS["slstm"].graph)
    placed = placements(Grid(found))[0]
    later, first = wire(found, placed), wire(found, replace(placed, upward=True))
    assert (own_bends(later), own_bends(first)) == (1, 0)
    assert first.price < later.price
    assert own_bends(best("mgu")) == 0


def test_a_sign_stands_clear_of_its_circle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "WORK", 1000)
    for name in ("cornn", "min_gru"):
        picture = scene_of(CELLS[name])
        for label in picture.labels:
            if label.id.startswith("sign "):
                box = picture.boxes[label.id.removeprefix("sign ").rsplit(" ", 1)[0]]
                left, down, right, up = label.bounds
                a, b, c, d = box.bounds
                assert max(a - right, left - c, b - up, down - d) >= 0.08, label.id
