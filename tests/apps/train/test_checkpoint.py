import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from msgspec import structs

import unrolled
from stored import rewrite
from unrolled import affine, tanh
from unrolled.apps.train import checkpoint as checkpoints
from unrolled.apps.train.alphabet import Alphabet
from unrolled.apps.train.classify.problem import Classification
from unrolled.apps.train.classify.reading import Cells, Numbers, Text
from unrolled.apps.train.language import Characters
from unrolled.apps.train.pairs.problem import Translation
from unrolled.apps.train.series.problem import Forecasting
from unrolled.cells import find
from unrolled.errors import UserError

from .conftest import TINY


@pytest.fixture
def file(trained: Path) -> Path:
    return trained / checkpoints.NAME


def test_what_is_saved_is_loaded(trained: Path, tmp_path: Path) -> None:
    first = checkpoints.load(trained)
    checkpoints.save(tmp_path / "copy", first)
    second = checkpoints.load(tmp_path / "copy")
    for name in (
        "step",
        "settings",
        "cell",
        "problem",
        "metric",
        "digest",
        "loss",
        "last",
        "best",
        "stale",
    ):
        assert getattr(first, name) == getattr(second, name)
    assert first.optimizer == second.optimizer
    assert first.tensors.keys() == second.tensors.keys()
    assert all(torch.equal(first.tensors[name], second.tensors[name]) for name in first.tensors)


def test_a_checkpoint_holds_the_whole_run(trained: Path) -> None:
    checkpoint = checkpoints.load(trained)
    assert checkpoint.step == 6
    assert checkpoint.settings == TINY
    assert checkpoint.cell == find("lstm")
    assert checkpoint.last is not None
    assert checkpoint.last.step == 6
    assert checkpoint.best is not None
    assert checkpoint.best.loss <= checkpoint.last.loss
    assert checkpoint.group("states").keys() == {"h", "c"}
    weights = checkpoint.group("weights")
    assert {f"{name}/exp_avg" for name in weights} <= checkpoint.group("optimizer").keys()
    model = checkpoint.model()
    assert all(torch.equal(weights[name], p) for name, p in model.state_dict().items())


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no checkpoint at .*checkpoint\.safetensors"):
        checkpoints.load(tmp_path)
    with pytest.raises(UserError, match=r"no checkpoint at .*none"):
        checkpoints.load(tmp_path / "none")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / checkpoints.NAME)
    with pytest.raises(UserError, match="is no regular file"):
        checkpoints.load(tmp_path)


@pytest.mark.parametrize("kept", [0, 5, 100, 3000, -1])
def test_a_truncated_file_is_refused(file: Path, kept: int) -> None:
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(UserError, match="truncated or not a checkpoint"):
        checkpoints.load(file)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    text, tensors = tmp_path / "text", tmp_path / "tensors"
    text.write_text("Once upon a time there was a file that was no checkpoint.")
    safetensors.torch.save_file({"a": torch.zeros(1)}, tensors)
    with pytest.raises(UserError, match="truncated or not a checkpoint"):
        checkpoints.load(text)
    with pytest.raises(UserError, match="is not a checkpoint of unrolled"):
        checkpoints.load(tensors)


def test_another_version_is_refused(file: Path) -> None:
    rewrite(file, version=99)
    with pytest.raises(UserError, match="has checkpoint format 99; this version of unrolled reads"):
        checkpoints.load(file)


@pytest.mark.parametrize(
    "header",
    [
        {"settings": {"hidden": "wide"}},
        {"settings": {"unknown": 1}},
        {"settings": None},
        {"step": "six"},
        {"cell": {}},
        {"cell": None},
        {"last": 3},
        {"problem": {"kind": "chess"}},
        {"problem": {}},
        {"unit": "bits"},
    ],
)
def test_a_damaged_header_is_refused(file: Path, header: dict[str, Any]) -> None:
    rewrite(file, **header)
    with pytest.raises(UserError, match="is damaged"):
        checkpoints.load(file)


def test_another_cell_than_asked_for_is_refused(file: Path) -> None:
    assert checkpoints.load(file, find("lstm")).cell == find("lstm")
    with pytest.raises(UserError, match="was trained with the cell lstm, not gru"):
        checkpoints.load(file, find("gru"))


def test_a_cell_whose_equations_changed_is_refused(file: Path) -> None:
    @unrolled.cell
    def lstm(x, h, c):
        """As it may be one day."""
        c = c + tanh(affine(x, h))
        h = tanh(c)
        return locals()

    with pytest.raises(UserError, match="cell lstm whose equations differ"):
        checkpoints.load(file, lstm)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_weight_that_is_not_finite_is_named(file: Path, value: float) -> None:
    weight = checkpoints.load(file).tensors["weights/readout.weight"]
    weight[0, 0] = value
    rewrite(file, {"weights/readout.weight": weight})
    with pytest.raises(UserError, match=r"weights/readout\.weight has NaN or infinite values"):
        checkpoints.load(file)


def test_weights_that_do_not_fit_are_refused(file: Path) -> None:
    rewrite(file, {"weights/readout.weight": torch.zeros(3, 3)})
    with pytest.raises(UserError, match=r"(?s)weights do not fit its settings.*readout\.weight"):
        checkpoints.load(file).model()


