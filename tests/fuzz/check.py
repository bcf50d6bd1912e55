"""One cell and one call: the kernel against the definition, values and gradients."""

from __future__ import annotations

import copy
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

import unrolled
from unrolled.errors import CellError
from unrolled.kernels import eager
from unrolled.kernels.dispatch import Runner
from unrolled.kernels.request import Request, Results
from unrolled.kernels.runtime import code, kernel, recurrence
from unrolled.kernels.runtime import jit as machine
from unrolled.testing import TOLERANCE, differences, eager_only

from .calls import Call, Module
from .written import Written

DRAWS = 3
"""How often numbers are drawn for a call until some are away from kinks and well conditioned."""

MARGIN = {torch.float64: 1e-9, torch.float32: 1e-4}
"""How near to a kink, relative to what is compared, rounding may take another side of it."""

ROUNDING = {torch.float64: 20 * 2.0**-53, torch.float32: 20 * 2.0**-24}
"""By how much the result of each function may differ, relative to its size, by being rounded."""

NOISE = 1e-9
"""By how much it is changed to see what comes of it."""

ROUNDED = frozenset(
    {function for function in eager.EAGER.values() if function}
    | {torch.nn.functional.linear, torch.nn.functional.layer_norm, Tensor.sum}
)
"""The functions that round their results, and some whose results are exact."""

Named = dict[str, Tensor]


class Verdict(NamedTuple):
    """What came of a case.

    Attributes:
        status: "same", "failed", "excused" or "invalid", which is no cell at all.
        detail: why; of a failure, what differs or what was raised.
        way: what `unrolled.explain` says of the call.
    """

    status: str
    detail: str = ""
    way: str = ""


def check(written: Written, call: Call) -> Verdict:
    """Hold the kernel of a case against the definition."""
    try:
        module = call.module(written.cell("fuzzed_long" if call.long else "fuzzed"))
    except (CellError, ValueError) as error:
        return Verdict("invalid", str(error))
    try:
        with _settings(call):
            return _compared(module, call)
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{place.filename.rpartition('/')[2]}:{place.name}"
        return Verdict("failed", f"{type(error).__name__} in {where}: {error}")


@contextmanager
def _settings(call: Call) -> Iterator[None]:
    """Kernels of the kind that a call asks for, however small it is, quickly written."""
    with ExitStack() as stack:

        def put(owner: Any, **values: Any) -> None:
            for name, value in values.items():
                stack.callback(setattr, owner, name, getattr(owner, name))
                setattr(owner, name, value)

        put(machine, EFFORT=3 if call.optimised else 0)
        if call.long:
            put(recurrence, LARGE_PRODUCT=0)
        if call.operator:
            put(Runner, run=_by_operator, replay=lambda *given: None)
        if call.threads:
            put(code, WORTH_A_THREAD=1)
            put(kernel, WORTH_CONCURRENCY=0)
            stack.callback(torch.set_num_threads, torch.get_num_threads())
            torch.set_num_threads(2)
        if call.threads == "units":
            put(kernel, WORTH_BARRIERS=0, FEW_ROWS=100)
        yield


def _by_operator(runner: Runner, requests: Sequence[Request]) -> list[Results]:
    """What `Runner.run` does in code that PyTorch compiles, which takes long to compile."""
    for request in requests:
        if runner.obstacle(request) is None:
            x = request.inputs[0]
            made_for = runner.digest, runner.recompute
            described = runner._described(
                x.dtype, x.shape[-1], runner.weights, request.record, made_for
            )
            assert described is not None, "explain() names no reason"
    return [runner._read(request) for request in requests]


def _compared(module: Module, call: Call) -> Verdict:
    exact = module if call.dtype == "float64" else copy.deepcopy(module).double()
    reasons = []
    for draw in range(DRAWS):
        given, further = call.arguments(module, draw)
        way = unrolled.explain(module, *given, **further)
        if call.before:
            with torch.no_grad():
                module(*given, **further)
        with _eager_runs() as runs:
            found = outcome(module, call, given, further)
        wrong = _wrong_way(way, call, len(runs))
        if wrong:
            return Verdict("failed", wrong, way)
        with eager_only():
            precise = _double(given)
            expected = outcome(exact, call, precise, further)
        lines = differences(found, expected, call.torch_dtype)
        if not lines:
            again = outcome(module, call, given, further)
            lines = [f"again: {line}" for line in differences(again, found, call.torch_dtype)]
            return Verdict("failed" if lines else "same", "; ".join(lines), way)
        reason = _excuse(exact, call, precise, further, expected)
        if reason is None:
            return Verdict("failed", "; ".join(lines), way)
        reasons.append(reason)
    return Verdict("excused", "; ".join(dict.fromkeys(reasons)), way)


