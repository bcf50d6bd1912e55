import os
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from stored import rewrite
from unrolled.apps.train import checkpoint as checkpoints
from unrolled.apps.train.folder import begin, resume
from unrolled.cells import find
from unrolled.errors import UserError

from .conftest import TEXT, TINY, reading, reading_again


def test_a_run_is_not_replaced_unasked(trained: Path) -> None:
    with pytest.raises(UserError, match=r"already holds a run.*--resume.*--overwrite.*--out"):
        begin(trained, reading(), find("lstm"))
    assert begin(trained, reading(), find("lstm"), overwrite=True).step == 0


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(UserError, match="cannot make the folder"):
            begin(folder, reading(), find("lstm"))


def test_there_must_be_something_to_resume(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no checkpoint"):
        resume(tmp_path, {}, None, reading_again)


def test_another_text_is_refused(trained: Path) -> None:
    with pytest.raises(UserError, match="trained on another text"):
        resume(trained, {}, None, lambda settings, _: reading(settings, TEXT + "!"))


def test_another_cell_is_refused(trained: Path) -> None:
    with pytest.raises(UserError, match="cell lstm, not gru"):
        resume(trained, {}, find("gru"), reading_again)


def test_settings_given_anew(trained: Path) -> None:
    training = resume(trained, {"steps": 9}, find("lstm"), reading_again)
    assert training.settings == replace(TINY, steps=9)
    with pytest.raises(UserError, match="--batch 4, not 5"):
        resume(trained, {"batch": 5}, None, reading_again)


@pytest.mark.parametrize("name", ["random/cpu", "states/h", "weights/readout.bias"])
def test_tensors_that_do_not_fit_are_refused(trained: Path, name: str) -> None:
    checkpoint = checkpoints.load(trained)
    del checkpoint.tensors[name]
    checkpoints.save(trained / checkpoints.NAME, checkpoint)
    with pytest.raises(UserError, match="do not fit its settings"):
        resume(trained, {}, None, reading_again)


@pytest.mark.parametrize("name", ["threads", "devices"])
def test_a_file_starts_no_more_than_there_are_cores(
    trained: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    rewrite(trained / checkpoints.NAME, settings={**asdict(TINY), name: 5})
    with pytest.raises(UserError, match=f"--{name} 5, and this machine has 4 cores"):
        resume(trained, {}, None, reading_again)
    assert resume(trained, {name: 1}, None, reading_again).step == 6
