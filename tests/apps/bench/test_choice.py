import pytest

from unrolled.apps.bench.choice import CELLS, KINDS, Shapes, every
from unrolled.apps.bench.rivals import RIVALS, missing
from unrolled.apps.bench.rows import Row

from .fakes import SMALL, inference

SMALLS = Shapes([SMALL], [SMALL], [SMALL])


def test_rows_cover_kinds_and_cells() -> None:
    rows = list(every(Shapes()))
    assert {row.kind for row in rows} == set(KINDS)
    assert {row.cell for row in rows} == set(CELLS)
    assert len({(row.title, row.shape) for row in rows}) == len(rows)


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported")
@pytest.mark.parametrize("row", list(every(SMALLS)), ids=lambda row: row.title.replace(" ", "-"))
def test_everybody_in_a_row_gives_the_right_numbers(row: Row) -> None:
    contest = row.contest(())
    for contender in (contest.subject, *contest.opponents):
        assert contender.complaint() is None
        assert contender.flops > 0


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("rival", RIVALS, ids=lambda rival: rival.key)
def test_rivals_give_the_right_numbers(rival, cell: str) -> None:
    reason = rival.available()
    if reason is not None:
        pytest.skip(reason)
    contest = inference(cell).contest([rival])
    assert contest.opponents[1].complaint() is None


def test_a_package_that_is_missing_is_named() -> None:
    assert missing("torch", "no_such_package") == "no_such_package not installed"
    assert missing("torch") is None
