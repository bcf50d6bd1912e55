"""exp, tanh, sigmoid and log of vectors, as LLVM IR.

The exponential is the scheme of Cody & Waite (Software Manual for the Elementary Functions, 1980):
x = n ln 2 + r with |r| <= ln 2 / 2, a polynomial for r, and a shift of the exponent by n. The
others follow from it: sigmoid through exp(-|x|), which cannot overflow, tanh through
exp(2 |x|) - 1, so that nothing cancels near 0. log uses log m = 2 artanh((m - 1) / (m + 1)). NaN
and infinities come out where they should: comparisons keep NaN, and no step turns it into an
integer that matters.
"""

from __future__ import annotations

import math

from .ir import Function, Target

LN2_HIGH = {"float": 0.693359375, "double": 0.6931471803691238}
LN2_LOW = {"float": -2.12194440e-4, "double": 1.9082149292705877e-10}
MAGIC = {"float": 1.5 * 2**23, "double": 1.5 * 2**52}  # adding it rounds to a whole number
MANTISSA = {"float": 23, "double": 52}
BIAS = {"float": 127, "double": 1023}
EXP_TERMS = {"float": 7, "double": 13}  # of the series, for less than half a unit in the last place
LOG_TERMS = {"float": 5, "double": 11}
EXP_RANGE = {"float": (-104.5, 89.0), "double": (-746.0, 710.0)}
TANH_LIMIT = {"float": 9.5, "double": 20.0}  # beyond, tanh is 1 to the last place


def _binary(f: Function, operation: str, a: str, b: str) -> str:
    return f.let(f"{operation} {f.target.vector} {a}, {b}")


def fma(f: Function, a: str, b: str, c: str) -> str:
    """Return a * b + c, rounded once."""
    return intrinsic(f, "fma", a, b, c)


def fmuladd(f: Function, a: str, b: str, c: str) -> str:
    """Return a * b + c, rounded once where the processor can."""
    return intrinsic(f, "fmuladd", a, b, c)


def intrinsic(f: Function, name: str, *values: str) -> str:
    """Call one of LLVM's own functions of vectors."""
    target = f.target
    suffix = f"v{target.lanes}f{8 * target.bytes}"
    arguments = ", ".join(f"{target.vector} {value}" for value in values)
    return f.let(f"call {target.vector} @llvm.{name}.{suffix}({arguments})")


def select(f: Function, condition: str, a: str, b: str) -> str:
    """Return a where the condition holds, else b."""
    kind = f.target.vector
    return f.let(f"select {f.target.mask} {condition}, {kind} {a}, {kind} {b}")


def compare(f: Function, how: str, a: str, b: str) -> str:
    """Return a condition; false where either is NaN for ordered comparisons (o...)."""
    return f.let(f"fcmp {how} {f.target.vector} {a}, {b}")


def _tail(f: Function, r: str, terms: int) -> str:
    """Return r^2/2! + ... + r^terms/terms!, by Horner; added to r last, little of it is lost."""
    target = f.target
    total = target.splat(1 / math.factorial(terms))
    for k in range(terms - 1, 1, -1):
        total = fma(f, total, r, target.splat(1 / math.factorial(k)))
    return _binary(f, "fmul", total, _binary(f, "fmul", r, r))


def _reduced(f: Function, x: str) -> tuple[str, str, str]:
    """Return n and r of x = n ln 2 + r, and what rounding took from r."""
    target = f.target
    dtype, magic = target.dtype, target.splat(MAGIC[target.dtype])
    shifted = fma(f, x, target.splat(1 / math.log(2)), magic)
    n = _binary(f, "fsub", shifted, magic)
    exact = fma(f, n, target.splat(-LN2_HIGH[dtype]), x)
    r = fma(f, n, target.splat(-LN2_LOW[dtype]), exact)
    lost = fma(f, n, target.splat(-LN2_LOW[dtype]), _binary(f, "fsub", exact, r))
    return n, r, lost


def _scaled(f: Function, x: str, n: str) -> str:
    """Return x times 2^n for whole n, with denormal and infinite results."""
    target = f.target
    if target.has_avx512:
        return _avx512(f, "mask.scalef", x, n, x, rounding=True)
    kind, dtype = target.integers, target.dtype
    shifted = _binary(f, "fadd", n, target.splat(MAGIC[dtype]))
    bits = f.let(f"bitcast {target.vector} {shifted} to {kind}")
    zero = f.let(f"bitcast {target.vector} {target.splat(MAGIC[dtype])} to {kind}")
    whole = f.let(f"sub {kind} {bits}, {zero}")
    # Two factors: one power of two cannot reach from the largest to the denormal numbers.
    half = f.let(f"ashr {kind} {whole}, {target.integer_splat(1)}")
    rest = f.let(f"sub {kind} {whole}, {half}")
    return _binary(f, "fmul", _binary(f, "fmul", x, _power_of_two(f, half)), _power_of_two(f, rest))


