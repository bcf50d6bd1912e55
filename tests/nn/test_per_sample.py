"""Gradients of single samples by `torch.nn.utils`, which looks for these along dimension 0."""

from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import unrolled
from unrolled import affine, cells, exp, scalar, sigmoid, tanh, vector
from unrolled.testing import eager_only

per_sample = pytest.importorskip("torch.nn.utils._per_sample_grad")

B, T, X, H = 3, 3, 2, 4  # as many steps as rows: a product by time would go unnoticed
LENGTHS = [2, 3, 1]


@unrolled.cell
def skewed(x, h, c):
    """A cell whose parameters stand before, in and outside of products, some without a bias."""
    decay, seed, gain, rate = vector(), vector(), vector(), scalar()
    g = tanh(affine(x, bias=False) + affine(h))
    i = sigmoid(affine(x, h))
    start = affine(tanh(seed), bias=False) + exp(-decay) * rate
    c = i * c + (1 - i) * g * start
    h = tanh(c) * gain + affine(x, h, bias=False)
    return locals()


CELLS = {**cells.CELLS, "skewed": skewed}


class Ours(nn.Module):
    """A layer or step; the call returns the rows of its results first, each by its weight."""

    def __init__(self, inner: nn.Module, form: str = "batch first") -> None:
        super().__init__()
        self.inner, self.form = inner, form

    def forward(self, x: Tensor, *states: Tensor, lengths: Any = None) -> Tensor:
        given = states[0] if len(states) == 1 else states or None
        if self.form == "step":
            last = self.inner(x, given)
            return weighed(*(last if isinstance(last, tuple) else (last,)))
        given = self._in_layers(given)
        if self.form == "packed":
            packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            output, last = self.inner(packed, given)
            output = pad_packed_sequence(output, batch_first=True, total_length=T)[0]
        elif self.form == "time first":
            output, last = self.inner(x.transpose(0, 1), given)
            output = output.transpose(0, 1)
        else:
            output, last = self.inner(x, given, lengths=lengths)
        last = last if isinstance(last, tuple) else (last,)
        return weighed(output, *(state.transpose(0, 1) for state in last))

    def _in_layers(self, given: Any) -> Any:
        if isinstance(given, tuple):
            return tuple(state.transpose(0, 1) for state in given)
        return None if given is None else given.transpose(0, 1)


def weighed(*parts: Tensor) -> Tensor:
    """A loss in which no two numbers of a row weigh the same."""
    losses = []
    for part in parts:
        weights = torch.arange(1.0, part[0].numel() + 1, dtype=part.dtype).cos()
        losses.append((part.flatten(1) * weights).sum())
    return torch.stack(losses).sum()


def check(module: nn.Module, *rows: Tensor, lengths: list[int] | None = None) -> None:
    """Compare the gradients of all samples at once with those of one after the other."""
    for parameter in module.parameters():
        with torch.no_grad():
            parameter.copy_(torch.randn_like(parameter) / 2)
    own = {} if lengths is None else {"lengths": lengths}
    per_sample.call_for_per_sample_grads(module, batch_size=B)(*rows, **own).backward()
    parameters = list(module.parameters())
    singles = []
    for row in range(B):
        one = {} if lengths is None else {"lengths": lengths[row : row + 1]}
        with eager_only():  # as it is quicker than to compile kernels
            loss = module(*(each[row : row + 1] for each in rows), **one)
        loss = loss + 0 * parameters[0].sum()  # without a step nothing comes of the parameters
        singles.append(torch.autograd.grad(loss, parameters, allow_unused=True))
    for (name, parameter), each in zip(
        module.named_parameters(), zip(*singles, strict=True), strict=True
    ):
        expected = torch.stack([torch.zeros_like(parameter) if g is None else g for g in each])
        torch.testing.assert_close(
            getattr(parameter, "grad_sample", torch.zeros_like(expected)),
            expected,
            msg=lambda text, name=name: f"{name}: {text}",
        )
        assert parameter.grad is None


