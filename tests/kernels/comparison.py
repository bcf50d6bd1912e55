"""One call on a compiled kernel and by the eager definition: all its values and gradients."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from samples import Sample, batch_sizes, ragged, sample
from unrolled.graph.graph import Graph
from unrolled.graph.operation import CONDITIONS
from unrolled.kernels import eager
from unrolled.kernels.autograd import node as compiled
from unrolled.kernels.codegen.packing import Layout
from unrolled.kernels.dispatch import Runner
from unrolled.kernels.planning.split import hoisted, split
from unrolled.kernels.runtime.recurrence import Recurrence, Recurrences

SIZES: Any = {"input": 3, "hidden": 17, "projection": 9, "one": 1}
"""More units than a vector register holds, and not a whole number of them."""

LENGTHS = [5, 3, 3, 1, 0, 0]

WAYS: dict[str, tuple[bool, bool]] = {
    "forward": (False, False),
    "reverse": (False, True),
    "ragged": (True, False),
    "ragged reverse": (True, True),
}
"""Whether rows have lengths of their own, and whether they run from the end."""

KINDS = ("many", "few", "single", "long")
"""The kernels of a cell: for many rows, for few, and for few rows over many steps."""

Run = Callable[..., tuple[dict[str, Tensor], dict[str, Tensor]]]


def call(
    graph: Graph,
    way: str = "forward",
    steps: int = 4,
    rows: int = 5,
    lengths: list[int] = LENGTHS,
    sizes: Any = SIZES,
) -> tuple[Sample, dict[str, Any]]:
    """What a graph is run on, and how."""
    by_length, reverse = WAYS[way]
    if not by_length:
        return sample(graph, steps, rows, sizes=sizes), {"reverse": reverse}
    given = sample(graph, max(lengths), len(lengths), sizes=sizes)
    given = given._replace(inputs={n: ragged(v, lengths) for n, v in given.inputs.items()})
    return given, {"batch_sizes": batch_sizes(lengths), "reverse": reverse}


def cast(given: Sample, dtype: torch.dtype) -> Sample:
    """The same numbers in another dtype."""
    return Sample(*({name: v.to(dtype) for name, v in part.items()} for part in given))


known: dict[Any, Recurrences] = {}
"""The kernels of the tests so far."""


def kernels(
    graph: Graph, sizes: Any = SIZES, dtype: torch.dtype = torch.float64, kind: str = "many"
) -> Recurrences:
    """The kernels of a graph; every call takes those of one kind, however many rows it has."""
    key = graph, *sizes.items(), dtype, kind
    if key not in known:
        found = Recurrences(graph, sizes, dtype, recompute=kind == "recompute")
        if kind == "long":  # however large its weights are
            found.long = Recurrence(graph, sizes, dtype, hoisted(graph), layout=Layout.HELD)
        name = "many" if kind == "recompute" else kind
        found.best = lambda steps, rows, record: getattr(found, name)
        known[key] = found
    return known[key]


def by_kernel(
    graph: Graph, sizes: Any = SIZES, dtype: torch.dtype = torch.float64, kind: str = "many"
) -> Run:
    """Runs a graph on compiled kernels of one kind."""
    return partial(compiled.run, kernels(graph, sizes, dtype, kind))


def by_definition(graph: Graph, sizes: Any = SIZES) -> Run:
    """Runs a graph by its eager definition."""
    return partial(eager.run, eager.Program(graph, sizes))


def by_runner(runner: Runner) -> Run:
    """Runs a graph on what the runner finds best."""

    def run(*arguments: Any, **options: Any) -> Any:
        request = runner.request(*arguments, **options)
        ((values, last),) = runner.run([request])
        ends = zip(runner.graph.states, last, strict=True)
        return dict(zip(request.record, values, strict=True)), {
            n: end.squeeze(0) for n, end in ends
        }

    return run


def probes(graph: Graph, kind: str = "many") -> list[str]:
    """What a kernel can record."""
    step = (hoisted if kind == "long" else split)(graph).step
    return [name for name, node in step.probes.items() if node.operation not in CONDITIONS]


def leaves(given: Sample) -> Sample:
    """The same tensors, and gradients are taken of them."""
    return Sample(
        *({name: v.detach().requires_grad_() for name, v in part.items()} for part in given)
    )


def flat(given: Sample) -> dict[str, Tensor]:
    """All tensors by name."""
    return {name: value for part in given for name, value in part.items()}


def inferred(run: Run, given: Sample, record: list[str], **options: Any) -> dict[str, Tensor]:
    """The results of a run."""
    values, last = run(*given, record, **options)
    results = {f"value {name}": value for name, value in values.items()}
    return results | {f"last {name}": value for name, value in last.items()}


def outcome(run: Run, given: Sample, record: list[str], **options: Any) -> dict[str, Tensor]:
    """The results of a run, and the gradients of a random sum of them."""
    given = leaves(given)
    results = inferred(run, given, record, **options)
    generator = torch.Generator().manual_seed(1)
    into = [torch.randn(v.shape, generator=generator).to(v.dtype) for v in results.values()]
    loss = torch.stack([(v * g).sum() for v, g in zip(results.values(), into, strict=True)]).sum()
    found = torch.autograd.grad(
        loss, list(flat(given).values()), allow_unused=True, materialize_grads=True
    )
    results |= {f"gradient {name}": g for name, g in zip(flat(given), found, strict=True)}
    return {name: value.detach() for name, value in results.items()}


def assert_equal(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    """The same bits."""
    assert list(found) == list(expected)
    for name, value in expected.items():
        assert found[name].shape == value.shape, name
        assert found[name].equal(value), name


def assert_close(
    found: dict[str, Tensor], expected: dict[str, Tensor], tolerance: float = 1e-10
) -> None:
    """Equal up to rounding."""
    assert list(found) == list(expected)
    for name, value in expected.items():
        torch.testing.assert_close(
            found[name], value, rtol=tolerance, atol=tolerance, msg=lambda m, n=name: f"{n}: {m}"
        )


def compare(
    graph: Graph, way: str = "forward", record: Any = None, kind: str = "many", **shape: Any
) -> None:
    """Hold a kernel against the definition in float64."""
    given, options = call(graph, way, **shape)
    sizes = shape.get("sizes", SIZES)
    record = [graph.output] if record is None else record
    expected = outcome(by_definition(graph, sizes), given, record, **options)
    run = by_kernel(graph, sizes, kind=kind)
    found = outcome(run, given, record, **options)
    assert_close(found, expected)
    results = {name: value for name, value in found.items() if not name.startswith("gradient")}
    assert_equal(inferred(run, given, record, **options), results)
