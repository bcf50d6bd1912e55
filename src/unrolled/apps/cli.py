"""The command ``unrolled``. Each command imports what it alone needs."""

import codecs
import inspect
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from ..errors import CellError, DrawError, UserError
from ..printable import SPELLED, printable, spelled
from . import completion
from .train.classify.command import predict
from .train.command import compare, leave, sample, train
from .train.options import number_option, with_options
from .train.pairs.command import translate
from .train.series.command import forecast
from .train.series.options import Reading
from .train.settings import FEW, ROWS, Options, Settings, abouts, between, option
from .train.table.format import FormatOptions


class Commands(TyperGroup):
    """Group of commands; errors of user and system become a line on stderr and exit code 2."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that ``ctx`` names."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # whoever read has seen enough: not an error
            raise
        except (UserError, CellError, DrawError, OSError) as error:
            from .terminal import folded, width

            lines = printable(f"unrolled: {error}").splitlines()
            typer.echo("\n".join(folded(line, width(sys.stderr)) for line in lines), err=True)
            raise typer.Exit(2) from error


class Narrow(TyperCommand):
    """Command whose help, where it is not in boxes, has room for words beside long options, and
    whose numbers are digits: Python would read ``1_0`` as 10.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments; refuse numbers that only Python would take for some, and name the
        value in every error.
        """
        given, _, _ = self.make_parser(ctx).parse_args(list(args))
        try:
            rest = super().parse_args(ctx, args)
        except typer.BadParameter as error:
            word = given.get(getattr(error.param, "name", None) or "")
            if word is not None and str(word) not in error.message:
                error.message += f", not {word!r}"
            raise
        for name, words in given.items():
            read = ctx.params.get(name)
            pairs = zip(words, read, strict=False) if isinstance(words, list) else [(words, read)]
            for word, number in pairs:
                if isinstance(number, (int, float)) and isinstance(word, str) and "_" in word:
                    raise typer.BadParameter(f"{option(name)}: {word!r} is not a number", ctx)
        return rest

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help; a name longer than a third of the line stands in one of its own."""
        formatter.write_dl = partial(formatter.write_dl, col_max=formatter.width // 3)
        super().format_help(ctx, formatter)


app = typer.Typer(cls=Commands, no_args_is_help=True, pretty_exceptions_enable=False)
app.add_typer(train, name="train")
for each in (sample, predict, forecast, translate, compare):
    app.command()(each)


def main() -> None:
    """Run the command line; a sign that the terminal cannot show becomes one that it can."""
    codecs.register_error(SPELLED, spelled)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=SPELLED)  # pyright: ignore[reportAttributeAccessIssue]
    columns = shutil.get_terminal_size().columns
    if columns < BOXES:
        app.rich_markup_mode = None
        app(terminal_width=columns)
    app()


BOXES = 80
"""Columns from which help is in boxes: in fewer they cut the names of options."""


def _option(default: Any, help: str, *flags: str, shown: bool | str = True, **more: Any) -> Any:
    """Return an option; ``shown`` is the default that holds where it is None."""
    return typer.Option(default, *flags, help=help, show_default=shown, **more)


Run = Annotated[Path, typer.Argument(help="Folder of a run, or a checkpoint.")]
CellName = Annotated[
    str,
    typer.Argument(
        help="See: unrolled cells; or FILE.py:NAME, or a run.", autocompletion=completion.cells
    ),
]
TEXT = _option(
    None, "A file, or the text itself, to read.", shown="held-out part of Python's help topics"
)
TABLE = _option(
    None,
    "The table to read, for a run on a table; - for standard input.",
    shown="the data that packages bring",
)
LANGUAGE = _option("en", "Of the page: en or zh.", autocompletion=completion.of(["en", "zh"]))
JSON = _option(None, "Keep the figures.", metavar="FILE")


def _version(asked: bool) -> None:
    if asked:
        from .. import __version__

        typer.echo(__version__)
        raise typer.Exit()


