"""Every name of PyTorch that is private, or that some versions lack, with what happens without it.

All are looked up here. A name that is gone costs speed, or the one feature that its entry tells,
and never an import or a result.
"""

from __future__ import annotations

import ctypes
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cache, wraps
from glob import escape, glob
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from itertools import count
from operator import attrgetter
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.overrides import has_torch_function

F = TypeVar("F", bound=Callable[..., object])


def _find(module: str, name: str) -> Any:
    """Return a name of one of PyTorch's modules, None where either is missing."""
    try:
        return getattr(import_module(module), name, None)
    except ImportError:
        return None


def _yes(*_: object) -> bool:
    return True


def _no(*_: object) -> bool:
    return False


# What PyTorch does with the operations of a call besides computing them.

is_tracing: Callable[[], bool] = (
    _find("torch._C", "_is_tracing") or _find("torch.jit", "is_tracing") or _no
)
"""Return whether `torch.jit.trace` records operations, of which a kernel has none.

Without the private name: the public one, which is slower. Without either nothing can be traced.
"""

_get_dispatch_mode: Callable[[], Any] | None = _find(
    "torch.utils._python_dispatch", "_get_current_dispatch_mode"
)


def _finds_dispatch_mode() -> bool:
    assert _get_dispatch_mode is not None
    return _get_dispatch_mode() is not None


count_dispatch_modes: Callable[[], int] = _find("torch._C", "_len_torch_dispatch_stack") or (
    _finds_dispatch_mode if _get_dispatch_mode is not None else _yes
)
"""Return how many `TorchDispatchMode`s see the operations of a call; a kernel has none to see.

Without the name: whether there is any, by another. Without either one is taken to be there: the
eager definition runs every call.
"""

_PLAIN = (torch.empty(0, device="cpu"),)


def _has_function_mode() -> bool:
    return has_torch_function(_PLAIN)


count_function_modes: Callable[[], int] = (
    _find("torch._C", "_len_torch_function_stack") or _has_function_mode
)
"""Return how many `TorchFunctionMode`s see the calls of PyTorch's functions.

Without the name: whether there is any, by a public function, which is slower.
"""

_function_modes: Callable[[], list[Any]] | None = _find(
    "torch.overrides", "_get_current_function_mode_stack"
)
_DeviceContext: type | None = _find("torch.utils._device", "DeviceContext")


def is_watched() -> bool:
    """Return whether a mode sees, or makes, tensors: it would miss what a kernel does with them.

    To say on which device new tensors are is no such mode: a kernel's say so themselves. Without
    the names of the modes and of that one: it counts as any other, and inside
    ``with torch.device("cpu"):`` the eager definition runs.
    """
    if count_dispatch_modes():
        return True
    if not count_function_modes():
        return False
    return _function_modes is None or any(type(m) is not _DeviceContext for m in _function_modes())


_current_level: Callable[[], int | None] | None = _find(
    "torch._C._functorch", "maybe_current_level"
)


def _is_refused_inside() -> bool:
    """Return the same by trying what PyTorch refuses inside of transforms."""
    try:
        torch.empty(0, device="cpu").requires_grad_()
    except RuntimeError:
        return True
    return False


def _has_level() -> bool:
    assert _current_level is not None
    return _current_level() is not None


is_transformed: Callable[[], bool] = (
    _has_level if _current_level is not None else _is_refused_inside
)
"""Return whether a transform of `torch.func`, such as vmap, is around the call.

Without the name: by trying what PyTorch refuses there, which is slower.
"""


def _reads_level() -> bool:
    return forward_ad._current_level >= 0


@cache
def _load_derivatives() -> None:
    """Let PyTorch load what the first dual tensor needs, of which it warns itself."""
    with warnings.catch_warnings(), suppress(RuntimeError):
        warnings.simplefilter("ignore")
        forward_ad.make_dual(*_PLAIN, *_PLAIN)


def _makes_dual() -> bool:
    """Return the same by trying what PyTorch refuses elsewhere."""
    _load_derivatives()
    try:
        forward_ad.make_dual(torch.zeros(1, device="cpu"), torch.zeros(1, device="cpu"))
    except RuntimeError:
        return False
    return True


