import runpy
from pathlib import Path

from unrolled.draw.drawings import DRAWINGS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "gallery.md"


def test_the_page_is_what_its_script_writes() -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "write_gallery.py"))
    assert PAGE.read_text(encoding="utf-8") == script["page"]()


def test_its_pictures_are_there_and_small() -> None:
    folder = PAGE.parent / "gallery"
    names = {f"{each.name}.{'gif' if each.moves else 'png'}" for each in DRAWINGS.values()}
    assert {path.name for path in folder.iterdir()} == names
    assert sum(path.stat().st_size for path in folder.iterdir()) < 3_000_000
