"""Whatever becomes of a watch, the model is afterwards what it was before."""

import os
import random
from collections.abc import Callable
from typing import Any

import numpy
import pytest
import torch
from tests.test_interrupts import at_every_line
from torch import Tensor, nn
from torch.nn.utils import parametrizations

import unrolled

I, H, T, B = 3, 4, 5, 2  # noqa: E741
EVERY = int(os.environ.get("UNROLLED_EVERY_LINE", 601))
"""Each how manyth line of the library is interrupted."""


class Model(nn.Module):
    """All that a run may change: numbers, attributes, modes, random numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, I, max_norm=0.5)
        self.lstm = nn.LSTM(I, H, 2, dropout=0.3, bidirectional=True)
        self.norm = nn.BatchNorm1d(2 * H)
        self.mix = parametrizations.spectral_norm(nn.Linear(2 * H, H))
        self.cell = nn.GRUCell(H, H)
        self.shared = self.lstm
        self.hidden: Tensor | None = None
        self.memory = torch.zeros(H)
        self.log: list[str] = ["made"]
        self.cache: dict[str, Tensor] = {}
        self.ours = unrolled.GRU(H, H)

    def forward(self, words: Tensor) -> Tensor:
        self.log.append("called")
        x, _ = self.shared(self.embedding(words))
        x = nn.functional.dropout(self.norm(x.transpose(1, 2)).transpose(1, 2), 0.5, self.training)
        x = self.mix(x) * random.random() * float(numpy.random.random())
        self.cache["x"] = x
        self.mix.register_forward_hook(lambda *_: None)
        self.cell.weight_hh.requires_grad_(False)
        self.eval()
        torch.set_default_dtype(torch.float64)
        self.hidden = torch.zeros(B, H, dtype=torch.float32)
        for step in x:
            self.hidden = self.cell(step, self.hidden)
        self.memory.add_(1)
        return self.ours(x)[0] + self.hidden


def made() -> Model:
    torch.manual_seed(0)
    model = Model()
    model.embedding.requires_grad_(False)
    model.lstm._parameters["weight_hh_l1"].grad = torch.randn(4 * H, H)  # pyright: ignore
    return model


class Snapshot:
    """All that can be seen of a model, and of what its runs draw from."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.modules = [
            (name, module, type(module), self.attributes(module))
            for name, module in model.named_modules()
        ]
        held = [value for m in model.modules() for value in vars(m).values()]
        tensors = [*model.parameters(), *model.buffers(), *held]
        self.tensors = [
            (tensor, tensor.requires_grad, tensor.detach().clone(), tensor.grad)
            for tensor in tensors
            if isinstance(tensor, Tensor)
        ]
        self.gradients = [None if g is None else g.clone() for *_, g in self.tensors]
        self.state = {name: value.clone() for name, value in model.state_dict().items()}
        self.random = random.getstate(), numpy.random.get_state()[1].tolist()  # pyright: ignore
        self.torch_random, self.dtype = torch.get_rng_state(), torch.get_default_dtype()

    def attributes(self, module: nn.Module) -> dict[str, Any]:
        """The attributes; of what holds others, these, in their order."""
        found: dict[str, Any] = {}
        for name, value in vars(module).items():
            parts: Any = ()
            if isinstance(value, dict):
                parts = [(key, id(part)) for key, part in value.items()]
            elif isinstance(value, list):
                parts = [id(part) for part in value]
            found[name] = (id(value), parts)
        return found

    def check(self) -> None:
        names = [name for name, *_ in self.modules]
        assert [name for name, _ in self.model.named_modules()] == names
        for name, module, kind, attributes in self.modules:
            assert self.model.get_submodule(name) is module
            assert type(module) is kind
            assert self.attributes(module) == attributes, name
        for (tensor, wanted, numbers, gradient), own in zip(
            self.tensors, self.gradients, strict=True
        ):
            assert tensor.requires_grad is wanted
            assert torch.equal(tensor.detach(), numbers)
            assert tensor.grad is gradient
            assert gradient is None or torch.equal(gradient, own)  # pyright: ignore
        state = self.model.state_dict()
        assert list(state) == list(self.state)
        assert all(torch.equal(state[name], self.state[name]) for name in state)
        assert (random.getstate(), numpy.random.get_state()[1].tolist()) == self.random  # pyright: ignore
        assert torch.equal(torch.get_rng_state(), self.torch_random)
        assert torch.get_default_dtype() is self.dtype


