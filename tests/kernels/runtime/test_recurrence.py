"""The kernels of a cell: which there are, which a call takes, and how long they are kept."""

import gc
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch

import unrolled
from samples import quiet
from unrolled import affine, mean, tanh
from unrolled.cells import CELLS
from unrolled.graph.graph import Graph
from unrolled.graph.rewrite import without_bias
from unrolled.kernels.codegen.packing import Layout
from unrolled.kernels.planning.schedule import UnsupportedError
from unrolled.kernels.planning.split import split
from unrolled.kernels.runtime import code, recurrence
from unrolled.kernels.runtime.abi import Buffer, Role
from unrolled.kernels.runtime.cache import Budget, Cache
from unrolled.kernels.runtime.jit import Machine
from unrolled.kernels.runtime.recurrence import Recurrence, Recurrences, recurrences
from unrolled.kernels.tuning import FEW_ROWS, OBJECT, OFTEN

from ..comparison import SIZES, assert_close, by_definition, call, outcome

LSTM = CELLS["lstm"].graph
LARGE = {**SIZES, "input": 200, "hidden": 300}
"""The weights that read the input are worth to be read once."""


def of(graph: Graph = LSTM, sizes: Any = SIZES) -> Recurrences:
    return recurrences(graph, sizes, torch.float64)


# Which kernels a call takes.


def test_many_rows_and_few() -> None:
    """What decides is how often the weights are read: rows times steps."""
    found = of()
    for rows in (1, FEW_ROWS - 1, FEW_ROWS, OFTEN - 1):
        steps = -(-OFTEN // rows)
        assert found.best(steps, rows, ["h"]) is found.many
        assert found.best(steps - 1, rows, ["h"]) is found.few
    assert found.best(1, OFTEN, ["h"]) is found.single
    assert found.best(1, 1, []) is found.few
    layouts = [kernels.layout for kernels in (found.few, found.single, found.many)]
    assert layouts == [Layout.HELD, Layout.PANEL, Layout.WHOLE]
    assert found.many.split is found.few.split
    assert found.long is found.many  # the weights that read the input are small


def test_few_rows_over_many_steps_read_the_input_before_the_loop() -> None:
    found = of(sizes=LARGE)
    assert found.long.layout is Layout.WHOLE
    assert found.long.split is not found.many.split
    assert found.best(100, FEW_ROWS, ["h"]) is found.many
    assert found.best(100, FEW_ROWS - 1, ["h"]) is found.long
    assert found.best(OFTEN, 1, ["h", "i", "i_pre"]) is found.long
    assert found.best(OFTEN - 1, 1, ["h"]) is found.few
    assert found.best(1, OFTEN - 1, ["h"]) is found.few
    assert found.best(1, OFTEN, ["h"]) is found.single


def test_large_weights_are_read_once() -> None:
    def has_long(width: int) -> bool:
        found = of(sizes={**LARGE, "input": width})
        return found.long is not found.many

    reads = 4 * 300 * 55
    assert reads > recurrence.LARGE_PRODUCT > reads - 4 * 300
    assert has_long(55)
    assert not has_long(54)


def test_what_is_recorded_has_to_be_in_the_loop() -> None:
    """Gates that read the input alone leave the loop of few rows and many steps."""
    found = of(CELLS["min_gru"].graph, {**SIZES, "input": 300, "hidden": 300})
    assert found.long is not found.many
    assert found.best(100, 1, ["h"]) is found.long
    assert found.best(100, 1, ["h", "z"]) is found.many


@pytest.mark.broad
@pytest.mark.parametrize(("steps", "rows"), [(20, 1), (20, 3), (4, 5), (2, 3), (1, 1), (1, 40)])
def test_the_chosen_kernels_give_what_the_definition_gives(steps: int, rows: int) -> None:
    from unrolled.kernels.autograd import node as compiled

    sizes = {**SIZES, "input": 66, "hidden": 250}
    numbers, options = call(LSTM, steps=steps, rows=rows, sizes=sizes)
    found = of(sizes=sizes)

    def run(*arguments: Any, **options: Any) -> Any:
        return compiled.run(found, *arguments, **options)

    expected = outcome(by_definition(LSTM, sizes), numbers, ["h", "f"], **options)
    assert_close(outcome(run, numbers, ["h", "f"], **options), expected)


# What is known of one.


def test_inputs_that_are_read_as_they_are() -> None:
    assert of().many.reads_inputs_alone
    assert of().many.strides == {Buffer(Role.INPUT, "x"): SIZES["input"]}
    assert not of(sizes=LARGE).long.reads_inputs_alone
    assert set(of(sizes=LARGE).long.strides.values()) == {4 * 300}


def test_widths() -> None:
    found = of(CELLS["lstm_projected"].graph).many
    assert found.states == {"h": SIZES["projection"], "c": SIZES["hidden"]}
    assert found.probe_width("h") == SIZES["projection"]
    assert found.probe_width("i_pre") == SIZES["hidden"]
    assert found.width(["x"]) == SIZES["input"]


def test_kernels_are_compiled_once_whoever_asks_first() -> None:
    found = Recurrence(LSTM, SIZES, torch.float64, split(LSTM), layout=Layout.WHOLE)
    with ThreadPoolExecutor(4) as pool:
        kernels = list(pool.map(lambda _: found.inference(("h",)), range(4)))
        training = list(pool.map(lambda _: found.training(("h",)), range(4)))
    assert len(set(map(id, kernels))) == 1
    assert len(set(map(id, training))) == 1
    assert found.inference(("h",)) is kernels[0]
    assert found.inference(("h", "c")) is not kernels[0]


# The cache.


def test_equal_cells_of_one_size_share_their_kernels() -> None:
    def cell() -> Graph:
        @unrolled.cell
        def shared(x, h):
            h = tanh(affine(x, h))
            return locals()

        return shared.graph

    first = of(cell())
    assert of(cell()) is first
    assert of(cell(), {**SIZES, "input": 90}) is not first
    assert of(cell(), {**SIZES, "hidden": 90}) is not first
    assert recurrences(cell(), SIZES, torch.float32) is not first
    assert of(without_bias(cell())) is not first


def test_old_kernels_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recurrence, "_known", Cache(Budget(2 * OBJECT)))
    first = of()
    assert of() is first
    for hidden in (2, 3):
        of(sizes={**SIZES, "hidden": hidden})
    assert of() is not first


