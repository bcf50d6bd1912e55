"""Kernels on processors of several kinds, and how they are called."""

import platform
from typing import Any

import pytest
import torch
from torch import Tensor

from kernels.comparison import (
    SIZES,
    assert_equal,
    by_definition,
    by_kernel,
    call,
    cast,
    compare,
    outcome,
)
from samples import Sample
from unrolled.cells import CELLS
from unrolled.equations import Graph
from unrolled.kernels import compiled
from unrolled.kernels.llvm import kernel
from unrolled.kernels.llvm.kernel import Kernel, Rows
from unrolled.kernels.llvm.schedule import Schedule
from unrolled.kernels.llvm.text import Target
from unrolled.kernels.split import split

from .targets import target

VARIED = ["lstm", "gru_reset_before", "lstm_layernorm", "lstm_projected", "slstm", "lstm_peephole"]


@pytest.fixture(autouse=True)
def _no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels of other tests are for this processor, whatever a test here makes of it."""
    monkeypatch.setattr(compiled, "_known", type(compiled._known)())


@pytest.fixture(params=["32 bytes", "16 bytes"])
def narrow(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor with narrower vectors than this one, and half as many."""
    monkeypatch.setattr(kernel, "host", lambda dtype: target(dtype, request.param))


# Processors.


@pytest.mark.parametrize("name", VARIED)
def test_narrow_vectors(name: str, narrow: None) -> None:
    for way in ("forward", "ragged reverse"):
        compare(CELLS[name].graph, way)


@pytest.mark.parametrize("name", ["lstm", "lstm_layernorm"])
def test_narrow_vectors_in_float32(name: str, narrow: None) -> None:
    graph = CELLS[name].graph
    numbers = cast(call(graph)[0], torch.float32)
    expected = outcome(by_definition(graph), numbers, [graph.output])
    found = outcome(by_kernel(graph, dtype=torch.float32), numbers, [graph.output])
    for key, value in expected.items():
        torch.testing.assert_close(found[key], value, rtol=1e-5, atol=2e-6, msg=key)


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5])
def test_tiles_of_narrow_vectors(rows: int, narrow: None) -> None:
    compare(CELLS["gru_reset_before"].graph, rows=rows)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names an x86 processor")
def test_a_processor_without_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without fused multiply-add, LLVM calls the function fma of the system."""
    monkeypatch.setattr(kernel, "host", lambda dtype: Target(dtype, 16, 16, "x86-64"))
    compare(CELLS["lstm"].graph)


# Calls.


def made(graph: Graph, sizes: Any = SIZES, dtype: torch.dtype = torch.float64) -> Kernel:
    """A kernel that stores nothing but states; each input of the loop stands by itself."""
    return Kernel(Schedule(split(graph).step, {}, {}, {}), sizes, {}, dtype)


class Guarded:
    """An array between numbers that must stay as they are."""

    def __init__(self, rows: int, width: int) -> None:
        self.whole = torch.full((rows * width + 128,), 12345.0, dtype=torch.float64)
        self.inside = self.whole[64 : 64 + rows * width].view(rows, width)

    def check(self) -> None:
        size = self.inside.numel()
        assert (self.whole[:64] == 12345).all()
        assert (self.whole[64 + size :] == 12345).all()


@pytest.mark.parametrize("hidden", [1, 7, 16, 17])
@pytest.mark.parametrize("threads", [1, 2])
def test_only_the_rows_of_a_step_are_written(
    hidden: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Called by hand: two steps, of three rows and of one, in arrays with space for four."""
    monkeypatch.setattr(kernel, "WORTH_A_THREAD", 1)
    torch.set_num_threads(threads)
    graph, sizes = CELLS["lstm"].graph, {**SIZES, "hidden": hidden}
    numbers, _ = call(graph, rows=4, sizes=sizes)
    step = split(graph).step
    loop = made(graph, sizes)
    states = {name: Guarded(12, hidden) for name in ("h", "c")}
    for name, state in states.items():
        state.inside[:4] = numbers.states[name]
    inputs = {name: torch.rand(8, hidden, dtype=torch.float64) for name in step.inputs}
    old, new = torch.tensor([0, 4]), torch.tensor([4, 8])
    arrays = {name: Rows(value, torch.tensor([0, 4])) for name, value in inputs.items()}
    for name, state in states.items():
        arrays[f"old {name}"] = Rows(state.inside, old)
        arrays[f"new {name}"] = Rows(state.inside, new)
    loop(arrays, numbers.weights, torch.tensor([3, 1]), 4, 4)
    expected = {name: state.inside[:4].clone() for name, state in states.items()}
    for t, count in enumerate([3, 1]):
        rows = slice(4 * t, 4 * t + count)
        given = Sample(
            numbers.weights,
            {name: value[rows].unsqueeze(0) for name, value in inputs.items()},
            {name: value[:count] for name, value in expected.items()},
        )
        _, last = by_definition(step, sizes)(*given, [])
        for name, state in states.items():
            found = state.inside[4 + 4 * t : 8 + 4 * t]
            torch.testing.assert_close(found[:count], last[name], rtol=1e-12, atol=1e-12)
            assert (found[count:] == 12345).all()
        expected = last
    for state in states.values():
        state.check()


