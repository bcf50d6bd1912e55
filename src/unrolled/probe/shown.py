"""Results as text and as HTML, for who has no terminal; rich is read when something is shown."""

from __future__ import annotations

from io import StringIO
from typing import Any

WIDTH = 100
"""Columns."""


class Shown:
    """Abstract: a result that rich can show, and so every reader of text or pages."""

    def __str__(self) -> str:
        return text(self)

    def _repr_html_(self) -> str:
        return html(self)


def text(result: Any) -> str:
    """Return what a terminal would show, without colours.

    >>> text("[bold]fine[/bold]")
    'fine'
    """
    from rich.console import Console

    stream = StringIO()
    Console(file=stream, width=WIDTH).print(result)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines())


def html(result: Any) -> str:
    """Return what a terminal would show, for a page."""
    from rich.console import Console

    console = Console(file=StringIO(), record=True, width=WIDTH)
    console.print(result)
    return console.export_html(inline_styles=True, code_format="<pre>{code}</pre>")