def made(kind: Any, name: str, **options: Any) -> Any:
    proj = {"proj_size": 3} if CELLS[name].projects else {}
    return kind(CELLS[name], X, H, dtype=torch.float64, **proj, **options)


def sequences() -> Tensor:
    return torch.randn(B, T, X, dtype=torch.float64)


@pytest.mark.parametrize("name", CELLS)
def test_gradients_of_samples_are_those_of_calls_with_one_row(name: str) -> None:
    layer = made(unrolled.Recurrent, name, batch_first=True)
    check(Ours(layer), sequences())
    states = [torch.randn(B, 1, n, dtype=torch.float64) for n in layer._state_units.values()]
    check(
        Ours(made(unrolled.RecurrentCell, name), "step"), *(s[:, 0] for s in [sequences(), *states])
    )
    check(Ours(layer_again(layer)), sequences(), *states)


def layer_again(layer: Any) -> Any:
    for parameter in layer.parameters():
        parameter.grad_sample = None
    return layer


@pytest.mark.parametrize(
    ("form", "lengths"),
    [
        ("batch first", None),
        ("batch first", LENGTHS),
        ("time first", None),
        ("packed", LENGTHS),
    ],
)
@pytest.mark.parametrize("name", ["lstm", "gru", "skewed"])
def test_layers_and_directions(name: str, lengths: list[int] | None, form: str) -> None:
    options: Any = {"num_layers": 2, "bidirectional": True, "learn_initial_states": True}
    layer = made(unrolled.Recurrent, name, batch_first=form != "time first", **options)
    check(Ours(layer, form), sequences(), lengths=lengths)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("shape", [(B, T), (B, 5)])
def test_gradients_of_samples_are_those_of_torch(kind: str, shape: tuple[int, int]) -> None:
    options: Any = {"num_layers": 2, "batch_first": True, "dtype": torch.float64}
    theirs = getattr(nn, kind)(X, H, **options)
    mine = getattr(unrolled, kind)(X, H, **options)
    mine.load_state_dict(theirs.state_dict())
    x = torch.randn(*shape, X, dtype=torch.float64)
    for module in (theirs, mine):
        output, _ = per_sample.call_for_per_sample_grads(module, loss_reduction="mean")(x)
        output.square().mean().backward()
    for one, other in zip(mine.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one.grad_sample, other.grad_sample)


def test_one_row_of_no_step_gives_no_gradient() -> None:
    check(Ours(made(unrolled.Recurrent, "lstm", batch_first=True)), sequences(), lengths=[0, 2, 0])


class Rowwise(torch.Tensor):
    """A parameter that expects rows along dimension 0 of what it multiplies, and notes them."""

    seen: ClassVar[list[int]] = []

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is nn.functional.linear:
            cls.seen.append(args[0].shape[0])
        return super().__torch_function__(func, types, args, kwargs or {})


@pytest.mark.parametrize("cell", [unrolled.LSTMCell, unrolled.GRUCell, unrolled.RNNCell])
def test_other_classes_of_parameters_meet_rows_first(cell: Any) -> None:
    step, x = cell(X, H), torch.randn(B, X)
    expected = step(x)
    own = {n: p.detach().as_subclass(Rowwise) for n, p in step.named_parameters()}
    Rowwise.seen.clear()
    found = torch.func.functional_call(step, own, (x,))
    torch.testing.assert_close(found, expected, check_dtype=True)
    assert set(Rowwise.seen) == {B}


@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_probes_refuse_parameters_that_make_products_themselves(lengths: list[int] | None) -> None:
    layer = unrolled.LSTM(X, H, batch_first=True)
    called = per_sample.call_for_per_sample_grads(layer, batch_size=B)
    with (
        unrolled.record(layer, "*.h"),
        pytest.raises(RuntimeError, match=r"need plain parameters, got ExpandedWeight"),
    ):
        called(torch.randn(B, T, X), lengths=lengths)
