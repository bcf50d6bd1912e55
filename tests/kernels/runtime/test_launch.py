"""Kernels on processors of several kinds, and how they are called."""

import itertools
import platform
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from kernels import comparison
from kernels.comparison import (
    KINDS,
    SIZES,
    assert_close,
    assert_equal,
    by_definition,
    by_kernel,
    call,
    cast,
    compare,
    outcome,
)
from samples import Sample
from unrolled import _torch
from unrolled.cells import CELLS
from unrolled.equations import Cell
from unrolled.graph.graph import Graph
from unrolled.kernels.codegen import kernel as source
from unrolled.kernels.codegen.ir import Target
from unrolled.kernels.planning.schedule import Schedule
from unrolled.kernels.planning.split import split
from unrolled.kernels.runtime import launch as kernel
from unrolled.kernels.runtime.launch import Job, Kernel, Shares

from ..codegen.memory import guarded, posix, survives
from ..codegen.targets import target

FORKED = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
OPENMP = pytest.mark.skipif(kernel._team() is None, reason="torch has no OpenMP of GCC here")


@pytest.fixture
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels of other tests are for this processor, whatever a test here makes of it."""
    monkeypatch.setattr(comparison, "known", {})


@pytest.fixture(params=["32 bytes", "16 bytes"])
def narrow(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, _alone: None) -> str:
    """A processor with narrower vectors than this one, and half as many."""
    monkeypatch.setattr(kernel, "host", lambda dtype: target(dtype, request.param))
    return request.param


# Processors.


@pytest.mark.parametrize("cell", CELLS.values(), ids=str)
def test_narrow_vectors(cell: Cell, narrow: str) -> None:
    """Each cell with one kind of kernels on one processor, with another on the other."""
    turn = list(CELLS.values()).index(cell) + (narrow == "16 bytes")
    for way in ("forward", "ragged reverse"):
        compare(cell.graph, way, kind=KINDS[turn % 3])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["lstm", "lstm_layernorm"])
def test_narrow_vectors_in_float32(name: str, kind: str, narrow: str) -> None:
    graph = CELLS[name].graph
    numbers = cast(call(graph)[0], torch.float32)
    expected = outcome(by_definition(graph), numbers, [graph.output])
    found = outcome(by_kernel(graph, dtype=torch.float32, kind=kind), numbers, [graph.output])
    for key, value in expected.items():
        torch.testing.assert_close(found[key], value, rtol=1e-5, atol=2e-6, msg=key)


def test_tiles_of_narrow_vectors(narrow: str) -> None:
    for rows in (1, 2, 3, 4, 5, 33):
        compare(CELLS["gru_reset_before"].graph, rows=rows)


@pytest.mark.parametrize("far", [0, 1 << 40])
@pytest.mark.parametrize("name", ["gru", "cornn"])
def test_weights_that_are_read_in_parts(
    name: str, far: int, narrow: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several matrices add to the same sums, each some k at a time, fetched ahead or not."""
    size = int(narrow.split()[0])
    monkeypatch.setitem(source.PANEL, size, 5 * 3 * size)
    monkeypatch.setitem(source.FAR, size, far)
    compare(CELLS[name].graph, rows=7)
    compare(CELLS[name].graph, rows=3, kind="few")


