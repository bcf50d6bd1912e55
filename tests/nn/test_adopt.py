"""PyTorch's modules become ours in place, and theirs again."""

import abc
import copy
import pickle
import sys
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune

import unrolled
import unrolled.nn.adopt
from probe.models import MODELS, B, Forecaster, H, I, T, Tagger, Translator, inputs

adopting = sys.modules["unrolled.nn.adopt"]

KINDS: list[tuple[str, dict[str, Any]]] = [
    ("RNN", {"nonlinearity": "relu", "num_layers": 2, "bias": False}),
    ("LSTM", {"bidirectional": True, "batch_first": True, "num_layers": 2, "dropout": 0.3}),
    ("LSTM", {"proj_size": 2, "num_layers": 2}),
    ("GRU", {"num_layers": 3, "dropout": 0.5}),
    ("RNNCell", {"nonlinearity": "relu"}),
    ("LSTMCell", {"bias": False}),
    ("GRUCell", {}),
]


@pytest.fixture(autouse=True)
def double() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def flat(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    return [tensor for part in value if part is not None for tensor in flat(part)]


def step(model: nn.Module, given: Any, optimizer: torch.optim.Optimizer, seed: int) -> Tensor:
    """Take a step of training; the loss."""
    torch.manual_seed(seed)  # of dropout
    optimizer.zero_grad()
    loss = flat(model(*given))[0].square().mean()
    loss.backward()
    optimizer.step()
    return loss.detach()


@pytest.mark.broad
@pytest.mark.parametrize("kind", MODELS)
def test_models_train_with_the_same_losses(kind: type[nn.Module]) -> None:
    model = kind()
    twin, given = copy.deepcopy(model), inputs(model)
    optimizer, other = (torch.optim.Adam(m.parameters(), 0.01) for m in (model, twin))
    expected = [step(twin, given, other, seed) for seed in range(6)]
    found = [step(model, given, optimizer, 0)]
    report = unrolled.adopt(model)
    assert report.changed
    assert not report.left
    found.append(step(model, given, optimizer, 1))
    with unrolled.record(model) as recording:
        found.append(step(model, given, optimizer, 2))
    assert list(recording) == unrolled.names(model)
    found.append(step(model, given, optimizer, 3))
    assert list(unrolled.release(model).changed) == list(report.changed)
    found += [step(model, given, optimizer, seed) for seed in (4, 5)]
    torch.testing.assert_close(torch.stack(found), torch.stack(expected), rtol=1e-9, atol=1e-9)
    assert list(model.state_dict()) == list(twin.state_dict())


@pytest.mark.parametrize(("kind", "options"), KINDS)
def test_every_module_by_itself(kind: str, options: dict[str, Any]) -> None:
    module = getattr(nn, kind)(I, H, **options).eval()
    attributes, shown = set(module.__dict__), repr(module)
    x = torch.randn(T, B, I)[0 if kind.endswith("Cell") else slice(None)]
    expected, parameters = flat(module(x)), dict(module.named_parameters())
    state = torch.get_rng_state()
    report = unrolled.adopt(module)
    assert torch.equal(torch.get_rng_state(), state)
    assert report.model is module
    assert report.changed == {"": f"torch.nn.{kind} -> unrolled.{kind}"}
    assert f"(model)  torch.nn.{kind} -> unrolled.{kind}" in repr(report)
    assert type(module) is getattr(unrolled, kind)
    assert not module.training
    torch.testing.assert_close(flat(module(x)), expected, rtol=1e-10, atol=1e-10)
    twin = getattr(unrolled, kind)(I, H, **options)
    assert repr(module) == repr(twin)
    assert set(twin.__dict__) <= set(module.__dict__)
    assert not unrolled.adopt(module).changed
    unrolled.release(module)
    assert type(module) is getattr(nn, kind)
    assert set(module.__dict__) == attributes
    assert repr(module) == shown
    assert all(p is parameters[name] for name, p in module.named_parameters())
    torch.testing.assert_close(flat(module(x)), expected, rtol=0, atol=0)


def test_what_refers_to_a_module_goes_on() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.LSTM(I, I)
            self.again = nn.Sequential(self.first)
            self.listed = [self.first]
            self.call = self.first.forward
            self.weights = nn.ParameterList(self.first.parameters())

    model, seen = Model(), []
    handle = model.first.register_forward_hook(lambda *_: seen.append("hook"))
    model.first.bias_hh_l0.requires_grad_(False)
    model.first.weight_hh_l0.register_hook(lambda _: seen.append("gradient"))
    before = dict(model.named_parameters(remove_duplicate=False))
    x, first = torch.randn(T, B, I), model.first
    expected, _ = model.first(x)
    report = unrolled.adopt(model)
    assert list(report.changed) == ["first"]
    assert model.first is first
    assert model.again[0] is first
    assert model.listed[0] is first
    for name, parameter in model.named_parameters(remove_duplicate=False):
        assert parameter is before[name]
    assert not model.first.bias_hh_l0.requires_grad
    output, _ = model.again[0](x)
    torch.testing.assert_close(output, expected)
    output.sum().backward()
    assert seen == ["hook", "hook", "gradient"]
    handle.remove()
    model.first(x)
    assert seen == ["hook", "hook", "gradient"]


def test_tied_weights_stay_tied() -> None:
    model = nn.ModuleList([nn.GRU(H, H), nn.GRU(H, H)])
    model[1].weight_hh_l0 = model[0].weight_hh_l0
    for change in (unrolled.adopt, unrolled.release):
        change(model)
        assert model[1].weight_hh_l0 is model[0].weight_hh_l0
        model.float()
        assert model[1].weight_hh_l0 is model[0].weight_hh_l0
        model.double()


@pytest.mark.parametrize("change", ["assign", "to", "load", "setattr"])
def test_parameters_that_were_replaced_are_released(change: str) -> None:
    model, x = Forecaster().eval(), torch.randn(B, T, I)
    unrolled.adopt(model)
    other = Forecaster().state_dict()
    if change == "to":
        model.float()
        x = x.float()
    elif change == "setattr":
        rnn = model.core["rnn"]
        rnn.weight_hh_l0 = nn.Parameter(torch.rand_like(rnn.weight_hh_l0))
    else:
        model.load_state_dict(other, assign=change == "assign")
    expected = model(x)
    unrolled.release(model)
    tolerance = 1e-5 if change == "to" else 1e-10
    torch.testing.assert_close(model(x), expected, rtol=tolerance, atol=tolerance)
    model.core["rnn"].flatten_parameters()
    assert not {"_origin", "_probes"} & set(model.core["rnn"].__dict__)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_of_adopted_models_can_be_released(copied: Any) -> None:
    model = Translator()
    unrolled.adopt(model)
    twin, x = copied(model), torch.randn(T, B, I)
    expected = twin(x)
    assert type(twin.encoder) is unrolled.GRU
    assert list(unrolled.release(twin).changed) == ["encoder", "decoder"]
    assert type(twin.encoder) is nn.GRU
    assert type(model.encoder) is unrolled.GRU
    torch.testing.assert_close(twin(x), expected, rtol=1e-10, atol=1e-10)


def test_adopted_on_meta_and_then_loaded() -> None:
    with torch.device("meta"):
        model = Forecaster()
    unrolled.adopt(model)
    model.load_state_dict(Forecaster().state_dict(), assign=True)
    assert model(torch.randn(B, T, I)).shape == (B, 1)


class Named(nn.LSTM):
    """A subclass that computes what PyTorch's does."""

    def __init__(self, *sizes: int, note: str) -> None:
        super().__init__(*sizes, batch_first=True)
        self.note = note

    def reset_parameters(self) -> None:
        super().reset_parameters()
        nn.init.zeros_(self.bias_hh_l0)

    def zeros(self) -> Tensor:
        return self.weight_hh_l0.new_zeros(1, B, self.hidden_size)


@pytest.mark.parametrize("copied", [None, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_a_subclass_without_its_own_forward(copied: Any) -> None:
    model = nn.Sequential(Named(I, H, note="mine"))
    attributes, x = set(model[0].__dict__), torch.randn(B, T, I)
    expected, _ = model(x)
    assert unrolled.adopt(model).changed == {"0": "nn.test_adopt.Named -> unrolled.LSTM"}
    model = copied(model) if copied else model
    module = model[0]
    assert isinstance(module, unrolled.LSTM)
    assert isinstance(module, Named)
    assert module.note == "mine"
    with unrolled.record(model) as recording:
        output, _ = module(x, (module.zeros(), module.zeros()))
    assert torch.equal(recording["0.l0.h"], output)
    torch.testing.assert_close(output, expected)
    module.weight_hh_l0 = nn.Parameter(module.weight_hh_l0 * 2)
    module.double()
    assert not module.bias_hh_l0.any()
    changed, _ = model(x)
    unrolled.release(model)
    assert type(module) is Named
    assert set(module.__dict__) == attributes
    torch.testing.assert_close(model(x)[0], changed)


class Registered(nn.GRU):
    names: ClassVar[list[str]] = []

    def __init_subclass__(cls, *, name: str, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.names.append(name)


class Encoder(Registered, name="encoder"):
    pass


def test_a_register_of_subclasses_is_told_of_none_of_ours() -> None:
    model = nn.Sequential(Encoder(I, H))
    x = torch.randn(T, B, I)
    expected = flat(model(x))
    assert list(unrolled.adopt(model).changed) == ["0"]
    torch.testing.assert_close(flat(copy.deepcopy(model)(x)), expected)
    assert Registered.names == ["encoder"]
    unrolled.release(model)
    assert type(model[0]) is Encoder


@pytest.mark.parametrize("kind", ["RNNCell", "LSTMCell", "GRUCell"])
def test_a_step_whose_biases_were_taken_away(kind: str) -> None:
    module, x = getattr(nn, kind)(I, H), torch.randn(B, I)
    module.bias_ih = module.bias_hh = None
    expected = flat(module(x))
    unrolled.adopt(module)
    for same in (module, module, copy.deepcopy(module)):
        torch.testing.assert_close(flat(same(x)), expected)


class Handling(abc.ABC, nn.RNNBase):
    """What brings input into a form, and leaves the rest to PyTorch."""

    @abc.abstractmethod
    def kind(self) -> str: ...

    def forward(self, x: Tensor, lengths: Any = None) -> Any:
        if lengths is None:
            return super().forward(x)  # pyright: ignore
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
        output, last = super().forward(packed)  # pyright: ignore
        return nn.utils.rnn.pad_packed_sequence(output)[0], last


class Handled(Handling, nn.LSTM):
    def kind(self) -> str:
        return "LSTM"

    def forward(self, x: Tensor, lengths: Any = None) -> Any:
        output, last = super().forward(2 * x, lengths)
        return output + 1, last


@pytest.mark.parametrize("copied", [None, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_a_subclass_whose_forward_calls_on_the_class_behind_it(copied: Any) -> None:
    model = nn.ModuleList([Handled(I, H, 2)])
    x = torch.randn(T, B, I)
    expected = [model[0](x), model[0](x, [T, 2])]
    assert unrolled.adopt(model).changed == {"0": "nn.test_adopt.Handled -> unrolled.LSTM"}
    model = copied(model) if copied else model
    module = model[0]
    assert isinstance(module, (Handled, unrolled.LSTM))
    assert repr(type(module)) == repr(Handled)
    with unrolled.record(model) as recording:
        output, _ = module(x)
    assert torch.equal(recording["0.l1.h"] + 1, output)
    for _ in range(3):
        torch.testing.assert_close([module(x), module(x, [T, 2])], expected)
    unrolled.release(model)
    assert type(module) is Handled
    torch.testing.assert_close([module(x), module(x, [T, 2])], expected)


# Left alone.


class Slotted(nn.GRU):
    __slots__ = ("kept",)


def test_a_subclass_with_slots() -> None:
    model = nn.Sequential(Slotted(I, H))
    model[0].kept = "mine"
    x = torch.randn(T, B, I)
    expected = model(x)
    assert unrolled.adopt(model).changed
    torch.testing.assert_close(model(x), expected)
    assert model[0].kept == "mine"
    unrolled.release(model)
    assert type(model[0]) is Slotted


class Demanding(type):
    def __new__(cls, *arguments: Any, must: bool) -> Any:
        return super().__new__(cls, *arguments)

    def __init__(cls, *arguments: Any, must: bool) -> None:
        super().__init__(*arguments)


class Demanded(nn.GRU, metaclass=Demanding, must=True):
    pass


class Own(nn.LSTM):
    def forward(self, input: Any, hx: Any = None) -> Any:
        return nn.LSTM.forward(self, 2 * input, hx)


class Clashing(nn.LSTM):
    def prepare(self) -> None:
        """Ours has a method of this name."""


def parametrized() -> nn.Module:
    return parametrizations.weight_norm(nn.LSTM(I, H), "weight_hh_l0")


def normed() -> nn.Module:
    return nn.utils.weight_norm(nn.LSTM(I, H), "weight_hh_l0")


def pruned() -> nn.Module:
    return prune.l1_unstructured(nn.GRUCell(I, H), "weight_hh", amount=0.5)


def replaced() -> nn.Module:
    module = nn.GRU(I, H)
    module.forward = lambda x: x  # pyright: ignore
    return module


def compiled() -> nn.Module:
    module = nn.GRU(I, H)
    module.compile(backend="eager")
    return module


def scripted() -> nn.Module:
    return torch.jit.script(nn.GRU(I, H))


def quantized() -> nn.Module:
    return torch.ao.nn.quantized.dynamic.LSTM(I, H)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: Own(I, H), "a subclass with its own forward: nn.test_adopt.Own"),
        (lambda: Clashing(I, H), "a subclass with its own prepare: nn.test_adopt.Clashing"),
        (parametrized, "parametrized"),
        (normed, "made of others: weight_hh_l0"),
        (pruned, "made of others: weight_hh"),
        (replaced, "its forward was replaced"),
        (compiled, "compiled in place"),
        (scripted, "a scripted GRU"),
        (quantized, "quantized"),
        (lambda: Demanded(I, H), "TypeError: "),
    ],
)
def test_what_is_left_alone(make: Any, reason: str) -> None:
    left = make()
    model = nn.ModuleDict({"core": nn.ModuleList([left, nn.GRU(I, H)])})
    kind = type(left)
    report = unrolled.adopt(model)
    assert list(report.left) == ["core.0"]
    assert list(report.changed) == ["core.1"]
    assert reason in report.left["core.0"]
    assert "core.0  left: " in repr(report)
    assert repr(report).startswith("1 changed, 1 left alone")
    assert model["core"][0] is left
    assert type(left) is kind


def test_modules_of_ours_stay() -> None:
    model = nn.ModuleDict({"ours": unrolled.GRU(I, H), "theirs": nn.GRU(I, H)})
    assert list(unrolled.adopt(model).changed) == ["theirs"]
    report = unrolled.release(model)
    assert list(report.changed) == ["ours", "theirs"]
    assert type(model["ours"]) is nn.GRU


MADE: dict[str, Any] = {
    "RNN": lambda: unrolled.RNN(I, H, nonlinearity="relu"),
    "LSTM": lambda: unrolled.LSTM(I, H, 2, bidirectional=True, batch_first=True, dropout=0.1),
    "LSTM, projected": lambda: unrolled.LSTM(I, H, proj_size=2, recompute=True),
    "GRU": lambda: unrolled.GRU(I, H, bias=False),
    "LSTMCell": lambda: unrolled.LSTMCell(I, H),
    "RNNCell": lambda: unrolled.RNNCell(I, H, nonlinearity="relu"),
    "any layer": lambda: unrolled.Recurrent(unrolled.cells.gru, I, H, 2),
    "any step": lambda: unrolled.RecurrentCell(unrolled.cells.rnn_tanh, I, H, bias=False),
}


@pytest.mark.filterwarnings("ignore:LSTM with projections")
@pytest.mark.parametrize("name", MADE)
def test_what_has_a_twin_is_released_whoever_made_it(name: str) -> None:
    module = MADE[name]().eval()
    module.note = "mine"
    x = torch.randn(B, I) if isinstance(module, unrolled.nn.step.Step) else torch.randn(T, B, I)
    expected, parameters = module(x), list(module.parameters())
    report = unrolled.release(nn.Sequential(module))
    assert list(report.changed) == ["0"]
    assert type(module).__module__ == "torch.nn.modules.rnn"
    assert all(a is b for a, b in zip(module.parameters(), parameters, strict=True))
    torch.testing.assert_close(module(x), expected)
    fresh = type(module)(I, H)
    assert set(module.__dict__) == {*fresh.__dict__, "note"}
    unrolled.adopt(module)
    torch.testing.assert_close(module(x), expected)
    unrolled.release(copy.deepcopy(module))
    pickle.loads(pickle.dumps(module))


@pytest.mark.parametrize("option", ["zoneout", "variational_dropout", "learn_initial_states"])
def test_options_that_torch_has_not_keep_a_module_from_being_released(option: str) -> None:
    module: Any = nn.GRU(I, H)
    unrolled.adopt(module)
    setattr(module, option, 0.5 if option != "learn_initial_states" else True)
    report = unrolled.release(module)
    assert report.left == {"": f"torch.nn.GRU has no {option}"}
    assert type(module) is unrolled.GRU


@pytest.mark.parametrize("make", [nn.RNN, nn.RNNCell])
def test_a_nonlinearity_that_was_set_since_is_released(make: Any) -> None:
    module: Any = make(I, H)
    unrolled.adopt(module)
    module.nonlinearity = "relu"
    x = torch.randn(T, B, I)[0]
    expected = module(x)
    unrolled.release(module)
    assert type(module) is make
    torch.testing.assert_close(module(x), expected)


@pytest.mark.parametrize("make", [nn.LSTM, unrolled.LSTM])
def test_what_is_watched_is_not_released(make: Any) -> None:
    model = nn.Sequential(make(I, H))
    if make is nn.LSTM:
        unrolled.adopt(model)
    x = torch.randn(T, B, I)
    with unrolled.record(model, "*.h") as recording:
        report = unrolled.release(model)
        model(x)
    assert report.left == {"0": "it is watched: leave the context of record() or edit() first"}
    assert len(recording) == 1
    assert unrolled.release(model).changed


class Further(unrolled.LSTM):
    pass


def parametrized_after() -> nn.Module:
    module = nn.LSTM(I, H)
    unrolled.adopt(module)
    return parametrizations.weight_norm(module, "weight_hh_l0")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: unrolled.LSTM(I, H, zoneout=0.1), "torch.nn.LSTM has no zoneout"),
        (
            lambda: unrolled.GRU(I, H, learn_initial_states=True),
            "torch.nn.GRU has no learn_initial_states",
        ),
        (
            lambda: unrolled.Recurrent(unrolled.cells.mgu, I, H),
            "made as unrolled.Recurrent: torch.nn has no mgu",
        ),
        (lambda: Further(I, H), "a subclass: nn.test_adopt.Further"),
        (parametrized_after, "its weights are parametrized: remove that first"),
    ],
)
def test_what_has_no_twin_is_left(make: Any, reason: str) -> None:
    module = make()
    kind = type(module)
    assert unrolled.release(nn.Sequential(module)).left == {"0": reason}
    assert type(module) is kind


