"""What the library computes where PyTorch lacks a name: it is checked in a fork for each.

`tests/test_torch.py` runs this file, which prints as JSON what went wrong, by name.
"""

from __future__ import annotations

import importlib
import json
import os
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import checkpoint

Check = Callable[[], None]


class _Missing:
    """An attribute that a class does not have."""

    def __get__(self, instance: object, owner: type | None = None) -> object:
        raise AttributeError


@contextmanager
def hidden(*names: str) -> Iterator[None]:
    """Inside, PyTorch has no such names, written with their module or class."""
    before: list[tuple[Any, str, Any]] = []
    for owner, name in [_place(name) for name in names]:
        if isinstance(owner, type):
            before.append((owner, name, vars(owner).get(name, _Missing)))
            setattr(owner, name, _Missing())
        elif hasattr(owner, name):  # some versions lack it anyway
            before.append((owner, name, getattr(owner, name)))
            delattr(owner, name)
    try:
        yield
    finally:
        for owner, name, value in reversed(before):
            if value is _Missing:
                delattr(owner, name)
            else:
                setattr(owner, name, value)


def _place(name: str) -> tuple[Any, str]:
    """The module or class of a name, and the name in it."""
    path, _, last = name.rpartition(".")
    try:
        return importlib.import_module(path), last
    except ImportError:
        return getattr(*_place(path)), last


# What is checked: always that layers, cells and their gradients are PyTorch's.


def _twins() -> tuple[Any, Any]:
    import unrolled

    torch.manual_seed(0)
    theirs = torch.nn.RNN(3, 4)
    ours = unrolled.RNN(3, 4)
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def _way() -> str:
    import unrolled

    ours, _ = _twins()
    return unrolled.explain(ours, torch.randn(5, 2, 3)).splitlines()[0]


def _close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def as_pytorch() -> None:
    """Inference and training, of a first call and of those like it."""
    ours, theirs = _twins()
    for _ in range(3):
        x = torch.randn(5, 2, 3)
        with torch.no_grad():
            _close(ours(x)[0], theirs(x)[0])
        _close(ours(x)[0], theirs(x)[0])
        ours.zero_grad()
        theirs.zero_grad()
        ours(x)[0].square().sum().backward()
        theirs(x)[0].square().sum().backward()
        for name, weight in theirs.named_parameters():
            _close(dict(ours.named_parameters())[name].grad, weight.grad)


def on_kernels() -> None:
    """The way is the usual one."""
    assert _way().startswith("compiled kernel"), _way()


def by_definition() -> None:
    """The way is the eager definition."""
    assert _way().startswith("eager definition"), _way()


def traced() -> None:
    """A trace holds the operations, not the numbers of one call."""
    ours, theirs = _twins()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing is deprecated, and warns of sizes
        trace = torch.jit.trace(ours, torch.randn(5, 2, 3))
    x = torch.randn(5, 2, 3)
    _close(trace(x)[0], theirs(x)[0])


def scripted() -> None:
    """A model with a scripted module is adopted but for that."""
    import unrolled

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = torch.nn.ModuleList([torch.nn.LSTM(3, 4), torch.jit.script(torch.nn.GRU(3, 4))])
    assert list(unrolled.adopt(model).changed) == ["0"]


def seen_by_dispatch_modes() -> None:
    """A mode sees every operation."""

    class Seen(TorchDispatchMode):
        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kw: Any = None):
            names.append(str(function))
            return function(*args, **(kw or {}))

    names: list[str] = []
    ours, _ = _twins()
    x = torch.randn(5, 2, 3)
    ours(x), ours(x)
    with Seen():
        ours(x)
    assert any("tanh" in name for name in names), names


def seen_by_function_modes() -> None:
    """A mode sees every function; that of `torch.device` changes no result."""

    class Seen(TorchFunctionMode):
        def __torch_function__(self, function: Any, types: Any, args: Any = (), kw: Any = None):
            names.append(getattr(function, "__name__", ""))
            return function(*args, **(kw or {}))

    names: list[str] = []
    ours, theirs = _twins()
    x = torch.randn(5, 2, 3)
    ours(x), ours(x)
    with Seen():
        ours(x)
    assert "tanh" in names, names
    with torch.device("cpu"):
        _close(ours(x)[0], theirs(x)[0])


def transformed() -> None:
    """Transforms of functions, and gradients that stand for many."""
    ours, theirs = _twins()
    x = torch.randn(3, 5, 2, 3)
    _close(torch.func.vmap(lambda x: ours(x)[0])(x), torch.stack([theirs(each)[0] for each in x]))
    ours(x[0]), ours(x[0])  # a third is made as they were
    found = torch.func.jacrev(lambda x: ours(x)[0])(x[0])
    _close(found, torch.autograd.functional.jacobian(lambda x: theirs(x)[0], x[0]))
    leaf = torch.randn(5, 2, 3, requires_grad=True)
    many = torch.eye(40).reshape(40, 5, 2, 4)
    (found,) = torch.autograd.grad(ours(leaf)[0], leaf, many, is_grads_batched=True)
    rows = [torch.autograd.grad(theirs(leaf)[0], leaf, each)[0] for each in many]
    _close(found, torch.stack(rows))


