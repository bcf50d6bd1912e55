"""Tables and prose for a terminal of any width, nothing cut: tables in columns where they fit, else
row by row; prose folded where a line may end.
"""

from __future__ import annotations

import re
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
        comma: stands between cells where they do not fit side by side.

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
        comma: str = ", ",
    ) -> None:
        from rich.text import Text

        self.titles = [printable(title) for title in titles]
        self.rows = [
            [each if isinstance(each, Text) else Text(printable(each or "")) for each in row]
            for row in rows
        ]
        self.left, self.prose, self.gap, self.comma = left, prose, gap, comma
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
            for line in _packed(parts, width - 2, self.comma):
                yield Padding(Text(style=style, overflow="fold").append_text(line), (0, 0, 0, 2))
            if said is not None:
                yield Padding(Text(said.plain, style, overflow="fold"), (0, 0, 0, 2))


def _packed(parts: Sequence[Text], width: int, comma: str) -> Iterator[Text]:
    """Yield lines of so many columns, each with as many parts as fit; commas stand between."""
    from rich.cells import cell_len

    line, end = None, comma.rstrip()
    for part in parts:
        if line is None:
            line = part
        elif line.cell_len + part.cell_len + cell_len(comma + end) <= width:
            line = line.append(comma).append_text(part)
        else:
            yield line.append(end)
            line = part
    if line is not None:
        yield line


HAN = "\u2e80-\u2fff\u3005-\u3007\u3040-\ufaff"
CLOSING, OPENING = "，。；：、）！？", "（"
PIECE = re.compile(
    rf"[{OPENING}]*(?:[^\s{HAN}{CLOSING}{OPENING}]+(?:(?<=\d) [{HAN}%])?|[{HAN}])?[{CLOSING}]*\s*"
)
"""What no line ends in: a word or a Chinese letter with its punctuation, a number with what follows
it."""


@final
class Prose:
    """Text which `rich` prints, folded between words; where it is Chinese, between letters too, but
    before no comma or stop, nor after an opening bracket.

    >>> from rich.console import Console
    >>> from rich.text import Text
    >>> Console(width=10).print(Prose(Text("回传 12 步，剩下（不到 1 %）。")))
    回传
    12 步，剩
    下（不到
    1 %）。
    """

    def __init__(self, text: Text) -> None:
        self.text = text

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        if re.search(f"[{HAN}]", self.text.plain) is None:
            yield self.text
            return
        for line in self.text.divide(_ends(self.text.plain, options.max_width)):
            line.rstrip()
            yield line


def _ends(text: str, width: int) -> Iterator[int]:
    """Yield where lines of so many columns end, but for the last one."""
    from rich.cells import cell_len

    start = 0
    for piece in PIECE.finditer(text):
        if piece.start() > start and cell_len(text[start : piece.end()].rstrip()) > width:
            start = piece.start()
            yield start
