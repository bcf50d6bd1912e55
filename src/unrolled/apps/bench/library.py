"""Names of the library that have moved, found where the tree at hand has them.

`benchmarks/side.py` loads these rows into older trees of the library.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from torch import Tensor

Named = Mapping[str, Tensor]

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


def recorded(
    runner: Runner, weights: Named, inputs: Named, states: Named, record: Sequence[str]
) -> Named:
    """Return some values of a run by name."""
    if not hasattr(runner, "request"):  # an older tree
        return runner.run(weights, inputs, states, record)[0]  # pyright: ignore
    ((values, _),) = runner.run([runner.request(weights, inputs, states, record)])
    return dict(zip(record, values, strict=True))
