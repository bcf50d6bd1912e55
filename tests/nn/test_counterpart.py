"""Our layers are instances of PyTorch's classes, and answer as those do."""

import copy
import pickle
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

import unrolled
from unrolled import _torch
from unrolled.nn.layer import Layer

from .twins import LAYERS, STEPS, B, H, I, T, assert_same, outcome, twins

FORMS: list[dict[str, Any]] = [{}, {"num_layers": 2, "bidirectional": True, "bias": False}]

deprecated = pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")


@pytest.fixture(autouse=True)
def double() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("kind", [*LAYERS, *STEPS])
def test_instances_of_the_classes_of_torch(kind: str) -> None:
    module, of_another = getattr(unrolled, kind)(I, H), {"RNN": "GRU", "LSTM": "RNN"}
    is_step = kind.endswith("Cell")
    assert isinstance(module, getattr(nn, kind))
    assert isinstance(module, nn.RNNCellBase) is is_step
    assert isinstance(module, nn.RNNBase) is not is_step
    for one, other in of_another.items():
        if kind == one:
            assert not isinstance(module, getattr(nn, other))


def test_layers_of_other_cells_are_none_of_them() -> None:
    layer = unrolled.Recurrent(unrolled.cells.lstm, I, H)
    step = unrolled.RecurrentCell(unrolled.cells.gru, I, H)
    assert not isinstance(layer, nn.RNNBase)
    assert not isinstance(step, nn.RNNCellBase)


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("options", FORMS, ids=str)
def test_lists_of_parameters(kind: str, options: dict[str, Any]) -> None:
    theirs, ours = twins(kind, I, H, **options)
    assert ours._flat_weights_names == theirs._flat_weights_names
    assert ours._all_weights == theirs._all_weights
    assert ours.mode == theirs.mode
    for found, expected in zip(ours._flat_weights, theirs._flat_weights, strict=True):
        torch.testing.assert_close(found, expected)
    for found, name in zip(ours._flat_weights, ours._flat_weights_names, strict=True):
        assert found is getattr(ours, name)
    assert [ref() for ref in ours._flat_weight_refs] == list(ours._flat_weights)
    assert [len(row) for row in ours.all_weights] == [len(row) for row in theirs.all_weights]


@pytest.mark.parametrize("kind", LAYERS)
def test_what_is_put_into_the_list_is_computed_with(kind: str) -> None:
    theirs, ours = twins(kind, I, H, num_layers=2)
    x = torch.randn(T, B, I)
    ours(x), ours(x), ours(x)
    new = nn.Parameter(torch.randn_like(ours._flat_weights[1]))
    for module in (ours, theirs):
        module._flat_weights[1] = new
    assert_same(ours(x), theirs(x))
    assert ours.weight_hh_l0 is new
    doubled = [weight.detach() * 2 for weight in ours._flat_weights]  # no parameters
    for module in (ours, theirs):
        module._flat_weights = list(doubled)
    assert_same(ours(x), theirs(x))
    ours._flat_weights = ours._flat_weights[:]  # as replicas on other devices do
    assert_same(ours(x), theirs(x))
    with pytest.raises(ValueError, match="_flat_weights: expected 8 parameters, got 1"):
        ours._flat_weights = [new]
    assert_same(ours(x), theirs(x))


def test_a_replica_has_the_tensors_it_was_given() -> None:
    layer = unrolled.LSTM(I, H)
    replica = layer._replicate_for_data_parallel()
    for name, parameter in layer.named_parameters():
        setattr(replica, name, parameter * 2)
    x = torch.randn(T, B, I)
    other = copy.deepcopy(layer)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.mul_(2)
    assert_same(replica(x), other(x))


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("options", FORMS, ids=str)
@pytest.mark.parametrize("wrong", ["nothing", "input", "dimensions", "hidden", "dtype"])
def test_methods_of_torch(kind: str, options: dict[str, Any], wrong: str) -> None:
    x, count = torch.randn(T, B, I), 4 if options else 1
    hidden: Any = torch.randn(count, B, H)
    if wrong == "input":
        x = torch.randn(T, B, I + 1)
    elif wrong == "dimensions":
        x = torch.randn(B, I)
    elif wrong == "hidden":
        hidden = torch.randn(count, B + 1, H)
    elif wrong == "dtype":
        x = x.float()
    if kind == "LSTM":
        hidden = (torch.randn(count, B, H), hidden)
    found = []
    for module in twins(kind, I, H, **options):
        module.flatten_parameters()
        order = torch.randperm(B, generator=torch.Generator().manual_seed(1))
        found.append(
            [
                outcome(lambda m=module: m.check_forward_args(x, hidden, None)),
                outcome(lambda m=module: m.check_input(x, None)),
                outcome(lambda m=module: m.get_expected_hidden_size(x, None)),
                [str(value) for value in module.permute_hidden(hidden, order)],
                outcome(lambda m=module: m._update_flat_weights()),
            ]
        )
    assert found[0] == found[1]