@app.callback(help="Recurrent networks you can see through, at full speed.")
def _unrolled(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


@app.command()
@with_options
def diagnose(
    run: Run,
    text: str | None = TEXT,
    file: Path | None = TABLE,
    needs: int | None = number_option(
        None,
        "The steps between what decides an answer and the answer.",
        between(2, 10_000),
        shown="no question",
    ),
    json: Path | None = JSON,
    lang: str = _option(
        "en", "Of all texts: en or zh.", autocompletion=completion.of(["en", "zh"])
    ),
    *,
    reading: Reading,
    options: FormatOptions,
) -> None:
    """Say what is wrong with a trained model's recurrent layers, and what helps.

    A table is read as the run's own was, unless options say otherwise.
    """
    from .terminal import check_language, load_torch, output

    check_language(lang)
    load_torch()
    from rich.text import Text

    from .. import diagnose as examine
    from ..columns import Prose
    from .files import require_place, write_json
    from .train import checkpoint as checkpoints
    from .train.doubts import doubts
    from .train.sample_inputs import STEPS, sample_inputs

    if json is not None:
        require_place("--json", json, ".json")
    checkpoint = checkpoints.load(run)
    steps = max(STEPS, 1 + (needs or 0))
    x = sample_inputs(checkpoint, text, file, steps, options, reading)
    found = examine(checkpoint.model().eval(), x, needs=needs).translated(lang)
    reasons = doubts(checkpoint, language=lang)
    if json is not None:
        write_json(json, found.to_json() | {"doubts": list(map(str, reasons))})
    output().print(found)
    for reason in reasons:
        output().print(Prose(Text(f"\n{reason}", "yellow")))


@app.command()
def cells() -> None:
    """List the cells."""
    from ..cells import CELLS
    from ..columns import Columns
    from .terminal import folded, output, width

    rows = [(name, ", ".join(cell.states), cell.summary) for name, cell in CELLS.items()]
    output().print(Columns(("cell", "states", "summary"), rows, left=2, prose=True))
    for line in USES:
        typer.echo(folded(line, width()))


USES = (
    "\nWhat to do with one, such as gru:",
    "  print  unrolled show gru",
    "  draw   unrolled draw cell --cell gru --out gru.png",
    "  train  unrolled train text --cell gru",
    "  use    unrolled.Recurrent(unrolled.cells.gru, 10, 20) in Python",
)
"""What `unrolled cells` says of every cell."""


@app.command()
def show(
    cell: CellName,
    formula: bool = _option(False, "The formula alone.", "--formula"),
    latex: bool = _option(False, "The formula alone, as LaTeX.", "--latex"),
    python: bool = _option(False, "The pseudo-code alone.", "--python"),
    c: bool = _option(False, "One step as a function of C, alone.", "--c"),
    derivative: bool = _option(False, "Of one step backwards in time.", "--derivative"),
) -> None:
    """Print a cell as a formula and as pseudo-code that runs."""
    from ..display import titled
    from .cell import cell_of
    from .listing import code, formula_of
    from .terminal import folded, width

    found = cell_of(cell)
    if c:
        if derivative or formula or latex or python:
            raise UserError("--c prints a step of a cell, and nothing else beside it")
        typer.echo(found.c(), nl=False)
        return
    shown = found.derivative if derivative else found
    columns = width()
    whole = (formula, latex, python) in ((False,) * 3, (True,) * 3)
    if whole:
        about = titled("gradients of", found.summary) if derivative else found.summary
        title = titled(shown.name, about)
        typer.echo(folded(title, columns) + "\n")
    if formula or whole:
        typer.echo(formula_of(shown, columns, sys.stdout.encoding) + "\n" * whole)
    if latex and not whole:
        typer.echo(shown.latex())
    if python or whole:
        typer.echo(code(shown.python(), columns))


@app.command()
def draw(
    name: str | None = typer.Argument(
        None, help="See: unrolled draw --list.", autocompletion=completion.drawings
    ),
    cell: str | None = _option(
        None,
        "A known cell, FILE.py:NAME for one of yours, or that of a run.",
        shown="the drawing's own",
        autocompletion=completion.cells,
    ),
    run: list[Path] | None = _option(
        None, "A run whose numbers are shown; some take several.", shown="a small model"
    ),
    text: str | None = _option(None, "A file, or the text itself, to read.", shown="a sentence"),
    lang: str = _option(
        "en", "Of the labels: en or zh.", autocompletion=completion.of(["en", "zh"])
    ),
    out: Path | None = _option(None, "png, svg, pdf, json, gif or mp4.", "--out", "-o"),
    listed: bool = _option(False, "Show all drawings.", "--list"),
    all_: Path | None = _option(None, "Write all drawings and charts.", "--all", metavar="DIR"),
) -> None:
    """Draw a cell, a network in time, or what a model computed."""
    from .draw.request import draw as run_command
    from .terminal import folded, width

    for line in run_command(name, cell, run or [], text, lang, out, listed, all_):
        typer.echo(folded(printable(line), width()))


@app.command()
def kernel(
    cell: CellName,
    hidden: int = number_option(256, "Hidden size.", ROWS),
    input: int = number_option(256, "Input size.", ROWS),
    projection: int | None = number_option(
        None, "Size of a projected state.", ROWS, shown="half the hidden size"
    ),
    few: bool = _option(False, "For fewer than 16 rows in all steps.", "--few"),
    single: bool = _option(False, "For one step of 16 rows and more.", "--single"),
    double: bool = _option(False, "float64 instead of float32.", "--double"),
    backward: bool = _option(False, "The backward pass.", "--backward"),
    summary: bool = _option(False, "What it does, without the LLVM IR.", "--summary"),
) -> None:
    """Print the compiled kernel of a cell: what it does in each step, and its LLVM IR."""
    from .terminal import load_torch

    load_torch()
    import torch

    from ..kernels.planning.schedule import UnsupportedError
    from ..kernels.runtime.recurrence import Recurrences
    from .cell import cell_of

    found = cell_of(cell)
    if few and single:
        raise UserError("--few and --single are kernels of two kinds: name one")
    if projection is not None and not found.projects:
        raise UserError(f"--projection: {found.name} has no projected state")
    projected = (projection or max(1, hidden // 2)) if found.projects else 0
    sizes = {"input": input, "hidden": hidden, "projection": projected, "one": 1}
    dtype = torch.float64 if double else torch.float32
    try:
        recurrences = Recurrences(found.graph, sizes, dtype)  # pyright: ignore[reportArgumentType]
    except UnsupportedError as error:
        raise UserError(f"there is no kernel for {cell}: {error}") from error
    many = recurrences.single if single else recurrences.many
    text = (recurrences.few if few else many).text(backward)
    if summary:
        from .listing import kernel_summary
        from .terminal import folded, width

        for line in kernel_summary(text, sizes, str(dtype).removeprefix("torch.")):
            typer.echo(folded(line, width()))
    else:
        typer.echo(text)


@app.command()
def bench(
    own: list[str] | None = _option(
        None, "Your shape instead of the grid; may be repeated.", metavar="T,B,I,H"
    ),
    rows: list[str] | None = _option(
        None,
        "Which rows: inference, training, packed, projected, streaming, cells, loop, taps,"
        " neighbours; the last only if asked for.",
    ),
    cells: list[str] | None = _option(None, "Rows of which cells: lstm,gru."),
    rivals: str | None = _option(
        None, "onnxruntime,openvino,jax, or none: torch.nn alone.", shown="those installed"
    ),
    quick: bool = _option(False, "Small shapes, a minute.", "--quick"),
    seconds: float | None = number_option(
        None, "Seconds for each row, about.", between(0.001, 3600.0), shown="1, quick 0.2"
    ),
    threads: int | None = number_option(None, "Threads to run on.", FEW, shown="PyTorch's choice"),
    json: Path | None = JSON,
) -> None:
    """Measure our layers beside torch.nn and other libraries, here.

    A row is timed only if everybody's numbers are right; if some are wrong, the exit code is 1.
    """
    from .terminal import load_torch, output

    load_torch()
    import torch

    from .bench.choice import choice
    from .bench.run import run
    from .files import require_place, write_json

    chosen = choice(own or [], rows or [], cells or [], rivals, quick, seconds)
    if json is not None:
        require_place("--json", json, ".json")
    if threads is not None:
        torch.set_num_threads(threads)
    figures = run(output(), chosen)
    if json is not None:
        write_json(json, figures)
    if any("wrong" in row for row in figures["rows"]):
        raise typer.Exit(1)


@app.command()
def study(
    task: list[str] | None = typer.Argument(
        None, metavar="TASK", help="short, long, adding or copy; without: long."
    ),
    cells: list[str] | None = _option(
        None,
        "May be repeated: lstm, lstm+forget, rnn_relu+identity, FILE.py:NAME.",
        metavar="CELL[+START]",
    ),
    gaps: list[int] | None = number_option(
        None,
        "Words or steps in between; may be repeated.",
        between(1, 10_000),
        shown="those of the task",
    ),
    seeds: int = number_option(3, "From how many seeds.", between(1, 1000)),
    hidden: int = number_option(64, "Hidden size of every cell.", between(1, 4096)),
    steps: int | None = number_option(
        None, "Steps of training.", between(1, 10_000_000), shown="those of the task"
    ),
    jobs: int | None = number_option(None, "Trials side by side.", FEW, shown="the cores"),
    out: Path | None = _option(None, "JSON, to go on with.", metavar="FILE"),
) -> None:
    """Measure how far cells remember: accuracy against gap, gradient against distance.

    Trials that --out has already are not run again; Ctrl-C keeps those that are done.
    """
    from .terminal import Interrupt, load_torch, output

    load_torch()
    from .cell import cell_of
    from .study.command import study as run_study
    from .study.trial import Budget

    budget = Budget(hidden=hidden, steps=steps)
    with Interrupt() as interrupt:
        run_study(
            output(), task or [], cells or [], gaps or [], seeds, budget, jobs, out, cell_of,
            interrupt,
        )  # fmt: skip
    leave(interrupt)


def _said(file: Path | None, *options: Options) -> list[str]:
    """Return a table and the options of how it is read as a command line has them."""
    words = [] if file is None else ["--file", str(file)]
    for each in options:
        for name, about in abouts(type(each)).items():
            value = getattr(each, name)
            if isinstance(value, bool):
                flags = (about.flags or f"--{name}/--no-{name}").split("/")
                words.append(flags[0] if value else flags[1])
            elif value is not None:
                several = value if isinstance(value, list) else [value]
                words += [word for one in several for word in (option(name), str(one))]
    return words


@app.command()
@with_options
def report(
    run: Run,
    text: str | None = TEXT,
    file: Path | None = TABLE,
    lang: str = LANGUAGE,
    out: Path | None = _option(
        None,
        "The file to write.",
        shown="report.html in the run's folder, in Chinese report.zh.html",
    ),
    seeds: int = number_option(
        1,
        "Of how many models the figures are: more are trained like the run, from other seeds.",
        between(1, 100),
    ),
    data: list[Path] | None = _option(
        None,
        "A file that the run was trained on, for baselines and more seeds; may be repeated.",
        metavar="FILE",
        shown="Python's help topics",
    ),
    *,
    reading: Reading,
    options: FormatOptions,
) -> None:
    """Write a page about a trained model: one HTML file that needs no network.

    A table is read as the run's own was, unless options say otherwise.
    """
    from rich.console import Console

    from .terminal import Interrupt, load_torch

    load_torch()
    from .report.command import TableInput
    from .report.command import report as write

    table = TableInput(file, options, reading, _said(file, reading, options))
    console = Console(stderr=True)
    with Interrupt() as interrupt:
        place = write(run, text, lang, out, seeds, data or [], console, interrupt, table)
    typer.echo(place)
    leave(interrupt)


@app.command()
def export(
    run: Run,
    out: Path = typer.Option(..., "--out", "-o", help="A folder, made if need be."),
    to: str = _option("c", "The language: c.", autocompletion=completion.of(["c"])),
    name: str | None = _option(
        None, "What functions begin with.", shown="the folder's name, else model"
    ),
    overwrite: bool = _option(False, "Replace files that are there.", "--overwrite"),
    double: bool = _option(False, "Compute in double, not in float.", "--double"),
    fast: bool = _option(False, "Activations with a relative error of up to 2e-4.", "--fast"),
    beside: bool = _option(False, "Weights in a file beside the code.", "--beside"),
    max_steps: int | None = number_option(
        None, "Steps of a sequence that is read in both directions.", ROWS, shown="one direction"
    ),
) -> None:
    """Write a trained model as a program that needs neither unrolled nor PyTorch."""
    from .terminal import load_torch

    load_torch()
    from .. import load

    options = {"dtype": "double" if double else "float", "fast": fast, "max_steps": max_steps}
    weights = "beside" if beside else "inside"
    loaded = load(run)
    for file in loaded.export(out, to, name, overwrite=overwrite, weights=weights, **options):
        typer.echo(file)


@app.command()
def demo(
    seconds: float = number_option(230, "About how many seconds to train.", between(0.1, 1e6)),
    out: Path = _option(Path("runs/demo"), "Folder of the run and its page."),
    lang: str = LANGUAGE,
    seeds: int = number_option(
        3,
        "Of the cells that are compared, at most: as many as there is time for.",
        between(1, 1000),
    ),
) -> None:
    """Tell the whole story: a language model, how far cells remember, and a page about them."""
    from .terminal import Interrupt, load_torch, output

    load_torch()
    from .report.command import demo as demonstrate

    Settings(seconds=seconds)  # says what is wrong with it
    with Interrupt() as interrupt:
        demonstrate(output(), seconds, out, lang, interrupt, seeds)
    leave(interrupt)


def _unwrapped(text: str) -> str:
    """Return a docstring with each paragraph in one line, for help as wide as its terminal."""
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


for _info in (*app.registered_commands, *train.registered_commands):
    _info.help = _unwrapped(inspect.getdoc(_info.callback) or "")
    _info.cls = Narrow
    _info.short_help = _info.help.partition("\n\n")[0]  # or it would be cut in lists of commands
