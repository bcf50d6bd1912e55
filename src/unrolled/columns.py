"""Tables for a terminal of any width: in columns where they fit, else row by row, nothing cut."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, final

from .printable import printable

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.table import Table
    from rich.text import Text

LEAST = 32
"""Columns in which prose can still be read; cells in columns are never folded."""


@final
class Columns:
    """A table which `rich` prints: where its columns do not fit, each row goes over several lines.

    Args:
        titles: of the columns; the first one holds the names of the rows.
        rows: the cells, as text or as rich's; None for an empty one.
        left: how many columns, from the first, stand at the left; the others hold numbers.
        prose: whether the last column holds sentences, which fold within it.
        styles: of the rows, in their order; none where there are fewer.
        gap: columns between two columns.

    >>> from rich.console import Console
    >>> table = Columns(("layer", "steps", "reach"), [("encoder.l0", "128", "9")])
    >>> Console(width=30).print(table)
    layer       steps  reach
    encoder.l0    128      9
    >>> Console(width=20).print(table)
    encoder.l0
      steps 128, reach 9
    """

    def __init__(
        self,
        titles: Sequence[str],
        rows: Iterable[Sequence[str | Text | None]],
        left: int = 1,
        prose: bool = False,
        styles: Sequence[str] = (),
        gap: int = 2,
    ) -> None:
        from rich.text import Text

        self.titles = [printable(title) for title in titles]
        self.rows = [
            [each if isinstance(each, Text) else Text(printable(each or "")) for each in row]
            for row in rows
        ]
        self.left, self.prose, self.gap = left, prose, gap
        self.styles = [*styles, *[""] * (len(self.rows) - len(styles))]

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        if self._width() <= options.max_width:
            yield self._table()
        else:
            yield from self._blocks(options.max_width)

    def _width(self) -> int:
        """Return the least columns of the table in which no cell is cut."""
        from rich.cells import cell_len

        widths = [
            max(cell_len(text) for text in (title, *(row[i].plain for row in self.rows)))
            for i, title in enumerate(self.titles)
        ]
        if self.prose:
            widths[-1] = min(widths[-1], LEAST)
        return sum(widths) + self.gap * (len(widths) - 1)

    def _table(self) -> Table:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, header_style="bold", padding=(0, self.gap, 0, 0), pad_edge=False)
        last = len(self.titles) - 1
        for i, title in enumerate(self.titles):
            folds = self.prose and i == last
            side = "left" if folds or i < self.left else "right"
            table.add_column(Text(title), justify=side, no_wrap=not folds)
        for row, style in zip(self.rows, self.styles, strict=True):
            table.add_row(*row, style=style)
        return table

    def _blocks(self, width: int) -> Iterator[RenderableType]:
        """Yield for each row its name, and under it the other cells with their titles."""
        from rich.padding import Padding
        from rich.text import Text

        for row, style in zip(self.rows, self.styles, strict=True):
            name, *others = row
            yield Text(name.plain, style or "bold", overflow="fold")
            cells = list(zip(self.titles[1:], others, strict=True))
            said = cells.pop()[1] if self.prose else None
            parts = [Text.assemble(f"{title} ", cell) for title, cell in cells if cell.plain]
            for line in _packed(parts, width - 2):
                yield Padding(Text(style=style, overflow="fold").append_text(line), (0, 0, 0, 2))
            if said is not None:
                yield Padding(Text(said.plain, style, overflow="fold"), (0, 0, 0, 2))


def _packed(parts: Sequence[Text], width: int) -> Iterator[Text]:
    """Yield lines of so many columns, each with as many parts as fit; commas stand between."""
    line = None
    for part in parts:
        if line is None:
            line = part
        elif line.cell_len + part.cell_len + 3 <= width:  # with its comma, and the next one's
            line = line.append(", ").append_text(part)
        else:
            yield line.append(",")
            line = part
    if line is not None:
        yield line
