"""The command ``unrolled``. Each command imports what it alone needs."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ..errors import CellError, DrawError, UserError
from ..printable import printable
from .train.classify.command import predict
from .train.command import leave, train
from .train.pairs.command import translate
from .train.series.command import forecast
from .train.settings import Settings


class Commands(TyperGroup):
    """Group of commands; errors of user and system become a line on stderr and exit code 2."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that ``ctx`` names."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # whoever read has seen enough: not an error
            raise
        except (UserError, CellError, DrawError, OSError) as error:
            typer.echo(printable(f"unrolled: {error}"), err=True)
            raise typer.Exit(2) from error


app = typer.Typer(cls=Commands, no_args_is_help=True, pretty_exceptions_enable=False)
app.add_typer(train, name="train")
for each in (predict, forecast, translate):
    app.command()(each)


def main() -> None:
    """Run the command line; a character that the terminal cannot show becomes a question mark."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # pyright: ignore[reportAttributeAccessIssue]
    app()


def _option(default: Any, about: str) -> Any:
    """Return an option that is None unless given, shown with the default that then holds."""
    return typer.Option(show_default=str(default), help=about)


Run = Annotated[Path, typer.Argument(help="Folder of a run, or a checkpoint.")]
Text = Annotated[
    str | None,
    _option("held-out part of Python's help topics", "A file, or the text itself, to read."),
]
Language = Annotated[str, typer.Option(help="Of the page: en or zh.")]
Json = Annotated[Path | None, typer.Option(metavar="FILE", help="Keep the figures.")]


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
def sample(
    run: Run,
    prompt: Annotated[str, typer.Option(help="Where to start.")] = "",
    length: Annotated[int, typer.Option(help="Characters to write.")] = 500,
    temperature: Annotated[float, typer.Option(help="0: always the likeliest character.")] = 0.8,
    seed: Annotated[int, typer.Option(help="Of the draws.")] = 0,
) -> None:
    """Write text with a trained model."""
    from .train import checkpoint as checkpoints
    from .train.language import sample as characters

    checkpoint = checkpoints.load(run)
    written = characters(
        checkpoint.model(), checkpoint.vocabulary, prompt, length, temperature, seed
    )
    typer.echo(printable(prompt), nl=False)
    try:
        for character in written:
            typer.echo(printable(character), nl=False)
    finally:
        typer.echo()


@app.command()
def diagnose(
    run: Run,
    text: Text = None,
    file: Annotated[
        Path | None,
        _option("the data that packages bring", "The table to read, for a run on a table."),
    ] = None,
    json: Json = None,
) -> None:
    """Say what is wrong with a trained model's recurrent layers, and what usually helps."""
    from rich.console import Console

    from .. import diagnose as examine
    from .files import write_json
    from .train import checkpoint as checkpoints
    from .train.sample_inputs import sample_inputs

    checkpoint = checkpoints.load(run)
    found = examine(checkpoint.model().eval(), sample_inputs(checkpoint, text, file))
    if json is not None:
        write_json(json, found.to_json())
    Console().print(found)


