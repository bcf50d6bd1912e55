"""Text of strangers, in everything that is made of a run."""

import re
import xml.etree.ElementTree
from pathlib import Path

import pytest

from stored import rewrite
from unrolled.apps.train import checkpoint as checkpoints

from .page_check import check
from .runs import ACTING, command, train

TEXT = (
    'the <b>quick</b> & $brown$ fox\'s \\frac{1}{2} `x` "q" [red]jumps[/blue] \x1b[31m over\x08 '
    "{{ 7*7 }} %s <script>alert(3)</script> the lazy dog.\n"
) * 12
DOC = '<script>alert(2)</script> `$x` """ [red] \x1b[31m {{ 7*7 }}'


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run on a text of strangers, beside the text."""
    folder = train(tmp_path_factory.mktemp("strangers"), TEXT)
    cell = checkpoints.load(folder).cell.to_json()
    rewrite(folder / "checkpoint.safetensors", cell={**cell, "doc": DOC})
    return folder


def test_a_page_shows_it(run: Path) -> None:
    page = run.parent / "<i>[red]$page$.html"
    command("report", run, "--text", run.parent / "text", "--out", page)
    text = page.read_text(encoding="utf-8")
    read = check(text)
    assert not ACTING.search(text)
    assert not {"script", "b", "i"} & {tag for tag, _ in read.tags}
    assert "&lt;b&gt;quick" in text
    assert "{{ 7*7 }}" in text
    assert "alert(2)" in text
    assert re.search(r"∂h_T / ∂h_\(T−k\) \S+, ∂c_T / ∂c_\(T−k\)", text)  # two curves, not two seeds


@pytest.mark.parametrize("drawing", ["gates", "memory"])
def test_a_picture_shows_it(run: Path, drawing: str) -> None:
    picture = run.parent / "picture.svg"
    command("draw", drawing, "--run", run, "--text", TEXT.splitlines()[0], "--out", picture)
    text = picture.read_text(encoding="utf-8")
    xml.etree.ElementTree.fromstring(text)
    assert "<script" not in text


def test_a_terminal_shows_it(run: Path) -> None:
    command("sample", run, "--length", 400, "--temperature", 5)
    command("diagnose", run, "--text", run.parent / "text")
    assert "\\x1b" in command("sample", run, "--prompt", "\x1b[31m", "--length", 1)
