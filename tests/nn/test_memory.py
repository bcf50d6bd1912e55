"""Whatever tensors a call is handed, nothing is read that is not theirs: right, or an error."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._subclasses import FakeTensorMode
from torch.autograd.graph import save_on_cpu, saved_tensors_hooks
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence
from torch.overrides import TorchFunctionMode

import unrolled
from pairs import pairwise
from unrolled.kernels.autograd import description
from unrolled.kernels.runtime.torch_state import eager_only

I, H, B, T = 4, 5, 2, 3  # noqa: E741

Made = tuple[Any, Tensor, Any]


def _learned(x: Any, h: Any) -> Any:
    p = unrolled.vector()
    s = unrolled.scalar()
    h = unrolled.tanh(unrolled.affine(x, h) + p * h) * s
    return locals()


def made(kind: str) -> Made:
    """A module, an input and states."""
    torch.manual_seed(1)
    x, wide = torch.randn(T, B, I), torch.randn(8 * T, B, I)
    h, c = torch.randn(1, B, H), torch.randn(1, B, H)
    if kind == "LSTM":
        return unrolled.LSTM(I, H), x, (h, c)
    if kind == "batch first":
        return unrolled.LSTM(I, H, batch_first=True), x.transpose(0, 1).contiguous(), (h, c)
    if kind == "both ways":
        h = torch.randn(4, B, H)
        return unrolled.GRU(I, H, 2, bidirectional=True), wide, h
    if kind == "learned":
        return unrolled.Recurrent(unrolled.cell(_learned), I, H), x, h
    if kind == "normalized":
        return unrolled.Recurrent(unrolled.cells.lstm_layernorm, I, H), x, (h, c)
    if kind == "one step":
        return unrolled.LSTM(I, H), x[:1], (h, c)
    if kind == "GRUCell":
        return unrolled.GRUCell(I, H), x[0], h[0]
    return unrolled.LSTMCell(I, H), x[0], (h[0], c[0])


KINDS = (
    "LSTM", "batch first", "both ways", "learned", "normalized", "one step", "GRUCell", "LSTMCell"
)  # fmt: skip


def flat(result: Any) -> list[Tensor]:
    if isinstance(result, Tensor):
        return [result]
    return [tensor for part in result for tensor in flat(part)]


def total(result: Any) -> Tensor:
    return torch.stack([tensor.sin().sum() for tensor in flat(result)]).sum()


def warmed(kind: str, warm: bool) -> Made:
    """A module that has seen calls of these shapes, or none at all."""
    module, x, hx = made(kind)
    for _ in range(3 if warm else 0):
        module(x, hx)
        with torch.no_grad():
            module(x, hx)
    return module, x, hx


def gradients(module: Any, x: Tensor, hx: Any) -> list[Tensor]:
    module.zero_grad()
    total(module(x, hx)).backward()
    return [parameter.grad for parameter in module.parameters()]


def close(found: list[Tensor], expected: list[Tensor]) -> None:
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def freed(tensor: Tensor, size: int = 0) -> Tensor:
    """A tensor whose storage has lost all but some bytes."""
    tensor = tensor.clone()
    tensor.untyped_storage().resize_(size)
    return tensor


def freed_columns(tensor: Tensor) -> Tensor:
    """The same, laid out column by column."""
    tensor = tensor.mT.contiguous().mT if tensor.dim() > 1 else tensor.clone()
    tensor.untyped_storage().resize_(0)
    return tensor


WRONG: dict[str, Callable[[Tensor], Tensor]] = {
    "half": lambda t: t.half(),
    "double": lambda t: t.double(),
    "shorter": lambda t: t[..., :-1],
    "longer": lambda t: torch.cat([t, t]),
    "empty": lambda t: t[:0],
    "flat": lambda t: t.reshape(-1) if t.dim() > 1 else t[:-1],
    "sparse": lambda t: t.to_sparse(),
    "elsewhere": lambda t: t.to("meta"),
    "freed": freed,
    "a byte short": lambda t: freed(t, t.nbytes - 1),
    "negated and freed": lambda t: torch._neg_view(freed(t)),
}
"""Tensors in whose place no kernel may read."""

SAME: dict[str, Callable[[Tensor], Tensor]] = {
    "every other": lambda t: torch.stack([t, t], -1)[..., 0],
    "transposed": lambda t: t.t().contiguous().t() if t.dim() == 2 else t,
    "negated": lambda t: torch._neg_view(-t),
    "conjugated": lambda t: torch.complex(t, -t).conj().imag,
    "inside": lambda t: torch.cat([t.flatten() + 1, t.flatten()])[t.numel() :].view(t.shape),
}
"""The same numbers in another form."""


@pytest.mark.parametrize(("change", "kind", "warm"), pairwise(WRONG, KINDS, [False, True]))
def test_saved_tensors_come_back_as_others(kind: str, change: str, warm: bool) -> None:
    module, x, hx = warmed(kind, warm)
    with saved_tensors_hooks(lambda t: WRONG[change](t.detach()), lambda t: t):
        result = module(x, hx)
    with pytest.raises(RuntimeError, match=r"should be torch.float32 of shape|lazily negated"):
        total(flat(result)).backward()


@pytest.mark.parametrize(("kind", "change", "warm"), pairwise(KINDS, SAME, [False, True]))
def test_saved_tensors_come_back_in_another_form(kind: str, change: str, warm: bool) -> None:
    module, x, hx = warmed(kind, warm)
    leaves = [x, *(hx if isinstance(hx, tuple) else [hx]), *module.parameters()]
    for leaf in leaves:
        leaf.requires_grad_()
    expected = torch.autograd.grad(total(module(x, hx)), leaves)
    with saved_tensors_hooks(lambda t: SAME[change](t.detach()), lambda t: t):
        result = module(x, hx)
    close(list(torch.autograd.grad(total(result), leaves)), list(expected))


@pytest.mark.parametrize("change", SAME)
def test_what_packed_sequences_keep_comes_back_in_another_form(change: str) -> None:
    module, x = unrolled.LSTM(I, H), torch.randn(T, B, I)
    leaves = list(module.parameters())
    packed = pack_padded_sequence(x, torch.tensor([T, 1]))
    expected = torch.autograd.grad(total(module(packed)[0].data), leaves)
    with saved_tensors_hooks(lambda t: SAME[change](t.detach()), lambda t: t):
        result = module(packed)[0].data
    close(list(torch.autograd.grad(total(result), leaves)), list(expected))


@pytest.mark.parametrize("kind", KINDS)
def test_saved_tensors_are_compressed(kind: str) -> None:
    """As activation compression does: less exact, not wrong."""
    module, x, hx = made(kind)
    expected = [g.clone() for g in gradients(module, x, hx)]
    with saved_tensors_hooks(lambda t: t.half(), lambda t: t.float()):
        found = gradients(module, x, hx)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=0.02, atol=0.02)
    with save_on_cpu():
        close(gradients(module, x, hx), expected)


CHANGES: dict[str, Callable[[Any], Any]] = {
    "half": lambda module: module.half(),
    "double": lambda module: module.double(),
    **{
        f"{change} {place}": lambda module, c=change, p=place: _set(module, WRONG[c], p)
        for change in (
            "half",
            "shorter",
            "longer",
            "empty",
            "freed",
            "a byte short",
            "negated and freed",
        )
        for place in ("all", "first", "last")
    },
}
"""What happens to the parameters of a module."""


def _set(module: Any, change: Callable[[Tensor], Tensor], place: str) -> None:
    parameters = list(module.parameters())
    chosen = {"all": parameters, "first": parameters[:1], "last": parameters[-1:]}[place]
    for parameter in chosen:
        parameter.data = change(parameter.data)


@pytest.mark.parametrize(("change", "kind", "warm"), pairwise(CHANGES, KINDS, [False, True]))
def test_parameters_change_before_the_backward_pass(kind: str, change: str, warm: bool) -> None:
    module, x, hx = warmed(kind, warm)
    x.requires_grad_()
    result = module(x, hx)
    CHANGES[change](module)
    with pytest.raises(RuntimeError, match=r"should be torch.float32 of shape|lazily negated"):
        total(result).backward()


@pytest.mark.parametrize(
    ("change", "kind", "graph", "warm"),
    pairwise([name for name in CHANGES if " " in name], KINDS, [False, True], [False, True]),
)
def test_parameters_change_before_a_call(kind: str, change: str, graph: bool, warm: bool) -> None:
    module, x, hx = warmed(kind, warm)
    if change == "half last" and kind in ("learned", "normalized"):
        pytest.skip("PyTorch promotes a learned vector")
    CHANGES[change](module)
    with torch.set_grad_enabled(graph), pytest.raises((RuntimeError, ValueError)):
        module(x, hx)


@pytest.mark.parametrize(
    ("kind", "change", "warm", "graph"),
    pairwise(KINDS, [*SAME, "zeros", "expanded"], [False, True], [False, True]),
)
def test_inputs_in_another_form(kind: str, change: str, warm: bool, graph: bool) -> None:
    """Input, states and parameters, all at once and each by itself."""
    others: dict[str, Callable[[Tensor], Tensor]] = {
        **SAME,
        "zeros": lambda t: torch._efficientzerotensor(t.shape),
        "expanded": lambda t: t[:1].expand_as(t),
    }
    act = others[change]
    module, x, hx = warmed(kind, warm)
    changed = tuple(map(act, hx)) if isinstance(hx, tuple) else act(hx)
    for given, states in ((act(x), changed), (act(x), hx), (x, changed), (act(x), None)):
        plain = [each.clone() if change == "zeros" else each for each in (given,)]
        with torch.set_grad_enabled(graph):
            for _ in range(2):
                found = flat(module(given, states))
            with eager_only():
                expected = flat(module(plain[0].contiguous(), states))
        close(found, expected)
        if graph:
            close(gradients(module, given, states), _by_definition(module, given, states))


def _by_definition(module: Any, x: Tensor, hx: Any) -> list[Tensor]:
    twin = copy.deepcopy(module)
    with eager_only():
        return gradients(twin, x, hx)


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("kind", ["LSTM", "learned", "GRUCell", "both ways"])
def test_parameters_in_another_form(kind: str, warm: bool) -> None:
    for change in SAME:
        module, x, hx = warmed(kind, warm)
        expected = [t.detach() for t in flat(module(x, hx))]
        wanted = [g.clone() for g in gradients(module, x, hx)]
        for parameter in module.parameters():
            parameter.data = SAME[change](parameter.data)
        for _ in range(2):
            close([t.detach() for t in flat(module(x, hx))], expected)
            with torch.no_grad():
                close(flat(module(x, hx)), expected)
        close(gradients(module, x, hx), wanted)


@pytest.mark.parametrize(
    ("kind", "change", "warm", "graph"),
    pairwise(KINDS, ["freed", "a byte short", "negated and freed"], [False, True], [False, True]),
)
def test_storage_is_gone_before_a_call(kind: str, change: str, warm: bool, graph: bool) -> None:
    module, x, hx = warmed(kind, warm)
    states = hx if isinstance(hx, tuple) else (hx,)
    act = WRONG[change]
    with torch.set_grad_enabled(graph):
        for around in (eager_only, lambda: torch.set_grad_enabled(graph)):
            with around():
                with pytest.raises(RuntimeError, match="bytes of a storage"):
                    module(act(x), hx)
                with pytest.raises(RuntimeError, match="bytes of a storage"):
                    module(act(x))
                for place in range(len(states)):
                    other = [act(s) if i == place else s for i, s in enumerate(states)]
                    with pytest.raises(RuntimeError, match="bytes of a storage"):
                        module(x, tuple(other) if len(other) > 1 else other[0])


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_storage_is_gone_before_the_backward_pass(kind: str, warm: bool) -> None:
    """The input is read there, states are not."""
    module, x, hx = warmed(kind, warm)
    states = hx if isinstance(hx, tuple) else (hx,)
    expected = [gradient.clone() for gradient in gradients(module, x, hx)]
    for victim in (x, *states) if kind not in ("batch first", "both ways") else ():
        module.zero_grad()
        result = module(x, hx)
        kept = victim.clone()
        victim.untyped_storage().resize_(0)
        if victim is x:
            with pytest.raises(RuntimeError, match="bytes of a storage"):
                total(result).backward()
        else:
            total(result).backward()
            close([parameter.grad for parameter in module.parameters()], expected)
        victim.untyped_storage().resize_(kept.nbytes)
        victim.copy_(kept)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_in_another_form(kind: str) -> None:
    module, x, hx = made(kind)
    expected = [g.clone() for g in gradients(module, x, hx)]
    for change in SAME:
        module.zero_grad()
        results = flat(module(x, hx))
        arriving = [SAME[change](result.detach().cos()) for result in results]
        torch.autograd.backward(results, arriving)
        close([parameter.grad for parameter in module.parameters()], expected)
    module.zero_grad()
    results = flat(module(x, hx))
    zeros = [torch._efficientzerotensor(result.shape) for result in results]
    torch.autograd.backward(results, zeros)
    assert all(not parameter.grad.any() for parameter in module.parameters())
    for change in (freed, WRONG["negated and freed"], freed_columns):
        for again in (False, True):
            results = flat(module(x, hx))
            arriving = [change(torch.ones_like(result)) for result in results]
            with pytest.raises(RuntimeError, match=r"bytes of a storage|storage of size 0"):
                torch.autograd.backward(results, arriving, create_graph=again)


SIZES = {
    "too few in all": [3, 2, 1],
    "too many in all": [4, 3, 3],
    "none": [],
    "zero": [4, 3, 0, 0],
    "negative": [4, 4, 2, -2],
    "growing": [2, 2, 4],
    "huge": [2**40, 3, 1],
    "more steps": [2, 2, 2, 1, 1, 1],
}
"""Rows of the steps that do not fit the eight rows of the data."""


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("sizes", SIZES)
def test_packed_sequences_that_do_not_add_up(sizes: str, bidirectional: bool) -> None:
    layer = unrolled.LSTM(I, H, bidirectional=bidirectional)
    packed = PackedSequence(torch.randn(8, I), torch.tensor(SIZES[sizes], dtype=torch.int64))
    if sizes == "more steps":
        packed = PackedSequence(torch.randn(8, I), torch.tensor([2, 2, 2, 1, 1, 1]))
    states = torch.zeros(2 if bidirectional else 1, 4, H)
    for hx in (None, (states, states)):
        for around in (eager_only, torch.no_grad, torch.enable_grad):
            with around(), pytest.raises((ValueError, RuntimeError), match=r"batch_sizes|size"):
                layer(packed, hx)


def test_packed_sequences_with_rows_that_are_not_there() -> None:
    layer = unrolled.GRU(I, H)
    for orders in ([0, 1, 2, 4], [-1, 0, 1, 2], [0, 1, 2], [0, 1, 2, 3, 4]):
        order = torch.tensor(orders)
        packed = PackedSequence(torch.randn(8, I), torch.tensor([4, 3, 1]), order, order)
        with pytest.raises(ValueError, match="sorted_indices should"):
            layer(packed, torch.zeros(1, 4, H))
    packed = PackedSequence(torch.randn(8, I), torch.tensor([4.0, 3.0, 1.0]))
    with pytest.raises(TypeError, match="batch_sizes should be a 1-D tensor of integers"):
        layer(packed)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell"])
def test_a_longer_weight_is_refused(kind: str) -> None:
    """Its first rows would make numbers, though it is no weight of this module."""
    module = getattr(unrolled, kind)(I, H)
    x = torch.randn(T, B, I) if hasattr(module, "num_layers") else torch.randn(B, I)
    for name, weight in module.named_parameters():
        weight.data = torch.cat([weight.data, weight.data])
        for around in (eager_only, torch.no_grad, torch.enable_grad):
            with around(), pytest.raises(RuntimeError, match=f"{name.split('_l0')[0]} should have"):
                module(x)
        weight.data = weight.data[: len(weight) // 2]


def _operands(cell: str) -> list[Any]:
    """Operands of the registered operators."""
    module = unrolled.LSTM(I, H) if cell == "lstm" else unrolled.GRU(I, H)
    text = description.describe(module.graph, module._units, module._names, ["h"])
    states = [torch.randn(B, H) for _ in module.graph.states]
    weights = [weight.detach() for weight in module._weights("_l0")]
    return [[torch.randn(T, B, I)], states, weights, text, None, False]


FAULTS: dict[str, Callable[[list[Any]], None]] = {
    "short state": lambda o: o[1].__setitem__(0, o[1][0][:1]),
    "narrow state": lambda o: o[1].__setitem__(0, o[1][0][:, :-1]),
    "flat state": lambda o: o[1].__setitem__(0, o[1][0].flatten()),
    "state missing": lambda o: o[1].pop(),
    "state of another dtype": lambda o: o[1].__setitem__(0, o[1][0].double()),
    "short weight": lambda o: o[2].__setitem__(1, o[2][1][:-1]),
    "long weight": lambda o: o[2].__setitem__(1, torch.cat([o[2][1]] * 2)),
    "weight missing": lambda o: o[2].pop(),
    "narrow input": lambda o: o[0].__setitem__(0, o[0][0][..., :-1]),
    "flat input": lambda o: o[0].__setitem__(0, o[0][0].flatten()),
    "half input": lambda o: o[0].__setitem__(0, o[0][0].half()),
    "no input": lambda o: o[0].pop(),
    "freed input": lambda o: o[0].__setitem__(0, freed(o[0][0])),
    "freed state": lambda o: o[1].__setitem__(0, freed(o[1][0])),
    "freed weight": lambda o: o[2].__setitem__(0, freed(o[2][0])),
    "too many rows": lambda o: (
        o[0].__setitem__(0, o[0][0].flatten(0, 1)), o.__setitem__(4, [3, 3])
    ),
    "too few rows": lambda o: (
        o[0].__setitem__(0, o[0][0].flatten(0, 1)), o.__setitem__(4, [2, 2])
    ),
    "negative rows": lambda o: (
        o[0].__setitem__(0, o[0][0].flatten(0, 1)), o.__setitem__(4, [2, 2, 2, -2, 2])
    ),
    "no equations": lambda o: o.__setitem__(3, "{}"),
    "no text": lambda o: o.__setitem__(3, "["),
}  # fmt: skip
"""What is wrong with the operands of an operator called by hand."""


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_operators_called_by_hand(cell: str, fault: str) -> None:
    for operator in (torch.ops.unrolled.recurrence, torch.ops.unrolled.recurrence_forward):
        operands = _operands(cell)
        operator(*operands)
        FAULTS[fault](operands)
        with pytest.raises((RuntimeError, ValueError)):
            operator(*operands)


def test_the_backward_operator_called_by_hand() -> None:
    operands = _operands("lstm")
    *results, store = torch.ops.unrolled.recurrence_forward(*operands)
    count = sum(map(len, operands[:3]))
    wanted, gradients = [True] * count, [torch.ones_like(each) for each in results]
    backward = torch.ops.unrolled.recurrence_backward
    assert len(backward(gradients, store, wanted, *operands)) == count
    faults: list[tuple[Any, Any, Any]] = [
        (gradients, store[:10], wanted),
        (gradients, store.double(), wanted),
        (gradients, freed(store), wanted),
        (gradients[:-1], store, wanted),
        (gradients, store, wanted[:-1]),
        ([gradients[0][:1], *gradients[1:]], store, wanted),
        ([*gradients[:-1], gradients[-1][:1]], store, wanted),
        ([gradients[0].double(), *gradients[1:]], store, wanted),
        ([freed(gradients[0]), *gradients[1:]], store, wanted),
        ([freed_columns(gradients[0]), *gradients[1:]], store, wanted),
        (gradients, torch._neg_view(freed(store)), wanted),
    ]
    for given in faults:
        with pytest.raises(RuntimeError):
            backward(*given, *operands)
    for change in FAULTS.values():
        spoiled = _operands("lstm")
        change(spoiled)
        with pytest.raises((RuntimeError, ValueError)):
            backward(gradients, store, wanted, *spoiled)


def test_a_storage_that_a_hook_keeps_is_not_used_again() -> None:
    """Offloaders keep storages instead of tensors."""
    layer, x = unrolled.LSTM(64, 256), torch.randn(100, 32, 64)
    total(layer(x)).backward()
    expected = [parameter.grad.clone() for parameter in layer.parameters()]  # pyright: ignore
    layer.zero_grad()

    def pack(t: Tensor) -> Any:
        return t.untyped_storage(), t.shape, t.stride(), t.storage_offset()

    def unpack(kept: Any) -> Tensor:
        storage, shape, stride, offset = kept
        return torch.empty(0).set_(storage, offset, shape, stride)

    with saved_tensors_hooks(pack, unpack):
        first = total(layer(x))
        second = total(layer(2 * x))
    del second
    first.backward()
    for a, b in zip(layer.parameters(), expected, strict=True):
        torch.testing.assert_close(a.grad, b)


def test_a_state_may_be_called_like_an_argument() -> None:
    @unrolled.cell
    def odd(x: Any, h: Any, input: Any) -> Any:
        h = unrolled.tanh(unrolled.affine(x, h) + input)
        input = input * 0.5 + h
        return locals()

    step, h = unrolled.RecurrentCell(odd, I, H), torch.zeros(B, H)
    with torch.no_grad():
        for _ in range(3):
            found = step(torch.ones(B, I), (h, h + 1))
        with eager_only():
            close(flat(found), flat(step(torch.ones(B, I), (h, h + 1))))


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")
@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("kind", ["LSTM", "GRUCell"])
def test_nested_tensors_are_refused(kind: str, warm: bool) -> None:
    module, x, hx = warmed(kind, warm)
    first = hx[0] if isinstance(hx, tuple) else hx
    nested = torch.nested.nested_tensor([row.detach() for row in first])
    for around in (eager_only, torch.no_grad, torch.enable_grad):
        with around(), pytest.raises((RuntimeError, ValueError)):
            module(x, (nested, *hx[1:]) if isinstance(hx, tuple) else nested)


class _Elsewhere(TorchFunctionMode):
    """Makes every new tensor somewhere else."""

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        made = function(*args, **(kwargs or {}))
        return made.to("meta") if "new_" in getattr(function, "__name__", "") else made


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")
@pytest.mark.parametrize("kind", ["LSTM", "LSTMCell", "both ways"])
def test_modes_see_the_definition(kind: str) -> None:
    """Forward and backward: a kernel would fill memory that a mode has taken away."""
    module, x, hx = warmed(kind, True)
    with _Elsewhere():
        assert "a mode watches" in unrolled.explain(module, x, hx)
    expected = [g.clone() for g in gradients(module, x, hx)]
    module.zero_grad()
    value = total(module(x, hx))
    with FakeTensorMode(allow_non_fake_inputs=True):
        value.backward()
    module.zero_grad()
    with torch.device("meta"):
        close(gradients(module, x, hx), expected)


@pytest.mark.parametrize("name", ["saved", "store", "h_n", "old", "new", "learned", "tap"])
def test_states_have_any_name(name: str) -> None:
    scope: dict[str, Any] = {"unrolled": unrolled}
    exec(
        f"@unrolled.cell\ndef cell(x, h, {name}):\n"
        f"    {name} = unrolled.tanh(unrolled.affine(x, {name}))\n"
        f"    h = unrolled.tanh(unrolled.affine(x, h)) + {name}\n    return locals()\n",
        scope,
    )
    layer = unrolled.Recurrent(scope["cell"], I, H, dtype=torch.float64)
    unrolled.testing.assert_same(layer, torch.randn(T, B, I).double())
