"""Files for tests of tables."""

from collections.abc import Iterable
from pathlib import Path

import torch
from typer.testing import CliRunner

from unrolled.apps.cli import app

LESS = ("--hidden", 8, "--steps", 4, "--batch", 4, "--evaluate-every", 2, "--threads", 1)


def run(*arguments: object, code: int = 0) -> str:
    """What the command writes, stderr included; it must end with ``code``."""
    threads = torch.get_num_threads()
    result = CliRunner().invoke(app, list(map(str, arguments)), env={"COLUMNS": "160"})
    torch.set_num_threads(threads)
    assert result.exit_code == code, result.output
    if code == 2:
        assert result.output.splitlines()[-1].startswith("unrolled: ")
    return result.output


def write(path: Path, lines: Iterable[str]) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