@pytest.mark.parametrize("kind", [*LAYERS, *STEPS])
def test_copies_keep_their_class_and_lists(kind: str) -> None:
    module = getattr(unrolled, kind)(I, H)
    for other in (copy.deepcopy(module), copy.copy(module), pickle.loads(pickle.dumps(module))):
        assert type(other) is type(module)
        if kind in LAYERS:
            assert [id(w) for w in other._flat_weights] == [id(w) for w in other.parameters()]


def test_parametrized_layers_list_what_is_computed() -> None:
    class Double(nn.Module):
        def forward(self, weight: Tensor) -> Tensor:
            return 2 * weight

    layer = unrolled.GRU(I, H)
    weight = layer.weight_hh_l0.detach().clone()
    parametrize.register_parametrization(layer, "weight_hh_l0", Double())
    torch.testing.assert_close(layer._flat_weights[1], 2 * weight)
    assert isinstance(layer, nn.GRU)


# torch.compile.


class Both(nn.Module):
    """A layer of ours beside one of PyTorch's."""

    def __init__(self) -> None:
        super().__init__()
        self.ours, self.theirs = unrolled.LSTM(I, H), nn.LSTM(H, H)

    def forward(self, x: Tensor) -> Tensor:
        return self.theirs(self.ours(x)[0])[0]


@deprecated
def test_compiled_in_one_graph_and_the_layers_of_torch_as_before() -> None:
    torch._dynamo.reset()
    x, model = torch.randn(T, B, I), Both()
    ours = torch.compile(model.ours, fullgraph=True, backend="eager")
    torch.testing.assert_close(ours(x), model.ours(x))
    for refused in (model, model.theirs):
        torch._dynamo.reset()
        compiled = torch.compile(refused, fullgraph=True, backend="eager")
        with pytest.raises(torch._dynamo.exc.Unsupported, match="RNN, GRU, or LSTM"):
            compiled(x if refused is model else torch.randn(T, B, H))
    torch._dynamo.reset()
    torch.testing.assert_close(torch.compile(model, backend="eager")(x), model(x))
    assert not torch._dynamo.config.allow_rnn


LATE = """
import sys
import torch, unrolled
assert not any(name.startswith("torch._dynamo.variables") for name in sys.modules)
layer, x = torch.nn.Sequential(unrolled.GRU(3, 4)), torch.randn(5, 2, 3)
before = list(sys.meta_path)
compiled = torch.compile(layer, fullgraph=True, backend="eager")
assert torch.equal(compiled(x)[0], layer(x)[0])
assert len(sys.meta_path) == len(before) - 1  # what waited is gone
"""


def test_the_compiler_is_not_imported_early() -> None:
    subprocess.run([sys.executable, "-W", "ignore", "-c", LATE], check=True)


def test_an_import_of_the_compiler_that_fails_may_be_tried_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "its_builder.py").write_text(
        "import sys\n"
        "if not vars(sys).pop('has_failed', None):\n"
        "    sys.has_failed = True\n"
        "    raise KeyboardInterrupt\n"
    )
    seen: list[Any] = []
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(_torch, "_BUILDER", "its_builder")
    monkeypatch.setattr(_torch, "_read_modules", seen.append)
    finder, others = _torch._Finder(), [f for f in sys.meta_path if type(f) is not _torch._Finder]
    monkeypatch.setattr(sys, "meta_path", [finder, *others])
    with pytest.raises(KeyboardInterrupt):
        import_module("its_builder")
    assert not seen
    assert seen == [import_module("its_builder")]
    assert finder not in sys.meta_path
    del sys.modules["its_builder"]


