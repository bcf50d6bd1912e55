"""Functions of real numbers in C: exp, sigmoid and tanh that compilers make vectors of.

The exponential is the scheme of Cody & Waite (Software Manual for the Elementary Functions, 1980):
v = n ln 2 + r with |r| <= ln 2 / 2, a polynomial for r, and 2^n put into the exponent. There is no
branch and no call in them, so that a loop over units becomes one over vectors, without any flag
that changes what arithmetic means.
"""

from __future__ import annotations

import math
import re

TERMS = {"float": 7, "double": 13}
"""Of the series of exp: less than a unit in the last place."""

FAST_TERMS = {"float": 4, "double": 4}
"""Of the series of the fast exp: its relative error is 4.2e-5."""

LN2 = {"float": ("0.693359375f", "-2.12194440e-4f"), "double": ("0.6931471803691238", "1.9082149292705877e-10")}
"""ln 2 in two parts; the first has so few bits that its products with whole numbers are exact."""

LIMITS = {"float": (-104.5, 89.0), "double": (-746.0, 710.0)}
BITS = {"float": ("uint32_t", 127, 23), "double": ("uint64_t", 1023, 52)}
TANH_LIMIT = {"float": 9.5, "double": 20.0}


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
        fast: whether activations are good to four digits only.
    """
    suffix = "f" if dtype == "float" else ""
    kind, bias, shift = BITS[dtype]
    low, high = (_constant(each, dtype) for each in LIMITS[dtype])
    ln2_high, ln2_low = LN2[dtype]
    terms = (FAST_TERMS if fast else TERMS)[dtype]
    half, inverse = _constant(0.5, dtype), _constant(1 / math.log(2), dtype)
    reduced = f"""\
    const real turns = v * {inverse};
    const int32_t n = (int32_t)(turns == turns ? turns + (turns < 0 ? -{half} : {half}) : 0);
    const real r = (v - (real)n * {ln2_high}) - (real)n * {ln2_low};
    const real less_one = {_series(terms, dtype)};"""
    return {
        "real_abs": f"static inline real real_abs(real v) {{ return fabs{suffix}(v); }}",
        "real_sqrt": f"static inline real real_sqrt(real v) {{ return sqrt{suffix}(v); }}",
        "real_log": f"static inline real real_log(real v) {{ return log{suffix}(v); }}",
        "real_min": (
            "static inline real real_min(real a, real b) { return a < b || a != a ? a : b; }"
        ),
        "real_max": (
            "static inline real real_max(real a, real b) { return a > b || a != a ? a : b; }"
        ),
        "real_power": f"""\
/* 2^n, for the exponents of normal numbers */
static inline real real_power(int32_t n)
{{
    union {{ {kind} bits; real value; }} u;
    u.bits = ({kind})(n + {bias}) << {shift};
    return u.value;
}}""",
        "real_exp": f"""\
static inline real real_exp(real v)
{{
    v = v < {low} ? {low} : v > {high} ? {high} : v;
{reduced}
    const int32_t half = n / 2;
    return (1 + less_one) * real_power(half) * real_power(n - half);
}}""",
        "real_sigmoid": f"""\
/* by e^-|v|, which cannot overflow */
static inline real real_sigmoid(real v)
{{
    const real power = real_exp(v < 0 ? v : -v);
    return (v < 0 ? power : 1) / (1 + power);
}}""",
        "real_tanh": f"""\
/* d / (d + 2) with d = e^2|v| - 1, so that nothing cancels near 0 */
static inline real real_tanh(real argument)
{{
    const real size = argument < 0 ? -argument : argument;
    const real bounded = size > {_constant(TANH_LIMIT[dtype], dtype)} ? {_constant(TANH_LIMIT[dtype], dtype)} : size;
    const real v = bounded + bounded;
{reduced}
    const real power = real_power(n);
    const real d = less_one * power + (power - 1);
    const real quotient = d / (d + 2);
    return argument < 0 ? -quotient : quotient;
}}""",
    }


def used(body: str, dtype: str, fast: bool = False) -> str:
    """Return the text of the functions that a body calls, and that these call."""
    found: list[str] = []
    known = functions(dtype, fast)
    for name, text in reversed(known.items()):
        if re.search(rf"\b{name}\(", "\n".join([body, *found])):
            found.insert(0, text)
    return "\n\n".join(found)
