"""What a trained model and simple predictors reach on the test part, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from rich.table import Table
from rich.text import Text

from ...printable import printable


@final
@dataclass(frozen=True)
class Verdict:
    """Measures on a part that neither training nor the choice of a checkpoint has seen.

    Attributes:
        part: what was measured on, in words.
        measures: names of measures, in the order in which they are shown.
        rows: for each predictor, its measures; None where it has none.
        notes: what else has to be said.
    """

    part: str
    measures: tuple[str, ...]
    rows: dict[str, tuple[float | None, ...]]
    notes: tuple[str, ...] = ()

    def table(self, emphasised: str) -> Table:
        """The table for a terminal, one row stressed."""
        table = Table(box=None, header_style="bold", pad_edge=False)
        for name in (self.part, *self.measures):
            justify = "left" if name is self.part else "right"
            table.add_column(Text(printable(name)), justify=justify)
        for name, figures in self.rows.items():
            cells = ["" if figure is None else f"{figure:.4g}" for figure in figures]
            style = "bold" if name == emphasised else None
            table.add_row(Text(printable(name)), *cells, style=style)
        return table
