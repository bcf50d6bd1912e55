"""Each name of `unrolled._torch`: where PyTorch has it, and where it does not."""

import ast
import ctypes
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from unrolled import _torch
from unrolled.kernels.runtime.abi import FUNCTIONS
from without import CHECKS, hidden

NAMES = " ".join(CHECKS).split()
FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="a fork for each name")


def copy(*names: str) -> ModuleType:
    """The file once more, as if PyTorch lacked these names."""
    assert _torch.__file__ is not None
    spec = importlib.util.spec_from_file_location("unrolled._torch_without", _torch.__file__)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    with hidden(*names):
        spec.loader.exec_module(made)
    return made


class Dispatched(TorchDispatchMode):
    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None):
        return function(*args, **(kwargs or {}))


class Called(TorchFunctionMode):
    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None):
        return function(*args, **(kwargs or {}))


def seen_in(around: Callable[[Callable[[Tensor], Tensor]], object], ask: Callable[[], Any]) -> Any:
    """What is said inside of a function that something is around."""
    said = []

    def function(x: Tensor) -> Tensor:
        said.append(ask())
        return x.sum()

    around(function)
    return said[0]


def test_every_name_is_removed_somewhere() -> None:
    """Those that are looked up when the file is imported, and those of tensors and modules."""
    tree = ast.parse(Path(_torch.__file__ or "").read_text(encoding="utf-8"))
    looked_up = {
        ".".join(str(ast.literal_eval(argument)) for argument in node.args)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "_find"
    }
    assert looked_up <= set(NAMES)


@pytest.mark.parametrize("gone", [(), ("torch._C._is_tracing",)])
def test_tracing(gone: tuple[str, ...]) -> None:
    made = copy(*gone)
    assert made.is_tracing() is False
    x = torch.ones(2)
    assert seen_in(lambda f: torch.jit.trace(f, (x,), check_trace=False), made.is_tracing) is True


@pytest.mark.parametrize(
    "gone",
    [
        (),
        ("torch._C._len_torch_dispatch_stack",),
        ("torch.utils._python_dispatch._get_current_dispatch_mode",),
    ],
)
def test_dispatch_modes(gone: tuple[str, ...]) -> None:
    made = copy(*gone)
    assert not made.count_dispatch_modes()
    assert not made.is_watched()
    with Dispatched():
        assert made.count_dispatch_modes()
        assert made.is_watched()


def test_without_the_names_of_dispatch_modes_there_is_always_one() -> None:
    made = copy(
        "torch._C._len_torch_dispatch_stack",
        "torch.utils._python_dispatch._get_current_dispatch_mode",
    )
    assert made.is_watched()


@pytest.mark.parametrize("gone", [(), ("torch._C._len_torch_function_stack",)])
def test_function_modes(gone: tuple[str, ...]) -> None:
    made = copy(*gone)
    assert not made.count_function_modes()
    with Called():
        assert made.count_function_modes()
        assert made.is_watched()
    with torch.device("cpu"):
        assert made.count_function_modes()
        assert not made.is_watched()


@pytest.mark.parametrize(
    "gone",
    [
        "torch.overrides._get_current_function_mode_stack",
        "torch.utils._device.DeviceContext",
    ],
)
def test_without_the_names_of_modes_a_device_counts_as_one(gone: str) -> None:
    made = copy(gone)
    assert not made.is_watched()
    with torch.device("cpu"):
        assert made.is_watched()


TRANSFORMS = {
    "vmap": lambda f: torch.func.vmap(f)(torch.ones(2, 3)),
    "grad": lambda f: torch.func.grad(f)(torch.ones(3)),
    "jvp": lambda f: torch.func.jvp(f, (torch.ones(3),), (torch.ones(3),)),
    "functionalize": lambda f: torch.func.functionalize(f)(torch.ones(3)),
}


@pytest.mark.parametrize("gone", [(), ("torch._C._functorch.maybe_current_level",)])
@pytest.mark.parametrize("name", TRANSFORMS)
def test_transforms(name: str, gone: tuple[str, ...]) -> None:
    made = copy(*gone)
    assert made.is_transformed() is False
    assert seen_in(TRANSFORMS[name], made.is_transformed) is True
    assert made.is_transformed() is False