def test_options_that_no_layer_has_are_reasons_to_be_left() -> None:
    model = nn.Sequential(nn.GRUCell(3, 4, bias=1), nn.RNNCell(10, 0), nn.GRU(3, 4))  # pyright: ignore
    model[2].hidden_size = "x"  # pyright: ignore
    report = unrolled.adopt(model)
    assert list(report.changed) == ["0", "1"]
    assert report.left == {"2": "TypeError: hidden_size should be of type int, got: str"}


def test_a_model_is_never_half_adopted(monkeypatch: pytest.MonkeyPatch) -> None:
    model = nn.Sequential(nn.GRU(I, H), nn.LSTM(H, H), Named(H, H, note="mine"))
    before = [(type(module), set(module.__dict__)) for module in model]
    become, seen = adopting._become, []

    def failing(module: Any) -> str:
        seen.append(module)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return become(module)

    monkeypatch.setattr(adopting, "_become", failing)
    with pytest.raises(KeyboardInterrupt):
        unrolled.adopt(model)
    assert len(seen) == 3
    assert [(type(module), set(module.__dict__)) for module in model] == before
    model[1](model[0](torch.randn(T, B, I))[0])


def test_what_is_refused() -> None:
    for change in (unrolled.adopt, unrolled.release):
        with pytest.raises(TypeError, match=r"takes a torch\.nn\.Module, got list"):
            change([nn.LSTM(I, H)])  # pyright: ignore
    with pytest.raises(ValueError, match="Linear has no recurrent modules"):
        unrolled.adopt(nn.Linear(2, 2))
    with pytest.raises(ValueError, match="nothing to release"):
        unrolled.release(Tagger())
