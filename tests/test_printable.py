import pytest

from unrolled.printable import printable


def test_what_can_be_shown_stays() -> None:
    text = "plain\ttext\nwith é, 你, 🙂, <b>, [red] and $x$"
    assert printable(text) == text


@pytest.mark.parametrize(
    "code", [*range(9), *range(11, 32), *range(127, 160), 0x202E, 0x2066, 0xD800]
)
def test_what_acts_is_escaped(code: int) -> None:
    shown = printable(f"a{chr(code)}b")
    assert shown.startswith("a\\")
    assert shown.isprintable()
    assert shown.encode().decode("unicode_escape") == f"a{chr(code)}b"
