"""Mathematics in plain letters: LaTeX as text that can be read, searched and spoken.

Where a terminal has no letters but those of ASCII, the same in them: ``c_t = f_t * c_(t-1)``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final
from unicodedata import lookup

from .names import GREEK

SIGNS: dict[str, str] = {
    # Unicode writes one of them otherwise.
    **{g: lookup(f"GREEK SMALL LETTER {g.replace('lambda', 'lamda')}") for g in GREEK},
    **{"odot": "⊙", "times": "×", "div": "÷", "cdot": "·", "leq": "≤", "geq": "≥", "neq": "≠"},
    **{"approx": "≈", "pm": "±", "to": "→", "infty": "∞", "sim": "∼", "top": "⊤", "in": "∈"},
    **{"sum": "Σ", "prod": "Π", "Sigma": "Σ", "Delta": "Δ", "cdots": "⋯", "dots": "…", "|": "‖"},
    **{"quad": "  ", "ldots": "…", "Rightarrow": "⇒", "rightarrow": "→", "varepsilon": "ε"},
    **{"max": "max", "min": "min", "dim": "dim", "circ": "∘", "ell": "ℓ", "mid": "|"},
    **{"{": "{", "}": "}", "%": "%", "_": "_", "#": "#", "&": "&", "$": "$"},
    **{"!": "", ",": " ", ";": " ", ":": " ", " ": " ", "left": "", "right": "", "\\": " "},
}  # fmt: skip
"""Commands of LaTeX that stand for a sign; other commands stand for their own name."""
FONTS = frozenset(
    ["mathrm", "mathbf", "mathit", "mathdefault", "mathsf", "mathregular", "text", "operatorname"]
)
"""Commands that change letters without changing what they say."""
ACCENTS = {"bar": "\u0304", "tilde": "\u0303", "hat": "\u0302", "dot": "\u0307"}
"""Signs over a letter, as marks that follow it."""
_LINE = "0123456789+-−=()"
LOW = dict(
    zip(f"{_LINE}aehijklmnoprstuvxβγρφχ", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦᵧᵨᵩᵪ", strict=True)
)
HIGH = dict(
    zip(
        f"{_LINE}abcdefghijklmnoprstuvwxyz⊤",
        "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᵀ",
        strict=True,
    )
)
ASCII_SIGNS: dict[str, str] = {
    **{g: g for g in GREEK},
    **{"odot": "*", "times": "x", "div": "/", "cdot": "*", "leq": "<=", "geq": ">=", "neq": "!="},
    **{"approx": "~=", "pm": "+-", "to": "->", "infty": "inf", "sim": "~", "top": "T", "in": "in"},
    **{"cdots": "...", "dots": "...", "ldots": "...", "Rightarrow": "=>", "rightarrow": "->"},
    **{"|": "||", "varepsilon": "epsilon", "circ": "o", "ell": "l"},
    **{"sum": "sum", "prod": "prod", "Sigma": "Sigma", "Delta": "Delta"},
}
"""What ASCII has instead of `SIGNS`; the others stand for their own name."""


@final
@dataclass(frozen=True)
class Letters:
    """What a formula is written with.

    Attributes:
        signs: of the commands of LaTeX.
        low, high: small letters for indices and exponents, by the usual ones.
        minus, prime: these two signs.
        partial: what stands before what is differentiated.
        is_ascii: whether a mark over a letter is a word before it, in brackets.
    """

    signs: Mapping[str, str]
    low: Mapping[str, str]
    high: Mapping[str, str]
    minus: str
    prime: str
    partial: str
    is_ascii: bool

    def accented(self, name: str, text: str) -> str:
        """Return a text with an accent of LaTeX."""
        return f"{name}({text})" if self.is_ascii else text + ACCENTS[name]

    def own(self, letter: str) -> str:
        """Return a letter that an author used, as a word where it has no place."""
        return NAMES.get(letter, letter) if self.is_ascii else letter


NAMES = {letter: name for name, letter in GREEK.items()}
"""Names of Greek letters."""
UNICODE = Letters(SIGNS, LOW, HIGH, "−", "′", "∂", False)
ASCII = Letters({**SIGNS, **ASCII_SIGNS}, {}, {}, "-", "'", "d", True)
_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|\s+|.", re.DOTALL)


def readable(text: str) -> str:
    """Return a text with its mathematics, between dollar signs, in plain letters.

    >>> readable("units of $h_{t-1}$"), readable(r"5 \\$")
    ('units of hₜ₋₁', '5 $')
    """
    parts = re.split(r"(?<!\\)\$", text)
    if len(parts) % 2:  # as matplotlib does, take a dollar sign without its other one as it is
        parts[1::2] = map(formula, parts[1::2])
    else:
        parts = [text]
    return "".join(part.replace("\\$", "$") for part in parts)


def formula(latex: str, letters: Letters = UNICODE) -> str:
    """Return a formula of LaTeX in plain letters.

    Indices become small letters where Unicode has all of them; words, and the rest, stand behind
    ``_``: some letters have no small one, and a formula's indices should look alike.

    >>> formula(r"f_t = \\sigma\\left(W_{if} x_t + U h_{t-1}\\right) \\odot c^2")
    'fₜ = σ(W_if xₜ + U hₜ₋₁) ⊙ c²'
    >>> formula(r"\\frac{c_t}{1 + n_t} \\leq \\sqrt{2}")
    'cₜ/(1 + nₜ) ≤ √2'
    >>> formula(r"f_t = \\sigma\\left(W_{if} x_t + U h_{t-1}\\right) \\odot c^2", ASCII)
    'f_t = sigma(W_if x_t + U h_(t-1)) * c^2'
    """
    return " ".join(_Reader(latex, letters).all().split())


@final
class _Reader:
    def __init__(self, latex: str, letters: Letters) -> None:
        self.tokens = _TOKEN.findall(latex)
        self.letters = letters
        self.place = 0

    def all(self) -> str:
        """Read up to the end, or to the brace that closes a group."""
        read: list[str] = []
        while self.place < len(self.tokens):
            if self.tokens[self.place] == "}":
                self.place += 1
                break
            read.append(self._one())
        return "".join(read)

    def _one(self) -> str:
        token = self.tokens[self.place]
        self.place += 1
        if token == "{":
            return self.all()
        if token in ("_", "^"):
            return self._small(self._argument(), token)
        if token[0] == "\\":
            return self._command(token[1:])
        if token == "~" or token.isspace():
            return " "
        signs = {"'": self.letters.prime, "-": self.letters.minus}
        return signs.get(token) or self.letters.own(token)

    def _argument(self) -> str:
        while self.place < len(self.tokens) and self.tokens[self.place].isspace():
            self.place += 1
        return self._one().strip() if self.place < len(self.tokens) else ""

    def _command(self, name: str) -> str:
        if name in FONTS:
            return self._argument()
        if name in ACCENTS:
            return self.letters.accented(name, self._argument())
        if name == "frac":
            return f"{_held(self._argument())}/{_held(self._argument())}"
        if name == "partial":
            return f"{self.letters.partial}{self._argument()}"
        if name == "sqrt":
            return self._root(self._argument())
        return self.letters.signs.get(name, name)

    def _root(self, text: str) -> str:
        return f"sqrt({text})" if self.letters.is_ascii else f"√{_held(text)}"

    def _small(self, text: str, way: str) -> str:
        """Return a text as an index or an exponent."""
        table = self.letters.low if way == "_" else self.letters.high
        if (len(text) == 1 or not text.isalpha()) and text and all(each in table for each in text):
            return "".join(map(table.__getitem__, text))
        if text == self.letters.prime or (text == "*" and not self.letters.is_ascii):
            return text
        return f"{way}{text if text.isalnum() or len(text) < 2 else f'({text})'}"


def _held(text: str) -> str:
    """Return a text that holds together: in brackets unless it is one symbol or one call."""
    bare = re.sub(r"[_^](\([^()]*\)|.)", "", text)
    return text if not re.search(r"[\s+\-−/·⊙×*=]", bare) else f"({text})"
