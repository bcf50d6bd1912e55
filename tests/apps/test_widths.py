"""What a person sees of the commands, at a terminal of 80 and of 120 columns, and in a pipe."""

import fcntl
import io
import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import termios
import time
from dataclasses import dataclass
from pathlib import Path
from unicodedata import combining

import numpy
import pytest
from typer.testing import CliRunner

from unrolled import cells
from unrolled.apps.bench.run import OWN, beside
from unrolled.apps.cli import USES, app
from unrolled.apps.listing import code
from unrolled.apps.terminal import folded
from unrolled.apps.train.progress import _rows
from unrolled.cells import CELLS

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs pseudo-terminals")

TEXT = "the quick brown fox jumps over the lazy dog.\n" * 12
SMALL = ("--hidden", "8", "--batch", "4", "--window", "8", "--steps", "6", "--threads", "1")
START = "from unrolled.apps.cli import main; main()"
SIGNS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True)
class Shown:
    """What was written: the bytes as text, and when the first of them came."""

    raw: str
    code: int
    first: float

    @property
    def lines(self) -> list[str]:
        """The lines of text, without colours and cursor movements."""
        text = SIGNS.sub("", self.raw).replace("\r\n", "\n")
        return [line.rpartition("\r")[2].rstrip() for line in text.split("\n")]

    @property
    def widest(self) -> int:
        """The columns of the longest line: marks over letters take none."""
        return max(sum(not combining(letter) for letter in line) for line in self.lines)


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in TOLD}
    return kept | {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "PYTHONUTF8": "1"}


TOLD = ("COLUMNS", "NO_COLOR", "FORCE_COLOR")


def at_terminal(columns: int, *arguments: object) -> Shown:
    """What a command writes on a terminal of so many columns."""
    own, other = pty.openpty()
    fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-c", START, *map(str, arguments)],
        stdin=other, stdout=other, stderr=other, env=environment(), close_fds=True,
    )  # fmt: skip
    os.close(other)
    data, first = b"", 0.0
    while True:
        try:
            piece = os.read(own, 65536)
        except OSError:  # Linux says so at the end
            break
        if not piece:
            break
        first = first or time.monotonic() - began
        data += piece
    os.close(own)
    return Shown(data.decode(), process.wait(timeout=60), first)


