"""Matrix products: tiles of all heights, and sums along rows."""

import ctypes
import itertools
import re
from typing import Any

import numpy as np
import pytest

from unrolled.kernels.codegen import tile
from unrolled.kernels.codegen.ir import Function, Target
from unrolled.kernels.codegen.tile import Tile

from .memory import guarded, posix, survives
from .targets import DTYPES, WIDTHS, function, numpy_type, target

POINTER, INTEGER = ctypes.c_void_p, ctypes.c_int64
TOLERANCES = {"float": 2e-6, "double": 1e-14}

each_width = pytest.mark.parametrize("width", WIDTHS)
each_dtype = pytest.mark.parametrize("dtype", DTYPES)
forking = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

Numbers = Any  # a NumPy array


def numbers(kind: Target, *shape: int) -> Numbers:
    """The same random numbers for the same shape."""
    return np.random.default_rng(0).uniform(-1, 1, shape).astype(numpy_type(kind.dtype))


# Sizes.


@pytest.mark.parametrize(
    ("products", "units", "vector_bytes", "registers", "expected"),
    [
        (4, 1024, 64, 32, (6, 1)),
        (3, 1024, 64, 32, (7, 1)),
        (1, 1024, 64, 32, (6, 4)),
        (2, 1024, 64, 32, (6, 2)),
        (1, 16, 64, 32, (8, 1)),  # no second vector of units is there
        (1, 48, 64, 32, (7, 3)),  # of four, one would stand empty
        (2, 48, 64, 32, (8, 1)),
        (4, 1024, 32, 16, (3, 1)),
        (10, 1024, 32, 16, (1, 1)),
        (0, 1024, 64, 32, (8, 1)),
    ],
)
def test_sizes_of_tiles(
    products: int, units: int, vector_bytes: int, registers: int, expected: tuple[int, int]
) -> None:
    assert tile.shape(products, units, Target("float", vector_bytes, registers)) == expected


@pytest.mark.parametrize("registers", [16, 32])
@pytest.mark.parametrize("units", [1, 17, 100, 650])
def test_sums_stay_in_registers(units: int, registers: int) -> None:
    """Besides the sums: a number of each row, and a weight."""
    for products in range(1, 9):
        rows, blocks = tile.shape(products, units, Target("float", 32, registers))
        columns = products * blocks
        assert rows == 1 or rows * columns + rows + 1 <= registers
        assert 1 <= rows <= tile.HIGHEST
        assert blocks == 1 or columns <= 4
        assert blocks <= -(-units // 8)


# Tiles.


def tiles(shape: Tile, kind: Target) -> ctypes._CFuncPtr:
    """The function that covers rows with tiles."""
    f = Function(f"define void @cover({tile.PARAMETERS}, i64 %rows)", kind)
    names = ", ".join(tile.PARAMETERS.split(", "))
    f.do(f"call void @{shape.name}({names}, i64 %rows)")
    f.do("ret void")
    text = "\n\n".join([tile.tiles(shape, kind), f.text()])
    parameters = [POINTER, POINTER, INTEGER, POINTER, INTEGER, POINTER, INTEGER, INTEGER, INTEGER]
    return function(text, "cover", kind, *parameters)


SHAPES = [
    Tile(1, (0,), (True,), 8, 99),
    Tile(4, (0, 1, 2, 3), (True,) * 4, 3, 99),
    Tile(4, (1, 3), (True, False), 2, 99),
    Tile(3, (2, 0), (False, False), 5, 99),
    Tile(2, (0, 1), (True, True), 7, 1),
    Tile(2, (0, 1), (False, True), 4, 3),
    Tile(5, (0, 1, 2, 3, 4), (False, True, True, False, True), 1, 99),
]


class Product:
    """One product: what it is called with, and what comes out."""

    def __init__(self, kind: Target, shape: Tile, rows: int, length: int, step: int) -> None:
        lanes, used = kind.lanes, len(shape.used)
        self.kind, self.shape, self.rows, self.length, self.step = kind, shape, rows, length, step
        self.units = min(shape.units, used * lanes)
        self.pitch = self.units + 3
        self.stride = length + 2
        self.into = numbers(kind, rows, shape.columns * lanes)
        self.start = numbers(kind, max(1, rows * step), shape.columns * lanes) + 1
        self.source = numbers(kind, rows, self.stride)
        # The last row of weights ends with the last unit.
        self.weight = numbers(kind, max(0, (length - 1) * self.pitch + self.units) * bool(length))

    def run(self, call: ctypes._CFuncPtr) -> None:
        width = self.start.shape[1]
        call(
            *(self.into.ctypes.data, self.start.ctypes.data, self.step * width),
            *(self.source.ctypes.data, self.stride, self.weight.ctypes.data, self.pitch),
            *(self.length, self.rows),
        )

    def expected(self) -> Numbers:
        lanes, columns = self.kind.lanes, self.shape.columns
        found = self.into.astype(np.float64).reshape(self.rows, columns, lanes)
        start = self.start.astype(np.float64).reshape(-1, columns, lanes)
        weights = np.zeros((self.length, len(self.shape.used) * lanes))
        for k in range(self.length):
            begin = k * self.pitch
            weights[k, : self.units] = self.weight[begin : begin + self.units]
        sums = self.source[:, : self.length].astype(np.float64) @ weights
        for place, (column, first) in enumerate(
            zip(self.shape.used, self.shape.first, strict=True)
        ):
            if first:
                found[:, column] = start[:, column] if self.step else start[0, column]
            found[:, column] += sums[:, place * lanes : (place + 1) * lanes]
        return found.reshape(self.into.shape)


@each_width
@each_dtype
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"{shape.name}_{shape.rows}")
def test_products(shape: Tile, dtype: str, width: str) -> None:
    """Any number of rows and of summands; each sum begins where it should, others stay."""
    kind = target(dtype, width)
    call = tiles(shape, kind)
    for rows, length in itertools.product((0, 1, 2, 3, 4, 5, 7, 8, 9, 17), (0, 1, 2, 3, 4, 5, 11)):
        product = Product(kind, shape, rows, length, step=length % 2)
        expected = product.expected()
        product.run(call)
        np.testing.assert_allclose(product.into, expected, TOLERANCES[dtype], TOLERANCES[dtype])


