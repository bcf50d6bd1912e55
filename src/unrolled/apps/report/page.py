"""A page: sections in one HTML file that loads nothing, in English or Chinese."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any, final

import jinja2
from markupsafe import Markup

from ... import __version__, atomic
from ...draw.words import Words
from ...errors import DrawError, refusing
from ...printable import printable
from ...speech import Speaker, read_catalogue
from ..draw.request import require


@final
@dataclass(frozen=True)
class Section:
    """One section.

    Attributes:
        id: of its heading, for links.
        title: its heading.
        template: the file that lays it out.
        data: what that file shows.
    """

    id: str
    title: str
    template: str
    data: dict[str, Any]


@final
@dataclass(frozen=True)
class TableCell:
    """Cell of a table.

    Attributes:
        text: what stands in it.
        good: whether it is marked as good.
        spread: the least and the greatest of what it is the mean of; empty: of one alone.
    """

    text: str
    good: bool = False
    spread: str = ""


_FOLDER = resources.files("unrolled.apps.report").joinpath("templates")

CHINESE = read_catalogue("unrolled.apps.report", "templates")["page"]
"""The page's English words, and what they are in Chinese."""


@final
class Speech:
    """The words of a page in one language, and those of its pictures.

    Args:
        language: en or zh.

    Raises:
        DrawError: for another language.

    >>> Speech("zh")("cell")
    '单元'
    """

    def __init__(self, language: str = "en") -> None:
        self.pictures = Words(language)
        self.language = language
        self._page = Speaker(language, CHINESE)
        self._charts = Speaker(self.pictures.language, CHINESE)

    def __call__(self, words: str) -> str:
        """Return the words in the language of the page."""
        return self._page(words)

    def counted(self, count: int, things: str) -> str:
        """Return how many things there are; see `unrolled.display.counted`.

        >>> Speech().counted(1, "seeds"), Speech("zh").counted(1, "seeds")
        ('1 seed', '1 个种子')
        """
        return self._page.counted(count, things)

    def chart(self, words: str) -> str:
        """Return the words in the language that charts can be set in."""
        return self._charts(words)


def check() -> None:
    """Raise DrawError unless the packages that pages need are there."""
    require()
    if find_spec("jinja2") is None:
        raise DrawError("a report needs jinja2: pip install 'unrolled[draw]'")


def page(
    title: str, lead: str, sections: Sequence[Section], speech: Speech, description: str = ""
) -> str:
    """Return the HTML of a page.

    Args:
        title: its heading.
        lead: what it is about, in a sentence or two.
        sections: in their order.
        speech: the language of the page.
        description: what was found, in a sentence or two, for previews of links; empty: the lead.
    """
    from .figures import inches, least, scrolls, variables

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("unrolled.apps.report"),
        autoescape=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.globals["_"] = speech
    environment.filters |= {"inches": inches, "least": least, "scrolls": scrolls}
    made = speech("made with unrolled {version}, {date}").format(
        version=__version__, date=date.today().isoformat()
    )
    return environment.get_template("page.html.j2").render(
        title=title,
        lead=lead,
        description=description or lead or title,
        sections=sections,
        language=speech.language,
        made=made,
        style=Markup(_style(variables())),
    )


def _style(colors: dict[str, tuple[str, str]]) -> str:
    """Return the style sheet, and the colours of figures on light and on dark pages."""
    light = "".join(f"{name}:{pair[0]};" for name, pair in colors.items())
    dark = "".join(f"{name}:{pair[1]};" for name, pair in colors.items())
    own = _FOLDER.joinpath("style.css").read_text("utf-8")
    return (
        f":root{{{light}}}\n@media (prefers-color-scheme: dark){{:root{{{dark}}}}}\n"
        f"@media print{{:root{{{light}}}}}\n{own}"
    )


def write(path: Path, text: str) -> None:
    """Write a page whole or not at all, and its folder if need be.

    Raises:
        DrawError: it cannot be written.
    """
    with refusing(f"write {path}", DrawError):
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(path, printable(text).encode())
