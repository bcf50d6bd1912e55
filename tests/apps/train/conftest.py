from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from unrolled.apps.terminal import Interrupt
from unrolled.apps.train.folder import begin
from unrolled.apps.train.language import Language
from unrolled.apps.train.loop import run
from unrolled.apps.train.settings import Settings
from unrolled.apps.train.task import Problem
from unrolled.apps.train.text import Corpus
from unrolled.cells import find

TEXT = "the quick brown fox jumps over the lazy dog.\n" * 12

TINY = Settings(
    hidden=8, batch=4, window=8, steps=6, lr=1e-2, held_out=0.2, save_every=2, evaluate_every=3
)


def reading(settings: Settings = TINY, text: str = TEXT) -> Language:
    """The task of reading a text."""
    return Language(settings, Corpus.of(text, settings.held_out))


def reading_again(settings: Settings, _: Problem) -> Language:
    """The task of a resumed run."""
    return reading(settings)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Models this small are slower on several threads, and far slower on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """The folder of a run of six steps."""
    folder = tmp_path / "run"
    training = begin(folder, reading(), find("lstm"))
    assert len(list(run(training, folder, Interrupt()))) == TINY.steps
    return folder
