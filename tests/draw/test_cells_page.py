import runpy
from pathlib import Path
from xml.etree import ElementTree

import pytest

from unrolled.cells import CELLS

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "cells"
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "write_cells_page.py"))


def test_the_page_is_what_its_script_writes() -> None:
    assert (ROOT / "docs" / "cells.md").read_text(encoding="utf-8") == SCRIPT["page"]()


def test_pictures_are_there_and_small() -> None:
    names = {*CELLS, *SCRIPT["WRITTEN"].values()}
    assert {path.name for path in FOLDER.iterdir()} == {f"{name}.svg" for name in names}
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 1_000_000


@pytest.mark.parametrize("page", SCRIPT["WRITTEN"])
def test_a_page_shows_its_own_cell(page: str) -> None:
    name = SCRIPT["WRITTEN"][page]
    assert SCRIPT["written"](page, name).name == name
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    assert f"](cells/{name}.svg)" in text


@pytest.mark.parametrize("name", CELLS)
def test_a_picture_says_what_it_shows(name: str) -> None:
    picture = ElementTree.parse(FOLDER / f"{name}.svg").getroot()
    assert picture[0].text == f"{name}: {CELLS[name].summary}"
    assert (picture[1].text or "").count(" = ") == len(CELLS[name].graph.lines)
