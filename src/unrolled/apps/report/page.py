"""A page: sections in one HTML file that loads nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from importlib import resources
from importlib.util import find_spec
from pathlib import Path

import jinja2
from markupsafe import Markup

from ... import __version__, atomic
from ...errors import DrawError
from ...printable import printable
from ..draw.request import require
from .section import Section
from .words import Speech


def check() -> None:
    """DrawError unless the packages that pages need are there."""
    require()
    if find_spec("jinja2") is None:
        raise DrawError("a report needs jinja2: pip install 'unrolled[draw]'")


def page(title: str, lead: str, sections: Sequence[Section], speech: Speech) -> str:
    """The HTML of a page.

    Args:
        title: its heading.
        lead: what it is about, in a sentence or two.
        sections: in their order.
        speech: the language of the page.
    """
    from .figure import variables

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("unrolled.apps.report"),
        autoescape=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.globals["_"] = speech
    made = f"{speech('made with unrolled')} {__version__}, {date.today().isoformat()}"
    return environment.get_template("page.html.j2").render(
        title=title,
        lead=lead,
        sections=sections,
        language=speech.language,
        made=made,
        style=Markup(_style(variables())),
    )


def _style(colors: dict[str, tuple[str, str]]) -> str:
    """The style sheet, and the colours of figures on light and on dark pages."""
    light = "".join(f"{name}:{pair[0]};" for name, pair in colors.items())
    dark = "".join(f"{name}:{pair[1]};" for name, pair in colors.items())
    own = resources.files("unrolled.apps.report").joinpath("templates/style.css").read_text("utf-8")
    return (
        f":root{{{light}}}\n@media (prefers-color-scheme: dark){{:root{{{dark}}}}}\n"
        f"@media print{{:root{{{light}}}}}\n{own}"
    )


def write(path: Path, text: str) -> None:
    """Write a page whole or not at all, and its folder if need be.

    Raises:
        DrawError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(path, printable(text).encode())
    except OSError as error:
        raise DrawError(f"cannot write {path}: {error.strerror or error}") from error
