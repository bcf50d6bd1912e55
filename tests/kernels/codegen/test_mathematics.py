"""exp, tanh, sigmoid and log beside PyTorch's, both against 64 bits of mantissa."""

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from unrolled.kernels.codegen import mathematics
from unrolled.kernels.codegen.ir import Function, Target

from .targets import DTYPES, WIDTHS, function, target

EXACT: dict[str, Callable[[Any], Any]] = {
    "exp": np.exp,
    "log": np.log,
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
}
LIMITS = {"exp": 0.8, "log": 0.85, "tanh": 0.85, "sigmoid": 2.5}
"""Largest errors in units in the last place. Just below 1/2, the units halve and 1 + t's do not."""

each_routine = pytest.mark.parametrize("name", mathematics.ROUTINES)
each_dtype = pytest.mark.parametrize("dtype", DTYPES)
each_width = pytest.mark.parametrize("width", WIDTHS)
precise = pytest.mark.skipif(
    np.finfo(np.longdouble).nmant < 63, reason="there is nothing more exact than float64"
)

Numbers = Any  # a NumPy array


def module(target: Target) -> str:
    """For each routine, a function of two arrays: from the first to the second."""
    parts = [mathematics.routine(name, target) for name in mathematics.ROUTINES]
    for name in mathematics.ROUTINES:
        f = Function(f"define void @all_{name}(ptr %x, ptr %y, i64 %n)", target)
        with f.loop("i", "0", "%n", str(target.lanes)) as loop:
            x = f.load(target.vector, f.at("%x", loop.at))
            f.store(target.vector, mathematics.call(f, name, x), f.at("%y", loop.at))
        f.do("ret void")
        parts.append(f.text())
    return "\n\n".join(parts)


def computed(name: str, x: Numbers, width: str) -> Numbers:
    """A routine of many numbers."""
    kind = target("float" if x.dtype == np.float32 else "double", width)
    padded = np.concatenate([x, np.zeros(-len(x) % kind.lanes, x.dtype)])
    y = np.full_like(padded, np.nan)
    call = function(
        module(kind), f"all_{name}", kind, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64
    )
    call(padded.ctypes.data, y.ctypes.data, len(padded))
    return y[: len(x)]


def by_torch(name: str, x: Numbers) -> Numbers:
    return getattr(torch, name)(torch.from_numpy(x)).numpy()


def numpy_type(dtype: str) -> Any:
    return np.float32 if dtype == "float" else np.float64


def special(dtype: str) -> Numbers:
    kind = numpy_type(dtype)
    limits = np.finfo(kind)
    positive = [0, limits.smallest_subnormal, limits.tiny / 3, limits.tiny, limits.eps, 1]
    positive += [limits.max, np.inf]
    return np.array([*positive, *(-value for value in np.array(positive, kind)), np.nan], kind)


def numbers(name: str, dtype: str) -> Numbers:
    """Numbers of all sizes, and more of those where the function does something."""
    kind, rng = numpy_type(dtype), np.random.default_rng(0)
    if kind is np.float32:
        all_sizes = np.arange(0, 2**32, 65521, np.uint32).view(kind)
    else:
        all_sizes = rng.integers(0, 2**64, 2**16, np.uint64).view(kind)
    ends = (-110, 95) if kind is np.float32 else (-750, 715)
    parts = [rng.uniform(low, high, 2**15) for low, high in ((-1e-3, 1e-3), (-1, 1), (-20, 20))]
    parts = [np.concatenate([*parts, rng.uniform(*ends, 2**15)]).astype(kind)]
    if name == "log":
        with np.errstate(over="ignore"):
            parts = [np.exp(parts[0].astype(np.float64)).astype(kind)]
        parts.append(rng.uniform(0.5, 2, 2**15).astype(kind))
    return np.concatenate([all_sizes, *parts, special(dtype)])


def error(y: Numbers, exact: Numbers) -> float:
    """The largest error in units in the last place, where neither is NaN or infinite."""
    with np.errstate(over="ignore"):
        rounded = exact.astype(y.dtype)
    known = np.isfinite(rounded) & np.isfinite(y)
    units = np.spacing(np.abs(rounded[known])).astype(np.longdouble)
    return float((np.abs(y[known].astype(np.longdouble) - exact[known]) / units).max())


