import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from unrolled import __version__
from unrolled.apps.cli import app
from unrolled.apps.train import checkpoint as checkpoints
from unrolled.cells import CELLS

TEXT = "the quick brown fox jumps over the lazy dog.\n" * 12
SMALL = ("--hidden", "8", "--batch", "4", "--window", "8", "--steps", "4", "--threads", "1")


def run(*arguments: object, code: int = 0) -> str:
    """What the command writes, stderr included; it must end with ``code``."""
    result = CliRunner().invoke(app, list(map(str, arguments)), env={"COLUMNS": "120"})
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture(autouse=True)
def _threads() -> Any:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "fox.txt"
    path.write_text(TEXT)
    return path


@pytest.fixture
def trained(file: Path, tmp_path: Path) -> Path:
    run("train", "text", file, "--out", tmp_path / "run", *SMALL)
    return tmp_path / "run"


def test_version() -> None:
    assert run("--version") == __version__ + "\n"


def test_help_names_every_command() -> None:
    text = run("--help")
    assert all(name in text for name in ("train", "sample", "study", "report", "demo"))
    assert "--evaluate-every" in run("train", "text", "--help")


def test_every_cell_is_listed_and_shown() -> None:
    table = run("cells")
    for name, cell in CELLS.items():
        assert name in table
        text = run("show", name)
        assert cell.text() in text
        assert cell.python() in text
        assert "\\" not in text
        assert run("show", name, "--latex") == cell.latex() + "\n"
        assert run("show", name, "--formula") == cell.text() + "\n"
        assert run("show", name, "--python") == cell.python() + "\n"
        assert run("show", name, "--c") == cell.c()
        text = run("show", name, "--derivative")
        assert cell.derivative.text() in text
        assert cell.derivative.python() in text
    backward = CELLS["gru"].derivative
    assert run("show", "gru", "--derivative", "--latex") == backward.latex() + "\n"
    assert run("show", "gru", "--derivative", "--python") == backward.python() + "\n"


@pytest.mark.parametrize("command", [("show", "ltsm"), ("train", "text", "--cell", "ltsm")])
def test_an_unknown_cell_is_answered_with_known_ones(command: tuple[str, ...]) -> None:
    text = run(*command, code=2)
    assert text.startswith("unrolled: ")
    assert "ltsm" in text
    assert "did you mean lstm" in text
    assert "gru" in text


def test_train_sample_and_resume(file: Path, trained: Path) -> None:
    written = run("sample", trained, "--prompt", "the ", "--length", 30, "--seed", 5)
    assert written.startswith("the ")
    assert len(written) == 4 + 30 + 1
    assert written == run("sample", trained, "--prompt", "the ", "--length", 30, "--seed", 5)
    text = run("train", "text", file, "--resume", "--out", trained, "--steps", 6, "--hidden", 8)
    assert "step 6 of 6" in text
    assert len((trained / "log.jsonl").read_text().splitlines()) == 6
    text = run("train", "text", file, "--resume", "--out", trained)
    assert "step 6 of 6" in text
    assert "--steps N" in text


def test_an_existing_run_needs_a_decision(file: Path, trained: Path) -> None:
    text = run("train", "text", file, "--out", trained, code=2)
    assert "--resume" in text
    assert "--overwrite" in text
    both = run("train", "text", file, "--out", trained, "--resume", "--overwrite", code=2)
    assert "contradict" in both
    run("train", "text", file, "--out", trained, *SMALL, "--seed", 1, "--overwrite")
    assert checkpoints.load(trained).settings.seed == 1


def test_a_log_that_cannot_be_written_is_named(file: Path, tmp_path: Path) -> None:
    (tmp_path / "run" / "log.jsonl").mkdir(parents=True)
    text = run("train", "text", file, "--out", tmp_path / "run", *SMALL, code=2)
    assert "unrolled: cannot write" in text
    assert "log.jsonl" in text


def test_a_resumed_run_keeps_its_settings(file: Path, trained: Path) -> None:
    resume = ("train", "text", file, "--resume", "--out", trained)
    assert "this run has --hidden 8, not 9" in run(*resume, "--hidden", 9, code=2)
    assert "this run has --lr 0.003, not 0.1" in run(*resume, "--lr", 0.1, code=2)
    assert "cell lstm, not gru" in run(*resume, "--cell", "gru", code=2)


