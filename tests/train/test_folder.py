from dataclasses import replace
from pathlib import Path

import pytest

from unrolled.cells import find
from unrolled.train import checkpoint as checkpoints
from unrolled.train.errors import UserError
from unrolled.train.folder import begin, resume

from .conftest import TEXT, TINY


def test_a_run_is_not_replaced_unasked(trained: Path) -> None:
    with pytest.raises(UserError, match=r"already holds a run.*--resume.*--overwrite.*--out"):
        begin(trained, TINY, find("lstm"), TEXT)
    assert begin(trained, TINY, find("lstm"), TEXT, overwrite=True).step == 0


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(UserError, match="cannot make the folder"):
            begin(folder, TINY, find("lstm"), TEXT)


def test_a_bad_text_makes_no_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="give more text"):
        begin(tmp_path / "run", TINY, find("lstm"), "short text")
    assert not (tmp_path / "run").exists()


def test_there_must_be_something_to_resume(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no checkpoint"):
        resume(tmp_path, {}, None, TEXT)


def test_another_text_is_refused(trained: Path) -> None:
    with pytest.raises(UserError, match="trained on another text"):
        resume(trained, {}, None, TEXT + "!")


def test_another_cell_is_refused(trained: Path) -> None:
    with pytest.raises(UserError, match="cell lstm, not gru"):
        resume(trained, {}, find("gru"), TEXT)


def test_settings_given_anew(trained: Path) -> None:
    assert resume(trained, {"steps": 9}, find("lstm"), TEXT).settings == replace(TINY, steps=9)
    with pytest.raises(UserError, match="--batch 4, not 5"):
        resume(trained, {"batch": 5}, None, TEXT)


@pytest.mark.parametrize("name", ["random", "states/h", "weights/readout.bias"])
def test_tensors_that_do_not_fit_are_refused(trained: Path, name: str) -> None:
    checkpoint = checkpoints.load(trained)
    del checkpoint.tensors[name]
    checkpoints.save(trained / checkpoints.NAME, checkpoint)
    with pytest.raises(UserError, match="do not fit its settings"):
        resume(trained, {}, None, TEXT)
