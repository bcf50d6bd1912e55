import pytest

from unrolled.printable import decoded, printable


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


def test_names_in_the_bytes_of_a_poorer_locale_are_letters() -> None:
    given = "é单元.py".encode().decode("ascii", "surrogateescape")
    assert decoded(given) == printable(given) == "é单元.py"
    assert printable("\udce9!") == "\\udce9!"