def in_profiles() -> None:
    """Calls are made under a profiler, too."""
    ours, theirs = _twins()
    x = torch.randn(5, 2, 3)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], with_flops=True):
        for _ in range(3):
            _close(ours(x)[0], theirs(x)[0])
            ours(x)[0].sum().backward()


def not_recorded_in_transforms() -> None:
    """What a transform hides is not recorded."""
    import unrolled

    ours, _ = _twins()
    with unrolled.record(ours), pytest.raises(RuntimeError, match=r"torch\.func"):
        torch.func.vmap(lambda x: ours(x)[0])(torch.randn(3, 5, 2, 3))


def forward_mode() -> None:
    """Forward-mode derivatives, of zeros, too."""
    ours, theirs = _twins()
    x, tangent = torch.randn(5, 2, 3), torch.randn(5, 2, 3)
    ours(x), ours(x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch scripts derivatives, which is deprecated
        importlib.import_module("torch._decomp.decompositions_for_jvp")
    _, found = torch.func.jvp(lambda x: ours(x)[0], (x,), (tangent,))
    step = 1e-3
    expected = (theirs(x + step * tangent)[0] - theirs(x - step * tangent)[0]) / (2 * step)
    torch.testing.assert_close(found, expected, rtol=1e-2, atol=1e-3)
    forward = torch.autograd.forward_ad
    with forward.dual_level():
        dual = forward.make_dual(x, tangent)
        _close(forward.unpack_dual(ours(dual)[0]).tangent, found)


def recorded_once() -> None:
    """What a checkpoint computes again is not recorded again."""
    import unrolled

    ours, _ = _twins()
    x = torch.randn(5, 2, 3, requires_grad=True)
    with unrolled.record(ours, "l0.h", keep_graph=True) as recording:
        output: Any = checkpoint(lambda x: ours(x)[0], x, use_reentrant=False)
        output.sum().backward()
    _close(recording["l0.h"], output)


def in_loops() -> None:
    """Steps that share their weights have PyTorch's gradients, under checkpoints too."""
    import unrolled

    cells: list[Any] = [unrolled.GRUCell(3, 4), torch.nn.GRUCell(3, 4)]
    cells[1].load_state_dict(cells[0].state_dict())

    def loop(cell: Any, x: Tensor) -> Tensor:
        h = torch.zeros(2, 4)
        for step in x:
            h = cell(step, h)
        return h.square().sum()

    for _ in range(4):
        x = torch.randn(5, 2, 3, requires_grad=True)
        for cell in cells:
            cell.zero_grad()
            (
                loop(cell, x) + checkpoint(lambda x, c=cell: loop(c, x), x, use_reentrant=False)
            ).backward()
        for ours, theirs in zip(*(cell.parameters() for cell in cells), strict=True):
            _close(ours.grad, theirs.grad)


def no_libraries() -> None:
    """From here on there are no functions of C, and no OpenMP."""
    from unrolled import _torch

    _torch._FOLDER = "/nowhere"


def flows() -> None:
    """The gradients of states, by copies of the weights."""
    import unrolled

    ours, _ = _twins()
    x = torch.randn(5, 2, 3)
    first, second = (unrolled.gradient_flow(ours, x).norms["l0"] for _ in range(2))
    _close(first, second)


def adopted() -> None:
    """A model is adopted and released."""
    import unrolled

    _, theirs = _twins()
    x = torch.randn(5, 2, 3)
    expected = theirs(x)[0]
    unrolled.adopt(theirs)
    _close(theirs(x)[0], expected)
    theirs.load_state_dict({name: 2 * w for name, w in theirs.state_dict().items()})
    theirs.to(torch.float64)
    doubled = theirs(x.double())[0]
    unrolled.release(theirs)
    _close(theirs(x.double())[0], doubled)


def no_lazy_zeros() -> None:
    """A gradient of zeros without memory is an error that names it."""
    ours, _ = _twins()
    output = ours(torch.randn(5, 2, 3))[0]
    with pytest.raises(RuntimeError, match="gradient"):
        output.backward(torch._efficientzerotensor(output.shape))  # pyright: ignore


def lazy_zeros() -> None:
    """A gradient of zeros without memory is taken as one with it."""
    ours, _ = _twins()
    output = ours(torch.randn(5, 2, 3))[0]
    output.backward(torch._efficientzerotensor(output.shape))  # pyright: ignore
    assert not ours.weight_ih_l0.grad.any()


def reused() -> None:
    """Large arrays of a training step, whose memory is used again."""
    import unrolled

    layer = unrolled.LSTM(16, 32)
    x = torch.randn(300, 8, 16)
    gradients = []
    for _ in range(3):
        layer.zero_grad()
        layer(x)[0].square().sum().backward()
        gradients.append(layer.weight_hh_l0.grad.clone())
    _close(gradients[2], gradients[0])


def compiled() -> None:
    """What torch.compile makes, and its gradients."""
    ours, theirs = _twins()
    made = torch.compile(ours, backend="aot_eager")
    x = torch.randn(5, 2, 3)
    _close(made(x)[0], theirs(x)[0])
    made(x)[0].square().sum().backward()
    theirs(x)[0].square().sum().backward()
    _close(ours.weight_hh_l0.grad, theirs.weight_hh_l0.grad)


def exported() -> None:
    """What torch.export makes."""
    ours, theirs = _twins()
    x = torch.randn(5, 2, 3)
    _close(torch.export.export(ours, (x,)).module()(x)[0], theirs(x)[0])


FEW = (as_pytorch, on_kernels)

CHECKS: dict[str, tuple[Check, ...]] = {
    "torch._C._is_tracing": (*FEW, traced),
    "torch.jit.is_tracing": FEW,
    "torch._C._len_torch_dispatch_stack": (*FEW, seen_by_dispatch_modes),
    "torch.utils._python_dispatch._get_current_dispatch_mode": (*FEW, seen_by_dispatch_modes),
    "torch._C._len_torch_function_stack": (*FEW, seen_by_function_modes),
    "torch.overrides._get_current_function_mode_stack": (*FEW, seen_by_function_modes),
    "torch.utils._device.DeviceContext": (*FEW, seen_by_function_modes),
    "torch._C._functorch.maybe_current_level": (*FEW, transformed, not_recorded_in_transforms),
    "torch.autograd.forward_ad._current_level": (*FEW, forward_mode),
    "torch._C._current_graph_task_id": (*FEW, recorded_once, in_loops),
    "torch._C._autograd._top_saved_tensors_default_hooks": (*FEW, in_loops),
    "torch.autograd.profiler torch._C._profiler._RecordFunctionFast": (*FEW, in_profiles),
    "torch.fx.experimental.symbolic_shapes.guard_scalar": (*FEW, compiled),
    "torch.compiler.is_exporting": (*FEW, exported),
    "torch._higher_order_ops.scan.scan torch._higher_order_ops.scan.scan_op": (*FEW, exported),
    "torch._C._dispatch_tls_local_exclude_set torch._C._dispatch_tls_local_include_set "
    "torch._C._ForceDispatchKeyGuard torch._C.DispatchKey": (*FEW, compiled),
    "torch._C._dynamo.guards.TensorGuards": FEW,
    "torch.Tensor._cdata": (*FEW, reused),
    "torch._C._storage_Use_Count": (*FEW, reused),
    "torch.UntypedStorage._cdata": (*FEW, reused),
    "torch.Tensor._is_zerotensor": (*FEW, no_lazy_zeros),
    "torch._C._functorch.is_legacy_batchedtensor torch._C._functorch.is_batchedtensor "
    "torch._C._functorch.is_functorch_wrapped_tensor": (*FEW, transformed),
    "torch.Tensor._version": (*FEW, flows, in_loops),
    "torch.jit.ScriptModule": (*FEW, scripted),
    "torch._cudnn_rnn_flatten_weight": FEW,
    "torch.nn.Module._compiled_call_impl": (*FEW, adopted),
}
"""By names of PyTorch, what is checked without them."""


def _without(names: Sequence[str], checks: Sequence[Check]) -> str:
    """What goes wrong where PyTorch lacked names when the library was imported."""
    try:
        with hidden(*names):
            import unrolled

            for name in unrolled.__all__:
                getattr(unrolled, name)
        for check in checks:
            check()
    except BaseException:
        return traceback.format_exc()
    return ""


def _forked(names: Sequence[str], checks: Sequence[Check]) -> str:
    """The same, in a process of its own."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            with os.fdopen(writing, "w") as pipe:
                pipe.write(_without(names, checks))
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    return said or ("" if status == 0 else f"ended with status {status}")


def main() -> None:
    """Print what goes wrong, by name."""
    torch.set_num_threads(1)
    importlib.import_module("llvmlite.binding")  # once for all
    found = {names: _forked(names.split(), checks) for names, checks in CHECKS.items()}
    found["its libraries"] = _forked([], (no_libraries, *FEW, transformed, lazy_zeros))
    everything = " ".join(CHECKS).split()
    found["all of them"] = _forked(everything, (as_pytorch, by_definition, adopted))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