def test_a_resumed_run_keeps_its_text(file: Path, trained: Path) -> None:
    file.write_text(TEXT + "more")
    resume = ("train", "text", "--resume", "--out", trained)
    assert "another text" in run(*resume, file, code=2)
    assert "another text" in run(*resume, code=2)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--hidden", "0"),
        ("--layers", "0"),
        ("--dropout", "1.5"),
        ("--batch", "0"),
        ("--window", "0"),
        ("--steps", "0"),
        ("--seconds", "nan"),
        ("--lr", "-1"),
        ("--schedule", "linear"),
        ("--clip", "0"),
        ("--seed", "-1"),
        ("--held-out", "1"),
        ("--save-every", "0"),
        ("--evaluate-every", "0"),
        ("--threads", "0"),
    ],
)
def test_a_setting_out_of_range_is_named(option: str, value: str, tmp_path: Path) -> None:
    text = run("train", "text", "--out", tmp_path / "run", option, value, code=2)
    assert text.startswith(f"unrolled: {option} must be ")
    assert len(text.splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_a_bad_file_is_named(file: Path, tmp_path: Path) -> None:
    for data, message in ((b"", "is empty"), (b"\0", "is binary"), (b"a\xff", "is not UTF-8")):
        bad = tmp_path / "bad.txt"
        bad.write_bytes(data)
        assert message in run("train", "text", file, bad, "--out", tmp_path / "run", code=2)
    assert "No such file" in run("train", "text", tmp_path / "none", code=2)
    assert "Is a directory" in run("train", "text", tmp_path, code=2)
    file.write_text("short")
    assert "--batch 32 times --window 64" in run("train", "text", file, code=2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--temperature", "-1"), "--temperature must be"),
        (("--temperature", "nan"), "--temperature must be"),
        (("--length", "-1"), "--length must be"),
        (("--seed", "-1"), "--seed must be"),
        (("--prompt", "Ünknown"), "'Ü' at position 0"),
    ],
)
def test_a_bad_sample_is_refused(trained: Path, arguments: tuple[str, str], message: str) -> None:
    assert message in run("sample", trained, *arguments, code=2)


def test_sampling_without_a_run_is_refused(tmp_path: Path) -> None:
    assert "no checkpoint" in run("sample", tmp_path / "none", code=2)
    (tmp_path / checkpoints.NAME).write_bytes(b"garbage")
    assert "truncated or not a checkpoint" in run("sample", tmp_path, code=2)


def test_a_demonstration_needs_a_time(tmp_path: Path) -> None:
    assert "--seconds must be from 0.1 to 1e+06" in run("demo", "--seconds", "0", code=2)
    (tmp_path / "file").touch()
    assert "cannot make the folder" in run("demo", "--out", tmp_path / "file" / "demo", code=2)


