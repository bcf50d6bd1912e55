"""Which backend a call takes, why, and that it gives the same there."""

import multiprocessing
import pickle
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode
from torch.autograd import forward_ad
from torch.utils.flop_counter import FlopCounterMode

import unrolled
from samples import Sample
from unrolled import affine, mean, sigmoid, tanh, where
from unrolled.cells import CELLS
from unrolled.graph.graph import Graph
from unrolled.kernels import dispatch
from unrolled.kernels.dispatch import Runner
from unrolled.kernels.runtime import cache, code, recurrence
from unrolled.kernels.runtime.cache import Cache
from unrolled.kernels.runtime.torch_state import eager_only

from .comparison import SIZES, assert_close, by_definition, by_runner, call, cast, inferred, outcome

GRAPH = CELLS["lstm"].graph

deprecated = pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")
"""PyTorch's compiler and forward mode use what PyTorch itself gives up."""


@pytest.fixture
def eager_calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The cells that were run by the eager definition."""
    found: list[str] = []
    run = dispatch.eager.run

    def watched(program: Any, *arguments: Any, **options: Any) -> Any:
        found.append(program.graph.name)
        return run(program, *arguments, **options)

    monkeypatch.setattr(dispatch.eager, "run", watched)
    return found


def runner(graph: Graph = GRAPH) -> Runner:
    return Runner(graph, SIZES)


def reason(numbers: Sample, record: Any = None, graph: Graph = GRAPH) -> str | None:
    names = [graph.output] if record is None else record
    return runner(graph).obstacle(runner(graph).request(*numbers, names))


def check(numbers: Sample, expected: str | None, eager_calls: list[str], **options: Any) -> None:
    """A call goes where it says, and gives what it should."""
    assert reason(numbers) == expected
    known = inferred(by_definition(GRAPH), numbers, ["h"], **options)
    eager_calls.clear()
    found = inferred(by_runner(runner()), numbers, ["h"], **options)
    assert eager_calls == ([] if expected is None else ["lstm"])
    for name, value in known.items():
        if not value.is_meta:
            torch.testing.assert_close(found[name], value, rtol=1e-10, atol=1e-10)


# Obstacles.


def test_plain_calls_take_the_kernel(eager_calls: list[str]) -> None:
    for dtype in (torch.float64, torch.float32):
        numbers = cast(call(GRAPH)[0], dtype)
        assert reason(numbers) is None
        eager_calls.clear()
        by_runner(runner())(*numbers, ["h"])
        assert eager_calls == []
    for way in ("reverse", "ragged", "ragged reverse"):
        numbers, options = call(GRAPH, way)
        check(numbers, None, eager_calls, **options)


def test_eager_only(eager_calls: list[str]) -> None:
    numbers, _ = call(GRAPH)
    with eager_only():
        check(numbers, "eager_only() asks for it", eager_calls)
        with eager_only():
            pass
        assert reason(numbers) == "eager_only() asks for it"
    check(numbers, None, eager_calls)


def test_eager_only_is_left_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), eager_only():
        raise ZeroDivisionError
    assert reason(call(GRAPH)[0]) is None


def test_eager_only_is_of_one_thread() -> None:
    numbers, _ = call(GRAPH)
    with eager_only(), ThreadPoolExecutor(1) as pool:
        assert pool.submit(reason, numbers).result() is None


def test_transforms_of_functions(eager_calls: list[str]) -> None:
    numbers, _ = call(GRAPH)
    expected = "torch.func transforms the eager definition"
    reasons: list[str | None] = []

    def output(x: Tensor) -> Tensor:
        given = numbers._replace(inputs={"x": x})
        reasons.append(reason(given))
        return by_runner(runner())(*given, ["h"])[0]["h"]

    x = numbers.inputs["x"]
    known = output(x)
    assert reasons.pop() is None
    stack = torch.stack([x, 2 * x])
    torch.testing.assert_close(torch.vmap(output)(stack)[0], known)
    gradient = torch.func.grad(lambda x: output(x).sum())(x)
    torch.testing.assert_close(
        gradient, torch.autograd.functional.vjp(lambda x: output(x).sum(), x)[1]
    )
    assert reasons[:2] == [expected] * 2
    assert set(reasons[2:]) == {None}
    assert eager_calls


@deprecated
def test_forward_mode(eager_calls: list[str]) -> None:
    numbers, _ = call(GRAPH)
    x = numbers.inputs["x"]
    with forward_ad.dual_level():
        dual = numbers._replace(inputs={"x": forward_ad.make_dual(x, torch.ones_like(x))})
        expected = "forward-mode differentiation goes through the eager definition"
        assert reason(dual) == expected
        values, _ = by_runner(runner())(*dual, ["h"])
        assert forward_ad.unpack_dual(values["h"]).tangent is not None
    assert eager_calls == ["lstm"]
    assert reason(numbers) is None


def test_dispatch_modes(eager_calls: list[str]) -> None:
    numbers, _ = call(GRAPH)
    with FlopCounterMode(display=False) as counter:
        assert reason(numbers) == "a mode watches the eager definition"
        by_runner(runner())(*numbers, ["h"])
    steps, rows, inputs = numbers.inputs["x"].shape
    units = SIZES["hidden"]
    assert counter.get_total_flops() == 2 * steps * rows * 4 * units * (inputs + units)
    assert eager_calls == ["lstm"]


def test_tensors_without_numbers(eager_calls: list[str]) -> None:
    numbers, _ = call(GRAPH)
    with FakeTensorMode() as mode:
        fake = Sample(*({n: mode.from_tensor(v) for n, v in part.items()} for part in numbers))
        assert reason(fake) is not None
        values, _ = by_runner(runner())(*fake, ["h"])
    assert values["h"].shape == (4, 5, SIZES["hidden"])
    assert reason(fake) == "FakeTensor is not a plain tensor"
    meta = Sample(*({n: v.to("meta") for n, v in part.items()} for part in numbers))
    check(meta, "there is no kernel for meta", eager_calls)


def test_autocast(eager_calls: list[str]) -> None:
    numbers = cast(call(GRAPH)[0], torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        check(numbers, "autocast chooses the dtypes of the eager definition", eager_calls)
        with torch.autocast("cpu", enabled=False):
            assert reason(numbers) is None
    assert reason(numbers) is None


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_other_dtypes(dtype: torch.dtype, eager_calls: list[str]) -> None:
    numbers = cast(call(GRAPH)[0], dtype)
    check(numbers, f"there is no kernel for {dtype}", eager_calls)


def test_mixed_dtypes() -> None:
    numbers, _ = call(GRAPH)
    mixed = numbers._replace(states=cast(numbers, torch.float32).states)
    assert reason(mixed) == "there is no kernel for torch.float32"


def test_other_layouts(eager_calls: list[str]) -> None:
    numbers = cast(call(GRAPH)[0], torch.float32)
    with pytest.warns(UserWarning, match="Sparse"):
        sparse = numbers.weights["weight_hh"].to_sparse_csr()
    weights = {**numbers.weights, "weight_hh": sparse}
    assert reason(numbers._replace(weights=weights)) == "there is no kernel for torch.sparse_csr"


class Named(Tensor):
    """A tensor that PyTorch asks before each operation."""


def test_tensors_of_other_classes(eager_calls: list[str]) -> None:
    numbers, _ = call(GRAPH)
    named = numbers._replace(inputs={"x": numbers.inputs["x"].as_subclass(Named)})
    assert reason(named) == "Named is not a plain tensor"
    values, _ = by_runner(runner())(*named, ["h"])
    assert type(values["h"]) is Named
    weights = {name: nn.Parameter(value) for name, value in numbers.weights.items()}
    buffers = {name: nn.Buffer(value) for name, value in numbers.weights.items()}
    assert reason(numbers._replace(weights=weights)) is None
    assert reason(numbers._replace(weights=buffers)) is None


@pytest.mark.parametrize(("steps", "rows"), [(4, 0), (0, 0)])
def test_a_batch_without_rows(steps: int, rows: int, eager_calls: list[str]) -> None:
    numbers, _ = call(GRAPH, rows=rows)
    assert reason(numbers) == "there are no rows"
    values, last = by_runner(runner())(*numbers, ["h"])
    assert values["h"].shape == (4, 0, SIZES["hidden"])
    assert last["c"].shape == (0, SIZES["hidden"])
    assert eager_calls == ["lstm"]


def test_values_that_are_computed_outside_the_loop(eager_calls: list[str]) -> None:
    """What is as wide as the input, unless it is a learned layer, leaves the loop."""

    @unrolled.cell
    def halved(x, h):
        u = x * 0.5
        z = sigmoid(affine(u))
        h = tanh(affine(x, h)) * z
        return locals()

    graph = halved.graph
    numbers, _ = call(graph)
    assert reason(numbers, ["h", "u"], graph) == "u is computed outside the loop"
    assert reason(numbers, ["h", "z"], graph) is None
    values, _ = by_runner(runner(graph))(*numbers, ["u"])
    assert eager_calls == ["halved"]
    expected, _ = by_definition(graph)(*numbers, ["u"])
    assert values["u"].equal(expected["u"])


def test_conditions_cannot_be_recorded() -> None:
    @unrolled.cell
    def gated(x, h):
        open_ = h > 0.5
        h = where(open_, affine(x, h), h)
        return locals()

    graph = gated.graph
    numbers, _ = call(graph)
    assert reason(numbers, ["open_"], graph) == "open_ is a condition"
    assert reason(numbers, ["h"], graph) is None
    values, _ = by_runner(runner(graph))(*numbers, ["open_"])
    assert values["open_"].dtype is torch.bool


def test_cells_without_a_kernel(eager_calls: list[str]) -> None:
    @unrolled.cell
    def one(x, h):
        h = tanh(affine(x, h)) + affine(mean(h))
        return locals()

    numbers, _ = call(one.graph)
    expected = "a learned layer of the loop reads one number for all units"
    assert reason(numbers, graph=one.graph) == expected
    found = outcome(by_runner(runner(one.graph)), numbers, ["h"])
    assert eager_calls == ["one"]
    assert_close(found, outcome(by_definition(one.graph), numbers, ["h"]))


def test_without_llvmlite(monkeypatch: pytest.MonkeyPatch, eager_calls: list[str]) -> None:
    stages = tuple(
        f"unrolled.kernels.{stage}"
        for stage in ("autograd", "runtime.jit", "runtime.l", "runtime.re")
    )
    for name in [name for name in sys.modules if name.startswith(stages)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "llvmlite", None)
    numbers, _ = call(GRAPH)
    found = reason(numbers)
    assert found is not None
    assert found.startswith("kernels need llvmlite: ")
    by_runner(runner())(*numbers, ["h"])
    assert eager_calls == ["lstm"]


@deprecated
@pytest.mark.slow
def test_compile_and_export(eager_calls: list[str]) -> None:
    layer = unrolled.LSTM(3, 4)
    x = torch.randn(5, 2, 3)
    expected = layer(x)[0]
    assert eager_calls == []
    function = torch.compile(layer, backend="eager", fullgraph=True)
    torch.testing.assert_close(function(x)[0], expected)
    program = torch.export.export(layer, (x,))
    torch.testing.assert_close(program.module()(x)[0], expected)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_tracing() -> None:
    layer = unrolled.LSTM(3, 4)
    x = torch.randn(5, 2, 3)
    traced = torch.jit.trace(layer, x)
    torch.testing.assert_close(traced(2 * x)[0], layer(2 * x)[0])


# Runners.


def test_runners_are_copied_without_their_kernels() -> None:
    first, width = runner(), SIZES["input"]
    known = first.recurrences(torch.float64, width)
    assert deepcopy(first) is first
    again = pickle.loads(pickle.dumps(first))
    assert again.recurrences(torch.float64, width) is known  # of an equal cell
    assert first.recurrences(torch.float64, width + 1) is not known
    assert first.recurrences(torch.float32, width) is not known
    assert first.recurrences(torch.float32, width) is first.recurrences(torch.float32, width)


# Surroundings that change nothing.


@contextmanager
def default_device() -> Iterator[None]:
    torch.set_default_device("meta")
    try:
        yield
    finally:
        torch.set_default_device(None)


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    known = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(known)


@pytest.mark.broad
@pytest.mark.parametrize(
    "context",
    [
        lambda: torch.device("meta"),
        default_device,
        lambda: default_dtype(torch.float64),
        lambda: default_dtype(torch.bfloat16),
        torch.inference_mode,
        torch.no_grad,
    ],
    ids=["with device", "device", "float64", "bfloat16", "inference", "no_grad"],
)
@pytest.mark.parametrize("way", ["forward", "ragged reverse"])
def test_contexts_change_nothing(
    context: Callable[[], AbstractContextManager[Any]], way: str, eager_calls: list[str]
) -> None:
    graph = CELLS["lstm_layernorm"].graph
    numbers, options = call(graph, way, steps=3, rows=3)
    numbers = cast(numbers, torch.float32)
    gradients = context in (torch.inference_mode, torch.no_grad)
    run = inferred if gradients else outcome
    expected = run(by_runner(runner(graph)), numbers, ["h"], **options)
    with context():
        found = inferred(by_runner(runner(graph)), numbers, ["h"], **options)
    for name, value in found.items():
        assert value.device.type == "cpu"
        assert value.dtype is torch.float32
        assert value.equal(expected[name])
    assert eager_calls == []


def test_gradients_in_other_contexts() -> None:
    layer, x = unrolled.Recurrent(CELLS["lstm_layernorm"], 3, 4), torch.randn(5, 2, 3)
    layer(x)[0].sum().backward()
    expected = [parameter.grad for parameter in layer.parameters()]
    for context in (torch.device("meta"), default_dtype(torch.float64), default_device()):
        layer.zero_grad()
        with context:
            layer(x)[0].sum().backward()
        for parameter, known in zip(layer.parameters(), expected, strict=True):
            assert parameter.grad is not None
            assert known is not None
            assert parameter.grad.equal(known)


def test_inference_first_and_training_later() -> None:
    """What is remembered of a shape in inference mode serves training too."""
    numbers, _ = call(GRAPH, steps=11, rows=2)
    with torch.inference_mode():
        by_runner(runner())(*numbers, ["h"])
        by_runner(runner())(*numbers, ["h"], None, True)
    expected = outcome(by_definition(GRAPH), numbers, ["h"])
    assert_close(outcome(by_runner(runner()), numbers, ["h"]), expected)


# Weights.


@pytest.mark.parametrize("change", ["data", "in place", "load_state_dict", "optimizer"])
def test_changed_weights_are_seen_by_the_next_call(change: str, eager_calls: list[str]) -> None:
    layer, x = unrolled.LSTM(3, 4, num_layers=2, bidirectional=True), torch.randn(5, 2, 3)
    layer(x)
    other = {name: torch.randn_like(value) for name, value in layer.state_dict().items()}
    if change == "data":
        for name, parameter in layer.named_parameters():
            parameter.data = other[name]
    elif change == "in place":
        with torch.no_grad():
            for name, parameter in layer.named_parameters():
                parameter.copy_(other[name])
    elif change == "load_state_dict":
        layer.load_state_dict(other)
    else:
        layer(x)[0].sum().backward()
        torch.optim.SGD(layer.parameters(), lr=0.5).step()
    found = layer(x)[0]
    assert eager_calls == []
    with eager_only():
        torch.testing.assert_close(found, layer(x)[0])


# Threads and processes.


@pytest.mark.broad
def test_many_threads_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """They ask for the same kernels, none of which is there yet, and use two threads each."""
    monkeypatch.setattr(recurrence, "_known", Cache(cache.kernels))
    monkeypatch.setattr(code, "WORTH_A_THREAD", 1)
    torch.set_num_threads(2)
    cells = [CELLS[name].graph for name in ("lstm", "gru", "indrnn")]
    numbers = [call(graph)[0] for graph in cells]
    expected = [
        outcome(by_definition(graph), given, ["h"])
        for graph, given in zip(cells, numbers, strict=True)
    ]
    ready = threading.Barrier(6)

    def work(number: int) -> None:
        which = number % 3
        ready.wait()
        for _ in range(5):
            found = outcome(by_runner(Runner(cells[which], SIZES)), numbers[which], ["h"])
            assert_close(found, expected[which])

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    assert len(recurrence._known) == 3


def ran(numbers: Sample, threads: int) -> dict[str, Tensor]:
    """What kernels compute; gradients, too, where PyTorch's own products can be computed.

    In a process that was forked from one with threads, those wait for ever on several threads.
    """
    run = outcome if threads == 1 else inferred
    return run(by_runner(runner()), numbers, ["h"])


def _child(connection: Any, numbers: Sample, threads: int) -> None:
    """Runs a cell in another process and sends what comes out."""
    torch.set_num_threads(threads)
    code.WORTH_A_THREAD = 1
    connection.send({name: value.numpy() for name, value in ran(numbers, threads).items()})
    connection.close()


def in_process(method: str, numbers: Sample, threads: int) -> dict[str, Any]:
    context = multiprocessing.get_context(method)
    mine, other = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(other, numbers, threads))
    process.start()
    other.close()
    try:
        assert mine.poll(60), "the process does not finish"
        found = mine.recv()
        process.join(60)
        assert process.exitcode == 0
    finally:
        process.kill()
    return found


@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="processes cannot be copied here"
)
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("threads", [1, 2])
def test_forked_processes(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The threads of the parent's kernels are not there, and nothing waits for them."""
    monkeypatch.setattr(code, "WORTH_A_THREAD", 1)
    torch.set_num_threads(2)
    numbers, _ = call(GRAPH)
    expected = outcome(by_runner(runner()), numbers, ["h"])
    found = in_process("fork", numbers, threads)
    assert found.keys() == (expected if threads == 1 else ran(numbers, threads)).keys()
    for name, value in found.items():
        torch.testing.assert_close(torch.from_numpy(value), expected[name])
    assert code._forked is False


@pytest.mark.slow
def test_spawned_processes() -> None:
    numbers, _ = call(GRAPH)
    expected = outcome(by_runner(runner()), numbers, ["h"])
    for name, value in in_process("spawn", numbers, 2).items():
        torch.testing.assert_close(torch.from_numpy(value), expected[name])