@posix
@forking
@each_width
@pytest.mark.parametrize("shape", SHAPES[3:6], ids=lambda shape: shape.name)
def test_tiles_stay_within_their_memory(shape: Tile, width: str) -> None:
    kind = target("float", width)
    call = tiles(shape, kind)
    for before in (False, True):

        def work(before: bool = before) -> None:
            for rows, length in itertools.product((1, 2, 5, 9), (1, 3, 8)):
                product = Product(kind, shape, rows, length, 1)
                product.stride = length
                product.source = np.ascontiguousarray(product.source[:, :length])
                for name in ("into", "start", "source", "weight"):
                    setattr(product, name, guarded(getattr(product, name), before))
                product.run(call)

        assert survives(work)


@pytest.mark.parametrize("highest", range(1, tile.HIGHEST + 1))
def test_rows_are_shared_into_tiles_of_like_height(highest: int) -> None:
    """No more tiles than are needed, the higher ones first, by one row at most."""
    kind = target("double", "host")
    shape = Tile(1, (0,), (True,), highest, 99)
    *parts, cover = re.split(r"\n\n(?=define)", tile.tiles(shape, kind))
    assert len(parts) == highest
    for height in range(1, highest + 1):  # in place of sums, each writes its height
        f = Function(f"define internal void @{shape.name}_{height}({tile.PARAMETERS})", kind)
        f.store("double", kind.number(height), "%tile")
        f.do("ret void")
        parts[height - 1] = f.text()
    parameters = [POINTER, POINTER, INTEGER, POINTER, INTEGER, POINTER, INTEGER, INTEGER, INTEGER]
    text = "\n\n".join([*parts, cover.replace("define internal", "define")])
    call = function(text, shape.name, kind, *parameters)
    for rows in range(4 * highest + 2):
        into = np.zeros((rows + 1, kind.lanes))
        call(into.ctypes.data, 0, 0, 0, 0, 0, 0, 0, rows)
        begins = into[:, 0].nonzero()[0]
        heights = into[begins, 0].astype(int).tolist()
        assert begins.tolist() == [sum(heights[:place]) for place in range(len(heights))]
        assert sum(heights) == rows
        assert len(heights) == -(-rows // highest)
        assert heights == sorted(heights, reverse=True)
        assert not rows or heights[0] - heights[-1] <= 1


# Sums along rows.


def dots(cases: list[tuple[int, int]], kind: Target) -> list[ctypes._CFuncPtr]:
    """For each length and number of units, the function of rows."""
    parts = []
    for length, valid in cases:
        f = Function(f"define void @call_{length}_{valid}({tile.DOT})", kind)
        f.do(f"call void @{tile.dot_name(length, valid)}({tile.DOT})")
        f.do("ret void")
        parts += [tile.dot(length, valid, kind), f.text()]
    text = "\n\n".join(parts)
    parameters = [POINTER, INTEGER, POINTER, INTEGER, POINTER, INTEGER, POINTER, INTEGER]
    return [function(text, f"call_{length}_{valid}", kind, *parameters) for length, valid in cases]


def lengths(lanes: int) -> list[tuple[int, int]]:
    """All lengths up to a few vectors, and all numbers of units, but not all pairs."""
    found = [(length, (5 * length) % lanes + 1) for length in range(1, 2 * lanes + 2)]
    found += [(lanes + 1 + valid % 3, valid) for valid in range(1, lanes + 1)]
    return list(dict.fromkeys(found))


@each_width
@each_dtype
def test_dots(dtype: str, width: str) -> None:
    kind = target(dtype, width)
    lanes = kind.lanes
    cases = lengths(lanes)
    for (length, valid), call in zip(cases, dots(cases, kind), strict=True):
        for rows, step in ((0, 1), (1, 0), (2, 1), (3, 2)):
            columns = 3
            into, start = numbers(kind, rows, columns * lanes), numbers(kind, 2 * rows + 1, lanes)
            source, weight = numbers(kind, rows, length + 1), numbers(kind, valid, length)
            known = into.copy()
            call(
                *(into[:, lanes:].ctypes.data, columns * lanes, start.ctypes.data, step * lanes),
                *(source.ctypes.data, length + 1, weight.ctypes.data, rows),
            )
            sums = source[:, :length].astype(np.float64) @ weight.astype(np.float64).T
            sums = sums + start[: rows * step : step, :valid] if step else sums + start[0, :valid]
            found = into[:, lanes : lanes + valid]
            np.testing.assert_allclose(found, sums, TOLERANCES[dtype], TOLERANCES[dtype])
            for other in (slice(lanes), slice(2 * lanes, None)):
                assert (into[:, other] == known[:, other]).all()


@posix
@forking
@each_width
@each_dtype
def test_dots_stay_within_their_memory(dtype: str, width: str) -> None:
    kind = target(dtype, width)
    lanes = kind.lanes
    cases = lengths(lanes)[::3]
    calls = dots(cases, kind)

    def work() -> None:
        for ((length, valid), call), before in itertools.product(
            zip(cases, calls, strict=True), (False, True)
        ):
            into, start = (guarded(numbers(kind, 3, lanes), before) for _ in range(2))
            source = guarded(numbers(kind, 3, length), before)
            weight = guarded(numbers(kind, valid, length), before)
            call(
                *(into.ctypes.data, lanes, start.ctypes.data, lanes),
                *(source.ctypes.data, length, weight.ctypes.data, 3),
            )

    assert survives(work)


@each_width
@each_dtype
def test_sums_across_vectors(dtype: str, width: str) -> None:
    """Every lane gets the sum of its own vector."""
    kind = target(dtype, width)
    f = Function("define void @sums(ptr %x, ptr %y)", kind)
    vectors = [f.load(kind.vector, f.at("%x", str(k * kind.lanes))) for k in range(kind.lanes)]
    f.store(kind.vector, tile.across(f, vectors), "%y")
    f.do("ret void")
    x = np.random.default_rng(0).integers(-99, 99, (kind.lanes, kind.lanes))
    x = x.astype(numpy_type(dtype))
    y = np.zeros(kind.lanes, x.dtype)
    function(f.text(), "sums", kind, POINTER, POINTER)(x.ctypes.data, y.ctypes.data)
    assert y.tolist() == x.sum(1).tolist()
