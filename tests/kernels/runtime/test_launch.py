"""Kernels on processors of several kinds, and how they are called."""

import ctypes
import itertools
import platform
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
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
from unrolled import _torch
from unrolled.cells import CELLS
from unrolled.equations import Cell
from unrolled.kernels.codegen import kernel as source
from unrolled.kernels.codegen.ir import Target
from unrolled.kernels.codegen.packing import Layout
from unrolled.kernels.runtime import code, kernel, launcher
from unrolled.kernels.runtime import launch as launches
from unrolled.kernels.runtime.abi import SCATTERED, Buffer, Role
from unrolled.kernels.runtime.launch import Launch, Move, Place, run_concurrently

from ..codegen.memory import guarded, posix, survives
from ..codegen.targets import target
from .loop import UNTOUCHED, Loop, made

FORKED = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
OPENMP = pytest.mark.skipif(not code._has_threads(), reason="torch has no OpenMP of GCC here")


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
        compare(cell.graph, way, kind=KINDS[turn % len(KINDS)])


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
@pytest.mark.parametrize("kind", ["many", "few", "single"])
def test_a_processor_without_anything(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without fused multiply-add, LLVM calls the function fma of the system."""
    monkeypatch.setattr(kernel, "host", lambda dtype: Target(dtype, 16, 16, "x86-64"))
    compare(CELLS["lstm"].graph, kind=kind)


# Calls.


SHARDS = [
    (1, (1, 0, 4)),
    (1, (3, 0, 1, 3, 4)),
    (2, (2, 0, 2, 4)),
    (2, (5, 0, 1, 1, 2, 3, 4)),
    (3, (2, 0, 3, 4)),
    (1, (0,)),
    (2, (0,)),
    (4, (0,)),
]
"""One thread, or several; parts of rows, more than threads or fewer, some of them empty; units."""


@OPENMP
@pytest.mark.parametrize("layout", Layout)
@pytest.mark.parametrize("hidden", [1, 7, 16, 33])
@pytest.mark.parametrize("name", ["lstm_peephole", "gru_reset_before"])
def test_only_the_rows_of_a_step_are_written(name: str, hidden: int, layout: Layout) -> None:
    loop = Loop(name, {**SIZES, "hidden": hidden}, layout)
    for threads, shards in SHARDS:
        loop.forget()
        loop.launch(threads, shards).run(loop.given)
        loop.check()


@posix
@FORKED
@pytest.mark.parametrize("layout", Layout)
@pytest.mark.parametrize("sizes", [(1, 1, 1), (3, 7, 2), (5, 17, 9), (16, 32, 8)], ids=str)
@pytest.mark.parametrize("name", ["lstm_peephole", "lstm_projected", "lstm_layernorm"])
def test_nothing_else_is_read_or_written(
    name: str, sizes: tuple[int, int, int], layout: Layout
) -> None:
    """All arrays end where memory ends, or begin where it begins; also the kernel's own."""
    known = dict(zip(("input", "hidden", "projection"), sizes, strict=True))
    loop = Loop(name, {**known, "one": 1}, layout)
    assert loop.workspace

    def work(before: bool, apart: bool) -> None:
        empty = torch.empty

        def fresh(size: int, dtype: torch.dtype, device: Any) -> Tensor:
            assert dtype is torch.float64
            return torch.from_numpy(guarded(np.full(size, np.nan), before))

        if apart:
            loop.own_workspace()
        loop.move(lambda values: guarded(values, before))
        launches.SMALL = -1
        torch.empty = fresh
        loop.launch().run(loop.given)
        torch.empty = empty
        loop.check()

    for before, apart in itertools.product((False, True), repeat=2):
        assert survives(lambda b=before, a=apart: work(b, a))


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


def state_of(name: str) -> Buffer:
    return Buffer(Role.PAIR, name)


def test_numbers_are_copied_before_and_after(inspector: str) -> None:
    """The states before the first step from where they are kept, those of the last to there."""
    loop = Loop("lstm_peephole")
    first, last = Buffer(Role.INITIAL, "h"), Buffer(Role.FINAL, "h")
    loop.tensors[first] = torch.cat([torch.full((2, 17), np.nan), torch.rand(4, 17)]).double()
    loop.tensors[last] = torch.full((3, 17), np.nan, dtype=torch.float64)
    launch = loop.launch(
        before=[Move(Place(first, 2 * 17), Place(state_of("h")), 4 * 17)],
        after=[Move(Place(state_of("h"), 8 * 17), Place(last, 17), 17)],
    )
    for _ in range(2):
        loop.forget()
        launch.run(loop.given)
        assert loop.state("h")[:4].equal(loop.tensors[first][2:])
        loop.check()
        kept = loop.tensors[last]
        assert kept[1].equal(loop.state("h")[8])
        assert kept[0].isnan().all()
        assert kept[2].isnan().all()
        loop.tensors[first][2:] += 0.5


def test_copies_that_reach_beyond_a_tensor_are_refused() -> None:
    loop = Loop("lstm")
    inside, beyond = Place(state_of("h"), 11 * 17), Place(state_of("c"), 11 * 17 + 1)
    for moves in ({"before": [Move(beyond, inside, 17)]}, {"after": [Move(inside, beyond, 17)]}):
        with pytest.raises(RuntimeError, match=r"^lstm: a copy reaches beyond pair c$"):
            loop.launch(**moves)
    loop.launch(before=[Move(beyond, inside, 16)])


def test_tensors_that_are_not_laid_out_row_by_row(inspector: str) -> None:
    """They are copied, but only when they are looked at and found to be so."""
    loop = Loop("lstm_peephole")
    launch = loop.launch()
    launch.run(loop.given)
    expected = {name: loop.state(name).clone() for name in loop.step.states}
    read = [b for b in loop.tensors if b.role is not Role.PAIR and loop.tensors[b].dim() == 2]
    for buffer in read:
        loop.tensors[buffer] = loop.tensors[buffer].t().contiguous().t()
        assert not loop.tensors[buffer].is_contiguous()
    loop.forget()
    ready = launch._taken()
    assert ready.table.inspect((*loop.given, ready.memory)) == SCATTERED
    launch._pool.append(ready)
    for name in loop.step.states:
        assert (loop.state(name)[4:] == UNTOUCHED).all()
    launch.run(loop.given)
    for name, value in expected.items():
        assert loop.state(name).equal(value)


def test_memory_of_the_kernel_is_kept_if_it_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = Loop("lstm")
    asked: list[int] = []
    empty = torch.empty

    def noted(size: int, **options: Any) -> Tensor:
        asked.append(size)
        return empty(size, **options)

    monkeypatch.setattr(torch, "empty", noted)
    launch = loop.launch()
    for _ in range(3):
        launch.run(loop.given)
    (nothing, size) = asked
    assert (nothing, size > 0) == (0, True)
    monkeypatch.setattr(launches, "SMALL_WORKSPACE", size - 1)
    asked.clear()
    launch = loop.launch()
    for _ in range(3):
        launch.run(loop.given)
        (ready,) = launch._pool
        assert not ready.memory.numel()
    assert asked == [0, size, size, size]
    loop.check()


# Several at once.


def others(loop: Loop) -> list[Tensor]:
    """Tensors like those of a loop, with other states."""
    pairs = [(b, tensor.clone()) for b, tensor in loop.tensors.items()]
    for buffer, tensor in pairs:
        if buffer.role is Role.PAIR:
            tensor[:4] = torch.rand(4, tensor.shape[1])
    return [tensor for _, tensor in pairs]


def after(launch: Launch, tensors: list[Tensor]) -> list[Tensor]:
    """What a launch makes of copies of some tensors."""
    copies = [tensor.clone() for tensor in tensors]
    launch.run(copies)
    return copies


def assert_same(found: list[Tensor], expected: list[Tensor]) -> None:
    assert all(a.equal(b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize(("threads", "shards"), [(1, (1, 0, 4)), (2, (2, 0, 2, 4)), (2, (0,))])
def test_one_launch_on_many_threads_of_python(threads: int, shards: tuple[int, ...]) -> None:
    """Each run has an argument block and memory of its own; later runs use them again."""
    loop = Loop("lstm" if shards == (0,) else "lstm_layernorm")
    launch = loop.launch(threads, shards)
    given = [others(loop) for _ in range(4)]
    expected = [after(launch, tensors) for tensors in given]
    ready = threading.Barrier(4)

    def work(tensors: list[Tensor]) -> list[list[Tensor]]:
        ready.wait(60)
        return [after(launch, tensors) for _ in range(50)]

    with ThreadPoolExecutor(4) as pool:
        for results, known in zip(pool.map(work, given), expected, strict=True):
            for found in results:
                assert_same(found, known)
    assert 1 <= len(launch._pool) <= 4


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_launches_at_the_same_time(threads: int, inspector: str) -> None:
    """One of them twice, one with tensors that have to be copied first, and copies to make."""
    torch.set_num_threads(threads)
    lstm, gru = Loop("lstm"), Loop("gru_reset_before")
    last = Buffer(Role.FINAL, "h")
    gru.tensors[last] = torch.full((17,), np.nan, dtype=torch.float64)
    first = lstm.launch()
    second = gru.launch(after=[Move(Place(state_of("h"), 8 * 17), Place(last), 17)])
    runs = [(first, others(lstm)), (second, others(gru)), (first, others(lstm))]
    expected = [after(launch, tensors) for launch, tensors in runs]
    assert not expected[1][-1].isnan().any()
    scattered = [t.t().contiguous().t() if t.shape == (68, 17) else t for t in runs[0][1]]
    assert sum(not tensor.is_contiguous() for tensor in scattered) == 1
    runs[0] = first, scattered
    run_concurrently(runs)
    for (_, tensors), known in zip(runs, expected, strict=True):
        assert_same(tensors, known)
    assert len(first._pool) == 2


def test_nothing_is_run_if_one_of_several_does_not_fit(inspector: str) -> None:
    loop = Loop("lstm")
    launch = loop.launch()
    good, bad = others(loop), others(loop)
    bad[-1] = bad[-1].float()
    for runs in ([(launch, good), (launch, bad)], [(launch, bad), (launch, good)]):
        with pytest.raises(RuntimeError, match=r"^lstm: the weight .* got torch.float32"):
            run_concurrently(runs)
    assert (good[0][4:] == UNTOUCHED).all()
    assert (bad[0][4:] == UNTOUCHED).all()
    expected = after(launch, good)
    run_concurrently([(launch, good)])
    assert_same(good, expected)


@posix
@FORKED
@OPENMP
def test_a_fork_runs_launches_for_several_threads_on_one() -> None:
    """Those that were made before it, and have been run; alone or beside others."""
    torch.set_num_threads(2)
    loop = Loop("lstm")
    several = [loop.launch(threads, shards) for threads, shards in SHARDS]
    for each in several:
        loop.forget()
        each.run(loop.given)
        loop.check()
    single = loop.launch()
    run_concurrently([(single, others(loop)), (single, others(loop))])

    def work() -> None:
        assert code.available(2) == 1
        torch.set_num_threads(1)  # PyTorch's own threads do not live on in a fork
        for each in several:
            loop.forget()
            each.run(loop.given)
            loop.check()
        loop.forget()
        run_concurrently([(single, others(loop)), (single, loop.given)])
        loop.check()

    assert survives(work)
    assert code.available(2) == 2


# Threads.


@OPENMP
def test_how_many_threads_share_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = made(CELLS["lstm"].graph)
    torch.set_num_threads(4)
    assert loop.shards(64, 64) == (1, (1, 0, 64))  # too little to do
    assert loop.shards(64, 10**6) == (4, (4, 0, 16, 32, 48, 64))
    assert loop.shards(3, 10**6) == (3, (3, 0, 1, 2, 3))
    assert loop.shards(1, 10**6) == (1, (1, 0, 1))
    monkeypatch.setattr(code, "WORTH_A_THREAD", 1)
    assert loop.shards(65, 65) == (4, (4, 0, 16, 32, 48, 65))
    monkeypatch.setattr(code, "_forked", True)
    assert loop.shards(64, 10**6) == (1, (1, 0, 64))


@OPENMP
def test_a_thread_has_to_be_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the operations that a thread is worth, there have to be as many for each one."""
    loop = made(CELLS["lstm"].graph)
    monkeypatch.setattr(code, "WORTH_A_THREAD", 100 * loop._operations)
    torch.set_num_threads(4)
    totals = (1, 99, 100, 199, 200, 300, 10**4)
    assert [loop.threads(64, total) for total in totals] == [1, 1, 2, 2, 3, 4, 4]
    assert [loop.shards(64, total)[0] for total in totals] == [1, 1, 2, 2, 3, 4, 4]


@OPENMP
def test_units_are_shared_where_rows_are_few_and_steps_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.set_num_threads(4)
    large = {**SIZES, "hidden": 1024}
    loop = made(CELLS["lstm"].graph, large, layout=Layout.HELD)
    assert loop.shards(1, 1000) == (4, (0,))
    assert loop.shards(3, 1000) == (4, (0,))
    assert loop.shards(3, 6, [3, 2, 1]) == (4, (0,))
    assert loop.shards(1, 0) == (1, (1, 0, 1))
    most = 4 * kernel.MANY_ROWS
    assert loop.shards(most, 1000) == (4, (0,))  # no cache holds so many weights
    assert loop.shards(most + 1, 1000)[1][0] == 4  # parts of the rows
    monkeypatch.setattr(kernel, "LARGE_WEIGHTS", 1 << 30)
    assert loop.shards(kernel.FEW_ROWS, 1000)[1][0] == 4  # each has a row of its own
    small = made(CELLS["lstm"].graph, layout=Layout.HELD)
    assert small.shards(3, 10**6)[1][0] == 3
    monkeypatch.setattr(kernel, "WORTH_BARRIERS", 1)
    assert small.shards(3, 10**6) == (4, (0,))
    sums = made(
        CELLS["lstm_layernorm"].graph, layout=Layout.HELD
    )  # all units of a row meet in a sum
    assert sums.shards(3, 10**6) == (3, (3, 0, 1, 2, 3))


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
    monkeypatch.setattr(code, "WORTH_A_THREAD", 1)
    torch.set_num_threads(threads)
    found = made(CELLS["rnn_tanh"].graph).shards(len(lengths), sum(lengths), lengths)
    assert found == (threads, (threads, *begins))


@OPENMP
def test_no_thread_has_more_than_its_share_and_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code, "WORTH_A_THREAD", 1)
    loop = made(CELLS["rnn_tanh"].graph)
    for threads, rows in itertools.product((2, 3, 4), (4, 5, 33, 70)):
        torch.set_num_threads(threads)
        lengths = sorted(torch.randint(0, 50, (rows,)).tolist(), reverse=True)
        count, (part, *begins) = loop.shards(rows, sum(lengths), lengths)
        assert (count, part, begins[0], begins[-1]) == (threads, threads, 0, rows)
        assert begins == sorted(begins)
        work = [sum(lengths[a:b]) for a, b in itertools.pairwise(begins)]
        assert max(work) <= sum(lengths) / threads + lengths[0]


@pytest.fixture
def _without_openmp(monkeypatch: pytest.MonkeyPatch, _alone: None) -> Iterator[None]:
    """PyTorch seems to come without OpenMP; machine code that is made here gets stand-ins."""
    known = (code.openmp, code._has_threads, launcher.functions, launches._concurrent)
    for function in known:
        function.cache_clear()
    monkeypatch.setattr(_torch, "glob", lambda pattern: [])
    yield
    for function in known:
        function.cache_clear()


@pytest.mark.usefixtures("_without_openmp")
def test_without_openmp_there_is_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code, "WORTH_A_THREAD", 1)
    torch.set_num_threads(2)
    assert made(CELLS["lstm"].graph).shards(64, 10**6) == (1, (1, 0, 64))
    compare(CELLS["lstm"].graph)
    loop = Loop("lstm")
    launch = loop.launch(2, (2, 0, 2, 4))
    run_concurrently([(launch, others(loop)), (launch, loop.given)])
    loop.check()
    loop.forget()
    launch.run(loop.given)
    loop.check()


@pytest.mark.usefixtures("_without_openmp")
def test_openmp_is_looked_for_beside_torch() -> None:
    """Without it there are functions that do nothing."""
    stand_ins = code.openmp()
    assert {"GOMP_parallel", "omp_get_thread_num", "omp_get_num_threads"} <= stand_ins.keys()
    (address,) = set(stand_ins.values())
    assert ctypes.CFUNCTYPE(ctypes.c_int)(address)() == 0
    assert code.available(2) == 1
