"""What PyTorch does to modules works on ours."""

import copy
import io
import pickle
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from tests.replays import forget
from torch import Tensor, nn
from torch.func import functional_call, grad, jvp, stack_module_state, vjp, vmap
from torch.nn.utils import parametrizations, parametrize, prune
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader, Dataset

import unrolled
from pairs import in_turn
from unrolled.cells import CELLS
from unrolled.kernels.runtime import timeline

from .twins import (
    LAYERS,
    STEPS,
    B,
    H,
    I,
    T,
    assert_same,
    flat,
    initial,
    layer,
    measured,
    packed,
    packed_up,
    states,
    step,
    twins,
)

DEEP = {"num_layers": 2, "bidirectional": True}
MORE = {"zoneout": 0.1, "variational_dropout": 0.2, "learn_initial_states": True}

deprecated = pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")
"""PyTorch's compiler and forward mode use what PyTorch itself gives up."""


def saved(module: nn.Module) -> nn.Module:
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


# Copies and files


@pytest.mark.parametrize(
    ("name", "copied"),
    in_turn(CELLS, [copy.deepcopy, copy.copy, lambda m: pickle.loads(pickle.dumps(m)), saved]),
)
def test_copies_compute_the_same(name: str, copied: Any) -> None:
    x = torch.randn(T, B, I)
    for module, input in ((layer(name, **DEEP, **MORE), x), (step(name), x[0])):
        module.eval()
        twin = copied(module)
        assert repr(twin) == repr(module)
        assert twin.training == module.training
        assert_same(flat(twin(input)), flat(module(input)), 0)
        assert_same(twin.state_dict(), module.state_dict(), 0)
        for random in (module.train(), twin.train()):
            torch.manual_seed(2)
            random(input)


def test_a_deep_copy_stands_alone() -> None:
    module = unrolled.LSTM(I, H)
    twin = copy.deepcopy(module)
    with torch.no_grad():
        twin.weight_hh_l0.zero_()
    assert module.weight_hh_l0.all()
    x = torch.randn(T, B, I)
    assert not torch.equal(twin(x)[0], module(x)[0])


def test_a_cell_of_ones_own_is_pickled_with_its_equations() -> None:
    @unrolled.cell
    def mine(x, h):
        z = unrolled.sigmoid(unrolled.affine(x, h))
        h = z * h + (1 - z) * unrolled.tanh(unrolled.affine(x))
        return locals()

    module, x = unrolled.Recurrent(mine, I, H), torch.randn(T, B, I)
    twin = pickle.loads(pickle.dumps(module))
    assert twin.cell == mine
    assert_same(twin(x), module(x), 0)


@pytest.mark.parametrize("kind", [*LAYERS, *STEPS])
def test_state_dicts_are_plain_tensors_in_a_file(kind: str) -> None:
    theirs, ours = twins(kind, I, H)
    file = io.BytesIO()
    torch.save(ours.state_dict(), file)
    file.seek(0)
    loaded = torch.load(file, weights_only=True)
    assert list(loaded) == list(theirs.state_dict())
    theirs.load_state_dict(loaded)
    assert_same(dict(loaded), dict(ours.state_dict()), 0)


