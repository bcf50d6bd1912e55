"""Layers in programs that run elsewhere: torch.export, torch.jit and torch.fx."""

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import unrolled
from unrolled.cells import CELLS

from .twins import B, H, I, T, assert_same, flat, initial, layer, step

pytestmark = pytest.mark.broad

SIZES = ((7, 3), (1, 1), (T, 5))
"""(T, B) of calls of what was made with (T, B) of the tests."""


@unrolled.cell
def swapping(x: Any, h: Any, c: Any, k: Any) -> Any:
    """A cell whose states take old states, and what is known before the loop."""
    g = unrolled.sigmoid(unrolled.affine(x, h))
    old = c
    c = h
    h = g * old + (1 - g) * k
    k = unrolled.tanh(unrolled.affine(x))
    return locals()


@unrolled.cell
def clock(_x: Any, h: Any, n: Any) -> Any:
    """A cell that does not read its input in the loop, with all that equations can say."""
    u = unrolled.affine(h)
    z = unrolled.normalize(u) + unrolled.exp(-unrolled.abs(u))
    m = unrolled.where(u < z, unrolled.minimum(u, 0.5), unrolled.maximum(z, -0.5))
    n = n + 1
    h = unrolled.relu(m) / unrolled.sqrt(1 + n * n) - unrolled.log(1 + u * u)
    return locals()


def of(name: str, **options: Any) -> unrolled.Recurrent:
    """A layer of a known cell, or of one of those above."""
    own = {"swapping": swapping, "clock": clock}
    if name in own:
        return unrolled.Recurrent(own[name], I, H, **options)
    return layer(name, **options)


def exported(module: nn.Module, *arguments: Any, dims: Any, strict: bool = False) -> Any:
    """The program of a module, with dimensions that stay free."""
    with torch.no_grad():
        return torch.export.export(module, arguments, dynamic_shapes=dims, strict=strict)


def free(batch_first: bool = False) -> dict[int, Any]:
    """T and B of an input, free."""
    time, batch = Dim("T", min=1), Dim("B", min=1)
    return {0: batch, 1: time} if batch_first else {0: time, 1: batch}


def loops(program: Any) -> int:
    """The number of loops in a program."""
    return sum(node.target is torch.ops.higher_order.scan for node in program.graph.nodes)


def saved(program: Any) -> Any:
    """The program, from a file."""
    file = io.BytesIO()
    torch.export.save(program, file)
    file.seek(0)
    return torch.export.load(file)


@torch.no_grad()
def check(call: Any, module: Any, *sizes: tuple[int, ...], states: Any = None) -> None:
    """What was made of a module returns what the module does, for inputs of these sizes."""
    for size in sizes:
        x = torch.randn(*size, I)
        arguments = (x,) if states is None else (x, states(*size))
        assert_same(flat(call(*arguments)), flat(module(*arguments)), 1e-5)


# torch.export


@pytest.mark.parametrize("name", [*CELLS, "swapping", "clock"])
def test_one_loop_for_each_direction(name: str) -> None:
    both = name in ("lstm", "swapping")  # a direction more takes half a second more
    module = of(name, bidirectional=both, learn_initial_states=True)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.uniform_(0.1, 0.6)
    program = exported(module, torch.randn(T, B, I), dims=(free(),))
    assert loops(program) == 1 + both
    assert "unrolled." not in str(program.graph)
    check(program.module(), module, *SIZES)


@pytest.mark.parametrize("strict", [False, pytest.param(True, marks=pytest.mark.broad)])
def test_layers_with_states(strict: bool) -> None:
    layers = 1 if strict else 2
    module = layer("lstm_peephole", num_layers=layers, bidirectional=True, batch_first=True)
    count = 2 * layers
    x, hx = torch.randn(B, T, I), initial(module, count, B)
    rows = free(batch_first=True)
    dims = (rows, ({1: rows[0]}, {1: rows[0]}))
    program = saved(exported(module, x, hx, dims=dims, strict=strict))
    assert loops(program) == count
    check(program.module(), module, *SIZES, states=lambda b, t: initial(module, count, b))


def test_an_input_without_a_batch() -> None:
    module = layer("mgu", num_layers=2)
    program = exported(module, torch.randn(T, I), dims=({0: Dim("T", min=1)},))
    check(program.module(), module, (1,), (9,))


