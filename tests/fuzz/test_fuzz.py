"""A fixed budget of random cells, and whether the search finds and shrinks what is planted."""

import sys
from typing import Any

import pytest

import unrolled
from unrolled.errors import CellError
from unrolled.graph import derivative
from unrolled.graph.operation import Operation
from unrolled.kernels.runtime import cache, recurrence

from .calls import Call
from .cases import as_test, case
from .check import Verdict, check
from .shrink import isolated, shrunk
from .sweep import result, summary, sweep
from .written import KINDS, Line, Written

SEEDS = 120
"""How many run with the tests: about 20 seconds on one core. Hours: ``python -m tests.fuzz``."""


@pytest.mark.parametrize("first", range(0, SEEDS, 20))
def test_kernels_are_what_the_equations_say(first: int) -> None:
    found = [result(seed) for seed in range(first, first + 20)]
    assert [each.get("test", each) for each in found if each["status"] == "failed"] == []
    assert sum(each["status"] == "excused" for each in found) <= 2


def test_a_seed_is_one_case() -> None:
    assert case(7) == case(7)
    assert len({case(seed) for seed in range(50)}) == 50


def test_seeds_draw_the_whole_language() -> None:
    cells = [case(seed)[0] for seed in range(200)]
    kinds = {line.kind for cell in cells for line in cell.lines}
    assert kinds >= {text for text, kind in KINDS.items() if kind.weight >= 1}
    assert len({len(cell.states) for cell in cells}) == 3


@pytest.mark.parametrize("text", KINDS)
def test_every_line_is_part_of_the_language(text: str) -> None:
    names = ("v0", "v1", "v2")[: KINDS[text].arguments]
    above = tuple(Line(name, "affine({0})", ("x",)) for name in names)
    cell = Written(("h",), (*above, Line("v3", text, names), Line("h", "tanh({0})", ("h",))))
    assert cell.cell().states == ("h",)


CELL = Written(
    ("h", "c"),
    (
        Line("v0", "affine({0}, {1})", ("x", "h")),
        Line("v1", "layer_norm({0})", ("v0",), kept=False),
        Line("v2", "{0} * tanh({1})", ("v1", "c")),
        Line("c", "sigmoid({0}) * {1}", ("v0", "v2")),
        Line("h", "{0} + {1}", ("v2", "c")),
    ),
)
CALL = Call(input_size=3, hidden_size=5, steps=4, batch=4, form="lengths", lengths=(4, 2, 2, 0))


def test_a_case_as_text_is_the_case() -> None:
    text = as_test(CELL, CALL, "why")
    space: dict[str, Any] = {"unrolled": unrolled, **vars(unrolled), "Line": Line}
    space |= {"Written": Written, "Call": Call, "check": check}
    exec(text, space)
    assert space["written"] == CELL
    assert "    c = sigmoid(v0) * v2\n" in text
    assert "    del v1\n" in text


@pytest.fixture
def _no_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels are made anew: those of earlier tests have no faults."""
    monkeypatch.setattr(recurrence, "_known", cache.Cache(cache.kernels))


@pytest.mark.usefixtures("_no_kernels")
def test_a_planted_fault_is_found_and_shrunk(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = derivative.__globals__["DERIVATIVE"]
    monkeypatch.setitem(rules, Operation.TANH, lambda node, g, a: (g * (1 - node),))
    verdict = check(CELL, CALL)
    assert verdict.status == "failed"
    assert "gradient of weight_ih_l0 differs by" in verdict.detail
    cell, call, last = shrunk(CELL, CALL, verdict)
    assert last.status == "failed"
    assert len(cell.lines) <= 2
    assert call.form == "dense"
    assert call.hidden_size == call.input_size == call.steps == 1


@pytest.mark.usefixtures("_no_kernels")
def test_what_is_near_a_kink_is_drawn_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fuzz.check.MARGIN", dict.fromkeys(sys.modules["fuzz.check"].MARGIN, 1e9))
    rules = derivative.__globals__["DERIVATIVE"]
    monkeypatch.setitem(rules, Operation.RELU, lambda node, g, a: (g,))
    cell = Written(("h",), (Line("v0", "relu({0})", ("h",)), Line("h", "tanh({0})", ("v0",))))
    verdict = check(cell, Call(hidden_size=9))
    assert (verdict.status, verdict.detail) == ("excused", "near a kink of relu")


def test_the_end_of_a_process_is_a_failure_of_its_seed() -> None:
    code = "import os, sys, json\nfor line in sys.stdin:\n"
    code += "    os.abort() if int(line) == 3 else None\n"
    code += "    print(json.dumps(dict(seed=int(line), status='same', detail='', way='', "
    code += "features=[])), flush=True)\n"
    found = sweep(range(6), 2, command=[sys.executable, "-c", code])
    assert [each["status"] for each in found] == [*["same"] * 3, "failed", *["same"] * 2]
    assert found[3]["detail"] == "the process ended with -6"
    assert "def fuzzed(" in found[3]["test"]
    told = summary(found, 1.0)
    assert told["seeds"] == [0, 5]
    assert [failure["seed"] for failure in told["failures"]] == [3]


def test_the_end_of_a_process_is_a_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fuzz.shrink.check", lambda cell, call: sys.exit(1))
    assert isolated(CELL, CALL).status == "failed"
    monkeypatch.setattr("fuzz.shrink.check", lambda cell, call: Verdict("same", "", "way"))
    assert isolated(CELL, CALL) == Verdict("same", "", "way")


def test_lines_that_make_no_cell() -> None:
    wrong = CELL._replace(lines=(*CELL.lines[:-1], Line("h", "{0}", ("x",))))
    with pytest.raises(CellError):
        wrong.cell()
    assert check(wrong, CALL).status == "invalid"
