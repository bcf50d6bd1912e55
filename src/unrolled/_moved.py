"""Modules under the names that they had when something was pickled."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import final

MOVED = {
    "unrolled.equations.graph": "unrolled.graph.graph",
    "unrolled.equations.node": "unrolled.graph.node",
    "unrolled.equations.operation": "unrolled.graph.operation",
    "unrolled.equations.storage": "unrolled.graph.storage",
    "unrolled.kernels.cache": "unrolled.kernels.runtime.cache",
}
"""By the old name of a module, where it stands now."""

GONE = {"unrolled.nn.quick": {"Known": dict}}
"""By the name of a module that is gone, what stands for the names that pickles know."""


@final
class Moved(MetaPathFinder, Loader):
    """Finds the modules of `MOVED` where they stand now, and stand-ins for those of `GONE`."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a module that has moved, or is gone."""
        return ModuleSpec(fullname, self) if fullname in MOVED or fullname in GONE else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the module itself."""
        if spec.name in GONE:
            return ModuleType(spec.name)
        module = import_module(MOVED[spec.name])
        spec.loader_state = module.__spec__  # Python is going to put the other in its place
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Give the module back the spec of where it stands; it has run."""
        assert module.__spec__ is not None
        if module.__name__ in GONE:
            vars(module).update(GONE[module.__name__])
            return
        module.__spec__ = module.__spec__.loader_state


sys.meta_path.append(Moved())