def test_a_program_does_not_grow_with_the_number_of_steps() -> None:
    module = layer("gru", num_layers=2)
    short, long = (exported(module, torch.randn(t, B, I), dims=None) for t in (3, 60))
    assert len(short.graph.nodes) == len(long.graph.nodes)
    inner = [
        sum(len(each.graph.nodes) for each in p.graph_module.children()) for p in (short, long)
    ]
    assert inner[0] == inner[1] < 60


def test_gradients_of_a_program() -> None:
    module = layer("gru")
    program = torch.export.export(module, (torch.randn(T, B, I),), dynamic_shapes=(free(),))
    x = torch.randn(6, 3, I, requires_grad=True)
    made = program.module()
    (found,) = torch.autograd.grad(made(x)[0].square().sum(), x)
    (expected,) = torch.autograd.grad(module(x)[0].square().sum(), x)
    assert_same(found, expected, 1e-5)


def test_a_step_in_a_program_has_no_loop() -> None:
    module = step("gru")
    program = exported(module, torch.randn(B, I), dims=({0: Dim("B", min=1)},))
    assert loops(program) == 0
    check(program.module(), module, (1,), (5,))


class Lengths(nn.Module):
    """A layer whose rows have lengths."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor, lengths: Tensor) -> Any:
        return self.inner(x, lengths=lengths)


class Packing(nn.Module):
    """A layer of which others ask as the manual of PyTorch does."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor, lengths: Tensor) -> Any:
        packed = pack_padded_sequence(x, lengths, enforce_sorted=False)
        output, last = self.inner(packed)
        return pad_packed_sequence(output)[0], last


def ragged(lengths: list[int], batch_first: bool = False) -> tuple[Tensor, Tensor]:
    """Rows of such lengths, with what is no number behind their ends."""
    x = torch.randn(max(lengths) + 1, len(lengths), I)
    for row, length in enumerate(lengths):
        x[length:, row] = torch.nan
    return (x.transpose(0, 1) if batch_first else x), torch.tensor(lengths)


@pytest.mark.parametrize("strict", [False, pytest.param(True, marks=pytest.mark.broad)])
def test_lengths_in_a_program(strict: bool) -> None:
    layers = 1 if strict else 2
    inner = layer("lstm", num_layers=layers, bidirectional=True, batch_first=True)
    module, rows = Lengths(inner), free(batch_first=True)
    example = torch.randn(B, T, I), torch.tensor([T, 2])
    program = exported(module, *example, dims=(rows, {0: rows[0]}), strict=strict)
    assert loops(program) == 2 * layers
    made = program.module()
    with torch.no_grad():
        for lengths in ([3, 0, 7], [1]):
            given = ragged(lengths, batch_first=True)
            assert_same(flat(made(*given)), flat(module(*given)), 1e-5)
        x = torch.randn(2, 3, I)
        for wrong in ([4, 1], [-1, 1]):
            with pytest.raises(RuntimeError, match=r"out of (bounds|range)"):
                made(x, torch.tensor(wrong))


def test_lengths_that_are_numbers_belong_to_the_program() -> None:
    class Fixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = layer("gru", bidirectional=True)

        def forward(self, x: Tensor) -> Any:
            return self.inner(x, lengths=[3, 1])

    module = Fixed()
    program = exported(module, torch.randn(T, 2, I), dims=None)
    check(program.module(), module, (T, 2))


def test_packed_sequences_are_refused_by_name() -> None:
    packed = pack_padded_sequence(torch.randn(3, 2, I), torch.tensor([3, 2]))
    for strict in (False, True):
        with pytest.raises(Exception, match="pass the padded input with lengths= instead"):
            torch.export.export(layer("gru"), (packed,), strict=strict)


def test_wrong_lengths_are_refused() -> None:
    module, x = Lengths(layer("gru")), torch.randn(T, B, I)
    for wrong, words in (
        (torch.ones(B), "should be a 1-D tensor of integers"),
        (torch.ones(1, B, dtype=torch.int64), "should be a 1-D tensor of integers"),
        (torch.ones(B + 1, dtype=torch.int64), f"a length for each of the {B} rows, got {B + 1}"),
    ):
        with pytest.raises((TypeError, ValueError), match=words):
            torch.export.export(module, (x, wrong))


# torch.jit.trace


def traced(module: nn.Module, *arguments: Any) -> Any:
    """What PyTorch traces of a module, from a file."""
    file = io.BytesIO()
    torch.jit.save(torch.jit.trace(module, arguments), file)
    file.seek(0)
    return torch.jit.load(file)