def command(*arguments: object) -> list[str]:
    # Under a shell's background job SIGINT is ignored, and Python would leave it so.
    start = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from unrolled.apps.cli import main; main()"
    )
    return [sys.executable, "-c", start, *map(str, arguments)]


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_can_be_resumed(
    number: signal.Signals, file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    process = subprocess.Popen(
        command("train", "text", file, "--out", out, *SMALL, "--steps", 10**6),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    log = out / "log.jsonl"
    while process.poll() is None and not (log.exists() and log.stat().st_size > 1000):
        time.sleep(0.02)
    process.send_signal(number)
    text, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + number, text
    assert "Go on: unrolled train text" in text
    assert "Traceback" not in text
    steps = [json.loads(line)["step"] for line in log.read_text().splitlines()]
    assert checkpoints.load(out).step == steps[-1] == len(steps)
    run("train", "text", file, "--resume", "--out", out, "--steps", steps[-1] + 2)
    assert len(log.read_text().splitlines()) == steps[-1] + 2


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="a pipe breaks differently elsewhere")
def test_a_broken_pipe_ends_quietly(trained: Path) -> None:
    process = subprocess.Popen(
        command("sample", trained, "--length", 10**9),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert len(process.stdout.read(20)) == 20
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    process.wait(timeout=60)


@pytest.mark.slow
def test_a_terminal_without_the_characters_gets_question_marks(tmp_path: Path) -> None:
    file, out = tmp_path / "text", tmp_path / "run"
    file.write_text("жд" * 300, encoding="utf-8")
    run("train", "text", file, "--out", out, *SMALL)
    done = subprocess.run(
        command("sample", out, "--length", 5),
        env=os.environ | {"PYTHONIOENCODING": "cp1252"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"?????\n", b"")


@pytest.mark.slow
def test_user_errors_have_no_traceback() -> None:
    done = subprocess.run(command("show", "ltsm"), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["gru", "--few", "--single"], "--few and --single are kernels of two kinds: name one"),
        (["gru", "--projection", "3"], "--projection: gru has no projected state"),
    ],
)
def test_options_of_kernels_that_do_not_fit(options: list[str], message: str) -> None:
    done = subprocess.run(command("kernel", *options), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, f"unrolled: {message}\n")


def test_every_kernel_is_printed() -> None:
    for name in CELLS:
        text = run("kernel", name, "--hidden", 5)
        assert text.startswith(f"; {name}: ")
        assert "define void @run(" in text


def test_options_of_kernels() -> None:
    text = run("kernel", "gru", "--hidden", 64)
    assert ";   buffer 0: old h\n" in text
    assert "product  weight_hh[0, 1, 2] @ h" in text
    assert " x float>" in text
    assert " x double>" in run("kernel", "gru", "--hidden", 64, "--double")
    few = run("kernel", "gru", "--hidden", 64, "--few")
    assert "@pack_0(" in text
    assert "@pack_0(" not in few
    single = run("kernel", "gru", "--hidden", 64, "--single")
    assert "@pack_0(" in single
    assert single != text
    assert text != run("kernel", "gru", "--hidden", 64, "--input", 65)
    backward = run("kernel", "gru", "--hidden", 64, "--backward")
    assert backward.startswith("; gru_backward: 3 passes")
    assert text != run("kernel", "gru", "--hidden", 65)
    projected = [
        run("kernel", "lstm_projected", "--hidden", 8, *p) for p in ((), ("--projection", 4))
    ]
    assert projected[0] == projected[1]
    assert projected[0] != run("kernel", "lstm_projected", "--hidden", 8, "--projection", 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("ltsm",), "did you mean lstm"), (("lstm", "--hidden", 0), "--hidden")],
)
def test_kernels_that_cannot_be_printed(arguments: tuple[object, ...], message: str) -> None:
    assert message in run("kernel", *arguments, code=2)


def test_a_cell_without_a_kernel_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from unrolled.kernels.runtime import recurrence

    def refused(*arguments: object, **options: object) -> None:
        raise recurrence.UnsupportedError("it is too strange")

    monkeypatch.setattr(recurrence, "Recurrence", refused)
    text = run("kernel", "lstm", code=2)
    assert text == "unrolled: there is no kernel for lstm: it is too strange\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("kernel", "lstm", "--hidden", 99999999999), "99999999999"),
        (("kernel", "lstm_projected", "--projection", 99999999999), "99999999999"),
        (("kernel", "lstm", "--input", "1_0"), "'1_0' is not a number"),
        (("train", "text", "--steps", "1_0"), "'1_0' is not a number"),
        (("train", "text", "--lr", "1_0.5"), "'1_0.5' is not a number"),
        (("study", "--gaps", "1", "--gaps", "1_0"), "'1_0' is not a number"),
        (("train", "text", "--seconds", "inf"), "at most 2**31, not inf"),
        (("train", "text", "--devices", 1024, "--steps", 1), "not 1024"),
        (("train", "pairs", "--longest", 1, "--steps", 1), "0 different records"),
        (("bench", "--own", "1,1,1,99999999999"), "GiB are free"),
    ],
)
def test_numbers_have_both_limits(
    arguments: tuple[object, ...],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    text = " ".join(run(*arguments, code=2).replace("│", " ").split())
    assert message in text
    assert not list(tmp_path.rglob("*.safetensors"))


def test_outputs_never_replace_what_they_must_not(trained: Path, tmp_path: Path) -> None:
    before = (trained / checkpoints.NAME).read_bytes()
    for option in (("diagnose", "--json"), ("report", "--out")):
        for place in (trained / checkpoints.NAME, tmp_path, tmp_path / "none" / "a.json"):
            assert f"{option[1]} {place}: " in run(option[0], trained, option[1], place, code=2)
    assert (trained / checkpoints.NAME).read_bytes() == before
