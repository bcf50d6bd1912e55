"""Talk between a program and the person at its terminal: plain lines, and Ctrl-C as a request."""

from __future__ import annotations

import signal
from types import FrameType
from typing import TYPE_CHECKING, final

from ..printable import printable

if TYPE_CHECKING:
    from rich.console import Console


def say(console: Console, text: str, style: str = "") -> None:
    """Print text as it is: without markup or highlights, in lines of any length."""
    console.print(printable(text), style=style, highlight=False, markup=False, soft_wrap=True)


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
