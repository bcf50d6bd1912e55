"""Small runs, and what people do with them."""

from __future__ import annotations

import random
import re
import traceback
import warnings
from pathlib import Path
from typing import NamedTuple, final

import click.testing
import typer.main

from unrolled.apps.cli import app

from .files_mutations import mutated, mutated_text

LEAST = (
    "--hidden",
    "5",
    "--batch",
    "4",
    "--steps",
    "4",
    "--evaluate-every",
    "2",
    "--save-every",
    "2",
)
HERE = ("--threads", "1", "--devices", "1", "--accelerator", "cpu", "--no-tensorboard")
"""Where a run goes on is said by who goes on with it."""
ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Characters that a terminal would obey."""


@final
class Finding(NamedTuple):
    """What should not have happened.

    Attributes:
        kind: in a line, the same for what has the same cause.
        text: with all there is to know.
    """

    kind: str
    text: str


@final
class Run(NamedTuple):
    """A run, the table or text that it learned, and what can be done with it.

    Attributes:
        name: of its folder.
        data: of its file.
        begin: the command that makes it; its folder is named by --out.
        uses: commands; ``RUN`` stands for the folder, ``FILE`` for the data.
    """

    name: str
    data: str
    begin: tuple[str, ...]
    uses: tuple[tuple[str, ...], ...]


def _resumed(kind: str) -> tuple[str, ...]:
    settings = ("--steps", "6", "--evaluate-every", "3", "--save-every", "2")
    return ("train", kind, "FILE", "--resume", "--out", "RUN", *settings, *HERE)


TEXT = "the quick brown fox jumps over the lazy dog, and so on.\n" * 9
RECORDS = "\n".join(["text,label", *(f"{'ab' * (n % 4 + 1)}{n},{'xy'[n % 2]}" for n in range(40))])
NUMBERS = "\n".join(
    ["a,b,c,d,label", *(f"{2 * n},{n % 3},{n % 5},{-n},{n % 2}" for n in range(40))]
)
SERIES = "\n".join(
    ["date,sales,rain", *(f"{1900 + n},{n % 7 + n / 99},{n % 3}" for n in range(80))]
)
PAIRS = "\n".join(f"{'abc'[n % 3] * (n % 4 + 1)}{n}\t{n}{'xyz'[n % 3]}" for n in range(60))

RUNS = (
    Run(
        "text",
        TEXT,
        ("train", "text", "FILE", "--window", "6", "--cell", "gru"),
        (
            ("sample", "RUN", "--length", "4"),
            ("sample", "RUN", "--length", "3", "--temperature", "0", "--prompt", "the"),
            _resumed("text"),
        ),
    ),
    Run(
        "layers",
        TEXT,
        (
            "train",
            "text",
            "FILE",
            "--window",
            "6",
            "--cell",
            "lstm",
            "--layers",
            "2",
            "--dropout",
            "0.2",
        ),
        (
            ("sample", "RUN", "--length", "4"),
            _resumed("text"),
            ("diagnose", "RUN", "--text", "FILE"),
        ),
    ),
    Run(
        "words",
        RECORDS,
        ("train", "classify", "FILE", "--cell", "rnn_tanh"),
        (("predict", "RUN", "--text", "abab1"), ("predict", "RUN", "FILE"), _resumed("classify")),
    ),
    Run(
        "numbers",
        NUMBERS,
        ("train", "classify", "FILE", "--step", "2", "--cell", "mgu"),
        (("predict", "RUN", "--text", "1,2,3,4"), ("predict", "RUN", "FILE"), _resumed("classify")),
    ),
    Run(
        "series",
        SERIES,
        ("train", "series", "FILE", "--target", "sales", "--also", "rain", "--horizon", "3"),
        (("forecast", "RUN", "FILE"), ("forecast", "RUN", "FILE"), _resumed("series")),
    ),
    Run(
        "pairs",
        PAIRS,
        ("train", "pairs", "FILE", "--longest", "9", "--cell", "gru"),
        (
            ("translate", "RUN", "--text", "ab1", "--beam", "2"),
            ("translate", "RUN", "--text", "c"),
            _resumed("pairs"),
        ),
    ),
)
CHECKPOINTS = ("checkpoint.safetensors", "best.safetensors")


@final
class Commands:
    """The command line, in this process."""

    def __init__(self) -> None:
        self.command = typer.main.get_command(app)

    def __call__(self, *arguments: str) -> Finding | None:
        """Run a command: None if it worked, or ended as an error of the user does."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = click.testing.CliRunner().invoke(self.command, arguments)
        trouble = result.exception
        if trouble is not None and not isinstance(trouble, SystemExit):
            text = "".join(traceback.format_exception(trouble))
            return Finding(kind_of(trouble), f"{' '.join(arguments)}\n{text}")
        if result.exit_code == 2 and "\nunrolled: " not in f"\n{result.output}":
            return Finding("exit code 2 without a word", f"{' '.join(arguments)}\n{result.output}")
        if result.exit_code not in (0, 2):
            return Finding(
                f"exit code {result.exit_code}", f"{' '.join(arguments)}\n{result.output}"
            )
        if ACTING.search(result.output):
            return Finding("output acts on a terminal", f"{' '.join(arguments)}\n{result.output!r}")
        return None


