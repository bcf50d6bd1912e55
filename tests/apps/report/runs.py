"""A small run on a text, made by the command that a user has."""

from __future__ import annotations

import re
from pathlib import Path

from typer.testing import CliRunner

from unrolled.apps.cli import app

ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\ud800-\udfff]")
"""Characters that a terminal obeys."""
PLAIN = "the quick brown fox jumps over the lazy dog; a journey begins with one step.\n" * 12


def command(*arguments: object, code: int = 0) -> str:
    """Run a command to its end, and return what it wrote."""
    result = CliRunner().invoke(app, list(map(str, arguments)))
    assert result.exit_code == code, result.output
    assert not ACTING.search(result.output)
    return result.output


def train(folder: Path, words: str, *options: object) -> Path:
    """Write a text into a folder, train 4 steps on it, and return the run beside it."""
    (folder / "text").write_text(words)
    small = ("--hidden", 5, "--batch", 4, "--window", 6, "--steps", 4, "--threads", 1)
    command("train", "text", folder / "text", "--out", folder / "run", *small, *options)
    return folder / "run"
