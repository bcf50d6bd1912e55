"""A section of a page: a template and what it shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final


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
class Cell:
    """A cell of a table that is marked as good."""

    text: str
    good: bool = False


@final
@dataclass(frozen=True)
class Rows:
    """A table: the headings of its columns, and rows that begin with a heading of their own."""

    head: list[str]
    body: list[list[Any]]
