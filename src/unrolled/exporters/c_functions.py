"""Functions of real numbers in C: exp, sigmoid and tanh that compilers make vectors of.

The exponential is the scheme of Cody & Waite (Software Manual for the Elementary Functions, 1980):
v = n ln 2 + r with |r| <= ln 2 / 2, a polynomial for r, and 2^n put into the exponent. There is no
call in them, and no choice but between values that are computed already, so that a loop over units
becomes one over vectors, without any flag that changes what arithmetic means.
"""

from __future__ import annotations

import math
import re

TERMS = {"float": 7, "double": 13}
"""Of the series of exp: less than a unit in the last place."""

FAST_TERMS = {"float": 4, "double": 4}
"""Of the series of the fast activations, whose relative error is at most 2e-4."""

LN2 = {
    "float": ("0.693359375f", "-2.12194440e-4f"),
    "double": ("0.6931471803691238", "1.9082149292705877e-10"),
}
"""ln 2 in two parts; the first has so few bits that its products with whole numbers are exact."""

LIMIT = {"float": 104.5, "double": 746.0}
"""Beyond it exp is 0 or infinite."""

TANH_LIMIT = {"float": 9.5, "double": 20.0}
"""Beyond it tanh is 1 to the last place."""

BITS = {"float": ("uint32_t", 127, 23), "double": ("uint64_t", 1023, 52)}


def _constant(value: float, dtype: str) -> str:
    return f"{value!r}f" if dtype == "float" else repr(value)


def _series(terms: int, dtype: str) -> str:
    """Return r + r^2/2! + ... by Horner, as an expression of r."""
    text = _constant(1 / math.factorial(terms), dtype)
    for k in range(terms - 1, 1, -1):
        text = f"({text} * r + {_constant(1 / math.factorial(k), dtype)})"
    return f"r + r * r * {text}"


def functions(dtype: str, fast: bool = False) -> dict[str, str]:
    """Return the text of each function, by name, in an order in which they can be declared.

    Args:
        dtype: float or double.
        fast: whether activations have a relative error of 2e-4, for 2 to 17 % less time a step.
    """
    suffix = "f" if dtype == "float" else ""
    kind, bias, shift = BITS[dtype]
    ln2_high, ln2_low = LN2[dtype]
    terms = (FAST_TERMS if fast else TERMS)[dtype]
    half, inverse = _constant(0.5, dtype), _constant(1 / math.log(2), dtype)
    reduced = f"""\
    const real turns = v * {inverse};
    const int32_t n = (int32_t)(turns + copysign{suffix}({half}, turns));
    const real r = (v - (real)n * {ln2_high}) - (real)n * {ln2_low};
    const real less_one = {_series(terms, dtype)};"""
    return {
        "real_abs": f"static inline real real_abs(real v) {{ return fabs{suffix}(v); }}",
        "real_sqrt": f"static inline real real_sqrt(real v) {{ return sqrt{suffix}(v); }}",
        "real_log": f"static inline real real_log(real v) {{ return log{suffix}(v); }}",
        "real_min": (
            "static inline real real_min(real a, real b) { return ((a < b) | (a != a)) ? a : b; }"
        ),
        "real_max": (
            "static inline real real_max(real a, real b) { return ((a > b) | (a != a)) ? a : b; }"
        ),
        "real_select": (
            "static inline real real_select(int is_so, real a, real b) { return is_so ? a : b; }"
        ),
        "real_bits": f"""\
typedef {kind} real_bits;
typedef union {{ real value; real_bits bits; }} real_union;

static inline real_bits real_to_bits(real v)
{{
    real_union u;
    u.value = v;
    return u.bits;
}}

static inline real real_of_bits(real_bits bits)
{{
    real_union u;
    u.bits = bits;
    return u.value;
}}

#define REAL_ONE (real_bits)1
#define REAL_SIGN (REAL_ONE << {shift + bias.bit_length() + 1})
#define REAL_INFINITY ((REAL_SIGN >> 1) - (REAL_ONE << {shift}) + (REAL_SIGN >> 1))

/* v with its size cut at a limit, also if it is NaN */
static inline real real_cut(real v, real limit)
{{
    const real_bits bits = real_to_bits(v), size = bits & ~REAL_SIGN, most = real_to_bits(limit);
    return real_of_bits((size < most ? size : most) | (bits & REAL_SIGN));
}}

/* v, or NaN if the argument of a function is */
static inline real real_unless_nan(real v, real argument)
{{
    const real_bits size = real_to_bits(argument) & ~REAL_SIGN;
    const real_bits is_nan = (real_bits)(size > REAL_INFINITY);
    return real_of_bits(real_to_bits(v) | (((real_bits)0 - is_nan) & ~REAL_SIGN));
}}

/* 2^n, for the exponents of normal numbers */
static inline real real_power(int32_t n)
{{
    return real_of_bits((real_bits)(n + {bias}) << {shift});
}}""",
        "real_exp": f"""\
static inline real real_exp(real argument)
{{
    const real v = real_cut(argument, {_constant(LIMIT[dtype], dtype)});
{reduced}
    const int32_t half = n / 2;
    const real power = (1 + less_one) * real_power(half) * real_power(n - half);
    return real_unless_nan(power, argument);
}}""",
        "real_sigmoid": f"""\
/* by e^-|v|, which cannot overflow */
static inline real real_sigmoid(real v)
{{
    const real power = real_exp(-fabs{suffix}(v));
    return (v < 0 ? power : 1) / (1 + power);
}}""",
        "real_tanh": f"""\
/* d / (d + 2) with d = e^2|v| - 1, so that nothing cancels near 0 */
static inline real real_tanh(real argument)
{{
    const real v = 2 * fabs{suffix}(real_cut(argument, {_constant(TANH_LIMIT[dtype], dtype)}));
{reduced}
    const real power = real_power(n);
    const real d = less_one * power + (power - 1);
    return real_unless_nan(copysign{suffix}(d / (d + 2), argument), argument);
}}""",
    }


def used(body: str, dtype: str, fast: bool = False) -> str:
    """Return the text of the functions that a body calls, and that these call."""
    found: list[str] = []
    known = functions(dtype, fast)
    for name, text in reversed(known.items()):
        call = r"real_(cut|power)\(" if name == "real_bits" else rf"\b{name}\("
        if re.search(call, "\n".join([body, *found])):
            found.insert(0, text)
    return "\n\n".join(found)