def test_state_dicts_can_be_operated_on() -> None:
    class Old(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = nn.LSTM(I, H)

    class New(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = unrolled.LSTM(I, H)

    old, new = Old(), New()
    weights = {key.replace("encoder.", "rnn."): v for key, v in old.state_dict().items()}
    new.load_state_dict(weights, strict=True)
    x = torch.randn(T, B, I)
    assert_same(new.rnn(x), old.encoder(x), 1e-6)
    words = r"(?s)Missing key.*rnn\.weight_ih_l0.*Unexpected key.*encoder\.weight_ih_l0"
    with pytest.raises(RuntimeError, match=words):
        new.load_state_dict(old.state_dict())
    del weights["rnn.bias_hh_l0"]
    found = new.load_state_dict(weights, strict=False)
    assert found.missing_keys == ["rnn.bias_hh_l0"]
    weights["rnn.bias_hh_l0"] = torch.zeros(3)
    with pytest.raises(RuntimeError, match=r"size mismatch for rnn\.bias_hh_l0"):
        new.load_state_dict(weights)


def test_weights_of_torch_load_into_learned_initial_states() -> None:
    theirs, _ = twins("GRU", I, H)
    ours = unrolled.GRU(I, H, learn_initial_states=True)
    found = ours.load_state_dict(theirs.state_dict(), strict=False)
    assert found.missing_keys == ["initial_h_l0"]
    assert not found.unexpected_keys
    x = torch.randn(T, B, I)
    assert_same(ours(x), theirs(x), 1e-6)


# Hooks


@pytest.mark.parametrize("kind", [*LAYERS, *STEPS])
def test_hooks_see_what_they_see_in_torch(kind: str) -> None:
    seen: list[list[Any]] = []
    x = torch.randn(T, B, I) if kind in LAYERS else torch.randn(B, I)
    for module in twins(kind, I, H):
        log: list[Any] = []
        module.register_forward_pre_hook(lambda m, a, log=log: log.append(("pre", flat(a))))
        module.register_forward_hook(
            lambda m, a, r, log=log: log.append(("post", flat(a), flat(r)))
        )
        module.register_full_backward_pre_hook(lambda m, g, log=log: log.append(("bpre", flat(g))))
        module.register_full_backward_hook(
            lambda m, i, o, log=log: log.append(("back", flat(i), flat(o)))
        )
        flat(module(x.clone().requires_grad_()))[0].sum().backward()
        seen.append(log)
    assert [entry[0] for entry in seen[1]] == ["pre", "post", "bpre", "back"]
    for ours, theirs in zip(seen[1], seen[0], strict=True):
        assert ours[0] == theirs[0]
        assert_same(flat(ours[1:]), flat(theirs[1:]), 1e-5)


def test_hooks_change_inputs_and_outputs() -> None:
    module, x = unrolled.LSTM(I, H), torch.randn(T, B, I)
    expected = module(2 * x, lengths=[1, 4])

    def before(module: nn.Module, args: Any, options: Any) -> Any:
        return (2 * args[0],), {**options, "lengths": [1, 4]}

    with_hook = module.register_forward_pre_hook(before, with_kwargs=True)
    assert_same(module(x), expected, 0)
    with_hook.remove()
    module.register_forward_hook(lambda m, a, result: (result[0] + 1, result[1]))
    assert_same(module(2 * x, lengths=[1, 4])[0], expected[0] + 1, 0)


# Parameters made of others


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("place", ["weight_hh_l0", "weight_ih_l1_reverse", "bias_ih_l0"])
def test_weight_norm(kind: str, place: str) -> None:
    found = []
    for module in twins(kind, I, H, **DEEP):
        parametrizations.weight_norm(module, place)
        found.append(measured(module, torch.arange(T * B * I).reshape(T, B, I) / 10))
        assert f"parametrizations.{place}.original0" in found[-1]
    assert_same(found[1], found[0], 1e-5)


@pytest.mark.parametrize("kind", LAYERS)
def test_weight_norm_as_it_was(kind: str) -> None:
    found = []
    for module in twins(kind, I, H):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it is deprecated
            nn.utils.weight_norm(module, "weight_hh_l0")
        with torch.no_grad():
            module.weight_hh_l0_g.mul_(2)
        found.append(measured(module, torch.ones(T, B, I)))
        assert found[-1]["weight_hh_l0_g"].any()
        nn.utils.remove_weight_norm(module, "weight_hh_l0")
    assert_same(found[1], found[0], 1e-5)


@pytest.mark.parametrize("kind", LAYERS)
def test_pruning(kind: str) -> None:
    found = []
    for module in twins(kind, I, H):
        prune.l1_unstructured(module, "weight_hh_l0", amount=0.5)
        prune.random_unstructured(module, "bias_ih_l0", amount=1.0)
        found.append(measured(module, torch.ones(T, B, I)))
        pruned = module.weight_hh_l0 == 0
        assert pruned.sum() == round(0.5 * pruned.numel())
        assert not found[-1]["weight_hh_l0_orig"][pruned].any()
        prune.remove(module, "weight_hh_l0")
    assert_same(found[1], found[0], 1e-5)


def test_parametrizations() -> None:
    class Symmetric(nn.Module):
        def forward(self, weight: Tensor) -> Tensor:
            return weight.triu() + weight.triu(1).T

    module, x = unrolled.RNN(I, H), torch.randn(T, B, I)
    parametrize.register_parametrization(module, "weight_hh_l0", Symmetric())
    assert torch.equal(module.weight_hh_l0, module.weight_hh_l0.T)
    assert isinstance(module, unrolled.RNN)
    expected = nn.RNN(I, H)
    with torch.no_grad():
        for name, parameter in expected.named_parameters():
            parameter.copy_(getattr(module, name))
    assert_same(module(x), expected(x), 1e-6)
    with parametrize.cached():
        assert_same(module(x), expected(x), 1e-6)
    module.double()
    assert_same(module(x.double()), expected.double()(x.double()), 1e-10)
    twin = copy.deepcopy(module)
    assert_same(twin(x.double()), module(x.double()), 0)


def test_tied_parameters() -> None:
    first, second = unrolled.GRU(H, H), unrolled.GRU(H, H)
    second.weight_hh_l0 = first.weight_hh_l0
    both = nn.ModuleList([first, second])
    assert len(list(both.parameters())) == 7
    x = torch.randn(T, B, H)
    separate = copy.deepcopy(both)
    separate[1].weight_hh_l0 = nn.Parameter(separate[1].weight_hh_l0.detach().clone())
    for pair in (both, separate):
        pair[1](pair[0](x)[0])[0].sum().backward()
    total = separate[0].weight_hh_l0.grad + separate[1].weight_hh_l0.grad
    assert_same(first.weight_hh_l0.grad, total, 1e-6)
    both.double()
    assert first.weight_hh_l0 is second.weight_hh_l0


def test_layers_tied_within_one_module() -> None:
    module = unrolled.LSTM(H, H, 2)
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        setattr(module, f"{name}_l1", getattr(module, f"{name}_l0"))
    single = unrolled.LSTM(H, H)
    single.load_state_dict({k: v for k, v in module.state_dict().items() if k.endswith("l0")})
    x = torch.randn(T, B, H)
    assert_same(module(x)[0], single(single(x)[0])[0], 1e-6)
    module.flatten_parameters()


@pytest.mark.parametrize("change", ["data", "no_grad", "assign", "replace"])
def test_changed_weights_are_seen_by_the_next_call(change: str) -> None:
    theirs, ours = twins("LSTM", I, H)
    x = torch.randn(T, B, I)
    before = ours(x)[0]
    for module in (theirs, ours):
        new = torch.full((4 * H, H), 0.3)
        if change == "data":
            module.weight_hh_l0.data = new
        elif change == "no_grad":
            with torch.no_grad():
                module.weight_hh_l0.copy_(new)
        elif change == "assign":
            module.weight_hh_l0 = nn.Parameter(new)
        else:
            module.load_state_dict({**module.state_dict(), "weight_hh_l0": new}, assign=True)
    assert not torch.equal(ours(x)[0], before)
    assert_same(ours(x), theirs(x), 1e-6)


# Devices and dtypes


@pytest.mark.parametrize("name", CELLS)
def test_meta_modules_are_filled_later(name: str) -> None:
    torch.manual_seed(4)
    source = layer(name, **DEEP, learn_initial_states=True)
    x = torch.randn(T, B, I)
    with torch.device("meta"):
        module = layer(name, **DEEP, learn_initial_states=True)
    assert all(parameter.is_meta for parameter in module.parameters())
    output, last = module(x.to("meta"))
    assert output.is_meta
    assert output.shape == (T, B, 2 * module.output_size)
    assert all(state.is_meta for state in states(last))
    assert module(x.to("meta"), lengths=[1, 4])[0].is_meta
    module.to_empty(device="cpu")
    torch.manual_seed(4)
    module.reset_parameters()
    assert_same(module.state_dict(), source.state_dict(), 0)
    with torch.device("meta"):
        module = layer(name, **DEEP, learn_initial_states=True)
    module.load_state_dict(source.state_dict(), assign=True)
    assert_same(module(x), source(x), 0)


def test_dtypes_have_to_agree_on_meta_too() -> None:
    module = unrolled.LSTM(I, H, device="meta")
    with pytest.raises(ValueError, match="does not match weight dtype"):
        module(torch.zeros(T, B, I, device="meta", dtype=torch.float64))
    state = torch.zeros(1, B, H, device="meta", dtype=torch.float64)
    with pytest.raises(ValueError, match="to have the input's dtype"):
        module(torch.zeros(T, B, I, device="meta"), (state, state))


@pytest.mark.parametrize("form", ["dense", "packed", "lengths"])
def test_the_context_chooses_no_device_or_dtype(form: str) -> None:
    module, x = unrolled.LSTM(I, H, **DEEP, **MORE).eval(), torch.randn(T, 3, I)
    input = packed(x, [1, 4, 2]) if form == "packed" else x
    call = {"lengths": [1, 0, 4]} if form == "lengths" else {}
    expected = measured(module, input, **call)
    with torch.device("meta"):
        found = flat(module(input, **call))
    assert_same(found[0], expected["result 0"], 0)
    torch.set_default_dtype(torch.float64)
    try:
        found = flat(module(input, **call))
    finally:
        torch.set_default_dtype(torch.float32)
    assert_same(found[0], expected["result 0"], 0)


@pytest.mark.parametrize("kind", [*LAYERS, *STEPS])
def test_skip_init(kind: str) -> None:
    module = nn.utils.skip_init(getattr(unrolled, kind), I, H, dtype=torch.float64)
    assert all(p.device.type == "cpu" and p.dtype == torch.float64 for p in module.parameters())
    theirs, _ = twins(kind, I, H, dtype=torch.float64)
    module.load_state_dict(theirs.state_dict())
    x = torch.randn(T, B, I).double() if kind in LAYERS else torch.randn(B, I).double()
    assert_same(module(x), theirs(x), 1e-12)


def test_skip_init_of_any_cell() -> None:
    module = nn.utils.skip_init(unrolled.Recurrent, CELLS["mgu"], I, H)
    assert isinstance(module, unrolled.Recurrent)


@pytest.mark.parametrize("name", CELLS)
def test_conversions(name: str) -> None:
    module, x = layer(name, **DEEP, **MORE).eval(), torch.randn(T, B, I)
    expected = flat(module(x))
    assert module.double() is module
    assert all(parameter.dtype == torch.float64 for parameter in module.parameters())
    found = flat(module(x.double()))
    assert all(result.dtype == torch.float64 for result in found)
    assert_same([result.float() for result in found], expected, 1e-5)
    module.to("cpu", torch.float32)
    assert_same(flat(module(x)), expected, 1e-6)
    module.share_memory().requires_grad_(False)
    assert not any(result.requires_grad for result in flat(module(x)))


@pytest.mark.parametrize(("name", "dtype"), in_turn(CELLS, [torch.bfloat16, torch.float16]))
def test_half_precision(name: str, dtype: torch.dtype) -> None:
    module = layer(name, **DEEP, learn_initial_states=True)
    x = torch.randn(T, 3, I)
    expected = flat(module(x, lengths=[4, 0, 2]))
    module.to(dtype)
    results = flat(module(x.to(dtype), lengths=[4, 0, 2]))
    assert all(result.dtype == dtype for result in results)
    assert_same([result.float() for result in results], expected, 0.05, check_dtype=False)
    sum(result.sum() for result in results).backward()
    for parameter in module.parameters():
        assert parameter.grad.dtype == dtype
        assert parameter.grad.isfinite().all()
    single = step(name, dtype=dtype)
    assert all(state.dtype == dtype for state in states(single(x[0].to(dtype))))


@pytest.mark.parametrize(("name", "form"), in_turn(CELLS, ["dense", "packed", "lengths", "states"]))
def test_autocast(name: str, form: str) -> None:
    module = layer(name, **DEEP)
    x, call = torch.randn(T, 3, I, requires_grad=True), {}
    expected = module(x)[0].detach()
    input: Any = x
    if form == "packed":
        input = packed(x, [4, 4, 4])
    elif form == "lengths":
        call["lengths"] = [4, 4, 4]
    elif form == "states":
        call["hx"] = packed_up(s.bfloat16() for s in states(initial(module, 4, 3)))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        results = flat(module(input, **call))
        assert step(name)(x[0]) is not None
    sum(r.float().sum() for r in results if r.is_floating_point()).backward()
    for value in (*results, x.grad, *(parameter.grad for parameter in module.parameters())):
        assert value.isfinite().all()
    if form in ("dense", "lengths"):
        assert_same(results[0].float(), expected, 0.1)


@pytest.mark.parametrize("kind", LAYERS)
def test_autocast_takes_inputs_of_either_dtype(kind: str) -> None:
    theirs, ours = twins(kind, I, H)
    x = torch.randn(T, B, I, dtype=torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert_same(ours(x)[0].float(), theirs(x)[0].float(), 0.05)
    with pytest.raises(ValueError, match="does not match weight dtype"):
        ours(x)


# Derivatives of derivatives, and functions of functions


@pytest.mark.parametrize("name", CELLS)
def test_double_backward(name: str) -> None:
    module = layer(name, 2, 3, dtype=torch.float64)
    x = torch.randn(2, 2, 2, dtype=torch.float64, requires_grad=True)
    hx = [state.double().requires_grad_() for state in states(initial(module, 1, 2))]
    names = [key for key, _ in module.named_parameters()]

    def call(x: Tensor, *values: Tensor) -> list[Tensor]:
        given, parameters = values[: len(hx)], values[len(hx) :]
        weights = dict(zip(names, parameters, strict=True))
        return flat(functional_call(module, weights, (x, packed_up(given))))

    arguments = (x, *hx, *module.parameters())
    assert torch.autograd.gradgradcheck(call, arguments, fast_mode=True)


def test_double_backward_of_ragged_rows() -> None:
    module = unrolled.LSTM(2, 3, **DEEP, dtype=torch.float64)
    x = torch.randn(3, 3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(
        lambda x: module(x, lengths=[1, 0, 3])[0], (x,), fast_mode=True
    )


@deprecated
@pytest.mark.parametrize("name", CELLS)
def test_forward_mode_agrees_with_backward_mode(name: str) -> None:
    module = layer(name, **DEEP, dtype=torch.float64)
    x = torch.randn(T, B, I, dtype=torch.float64)
    call = {"lengths": [4, 2]}
    tangent = torch.randn_like(x)
    output, derivative = jvp(lambda x: module(x, **call)[0], (x,), (tangent,))
    cotangent = torch.randn_like(output)
    _, pullback = vjp(lambda x: module(x, **call)[0], x)
    assert_same((derivative * cotangent).sum(), (pullback(cotangent)[0] * tangent).sum(), 1e-8)


@pytest.mark.parametrize("name", CELLS)
def test_vmap_over_inputs(name: str) -> None:
    module = layer(name, **DEEP)
    xs, hxs = torch.randn(6, T, B, I), initial(module, 6, 4, B)
    for call in ({}, {"lengths": [4, 0]}):
        mapped = vmap(lambda x, hx, call=call: module(x, hx, **call))(xs, hxs)
        looped = [
            flat(module(xs[k], packed_up(state[k] for state in states(hxs)), **call))
            for k in range(6)
        ]
        assert_same(flat(mapped), [torch.stack(r) for r in zip(*looped, strict=True)], 1e-5)
    single = step(name)
    looped = [flat(single(x)) for x in xs[:, 0]]
    expected = [torch.stack(results) for results in zip(*looped, strict=True)]
    assert_same(flat(vmap(single)(xs[:, 0])), expected, 1e-5)


@pytest.mark.parametrize("name", CELLS)
def test_vmap_over_modules(name: str) -> None:
    modules = [layer(name, num_layers=2) for _ in range(3)]
    parameters, buffers = stack_module_state(modules)
    x = torch.randn(T, B, I)

    def call(parameters: Any, buffers: Any) -> Any:
        return functional_call(modules[0], (parameters, buffers), (x,))[0]

    expected = torch.stack([module(x)[0] for module in modules])
    assert_same(vmap(call)(parameters, buffers), expected, 1e-5)


@deprecated
@pytest.mark.parametrize("name", CELLS)
def test_gradients_of_each_sample(name: str) -> None:
    module = layer(name, dtype=torch.float64)
    xs = torch.randn(4, T, I, dtype=torch.float64)
    parameters = {key: value.detach() for key, value in module.named_parameters()}

    def loss(parameters: dict[str, Tensor], x: Tensor) -> Tensor:
        return functional_call(module, parameters, (x,))[0].square().sum()

    found = vmap(grad(loss), in_dims=(None, 0))(parameters, xs)
    for k, x in enumerate(xs):
        module.zero_grad()
        module(x)[0].square().sum().backward()
        for key, value in module.named_parameters():
            assert_same(found[key][k], value.grad, 1e-10)


@deprecated
@pytest.mark.parametrize("kind", LAYERS)
def test_jacobians(kind: str) -> None:
    theirs, ours = twins(kind, I, H, dtype=torch.float64)
    x = torch.randn(2, B, I, dtype=torch.float64)
    expected = torch.autograd.functional.jacobian(lambda x: theirs(x)[0], x)
    for options in ({}, {"vectorize": True}, {"create_graph": True}):
        found = torch.autograd.functional.jacobian(lambda x: ours(x)[0], x, **options)
        assert_same(found.detach(), expected)
        assert found.requires_grad == ("create_graph" in options)
    assert_same(torch.func.jacrev(lambda x: ours(x)[0])(x), expected)
    assert_same(torch.func.jacfwd(lambda x: ours(x)[0])(x), expected)


@pytest.mark.parametrize("name", CELLS)
def test_many_gradients_at_once(name: str) -> None:
    module = layer(name, **DEEP, dtype=torch.float64)
    x = torch.randn(T, B, I, dtype=torch.float64, requires_grad=True)
    steps = module(x, lengths=[2, 4])[0].sum((1, 2))
    inputs = (x, *module.parameters())
    found = torch.autograd.grad(
        steps, inputs, torch.eye(T).double(), retain_graph=True, is_grads_batched=True
    )
    looped = [torch.autograd.grad(step, inputs, retain_graph=True) for step in steps]
    assert_same(list(found), [torch.stack(gradients) for gradients in zip(*looped, strict=True)])


@pytest.mark.parametrize("reentrant", [True, False])
@pytest.mark.parametrize("name", ["lstm", "gru_reset_before", "slstm"])
def test_checkpointing(name: str, reentrant: bool) -> None:
    module, x = layer(name, **DEEP), torch.randn(T, B, I, requires_grad=True)
    gradients = []

    def again() -> Tensor:  # what is computed again is a call like the first
        forget(module)
        return checkpoint(lambda x: module(x)[0], x, use_reentrant=reentrant)

    for output in (module(x)[0], again()):
        module.zero_grad()
        x.grad = None
        output.square().sum().backward()
        gradients.append([value.grad.clone() for value in (x, *module.parameters())])
    assert_same(gradients[1], gradients[0], 1e-6)


@pytest.mark.parametrize("change", [Tensor.relu_, lambda y: y.mul_(2), lambda y: y[1:].zero_()])
@pytest.mark.parametrize("kind", LAYERS)
def test_results_can_be_changed_in_place(kind: str, change: Any) -> None:
    gradients = []
    x = torch.randn(T, B, I, dtype=torch.float64)
    for module in twins(kind, I, H, **DEEP, dtype=torch.float64):
        results = flat(module(x))
        for result in results:
            change(result)
        sum(result.square().sum() for result in results).backward()
        gradients.append([parameter.grad for parameter in module.parameters()])
    assert_same(gradients[1], gradients[0])
    with torch.no_grad():
        output, *last = flat(ours_of(kind)(x.float()))
        kept = [state.clone() for state in last]
        output.zero_()
    assert_same(last, kept, 0)


def ours_of(kind: str) -> nn.Module:
    return getattr(unrolled, kind)(I, H)


def test_a_graph_is_used_once_unless_it_is_kept() -> None:
    module, x = unrolled.LSTM(I, H), torch.randn(T, B, I)
    loss = module(x)[0].sum()
    loss.backward(retain_graph=True)
    once = module.weight_hh_l0.grad.clone()
    loss.backward()
    assert_same(module.weight_hh_l0.grad, 2 * once, 1e-6)
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        loss.backward()


@pytest.mark.parametrize("name", ["weight_hh_l0", "weight_ih_l0"])
def test_a_weight_changed_before_backward_is_noticed(name: str) -> None:
    module = unrolled.LSTM(I, H)
    loss = module(torch.randn(T, B, I, requires_grad=True))[0].sum()
    with torch.no_grad():
        getattr(module, name).mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@pytest.mark.parametrize("kind", LAYERS)
def test_only_some_gradients_are_wanted(kind: str) -> None:
    x = torch.randn(T, B, I, dtype=torch.float64)
    found: list[list[Any]] = [[], []]
    for log, module in zip(found, twins(kind, I, H, 2, dtype=torch.float64), strict=True):
        for frozen in ("weight_hh_l0", "bias_ih_l1", ""):
            module.requires_grad_(True).zero_grad()
            for name, parameter in module.named_parameters():
                parameter.requires_grad_(name != frozen and frozen != "")
            leaf = x.clone().requires_grad_()
            for result in flat(module(leaf)):
                gradients = torch.autograd.grad(
                    result.sum(),
                    [leaf, *(p for p in module.parameters() if p.requires_grad)],
                    allow_unused=True,
                    retain_graph=True,
                    materialize_grads=True,
                )
                log.extend(gradients)
    assert_same(found[1], found[0])


@pytest.mark.parametrize("name", CELLS)
def test_parameters_may_lie_anywhere_in_memory(name: str) -> None:
    module, x = layer(name, **DEEP), torch.randn(T, B, I)
    expected = measured(module, x)
    for key, value in dict(module.named_parameters()).items():
        wide = torch.full([2 * size + 1 for size in value.shape], torch.nan)
        strided = wide[tuple(slice(1, None, 2) for _ in value.shape)]
        setattr(module, key, nn.Parameter(strided.copy_(value.detach())))
        assert not getattr(module, key).is_contiguous()
    found = measured(module, x)
    assert_same(found, expected, 1e-6)
    assert_same(measured(module, x.transpose(0, 1).contiguous().transpose(0, 1)), expected, 1e-6)
    with torch.no_grad():
        assert_same(module(x)[0], expected["result 0"], 1e-6)


def test_functional_call_leaves_the_module_as_it_is() -> None:
    module, x = unrolled.GRU(I, H), torch.randn(T, B, I)
    other = {key: torch.zeros_like(value) for key, value in module.named_parameters()}
    before = module(x)[0]
    assert not functional_call(module, other, (x,))[0].any()
    assert_same(module(x)[0], before, 0)


@pytest.mark.parametrize(("name", "mode"), in_turn(CELLS, [torch.no_grad, torch.inference_mode]))
def test_without_gradients(name: str, mode: Any) -> None:
    module, x = layer(name, **DEEP, **MORE).eval(), torch.randn(T, 3, I)
    for input, call in ((x, {}), (x, {"lengths": [0, 4, 1]}), (packed(x, [1, 4, 2]), {})):
        expected = flat(module(input, **call))
        with mode():
            found = flat(module(input, **call))
        assert not any(result.requires_grad for result in found)
        assert_same(found, expected, 0)
    made = layer(name, **DEEP)
    rows = packed(x, [1, 4, 2])
    timeline._turned.clear()
    with mode():
        made(x)
        made(rows)
    made(x)[0].sum().backward()
    made(rows)[0].data.sum().backward()
    assert made.weight_ih_l0.grad.any()


# The compiler


def compiled(module: nn.Module, seen: list[str] | None = None, **options: Any) -> Any:
    """A module as compiled code; which of our operators are in its graphs goes to `seen`."""
    from torch._dynamo.backends.registry import lookup_backend  # seconds, of every collection

    torch.compiler.reset()
    inner = lookup_backend("aot_eager")

    def backend(graph: Any, inputs: Any) -> Any:
        targets = [str(node.target) for node in graph.graph.nodes if node.op == "call_function"]
        if seen is not None:
            seen.extend(target for target in targets if target.startswith("unrolled."))
        return inner(graph, inputs)

    return torch.compile(module, fullgraph=True, backend=backend, **options)


RECURRENCE, FORWARD = "unrolled.recurrence", "unrolled.recurrence_forward"


@deprecated
@pytest.mark.slow
@pytest.mark.parametrize("name", list(CELLS)[::3])
def test_compile_cells(name: str) -> None:
    for dtype in (torch.float32, torch.float64):
        module, x = layer(name, dtype=dtype), torch.randn(3, 3, I, dtype=dtype)
        hx = packed_up(state.to(dtype) for state in states(initial(module, 1, 3)))
        expected, seen = measured(module, x, hx), []
        call = compiled(module, seen)
        assert_same(measured(call, x, hx), renamed(expected), 1e-6)
        assert seen == [FORWARD]
        with torch.no_grad():
            assert_same(flat(call(x, hx)), flat(module(x, hx)), 0)
        assert seen == [FORWARD, RECURRENCE]


@deprecated
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options", "call"),
    [
        ("lstm", DEEP, {}),
        ("gru", {}, {"lengths": [3, 0, 1]}),
        ("rnn_relu", {"bias": False, **DEEP}, {"lengths": [2, 3, 1]}),
        ("lstm_projected", {"batch_first": True}, {}),
        ("lstm_layernorm", {"zoneout": 0.1, "learn_initial_states": True}, {}),
    ],
    ids=str,
)
def test_compile_without_a_graph_break(name: str, options: Any, call: Any) -> None:
    module, x, seen = layer(name, **options).eval(), torch.randn(3, 3, I), []
    count = module.num_layers * (1 + module.bidirectional)
    hx = initial(module, count, 3)
    expected = measured(module, x, hx, **call)
    assert_same(measured(compiled(module, seen), x, hx, **call), renamed(expected), 1e-5)
    assert seen == count * [FORWARD]


def renamed(found: dict[str, Tensor]) -> dict[str, Tensor]:
    """The names under which a compiled module has its parameters."""
    return {k if " " in k else f"_orig_mod.{k}": v for k, v in found.items()}


@deprecated
@pytest.mark.parametrize("name", ["lstm", "mgu"])
def test_compile_a_step(name: str) -> None:
    module, x, seen = step(name), torch.randn(B, I), []
    hx = initial(module, B)
    expected = measured(module, x, hx)
    call = compiled(module, seen)
    assert_same(measured(call, x, hx), renamed(expected), 1e-5)
    with torch.no_grad():
        assert_same(call(x, hx), module(x, hx), 0)
    assert seen == [FORWARD, RECURRENCE]


@deprecated
def test_compile_with_noise() -> None:
    module, seen = unrolled.LSTM(I, H, **MORE), []
    x = torch.randn(2, B, I)
    results = []
    for call in (compiled(module, seen), module):
        torch.manual_seed(3)
        results.append(measured(call, x))
    assert_same(results[0], renamed(results[1]), 1e-5)
    assert seen == [FORWARD]


@deprecated
def test_compile_once_for_all_shapes() -> None:
    module = unrolled.LSTM(I, H)
    call = compiled(module, dynamic=True)
    measured(call, torch.randn(2, 7, I))
    with torch.compiler.set_stance("fail_on_recompile"):
        for steps, batch in ((2, 5), (3, 2), (9, 40)):
            x = torch.randn(steps, batch, I)
            assert_same(measured(call, x), renamed(measured(module, x)), 1e-6)


@deprecated
def test_compiled_cells_of_the_same_name() -> None:
    def first(x: Any, h: Any) -> Any:
        h = unrolled.tanh(unrolled.affine(x, h))
        return locals()

    def second(x: Any, h: Any) -> Any:
        h = 0.5 * unrolled.tanh(unrolled.affine(x, h))
        return locals()

    first.__name__ = second.__name__ = "same"
    x = torch.randn(2, B, I)
    torch.compiler.reset()
    for definition in (first, second):
        module = unrolled.Recurrent(unrolled.cell(definition), I, H)
        call = torch.compile(module, fullgraph=True, backend="eager")
        assert_same(flat(call(x)), flat(module(x)), 1e-5)
    again = unrolled.Recurrent(unrolled.cell(second), I, H)
    with torch.compiler.set_stance("fail_on_recompile"):  # of the same equations
        torch.compile(again, fullgraph=True, backend="eager")(x)


@deprecated
def test_compile_one_loop_that_reads_a_product_and_one_that_reads_the_input() -> None:
    """Few rows, many steps and large weights: what they store has another size."""
    module = unrolled.GRU(150, 150)
    assert module._runner.recurrences(torch.float32, 150).long.split.banks != (("x",),)
    call = compiled(module, dynamic=True)
    for steps, batch in ((3, 5), (12, 2)):
        x = torch.randn(steps, batch, 150)
        assert_same(measured(call, x), renamed(measured(module, x)), 1e-4)


@deprecated
def test_what_operators_cannot_do_is_compiled_from_the_definition() -> None:
    module, x, seen = unrolled.GRU(I, H), torch.randn(2, B, I), []
    with torch.autocast("cpu", torch.bfloat16):
        assert_same(compiled(module, seen)(x), module(x), 0.05)
    other = unrolled.GRU(I, H).bfloat16()
    assert_same(compiled(other, seen)(x.bfloat16()), other(x.bfloat16()), 0.05)
    xs = torch.randn(3, 2, B, I)
    mapped = torch.compile(vmap(lambda x: module(x)[0]), fullgraph=True, backend="aot_eager")
    assert_same(mapped(xs), torch.stack([module(x)[0] for x in xs]), 1e-5)
    assert seen == []


@deprecated
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_compiled_double_backward(backend: str) -> None:
    module = unrolled.GRU(2, 3, dtype=torch.float64)
    x = torch.randn(3, 3, 2, dtype=torch.float64, requires_grad=True)
    torch.compiler.reset()
    call = torch.compile(module, fullgraph=True, backend=backend)
    (gradient,) = torch.autograd.grad(module(x)[0].sum(), x, create_graph=True)
    (expected,) = torch.autograd.grad(gradient.square().sum(), x)
    (gradient,) = torch.autograd.grad(call(x)[0].sum(), x, create_graph=True)
    if backend == "aot_eager":
        with pytest.raises(RuntimeError, match="does not currently support double backward"):
            gradient.square().sum().backward()
        return
    (found,) = torch.autograd.grad(gradient.square().sum(), x)
    assert_same(found, expected)


@deprecated
def test_compiled_weights_can_change() -> None:
    module, x = unrolled.GRU(I, H), torch.randn(2, B, I)
    call = compiled(module)
    call(x)
    with torch.no_grad():
        module.weight_hh_l0.mul_(2)
    assert_same(call(x), module(x), 1e-6)


@deprecated
def test_lengths_in_a_tensor_break_the_graph_and_nothing_else() -> None:
    torch.compiler.reset()
    module, x = unrolled.GRU(I, H), torch.randn(T, B, I)
    call = torch.compile(module, backend="aot_eager")
    for lengths in ([4, 2], [1, 3]):
        assert_same(call(x, lengths=torch.tensor(lengths)), module(x, lengths=lengths), 1e-6)


@deprecated
@pytest.mark.slow
def test_inductor() -> None:
    """Odd sizes: compiled code expects what operators return at certain addresses."""
    torch.compiler.reset()
    module = unrolled.LSTM(I, H)
    call = torch.compile(module, fullgraph=True, dynamic=True)
    for steps, batch in ((2, 3), (5, 7)):
        x = torch.randn(steps, batch, I)
        assert_same(measured(call, x), renamed(measured(module, x)), 1e-5)
    with torch.no_grad():
        assert_same(call(x), module(x), 1e-5)


@deprecated
@pytest.mark.filterwarnings("ignore:torch.compile is ignored when called inside torch.export")
@pytest.mark.parametrize(
    ("name", "strict"), [("lstm", False), ("gru", True), ("lstm_peephole", False)]
)
def test_export(name: str, strict: bool) -> None:
    module, x = layer(name), torch.randn(2, B, I)
    exported = torch.export.export(module, (x,), strict=strict)
    assert "unrolled." not in str(exported.graph)  # it runs where this library is not installed
    assert_same(flat(exported.module()(x)), flat(module(x)), 1e-6)
    assert set(exported.state_dict) == set(module.state_dict())


@deprecated
def test_export_for_all_batch_sizes() -> None:
    module = unrolled.LSTM(I, H, batch_first=True)
    batch = torch.export.Dim("batch", min=2, max=64)
    exported = torch.export.export(
        module, (torch.randn(3, 2, I),), dynamic_shapes={"input": {0: batch}}
    )
    for size in (2, 5, 17):
        x = torch.randn(size, 2, I)
        assert_same(flat(exported.module()(x)), flat(module(x)), 1e-6)


# Processes and threads


class Encoded(Dataset):
    """Items that a layer computes in the process of the loader."""

    def __init__(self, module: nn.Module, xs: Tensor) -> None:
        self.module, self.xs = module, xs

    def __len__(self) -> int:
        return len(self.xs)

    def __getitem__(self, index: int) -> Tensor:
        with torch.no_grad():
            return self.module(self.xs[index])[0]


@deprecated
@pytest.mark.parametrize("method", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_a_layer_works_in_other_processes(method: str) -> None:
    if method not in torch.multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    module, xs = unrolled.LSTM(I, H, **DEEP), torch.randn(4, T, I)
    expected = torch.stack([module(x)[0].detach() for x in xs])
    loader = DataLoader(
        Encoded(module, xs), batch_size=4, num_workers=1, multiprocessing_context=method
    )
    assert_same(next(iter(loader)), expected, 1e-6)


def test_many_threads_at_once() -> None:
    module = unrolled.LSTM(I, H, **DEEP)
    inputs = [torch.randn(1 + k % 5, 1 + k % 3, I) for k in range(40)]
    expected = [flat(module(x)) for x in inputs]
    ready = threading.Barrier(8)

    def work(start: int) -> list[list[Tensor]]:
        ready.wait()
        return [flat(module(x)) for x in inputs[start::8]]

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(work, range(8)))
    for start in range(8):
        assert_same(found[start], expected[start::8], 1e-6)


def test_any_number_of_threads_in_pytorch() -> None:
    module, x = unrolled.LSTM(I, H, **DEEP), torch.randn(T, 13, I)
    lengths = [k % (T + 1) for k in range(13)]
    expected = measured(module, x, lengths=lengths)
    for threads in (2, 3, 16):
        torch.set_num_threads(threads)
        assert_same(measured(module, x, lengths=lengths), expected, 1e-5)


def test_threads_each_train_their_copy() -> None:
    module, x = unrolled.GRU(I, H), torch.randn(T, B, I)
    expected = measured(copy.deepcopy(module), x)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda k: measured(copy.deepcopy(module), x), range(12)):
            assert_same(found, expected, 1e-6)