@pytest.mark.parametrize("name", ["lstm", "gru", "lstm_projected"])
def test_weights_are_laid_out_in_the_order_in_which_they_are_read(name: str) -> None:
    loop = made(CELLS[name].graph)
    weights = call(CELLS[name].graph)[0].weights
    for pack in loop.source.packs:
        weight, lanes = weights[f"weight_{pack.factor.group}"], loop.target.lanes
        found = loop._packed(pack, weight)
        assert found.shape == (pack.groups, pack.length, pack.blocks, len(pack.factor.rows), lanes)
        for place, row in enumerate(pack.factor.rows):
            block = weight[row * pack.units : (row + 1) * pack.units]
            units = found[:, :, :, place].permute(0, 2, 3, 1).flatten(0, 2)
            assert units[: pack.units].equal(block)
            assert (units[pack.units :] == 0).all()


def test_transposed_weights() -> None:
    recurrence = compiled.Recurrence(CELLS["lstm"].graph, SIZES, torch.float64)
    loop = recurrence.training(("h",)).backward
    weight = call(CELLS["lstm"].graph)[0].weights["weight_hh"]
    packs = [pack for pack in loop.source.packs if pack.factor.transposed]
    assert len(packs) == 4
    for pack in packs:
        (row,) = pack.factor.rows
        found = loop._packed(pack, weight)
        units = found.reshape(pack.groups, pack.length, -1).transpose(1, 2).flatten(0, 1)
        block = weight[row * pack.length : (row + 1) * pack.length]
        assert units[: pack.units].equal(block.t())
        assert (units[pack.units :] == 0).all()


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
        weights = {f"gradient {key}" for key in moved}
        assert_equal(*({k: v for k, v in r.items() if k not in weights} for r in (found, expected)))


def test_scratch_has_space_for_all_rows() -> None:
    loop = made(CELLS["lstm_layernorm"].graph)
    scratch = loop.scratch(5)
    kinds = {array.name: array for array in loop.source.arrays}
    assert len(scratch) == len(loop.schedule.kept) + len(loop.schedule.sums)
    for name, rows in scratch.items():
        assert kinds[name].kind == "rows"
        assert rows.tensor.numel() == 5 * kinds[name].stride
        assert rows.tensor.dtype is torch.float64


# Threads.


@pytest.mark.skipif(kernel._team() is None, reason="torch has no OpenMP of GCC here")
def test_how_many_threads_share_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = made(CELLS["lstm"].graph)
    torch.set_num_threads(4)
    assert loop.threads(64, 1) == 1  # too little to do
    assert loop.threads(64, 10**6) == 4
    assert loop.threads(3, 10**6) == 3
    assert loop.threads(1, 10**6) == 1
    monkeypatch.setattr(kernel, "WORTH_A_THREAD", 1)
    assert loop.threads(64, 1) == 4
    monkeypatch.setattr(kernel, "_forked", True)
    assert loop.threads(64, 10**6) == 1


def test_without_openmp_there_is_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "WORTH_A_THREAD", 1)
    monkeypatch.setattr(kernel, "_team", lambda: None)
    torch.set_num_threads(2)
    assert made(CELLS["lstm"].graph).threads(64, 10**6) == 1
    compare(CELLS["lstm"].graph)


def test_openmp_is_looked_for_beside_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel._team.cache_clear()
    monkeypatch.setattr(kernel.glob, "glob", lambda pattern: [])
    try:
        assert kernel._team() is None
    finally:
        kernel._team.cache_clear()