@precise
@each_width
@each_dtype
@each_routine
def test_errors_are_those_of_pytorch(name: str, dtype: str, width: str) -> None:
    x = numbers(name, dtype)
    with np.errstate(all="ignore"):
        exact = EXACT[name](x.astype(np.longdouble))
    found, known = error(computed(name, x, width), exact), error(by_torch(name, x), exact)
    assert found <= 1.5 * known + 0.01
    assert found <= LIMITS[name]


@each_width
@each_dtype
@each_routine
def test_nan_and_infinities_are_those_of_pytorch(name: str, dtype: str, width: str) -> None:
    x = numbers(name, dtype)
    found, known = computed(name, x, width), by_torch(name, x)
    assert np.array_equal(np.isnan(found), np.isnan(known))
    assert np.array_equal(found[np.isinf(found)], known[np.isinf(known)])
    assert np.array_equal(np.isinf(found), np.isinf(known))


@each_width
@each_dtype
def test_special_values(dtype: str, width: str) -> None:
    kind = numpy_type(dtype)
    limits = np.finfo(kind)
    tiny, inf, nan = limits.smallest_subnormal, kind(np.inf), kind(np.nan)
    expected: dict[str, list[tuple[Any, Any]]] = {
        "exp": [(0, 1), (-0.0, 1), (tiny, 1), (-tiny, 1), (inf, inf), (-inf, 0), (limits.min, 0)],
        "sigmoid": [(0, 0.5), (-0.0, 0.5), (inf, 1), (-inf, 0), (limits.max, 1), (limits.min, 0)],
        "tanh": [(0, 0), (-0.0, -0.0), (inf, 1), (-inf, -1), (limits.max, 1), (limits.min, -1)],
        "log": [(1, 0), (0, -inf), (-0.0, -inf), (inf, inf), (-tiny, nan), (-1, nan), (-inf, nan)],
    }
    expected["tanh"] += [(tiny, tiny), (-tiny, -tiny), (limits.tiny / 3, limits.tiny / 3)]
    for name, pairs in expected.items():
        x, y = np.array([(nan, nan), *pairs], kind).T.copy()
        found = computed(name, x, width)
        assert np.array_equal(found, y, equal_nan=True), name
        numbers = ~np.isnan(y)
        assert np.array_equal(np.signbit(found[numbers]), np.signbit(y[numbers])), name


@each_dtype
def test_denormal_results_of_exp(dtype: str) -> None:
    kind = numpy_type(dtype)
    low = np.log(np.finfo(kind).tiny)
    x = np.linspace(low - 12, low + 1, 4097).astype(kind)
    exact = np.exp(x.astype(np.longdouble))
    for width in WIDTHS:
        found = computed("exp", x, width)
        assert (found > 0).all()
        assert (np.diff(found) >= 0).all()
        assert error(found, exact) <= 1


@each_width
@each_dtype
def test_tanh_is_odd_and_bounded(dtype: str, width: str) -> None:
    x = np.abs(numbers("tanh", dtype))
    x = x[~np.isnan(x)]
    found = computed("tanh", x, width)
    assert np.array_equal(computed("tanh", -x, width), -found)
    assert (found <= 1).all()
    assert (found <= x).all()
    assert (computed("sigmoid", x, width) <= 1).all()


@each_dtype
def test_no_number_depends_on_its_neighbours(dtype: str) -> None:
    """Each lane is computed by itself: NaN in one changes no other."""
    x = np.random.default_rng(0).uniform(-3, 3, 64).astype(numpy_type(dtype))
    for name in mathematics.ROUTINES:
        clean = computed(name, x, "host")
        spoiled = x.copy()
        spoiled[::3] = np.nan
        found = computed(name, spoiled, "host")
        kept = np.arange(64) % 3 != 0
        assert np.array_equal(found[kept], clean[kept], equal_nan=True)
