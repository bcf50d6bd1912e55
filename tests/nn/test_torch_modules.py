"""The inputs with which PyTorch tests its recurrent modules, as it ships them, given to ours."""

import warnings
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import gradcheck, gradgradcheck

import unrolled

pytest.importorskip("expecttest")  # PyTorch's own tests need it

KINDS = ("RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell")

pytestmark = pytest.mark.filterwarnings("ignore")


@cache
def information() -> dict[str, Any]:
    """PyTorch's own record of each module: with what it is made and called, and what it refuses."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        common = pytest.importorskip("torch.testing._internal.common_modules")
    names = {getattr(nn, kind): kind for kind in KINDS}
    return {names[m.module_cls]: m for m in common.module_db if m.module_cls in names}


def given(kind: str, training: bool) -> Iterator[tuple[Any, Any, list[Any], dict[str, Any]]]:
    """PyTorch's module and ours, with the same parameters, and what they are called with."""
    info = information()[kind]
    inputs = info.module_inputs_func(
        info, device="cpu", dtype=torch.float64, requires_grad=True, training=training
    )
    some = 5 if kind in KINDS[:3] else 1  # of the many options of layers, other ones each time
    for each in inputs[training::some]:
        made, call = each.constructor_input, each.forward_input
        modules = []
        for library in (nn, unrolled):
            torch.manual_seed(0)
            module = getattr(library, kind)(*made.args, **made.kwargs)
            modules.append(module.double().train(training))
        yield modules[0], modules[1], list(call.args), dict(call.kwargs)


def tensors(value: Any) -> list[Tensor]:
    return [t for t in torch.utils._pytree.tree_leaves(value) if isinstance(t, Tensor)]


def test_all_are_there() -> None:
    assert set(information()) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("training", [True, False])
def test_values_and_gradients(kind: str, training: bool) -> None:
    count = 0
    for theirs, ours, args, kwargs in given(kind, training):
        found = []
        for module in (theirs, ours, ours, ours):
            torch.manual_seed(1)
            outputs = tensors(module(*args, **kwargs))
            leaves = [t for t in tensors((args, kwargs)) if t.requires_grad and t.is_leaf]
            wanted = [*leaves, *module.parameters()]
            weights = [torch.arange(o.numel(), dtype=o.dtype).view_as(o).cos() for o in outputs]
            gradients = torch.autograd.grad(outputs, wanted, weights, allow_unused=True)
            found.append((outputs, gradients))
        for other in found[1:]:
            torch.testing.assert_close(other, found[0])
        count += 1
    assert count


@pytest.mark.parametrize(
    ("kind", "check"),
    [*((kind, gradcheck) for kind in KINDS), *((kind, gradgradcheck) for kind in KINDS[3:])],
)
def test_derivatives(kind: str, check: Any) -> None:
    for _, ours, args, kwargs in given(kind, check is gradcheck):
        flat, form = torch.utils._pytree.tree_flatten((args, kwargs, list(ours.parameters())))

        def run(*values: Any, module: Any = ours, form: Any = form) -> list[Tensor]:
            values_, options, parameters = torch.utils._pytree.tree_unflatten(values, form)
            names = dict(zip(dict(module.named_parameters()), parameters, strict=True))
            call = (tuple(values_), options)
            return tensors(torch.func.functional_call(module, names, *call))

        assert check(run, flat, fast_mode=True)


@pytest.mark.parametrize("kind", KINDS)
def test_errors(kind: str) -> None:
    info = information()[kind]
    if info.module_error_inputs_func is None:
        pytest.skip("PyTorch ships none")
    errors = info.module_error_inputs_func(
        info, device="cpu", dtype=torch.float32, requires_grad=False, training=True
    )
    for error in errors:
        made = error.module_error_input.constructor_input
        call = error.module_error_input.forward_input

        def run(made: Any = made, call: Any = call) -> None:
            getattr(unrolled, kind)(*made.args, **made.kwargs)(*call.args, **call.kwargs)

        with pytest.raises(error.error_type, match=error.error_regex):
            run()
    assert errors
