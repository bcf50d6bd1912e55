"""The text of whole kernels."""

import itertools
import re
from collections.abc import Callable

import pytest
from llvmlite import binding

from kernels.comparison import SIZES
from unrolled.cells import CELLS
from unrolled.equations import Cell
from unrolled.kernels.codegen.ir import Target
from unrolled.kernels.codegen.kernel import PANEL, Source
from unrolled.kernels.planning.schedule import Schedule
from unrolled.kernels.planning.split import hoisted, split
from unrolled.kernels.planning.training import TrainingPlan
from unrolled.kernels.runtime.jit import host

from .targets import DTYPES, WIDTHS, target

WIDE = Target("float", 64, 32)


def forward(cell: Cell, kind: Target, hidden: int = 17, packed: bool = True) -> Source:
    schedule = Schedule(split(cell.graph).step, {}, {}, {})
    return Source(schedule, {**SIZES, "hidden": hidden}, {}, kind, packed)


def backward(cell: Cell, kind: Target, packed: bool = True) -> Source:
    plan = TrainingPlan(split(cell.graph), (cell.output,), SIZES)
    schedule = Schedule(
        plan.backward,
        plan.given,
        {name: node for name, (node, _) in plan.gradients.items()},
        {f"sum {name}": node for name, node in plan.reduced.items()},
    )
    return Source(schedule, SIZES, {}, kind, packed)


def test_the_text_of_an_lstm(golden: Callable[[str, str], None]) -> None:
    golden("lstm_16.ll", forward(CELLS["lstm"], Target("double", 16, 16), hidden=16).text)


def test_equal_schedules_have_equal_texts() -> None:
    assert forward(CELLS["gru"], WIDE).text == forward(CELLS["gru"], WIDE).text


@pytest.mark.parametrize("packed", [True, False], ids=["many", "few"])
@pytest.mark.parametrize("direction", [forward, backward])
@pytest.mark.parametrize("cell", CELLS.values(), ids=str)
def test_every_text_is_valid(cell: Cell, direction: Callable[..., Source], packed: bool) -> None:
    host("float")  # names the processor that LLVM reads the text for
    for dtype, width in zip(2 * DTYPES, 2 * list(WIDTHS), strict=False):
        source = direction(cell, target(dtype, width), packed=packed)
        binding.parse_assembly(source.text).verify()
        heads = re.findall(r"^define [^@]*@(\w+)\(", source.text, re.MULTILINE)
        assert len(set(heads)) == len(heads)
        assert {"run", "team"} <= set(heads)
        packings = {f"pack_{number}" for number in range(len(source.packs))}
        assert packings & set(heads) == (packings if packed else set())
        passes = {f"pass_{number}" for number in range(len(source.schedule.passes))}
        assert passes <= set(heads)


# Arrays.


def test_arrays_are_found_in_the_way_they_are_laid_out() -> None:
    arrays = {array.name: array for array in forward(CELLS["lstm_peephole"], WIDE).arrays}
    assert arrays["old h"][1:] == ("step", 17)
    assert arrays["new c"][1:] == ("step", 17)
    assert arrays["x"][1:] == ("step", SIZES["input"])
    assert arrays["learned p_i"][1:] == ("vector", 0)
    arrays = {array.name: array for array in backward(CELLS["lstm_layernorm"], WIDE).arrays}
    assert arrays["sum norm_bias_i"].kind == "thread"
    assert {arrays[name].kind for name in arrays if name.startswith("kept")} == {"rows"}
    sums = [array for name, array in arrays.items() if re.fullmatch(r"sum \d+", name)]
    assert sums
    assert all(array[1:] == ("rows", WIDE.lanes) for array in sums)


def test_arrays_in_wider_rows() -> None:
    """Values of one bank stand side by side; what is the same for all rows has no rows."""
    parts = hoisted(CELLS["lstm"].graph)
    schedule = Schedule(parts.step, {}, {}, {})
    strides = {"hoisted_0": 4 * 17, "hoisted_1": 4 * 17, "hoisted_2": 0}
    source = Source(schedule, SIZES, strides, WIDE, packed=False)
    arrays = {array.name: array for array in source.arrays}
    assert arrays["hoisted_1"][1:] == ("step", 4 * 17)
    assert arrays["hoisted_2"][1:] == ("vector", 0)
    assert arrays["hoisted_3"][1:] == ("step", 17)