@pytest.mark.parametrize("gone", [(), ("torch.autograd.forward_ad._current_level",)])
def test_forward_mode(gone: tuple[str, ...]) -> None:
    made = copy(*gone)
    assert made.is_forward_mode() is False
    with forward_ad.dual_level():
        assert made.is_forward_mode() is True
    assert made.is_forward_mode() is False


@pytest.mark.parametrize("gone", [(), ("torch._C._current_graph_task_id",)])
def test_backward_passes(gone: tuple[str, ...]) -> None:
    made = copy(*gone)
    assert made.is_in_backward() is False
    said = []
    leaf = torch.ones(2, requires_grad=True)
    leaf.register_hook(lambda gradient: said.append(made.is_in_backward()))
    leaf.sum().backward()
    assert said == [True]


@pytest.mark.parametrize("gone", [(), ("torch.fx.experimental.symbolic_shapes.guard_scalar",)])
def test_fixed_numbers(gone: tuple[str, ...]) -> None:
    compiled = torch.compile(lambda x: x + _torch.fixed(x.shape[0]), backend="eager", dynamic=True)
    compiled(torch.ones(2))  # the compiler's own tables, made once, need the name
    torch.compiler.reset()
    with hidden(*gone):
        assert compiled(torch.ones(3)).tolist() == [4] * 3
        assert compiled(torch.ones(4)).tolist() == [5] * 4
    torch.compiler.reset()


def test_decided_once_is_what_pytorch_does_itself() -> None:
    def ours() -> None: ...

    def theirs() -> None: ...

    assert vars(_torch.decided_once(ours)) == vars(torch.compiler.assume_constant_result(theirs))


def test_exporting() -> None:
    assert copy().is_exporting() is False
    assert copy("torch.compiler.is_exporting").is_exporting() is False


KEYS = (
    "torch._C._dispatch_tls_local_exclude_set",
    "torch._C._dispatch_tls_local_include_set",
    "torch._C._ForceDispatchKeyGuard",
    "torch._C.DispatchKey",
)


def test_autograd_below_itself() -> None:
    assert _torch.differentiates_in_operators
    leaf = torch.ones(2, requires_grad=True)
    with torch._C._AutoDispatchBelowAutograd():  # pyright: ignore
        assert not leaf.exp().requires_grad
        with _torch.autograd_in_operators():
            assert leaf.exp().requires_grad
        assert not leaf.exp().requires_grad


@pytest.mark.parametrize("gone", KEYS)
def test_without_keys_operators_are_not_called(gone: str) -> None:
    made = copy(gone)
    assert not made.differentiates_in_operators
    with pytest.raises(RuntimeError, match="no way to differentiate inside of an operator"):
        made.autograd_in_operators().__enter__()


def test_guards() -> None:
    assert _torch.has_guards
    check = _torch.guard([torch.ones(2, 3)], strides=True)
    loose = _torch.guard([torch.ones(2, 3)], strides=False)
    other = [torch.ones(3, 2), torch.ones(2, 3, dtype=torch.float64)]
    other += [torch.ones(2, 3, requires_grad=True), torch.nn.Parameter(torch.ones(2, 3))]
    for each in (check, loose):
        assert each(torch.zeros(2, 3))
        assert not any(map(each, other))
    turned = torch.ones(3, 2).t()
    assert not check(turned)
    assert loose(turned)


def test_without_guards_or_with_other_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "torch._C._dynamo.guards.TensorGuards"
    assert not copy(name).has_guards
    monkeypatch.setattr(name, lambda *tensors: None)
    assert not copy().has_guards


def test_addresses() -> None:
    assert _torch.has_addresses
    library = _torch.library(tuple(FUNCTIONS.values()))
    tensor = torch.ones(3)
    if library is not None:
        place, answer = ctypes.c_int64(_torch.address(tensor)), ctypes.c_int64()
        assert library.aoti_torch_get_data_ptr(ctypes.byref(place), ctypes.byref(answer)) == 0
        assert answer.value == tensor.data_ptr()
    assert not copy("torch.Tensor._cdata").has_addresses


def test_users_of_a_storage() -> None:
    assert _torch.counts_users
    tensor = torch.ones(3)
    before = _torch.users(tensor.untyped_storage())
    other = tensor[:2]
    assert _torch.users(tensor.untyped_storage()) == before + 1
    del other
    assert not copy("torch._C._storage_Use_Count").counts_users
    assert not copy("torch.UntypedStorage._cdata").counts_users


