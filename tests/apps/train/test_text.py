import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unrolled.apps.train import text
from unrolled.apps.train.text import Corpus
from unrolled.errors import UserError


@given(st.text(min_size=2))
def test_ids_spell_the_text(words: str) -> None:
    corpus = Corpus.of(words, 0.5)
    assert "".join(corpus.vocabulary[i] for i in corpus.ids) == words
    assert corpus.vocabulary == "".join(sorted(set(words)))
    assert corpus.ids.dtype == torch.int32
    assert torch.equal(torch.cat([corpus.training, corpus.held_out]), corpus.ids)


def test_the_last_part_is_held_out() -> None:
    corpus = Corpus.of("ab" * 50, held_out=0.1)
    assert (len(corpus.training), len(corpus.held_out)) == (90, 10)


def test_the_digest_tells_texts_apart() -> None:
    digests = {Corpus.of(words, 0.5).digest for words in ("ab", "ba", "ab\n")}
    assert len(digests) == 3


@pytest.mark.parametrize(("words", "held_out"), [("", 0.1), ("a", 0.5), ("abc", 0.9)])
def test_a_text_too_short_to_split_is_refused(words: str, held_out: float) -> None:
    with pytest.raises(UserError, match=f"a text of {len(words)} characters leaves 0 to train on"):
        Corpus.of(words, held_out)


def test_an_unknown_character_is_named() -> None:
    with pytest.raises(UserError, match=r"'é' at position 3 is not among the 4 .*' acf'"):
        text.encode("café", " acf")


def test_files_are_joined_by_a_newline(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbfone\r\ntwo")
    (tmp_path / "b").write_bytes("drei\rвосемь".encode())
    assert text.load([tmp_path / "a", tmp_path / "b"]) == "one\ntwo\ndrei\nвосемь"


def test_the_default_text_repeats_no_paragraph() -> None:
    words = text.load([])
    paragraphs = words.split("\n\n")
    assert len(paragraphs) == len(set(paragraphs)) > 1000
    assert len(words) > 200_000


def test_a_python_without_its_topics_needs_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    with pytest.raises(UserError, match="name a text file"):
        text.default()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"text\0more", r"is binary \(a NUL byte at offset 4\)"),
        (b"caf\xe9!", "is not UTF-8: byte 0xe9 at offset 3"),
        ("utf-16".encode("utf-16-le"), "is binary"),
    ],
)
def test_a_file_that_is_no_text_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    file = tmp_path / "file.txt"
    file.write_bytes(data)
    with pytest.raises(UserError, match=message) as error:
        text.read(file)
    assert str(file) in str(error.value)


def test_a_missing_file_and_a_directory_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read .*none\.txt: No such file"):
        text.read(tmp_path / "none.txt")
    with pytest.raises(UserError, match=r"cannot read .*: Is a directory"):
        text.read(tmp_path)