@app.command()
def cells() -> None:
    """List the cells."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from ..cells import CELLS

    table = Table("cell", "states", "summary", box=None, header_style="bold")
    for name, cell in CELLS.items():
        table.add_row(name, ", ".join(cell.states), Text(cell.summary))
    Console().print(table)


@app.command()
def show(
    cell: Annotated[str, typer.Argument(help="See: unrolled cells.")],
    latex: Annotated[bool, typer.Option("--latex", help="The formula alone.")] = False,
    python: Annotated[bool, typer.Option("--python", help="The pseudo-code alone.")] = False,
) -> None:
    """Print a cell as a formula and as pseudo-code that runs."""
    from ..cells import find

    found = find(cell)
    both = latex == python
    if both:
        typer.echo(f"{found.name}: {found.summary}\n")
    if both or latex:
        typer.echo(found.latex())
    if both:
        typer.echo()
    if both or python:
        typer.echo(found.python())


@app.command()
def draw(
    name: Annotated[str | None, typer.Argument(help="See: unrolled draw --list.")] = None,
    cell: Annotated[
        str | None, _option("the drawing's own", "A known cell, or FILE.py:NAME for one of yours.")
    ] = None,
    run: Annotated[
        list[Path] | None,
        _option("a small model", "A run whose numbers are shown; some take several."),
    ] = None,
    text: Annotated[
        str | None, _option("a sentence", "A file, or the text itself, to read.")
    ] = None,
    lang: Annotated[str, typer.Option(help="Of the labels: en or zh.")] = "en",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="png, svg, pdf, json, gif or mp4.")
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="Show all drawings.")] = False,
    all_: Annotated[
        Path | None, typer.Option("--all", metavar="DIR", help="Write all drawings.")
    ] = None,
) -> None:
    """Draw a cell, a network in time, or what a model computed."""
    from .draw.request import draw as run_command

    for line in run_command(name, cell, run or [], text, lang, out, listed, all_):
        typer.echo(line)


@app.command()
def kernel(
    cell: Annotated[str, typer.Argument(help="See: unrolled cells.")],
    hidden: Annotated[int, typer.Option(min=1, help="Hidden size.")] = 256,
    input: Annotated[int, typer.Option(min=1, help="Input size.")] = 256,
    projection: Annotated[int, typer.Option(min=0, help="Size of a projected state.")] = 0,
    few: Annotated[
        bool, typer.Option("--few", help="For fewer than 16 rows in all steps.")
    ] = False,
    double: Annotated[bool, typer.Option("--double", help="float64 instead of float32.")] = False,
    backward: Annotated[bool, typer.Option("--backward", help="The backward pass.")] = False,
) -> None:
    """Print the compiled kernel of a cell: what it does in each step, and its LLVM IR."""
    import torch

    from ..cells import find
    from ..kernels.planning.schedule import UnsupportedError
    from ..kernels.runtime.recurrence import Recurrences

    found = find(cell)
    if found.projects:
        projection = projection or max(1, hidden // 2)
    sizes = {"input": input, "hidden": hidden, "projection": projection, "one": 1}
    dtype = torch.float64 if double else torch.float32
    try:
        recurrences = Recurrences(found.graph, sizes, dtype)  # pyright: ignore[reportArgumentType]
    except UnsupportedError as error:
        raise UserError(f"there is no kernel for {cell}: {error}") from error
    typer.echo((recurrences.few if few else recurrences.many).text(backward))


@app.command()
def bench(
    own: Annotated[
        list[str] | None,
        typer.Option(metavar="T,B,I,H", help="Your shape instead of the grid; may be repeated."),
    ] = None,
    rows: Annotated[
        list[str] | None,
        typer.Option(
            help="Which rows: inference, training, packed, projected, streaming, cells, loop, taps,"
            " neighbours; the last only if asked for."
        ),
    ] = None,
    cells: Annotated[list[str] | None, typer.Option(help="Rows of which cells: lstm,gru.")] = None,
    rivals: Annotated[
        str | None,
        _option("those installed", "onnxruntime,openvino,jax, or none: torch.nn alone."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Small shapes, a minute.")] = False,
    seconds: Annotated[float | None, _option("1, quick 0.2", "For each row, about.")] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, show_default="PyTorch's choice", help="Threads to run on.")
    ] = None,
    json: Json = None,
) -> None:
    """Measure our layers beside torch.nn and other libraries, here.

    A row is timed only if everybody's numbers are right; if some are wrong, the exit code is 1.
    """
    import torch
    from rich.console import Console

    from .bench.choice import choice, require_writable
    from .bench.run import run
    from .files import write_json

    chosen = choice(own or [], rows or [], cells or [], rivals, quick, seconds)
    if json is not None:
        require_writable(json)
    if threads is not None:
        torch.set_num_threads(threads)
    figures = run(Console(), chosen)
    if json is not None:
        write_json(json, figures)
    if any("wrong" in row for row in figures["rows"]):
        raise typer.Exit(1)


@app.command()
def study(
    task: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TASK]...", help="short, long, adding or copy; without: long."),
    ] = None,
    cells: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CELL[+START]",
            help="May be repeated: lstm, lstm+forget, rnn_relu+identity, FILE.py:NAME.",
        ),
    ] = None,
    gaps: Annotated[
        list[int] | None,
        _option("those of the task", "Words or steps in between; may be repeated."),
    ] = None,
    seeds: Annotated[int, typer.Option(help="From how many seeds.")] = 3,
    hidden: Annotated[int, typer.Option(help="Hidden size of every cell.")] = 64,
    steps: Annotated[int | None, _option("those of the task", "Of training.")] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, show_default="the cores", help="Trials side by side.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="JSON, to go on with.")] = None,
) -> None:
    """Measure how far cells remember: accuracy against gap, gradient against distance.

    Trials that --out has already are not run again; Ctrl-C keeps those that are done.
    """
    from rich.console import Console

    from .draw.request import cell_of
    from .study.command import study as run_study
    from .study.trial import Budget
    from .terminal import Interrupt

    budget = Budget(hidden=hidden, steps=steps)
    with Interrupt() as interrupt:
        run_study(
            Console(), task or [], cells or [], gaps or [], seeds, budget, jobs, out, cell_of,
            interrupt,
        )  # fmt: skip
    leave(interrupt)


@app.command()
def report(
    run: Run,
    text: Text = None,
    lang: Language = "en",
    out: Annotated[
        Path | None, _option("report.html in the run's folder", "The file to write.")
    ] = None,
) -> None:
    """Write a page about a trained model: one HTML file that needs no network."""
    from .report.command import report as write

    typer.echo(write(run, text, lang, out))


@app.command()
def demo(
    seconds: Annotated[float, typer.Option(help="About how long to train.")] = 180,
    out: Annotated[Path, typer.Option(help="Folder of the run and its page.")] = Path("runs/demo"),
    lang: Language = "en",
) -> None:
    """Tell the whole story: a language model, how far cells remember, and a page about them."""
    from rich.console import Console

    from .report.command import demo as demonstrate
    from .terminal import Interrupt

    Settings(seconds=seconds)  # says what is wrong with it
    with Interrupt() as interrupt:
        demonstrate(Console(), seconds, out, lang, interrupt)
    leave(interrupt)
