"""Write docs/cells.md: every known cell with its source, formula and parameters."""

from pathlib import Path

from unrolled.cells import CELLS
from unrolled.equations import Cell
from unrolled.graph import parameters
from unrolled.graph.parameters import Parameter
from unrolled.graph.sizes import UNITS
from unrolled.printing.latex import equations

PAGE = Path(__file__).parents[1] / "docs" / "cells.md"
HEAD = """# The cells

<!-- Written by scripts/write_cells_page.py from the cells' equations: `make docs`. -->

What each symbol means is in [how it works](how-it-works.md). A layer of any cell is made by
`unrolled.Recurrent(unrolled.cells.NAME, input_size, hidden_size)`; `unrolled show NAME` prints a
cell's formula and its code.
"""


def shape(parameter: Parameter) -> str:
    """A parameter's shape in units: 4 H × I."""
    count, size = len(parameter.rows), UNITS[parameter.rows[0]]
    rows = size if count == 1 else f"{count} {size}"
    return rows if parameter.columns is None else f"{rows} × {UNITS[parameter.columns]}"


def section(cell: Cell) -> str:
    """One cell as Markdown."""
    lines = "".join(f"{left} &= {right} \\\\\n" for left, right in equations(cell.graph).values())
    shapes = ", ".join(f"`{p.name}` ({shape(p)})" for p in parameters(cell.graph))
    states = ", ".join(f"`{state}`" for state in cell.states)
    hyperparameters = ", ".join(f"`{k}={v}`" for k, v in cell.hyperparameters.items())
    extra = f"\nHyperparameters: {hyperparameters}.\n" if hyperparameters else ""
    return (
        f"\n## {cell.name}\n\n{cell.doc}\n\n"
        f"```math\n\\begin{{aligned}}\n{lines}\\end{{aligned}}\n```\n\n"
        f"States: {states}. Parameters: {shapes}.\n{extra}"
    )


PAGE.write_text(HEAD + "".join(section(CELLS[name]) for name in sorted(CELLS)), encoding="utf-8")