def _power_of_two(f: Function, n: str) -> str:
    """Return 2^n for integers n within the exponent's range."""
    target = f.target
    kind = target.integers
    exponent = f.let(f"add {kind} {n}, {target.integer_splat(BIAS[target.dtype])}")
    bits = f.let(f"shl {kind} {exponent}, {target.integer_splat(MANTISSA[target.dtype])}")
    return f.let(f"bitcast {kind} {bits} to {target.vector}")


def _avx512(f: Function, name: str, *values: str, rounding: bool = False) -> str:
    """Write one of the instructions that only AVX-512 has, in all lanes."""
    target = f.target
    suffix = {"float": "ps", "double": "pd"}[target.dtype]
    arguments = [f"{target.vector} {value}" for value in values]
    arguments.append(f"i{target.lanes} -1")
    if rounding:
        arguments.append("i32 4")  # as the processor is set
    return f.let(
        f"call {target.vector} @llvm.x86.avx512.{name}.{suffix}.512({', '.join(arguments)})"
    )


def _reciprocal(f: Function, x: str) -> str:
    """Return 1 / x for x that is neither 0 nor infinite nor denormal.

    AVX-512 has a guess with 14 good bits, which Newton's steps double; dividing takes longer.
    """
    target = f.target
    one = target.splat(1)
    if not target.has_avx512:
        return _binary(f, "fdiv", one, x)
    guess = _avx512(f, "rcp14", x, "zeroinitializer")
    negative = f.let(f"fneg {target.vector} {x}")
    for _ in range({"float": 1, "double": 2}[target.dtype]):
        guess = fma(f, guess, fma(f, negative, guess, one), guess)
    return guess


def _clamped(f: Function, x: str, low: float | None, high: float | None) -> str:
    """Return x within bounds; NaN stays."""
    if low is not None:
        bound = f.target.splat(low)
        x = select(f, compare(f, "olt", x, bound), bound, x)
    if high is not None:
        bound = f.target.splat(high)
        x = select(f, compare(f, "ogt", x, bound), bound, x)
    return x


def exp(f: Function, x: str) -> str:
    """Return e^x, with infinities, zeros and denormal results."""
    target = f.target
    n, r, lost = _reduced(f, _clamped(f, x, *EXP_RANGE[target.dtype]))
    tail = _binary(f, "fadd", _tail(f, r, EXP_TERMS[target.dtype]), lost)
    # 1 + r + tail, with what rounding takes from 1 + r given to the tail.
    high = _binary(f, "fadd", target.splat(1), r)
    low = _binary(f, "fsub", r, _binary(f, "fsub", high, target.splat(1)))
    return _scaled(f, _binary(f, "fadd", high, _binary(f, "fadd", low, tail)), n)


def sigmoid(f: Function, x: str) -> str:
    """Return 1 / (1 + t) or t / (1 + t) with t = e^-|x|, which cannot overflow."""
    target = f.target
    size = f.let(f"fneg {target.vector} {intrinsic(f, 'fabs', x)}")
    n, r, _ = _reduced(f, _clamped(f, size, EXP_RANGE[target.dtype][0], None))
    less_one = _binary(f, "fadd", r, _tail(f, r, EXP_TERMS[target.dtype]))
    t = _scaled(f, _binary(f, "fadd", target.splat(1), less_one), n)
    above = _reciprocal(f, _binary(f, "fadd", target.splat(1), t))
    below = _binary(f, "fmul", t, above)
    return select(f, compare(f, "olt", x, target.splat(0)), below, above)


