"""Real data that installed packages bring along."""

from __future__ import annotations

import datetime
import importlib
import random
from collections.abc import Callable
from typing import Any

from ....errors import UserError
from .memory import memory_table
from .table import Table


def _need(module: str, package: str, what: str) -> Any:
    """A module of an optional package.

    Raises:
        UserError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UserError(
            f"{what} come with the package {package}, which is not installed: "
            f"pip install {package}, or name a file of yours"
        ) from error


def digits() -> Table:
    """1,797 handwritten digits of 8 × 8 pixels, from scikit-learn (Alpaydin & Kaynak 1998).

    A record has 64 pixels, row by row, and the digit.
    """
    datasets = _need("sklearn.datasets", "scikit-learn", "the handwritten digits")
    found = datasets.load_digits()
    names = [f"pixel_{row}_{column}" for row in range(8) for column in range(8)]
    rows = [
        [*(str(int(pixel)) for pixel in image), str(digit)]
        for image, digit in zip(found.data.tolist(), found.target.tolist(), strict=True)
    ]
    return memory_table("scikit-learn's digits", [*names, "digit"], rows)


def sunspots() -> Table:
    """Yearly sunspot numbers from 1700 to 2008, from statsmodels (NOAA)."""
    datasets = _need("statsmodels.datasets", "statsmodels", "the sunspot numbers")
    data = datasets.sunspots.load_pandas().data
    rows = [
        [str(int(year)), activity]
        for year, activity in zip(data["YEAR"].tolist(), data["SUNACTIVITY"].tolist(), strict=True)
    ]
    return memory_table("statsmodels' sunspots", ["year", "sunspots"], rows)


def co2() -> Table:
    """Monthly means of CO₂ at Mauna Loa from 1958 to 2001, from statsmodels (Keeling & Whorf).

    They are made of its weekly figures; the 5 months without any are interpolated.
    """
    datasets = _need("statsmodels.datasets", "statsmodels", "the CO₂ figures")
    data = datasets.co2.load_pandas().data
    monthly = data["co2"].groupby([data.index.year, data.index.month]).mean().interpolate()
    rows = [[f"{year}-{month:02}", float(value)] for (year, month), value in monthly.items()]
    return memory_table("statsmodels' CO₂", ["month", "co2"], rows)


LOCALES = ("en_GB", "en_US", "de", "fr", "es", "it", "nl", "sv", "pl", "pt_BR")
COUNT = 12_000


def dates() -> Table:
    """12,000 days from 1900 to 2099 as ten languages write them, beside ISO 8601.

    From babel, which has them of the Unicode Common Locale Data Repository. No date stands there
    twice.
    """
    babel = _need("babel.dates", "babel", "dates in ten languages")
    draw = random.Random(0)
    first = datetime.date(1900, 1, 1).toordinal()
    days = draw.sample(range(first, datetime.date(2099, 12, 31).toordinal()), COUNT)
    rows = []
    for ordinal in days:
        day = datetime.date.fromordinal(ordinal)
        style = draw.choice(("full", "long", "medium"))
        rows.append([babel.format_date(day, style, draw.choice(LOCALES)), day.isoformat()])
    return memory_table("babel's dates", ["written", "iso"], rows)


BUILTIN: dict[str, Callable[[], Table]] = {
    "digits": digits,
    "sunspots": sunspots,
    "co2": co2,
    "dates": dates,
}
"""By name."""