WORDS = torch.arange(T * B).view(T, B) % 7


def backward(output: Tensor) -> Tensor:
    output.sum().backward(retain_graph=True)
    return output.sum()


WATCHES: dict[str, Callable[[nn.Module], object]] = {
    "diagnose": lambda model: unrolled.diagnose(model, WORDS),
    "gradient_flow": lambda model: unrolled.gradient_flow(model, WORDS),
    "a loss with a backward pass": lambda model: unrolled.gradient_flow(model, WORDS, backward),
}


@pytest.mark.parametrize("watch", WATCHES)
def test_nothing_is_changed_by_a_watch(watch: str) -> None:
    model = made()
    before = Snapshot(model)
    model(WORDS)
    torch.set_default_dtype(torch.float32)
    with pytest.raises(AssertionError):
        before.check()  # a change is seen
    model = made()
    before = Snapshot(model)
    WATCHES[watch](model)
    before.check()


def failing(error: type[BaseException]) -> Callable[..., None]:
    def fail(*_: object) -> None:
        raise error("injected")

    return fail


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("at", ["embedding", "lstm", "norm", "cell", "ours", ""])
@pytest.mark.parametrize("watch", ["diagnose", "gradient_flow"])
def test_a_run_that_fails(watch: str, at: str, error: type[BaseException]) -> None:
    model = made()
    model.get_submodule(at).register_forward_hook(failing(error))
    before = Snapshot(model)
    with pytest.raises(error, match="injected"):
        WATCHES[watch](model)
    before.check()


@pytest.mark.parametrize(
    ("loss", "error"),
    [
        (failing(RuntimeError), RuntimeError),
        (failing(KeyboardInterrupt), KeyboardInterrupt),
        (lambda output: output, ValueError),
        (lambda output: output.detach().sum(), ValueError),
        (lambda output: 3.0, TypeError),
    ],
)
def test_a_loss_that_fails(loss: Any, error: type[BaseException]) -> None:
    model = made()
    before = Snapshot(model)
    with pytest.raises(error):
        unrolled.gradient_flow(model, WORDS, loss)
    before.check()


def test_a_backward_pass_that_fails() -> None:
    model = made()
    before = Snapshot(model)

    def loss(output: Tensor) -> Tensor:
        output.register_hook(failing(KeyboardInterrupt))
        return output.sum()

    with pytest.raises(KeyboardInterrupt):
        unrolled.gradient_flow(model, WORDS, loss)
    before.check()


@pytest.mark.parametrize("watch", [unrolled.diagnose, unrolled.gradient_flow])
def test_models_that_cannot_be_watched(watch: Any) -> None:
    model = made()
    before = Snapshot(model)
    for arguments, options in [((WORDS,), {"of": "l9"}), ((WORDS + 9,), {}), ((WORDS[:0],), {})]:
        with pytest.raises((ValueError, IndexError, RuntimeError)):
            watch(model, *arguments, **options)
        before.check()
    odd = nn.Sequential(nn.LSTM(I, H), nn.GRUCell(3, 4, bias=1), nn.LSTM(I, H))  # pyright: ignore
    x = torch.randn(T, B, I)
    before = Snapshot(odd)
    with pytest.raises((TypeError, ValueError, RuntimeError, AttributeError)):
        watch(odd, x)
    before.check()


def test_a_watch_leaves_training_as_it_would_be() -> None:
    losses = []
    for watched in (False, True):
        torch.manual_seed(1)
        model = nn.Sequential(nn.Embedding(7, I), nn.LSTM(I, H, 2, dropout=0.5))
        optimizer = torch.optim.Adam(model.parameters(), 0.01)
        for _ in range(4):
            if watched:
                unrolled.diagnose(model, WORDS)
                unrolled.gradient_flow(model, WORDS)
            loss = model(WORDS)[0].square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    assert losses[:4] == losses[4:]