def test_parameters_are_listed_once() -> None:
    assert sorted(forward(CELLS["lstm"], WIDE).weights) == [
        *("bias_hh", "bias_ih", "weight_hh", "weight_ih"),
    ]
    assert sorted(backward(CELLS["lstm"], WIDE).weights) == ["weight_hh", "weight_ih"]
    assert sorted(forward(CELLS["indrnn"], WIDE).weights) == ["bias_ih", "weight_ih"]


# Matrices.


@pytest.mark.parametrize("packed", [True, False], ids=["many", "few"])
@pytest.mark.parametrize("cell", CELLS.values(), ids=str)
def test_units_are_in_whole_groups(cell: Cell, packed: bool) -> None:
    for source in (forward(cell, WIDE, packed=packed), backward(cell, WIDE, packed=packed)):
        for work in source.works:
            units = SIZES[work.work.size]
            width = work.blocks * WIDE.lanes
            assert (work.groups - 1) * width < units <= work.groups * width
            assert work.valid == units - (work.groups - 1) * width
            assert [pack.factor for pack in work.packs] == list(work.work.factors)
            assert source.packs[work.first : work.first + len(work.packs)] == work.packs
        for pack in source.packs:
            assert pack.units in (SIZES["input"], SIZES["hidden"], SIZES["projection"])
            assert pack.length in (SIZES["input"], SIZES["hidden"], SIZES["projection"])


@pytest.mark.parametrize("room", [0, 1, 64, 4096, 1 << 20])
def test_parts_of_k_are_of_like_length(room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    source = forward(CELLS["lstm"], WIDE)
    monkeypatch.setitem(PANEL, 64, room)
    for columns, length in itertools.product((1, 3, 4), (1, 2, 17, 100, 650)):
        part = source._part(columns, length)
        count = -(-length // part)
        most = max(1, room // (columns * 64))
        assert part <= most or part == 1
        assert count == -(-length // most)
        assert part * count - length < count


def tiles(source: Source) -> list[str]:
    """The functions that the passes call for matrix products, in order."""
    return re.findall(r"call void @(tile_\w+|dot_\w+)\(", "\n".join(source._functions.values()))


def test_sums_that_begin_with_the_bias_and_sums_that_go_on() -> None:
    """Of the GRU's four sums, x adds to three and h to two of these and the fourth."""
    full, last = ["tile_4_0_1_2_sss_48", "tile_4_0_1_3_tts_48"], ["tile_4_0_1_2_sss_48"]
    source = forward(CELLS["gru"], WIDE, hidden=32)
    assert [name for name in tiles(source) if name[-2:-1] != "_"] == full
    assert last[0] in source.text


def test_one_text_serves_all_parts_of_k(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the sums start from tells the parts apart."""
    kind = Target("float", 32, 16)
    once = forward(CELLS["lstm"], kind, hidden=32)
    monkeypatch.setitem(PANEL, 32, 10 * 4 * 32)
    parts = forward(CELLS["lstm"], kind, hidden=32)
    assert set(tiles(parts)) == set(tiles(once))
    covers = [[n for n in tiles(s) if n == "tile_4_0_1_2_3_ssss_32"] for s in (once, parts)]
    assert [len(found) for found in covers] == [2, 1 + 4]  # of x and of h, 32 in parts of 8


def test_few_rows_read_weights_as_they_are() -> None:
    """Each unit's along its row; those of a transposed product stand side by side already."""
    names = set(tiles(forward(CELLS["lstm"], WIDE, packed=False)))
    assert names == {f"dot_{length}_{units}" for length in (3, 17) for units in (16, 1)}
    names = set(tiles(backward(CELLS["lstm"], WIDE, packed=False)))
    assert names
    assert all(name.startswith("tile_") for name in names)


def test_only_routines_that_are_called_are_there() -> None:
    text = forward(CELLS["rnn_tanh"], WIDE).text
    assert "@tanh(" in text
    assert "@log(" not in text
    assert "@sigmoid(" not in text
