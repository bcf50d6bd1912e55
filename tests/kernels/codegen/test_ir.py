"""The pieces of LLVM IR do what they say."""

import ctypes
import math
import struct

import numpy as np
import pytest

from unrolled.kernels.codegen.ir import Function, Target

from .targets import DTYPES, WIDTHS, function, target

POINTER, INTEGER = ctypes.c_void_p, ctypes.c_int64


def run(f: Function, *arguments: object) -> None:
    """Call a function of arrays and integers."""
    f.do("ret void")
    kinds = [POINTER if isinstance(a, np.ndarray) else INTEGER for a in arguments]
    name = f.head.split("@")[1].split("(")[0]
    call = function(f.text(), name, f.target, *kinds)
    call(*(a.ctypes.data if isinstance(a, np.ndarray) else a for a in arguments))


# Targets.


def test_types() -> None:
    wide = Target("float", 64, 32)
    assert (wide.bytes, wide.lanes) == (4, 16)
    assert wide.vector == "<16 x float>"
    assert wide.integers == "<16 x i32>"
    assert wide.mask == "<16 x i1>"
    narrow = Target("double", 16, 16)
    assert (narrow.bytes, narrow.lanes) == (8, 2)
    assert narrow.vector == "<2 x double>"
    assert narrow.integers == "<2 x i64>"
    assert narrow.integer_splat(-3) == "splat (i64 -3)"


def test_avx512_has_instructions_of_its_own() -> None:
    assert Target("float", 64, 32, "", "+avx2,+avx512f").has_avx512
    assert not Target("float", 32, 16, "", "+avx2,+avx512f").has_avx512
    assert not Target("float", 64, 32).has_avx512


@pytest.mark.parametrize("value", [0.1, -0.0, 1 / 3, math.inf, -math.inf, math.nan, 1e-45, 3e38])
@pytest.mark.parametrize("dtype", DTYPES)
def test_numbers_keep_their_bits(value: float, dtype: str) -> None:
    """LLVM reads the bits of a double; it takes only those that a float has too."""
    kind = target(dtype, "host")
    text = kind.number(value)
    expected = np.array(value, np.float32 if dtype == "float" else np.float64)
    assert struct.unpack("d", struct.pack("Q", int(text, 16)))[0] == pytest.approx(
        float(expected), rel=0, abs=0, nan_ok=True
    )
    found = np.zeros((), expected.dtype)
    f = Function("define void @number(ptr %y)", kind)
    f.store(dtype, text, "%y")
    run(f, found)
    assert found.tobytes() == expected.tobytes() or math.isnan(value)
    assert math.isnan(found) == math.isnan(value)


# Functions.


def test_names_are_used_once() -> None:
    f = Function("define void @f()", Target("float", 16, 16))
    names = [f.name(), f.name("x"), f.let("fneg float 0.0"), f.let("fneg float 0.0", "x")]
    with f.loop("i", "0", "2") as outer, f.loop("i", "0", "2") as inner:
        names += [outer.at, inner.at]
    assert len(set(names)) == len(names)
    assert all(name.startswith("%") for name in names)


def test_the_text_of_a_function() -> None:
    f = Function("define void @f(ptr %x)", Target("float", 16, 16))
    f.store("float", f.load("float", f.at("%x", "1")), "%x")
    f.do("ret void")
    assert f.text().splitlines() == [
        "define void @f(ptr %x) {",
        "entry:",
        "  %v1 = getelementptr inbounds float, ptr %x, i64 1",
        "  %v2 = load float, ptr %v1, align 4",
        "  store float %v2, ptr %x, align 4",
        "  ret void",
        "}",
    ]


@pytest.mark.parametrize(
    ("start", "stop", "step"), [(0, 5, 1), (0, 0, 1), (3, 1, 1), (-2, 7, 4), (0, 8, 4)]
)
def test_loops(start: int, stop: int, step: int) -> None:
    """A loop counts like range; what it carries is known in the next turn and after the last."""
    kind = target("double", "host")
    f = Function("define void @count(ptr %y, i64 %start, i64 %stop)", kind)
    carried = [("i64", "0"), ("double", kind.number(1))]
    with f.loop("i", "%start", "%stop", str(step), carried) as loop:
        number, power = loop.carried
        loop.carried[0] = f.let(f"add i64 {number}, {loop.at}")
        loop.carried[1] = f.let(f"fmul double {power}, {kind.number(2)}")
    number, power = loop.carried
    f.store("double", f.let(f"sitofp i64 {number} to double"), "%y")
    f.store("double", power, f.at("%y", "1"))
    found = np.zeros(2)
    run(f, found, start, stop)
    turns = range(start, stop, step)
    assert found.tolist() == [sum(turns), 2.0 ** len(turns)]


def test_loops_in_loops() -> None:
    kind = target("double", "host")
    f = Function("define void @pairs(ptr %y, i64 %n)", kind)
    with f.loop("i", "0", "%n", carried=[("i64", "0")]) as outer:
        with f.loop("j", "0", outer.at, carried=[("i64", outer.carried[0])]) as inner:
            inner.carried[0] = f.let(f"add i64 {inner.carried[0]}, 1")
        outer.carried[0] = inner.carried[0]
    f.store("double", f.let(f"sitofp i64 {outer.carried[0]} to double"), "%y")
    found = np.zeros(1)
    run(f, found, 6)
    assert found[0] == 15


# Memory.


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_masks_leave_memory_alone(dtype: str, width: str) -> None:
    """Only the first lanes are read and written; the others are 0."""
    kind = target(dtype, width)
    count = kind.lanes // 2 + 1
    f = Function("define void @copy(ptr %x, ptr %y, ptr %z)", kind)
    lanes = ", ".join(f"i1 {'true' if k < count else 'false'}" for k in range(kind.lanes))
    mask = f.let(f"and {kind.mask} <{lanes}>, <{', '.join(['i1 true'] * kind.lanes)}>")
    value = f.load_lanes("%x", mask)
    f.store_lanes(value, "%y", mask)
    f.store_lanes(value, "%z", None)
    x, y, z = (
        np.full(kind.lanes, k, np.float32 if kind.bytes == 4 else np.float64) for k in range(1, 4)
    )
    run(f, x, y, z)
    assert y.tolist() == [1] * count + [2] * (kind.lanes - count)
    assert z.tolist() == [1] * count + [0] * (kind.lanes - count)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_one_number_in_all_lanes(dtype: str, width: str) -> None:
    kind = target(dtype, width)
    f = Function("define void @spread(ptr %x, ptr %y)", kind)
    f.store_lanes(f.broadcast(f.load(dtype, f.at("%x", "1"))), "%y", None)
    x = np.array([2, 3], np.float32 if kind.bytes == 4 else np.float64)
    y = np.zeros(kind.lanes, x.dtype)
    run(f, x, y)
    assert (y == 3).all()


def test_addresses_in_memory() -> None:
    kind = target("double", "host")
    f = Function("define void @follow(ptr %places)", kind)
    first = f.load("ptr", "%places")
    f.store_pointer(first, f.at("%places", "1", "ptr"))
    places = np.array([42, 0])
    run(f, places)
    assert places.tolist() == [42, 42]