is_forward_mode: Callable[[], bool] = (
    _reads_level if hasattr(forward_ad, "_current_level") else _makes_dual
)
"""Return whether forward-mode differentiation is on.

Without the name: by trying what PyTorch refuses elsewhere, which is slower.
"""

_graph_task: Callable[[], int] | None = _find("torch._C", "_current_graph_task_id")


def _outside() -> int:
    return -1


graph_task: Callable[[], int] = _graph_task or _outside
"""Return the number of the backward pass that is going on, -1 outside."""


def at_end_of_backward(callback: Callable[[], None]) -> bool:
    """Call a function when the backward pass that is going on has ended; False if that fails."""
    try:
        torch.autograd.Variable._execution_engine.queue_callback(callback)
    except (AttributeError, RuntimeError):
        return False
    return True


def _takes_callback() -> bool:
    """Return whether a backward pass is going on, by what PyTorch refuses elsewhere."""
    return at_end_of_backward(lambda: None)


def _has_graph_task() -> bool:
    return graph_task() != -1


_saved_hooks: Callable[[bool], Any] | None = _find(
    "torch._C._autograd", "_top_saved_tensors_default_hooks"
)


def hooks_saved_tensors() -> bool:
    """Return whether hooks see what is saved for a backward pass, as under a checkpoint."""
    return _saved_hooks is not None and _saved_hooks(False) is not None


tells_backward_passes: bool = (
    _graph_task is not None and _saved_hooks is not None and hasattr(Tensor, "_version")
)
"""Whether `graph_task`, `hooks_saved_tensors` and `version` work here.

Without them every step of a cell makes the gradients of its weights alone, which is slower.
"""


is_in_backward: Callable[[], bool] = _has_graph_task if _graph_task is not None else _takes_callback
"""Return whether a backward pass is going on: what a checkpoint computes again is not recorded.

Without the name: by trying what PyTorch refuses elsewhere, which is slower. Without either, what a
checkpoint computes again is recorded a second time.
"""


# What profilers have to know.

_profiler: Any = _find("torch.autograd", "profiler")
_tell: Any = _find("torch._C._profiler", "_RecordFunctionFast")

if not hasattr(_profiler, "_is_profiler_enabled"):
    _profiler = None


def is_profiled() -> bool:
    """Return whether a profiler of PyTorch runs. Without the name kernels have none there."""
    return _profiler is not None and _profiler._is_profiler_enabled


def tell_profiler(name: str, tensors: Sequence[Tensor]) -> None:
    """Tell the profiler of an operator that took no time. Without the name it counts no FLOPs."""
    if _tell is not None:
        with _tell(name, list(tensors)):
            pass


def has_hooks(module: nn.Module) -> bool:
    """Return whether something is called before or after a module's `forward`.

    Without the names: no. A symbolic trace then calls hooks twice.
    """
    names = ("_forward_hooks", "_forward_pre_hooks")
    return any(getattr(module, name, None) for name in names)


# What torch.compile and torch.export have to know.


def decided_once(function: F) -> F:
    """Let torch.compile call a function while it compiles, and build its result into the code.

    As `torch.compiler.assume_constant_result` does, which takes a second to import the compiler.
    Where the name means nothing, the compiler reads the function, and may give up on the call.
    """
    function._dynamo_marked_constant = True  # pyright: ignore[reportFunctionMemberAccess]
    return function


def fixed(number: Any) -> int:
    """Return an integer. Code that torch.compile makes of it holds for this one alone.

    Without the compiler's own name for that: `int`, which says the same to some versions of it.
    """
    if not torch.compiler.is_dynamo_compiling():
        return int(number)
    try:
        from torch.fx.experimental.symbolic_shapes import guard_scalar
    except ImportError:
        return int(number)
    return guard_scalar(number)  # pyright: ignore[reportReturnType]


_BUILDER = "torch._dynamo.variables.builder"

_readable: list[type[nn.Module]] = []  # classes of modules that torch.compile may read