def piped(*arguments: object) -> str:
    """What a command writes where no terminal is."""
    done = CliRunner().invoke(app, list(map(str, arguments)))
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(autouse=True)
def _untold(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in TOLD:
        monkeypatch.delenv(name, raising=False)


def letters(lines: list[str]) -> str:
    """All letters that were written, whatever line they are on."""
    return "".join("".join(lines).split())


@pytest.mark.parametrize("columns", [40, 60])
@pytest.mark.parametrize("command", ["cells", "train text --help", "--help", "show LSTM"])
def test_narrow_terminals_lose_no_letter(command: str, columns: int) -> None:
    shown = at_terminal(columns, *command.split())
    assert shown.widest <= columns
    assert "…" not in shown.raw
    if command == "cells":
        text = letters(shown.lines)
        assert all(cell.summary.replace(" ", "") in text for cell in CELLS.values())
    if command == "train text --help":
        assert "--evaluate-at-most <int>" in shown.raw
        assert "evaluations" in shown.raw
    if command == "--help":
        words = [info.short_help for info in app.registered_commands]
        assert all((text or "none").replace(" ", "") in letters(shown.lines) for text in words)


def test_a_dumb_terminal_is_as_wide_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    from unrolled.apps import terminal

    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(Console, "is_dumb_terminal", True)
    assert terminal.output().width == 60


@pytest.mark.parametrize("command", ["show lstm", "show slstm --derivative", "train --help"])
def test_ascii_is_readable(command: str) -> None:
    """Where an encoding has no other letters: no LaTeX, and no question marks."""
    done = subprocess.run(
        [sys.executable, "-c", START, *command.split()],
        env=environment() | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
        capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    text = done.stdout.decode("ascii")
    assert "\\" not in text
    assert "?" not in text
    if command == "show lstm":
        assert "f_t = sigma(W_if x_t + b_if + W_hf h_(t-1) + b_hf)\n" in text
        assert "c_t = f_t * c_(t-1) + i_t * g_t\n" in text


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize(
    "command",
    ["cells", "show lstm_layernorm", "show slstm --derivative", "--help", "train text --help"],
)
def test_lines_fit_and_words_are_whole(command: str, columns: int) -> None:
    shown = at_terminal(columns, *command.split())
    assert shown.code == 0, shown.raw
    assert shown.widest <= columns
    if command == "cells":
        text = " ".join(" ".join(shown.lines).split())
        assert all(" ".join(CELLS[name].states[:1]) in text for name in CELLS)
        for line in shown.lines[1 : 1 + len(CELLS)]:
            name = line.split(" ")[0]
            assert not name or name in CELLS
    if command == "show slstm --derivative":
        assert "\\" not in shown.raw
    if command == "train text --help":
        text = "\n".join(shown.lines[:10])
        assert not re.search(r"\n \w+(,| \w+,)\n", text)  # a paragraph's line of a word or two


def test_a_pipe_gets_plain_lines_of_any_length() -> None:
    text = piped("cells")
    assert "\x1b" not in text
    lines = {line.split(" ")[0]: line for line in text.splitlines()}
    assert all(cell.summary in lines[name] for name, cell in CELLS.items())
    assert CELLS["lstm_layernorm"].python() in piped("show", "lstm_layernorm")


def test_what_is_said_of_cells_can_be_done() -> None:
    commands = re.findall(r"^  (?:print|draw|train) +unrolled (.*)$", piped("cells"), re.MULTILINE)
    assert [command.split()[0] for command in commands] == ["show", "draw", "train"]
    for command in commands:
        words = shlex.split(command)
        assert piped(*words[: 1 + (words[0] == "train")], "--help")
    assert "rₜ = σ(" in piped(*shlex.split(commands[0]))


def test_a_drawing_that_is_named_is_drawn(tmp_path: Path) -> None:
    (line,) = (line for line in USES if line.startswith("  draw"))
    words = shlex.split(line.partition("unrolled ")[2])
    piped(*words[:-1], tmp_path / words[-1])
    assert (tmp_path / words[-1]).stat().st_size > 1000


@pytest.mark.slow
def test_training_and_diagnosis_at_a_terminal(tmp_path: Path) -> None:
    file, out = tmp_path / "fox.txt", tmp_path / "run"
    file.write_text(TEXT)
    shown = at_terminal(80, "train", "text", file, "--out", out, *SMALL)
    assert shown.code == 0, shown.raw
    assert shown.lines[0].startswith("Training lstm, 8 units, 6 steps, in")
    heads = [i for i, line in enumerate(shown.lines) if line.startswith("step ")]
    for head in heads:
        assert set(shown.lines[head - 1]) <= {"━", "╸", "╺"}  # the bar, in a line of its own
    assert shown.lines[heads[-1]].split()[-2:] == ["speed", "left"]
    assert shown.lines[heads[-1] + 1].startswith("6/6 ")
    assert max(len(shown.lines[i]) for head in heads for i in (head, head + 1)) <= 80

    found = at_terminal(80, "diagnose", out, "--text", file)
    assert found.code == 0, found.raw
    assert found.widest <= 80
    head, row = (
        line.split() for line in found.lines if line.startswith(("layer ", "recurrent.l0 "))
    )
    assert head[:6] == ["layer", "cell", "steps", "units", "factor", "reach"]
    factor, reach = float(row[4]), int(row[5])
    assert factor ** (reach - 1) <= 0.0102  # of a factor with three digits
    assert factor ** (reach - 2) > 0.0098


@pytest.mark.slow
def test_something_is_said_before_pytorch_is_loaded(tmp_path: Path) -> None:
    """Of seconds on a machine that others use nothing can be said; of the order it can."""
    watch = (
        "import sys, io\n"
        "class Out(io.StringIO):\n"
        "    def write(self, text):\n"
        "        seen.append((bool(text.strip()), 'torch' in sys.modules))\n"
        "        return len(text)\n"
        "seen, sys.argv = [], ['unrolled', 'train', 'text', '--out', sys.argv[1], '--steps', '1',"
        " '--hidden', '4', sys.argv[2]]\n"
        "sys.stdout = Out()\n"
        "from unrolled.apps.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(next(loaded for said, loaded in seen if said), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", watch, str(tmp_path / "run"), str(tmp_path / "none.txt")],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.stderr.splitlines()[-1] == "False", done.stderr


def test_kernels_are_summed_up() -> None:
    whole = piped("kernel", "gru", "--hidden", 8)
    text = piped("kernel", "gru", "--hidden", 8, "--summary")
    assert "define " not in text
    plan, _, ir = whole.partition("\n\n")
    assert [line.removeprefix("; ") for line in plan.splitlines()] == text.splitlines()[1:-1]
    assert text.splitlines()[0] == "input size 256, hidden size 8; float32"
    count = len(ir.rstrip().splitlines())
    assert text.splitlines()[-1].startswith(f"LLVM IR: {count:,} lines")


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("backward", [False, True])
def test_folded_code_computes_the_same(name: str, backward: bool) -> None:
    shown = CELLS[name].derivative if backward else CELLS[name]
    text = code(shown.python(), 60)
    assert max(map(len, text.splitlines())) <= 60
    results = []
    for each in (shown.python(), text):
        namespace: dict = {}
        exec(each, namespace)
        function = namespace[shown.name]
        rng = numpy.random.default_rng(0)
        names = function.__code__.co_varnames[: function.__code__.co_argcount]
        given = [
            rng.standard_normal((3, 3) if argument.startswith("W") else 3) for argument in names
        ]
        results.append(function(*given))
    for a, b in zip(*map(numpy.atleast_2d, results), strict=True):
        assert (a == b).all() or numpy.isnan(a).any()


def test_figures_are_in_whole_columns() -> None:
    figures = {f"name {i}": "12,345 characters/s" for i in range(7)}
    rows = _rows(figures, 80)
    assert len(rows) == 3
    assert {name: figure for row in rows for name, figure in row.items()} == figures
    assert _rows(figures, 10) == [{name: figure} for name, figure in figures.items()]
    wide = beside("12,1,64,64", ["1.00 (0.9-1.1)"] * 5, 80)
    assert [len(line) for line in wide.splitlines()] == [OWN + 30, OWN + 30, OWN + 15]


def test_a_line_goes_on_under_its_second_column() -> None:
    line = "lstm-cell    the whole LSTM cell (also .gif, .mp4)  --cell --run --text"
    parts = folded(line, 40).splitlines()
    assert all(len(part) <= 40 for part in parts)
    assert all(part.startswith(" " * 13) for part in parts[1:])
    assert " ".join(" ".join(parts).split()) == " ".join(line.split())
    assert folded(line, None) == line


def test_tables_in_a_pipe_are_as_wide_as_columns_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = piped("cells").splitlines()
    assert all(line == line.rstrip() for line in lines)
    assert 40 < max(map(len, lines)) <= 80


def test_lines_in_a_pipe_are_not_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert cells.lstm_layernorm.python() in piped("show", "lstm_layernorm")
    done = CliRunner().invoke(app, ["show", "nobody"])
    assert len(done.output.splitlines()) == 1


@pytest.mark.parametrize("told", ["", "wide", "0"])
def test_pipes_have_lines_of_any_length_where_nobody_says(
    told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", told)
    assert max(map(len, piped("show", "lstm_layernorm").splitlines())) > 80
    assert len(piped("cells").splitlines()) == 1 + len(CELLS) + len("".join(USES).splitlines()) + 4


def test_lines_in_a_pipe_end_with_words(monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.padding import Padding
    from rich.text import Text

    from unrolled.apps import terminal

    for columns in ("", "60"):
        stream = io.StringIO()
        monkeypatch.setenv("COLUMNS", columns)
        monkeypatch.setattr(sys, "stdout", stream)
        console = terminal.output()
        console.print(Padding(Text("advice " * 30), (0, 0, 0, 2)), Text("ends   ", "bold"))
        lines = stream.getvalue().splitlines()
        assert [line.strip() for line in lines if not line.strip().startswith("advice")] == ["ends"]
        assert all(line == line.rstrip() for line in lines)
    assert terminal.BLANKS.sub(r"\1", "\x1b[2mdim  \x1b[0m\nnext") == "\x1b[2mdim\x1b[0m\nnext"
