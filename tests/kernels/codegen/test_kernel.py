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
from unrolled.kernels.codegen.kernel import Source
from unrolled.kernels.codegen.packing import Layout
from unrolled.kernels.planning.schedule import Schedule
from unrolled.kernels.planning.split import hoisted, split
from unrolled.kernels.planning.training import TrainingPlan
from unrolled.kernels.runtime.abi import Buffer, Field, Role, Rows
from unrolled.kernels.runtime.jit import host
from unrolled.kernels.tuning import PANEL

from .targets import DTYPES, WIDTHS, target

WIDE = Target("float", 64, 32)


def forward(cell: Cell, kind: Target, hidden: int = 17, layout: Layout = Layout.WHOLE) -> Source:
    schedule = Schedule(split(cell.graph).step, {}, {}, {})
    return Source(schedule, {**SIZES, "hidden": hidden}, {}, kind, layout)


def backward(cell: Cell, kind: Target, layout: Layout = Layout.WHOLE) -> Source:
    plan = TrainingPlan(split(cell.graph), (cell.output,), SIZES)
    schedule = Schedule(
        plan.backward,
        plan.given,
        {buffer: node for buffer, (node, _) in plan.gradients.items()},
        {Buffer(Role.SUM, name): node for name, node in plan.reduced.items()},
    )
    return Source(schedule, SIZES, {}, kind, layout)


def test_the_text_of_an_lstm(golden: Callable[[str, str], None]) -> None:
    golden("lstm_16.ll", forward(CELLS["lstm"], Target("double", 16, 16), hidden=16).text)


def test_equal_schedules_have_equal_texts() -> None:
    assert forward(CELLS["gru"], WIDE).text == forward(CELLS["gru"], WIDE).text


@pytest.mark.broad
@pytest.mark.parametrize("layout", Layout)
@pytest.mark.parametrize("direction", [forward, backward])
@pytest.mark.parametrize("cell", CELLS.values(), ids=str)
def test_every_text_is_valid(cell: Cell, direction: Callable[..., Source], layout: Layout) -> None:
    host("float")  # names the processor that LLVM reads the text for
    for dtype, width in zip(2 * DTYPES, 2 * list(WIDTHS), strict=False):
        source = direction(cell, target(dtype, width), layout=layout)
        binding.parse_assembly(source.text).verify()
        heads = re.findall(r"^define [^@]*@(\w+)\(", source.text, re.MULTILINE)
        assert len(set(heads)) == len(heads)
        assert {"run", "run_shard"} <= set(heads)
        laid_out = {
            f"pack_{number}"
            for number, pack in enumerate(source.packs)
            if layout.lays_out(pack.factor)
        }
        assert {head for head in heads if head.startswith("pack_")} == laid_out
        passes = {f"pass_{number}" for number in range(len(source.schedule.passes))}
        assert passes <= set(heads)


# Buffers.


def fields(source: Source) -> dict[str, Field]:
    """The buffers that a kernel is handed, by what messages call them."""
    return {str(field.buffer): field for field in source.fields.block.fields}


def test_buffers_are_found_in_the_way_they_are_laid_out() -> None:
    found = fields(forward(CELLS["lstm_peephole"], WIDE))
    assert found["old h"][2:] == (Rows.STEP, 17, 17)
    assert found["new c"][2:] == (Rows.STEP, 17, 17)
    assert found["input x"][2:] == (Rows.STEP, SIZES["input"], SIZES["input"])
    assert found["learned p_i"][2:] == (Rows.ONE, 0, 17)
    found = fields(backward(CELLS["lstm_layernorm"], WIDE))
    assert found["sum norm_bias_i"][2:] == (Rows.THREAD, 17, 17)
    kept = {name: field for name, field in found.items() if field.buffer.role is Role.KEPT}
    assert {field.rows for field in kept.values()} == {Rows.BATCH}
    sums = [field for name, field in kept.items() if re.fullmatch(r"kept sum \d+", name)]
    assert sums
    assert all(field.stride == field.width == WIDE.lanes for field in sums)


