"""Equations as MathML, which browsers show by themselves: without a script, and without network."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from .formula import Style
from .names import GREEK

if TYPE_CHECKING:
    from ..graph.graph import Graph

THIN = "<mspace width='0.17em'></mspace>"


def _letter(name: str) -> str:
    """Return a letter or words: a letter is slanted, words are not."""
    bare = name.rstrip("'")
    return f"<mi>{escape(GREEK.get(bare, bare))}{'′' * (len(name) - len(bare))}</mi>"


def _digits(digits: str) -> str:
    return f"<mn>{digits}</mn>"


def _time(time: str) -> str:
    """Return a letter, and what is taken off it."""
    letter, minus, steps = time.partition("-")
    return _row(_letter(letter), _sign("−"), _digits(steps)) if minus else _letter(letter)


def _sign(sign: str) -> str:
    return f"<mo>{escape(sign)}</mo>"


def _row(*parts: str) -> str:
    return f"<mrow>{''.join(parts)}</mrow>"


def _indices(parts: list[str], apart: bool) -> str:
    return _row((_sign(",") if apart else "").join(parts))


def _scripted(base: str, raised: str, below: str, barred: bool) -> str:
    """Return a letter with what stands above and below it."""
    base = f"<mover>{base}{_sign('¯')}</mover>" if barred else base
    if not raised:
        return f"<msub>{base}{below}</msub>"
    return f"<msubsup>{base}{below}{raised}</msubsup>"


def _power(base: str, exponent: str) -> str:
    return f"<msup>{base}{exponent}</msup>"


STYLE = Style(
    letter=_letter,
    function=_letter,
    digits=_digits,
    time=_time,
    signs={
        **{sign: _sign(sign) for sign in "+−⊙·<≤>≥,∑∞⊤"},
        **{"negative": _sign("−"), "raised": _sign("+"), "times": "", "of": THIN},
    },
    row=_row,
    indices=_indices,
    scripted=_scripted,
    power=_power,
    fraction="<mfrac>{}{}</mfrac>",
    root="<msqrt>{}</msqrt>",
    bars="<mrow><mo>|</mo>{}<mo>|</mo></mrow>",
    brackets="<mrow><mo>(</mo>{}<mo>)</mo></mrow>",
    choice=(
        "<mrow><mo>(</mo>{1}<mtext>&nbsp;if&nbsp;</mtext>{0}<mtext>&nbsp;else&nbsp;</mtext>{2}"
        "<mo>)</mo></mrow>"
    ),
)

CELL = "<mtd style='text-align:{};padding:0.25em 0'>{}</mtd>"


def mathml(graph: Graph) -> str:
    """Return all equations of a graph, aligned at the equals signs."""
    rows = "".join(
        f"<mtr>{CELL.format('right', left)}{CELL.format('left', _row(_sign('='), right))}</mtr>"
        for left, right in STYLE.equations(graph).values()
    )
    return f"<math display='block' style='width:max-content'><mtable>{rows}</mtable></math>"
