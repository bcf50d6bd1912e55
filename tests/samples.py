"""Small sizes, and random tensors that fit a graph."""

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

import unrolled
from unrolled.equations import Cell
from unrolled.errors import CellWarning
from unrolled.graph import parameters
from unrolled.graph.graph import Graph
from unrolled.kernels.eager import Program, run

SIZES: Any = {"input": 2, "hidden": 3, "projection": 2, "one": 1}


class Sample(NamedTuple):
    """What a graph is run on, in float64."""

    weights: dict[str, Tensor]
    inputs: dict[str, Tensor]  # (T, B, units)
    states: dict[str, Tensor]  # (B, units)


def uniform(low: float, high: float, *shape: int) -> Tensor:
    return torch.empty(shape, dtype=torch.float64).uniform_(low, high)


def sample(
    graph: Graph, steps: int = 4, rows: int = 2, seed: int = 0, sizes: Any = SIZES
) -> Sample:
    """Weights near 0, or their start value; positive states, so that one can divide by them."""
    torch.manual_seed(seed)
    weights = {}
    for parameter in parameters(graph):
        weights[parameter.name] = uniform(-0.5, 0.5, *parameter.shape(sizes))
        weights[parameter.name] += parameter.init or 0.0
    return Sample(
        weights,
        {name: uniform(-1, 1, steps, rows, sizes[size]) for name, size in graph.inputs.items()},
        {name: uniform(0.2, 1, rows, sizes[size]) for name, size in graph.states.items()},
    )


def batch_sizes(lengths: list[int]) -> list[int]:
    """How many rows each step has, of ragged rows that are sorted by falling length."""
    return [sum(length > t for length in lengths) for t in range(max(lengths))]


def ragged(value: Tensor, lengths: list[int]) -> Tensor:
    """(T, B, ...) to the rows that are there, one step after the other."""
    return torch.cat([value[t, :count] for t, count in enumerate(batch_sizes(lengths))])


def execute(
    graph: Graph, given: Sample, record: Any = None, **options: Any
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Run a graph through the eager backend; record all values by default."""
    program = Program(graph, SIZES)
    return run(program, *given, list(program.values) if record is None else record, **options)


def quiet(function: Callable[..., Any]) -> Cell:
    """The cell of a function that hardly means what it says, for what it shows of the library."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CellWarning)
        return unrolled.cell(function)
