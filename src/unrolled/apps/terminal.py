"""Talk between a program and the person at its terminal: plain lines, and Ctrl-C as a request.

What is piped somewhere is plain: nothing is coloured, erased or folded to a width that nobody has.
"""

from __future__ import annotations

import re
import shutil
import signal
import sys
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, TextIO, cast, final

from ..errors import UserError
from ..printable import printable
from ..speech import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

PIPED = 400
"""Columns of what no terminal shows: more than a table has."""


def output() -> Console:
    """Return stdout as a console, as wide as its terminal or as COLUMNS says, or as any table where
    nobody says; what no terminal shows has no blanks at the ends of its lines.
    """
    from rich.console import Console

    if not sys.stdout.isatty():
        # Of a dumb terminal rich takes a width only together with a height.
        stream = cast("TextIO", Trimmed(sys.stdout))
        size = shutil.get_terminal_size((PIPED, 24))
        return Console(file=stream, width=size.columns, height=size.lines)
    console = Console()
    if console.is_dumb_terminal:  # rich takes it to have 80 columns
        return Console(width=(size := shutil.get_terminal_size()).columns, height=size.lines)
    return console


def check_language(language: str) -> None:
    """Raise UserError unless stdout can show a language.

    Raises:
        UserError: it is neither en nor zh, or stdout's encoding has no Chinese.
    """
    if language not in LANGUAGES:
        raise UserError(f"--lang is en or zh, not {language!r}")
    encoding = sys.stdout.encoding or "utf-8"
    try:
        {"en": "English", "zh": "中文"}[language].encode(encoding)
    except UnicodeEncodeError:
        raise UserError(
            f"stdout's encoding, {encoding}, has no Chinese: set PYTHONIOENCODING=utf-8, or leave "
            "--lang out"
        ) from None


BLANKS = re.compile(r" +((?:\x1b\[[0-9;]*m)*\n)")
"""Blanks before the end of a line, or before the end of its colours."""


@final
class Trimmed:
    """A stream that writes whole lines without blanks at their ends.

    >>> Trimmed(sys.stdout).write("  a table   \\nof two lines  \\n")
      a table
    of two lines
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        """Write text, which ends where a line does."""
        self._stream.write(BLANKS.sub(r"\1", text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def width(stream: TextIO | None = None) -> int | None:
    """Return the columns of the terminal that a stream, or stdout, is; None if it is none: lines
    that a program reads are not folded.
    """
    shows = (stream or sys.stdout).isatty()
    return shutil.get_terminal_size().columns if shows else None


RULE = 80
"""Columns of a rule where no terminal gives them."""


def rule(console: Console, title: str = "") -> None:
    """Print a line across the terminal, with a title in its middle; elsewhere one of 80 columns."""
    from rich.rule import Rule
    from rich.text import Text

    columns = console.width if console.is_terminal else min(RULE, console.width)
    console.print(Rule(Text(printable(title)) if title else ""), width=columns)


def say(console: Console, text: str, style: str = "") -> None:
    """Print text as it is, without markup or highlights: folded between words on a terminal, else
    in lines of any length.
    """
    console.print(
        printable(text),
        style=style,
        highlight=False,
        markup=False,
        soft_wrap=not console.is_terminal,
    )


def folded(line: str, columns: int | None) -> str:
    """Return a line folded between words, to go on under its second column if it has one.

    >>> print(folded("name   what it is, in words", 20))
    name   what it is,
           in words
    """
    from textwrap import wrap

    if columns is None or len(line) <= columns:
        return line
    first, gap, rest = line.partition("  ")
    indent = len(first) + len(gap) + len(rest) - len(rest.lstrip()) if gap else 2
    indent = indent if indent < columns // 2 else 2
    parts = wrap(
        line,
        columns,
        subsequent_indent=" " * indent,
        drop_whitespace=True,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(parts)


@contextmanager
def loading(what: str = "PyTorch") -> Iterator[None]:
    """Say on a terminal, while entered, that something is loaded, which can take seconds."""
    shows = sys.stderr.isatty()
    if shows:
        print(f"loading {what} …", end="", file=sys.stderr, flush=True)
    try:
        yield
    finally:
        if shows:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def load_torch() -> None:
    """Load PyTorch, saying so: it takes seconds, and whoever waits should know for what."""
    if "torch" not in sys.modules:
        with loading():
            import torch  # noqa: F401


@final
class Interrupt:
    """While entered, the first SIGINT or SIGTERM is noted; a second one ends the process as usual.

    A signal that was ignored stays ignored. Main thread only, as Python's signals are.

    >>> with Interrupt() as interrupt:
    ...     signal.raise_signal(signal.SIGTERM)
    ...     interrupt.requested
    <Signals.SIGTERM: 15>
    """

    def __init__(self) -> None:
        self.requested: signal.Signals | None = None
        self._previous: dict[signal.Signals, object] = {}

    def __enter__(self) -> Interrupt:
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) != signal.SIG_IGN:
                self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        while self._previous:
            number, handler = self._previous.popitem()
            signal.signal(number, handler)  # pyright: ignore[reportArgumentType]

    def _note(self, number: int, _: FrameType | None) -> None:
        self.requested = signal.Signals(number)
        self.__exit__()
