import io
import signal

import pytest
from rich.console import Console

from unrolled.apps.terminal import RULE, Interrupt, rule


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_noted_and_the_second_ends(number: signal.Signals) -> None:
    def end(*_: object) -> None:
        raise InterruptedError

    before = signal.signal(number, end)
    try:
        with Interrupt() as interrupt:
            assert interrupt.requested is None
            signal.raise_signal(number)
            assert interrupt.requested is number
            with pytest.raises(InterruptedError):
                signal.raise_signal(number)
        assert signal.getsignal(number) is end
    finally:
        signal.signal(number, before)


def test_handlers_are_restored() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with Interrupt():
        pass
    assert before == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interrupt() as interrupt:
            signal.raise_signal(signal.SIGINT)
            assert interrupt.requested is None
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("title", ["", "[red]'The' continued"])
def test_rules_are_no_wider_than_a_terminal(title: str) -> None:
    def drawn(is_terminal: bool, width: int) -> str:
        file = io.StringIO()
        console = Console(file=file, width=width, force_terminal=is_terminal, color_system=None)
        rule(console, title)
        (line,) = file.getvalue().splitlines()
        assert title in line
        return line

    assert RULE == 80
    assert len(drawn(False, 400)) == 80
    assert len(drawn(False, 60)) == 60
    assert len(drawn(True, 120)) == 120
