"""The drawings, found by themselves: every drawing of every module in this folder."""

import difflib
import importlib
import pkgutil

from ...errors import DrawError
from .. import drawing
from ..drawing import Drawing

for module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{module.name}")
DRAWINGS = dict(sorted(drawing.DRAWINGS.items(), key=lambda item: item[1].number))
"""Every drawing by its name, in order."""


ALIASES = {"cell": "lstm-cell"}
"""Other names of drawings, which one guesses."""


def find(name: str) -> Drawing:
    """Return the drawing of a name; raise DrawError, with the nearest names, if there is none.

    >>> find("cell").name
    'lstm-cell'
    """
    name = ALIASES.get(name, name)
    if name not in DRAWINGS:
        close = difflib.get_close_matches(name, [*DRAWINGS, *ALIASES], 3)
        hint = f"did you mean {' or '.join(close)}? " if close else ""
        raise DrawError(f"no drawing is called {name!r}; {hint}unrolled draw --list shows all")
    return DRAWINGS[name]
