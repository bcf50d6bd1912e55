import gc
import io
import json
import os
import threading
from pathlib import Path

import pytest

from unrolled.apps.files import Input, require_place, write_json
from unrolled.errors import UserError


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})
    assert json.loads(path.read_text()) == {"a": 1}
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert json.loads(path.read_text()) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_places_are_looked_at_before_work_is_done(tmp_path: Path) -> None:
    (tmp_path / "run.safetensors").write_bytes(b"weights")
    (tmp_path / "a.json").touch()
    for place in ("a.json", "new.json", "new"):
        require_place("--json", tmp_path / place, ".json")
    for place, message in {
        "run.safetensors": "no .json file: it is not replaced",
        ".": "a folder",
        "none/a.json": "there is no folder",
    }.items():
        with pytest.raises(UserError, match=f"--json .*{message}"):
            require_place("--json", tmp_path / place, ".json")


def test_what_can_be_read_once_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("once",))
    writer.start()
    read = Input(pipe)
    writer.join()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"typed")))
    typed = Input(Path("-"))
    assert (read.name, typed.name) == (str(pipe), "standard input")
    copies = read.path, typed.path
    assert [copy.read_text() for copy in copies * 2] == ["once", "typed"] * 2
    del read, typed
    gc.collect()
    assert not any(copy.exists() for copy in copies)
    assert Input(tmp_path / "nothing").path == tmp_path / "nothing"