def test_buffers_in_wider_rows() -> None:
    """Values of one bank stand side by side; what is the same for all rows has one row."""
    parts = hoisted(CELLS["lstm"].graph)
    schedule = Schedule(parts.step, {}, {}, {})
    widths = {"hoisted_0": 4 * 17, "hoisted_1": 4 * 17, "hoisted_2": 0}
    strides = {Buffer(Role.INPUT, name): width for name, width in widths.items()}
    found = fields(Source(schedule, SIZES, strides, WIDE, layout=Layout.HELD))
    assert found["input hoisted_1"][2:] == (Rows.STEP, 4 * 17, 17)
    assert found["input hoisted_2"][2:] == (Rows.ONE, 0, 17)
    assert found["input hoisted_3"][2:] == (Rows.STEP, 17, 17)


def test_buffers_that_have_rows_stand_first() -> None:
    for source in (forward(CELLS["lstm_layernorm"], WIDE), backward(CELLS["gru"], WIDE)):
        found = [field.rows is Rows.WHOLE for field in source.fields.block.fields]
        assert found == sorted(found)
        assert found.index(True) == source.moving


def parameters(source: Source) -> dict[str, int]:
    """The parameters that a kernel is handed, and how many numbers of each it reads."""
    weights = [f for f in source.fields.block.fields if f.buffer.role is Role.WEIGHT]
    assert all(field[2:] == (Rows.WHOLE, field.width, field.width) for field in weights)
    return {field.buffer.name: field.width for field in weights}


def test_parameters_are_listed_once() -> None:
    weights = {"weight_ih": 4 * 17 * SIZES["input"], "weight_hh": 4 * 17 * 17}
    biases = {"bias_ih": 4 * 17, "bias_hh": 4 * 17}
    assert parameters(forward(CELLS["lstm"], WIDE)) == weights | biases
    assert parameters(backward(CELLS["lstm"], WIDE)) == weights
    found = parameters(forward(CELLS["indrnn"], WIDE))
    assert found == {"weight_ih": 17 * SIZES["input"], "bias_ih": 17}


def test_kernels_lay_out_no_matrix_all_of_them_or_a_group_for_each_thread() -> None:
    def laid_out(source: Source) -> list[tuple[Rows, int]]:
        found = [f for f in source.fields.block.fields if f.buffer.role is Role.PACKED]
        return [(field.rows, field.stride) for field in found]

    for direction in (forward, backward):
        packs = direction(CELLS["lstm"], WIDE).packs
        whole = [(Rows.WHOLE, pack.size(WIDE.lanes)) for pack in packs]
        group = [(Rows.THREAD, pack.group_size(WIDE.lanes)) for pack in packs]
        for layout, sizes in (
            (Layout.HELD, []),
            (Layout.WHOLE, whole),
            (Layout.PANEL, group if direction is forward else []),
        ):
            assert laid_out(direction(CELLS["lstm"], WIDE, layout=layout)) == sizes


# Matrices.


@pytest.mark.parametrize("layout", Layout)
@pytest.mark.parametrize("cell", CELLS.values(), ids=str)
def test_units_are_in_whole_groups(cell: Cell, layout: Layout) -> None:
    for source in (forward(cell, WIDE, layout=layout), backward(cell, WIDE, layout=layout)):
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
    names = set(tiles(forward(CELLS["lstm"], WIDE, layout=Layout.HELD)))
    assert names == {f"dot_{length}_{units}" for length in (3, 17) for units in (16, 1)}
    names = set(tiles(backward(CELLS["lstm"], WIDE, layout=Layout.HELD)))
    assert names
    assert all(name.startswith("tile_") for name in names)


def test_only_routines_that_are_called_are_there() -> None:
    text = forward(CELLS["rnn_tanh"], WIDE).text
    assert "@tanh(" in text
    assert "@log(" not in text
    assert "@sigmoid(" not in text
