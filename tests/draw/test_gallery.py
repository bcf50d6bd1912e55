import runpy
from pathlib import Path

import pytest
from PIL import Image

from unrolled.draw.drawings import DRAWINGS
from unrolled.draw.picture import HOLD

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "gallery.md"
FOLDER = PAGE.parent / "gallery"


def test_the_page_is_what_its_script_writes() -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "write_gallery.py"))
    assert PAGE.read_text(encoding="utf-8") == script["page"]()


def test_its_pictures_are_there_and_small() -> None:
    names = {f"{each.name}.{'gif' if each.moves else 'png'}" for each in DRAWINGS.values()}
    assert {path.name for path in FOLDER.iterdir()} == names
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 5_000_000


@pytest.mark.parametrize("name", [each.name for each in DRAWINGS.values() if each.moves])
def test_animations_begin_and_end_well(name: str) -> None:
    with Image.open(FOLDER / f"{name}.gif") as image:
        seconds, frames = [], set()
        for number in range(image.n_frames):  # pyright: ignore[reportAttributeAccessIssue]
            image.seek(number)
            seconds.append(image.info["duration"] / 1000)
            frames.add(hash(image.convert("RGB").tobytes()))
    assert len(frames) > 10  # the first one is the finished picture, as the last one may be
    assert seconds[-1] == HOLD
    assert 2 < sum(seconds) < 15
    assert len(seconds) > 2