@contextmanager
def _eager_runs() -> Iterator[list[None]]:
    """How often the eager definition runs over a sequence."""
    runs: list[None] = []
    run = eager.run

    def counted(*arguments: Any, **options: Any) -> Any:
        runs.append(None)
        return run(*arguments, **options)

    eager.run = counted
    try:
        yield runs
    finally:
        eager.run = run


def _wrong_way(way: str, call: Call, runs: int) -> str | None:
    """Where a call takes another way than `explain` says."""
    if "llvmlite" in way:
        return way
    if call.record or call.twice or call.batched:
        return None  # values that no kernel hands out, and second gradients, are by the definition
    if way.startswith("compiled kernel"):
        return f"explain says {way!r}, but the eager definition ran" if runs else None
    if not way.startswith("eager definition: "):
        return f"explain says {way!r}"
    empty = call.form == "lengths" and not any(call.lengths)
    return None if runs or empty else f"explain says {way!r}, but a kernel ran"


def _double(value: Any) -> Any:
    """The same arguments in float64, as leaves of their own."""
    if isinstance(value, Tensor):
        return value.detach().double().requires_grad_(value.requires_grad)
    if isinstance(value, torch.nn.utils.rnn.PackedSequence):
        return value._replace(data=_double(value.data))
    return tuple(map(_double, value))


def outcome(module: Module, call: Call, given: Any, further: Any) -> Named:
    """All that a call returns and records, and the gradients of a random sum of it."""
    torch.manual_seed(3)
    recorded: Named = {}
    with torch.set_grad_enabled(call.gradients):
        if call.record:
            graph = call.record == "record with graph"
            with unrolled.record(module, keep_graph=graph) as recording:
                returned = module(*given, **further)
            recorded = {f"recorded {name}": recording[name] for name in recording}
        else:
            returned = module(*given, **further)
    values = _returned(module, call, returned) | recorded
    results = {name: value.detach() for name, value in values.items()}
    if call.gradients:
        results |= _gradients(module, call, given, values)
    return results


def _returned(module: Module, call: Call, returned: Any) -> Named:
    output, states = (None, returned) if call.step else returned
    states = (states,) if isinstance(states, Tensor) else states
    values = {f"last {n}": s for n, s in zip(module.cell.states, states, strict=True)}
    if call.step:
        return values
    if call.loss != "everything":
        values = {} if call.loss == "output" else values
    return values if call.loss == "last states" else {**values, "output": output.data}


def _gradients(module: Module, call: Call, given: Any, values: Named) -> Named:
    """Of everything that needs one; 0 where nothing depends on it."""
    generator = torch.Generator().manual_seed(4)
    parts = []
    for value in values.values():
        into = torch.randn(value.shape, generator=generator, dtype=torch.float64)
        if value.requires_grad:
            parts.append((value * into).sum())
    x, *hx = given
    wanted = {"input": x if isinstance(x, Tensor) else x.data}
    for states in hx:
        states = (states,) if isinstance(states, Tensor) else states
        wanted |= {f"first {n}": s for n, s in zip(module.cell.states, states, strict=True)}
    wanted |= dict(module.named_parameters())
    wanted = {name: tensor for name, tensor in wanted.items() if tensor.requires_grad}
    tensors = list(wanted.values())
    if call.retained:
        _differentiated(parts, tensors, False, retain_graph=True)
    if call.batched:
        found = _differentiated(parts, tensors, call.twice, retain_graph=True)
        together = _batched(parts, tensors)
    else:
        found, together = _differentiated(parts, tensors, call.twice), []
    named = {f"gradient of {name}": g.detach() for name, g in zip(wanted, found, strict=True)}
    if call.twice:
        squares = [(g * g).sum() for g in found if g.requires_grad]
        twice = _differentiated(squares, tensors, False)
        named |= {f"second gradient of {n}": g for n, g in zip(wanted, twice, strict=True)}
    named |= {f"gradients at once of {n}": g for n, g in zip(wanted, together, strict=False)}
    return named