def let_compile(kind: type[nn.Module]) -> None:
    """Let torch.compile read modules of a class, be they instances of `torch.nn.LSTM` or its like.

    It reads none of those, as it would take every operation of theirs apart. The compiler takes a
    second to import: where it is not, what is to be changed in it is changed once it is. Where it
    has no such place, each of these modules breaks the graph of the model around it.
    """
    if not _readable:
        if _BUILDER in sys.modules:
            _read_modules(sys.modules[_BUILDER])
        else:
            sys.meta_path.insert(0, _Finder())
    _readable.append(kind)


def _read_modules(builder: Any) -> None:
    """Let the compiler's module that reads modules read those of `_readable`."""
    kind, config = getattr(builder, "VariableBuilder", None), getattr(builder, "config", None)
    wrap = getattr(kind, "wrap_module", None)
    if wrap is None or not hasattr(config, "allow_rnn") or not hasattr(config, "patch"):
        return

    settings: Any = config

    @wraps(wrap)
    def wrap_module(self: Any, value: nn.Module) -> Any:
        if not isinstance(value, tuple(_readable)):
            return wrap(self, value)
        with settings.patch(allow_rnn=True):
            return wrap(self, value)

    kind.wrap_module = wrap_module  # pyright: ignore[reportOptionalMemberAccess]


class _Finder(MetaPathFinder):
    """Waits for the import of the compiler's module that reads modules."""

    _asked = False  # whether the others are asked where it is

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """Return what PyTorch's own file says, to be changed once it has run; else None."""
        if fullname != _BUILDER or self._asked:
            return None
        self._asked = True
        try:
            spec = find_spec(fullname)
        finally:
            self._asked = False
        if spec is not None and spec.loader is not None and hasattr(spec.loader, "exec_module"):
            run: Any = spec.loader.exec_module

            def exec_module(module: Any) -> None:
                run(module)  # which may fail, or be interrupted, and be tried once more
                _read_modules(module)
                with suppress(ValueError):
                    sys.meta_path.remove(self)

            spec.loader.exec_module = exec_module  # pyright: ignore[reportAttributeAccessIssue]
        return spec


is_exporting: Callable[[], bool] = _find("torch.compiler", "is_exporting") or _no
"""Return whether torch.export reads a call.

Without the name (before PyTorch 2.7): it is not told from torch.compile.
"""

_scan: Callable[..., Any] | None = _find("torch._higher_order_ops.scan", "scan")
_scan_op: Callable[..., Any] | None = _find("torch._higher_order_ops.scan", "scan_op")

has_scan: bool = _scan is not None and _scan_op is not None
"""Whether `scan` works here.

Without its names an exported program holds the steps one by one, for the length of its example.
"""


