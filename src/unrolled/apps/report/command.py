"""The command ``unrolled report``."""

from __future__ import annotations

from pathlib import Path

from ..train import checkpoint as checkpoints
from ..train.excerpts import words_for
from .model import Run, check_text, diagnosis, inside, model
from .network import cells
from .page import check, page, write
from .section import Section
from .units import units
from .words import Speech

NAME = "report.html"


def report(path: Path, text: str | None, language: str, out: Path | None) -> Path:
    """Write the report of a run; where it stands.

    Args:
        path: folder of the run, or a checkpoint.
        text: a file, or the text itself; see `unrolled.apps.train.excerpts.words_for`.
        language: en or zh.
        out: the file; None: ``report.html`` in the run's folder.

    Raises:
        UserError: the run cannot be read, or there is no text for it.
        DrawError: packages are missing, the text does not fit, or the file cannot be written.
    """
    check()
    speech = Speech(language)
    checkpoint = checkpoints.load(path)
    _ = checkpoint.vocabulary  # an error for a run of another kind
    run = Run(path, checkpoint, words_for(checkpoint, text))
    check_text(run)
    lead = speech("Everything on this page was measured on this model by one command.")
    title = f"{path.name or checkpoint.cell.name}: {checkpoint.cell.name}"
    sections = [model(run, {}, "The model", speech), *about(run, speech)]
    sections.insert(1, cells([checkpoint.cell], speech))
    place = out or (path if path.is_dir() else path.parent) / NAME
    write(place, page(title, lead, sections, speech))
    return place


def about(run: Run, speech: Speech) -> list[Section]:
    """The inside of a model, its telling units, its diagnosis."""
    found = [inside(run, speech), units(run, speech), diagnosis(run, speech)]
    return [section for section in found if section is not None]