def kind_of(trouble: BaseException) -> str:
    """The exception, and the last place of ours that it passed."""
    frames = traceback.extract_tb(trouble.__traceback__)
    ours = [frame for frame in frames if "/unrolled/" in frame.filename] or list(frames)
    place = f"{Path(ours[-1].filename).name}:{ours[-1].name}" if ours else "?"
    return f"{type(trouble).__name__} in {place}: {str(trouble).splitlines()[:1]}"[:160]


def _ending(run: Run) -> str:
    return {"text": "txt", "layers": "txt", "pairs": "tsv"}.get(run.name, "csv")


@final
class Kitchen:
    """The whole runs, as bytes, and a folder to spoil them in.

    Args:
        folder: for files; it has to be there.
        spare: entries of a checkpoint's header that are not mutated.
    """

    def __init__(self, folder: Path, spare: tuple[str, ...] = ()) -> None:
        self.folder, self.spare, self.run = folder, spare, Commands()
        self.whole: dict[str, dict[str, bytes]] = {}
        for each in RUNS:
            (folder / f"{each.name}.{_ending(each)}").write_text(each.data + "\n")
            place = folder / each.name
            if not place.exists():
                trouble = self.run(
                    *self._filled(each, each.begin), "--out", str(place), *LEAST, *HERE
                )
                assert trouble is None, trouble.text
            self.whole[each.name] = {
                file.name: file.read_bytes() for file in place.iterdir() if file.name != ".lock"
            }

    def _filled(self, run: Run, command: tuple[str, ...]) -> list[str]:
        file = self.folder / f"{run.name}.{_ending(run)}"
        names = {"RUN": str(self.folder / run.name), "FILE": str(file)}
        return [names.get(each, each) for each in command]

    def warm(self) -> None:
        """Use every run as it is, so that later nothing is imported; all has to work."""
        for run in RUNS:
            for use in run.uses:
                self._write(run, self.whole[run.name])
                trouble = self.run(*self._filled(run, use))
                assert trouble is None, trouble.text

    def case(self, draw: random.Random) -> Finding | None:
        """Mutate a run and use it."""
        run = draw.choice(RUNS)
        self._spoil(run, draw)
        return self.run(*self._filled(run, draw.choice(run.uses)))

    def _spoil(self, run: Run, draw: random.Random) -> None:
        files = dict(self.whole[run.name])
        if draw.random() < 0.05:
            files["log.jsonl"] = mutated_text(files["log.jsonl"], draw)
        else:
            spoiled = mutated(files[CHECKPOINTS[0]], draw, self.spare)
            files.update(dict.fromkeys(CHECKPOINTS, spoiled))
        self._write(run, files)

    def _write(self, run: Run, files: dict[str, bytes]) -> None:
        place = self.folder / run.name
        for file in place.iterdir():
            if file.name not in files:
                file.unlink()
        for name, data in files.items():
            (place / name).write_bytes(data)