def tanh(f: Function, x: str) -> str:
    """Return d / (d + 2), d = e^2|x| - 1; both carry what rounding takes from them."""
    target = f.target
    size = _clamped(f, intrinsic(f, "fabs", x), None, TANH_LIMIT[target.dtype])
    n, r, r_lost = _reduced(f, _binary(f, "fadd", size, size))
    tail = _tail(f, r, EXP_TERMS[target.dtype])
    series, series_lost = _sum(f, r, _binary(f, "fadd", tail, r_lost))
    power = _scaled(f, target.splat(1), n)
    less_one = _binary(f, "fadd", power, target.splat(-1))
    d = fma(f, series, power, less_one)
    d_lost = fma(f, series, power, _binary(f, "fsub", less_one, d))
    d_lost = fma(f, series_lost, power, d_lost)
    below, below_lost = _sum(f, target.splat(2), d)
    inverse = _reciprocal(f, below)
    quotient = _binary(f, "fmul", d, inverse)
    negative = f.let(f"fneg {target.vector} {quotient}")
    rest = _binary(f, "fadd", fma(f, negative, below, d), d_lost)
    rest = fma(f, negative, _binary(f, "fadd", below_lost, d_lost), rest)
    result = fma(f, rest, inverse, quotient)
    return intrinsic(f, "copysign", result, x)


def _sum(f: Function, a: str, b: str) -> tuple[str, str]:
    """Return a + b and what rounding took from it (Knuth's two-sum)."""
    total = _binary(f, "fadd", a, b)
    part = _binary(f, "fsub", total, a)
    a_lost = _binary(f, "fsub", a, _binary(f, "fsub", total, part))
    return total, _binary(f, "fadd", a_lost, _binary(f, "fsub", b, part))


def log(f: Function, x: str) -> str:
    """Return the natural logarithm: NaN below 0, -infinity at 0, denormal arguments included."""
    target = f.target
    dtype, kind = target.dtype, target.integers
    tiny = compare(f, "olt", x, target.splat(2.0 ** (2 - BIAS[dtype])))
    lifted = _binary(f, "fmul", x, target.splat(2.0 ** (MANTISSA[dtype] + 1)))
    bits = f.let(f"bitcast {target.vector} {select(f, tiny, lifted, x)} to {kind}")
    # Centre the mantissa on 1: subtract the bits of sqrt(1/2), cut, and add them again.
    centre = f.let(f"bitcast {target.vector} {target.splat(math.sqrt(0.5))} to {kind}")
    offset = f.let(f"sub {kind} {bits}, {centre}")
    exponent = f.let(f"ashr {kind} {offset}, {target.integer_splat(MANTISSA[dtype])}")
    shifted = f.let(f"shl {kind} {exponent}, {target.integer_splat(MANTISSA[dtype])}")
    mantissa = f.let(f"bitcast {kind} {f.let(f'sub {kind} {bits}, {shifted}')} to {target.vector}")
    e = f.let(f"sitofp {kind} {exponent} to {target.vector}")
    lowered = _binary(f, "fsub", e, target.splat(MANTISSA[dtype] + 1.0))
    e = select(f, tiny, lowered, e)
    less = _binary(f, "fadd", mantissa, target.splat(-1))
    s = _binary(f, "fdiv", less, _binary(f, "fadd", mantissa, target.splat(1)))
    square = _binary(f, "fmul", s, s)
    terms = LOG_TERMS[dtype]
    total = target.splat(2 / (2 * terms + 1))
    for k in range(terms - 1, 0, -1):
        total = fma(f, total, square, target.splat(2 / (2 * k + 1)))
    # 2 s + s R = d - (d^2/2 - s (d^2/2 + R)) for d = m - 1, which is exact: less is lost so.
    half = _binary(f, "fmul", target.splat(0.5), _binary(f, "fmul", less, less))
    small = _binary(f, "fmul", target.splat(LN2_LOW[dtype]), e)
    small = fma(f, s, fma(f, total, square, half), small)
    result = _binary(f, "fadd", _binary(f, "fsub", small, half), less)
    result = fma(f, e, target.splat(LN2_HIGH[dtype]), result)
    infinite = compare(f, "oeq", x, target.splat(math.inf))
    result = select(f, infinite, x, result)
    result = select(f, compare(f, "oeq", x, target.splat(0)), target.splat(-math.inf), result)
    # Negative and NaN: x < 0 is NaN, and NaN stays.
    wrong = compare(f, "ult", x, target.splat(0))
    return select(f, wrong, target.splat(math.nan), result)


ROUTINES = {"exp": exp, "sigmoid": sigmoid, "tanh": tanh, "log": log}


def call(f: Function, name: str, x: str) -> str:
    """Call one of the routines."""
    kind = f.target.vector
    return f.let(f"call {kind} @{name}({kind} {x})")


def routine(name: str, target: Target) -> str:
    """Return the text of one routine."""
    kind = target.vector
    f = Function(f"define internal {kind} @{name}({kind} %x) alwaysinline", target)
    f.do(f"ret {kind} {ROUTINES[name](f, '%x')}")
    return f.text()