tracing = pytest.mark.filterwarnings(
    "ignore::torch.jit.TracerWarning",
    "ignore:.*deprecated",
    "ignore:LSTM with projections is not supported with oneDNN",
)


@tracing
@pytest.mark.parametrize("name", [*CELLS, "swapping", "clock"])
def test_a_trace_takes_any_number_of_steps_and_rows(name: str) -> None:
    module = of(name, bidirectional=True, learn_initial_states=name == "swapping")
    call = traced(module, torch.randn(T, B, I))
    check(call, module, *SIZES)


@tracing
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_a_trace_calls_the_function_of_pytorch(kind: str) -> None:
    module = getattr(unrolled, kind)(I, H, 2, bidirectional=True, batch_first=True)
    rows = initial(module, 4, B)
    call: Any = torch.jit.trace(module, (torch.randn(B, T, I), rows))
    called = {node.kind() for node in call.graph.nodes()}
    assert {"RNN": "aten::rnn_tanh", "LSTM": "aten::lstm", "GRU": "aten::gru"}[kind] in called
    check(call, module, *SIZES, states=lambda b, t: initial(module, 4, b))


@tracing
@pytest.mark.parametrize("form", [Lengths, Packing])
@pytest.mark.parametrize("name", ["lstm", "lstm_layernorm"])
def test_a_trace_takes_other_lengths(name: str, form: Any) -> None:
    module = form(layer(name, num_layers=2, bidirectional=True))
    call = traced(module, *ragged([T, 2]))
    for lengths in ([3, 1, 5], [2]):
        given = ragged(lengths)
        assert_same(flat(call(*given)), flat(module(*given)), 1e-5)


@tracing
def test_gradients_of_a_trace() -> None:
    module = layer("mgu", bidirectional=True)
    call = traced(module, torch.randn(T, B, I))
    x = torch.randn(6, 3, I, requires_grad=True)
    (found,) = torch.autograd.grad(call(x)[0].square().sum(), x)
    (expected,) = torch.autograd.grad(module(x)[0].square().sum(), x)
    assert_same(found, expected, 1e-5)


# torch.jit.script


deprecated = pytest.mark.filterwarnings("ignore:.*deprecated")
in_place = pytest.mark.filterwarnings("ignore:torch.jit.script compiles:UserWarning")


@deprecated
@in_place
@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize(
    "make",
    [
        lambda: unrolled.LSTM(I, H, 2, bidirectional=True, dropout=0.5),
        lambda: unrolled.LSTM(I, H, proj_size=2, bias=False),
        lambda: unrolled.GRU(I, H, batch_first=True),
        lambda: unrolled.RNN(I, H, nonlinearity="relu"),
        lambda: layer("gru", variational_dropout=0.0),
        lambda: nn.LSTM(I, H),
    ],
)
def test_scripting(make: Any) -> None:
    model = nn.Sequential(make()).eval()
    unrolled.adopt(model)
    ours = model[0]
    call = torch.jit.script(model)
    check(call, ours, (T, B), (7, 3))
    assert not isinstance(model[0], type(ours))  # as the warning says
    own = dict(ours.named_parameters())
    assert all(weight is own[name] for name, weight in model[0].named_parameters())
    unrolled.adopt(model)
    check(model, ours, (T, B))


@deprecated
@in_place
@pytest.mark.parametrize("kind", ["RNNCell", "LSTMCell", "GRUCell"])
def test_scripting_steps(kind: str) -> None:
    module = getattr(unrolled, kind)(I, H)
    check(torch.jit.script(module), module, (B,), (5,))


@deprecated
def test_scripting_says_what_it_puts_in_place() -> None:
    with pytest.warns(UserWarning, match=r"torch.nn.GRU in the place of GRU.*unrolled.adopt"):
        torch.jit.script(unrolled.GRU(I, H))


@deprecated
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: layer("mgu"), r"Recurrent\(mgu, 3, 5\): torch.nn has no mgu"),
        (lambda: step("mgu"), "torch.nn has no mgu"),
        (lambda: unrolled.GRU(I, H, zoneout=0.1), "torch.nn.GRU has no zoneout"),
        (lambda: unrolled.LSTM(I, H, learn_initial_states=True), "no learn_initial_states"),
        (
            lambda: nn.utils.parametrizations.weight_norm(unrolled.GRU(I, H), "weight_hh_l0"),
            "its weights are made of others",
        ),
    ],
)
def test_what_cannot_be_scripted_says_what_to_do(make: Any, words: str) -> None:
    with pytest.raises(RuntimeError, match=rf"{words}.*torch.jit.trace\(layer, example\)"):
        torch.jit.script(nn.Sequential(make()))