def test_between_forward_and_backward() -> None:
    rnn, x = nn.LSTM(I, H), torch.randn(T, B, I)
    model = nn.Sequential(rnn)
    with torch.no_grad():
        rnn.bias_hh_l0[0] = torch.nan
    loss = model(x)[0].sum()
    unrolled.diagnose(model, x)
    loss.backward()  # no tensor that it needs was written to


def test_models_made_in_inference_mode() -> None:
    with torch.inference_mode():
        model, x = nn.Sequential(nn.LSTM(I, H)), torch.randn(T, B, I)
        before = Snapshot(model)
        assert unrolled.diagnose(model, x).layers
        before.check()


def test_numbers_that_a_run_takes_into_its_graph_or_sets_free() -> None:
    class Keeper(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.GRU(I, H)
            self.kept, self.freed = torch.zeros(H), torch.ones(H)

        def forward(self, x: Tensor) -> Tensor:
            y = self.rnn(x)[0]
            self.kept += y[0, 0]
            self.freed.untyped_storage().resize_(0)
            return y

    model, x = Keeper(), torch.randn(T, B, I)
    before = Snapshot(model)
    unrolled.gradient_flow(model, x)
    before.check()
    assert model.kept.is_leaf
    model.freed.untyped_storage().resize_(0)
    unrolled.diagnose(model, x)
    model.rnn.weight_hh_l0.untyped_storage().resize_(0)
    with pytest.raises(RuntimeError, match=r"weight_hh has shape .* of a storage that has 0"):
        unrolled.diagnose(model, x)
    assert type(model.rnn) is nn.GRU


@pytest.mark.filterwarnings("ignore:Lazy modules are a new feature")
def test_lazy_modules_keep_their_sizes() -> None:
    model = nn.Sequential(nn.LazyLinear(I), nn.LSTM(I, H))
    unrolled.diagnose(model, torch.randn(T, B, 6))
    assert type(model[0]) is nn.Linear
    assert model[0].in_features == 6
    assert type(model[1]) is nn.LSTM
    model(torch.randn(T, B, 6))


# Recordings and edits: the run is the user's; the probes are gone.


class Plain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = unrolled.LSTM(I, H, 2)
        self.cell = unrolled.GRUCell(H, H)
        self.read = nn.Linear(H, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = None
        for step in self.lstm(x)[0]:
            h = self.cell(step, h)
        return self.read(h)


def recorded(model: nn.Module) -> None:
    with unrolled.record(model):
        model(torch.ones(T, B, I))


def edited(model: nn.Module) -> None:
    with unrolled.edit(model, {"*.h": 0.5, "lstm.l0.f": lambda f: f}):
        model(torch.ones(T, B, I))


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("at", ["lstm", "cell", ""])
@pytest.mark.parametrize("watch", [recorded, edited])
def test_contexts_that_fail(watch: Any, at: str, error: type[BaseException]) -> None:
    model = Plain()
    model.get_submodule(at).register_forward_hook(failing(error))
    before = Snapshot(model)
    with pytest.raises(error):
        watch(model)
    before.check()


def test_functions_and_changes_that_fail() -> None:
    model = Plain()
    before = Snapshot(model)
    for change in (failing(KeyboardInterrupt), torch.zeros(T + 1, B, H), torch.zeros(T, B + 1, H)):
        with pytest.raises((KeyboardInterrupt, ValueError)):  # noqa: SIM117
            with unrolled.edit(model, {"lstm.l0.f": change}):
                model(torch.ones(T, B, I))
        before.check()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("watch", ["record", "edit", "diagnose", "gradient_flow"])
def test_an_interrupt_at_any_line(watch: str) -> None:
    model: nn.Module = Plain()
    work = {
        "record": lambda: recorded(model),
        "edit": lambda: edited(model),
        "diagnose": lambda: unrolled.diagnose(model, torch.ones(T, B, I)),
        "gradient_flow": lambda: unrolled.gradient_flow(model, torch.ones(T, B, I)),
    }[watch]
    if watch in ("diagnose", "gradient_flow"):
        model = nn.Sequential(nn.LSTM(I, H))
    work()  # what is made once
    before = Snapshot(model)
    assert at_every_line(work, before.check, KeyboardInterrupt, EVERY) > EVERY
