"""Names of the library that have moved, found where the tree at hand has them.

`benchmarks/side.py` loads these rows into older trees of the library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

PACKAGE = __name__.partition(".")[0]

if TYPE_CHECKING:
    from ...errors import UserError
    from ...kernels.dispatch import Runner
    from ...testing import eager_only
else:

    def _first(name: str, *modules: str) -> Any:
        """Return a name from the first of some modules that there is."""
        for module in modules:
            try:
                return getattr(import_module(f"{PACKAGE}.{module}"), name)
            except (ImportError, AttributeError):
                continue
        raise ImportError(f"{name} is in none of {', '.join(modules)}")

    UserError = _first("UserError", "errors", "train.errors")
    Runner = _first("Runner", "kernels.dispatch")
    eager_only = _first("eager_only", "testing", "kernels.surroundings")