def test_a_compiler_without_such_a_place_is_left_alone() -> None:
    class Builder:
        pass

    before = dict(vars(Builder))
    _torch._read_modules(Builder)
    assert dict(vars(Builder)) == before
    assert Layer in _torch._readable


# Options that are set anew, as structured pruning and growing do.


@pytest.mark.parametrize("kind", LAYERS)
def test_parameters_of_another_size(kind: str) -> None:
    theirs, ours = twins(kind, I, H)
    x, gates = torch.randn(T, B, I + 1), {"RNN": 1, "LSTM": 4, "GRU": 3}[kind]
    for _ in range(3):
        ours(torch.randn(T, B, I))
    shapes = [(gates * 2, I + 1), (gates * 2, 2), (gates * 2,), (gates * 2,)]
    values = [torch.randn(shape) for shape in shapes]
    for module in (ours, theirs):
        for name, value in zip(list(dict(module.named_parameters())), values, strict=True):
            setattr(module, name, nn.Parameter(value.clone()))
        module.input_size, module.hidden_size = I + 1, 2
    for _ in range(3):
        assert_same(ours(x), theirs(x))
    assert repr(ours) == repr(theirs)


@pytest.mark.parametrize("kind", STEPS)
def test_parameters_of_another_size_of_a_step(kind: str) -> None:
    theirs, ours = twins(kind, I, H)
    x, gates = torch.randn(B, I + 1), {"RNNCell": 1, "LSTMCell": 4, "GRUCell": 3}[kind]
    for _ in range(3):
        ours(torch.randn(B, I))
    shapes = [(gates * 2, I + 1), (gates * 2, 2), (gates * 2,), (gates * 2,)]
    values = [torch.randn(shape) for shape in shapes]
    for module in (ours, theirs):
        for name, value in zip(list(dict(module.named_parameters())), values, strict=True):
            setattr(module, name, nn.Parameter(value.clone()))
    h = torch.randn(B, 2)
    for _ in range(3):
        assert_same(*(module(x, (h, h) if gates == 4 else h) for module in (ours, theirs)))
    ours.weight_hh = nn.Parameter(torch.randn(gates * 2, 3))  # fits nothing
    with pytest.raises(RuntimeError, match="weight_hh should have shape"):
        ours(x)


@pytest.mark.parametrize("name", ["zoneout", "bias", "nonlinearity", "num_layers"])
def test_options_set_anew_are_followed(name: str) -> None:
    layer = unrolled.RNN(I, H, num_layers=2).eval()
    x = torch.randn(T, B, I)
    before = layer(x)[0]
    value = {"zoneout": 0.5, "bias": False, "nonlinearity": "relu", "num_layers": 1}[name]
    setattr(layer, name, value)
    first = unrolled.RNN(I, H, **{"num_layers": 2, name: value}).eval()
    first.load_state_dict(layer.state_dict(), strict=False)
    torch.testing.assert_close(layer(x), first(x))
    assert not torch.allclose(layer(x)[0], before)


def test_a_projection_set_anew_is_followed() -> None:
    layer, expected = unrolled.LSTM(I, H), unrolled.LSTM(I, H, proj_size=2)
    layer.proj_size = 2
    for name, value in expected.named_parameters():
        setattr(layer, name, value)
    x = torch.randn(T, B, I)
    torch.testing.assert_close(layer(x), expected(x))


def test_an_option_that_cannot_be_is_refused_and_the_old_one_kept() -> None:
    layer = unrolled.RNN(I, H)
    with pytest.raises(ValueError, match="zoneout should be a number"):
        layer.zoneout = 2.0
    with pytest.raises(ValueError, match="Unknown nonlinearity"):
        layer.nonlinearity = "sin"
    assert (layer.zoneout, layer.nonlinearity) == ({}, "tanh")
    layer(torch.randn(T, B, I))


@pytest.mark.parametrize("kind", STEPS)
@pytest.mark.parametrize("sizes", [(0, H), (I, 0), (0, 0)])
@pytest.mark.parametrize("bias", [True, 1, 0, None])
def test_steps_take_what_those_of_torch_take(kind: str, sizes: Any, bias: Any) -> None:
    theirs, ours = twins(kind, *sizes, bias=bias)
    for x in (torch.randn(B, sizes[0]), torch.randn(sizes[0])):
        for _ in range(3):
            assert_same(ours(x), theirs(x))


