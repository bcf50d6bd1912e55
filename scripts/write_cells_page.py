"""Write docs/cells.md, every known cell with its source, picture, formula and parameters, and the
pictures of cells in docs/cells.
"""

from dataclasses import replace
from doctest import DocTestParser
from pathlib import Path
from typing import Any

from unrolled.cells import CELLS
from unrolled.draw import draw, scene_of
from unrolled.draw.picture import Picture, encode, still
from unrolled.equations import Cell
from unrolled.graph import parameters
from unrolled.graph.parameters import Parameter
from unrolled.graph.sizes import UNITS
from unrolled.printing.latex import equations

DOCS = Path(__file__).parents[1] / "docs"
PAGE, FOLDER = DOCS / "cells.md", DOCS / "cells"
WRITTEN = {"extending": "leaky", "drawing": "mine"}
"""Pages that define a cell and show its picture."""
HEAD = """# The cells

<!-- Written by scripts/write_cells_page.py from the cells' equations: `make docs`. -->

What each symbol means is in [how it works](how-it-works.md), and what the marks of a picture mean
in its [legend](gallery.md#legend). A layer of any cell is made by
`unrolled.Recurrent(unrolled.cells.NAME, input_size, hidden_size)`; `unrolled show NAME` prints a
cell's formula and its code, `unrolled draw cell --cell NAME` draws it.
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
        f"![One step of {cell.name}, drawn from the equations below](cells/{cell.name}.svg)\n\n"
        f"```math\n\\begin{{aligned}}\n{lines}\\end{{aligned}}\n```\n\n"
        f"States: {states}. Parameters: {shapes}.\n{extra}"
    )


def page() -> str:
    """The whole page."""
    return HEAD + "".join(section(CELLS[name]) for name in sorted(CELLS))


def written(page: str, name: str) -> Cell:
    """The cell of a name that the code of a page defines."""
    scope: dict[str, Any] = {}
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    for example in DocTestParser().get_examples(text):
        exec(example.source, scope)
        if name in scope:
            return scope[name]
    raise LookupError(f"docs/{page}.md has no cell {name}")


def picture(cell: Cell) -> Picture:
    """A cell's picture; its formula stands beside it in the page."""
    whole = draw("cell", cell=cell)
    return replace(still(scene_of(cell)), title=whole.title, about=whole.about)


def main() -> None:
    """Write the page and the pictures."""
    PAGE.write_text(page(), encoding="utf-8")
    FOLDER.mkdir(exist_ok=True)
    for cell in [*CELLS.values(), *(written(*each) for each in WRITTEN.items())]:
        (FOLDER / f"{cell.name}.svg").write_bytes(encode(picture(cell), "svg"))


if __name__ == "__main__":
    main()