def test_zeros() -> None:
    zeros = torch._efficientzerotensor((2,))
    assert _torch.is_zero(zeros)
    assert not _torch.is_zero(torch.zeros(2))
    assert not copy("torch.Tensor._is_zerotensor").is_zero(zeros)


STANDING = (
    "torch._C._functorch.is_legacy_batchedtensor",
    "torch._C._functorch.is_batchedtensor",
    "torch._C._functorch.is_functorch_wrapped_tensor",
)


@pytest.mark.parametrize("gone", [(), *((name,) for name in STANDING), STANDING])
def test_tensors_that_stand_for_others(gone: tuple[str, ...]) -> None:
    made = copy(*gone)
    found = []

    class Function(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: Any, gradient: Any) -> Any:
            found.append((made.is_batched(gradient), made.is_wrapped(gradient)))
            return gradient

    def function(x: Tensor) -> Tensor:
        found.append((made.is_batched(x), made.is_wrapped(x)))
        return x.sum()

    function(torch.ones(3))
    assert found.pop() == (False, False)
    torch.func.vmap(function)(torch.ones(2, 3))
    assert found.pop() == (True, True)
    leaf = torch.ones(3, requires_grad=True)
    torch.autograd.grad(Function.apply(leaf), leaf, torch.eye(3), is_grads_batched=True)
    assert found.pop() == (True, True)
    torch.func.grad(function)(torch.ones(3))
    assert found.pop()[1]


def test_versions() -> None:
    tensor = torch.ones(2)
    before = _torch.version(tensor)
    assert _torch.version(tensor) == before
    tensor.add_(1)
    assert _torch.version(tensor) != before
    with hidden("torch.Tensor._version"):
        assert _torch.version(tensor) != _torch.version(tensor)


def test_scripted_modules() -> None:
    scripted = torch.jit.script(torch.nn.Linear(2, 2))
    assert _torch.is_scripted(scripted)
    assert not _torch.is_scripted(torch.nn.Linear(2, 2))
    assert not copy("torch.jit.ScriptModule").is_scripted(torch.nn.Linear(2, 2))


@pytest.mark.broad
def test_compiled_modules() -> None:
    module = torch.nn.Linear(2, 2)
    assert not _torch.is_compiled(module)
    assert _torch.is_compiled(torch.compile(module, backend="eager"))
    module.compile()
    assert _torch.is_compiled(module)
    with hidden("torch.nn.Module._compiled_call_impl"):
        assert not _torch.is_compiled(torch.nn.Linear(2, 2))


@pytest.mark.parametrize("gone", [(), ("torch.nn.RNNBase._init_flat_weights",)])
def test_flat_weights(gone: tuple[str, ...]) -> None:
    layer, x = torch.nn.GRU(3, 4), torch.ones(5, 2, 3)
    with hidden(*gone):
        _torch.drop_flat_weights(layer)
        assert ("_flat_weights" in vars(layer)) is bool(gone)
        layer._parameters["weight_hh_l0"] = torch.nn.Parameter(torch.zeros(12, 4))
        _torch.renew_flat_weights(layer)
    other = torch.nn.GRU(3, 4)
    other.load_state_dict(layer.state_dict())
    torch.testing.assert_close(layer(x)[0], other(x)[0])
    assert "_flat_weight_refs" not in _torch.picklable(layer)


def test_what_cudnn_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    handed = []
    monkeypatch.setattr("torch._cudnn_rnn_flatten_weight", lambda *given: handed.append(given))
    copy().flatten_for_cudnn(1, 2)
    copy("torch._cudnn_rnn_flatten_weight").flatten_for_cudnn(3)
    assert handed == [(1, 2)]


def test_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _torch.library(["no_such_function"]) is None
    assert _torch.openmp(["no_such_function"]) is None
    monkeypatch.setattr(_torch, "_FOLDER", "/nowhere")
    assert _torch.library(tuple(FUNCTIONS.values())) is None
    assert _torch.openmp(["omp_get_num_threads"]) is None


@pytest.fixture(scope="module")
def said() -> dict[str, str]:
    """What went wrong without each name, in a fork for each."""
    folder = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, str(folder / "without.py")],
        capture_output=True,
        text=True,
        timeout=600,
        cwd=folder.parent,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@FORKS
@pytest.mark.slow
@pytest.mark.parametrize("names", [*CHECKS, "its libraries", "all of them"])
def test_the_library_works_without(names: str, said: dict[str, str]) -> None:
    assert said[names] == ""