@pytest.mark.filterwarnings("ignore:.*deprecated", "ignore:.*quantized tensor creation")
def test_quantization_says_that_it_leaves_our_layers() -> None:
    torch.set_default_dtype(torch.float32)
    model = nn.Sequential(unrolled.LSTM(I, H))
    with pytest.warns(UserWarning, match=r"LSTM\(3, 5\) is not quantized: .* unrolled.release"):
        torch.ao.quantization.quantize_dynamic(model, {nn.LSTM})
    unrolled.release(model)
    quantized = torch.ao.quantization.quantize_dynamic(model, {nn.LSTM})
    assert (
        "Quantized" in type(quantized[0]).__name__ or "quantized" in type(quantized[0]).__module__
    )


class Like:
    """What looks like a tensor, and is handed PyTorch's functions."""

    def __init__(self, data: Tensor) -> None:
        self.data = data

    def __getattr__(self, name: str) -> Any:
        return getattr(self.data, name)

    @classmethod
    def __torch_function__(
        cls, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        def bare(value: Any) -> Any:
            if isinstance(value, (tuple, list)):
                return type(value)(bare(each) for each in value)
            return value.data if isinstance(value, Like) else value

        return function.__name__, function(*bare(args), **(kwargs or {}))


@pytest.mark.parametrize("kind", [*LAYERS, *STEPS])
@pytest.mark.parametrize("given", [False, True])
def test_what_looks_like_a_tensor_is_handed_the_function_of_torch(kind: str, given: bool) -> None:
    theirs, ours = twins(kind, I, H)
    is_step = kind.endswith("Cell")
    x = Like(torch.randn(B, I) if is_step else torch.randn(T, B, I))
    h = Like(torch.randn(B, H) if is_step else torch.randn(1, B, H))
    hx: Any = None
    if given:
        hx = (h, h) if kind.startswith("LSTM") else h
    try:
        expected = theirs(x, hx)
    except TypeError:  # PyTorch's own module cannot unpack what came back
        with pytest.raises(TypeError):
            ours(x, hx)
        return
    found = ours(x, hx)
    assert str(found) == str(expected)


@pytest.mark.parametrize("kind", LAYERS)
def test_errors_name_the_attribute_that_is_missing(kind: str) -> None:
    layer = getattr(unrolled, kind)(I, H)
    del layer.training
    for x in (torch.randn(T, B, I), torch.randn(T, I)):
        with pytest.raises(AttributeError, match="no attribute 'training'"):
            layer(x)


def test_what_looks_like_a_tensor_is_refused_where_the_function_of_torch_would_not_do() -> None:
    x, plain = Like(torch.randn(T, B, I)), unrolled.GRU(I, H)
    with pytest.raises(TypeError, match="Expected input to be a Tensor or PackedSequence, got Li"):
        unrolled.GRU(I, H, zoneout=0.5)(x)
    plain(x)
    with (
        unrolled.record(plain, "*"),
        pytest.raises(TypeError, match="Expected input to be a Tensor or PackedSequence, got Li"),
    ):
        plain(x)


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("shape", [(T, I), (T, B, I)])
def test_a_missing_attribute_is_named(kind: str, shape: Any) -> None:
    module = getattr(unrolled, kind)(I, H)
    del module.training
    with pytest.raises(AttributeError, match="'training'"):
        module(torch.randn(shape))


class Mixed(nn.Module):
    """What users mix into layers: it sees what is set, moved and made."""

    def __init__(self) -> None:
        super().__init__()
        self.made = True

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        self.__dict__.setdefault("names", []).append(name)

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        self.__dict__["moved"] = True
        return super()._apply(fn, recurse)


@pytest.mark.parametrize("kind", [*LAYERS, *STEPS, "Recurrent"])
def test_classes_that_are_mixed_in_are_asked(kind: str) -> None:
    sizes = (unrolled.cells.mgu, I, H) if kind == "Recurrent" else (I, H)
    module = type("Mine", (getattr(unrolled, kind), Mixed), {})(*sizes)
    assert module.made
    name = next(iter(dict(module.named_parameters())))
    setattr(module, name, nn.Parameter(getattr(module, name) * 2))
    assert module.names[-1] == name
    module.float()
    assert module.moved
    other = copy.deepcopy(module)
    other.hidden_size = H
    x = torch.randn(B, I) if kind in STEPS else torch.randn(T, B, I)
    assert_same(other(x.float()), module(x.float()))
