"""One side of a comparison: measures the source tree that it is given, a sample at each request."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

BENCH = Path(__file__).resolve().parents[1] / "src" / "unrolled" / "apps" / "bench"


def load(source: str) -> None:
    """Import unrolled from the tree, with the working tree's benchmark as its `bench`."""
    sys.path.insert(0, source)
    import unrolled

    if Path(source) not in Path(str(unrolled.__file__)).parents:
        raise SystemExit(f"side.py: imported {unrolled.__file__}, expected it under {source}")
    if importlib.util.find_spec("unrolled.apps") is None:  # a tree from before there was one
        sys.modules["unrolled.apps"] = apps = ModuleType("unrolled.apps")
        apps.__path__ = []
    spec = importlib.util.spec_from_file_location(
        "unrolled.apps.bench", BENCH / "__init__.py", submodule_search_locations=[str(BENCH)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["unrolled.apps.bench"] = module
    spec.loader.exec_module(module)


def serve(options: dict[str, Any], out: Any) -> None:
    """Answer requests, a line of JSON each, until the input ends."""
    import torch

    from unrolled.apps.bench.choice import choice
    from unrolled.apps.bench.clock import Turn

    def answer(value: object) -> None:
        print(json.dumps(value), file=out, flush=True)

    if options["threads"] is not None:
        torch.set_num_threads(options["threads"])
    rows = choice(
        options["own"], options["rows"], options["cells"], "none", options["quick"], None
    ).rows
    answer([(row.title, str(row.shape)) for row in rows])
    turn, steps = None, 1
    for line in sys.stdin:
        request = json.loads(line)
        if "row" in request:
            subject = rows[request["row"]].contest(()).subject
            complaint = subject.complaint()
            turn, steps = None if complaint else Turn(subject.work), subject.steps
            answer(complaint)
        else:
            assert turn is not None, "asked for a sample of a row that is not ready"
            answer(turn.sample() / steps)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    source, options = sys.argv[1:]
    load(source)
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever else is printed is not an answer
    serve(json.loads(options), out)
