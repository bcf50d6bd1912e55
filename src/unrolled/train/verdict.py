"""What a trained model and simple predictors reach on the test part, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from rich.table import Table


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
        table = Table(self.part, *self.measures, box=None, header_style="bold", pad_edge=False)
        for column in table.columns[1:]:
            column.justify = "right"
        for name, figures in self.rows.items():
            cells = ["" if figure is None else f"{figure:.4g}" for figure in figures]
            table.add_row(name, *cells, style="bold" if name == emphasised else None)
        return table
