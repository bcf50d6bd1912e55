import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.apps.train.alphabet import WAYS, Alphabet, plain
from unrolled.errors import UserError
from unrolled.schema import checked


@given(text=st.text(min_size=1), by=st.sampled_from(WAYS))
def test_what_is_encoded_can_be_read_again(text: str, by: str) -> None:
    alphabet = Alphabet.of([text, text], by, 10_000)
    numbers = alphabet.encode(text)
    assert alphabet.decode(numbers) == plain(text, by)
    assert all(0 < number < len(alphabet) for number in numbers)
    assert checked(msgspec.to_builtins(alphabet), Alphabet) == alphabet


def test_rare_symbols_share_a_number() -> None:
    alphabet = Alphabet.of(["aabbbc"], "characters", 1)
    assert alphabet.symbols == ("b",)
    assert alphabet.encode("abz") == [0, 1, 0]


def test_another_way_is_refused() -> None:
    with pytest.raises(UserError, match="--by must be one of characters, words, not 'bytes'"):
        Alphabet("bytes", ())