@deprecated
@tracing
def test_a_trace_in_a_scripted_model() -> None:
    """The advice works."""
    module = layer("mgu")
    inner: Any = torch.jit.trace(module, torch.randn(T, B, I))
    model = nn.Sequential(inner)
    check(torch.jit.script(model), module, *SIZES)


# torch.fx


class Reader(nn.Module):
    """A model with a layer and a step."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.step = layer("lstm_peephole"), step("mgu", H, H)

    def forward(self, x: Tensor, h: Tensor) -> Any:
        output, _ = self.layer(x, (h, h))
        return self.step(output[-1], h[0])


def test_layers_are_leaves_of_symbolic_traces() -> None:
    model = Reader()
    made = torch.fx.symbolic_trace(model)
    assert [n.target for n in made.graph.nodes if n.op == "call_module"] == ["layer", "step"]
    for t, b in SIZES:
        x, h = torch.randn(t, b, I), torch.rand(1, b, H)
        assert_same(made(x, h), model(x, h), 1e-6)


def test_lengths_in_a_symbolic_trace() -> None:
    model = Lengths(unrolled.GRU(I, H))
    made = torch.fx.symbolic_trace(model)
    x, lengths = torch.randn(T, B, I), torch.tensor([2, T])
    assert_same(flat(made(x, lengths)), flat(model(x, lengths)), 1e-6)


def test_hooks_act_once_in_a_symbolic_trace() -> None:
    model = nn.Sequential(unrolled.GRUCell(I, H))
    model[0].register_forward_hook(lambda module, given, state: state.mul(2))
    model[0].register_forward_pre_hook(lambda module, given: (given[0] + 1,))
    made, x = torch.fx.symbolic_trace(model), torch.randn(B, I)
    assert_same(made(x), model(x), 1e-6)


class Started(nn.Module):
    """Decodes from a start of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.step = unrolled.GRUCell(I, H)

    def forward(self, x: Tensor) -> Tensor:
        return self.step(x, self.step(torch.ones(1, I)).expand(x.shape[0], -1))


def test_a_call_without_proxies_in_a_symbolic_trace() -> None:
    model, x = Started(), torch.randn(B, I)
    made = torch.fx.symbolic_trace(model)
    assert [n.target for n in made.graph.nodes if n.op == "call_module"] == ["step", "step"]
    model.step.weight_hh = nn.Parameter(2 * model.step.weight_hh)
    assert_same(made(x), Started.forward(made, x), 1e-6)  # pyright: ignore


@pytest.mark.parametrize("make", [unrolled.LSTM, unrolled.GRUCell])
def test_a_module_by_itself_says_how_it_is_traced_symbolically(make: Any) -> None:
    with pytest.raises(RuntimeError, match=r"trace torch\.nn\.Sequential\(layer\)"):
        torch.fx.symbolic_trace(make(I, H))


# Elsewhere

ELSEWHERE = """
import sys
class Nobody:
    def find_spec(self, name, *_):
        if name.split(".")[0] in ("unrolled", "llvmlite"):
            raise ImportError(name)
sys.meta_path.insert(0, Nobody())
import torch
from pathlib import Path
folder = Path(sys.argv[1])
given = torch.load(folder / "given.pt")
program = torch.export.load(folder / "program.pt2").module()
trace = torch.jit.load(folder / "trace.pt")
with torch.no_grad():
    for x, expected in given:
        torch.testing.assert_close(program(x)[0], expected)
        torch.testing.assert_close(trace(x)[0], expected)
assert "unrolled" not in sys.modules
"""


@tracing
@pytest.mark.slow
def test_files_run_without_this_library(tmp_path: Path) -> None:
    module = layer("lstm_layernorm", bidirectional=True)
    x = torch.randn(T, B, I)
    torch.export.save(exported(module, x, dims=(free(),)), tmp_path / "program.pt2")
    torch.jit.save(torch.jit.trace(module, x), tmp_path / "trace.pt")
    with torch.no_grad():
        inputs = [torch.randn(t, b, I) for t, b in SIZES]
        torch.save([(each, module(each)[0]) for each in inputs], tmp_path / "given.pt")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ELSEWHERE, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