def _batched(parts: list[Tensor], wanted: list[Tensor]) -> Sequence[Tensor]:
    """The gradients of some multiples of a sum, by one vectorized pass."""
    if not parts or not wanted:
        return [torch.zeros_like(tensor).expand(2, *tensor.shape) for tensor in wanted]
    total = torch.stack(parts).sum()
    into = torch.tensor([1.0, -2.0], dtype=total.dtype)
    options: Any = {"allow_unused": True, "is_grads_batched": True, "retain_graph": True}
    found = torch.autograd.grad(total, wanted, into, **options)
    return [
        torch.zeros_like(t).expand(2, *t.shape) if g is None else g.detach()
        for t, g in zip(wanted, found, strict=True)
    ]


def _differentiated(
    parts: list[Tensor], wanted: list[Tensor], again: bool, **further: Any
) -> Sequence[Tensor]:
    """The gradients of a sum."""
    if not parts or not wanted:
        return [torch.zeros_like(tensor) for tensor in wanted]
    options: Any = {"allow_unused": True, "materialize_grads": True, **further}
    if again:
        options["create_graph"] = True
    return torch.autograd.grad(torch.stack(parts).sum(), wanted, **options)


# What excuses a difference.


def _excuse(exact: Module, call: Call, given: Any, further: Any, expected: Named) -> str | None:
    """Why the definition itself says nothing certain about these numbers."""
    dtype = call.torch_dtype  # 1e39 is no number of float32
    if not all(bool(value.to(dtype).isfinite().all()) for value in expected.values()):
        return "not finite"
    with eager_only(), _Kinks(MARGIN[call.torch_dtype]) as kinks:
        outcome(exact, call, given, further)
    if kinks.near:
        return f"near a kink of {kinks.near}"
    return _ill_conditioned(exact, call, given, further, expected)


def _ill_conditioned(
    exact: Module, call: Call, given: Any, further: Any, expected: Mapping[str, Tensor]
) -> str | None:
    """Whether functions rounded a little otherwise make a difference larger than the tolerance."""
    with eager_only(), _Noise():
        near = outcome(exact, call, given, further)
    dtype = call.torch_dtype
    for name, value in expected.items():
        if value.numel():
            moved = float((near[name] - value).abs().max()) / max(1.0, float(value.abs().max()))
            if not moved / NOISE * ROUNDING[dtype] <= TOLERANCE[dtype]:
                return "ill-conditioned"
    return None


class _Noise(TorchFunctionMode):
    """Changes the result of every function a little, relative to its size."""

    def __init__(self) -> None:
        super().__init__()
        self._generator = torch.Generator().manual_seed(5)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func not in ROUNDED or not result.is_floating_point():
            return result
        with torch._C.DisableTorchFunctionSubclass():
            noise = torch.randn(result.shape, generator=self._generator, dtype=result.dtype)
            return result * (1 + NOISE * noise)


class _Kinks(TorchFunctionMode):
    """Watches how near the definition comes to a kink.

    Attributes:
        near: the function of the last kink that was too near, or nothing.
    """

    def __init__(self, margin: float) -> None:
        super().__init__()
        self.near = ""
        self._margin = margin

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (torch.relu, torch.abs):
            self._see(func.__name__, args[0], torch.zeros((), dtype=torch.float64))
        elif func in (torch.minimum, torch.maximum, torch.lt, torch.le):
            self._see(func.__name__, *args[:2])
        return func(*args, **(kwargs or {}))

    def _see(self, name: str, a: Tensor, b: Tensor) -> None:
        with torch._C.DisableTorchFunctionSubclass():
            scale = torch.maximum(a.abs(), b.abs()).clamp(min=1.0)
            if a.numel() and b.numel() and bool(((a - b).abs() < self._margin * scale).any()):
                self.near = name
