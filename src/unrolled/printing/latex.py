"""Equations as LaTeX, in the part of the language that matplotlib's mathtext knows too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..graph.notation import Level
from .formula import Style
from .names import GREEK

if TYPE_CHECKING:
    from ..graph.graph import Graph
    from ..graph.node import Node

CHINESE = "\u2e80"
"""The first of the letters that are never slanted."""
FUNCTIONS = frozenset(["sigma", "tanh", "exp", "log", "min", "max", "dim"])
"""Functions that LaTeX has a command for."""
SIGNS = {
    **{"+": " + ", "−": " - ", "⊙": " \\odot ", "·": " \\cdot ", "<": " < ", "≤": " \\leq "},
    **{">": " > ", "≥": " \\geq "},
    **{",": ",\\, ", "negative": "-", "∑": "\\sum ", "∞": "\\infty", "⊤": "\\top", "raised": "+"},
    **{"times": " ", "of": " "},
}


def letter(name: str) -> str:
    """Return a letter or words: ``c``, ``\\beta``, ``\\mathrm{rh}``."""
    bare = name.rstrip("'")
    text = f"\\{bare}" if bare in GREEK else _spaced(bare)
    slanted = (len(bare) == 1 and bare < CHINESE) or bare in GREEK
    text = text if slanted else f"\\mathrm{{{text}}}"
    return text + name[len(bare) :]


def _spaced(words: str) -> str:
    return words.replace(" ", "\\,").replace("_", "\\_")


def _function(name: str) -> str:
    return f"\\{name}" if name in FUNCTIONS else f"\\mathrm{{{name}}}"


def _row(*parts: str) -> str:
    return "".join(parts)


def _indices(parts: list[str], apart: bool) -> str:
    return ("," if apart else "").join(parts)


def _scripted(base: str, raised: str, below: str, barred: bool) -> str:
    """Return a letter with what stands above and below it: ``\\bar{h}^{+}_t``."""
    base = f"\\bar{{{base}}}" if barred else base
    base = f"{{{base}}}" if raised and "'" in base else base  # a symbol has one exponent
    exponent = f"^{{{raised}}}" if raised else ""
    return f"{base}{exponent}_{below if below == 't' else f'{{{below}}}'}"


def _power(base: str, exponent: str) -> str:
    base = f"{{{base}}}" if "^" in base or "'" in base else base
    return f"{base}^{{{exponent}}}"


STYLE = Style(
    letter=letter,
    function=_function,
    digits=str,
    time=str,
    signs=SIGNS,
    row=_row,
    indices=_indices,
    scripted=_scripted,
    power=_power,
    fraction="\\frac{{{}}}{{{}}}",
    root="\\sqrt{{{}}}",
    bars="\\left|{}\\right|",
    brackets="\\left({}\\right)",
    choice="\\left({1} \\;\\mathrm{{if}}\\; {0} \\;\\mathrm{{else}}\\; {2}\\right)",
)


def symbol(name: str, time: str) -> str:
    """Return a value at a time: ``c_{t-1}``, ``m^{\\mathrm{new}}_t``."""
    return STYLE.symbol(name, time)


def learned_symbol(name: str) -> str:
    """Return a learned vector, or a hyperparameter: ``p_{i}``."""
    return STYLE.name(name)


def number(scalar: Node, within: bool = False) -> str:
    """Return a number that is computed from hyperparameters: ``1 - \\alpha``.

    Args:
        scalar: see `unrolled.graph.scalars`.
        within: whether it stands in an operation: a sum is then put into brackets.
    """
    return STYLE.number(scalar, Level.SIGN if within else Level.ANY)


def decimal(value: float) -> str:
    """Return a number, its power of ten written as one.

    >>> decimal(0.5), decimal(2e-9), decimal(1e20)
    ('0.5', '2 \\\\cdot 10^{-9}', '10^{20}')
    """
    return STYLE.decimal(value)


weight_symbol = STYLE.weight


def equations(graph: Graph) -> dict[str, tuple[str, str]]:
    """Return the left and right side of each line in print (see `Graph.lines`)."""
    return STYLE.equations(graph)


def latex(graph: Graph) -> str:
    """Return all equations of a graph, aligned at the equals signs."""
    lines = [f"{left} &= {right} \\\\" for left, right in equations(graph).values()]
    return "\n".join(["\\begin{aligned}", *lines, "\\end{aligned}"])
