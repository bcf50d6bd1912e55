import io
import random
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unrolled.apps.train import text
from unrolled.apps.train import text as stream
from unrolled.apps.train.batch import Shard
from unrolled.apps.train.language import Language, held_out_bits
from unrolled.apps.train.text import Corpus, Stream
from unrolled.cells import find
from unrolled.errors import UserError

from .conftest import TEXT, TINY


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
    with pytest.raises(UserError, match=f"a text of {len(words)} characters? leaves 0 to train on"):
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


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "PIECE", 7)
    monkeypatch.setattr(stream, "KEPT", 3)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Characters of one to four bytes and all line ends, so that every cut meets each."""
    draw = random.Random(0)
    words = ["a", "é", "ж", "語", "🧶", "\n", "\r\n", "\r", " "]
    paths = []
    for name in "abc":
        path = tmp_path / name
        body = "".join(draw.choices(words, k=200)).encode()
        path.write_bytes((b"\xef\xbb\xbf" if name == "b" else b"") + body)
        paths.append(path)
    return paths


def test_a_stream_is_the_text_of_its_files(files: list[Path]) -> None:
    expected = Corpus.of(text.load(files), 0.3)
    found = Stream(files, 0.3)
    assert len(found) == len(expected)
    for name in ("vocabulary", "start", "digest"):
        assert getattr(found, name) == getattr(expected, name)
    assert torch.equal(found.windows(torch.tensor([0]), len(found))[:, 0], expected.ids)
    starts = torch.tensor([5, 0, 211, len(found) - 3, len(found) + 4])
    assert torch.equal(found.windows(starts, 20), expected.windows(starts, 20))


@given(st.lists(st.text(min_size=1), min_size=1, max_size=3))
def test_any_text_is_streamed(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    folder = tmp_path_factory.mktemp("texts")
    paths = [folder / str(number) for number in range(len(texts))]
    for path, words in zip(paths, texts, strict=True):
        path.write_bytes(words.replace("\0", "0").encode())
    whole = text.load(paths)
    if len(whole) < 2:
        return
    found = Stream(paths, 0.5)
    ids = found.windows(torch.tensor([0]), len(found))[:, 0]
    assert "".join(found.vocabulary[i] for i in ids) == whole


def test_a_streamed_text_is_trained_and_evaluated_alike(tmp_path: Path) -> None:
    path = tmp_path / "fox"
    path.write_text(TEXT)
    streamed = Language(TINY, Stream([path], 0.2))
    held = Language(TINY, Corpus.of(TEXT, 0.2))
    for step in (0, 1, 20):
        first, second = (task.batch(step, Shard(1, 2)) for task in (streamed, held))
        assert torch.equal(first.inputs[0], second.inputs[0])
        assert torch.equal(first.targets[0], second.targets[0])
    model = held.problem.model(TINY, find("lstm"))
    assert held_out_bits(model, streamed.source) == held_out_bits(model, held.source)


def test_only_some_pieces_are_kept(files: list[Path]) -> None:
    found = Stream(files, 0.3)
    found.windows(torch.arange(0, 500, 50), 20)
    assert len(found.pieces) > 50
    assert found._ids.cache_info().currsize == 3


def test_large_files_are_streamed(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(text.open_source(files, 0.1), Corpus)
    monkeypatch.setattr(text, "LARGE", 500)
    assert isinstance(text.open_source(files, 0.1), Stream)
    assert isinstance(text.open_source([], 0.1), Corpus)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"some text\0more", r"is binary \(a NUL byte at offset 9\)"),
        (b"some more caf\xe9!", "is not UTF-8: byte 0xe9 at offset 13"),
        (b"some more caf\xc3", "is not UTF-8: byte 0xc3 at offset 13"),
        (b"\x80" * 20, "is not UTF-8: byte 0x80 at offset 0"),
    ],
)
def test_a_large_file_that_is_no_text_is_refused(
    files: list[Path], data: bytes, message: str
) -> None:
    files[1].write_bytes(data)
    with pytest.raises(UserError, match=message) as error:
        Stream(files)
    assert str(files[1]) in str(error.value)


def test_a_missing_file_is_refused(files: list[Path], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read .*none: No such file"):
        Stream([*files, tmp_path / "none"])
    with pytest.raises(UserError, match="Is a directory"):
        Stream([tmp_path])


def test_a_file_that_changes_is_noticed(files: list[Path]) -> None:
    start = torch.tensor([0])
    for change in (b"z" * 500, b"a", b"\xff" * 500):
        found = Stream(files, 0.3)
        kept = files[0].read_bytes()
        files[0].write_bytes(change)
        with pytest.raises(UserError, match="is no longer what it was"):
            found.windows(start, 100)
        files[0].write_bytes(kept)
    found = Stream(files, 0.3)
    files[0].unlink()
    with pytest.raises(UserError, match="is no longer what it was"):
        found.windows(start, 100)


def test_texts_come_from_standard_input_for_a_dash_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for read in (
        lambda: text.given("-"),
        lambda: "".join(text.open_source([Path("-")], 0.1).vocabulary),
    ):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"to be" * 20)))
        assert set(read()) == set("to be")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"")))
    with pytest.raises(UserError, match=r"standard-input-.* is empty"):
        text.given("-")
    with pytest.raises(UserError, match="--text is empty"):
        text.given("")