def scan(
    step: Callable[..., Sequence[Tensor]],
    states: list[Tensor],
    slices: list[Tensor],
    shared: list[Tensor],
) -> Sequence[Tensor]:
    """Call a step again and again, as one node of an exported program.

    Args:
        step: takes all tensors in their order, and returns new states and further results.
        states: before the first step.
        slices: (T, ...) each: a step gets its own.
        shared: by all steps.

    Returns:
        The states after the last step, and each further result of all steps, (T, ...).
    """
    assert _scan is not None
    assert _scan_op is not None
    if not torch.compiler.is_dynamo_compiling():  # what the other call compiles, only to see it
        # A free number of rows has to be an argument, or Inductor does not know it in the loop.
        rows = [size for size in states[0].shape[:1] if isinstance(size, torch.SymInt)]
        return _scan_op(step, states, slices, (*shared, *rows))

    def combine(states: list[Tensor], now: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        results = step(*states, *now, *shared)
        return list(results[: len(states)]), list(results[len(states) :])

    last, further = _scan(combine, states, slices)
    return [*last, *further]


_EXCLUDED = ("AutogradFunctionality", "AutogradOther", "AutogradNestedTensor")
"""The dispatch keys that PyTorch takes away around an operator, which switches autograd off."""

_get_excluded: Callable[[], Any] | None = _find("torch._C", "_dispatch_tls_local_exclude_set")
_get_included: Callable[[], Any] | None = _find("torch._C", "_dispatch_tls_local_include_set")
_force_keys: Any = _find("torch._C", "_ForceDispatchKeyGuard")
_keys: Any = _find("torch._C", "DispatchKey")

differentiates_in_operators: bool = all(
    (_get_excluded, _get_included, _force_keys, *(hasattr(_keys, key) for key in _EXCLUDED))
)
"""Whether `autograd_in_operators` works here.

Without its names torch.compile reads the eager definition instead of calling operators.
"""


@contextmanager
def autograd_in_operators() -> Iterator[None]:
    """Switch autograd on, which PyTorch may have switched off around an operator.

    Raises:
        RuntimeError: where PyTorch has no names for it.
    """
    if not differentiates_in_operators or _get_excluded is None or _get_included is None:
        raise RuntimeError("this PyTorch has no way to differentiate inside of an operator")
    excluded = _get_excluded()
    for key in _EXCLUDED:
        excluded = excluded.remove(getattr(_keys, key))
    guard: AbstractContextManager[object] = _force_keys(_get_included(), excluded)
    with guard, torch.enable_grad():
        yield


# What tensors are.

_TensorGuards: Any = _find("torch._C._dynamo.guards", "TensorGuards")


def guard(tensors: Sequence[Tensor], strides: bool) -> Callable[..., bool]:
    """Return a check that as many tensors are like these, which PyTorch compiles for torch.compile.

    Compared are type, dtype, device, shape, whether a tensor requires a gradient, and what
    transforms, modes and autocast would make of it; strides where asked for. All tensors have to
    have strides: the check ends the process where one has none.
    """
    return _TensorGuards(
        *tensors,
        dynamic_dims_sizes=[list(tensor.shape) for tensor in tensors],
        dynamic_dims_strides=[
            list(tensor.stride()) if strides else [None] * tensor.dim() for tensor in tensors
        ],
    ).check


def _guards() -> bool:
    other = torch.empty(0, 1, device="cpu")
    try:
        check = guard(_PLAIN, strides=True)
        return check(*_PLAIN) is True and check(other) is False
    except (TypeError, AttributeError):
        return False


has_guards: bool = _guards()
"""Whether `guard` works here.

Without its name, or with other arguments of it, every call is checked anew, which is slower.
"""

has_addresses: bool = hasattr(_PLAIN[0], "_cdata")
"""Whether tensors tell where PyTorch's own record of them stands.

Without it their sizes and storages are asked for in Python, which is slower.
"""

address: Callable[[Tensor], int] = attrgetter("_cdata")
"""Return where PyTorch's own record of a tensor stands, for functions of C."""

_count_users: Callable[[int], int] | None = _find("torch._C", "_storage_Use_Count")

counts_users: bool = _count_users is not None and hasattr(_PLAIN[0].untyped_storage(), "_cdata")
"""Whether `users` works here. Without it memory is taken anew for every call, which is slower."""


def users(storage: Any) -> int:
    """Return how many tensors have a storage."""
    assert _count_users is not None
    return _count_users(storage._cdata)


is_zero: Callable[[Tensor], bool] = getattr(Tensor, "_is_zerotensor", _no)
"""Return whether a tensor is zeros that PyTorch makes when an operation of its own reads them.

They come from derivatives. Without the name such a gradient is an error, as it has no memory.
"""


def _lacks_memory(tensor: Tensor) -> bool:
    """Return whether PyTorch says of no place in memory that it is a tensor's."""
    try:
        tensor.data_ptr()
    except RuntimeError:
        return True
    return False


_is_legacy_batched: Callable[[Tensor], bool] = (
    _find("torch._C._functorch", "is_legacy_batchedtensor") or _lacks_memory
)
_is_batched: Callable[[Tensor], bool] = (
    _find("torch._C._functorch", "is_batchedtensor") or _lacks_memory
)
_is_wrapped: Callable[[Tensor], bool] = (
    _find("torch._C._functorch", "is_functorch_wrapped_tensor") or _lacks_memory
)


def is_batched(tensor: Tensor) -> bool:
    """Return whether a tensor stands for many, as for a vectorized jacobian: no kernel takes that.

    Without the names: whether it has no memory, which is slower.
    """
    return _is_legacy_batched(tensor) or _is_batched(tensor)


def is_wrapped(tensor: Tensor) -> bool:
    """Return whether a tensor stands for others, which a transform keeps inside of it.

    Without the names: whether it has no memory, which is slower.
    """
    return _is_wrapped(tensor) or _is_legacy_batched(tensor)


_unsafe_view: Callable[..., Tensor] | None = getattr(torch.ops.aten, "_unsafe_view", None)


def unviewed(tensor: Tensor, *shape: int) -> Tensor:
    """Return a tensor that nobody else has with another shape, of which PyTorch knows no base.

    Without the name: a view, which cannot be detached in place.
    """
    return tensor.view(shape) if _unsafe_view is None else _unsafe_view(tensor, list(shape))


_versions = count()


def version(tensor: Tensor) -> int:
    """Return a number that changes with every change of a tensor in place.

    Without the name, and of tensors made in inference mode, which count no changes: a new one, so
    that nothing is remembered of the tensor, which is slower.
    """
    try:
        return tensor._version
    except (AttributeError, RuntimeError):
        return next(_versions)


# What torch.nn's modules keep.

_ScriptModule: Any = _find("torch.jit", "ScriptModule")


def is_scripted(module: nn.Module) -> bool:
    """Return whether a module is TorchScript's, which is deprecated. Without it none is."""
    return _ScriptModule is not None and isinstance(module, _ScriptModule)


def is_compiled(module: nn.Module) -> bool:
    """Return whether a module is what `torch.compile` made, or was compiled in place.

    Without the names: False. Then probes and `adopt` take it, and its compiled code goes on without
    them.
    """
    in_place = getattr(module, "_compiled_call_impl", None) is not None
    return in_place or hasattr(module, "_orig_mod")


_REFERENCES = "_flat_weight_refs"
_LISTS = ("_flat_weights", _REFERENCES)  # in which a layer keeps its parameters once more


def drop_flat_weights(module: nn.Module) -> None:
    """Take from one of PyTorch's layers what `renew_flat_weights` gives back.

    Without the name for that: they stay with the module.
    """
    if hasattr(module, "_init_flat_weights"):
        for name in _LISTS:
            module.__dict__.pop(name, None)


def renew_flat_weights(layer: nn.RNNBase) -> None:
    """Let one of PyTorch's layers read the parameters that it has now.

    Without the name: by setting each parameter, of which the layer takes note.
    """
    if hasattr(layer, "_init_flat_weights"):
        layer._init_flat_weights()
        return
    for name, parameter in list(layer.named_parameters(recurse=False)):
        setattr(layer, name, parameter)


def picklable(module: nn.Module) -> dict[str, Any]:
    """Return the attributes of a module without weak references, which PyTorch makes anew."""
    return {name: value for name, value in module.__dict__.items() if name != _REFERENCES}


_flatten: Callable[..., object] | None = _find("torch", "_cudnn_rnn_flatten_weight")


def flatten_for_cudnn(*arguments: Any) -> None:
    """Lay parameters out in one piece of memory. Without the name cuDNN does so in every call."""
    if _flatten is not None:
        _flatten(*arguments)


# Functions of C.

_FOLDER = os.path.join(os.path.dirname(torch.__file__), "lib")


def library(functions: Sequence[str]) -> ctypes.CDLL | None:
    """Return PyTorch's library of functions of C; None unless it is there and has all of these.

    Ahead-of-time compiled models are linked with them. Without them tensors are asked for their
    sizes in Python, which is slower.
    """
    return _library(("libtorch_cpu.so", "libtorch_cpu.dylib", "torch_cpu.dll"), functions)


def openmp(functions: Sequence[str]) -> ctypes.CDLL | None:
    """Return the OpenMP of GCC that comes with PyTorch; None unless it has all of these functions.

    A kernel's threads are then PyTorch's own. Without it kernels run on one thread.
    """
    return _library(("libgomp*.so*",), functions)


def _library(names: Sequence[str], functions: Sequence[str]) -> ctypes.CDLL | None:
    for name in names:
        for path in glob(os.path.join(escape(_FOLDER), name)):
            with suppress(OSError):
                found = ctypes.CDLL(path)
                if all(hasattr(found, function) for function in functions):
                    return found
    return None
