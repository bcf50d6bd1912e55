import io
import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from unrolled.draw import draw
from unrolled.draw.palette import WIRE_LIT
from unrolled.draw.picture import encode, moving, save, still
from unrolled.draw.scene import Scene
from unrolled.draw.shapes import Box, Label
from unrolled.errors import DrawError

SMALL = Scene((Box("a", "layer", 0, 0, 1, 0.5, text="$\\sigma$"), Label("l", "a word", 0, 1)))


def test_stills(tmp_path: Path) -> None:
    picture = still(SMALL)
    for kind in ("png", "svg", "pdf", "json"):
        save(picture, tmp_path / f"a.{kind}")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
    assert Scene.from_json(json.loads((tmp_path / "a.json").read_text())) == SMALL
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "a.pdf", "a.png", "a.svg"]


def test_a_file_is_the_same_every_time() -> None:
    for kind in ("png", "svg", "pdf"):
        assert encode(still(SMALL), kind) == encode(still(SMALL), kind)


@pytest.mark.broad
def test_animations(tmp_path: Path) -> None:
    picture = draw("forget")
    save(picture, tmp_path / "a.gif")
    image = Image.open(io.BytesIO((tmp_path / "a.gif").read_bytes()))
    frames, duration = image.n_frames, 0  # pyright: ignore[reportAttributeAccessIssue]
    first = image.convert("RGB").tobytes()
    for number in range(frames):
        image.seek(number)
        duration += image.info["duration"]
    assert frames <= len(picture.frames)  # what stands still is one frame in the file
    assert duration == sum(round(frame.seconds * 1000) for frame in picture.frames)
    assert image.convert("RGB").tobytes() != first  # the last one has the values as well
    colors = image.convert("RGB").getcolors(1 << 20)
    assert colors is not None
    assert max(colors)[1] == (255, 255, 255)
    assert tuple(int(WIRE_LIT[n : n + 2], 16) for n in (1, 3, 5)) in {c for _, c in colors}
    assert (tmp_path / "a.gif").stat().st_size < 1_000_000


def test_what_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = still(SMALL)
    with pytest.raises(DrawError, match=r"ending \.bmp is not one of \.png"):
        save(picture, tmp_path / "a.bmp")
    with pytest.raises(DrawError, match="nothing moves"):
        save(picture, tmp_path / "a.gif")
    with pytest.raises(DrawError, match="No such file"):
        save(picture, tmp_path / "none" / "a.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(DrawError, match="cannot write"):
        save(picture, tmp_path / "folder.png")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(DrawError, match="needs the program ffmpeg"):
        save(moving([SMALL, SMALL]), tmp_path / "a.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["folder.png"]


def test_notebooks() -> None:
    picture = still(SMALL)
    assert picture._repr_png_().startswith(b"\x89PNG")
    assert picture._repr_svg_().startswith("<?xml")
    assert SMALL._repr_svg_() == picture._repr_svg_()


def test_frames_have_one_size() -> None:
    scenes = [SMALL, SMALL.moved(0.5, 0)]
    sizes = {tuple(frame.make().get_size_inches()) for frame in moving(scenes).frames}
    assert len(sizes) == 1
