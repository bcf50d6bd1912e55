"""Weights laid out for tiles."""

import ctypes
import itertools
from typing import Any

import numpy as np
import pytest

from unrolled.graph.node import Node
from unrolled.graph.operation import Operation
from unrolled.kernels.codegen.ir import Function, Target
from unrolled.kernels.codegen.packing import Pack, packing, transposed
from unrolled.kernels.planning.schedule import Factor

from .memory import guarded, posix, survives
from .targets import DTYPES, WIDTHS, function, numpy_type, target

POINTER, INTEGER = ctypes.c_void_p, ctypes.c_int64

each_width = pytest.mark.parametrize("width", WIDTHS)
each_dtype = pytest.mark.parametrize("dtype", DTYPES)

Numbers = Any  # a NumPy array


def pack(
    units: int, length: int, blocks: int, lanes: int, rows: tuple[int, ...], turned: bool = False
) -> Pack:
    """Some blocks of rows of a weight, or of columns if it is transposed."""
    source = Node(Operation.STATE, (), "h")
    factor = Factor(source, "hh", rows, "hidden", turned, tuple(range(len(rows))))
    return Pack(factor, length, units, blocks, -(-units // (blocks * lanes)))


def numbers(kind: Target, pack: Pack) -> Numbers:
    """The weight, as PyTorch holds it, with a row of blocks that are not used."""
    blocks = max(pack.factor.rows) + 2
    shape = (pack.length, pack.units) if pack.factor.transposed else (pack.units, pack.length)
    weight = np.random.default_rng(0).uniform(-1, 1, (blocks, *shape))
    return weight.astype(numpy_type(kind.dtype))


def packer(pack: Pack, kind: Target) -> ctypes._CFuncPtr:
    """The function that lays out some groups."""
    f = Function("define void @lay_out(ptr %to, ptr %weight, i64 %begin, i64 %end)", kind)
    first = f.row("%to", "%begin", pack.group_size(kind.lanes))
    f.do(f"call void @pack_0(ptr {first}, ptr %weight, i64 %begin, i64 %end)")
    f.do("ret void")
    text = "\n\n".join([packing(0, pack, kind), f.text()])
    return function(text, "lay_out", kind, POINTER, POINTER, INTEGER, INTEGER)


def room(pack: Pack, kind: Target) -> Numbers:
    """Fresh memory for the layout: (groups, k, columns, lanes)."""
    groups = pack.size(kind.lanes) // pack.group_size(kind.lanes) if pack.groups else 0
    shape = (groups, -1, pack.columns(), kind.lanes)
    return np.full(pack.size(kind.lanes), np.nan, numpy_type(kind.dtype)).reshape(shape)


def check(pack: Pack, found: Numbers, weight: Numbers, groups: range) -> None:
    """Each unit's weights stand in its lane; groups that were not asked for are as before."""
    lanes, rows = found.shape[-1], len(pack.factor.rows)
    for group, block, place in itertools.product(groups, range(pack.blocks), range(rows)):
        first = (group * pack.blocks + block) * lanes
        units = weight[pack.factor.rows[place]]
        units = units.T if pack.factor.transposed else units
        expected = units[first : first + lanes]
        vectors = found[group, : pack.length, block * rows + place]
        assert (vectors[:, : len(expected)] == expected.T).all()
    others = [group for group in range(pack.groups) if group not in groups]
    assert np.isnan(found[others]).all()


def sizes(lanes: int) -> list[tuple[int, int, int, tuple[int, ...]]]:
    """Units, length, blocks of a group, and blocks of rows."""
    return [
        (1, 1, 1, (0,)),
        (lanes, lanes, 1, (0, 1)),
        (lanes - 1, lanes + 1, 1, (2, 0, 1)),
        (2 * lanes + 1, lanes - 1, 1, (0, 1, 2, 3)),
        (3 * lanes, 2 * lanes + 3, 2, (0, 2)),
        (5 * lanes - 1, 7, 3, (1,)),
    ]


CASES = range(len(sizes(4)))


def case(number: int, lanes: int, turned: bool) -> Pack:
    units, length, blocks, rows = sizes(lanes)[number]
    return pack(max(1, units), max(1, length), blocks, lanes, rows[:1] if turned else rows, turned)


@each_width
@each_dtype
@pytest.mark.parametrize("turned", [False, True], ids=["rows", "columns"])
@pytest.mark.parametrize("number", CASES)
def test_layouts(number: int, turned: bool, dtype: str, width: str) -> None:
    kind = target(dtype, width)
    known = case(number, kind.lanes, turned)
    call, weight = packer(known, kind), numbers(kind, known)
    for begin, end in {(0, known.groups), (known.groups // 2, known.groups), (0, 1), (1, 1)}:
        found = room(known, kind)
        call(found.ctypes.data, weight.ctypes.data, begin, end)
        check(known, found, weight, range(begin, end))


@each_dtype
def test_sizes(dtype: str) -> None:
    kind = target(dtype, "32 bytes")
    lanes = kind.lanes
    known = pack(5 * lanes - 1, lanes + 1, 2, lanes, (0, 2, 1))
    assert known.columns() == 6
    assert known.group_size(lanes) == 2 * lanes * 6 * lanes
    assert known.size(lanes) == 3 * known.group_size(lanes)


@posix
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@each_width
@each_dtype
@pytest.mark.parametrize("turned", [False, True], ids=["rows", "columns"])
def test_layouts_stay_within_their_memory(turned: bool, dtype: str, width: str) -> None:
    kind = target(dtype, width)
    known = [case(number, kind.lanes, turned) for number in CASES]
    calls = [packer(each, kind) for each in known]

    def work() -> None:
        for (each, call), before in itertools.product(
            zip(known, calls, strict=True), (False, True)
        ):
            last = max(each.factor.rows)
            weight = guarded(numbers(kind, each)[: last + 1], before)
            found = guarded(room(each, kind), before)
            call(found.ctypes.data, weight.ctypes.data, 0, each.groups)

    assert survives(work)


@each_width
@each_dtype
def test_squares_are_transposed(dtype: str, width: str) -> None:
    kind = target(dtype, width)
    lanes = kind.lanes
    f = Function("define void @turn(ptr %x, ptr %y)", kind)
    rows = [f.load(kind.vector, f.at("%x", str(k * lanes))) for k in range(lanes)]
    for k, column in enumerate(transposed(f, rows)):
        f.store(kind.vector, column, f.at("%y", str(k * lanes)))
    f.do("ret void")
    x = np.arange(lanes * lanes, dtype=numpy_type(dtype)).reshape(lanes, lanes)
    y = np.zeros_like(x)
    function(f.text(), "turn", kind, POINTER, POINTER)(x.ctypes.data, y.ctypes.data)
    assert (y == x.T).all()
