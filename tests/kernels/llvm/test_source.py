"""The text of whole kernels."""

import re
from collections.abc import Callable

import pytest
from llvmlite import binding

from kernels.comparison import SIZES
from unrolled.cells import CELLS
from unrolled.equations import Cell
from unrolled.kernels.llvm.machine import host
from unrolled.kernels.llvm.schedule import Schedule
from unrolled.kernels.llvm.source import Source, tile_shape
from unrolled.kernels.llvm.text import Target
from unrolled.kernels.split import split
from unrolled.kernels.training import TrainingPlan

from .targets import DTYPES, WIDTHS, target

WIDE = Target("float", 64, 32)


def forward(cell: Cell, kind: Target, hidden: int = 17) -> Source:
    parts = split(cell.graph)
    units = {**SIZES, "hidden": hidden}
    strides = {name: hidden * len(bank) for bank in parts.banks for name in bank}
    return Source(Schedule(parts.step, {}, {}, {}), units, strides, kind)


def backward(cell: Cell, kind: Target) -> Source:
    plan = TrainingPlan(split(cell.graph), (cell.output,), SIZES)
    schedule = Schedule(
        plan.backward,
        plan.given,
        {name: node for name, (node, _) in plan.gradients.items()},
        {f"sum {name}": node for name, node in plan.reduced.items()},
    )
    return Source(schedule, SIZES, {}, kind)


def test_the_text_of_an_lstm(golden: Callable[[str, str], None]) -> None:
    golden("lstm_16.ll", forward(CELLS["lstm"], WIDE, hidden=16).text)


def test_equal_schedules_have_equal_texts() -> None:
    assert forward(CELLS["gru"], WIDE).text == forward(CELLS["gru"], WIDE).text


@pytest.mark.parametrize("direction", [forward, backward])
@pytest.mark.parametrize("cell", CELLS.values(), ids=str)
def test_every_text_is_valid(cell: Cell, direction: Callable[[Cell, Target], Source]) -> None:
    host("float")  # names the processor that LLVM reads the text for
    for dtype in DTYPES:
        for width in WIDTHS:
            text = direction(cell, target(dtype, width)).text
            binding.parse_assembly(text).verify()
            heads = re.findall(r"^define [^@]*@(\w+)\(", text, re.MULTILINE)
            assert len(set(heads)) == len(heads)
            assert {"rows", "threads"} <= set(heads)


# Tiles.


@pytest.mark.parametrize(
    ("products", "vector_bytes", "registers", "expected"),
    [
        (4, 64, 32, (6, 1)),
        (3, 64, 32, (8, 1)),
        (1, 64, 32, (6, 4)),
        (2, 64, 32, (6, 2)),
        (4, 32, 16, (2, 1)),
        (1, 32, 16, (6, 2)),
        (2, 32, 16, (6, 1)),
        (10, 32, 16, (1, 1)),
        (0, 64, 32, (8, 1)),
    ],
)
def test_sizes_of_tiles(
    products: int, vector_bytes: int, registers: int, expected: tuple[int, int]
) -> None:
    assert tile_shape(products, Target("float", vector_bytes, registers)) == expected


@pytest.mark.parametrize("registers", [16, 32])
def test_sums_stay_in_registers(registers: int) -> None:
    """Besides the sums: a weight for each of their columns, and two numbers more."""
    for products in range(1, 8):
        rows, blocks = tile_shape(products, Target("float", 32, registers))
        columns = products * blocks
        assert rows == 1 or rows * columns + columns + 2 <= registers
        assert 1 <= rows <= 8


@pytest.mark.parametrize("rows", range(1, 9))
def test_tiles_cover_any_number_of_rows(rows: int) -> None:
    heights = Source.tile_heights(rows)
    assert heights[0] == rows
    assert heights == sorted(set(heights), reverse=True)
    for count in range(20):
        left = count
        for height in heights:
            left %= height
        assert left == 0


# Arrays.


def test_arrays_are_found_in_the_way_they_are_laid_out() -> None:
    arrays = {array.name: array for array in forward(CELLS["lstm_peephole"], WIDE).arrays}
    assert arrays["old h"][1:] == ("step", 17)
    assert arrays["new c"][1:] == ("step", 17)
    assert arrays["hoisted_0"][1:] == ("step", 4 * 17)
    assert arrays["learned p_i"][1:] == ("vector", 0)
    arrays = {array.name: array for array in backward(CELLS["lstm_layernorm"], WIDE).arrays}
    assert arrays["sum norm_bias_i"].kind == "thread"
    assert {arrays[name].kind for name in arrays if name.startswith("kept")} == {"rows"}
    sums = [array for name, array in arrays.items() if re.fullmatch(r"sum \d+", name)]
    assert sums
    assert all(array[1:] == ("rows", WIDE.lanes) for array in sums)


@pytest.mark.parametrize("cell", CELLS.values(), ids=str)
def test_matrices_are_padded_to_whole_tiles(cell: Cell) -> None:
    for source in (forward(cell, WIDE), backward(cell, WIDE)):
        for pack in source.packs:
            width = pack.blocks * WIDE.lanes
            assert (pack.groups - 1) * width < pack.units <= pack.groups * width
            assert pack.units in (SIZES["hidden"], SIZES["projection"])
            assert pack.length in (SIZES["hidden"], SIZES["projection"])


def test_lanes_are_masked_only_where_units_end_within_a_vector() -> None:
    assert "masked" in forward(CELLS["lstm"], WIDE, hidden=17).text
    assert "masked" not in forward(CELLS["lstm"], WIDE, hidden=16).text


def test_only_routines_that_are_called_are_there() -> None:
    text = forward(CELLS["rnn_tanh"], WIDE).text
    assert "@tanh(" in text
    assert "@log(" not in text
    assert "@sigmoid(" not in text