def test_weights_that_are_not_finite_are_never_saved(file: Path) -> None:
    good = checkpoints.load(file)
    bad = structs.replace(good, tensors=good.tensors | {"weights/x": torch.tensor([torch.nan])})
    with pytest.raises(UserError, match="weights/x has NaN"):
        checkpoints.save(file, bad)
    assert checkpoints.load(file).step == good.step


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_failed_write_leaves_the_last_checkpoint_alone(
    file: Path, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    good = checkpoints.load(file)
    monkeypatch.setattr(os, call, fail)
    with pytest.raises(UserError, match=r"cannot write .*: No space left on device"):
        checkpoints.save(file, structs.replace(good, step=99))
    assert checkpoints.load(file).step == 6
    names = sorted(path.name for path in file.parent.iterdir() if path.name != ".lock")
    assert names == ["best.safetensors", file.name, "log.jsonl"]


KILLS = """
import os, random, signal, sys, time
from pathlib import Path
import unrolled
from unrolled import affine, tanh
from unrolled.cells import find
from unrolled.apps.train import checkpoint as checkpoints
from unrolled.apps.train.folder import begin, resume
from unrolled.apps.terminal import Interrupt
from unrolled.apps.train.language import Language
from unrolled.apps.train.loop import run
from unrolled.apps.train.settings import Settings
from unrolled.apps.train.text import Corpus
import torch

torch.set_num_threads(1)
folder, words, random = Path(sys.argv[1]), "she sells sea shells. " * 20, random.Random(0)
settings = Settings(hidden=64, batch=2, window=4, steps=10**6, save_every=1, evaluate_every=5)
make = lambda settings, _=None: Language(settings, Corpus.of(words, settings.held_out))
begin(folder, make(settings), find("lstm")).advance()  # kernels are compiled here, not in children
reached = -1
for turn in range(20):
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        new = reached < 0
        training = (
            begin(folder, make(settings), find("lstm")) if new
            else resume(folder, {}, None, make)
        )
        for _ in run(training, folder, Interrupt()):
            os.write(writer, b".")
    if turn == 0 or turn % 4:  # the others are killed while they begin
        os.read(reader, 1)
    time.sleep(random.uniform(0, 0.1))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(reader), os.close(writer)
    step = checkpoints.load(folder).step
    assert step >= reached + (1 if turn % 4 else 0), (step, reached)
    if (folder / checkpoints.BEST).exists():
        assert 0 < checkpoints.load(folder / checkpoints.BEST).step <= step + 1
    reached = step
print("reached", reached)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked children")
def test_a_kill_at_any_moment_leaves_a_checkpoint(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLS, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) >= 16


LETTERS = Alphabet("characters", ("a", "b"))
WHOLE = {
    "text": Characters("ab"),
    "words": Classification(Cells(("x",), True), "y", Text(LETTERS), ("n", "p"), 9),
    "numbers": Classification(
        Cells(("a", "b", "c", "d"), False, 2), "y", Numbers((0.0, 1.0), (1.0, 2.0)), ("n", "p"), 9
    ),
    "series": Forecasting("x", ("z",), 4, 2, 1, True, (0.0, 1.0), (1.0, 2.0), 0.5),
    "pairs": Translation(LETTERS, LETTERS, 9, True),
}


@pytest.mark.parametrize("problem", WHOLE.values(), ids=WHOLE)
def test_what_is_written_is_read(problem: Any) -> None:
    assert checkpoints.problem_from_json(checkpoints.problem_to_json(problem)) == problem


BAD_PROBLEMS: list[tuple[str, dict[str, Any], str]] = [
    ("words", {"columns": []}, "columns"),
    ("words", {"columns": "x"}, "columns"),
    ("words", {"columns": ["x", "z"]}, "text of one column"),
    ("words", {"text": False}, "text of one column, or numbers"),
    ("words", {"text": 1}, "text is 1"),
    ("words", {"reading": {}}, "either text or numbers"),
    ("words", {"reading": {"text": {"by": "lines", "symbols": []}}}, "--by must be one of"),
    ("words", {"reading": {"text": {"by": "words", "symbols": [1]}}}, r"symbols\[0\] is 1"),
    ("words", {"reading": {"text": {"by": "words"}}}, "symbols"),
    ("words", {"classes": []}, "classes"),
    ("words", {"classes": ["n", "n"]}, "twice"),
    ("words", {"longest": 0}, "longest is 0"),
    ("words", {"longest": 10**400}, "longest is"),
    ("numbers", {"step": 3}, "step is 3: 4 columns cannot be read so"),
    ("numbers", {"step": 4}, "step is 4"),
    ("numbers", {"reading": {"numbers": {"mean": [0.0], "scale": [1.0, 2.0]}}}, "1 means, but 2"),
    ("numbers", {"reading": {"numbers": {"mean": [], "scale": []}}}, "mean"),
    ("numbers", {"reading": {"numbers": {"mean": [0, 1], "scale": [0, 1]}}}, r"scale\[0\] is 0"),
    ("numbers", {"reading": {"numbers": {"mean": [math.nan], "scale": [1]}}}, "mean.* is nan"),
    ("series", {"mean": [0.0]}, "expected 2 numbers each"),
    ("series", {"scale": [1.0, -1.0]}, r"scale\[1\] is -1.0"),
    ("series", {"error": math.inf}, "error is inf"),
    ("series", {"window": 1.5}, "window is 1.5"),
    ("series", {"relative": "yes"}, "relative is 'yes'"),
    ("series", {"horizon": -3}, "horizon is -3"),
    ("series", {"more": 3}, "unknown: 'more'"),
    ("pairs", {"longest": 10**9}, "longest is 1000000000"),
    ("pairs", {"source": None}, "source is None"),
    ("pairs", {"attention": 0}, "attention is 0"),
    ("pairs", {"more": 0}, "unknown: 'more'"),
]


@pytest.mark.parametrize(("name", "change", "words"), BAD_PROBLEMS)
def test_what_no_run_writes_is_named(name: str, change: dict[str, Any], words: str) -> None:
    with pytest.raises((ValueError, UserError), match=words):
        checkpoints.problem_from_json({**checkpoints.problem_to_json(WHOLE[name]), **change})
