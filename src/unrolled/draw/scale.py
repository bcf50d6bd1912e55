"""A scale of colours: from numbers to colours, and what is written at it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy

from ..display import number
from .contrast import ink_on
from .palette import BLUE, RED
from .words import Words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy import ndarray

COLORS = "cividis"
"""From dark blue to light yellow: everyone can tell it apart, in grey as well."""
EVEN = 3.0
"""Colours are even where no size is more than so many times the median one."""
USUAL, FAR = 0.9, 5.0
"""Colours end at so many times the size that this share of values stays below: one value that is
far larger sets no scale.
"""
SMALL = 0.01
"""The largest of some values from 0 to 1 that would not be seen on the scale from 0 to 1."""
NEAR = 0.5
"""The least size of the largest of some values that have a scale from -1 to 1 by themselves."""
TINY = 1e-300
"""The smallest end of a scale: differences of smaller numbers lose their digits."""


class Scale(NamedTuple):
    """Colours of numbers: fractions from 0 to 1 on one map, everything else on another.

    Attributes:
        top: the size at the end of the colours.
        is_fraction: whether the values are from 0 to 1.
        bend: the size beyond which colours follow the logarithm, so that most values are not grey
            because a few are large; 0 where all colours are even.
        largest: the greatest finite size: `top`, or more where the colours end before it.
    """

    top: float
    is_fraction: bool
    bend: float = 0.0
    largest: float = 0.0

    @classmethod
    def of(cls, *arrays: ndarray) -> Scale:
        """Return one scale for some arrays; that of numbers with signs is the same on both sides of
        0. What is not finite has no part in it.

        >>> Scale.of(numpy.array([0.2, numpy.nan, 0.9]))
        Scale(top=1.0, is_fraction=True, bend=0.0, largest=0.9)
        >>> Scale.of(numpy.array([-4.0, 3.0, numpy.inf])).top
        4.0
        >>> Scale.of(numpy.append(numpy.linspace(-1, 1, 99), 1e30)).top < 50
        True
        """
        values = _finite(arrays)
        largest = float(numpy.abs(values).max(initial=0.0))
        if (values >= 0).all() and (SMALL < largest <= 1 or not largest):
            return cls(1.0, True, 0.0, largest)
        return cls.signed(*arrays)

    @classmethod
    def signed(cls, *arrays: ndarray) -> Scale:
        """Return one scale for some arrays that is the same on both sides of 0, whatever they are.

        >>> Scale.signed(numpy.array([0.2, 0.5])).ends
        ('−0.5', '0.5')
        """
        sizes = numpy.abs(_finite(arrays))
        sizes = sizes[sizes > 0]
        if not sizes.size:
            return cls(1.0, False)
        largest, middle = float(sizes.max()), float(numpy.median(sizes))
        if largest <= EVEN * middle:
            return cls(max(largest, TINY), False, 0.0, largest)
        top = min(largest, FAR * float(numpy.quantile(sizes, USUAL, method="lower")))
        return cls(max(top, TINY), False, max(middle, TINY), largest)

    @classmethod
    def bounded(cls, *arrays: ndarray) -> Scale:
        """Return an even scale from -1 to 1 for values between these that come near them, so that
        small values look small; for others what `signed` returns.

        >>> Scale.bounded(numpy.array([0.1, 0.1, 0.9])).ends
        ('−1', '1')
        """
        largest = float(numpy.abs(_finite(arrays)).max(initial=0.0))
        if NEAR <= largest <= 1:
            return cls(1.0, False, 0.0, largest)
        return cls.signed(*arrays)

    @property
    def is_beyond(self) -> bool:
        """Whether some finite values are larger than the end of the colours."""
        return self.largest > self.top

    @property
    def look(self) -> dict[str, Any]:
        """How matplotlib draws an image."""
        from matplotlib import colormaps
        from matplotlib.colors import AsinhNorm, Normalize

        if self.is_fraction:
            return {"cmap": dark(), "norm": Normalize(0, 1)}
        norm = (
            AsinhNorm(self.bend, vmin=-self.top, vmax=self.top)
            if self.bend
            else Normalize(-self.top, self.top)
        )
        return {"cmap": colormaps[COLORS], "norm": norm}

    def placed(self, values: ndarray) -> ndarray:
        """Return values as places on the colours, from -1 to 1; what is not finite stays so.

        >>> Scale(4.0, False).placed(numpy.array([1.0, -8.0, numpy.inf])).tolist()
        [0.25, -1.0, inf]
        """
        parts = numpy.asarray(values, dtype=float) / (self.bend or self.top)
        if self.bend:
            parts = numpy.arcsinh(parts) / numpy.arcsinh(self.top / self.bend)
        return numpy.where(numpy.isfinite(values), parts.clip(-1, 1), values)

    @property
    def ends(self) -> tuple[str, str]:
        """What is written at the two ends of the colours."""
        if self.is_fraction:
            return "0", "1"
        low, high = number(-self.top), number(self.top)
        return (f"≤ {low}", f"≥ {high}") if self.is_beyond else (low, high)

    @property
    def ticks(self) -> dict[float, str]:
        """What is written at the scale, by the value."""
        low, high = self.ends
        if self.is_fraction:
            return {0.0: low, 0.5: "0.5", 1.0: high}
        found = {-self.top: low, 0.0: "0", self.top: high}
        if not self.bend:
            return found
        return found | {value: number(value) for value in (-self.bend, self.bend)}

    def said(self, words: Words) -> list[str]:
        """Return in words what is unusual about the scale."""
        found = []
        if self.bend:
            told = words("colours: logarithmic beyond ±{size}").format(size=number(self.bend))
            found.append(told)
        if self.is_beyond:
            found.append(words("greatest size: {size}").format(size=number(self.largest)))
        return found


def _finite(arrays: Sequence[ndarray]) -> ndarray:
    """Return all finite values of some arrays in a row."""
    whole = numpy.concatenate([numpy.ravel(array) for array in arrays]).astype(float)
    return whole[numpy.isfinite(whole)]


def unfinite(values: ndarray, words: Words, signs: tuple[str, str] = ("", "")) -> list[str]:
    """Return in words how many values are no finite numbers.

    Args:
        values: of any shape.
        words: of a language.
        signs: that stand for what is no number, and for what is infinite.

    >>> unfinite(numpy.array([1.0, numpy.nan, numpy.inf]), Words(), (" (×)", ""))
    ['1 of 3 values not a number (×)', '1 of 3 values infinite']
    """
    counts = int(numpy.isnan(values).sum()), int(numpy.isinf(values).sum())
    said = "{count} of {all} values not a number{sign}", "{count} of {all} values infinite{sign}"
    return [
        words(text).format(count=f"{count:,}", all=f"{values.size:,}", sign=sign)
        for count, text, sign in zip(counts, said, signs, strict=True)
        if count
    ]


def zeros(values: ndarray, words: Words) -> str:
    """Return in words how many values are exactly 0, which a scale may not show; else nothing.

    >>> zeros(numpy.array([1.0, 0.0, numpy.nan]), Words()), zeros(numpy.ones(3), Words())
    ('1 of 3 values exactly 0', '')
    """
    count = int((values == 0).sum())
    said = words("{count} of {all} values exactly 0")
    return said.format(count=f"{count:,}", all=f"{values.size:,}") if count else ""


SIGNS = " (×)", " (+, −)"
"""Of values in a heat map that are no numbers, and of infinite ones."""
MARKED = 600
"""Fields that are not finite and get a sign each; more of them would be a black panel."""


def heat(axes: Axes, values: ndarray, name: str, scale: Scale) -> Any:
    """Draw units (rows) over steps (columns); a masked value is left empty.

    What is not finite is red, with a cross for no number and a sign for an infinite one, so that
    it stands out in grey as well.
    """
    known, plain = ~numpy.ma.getmaskarray(values), numpy.ma.getdata(values)
    kinds = {"x": numpy.isnan(plain), "+": plain == numpy.inf, "_": plain == -numpy.inf}
    lost = known & ~numpy.isfinite(plain)
    shown = values if known.all() and not lost.any() else numpy.ma.masked_invalid(values)
    image = axes.imshow(shown.T, aspect="auto", **scale.look)
    if lost.any():
        from matplotlib.colors import ListedColormap

        red = numpy.ma.masked_where(~lost, numpy.ones(lost.shape)).T
        axes.imshow(red, aspect="auto", cmap=ListedColormap([RED]))
    if lost.sum() <= MARKED:
        for mark, where in kinds.items():
            steps, units = numpy.nonzero(known & where)
            if len(steps):
                axes.scatter(steps, units, s=22, marker=mark, color=ink_on(RED), linewidths=1.3)
    axes.tick_params(axis="x", length=0)
    axes.set_ylabel(name, rotation=0, ha="right", va="center", labelpad=14, fontsize=17)
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    return image


def dark() -> Any:
    """Return colours from white to a deep blue, evenly, so that they can be read in grey."""
    from matplotlib.colors import LinearSegmentedColormap

    places = (0.0, 0.26, 0.75, 1.0)  # so that the lightness falls evenly
    colors = ("#f4f7fa", "#9cc9e6", BLUE, "#08264a")
    return LinearSegmentedColormap.from_list("dark", list(zip(places, colors, strict=True)))