@pytest.mark.broad
def test_code_is_freed_with_the_last_module_that_uses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[weakref.ref[Machine]] = []

    def noted(*arguments: Any) -> Machine:
        machine = Machine(*arguments)
        made.append(weakref.ref(machine))
        return machine

    def trained(hidden: int) -> unrolled.LSTM:
        layer = unrolled.LSTM(3, hidden)
        layer(torch.zeros(6, 4, 3))[0].sum().backward()
        return layer

    monkeypatch.setattr(recurrence, "_known", Cache(Budget(2 * OBJECT)))
    monkeypatch.setattr(code, "Machine", noted)
    first, second = trained(5), trained(5)
    count = len(made)
    others = [trained(hidden) for hidden in (6, 7, 8)]
    del first
    gc.collect()
    assert all(machine() is not None for machine in made)
    del second
    gc.collect()
    assert [machine() is None for machine in made[:count]] == [True] * count
    assert others[2](torch.zeros(6, 4, 3))[0].shape == (6, 4, 8)


# Refusals.


def reason(function: Callable[..., Any]) -> str:
    with pytest.raises(UnsupportedError) as error:
        of(quiet(function).graph)
    return str(error.value)


def test_what_no_kernel_can_be_written_for() -> None:
    def one(x, h, m):
        m = mean(h)
        h = tanh(affine(x, h))
        return locals()

    def layer_of_one(x, h):
        h = tanh(affine(x, h)) + affine(mean(h))
        return locals()

    assert reason(one) == "the state m is one number for all units"
    assert reason(layer_of_one) == "a learned layer of the loop reads one number for all units"


# Text.


def test_a_kernel_as_text() -> None:
    found = of()
    forward, backward = found.many.text(backward=False), found.many.text(backward=True)
    assert forward.startswith("; lstm: 1 pass over the units of a row\n;   pass 0, H units:\n")
    assert ";   buffer 0: " in forward
    assert "define void @run(" in forward
    assert "@pack_0(" in forward
    assert "@pack_0(" not in found.few.text(backward=False)
    assert backward.startswith("; lstm_backward: ")
    assert "transposed" in backward