@pytest.mark.usefixtures("_alone")
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names an x86 processor")
@pytest.mark.parametrize("kind", ["many", "few"])
def test_a_processor_without_anything(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without fused multiply-add, LLVM calls the function fma of the system."""
    monkeypatch.setattr(kernel, "host", lambda dtype: Target(dtype, 16, 16, "x86-64"))
    compare(CELLS["lstm"].graph, kind=kind)


# Calls.


def made(
    graph: Graph, sizes: Any = SIZES, dtype: torch.dtype = torch.float64, packed: bool = True
) -> Kernel:
    """A kernel that stores nothing but states."""
    return Kernel(Schedule(split(graph).step, {}, {}, {}), sizes, {}, dtype, packed)


class Loop:
    """A kernel and all that a call of it needs: two steps, of three rows and of one.

    There is space for four rows, before the first step and after each.
    """

    COUNTS = (3, 1)

    def __init__(self, name: str, sizes: Any, packed: bool) -> None:
        self.graph, self.sizes = CELLS[name].graph, sizes
        self.step = split(self.graph).step
        self.kernel = made(self.graph, sizes, packed=packed)
        numbers, _ = call(self.graph, rows=4, sizes=sizes)
        self.weights = numbers.weights
        self.arrays: dict[str, Tensor] = {}
        for name, size in self.step.states.items():
            self.arrays[name] = torch.full((12, sizes[size]), 12345.0, dtype=torch.float64)
            self.arrays[name][:4] = numbers.states[name]
        for name, size in self.step.inputs.items():
            self.arrays[name] = torch.rand(8, sizes[size], dtype=torch.float64)
        for node in self.step.learned:
            self.arrays[f"learned {node.attribute.name}"] = self.weights[node.attribute.name]

    def move(self, place: Callable[[Any], Any]) -> None:
        """Put all arrays and weights somewhere else."""
        self.arrays = {n: torch.from_numpy(place(v.numpy())) for n, v in self.arrays.items()}
        self.weights = {n: torch.from_numpy(place(v.numpy())) for n, v in self.weights.items()}

    def run(self, shares: Shares) -> None:
        old, new = torch.tensor([0, 4]), torch.tensor([4, 8])
        starts = {f"old {name}": old for name in self.step.states}
        starts |= {f"new {name}": new for name in self.step.states}
        order = [*self.step.states, *self.step.states]
        names = [*starts, *(name for name in self.arrays if name not in self.step.states)]
        order += names[len(starts) :]
        job = Job(
            self.kernel, names, starts, torch.tensor([0, 4]), torch.tensor(self.COUNTS), shares
        )
        job.run([self.arrays[name].data_ptr() for name in order], self.weights)

    def check(self) -> None:
        """Every step is what the definition says, and other rows are as they were."""
        state = {name: self.arrays[name][:4].clone() for name in self.step.states}
        for t, count in enumerate(self.COUNTS):
            rows = slice(4 * t, 4 * t + count)
            given = Sample(
                self.weights,
                {name: self.arrays[name][rows].unsqueeze(0) for name in self.step.inputs},
                {name: value[:count] for name, value in state.items()},
            )
            _, last = by_definition(self.step, self.sizes)(*given, [])
            for name in self.step.states:
                found = self.arrays[name][4 + 4 * t : 8 + 4 * t]
                torch.testing.assert_close(found[:count], last[name], rtol=1e-12, atol=1e-12)
                assert (found[count:] == 12345).all()
            state = last


SHARES = [
    Shares(1, (1, 4, 0, 4)),
    Shares(1, (3, 4, 0, 1, 3, 4)),
    Shares(2, (2, 4, 0, 2, 4)),
    Shares(2, (5, 4, 0, 1, 1, 2, 3, 4)),
    Shares(3, (2, 4, 0, 3, 4)),
    Shares(1, (0, 4)),
    Shares(2, (0, 4)),
    Shares(4, (0, 4)),
]
"""One thread, or several; parts of rows, more than threads or fewer, some of them empty; units."""


@OPENMP
@pytest.mark.parametrize("packed", [True, False], ids=["many", "few"])
@pytest.mark.parametrize("hidden", [1, 7, 16, 33])
@pytest.mark.parametrize("name", ["lstm_peephole", "gru_reset_before"])
def test_only_the_rows_of_a_step_are_written(name: str, hidden: int, packed: bool) -> None:
    sizes = {**SIZES, "hidden": hidden}
    loop = Loop(name, sizes, packed)
    for shares in SHARES:
        for state in loop.step.states:
            loop.arrays[state][4:] = 12345.0
        loop.run(shares)
        loop.check()


@posix
@FORKED
@pytest.mark.parametrize("packed", [True, False], ids=["many", "few"])
@pytest.mark.parametrize("sizes", [(1, 1, 1), (3, 7, 2), (5, 17, 9), (16, 32, 8)], ids=str)
@pytest.mark.parametrize("name", ["lstm_peephole", "lstm_projected"])
def test_nothing_else_is_read_or_written(
    name: str, sizes: tuple[int, int, int], packed: bool
) -> None:
    """All arrays end where memory ends, or begin where it begins; also the kernel's own."""
    known = dict(zip(("input", "hidden", "projection"), sizes, strict=True))
    loop = Loop(name, {**known, "one": 1}, packed)

    def work(before: bool) -> None:
        empty = torch.empty

        def fresh(size: int, dtype: torch.dtype, device: str) -> Tensor:
            assert dtype is torch.float64
            return torch.from_numpy(guarded(np.full(size, np.nan), before))

        kernel.torch.empty = fresh
        kernel.SMALL = -1
        loop.move(lambda values: guarded(values, before))
        loop.run(SHARES[0])
        torch.empty = empty
        loop.check()

    assert survives(lambda: work(False))
    assert survives(lambda: work(True))


@pytest.mark.parametrize("hidden", [16, 17])
def test_weights_may_lie_anywhere_in_memory(hidden: int) -> None:
    sizes = {**SIZES, "hidden": hidden, "projection": 8}

    def turned(value: Tensor) -> Tensor:
        return value.t().contiguous().t() if value.dim() == 2 else value

    for name in ("lstm", "lstm_projected"):
        graph = CELLS[name].graph
        numbers, _ = call(graph, sizes=sizes)
        moved = {key: turned(value) for key, value in numbers.weights.items()}
        assert not moved["weight_hh"].is_contiguous()
        found = outcome(by_kernel(graph, sizes), numbers._replace(weights=moved), ["h"])
        expected = outcome(by_kernel(graph, sizes), numbers, ["h"])
        products = {f"gradient {key}" for key in (*moved, "x")}  # PyTorch's, in its own order
        assert_close(found, expected, 1e-13)
        assert_equal(
            *({k: v for k, v in r.items() if k not in products} for r in (found, expected))
        )


# Threads.


@OPENMP
def test_how_many_threads_share_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = made(CELLS["lstm"].graph)
    torch.set_num_threads(4)
    assert loop.shares(64, 64) == Shares(1, (1, 64, 0, 64))  # too little to do
    assert loop.shares(64, 10**6) == Shares(4, (4, 64, 0, 16, 32, 48, 64))
    assert loop.shares(3, 10**6) == Shares(3, (3, 3, 0, 1, 2, 3))
    assert loop.shares(1, 10**6) == Shares(1, (1, 1, 0, 1))
    monkeypatch.setattr(kernel, "WORTH_A_THREAD", 1)
    assert loop.shares(65, 65) == Shares(4, (4, 65, 0, 16, 32, 48, 65))
    monkeypatch.setattr(kernel, "_forked", True)
    assert loop.shares(64, 10**6).threads == 1


@OPENMP
def test_a_thread_has_to_be_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the operations that a thread is worth, there have to be as many for each one."""
    loop = made(CELLS["lstm"].graph)
    monkeypatch.setattr(kernel, "WORTH_A_THREAD", 100 * loop._operations)
    torch.set_num_threads(4)
    threads = [loop.shares(64, total).threads for total in (1, 99, 100, 199, 200, 300, 10**4)]
    assert threads == [1, 1, 2, 2, 3, 4, 4]


@OPENMP
def test_units_are_shared_where_rows_are_few_and_steps_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.set_num_threads(4)
    large = {**SIZES, "hidden": 1024}
    loop = made(CELLS["lstm"].graph, large, packed=False)
    assert loop.shares(1, 1000) == Shares(4, (0, 1))
    assert loop.shares(3, 1000) == Shares(4, (0, 3))
    assert loop.shares(3, 6, [3, 2, 1]) == Shares(4, (0, 3))
    assert loop.shares(1, 0) == Shares(1, (1, 1, 0, 1))
    most = 4 * kernel.MANY_ROWS
    assert loop.shares(most, 1000) == Shares(4, (0, most))  # no cache holds so many weights
    assert loop.shares(most + 1, 1000).numbers[0] == 4  # parts of the rows
    monkeypatch.setattr(kernel, "LARGE", 1 << 30)
    assert loop.shares(kernel.FEW_ROWS, 1000).numbers[0] == 4  # each has a row of its own
    small = made(CELLS["lstm"].graph, packed=False)
    assert small.shares(3, 10**6).numbers[0] == 3
    monkeypatch.setattr(kernel, "WORTH_MEETING", 1)
    assert small.shares(3, 10**6) == Shares(4, (0, 3))
    sums = made(CELLS["lstm_layernorm"].graph, packed=False)  # all units of a row meet in a sum
    assert sums.shares(3, 10**6).numbers == (3, 3, 0, 1, 2, 3)


@OPENMP
@pytest.mark.parametrize(
    ("lengths", "threads", "begins"),
    [
        ([9, 1, 1, 1, 1, 1, 1, 1, 1, 1], 2, [0, 1, 10]),
        ([4, 4, 4, 4], 2, [0, 2, 4]),
        ([4, 4, 4, 4], 4, [0, 1, 2, 3, 4]),
        ([5, 3, 3, 1, 0, 0], 2, [0, 2, 6]),
        ([100, 1, 1], 3, [0, 1, 1, 3]),
        ([2, 0, 0, 0], 2, [0, 1, 4]),
    ],
)
def test_rows_are_shared_by_their_lengths(
    lengths: list[int], threads: int, begins: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel, "WORTH_A_THREAD", 1)
    torch.set_num_threads(threads)
    found = made(CELLS["rnn_tanh"].graph).shares(len(lengths), sum(lengths), lengths)
    assert found == Shares(threads, (threads, len(lengths), *begins))


@OPENMP
def test_no_thread_has_more_than_its_share_and_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "WORTH_A_THREAD", 1)
    loop = made(CELLS["rnn_tanh"].graph)
    for threads, rows in itertools.product((2, 3, 4), (4, 5, 33, 70)):
        torch.set_num_threads(threads)
        lengths = sorted(torch.randint(0, 50, (rows,)).tolist(), reverse=True)
        part, count, *begins = loop.shares(rows, sum(lengths), lengths).numbers
        assert (part, count, begins[0], begins[-1]) == (threads, rows, 0, rows)
        assert begins == sorted(begins)
        work = [sum(lengths[a:b]) for a, b in itertools.pairwise(begins)]
        assert max(work) <= sum(lengths) / threads + lengths[0]


@pytest.mark.usefixtures("_alone")
def test_without_openmp_there_is_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "WORTH_A_THREAD", 1)
    monkeypatch.setattr(kernel, "_team", lambda: None)
    torch.set_num_threads(2)
    assert made(CELLS["lstm"].graph).shares(64, 10**6).threads == 1
    compare(CELLS["lstm"].graph)


def test_openmp_is_looked_for_beside_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel._team.cache_clear()
    monkeypatch.setattr(_torch, "glob", lambda pattern: [])
    try:
        assert kernel._team() is None
    finally:
        kernel._team.cache_clear()
