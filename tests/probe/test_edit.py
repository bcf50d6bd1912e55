"""Edits against a plain loop in which the same change is made by hand."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import unrolled
from samples import quiet
from unrolled import affine, sigmoid, tanh, where
from unrolled.cells import CELLS
from unrolled.kernels.runtime.torch_state import eager_only

from .models import (
    LENGTHS,
    MODELS,
    B,
    H,
    I,
    LanguageModel,
    T,
    Tagger,
    Translator,
    initial,
    inputs,
    layer,
    packed,
    parts,
    step,
)
from .plain import Hand, lengthwise, loop, weights


@pytest.fixture(autouse=True)
def double() -> Iterator[None]:
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


def by_hand(name: str, value: float, steps: Any = None, units: Any = slice(None)) -> Hand:
    """One value set to a number."""

    def hand(found: str, t: int, old: Tensor) -> Tensor:
        if found != name or (steps is not None and t not in steps):
            return old
        new = old.expand(old.shape).clone()
        new[:, units] = value
        return new

    return hand


# Every cell, every name.


def choices(module: Any) -> list[str]:
    return [name.rpartition(".")[2] for name in unrolled.names(module)]


@pytest.mark.broad
@pytest.mark.parametrize("backend", ["kernel", "eager", "function"])
@pytest.mark.parametrize("name", CELLS)
@torch.no_grad()
def test_every_value_of_every_cell(name: str, backend: str) -> None:
    module = layer(name, bidirectional=True)
    x, hx = torch.randn(T, B, I), initial(module, 2, B)
    for value in choices(module):
        number = 0.7 if value in ("c", "n", "m", "m_new", "i", "f") else -0.4
        change = (lambda v, n=number: torch.full_like(v, n)) if backend == "function" else number
        options = {"steps": [1, 4], "units": slice(0, 1)}
        with (
            unrolled.edit(module, {f"l0_reverse.{value}": change}, **options),
            unrolled.record(module) as recording,
        ):
            if backend == "eager":
                with eager_only():
                    output, _ = module(x, hx, lengths=LENGTHS)
            else:
                output, _ = module(x, hx, lengths=LENGTHS)
        hand = by_hand(value, number, {1, 4}, slice(0, 1))
        expected, _ = lengthwise(
            module.graph,
            weights(module, "_l0_reverse"),
            x,
            parts(module, hx, 1),
            LENGTHS,
            hand=hand,
            reverse=True,
        )
        for known, tensor in expected.items():
            close(recording[f"l0_reverse.{known}"], tensor)
        close(output[..., output.shape[-1] // 2 :], expected[module.graph.output])


@pytest.mark.broad
@pytest.mark.parametrize("name", CELLS)
@torch.no_grad()
def test_every_value_of_every_step(name: str) -> None:
    module = step(name)
    x, hx = torch.randn(T, B, I), initial(module, B)
    first = parts(module, tuple(s[None] for s in hx) if isinstance(hx, tuple) else hx[None], 0)
    for value in choices(module):
        with unrolled.edit(module, {f"cell.{value}": 0.6}, steps=slice(2, 4)):
            state, outputs = hx, []
            for x_t in x:
                state = module(x_t, state)
                outputs.append(state[0] if isinstance(state, tuple) else state)
        expected, _ = loop(module.graph, weights(module, ""), x, first, by_hand(value, 0.6, {2, 3}))
        close(torch.stack(outputs), expected[next(iter(module.graph.states))])


def test_a_condition_can_be_changed() -> None:
    @quiet
    def gated(x, h):
        z = sigmoid(affine(x, h))
        keep = z > 0.5
        h = where(keep, h, tanh(affine(x, h)))
        return locals()

    module, x = unrolled.Recurrent(gated, I, H), torch.randn(T, B, I)
    with unrolled.edit(module, {"l0.keep": 1.0}, steps=slice(3, None)):
        output, _ = module(x)
    assert torch.equal(output[2], output[5])
    assert not torch.equal(output[1], output[2])


# Where.


@pytest.mark.parametrize("form", ["dense", "batch_first", "packed", "lengths"])
def test_steps_rows_and_units(form: str) -> None:
    module = unrolled.LSTM(I, H, batch_first=form == "batch_first")
    x = torch.randn(T, B, I)
    given: Any = {"batch_first": x.transpose(0, 1), "packed": None}.get(form, x)
    given = packed(x, LENGTHS) if form == "packed" else given
    options = {"lengths": LENGTHS} if form == "lengths" else {}
    selections: list[tuple[Any, Any, Any]] = [
        (2, 1, 0),
        (slice(1, 3), slice(None, None, 2), [0, 3]),
        ([0, 4], [True, False, False, True], torch.tensor([1, 2])),
        (torch.arange(T) > 2, torch.tensor([3, 1]), slice(-2, None)),
        (-1, -1, [-1, 0]),
        (range(2, 5), None, None),
    ]
    for steps, rows, units in selections:
        mask = torch.zeros(T, B, H, dtype=torch.bool)
        mesh = torch.meshgrid(
            *(
                torch.arange(n)[c if isinstance(c, slice) else torch.as_tensor(c).reshape(-1)]
                if c is not None
                else torch.arange(n)
                for n, c in (
                    (T, list(steps) if isinstance(steps, range) else steps),
                    (B, rows),
                    (H, units),
                )
            ),
            indexing="ij",
        )
        mask[mesh] = True
        with (
            unrolled.edit(module, {"l0.f": 0.25}, steps=steps, rows=rows, units=units),
            unrolled.record(module, "l0.f") as recording,
        ):
            module(given, **options)
        with unrolled.record(module, "l0.x") as alone:
            module(given, **options)
        found = recording["l0.f"]
        found = found.transpose(0, 1) if form == "batch_first" else found
        ends = torch.tensor(LENGTHS if form in ("packed", "lengths") else [T] * B)
        real = (torch.arange(T)[:, None] < ends)[..., None].expand_as(mask)
        assert torch.equal((found == 0.25) & real, mask & real)
        assert len(alone) == 1


def test_tensors_fill_the_chosen_part() -> None:
    module, x = unrolled.GRU(I, H), torch.randn(T, B, I)
    for shape in ((), (1,), (2,), (B, 2), (3, 1, 2), (3, B, 2), (1, B, 1)):
        value = torch.rand(shape)
        with (
            unrolled.edit(module, {"l0.z": value}, steps=[1, 2, 5], units=[4, 0]),
            unrolled.record(module, "*.z") as recording,
        ):
            module(x)
        found = recording["l0.z"][[1, 2, 5]][..., [4, 0]]
        close(found, value.expand(3, B, 2))
    module.batch_first = True
    value = torch.rand(B, T, H)
    with unrolled.edit(module, {"l0.z": value}), unrolled.record(module, "*.z") as recording:
        module(x.transpose(0, 1))
    assert torch.equal(recording["l0.z"], value)
    value = torch.rand(T, H)
    with unrolled.edit(module, {"l0.z": value}), unrolled.record(module, "*.z") as recording:
        module(x[:, 0])
    assert torch.equal(recording["l0.z"], value)


def test_a_loop_over_a_cell_counts_its_steps() -> None:
    model, x = Translator(unrolled), torch.randn(T, B, I)
    value = torch.rand(5, B, H)
    changes = {
        "decoder.f": 0.0,
        "decoder.o": unrolled.Change(value, units=slice(None)),
        "encoder.l0.z": unrolled.Change(1.0, steps=0),
    }
    with unrolled.edit(model, changes, steps=slice(None)):
        for _ in range(2):  # counted anew in each call of the model
            with unrolled.record(model) as recording:
                model(x)
            assert torch.equal(recording["decoder.o"], value)
            assert not recording["decoder.f"].any()
            assert (recording["encoder.l0.z"] == 1).flatten(1).all(1).tolist() == [1, 0, 0, 0, 0, 0]
    with (
        unrolled.edit(model, {"decoder.c": 0.0}, steps=3),
        unrolled.record(model, "*.c") as recording,
    ):
        model(x)
    assert (recording["decoder.c"] == 0).flatten(1).all(1).tolist() == [0, 0, 0, 1, 0]


def test_a_layer_in_chunks_counts_its_steps() -> None:
    model = nn.ModuleDict({"rnn": unrolled.GRU(I, H)})
    rnn, x = model["rnn"], torch.randn(9, B, I)
    with unrolled.edit(model, {"rnn.l0.h": 0.5}, steps=[1, 6]), torch.no_grad():
        whole, _ = rnn(x)
    with unrolled.edit(model, {"rnn.l0.h": 0.5}, steps=[1, 6]), torch.no_grad():
        state, outputs = None, []
        for chunk in x.split(4):
            output, state = rnn(chunk, state)
            outputs.append(output)
    close(torch.cat(outputs), whole)


# What.


def test_inputs_and_their_functions() -> None:
    module, x = unrolled.LSTM(I, H), torch.randn(T, B, I)
    expected, _ = module(x * 2)
    seen = []

    def double(value: Tensor) -> Tensor:
        seen.append(tuple(value.shape))
        return value * 2

    with unrolled.edit(module, {"l0.x": double}), unrolled.record(module, "*.x") as recording:
        output, _ = module(x)
    close(output, expected)
    close(recording["l0.x"], x * 2)
    assert seen == [(B, I)] * T
    seen.clear()
    with unrolled.edit(module, {"l0.x": double}):
        module(x, lengths=LENGTHS)
    assert [rows for rows, _ in seen] == [4, 3, 3, 2, 1, 1]


@pytest.mark.parametrize("name", ["min_gru", "lstm"])
def test_functions_are_called_in_every_step(name: str) -> None:
    module, x = layer(name), torch.randn(T, B, I)
    value, seen = ("z", "z_pre") if name == "min_gru" else ("f", "f_pre"), []

    def clamped(gate: Tensor) -> Tensor:
        seen.append(tuple(gate.shape))
        return gate.clamp(min=0.5)

    with unrolled.edit(module, {f"l0.{value[0]}": clamped}), unrolled.record(module) as recording:
        module(x)
    close(recording[f"l0.{value[0]}"], recording[f"l0.{value[1]}"].sigmoid().clamp(min=0.5))
    assert seen == [(B, H)] * T


@pytest.mark.parametrize("name", ["lstm", "gru", "min_gru"])
def test_gradients_of_changed_runs(name: str) -> None:
    module, x = layer(name), torch.randn(T, B, I)
    gate = {"lstm": "f", "gru": "z", "min_gru": "z"}[name]
    hx, number = initial(module, 1, B), torch.tensor(0.3, requires_grad=True)
    found = []
    for eager in (False, True):
        with unrolled.edit(module, {f"l0.{gate}": number}, steps=[1, 3], units=[0, 2]):
            if eager:
                with eager_only():
                    output, _ = module(x, hx)
            else:
                output, _ = module(x, hx)
        loss = (output * torch.arange(output.numel()).view(output.shape)).sum()
        found.append(torch.autograd.grad(loss, [number, *module.parameters()]))

    def hand(value: str, t: int, old: Tensor) -> Tensor:
        mask = torch.tensor([1, 0, 1, 0, 0], dtype=torch.bool)
        return torch.where(mask, number, old) if value == gate and t in (1, 3) else old

    values, _ = loop(module.graph, weights(module, "_l0"), x, parts(module, hx, 0), hand)
    output = values["h"]
    loss = (output * torch.arange(output.numel()).view(output.shape)).sum()
    expected = torch.autograd.grad(loss, [number, *module.parameters()])
    for ours in found:
        for mine, known in zip(ours, expected, strict=True):
            torch.testing.assert_close(mine, known, rtol=1e-9, atol=1e-9)


def test_patterns_change_many() -> None:
    model = Tagger(unrolled).eval()
    with (
        unrolled.edit(model, {"lstm.*.f": 1.0, "lstm.l1*.i": 0.0}) as names,
        unrolled.record(model) as recording,
    ):
        model(*inputs(model))
    assert names == (
        *(f"lstm.l{n}{way}.f" for n in (0, 1) for way in ("", "_reverse")),
        "lstm.l1.i",
        "lstm.l1_reverse.i",
    )
    assert not recording["lstm.l1.c"].any()
    assert recording["lstm.l0.c"].any()


# Patches.


@pytest.mark.parametrize("form", ["dense", "packed"])
@pytest.mark.parametrize("name", ["lstm", "gru", "slstm"])
def test_a_patch_of_all_states_makes_the_other_run(name: str, form: str) -> None:
    module = layer(name)
    x, y, hx = torch.randn(T, B, I), torch.randn(T, B, I), initial(module, 1, B)
    other, given = (packed(v, LENGTHS) if form == "packed" else v for v in (x, y))
    with unrolled.record(module) as recording:
        expected, _ = module(other, hx)
    changes = {f"l0.{state}": unrolled.patch(recording) for state in module.graph.states}
    with unrolled.edit(module, changes):
        output, _ = module(given, hx)
    assert torch.equal(*(v.data if form == "packed" else v for v in (output, expected)))


def test_a_shifted_patch() -> None:
    module, x = unrolled.LSTM(I, H), torch.randn(T, B, I)
    with unrolled.record(module) as source:
        module(torch.randn(T, B, I))
    for shift in (2, -1):
        with (
            unrolled.edit(module, {"l0.c": unrolled.patch(source, shift)}),
            unrolled.record(module) as found,
        ):
            module(x)
        c = source["l0.c"]
        if shift > 0:
            assert torch.equal(found["l0.c"][shift:], c[:-shift])
            with unrolled.record(module) as plain:
                module(x)
            close(found["l0.c"][:shift], plain["l0.c"][:shift])
        else:
            assert torch.equal(found["l0.c"][:shift], c[-shift:])
    change = unrolled.patch(source, 1, name="l0.h", steps=3, rows=1, units=[2])
    with unrolled.edit(module, {"l0.g": change}), unrolled.record(module) as found:
        module(x)
    assert found["l0.g"][3, 1, 2] == source["l0.h"][2, 1, 2]


def test_a_patch_of_one_row_and_of_ragged_rows() -> None:
    module, x = unrolled.GRU(I, H), torch.randn(T, B, I)
    with unrolled.record(module) as source:
        module(x[:, :1])
    with unrolled.edit(module, {"l0.h": unrolled.patch(source)}):
        output, _ = module(x)
    assert torch.equal(output, source["l0.h"].expand(T, B, H))
    with unrolled.record(module) as source:
        module(x, lengths=LENGTHS)
    with unrolled.edit(module, {"l0.h": unrolled.patch(source)}):
        output, _ = module(x, lengths=[length - 1 for length in LENGTHS])
        with pytest.raises(ValueError, match=r"step 1 of row 2 needs step 1.*\[3, 6, 1, 4\]"):
            module(x)


# Calls with other rows than the one before.


class Ending(nn.Module):
    """A loop over a cell in which rows end, or begin."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = unrolled.LSTMCell(I, H)

    def forward(self, x: Tensor, sizes: list[int]) -> list[Tensor]:
        h = c = x.new_zeros(0, H)
        outputs = []
        for x_t, rows in zip(x, sizes, strict=True):
            new = h.new_zeros(max(0, rows - len(h)), H)
            h, c = (torch.cat([state[:rows], new]) for state in (h, c))
            h, c = self.cell(x_t[:rows], (h, c))
            outputs.append(h)
        return outputs


SIZES = {"falling": [4, 4, 3, 1, 0], "rising": [0, 1, 2, 4, 4], "both": [1, 4, 2, 4, 3]}


@pytest.mark.parametrize("kind", SIZES)
def test_edits_where_the_rows_change_from_step_to_step(kind: str) -> None:
    model, sizes = Ending(), SIZES[kind]
    x = torch.randn(len(sizes), 4, I)
    whole = torch.randn(len(sizes), 4, H)
    for change in (0.5, whole, whole[:1], whole[:, :1], lambda c: c * 0 + 0.5):
        with unrolled.edit(model, {"cell.c": change}), unrolled.record(model) as recording:
            outputs = model(x, sizes)
        expected = change if isinstance(change, Tensor) else torch.tensor(0.5)
        valid = recording.valid["cell"]
        assert torch.equal(recording["cell.c"][valid], expected.expand(whole.shape)[valid])
        assert [len(output) for output in outputs] == sizes
    steps = [t for t, rows in enumerate(sizes) if rows or t > 2]
    with unrolled.edit(model, {"cell.c": whole[steps]}, steps=steps):
        model(x, sizes)
    for rows in ([3, 0], [True, False, False, True]):
        places = [3, 0] if rows == [3, 0] else [0, 3]
        with (
            unrolled.edit(model, {"cell.c": whole[:, places]}, rows=rows),
            unrolled.record(model, "*.c") as recording,
        ):
            model(x, sizes)
        valid = recording.valid["cell"]
        assert torch.equal(
            recording["cell.c"][:, places][valid[:, places]], whole[:, places][valid[:, places]]
        )
        assert not (recording["cell.c"][:, [1, 2]] == whole[:, [1, 2]]).any()
    with unrolled.edit(model, {"cell.c": 0.5}, rows=slice(1, 3)), unrolled.record(model) as found:
        model(x, sizes)
    assert (found["cell.c"][:, 1:3][valid[:, 1:3]] == 0.5).all()
    assert not (found["cell.c"][:, [0, 3]] == 0.5).any()


@pytest.mark.parametrize("kind", SIZES)
def test_patches_where_the_rows_change_from_step_to_step(kind: str) -> None:
    model, sizes = Ending(), SIZES[kind]
    x, other = torch.randn(2, len(sizes), 4, I)
    with unrolled.record(model) as recording:
        expected = model(other, sizes)
    for changes in (
        {"cell.[hc]": unrolled.patch(recording)},
        {f"cell.{state}": recording[f"cell.{state}"] for state in "hc"},
    ):
        with unrolled.edit(model, changes):
            outputs = model(x, sizes)
        assert all(map(torch.equal, outputs, expected))
    with pytest.raises(ValueError, match=r"\d rows were recorded at step \d, but the run has 4"):  # noqa: SIM117
        with unrolled.edit(model, {"cell.h": unrolled.patch(recording)}):
            model(x, [4] * len(sizes))


def test_rows_that_no_call_has() -> None:
    model, x = Ending(), torch.randn(3, 4, I)
    for rows in (4, [False] * 4 + [True]):
        with pytest.raises(IndexError, match="row 4 was never reached: the calls had 4 rows"):  # noqa: SIM117
            with unrolled.edit(model, {"cell.h": 0.0}, rows=rows):
                model(x, [2, 4, 4])
    with (
        unrolled.edit(model, {"cell.h": 0.0}, rows=-1),
        pytest.raises(IndexError, match="the calls have 4 and 3 rows: count from the start"),
    ):
        model(x, [4, 3, 3])
    with pytest.raises(ValueError, match="has 5 rows, but the calls had 4 of those"):
        _run_rows(model, x, torch.zeros(3, 5, H))
    with pytest.raises(ValueError, match=r"\(3, 3, 5\) does not fit row 3"):
        _run_rows(model, x, torch.zeros(3, 3, H))
    layer = unrolled.GRU(I, H)
    with unrolled.edit(layer, {"l0.h": 0.0}, rows=3):
        layer(x)
        with pytest.raises(IndexError, match="3 is not"):  # rows are counted anew in each call
            layer(x[:, :2])


def _run_rows(model: nn.Module, x: Tensor, change: Tensor) -> None:
    with unrolled.edit(model, {"cell.h": change}):
        model(x, [4, 3, 2])


@pytest.mark.parametrize("given", ["no rows", "no steps"])
def test_edits_of_nothing(given: str) -> None:
    model = unrolled.LSTM(I, H, 2)
    x = torch.randn(T, 0 if given == "no rows" else B, I)
    options = {} if given == "no rows" else {"lengths": [0] * B}
    with unrolled.record(model) as recording:
        expected, _ = model(x, **options)
    name = "l0.f"
    for change in (0.5, torch.full((1, 1, H), 0.5), lambda f: f * 0, unrolled.patch(recording)):
        for target in (name, "l0.x"):
            value = change if target == name or not isinstance(change, Tensor) else change[..., :I]
            with unrolled.edit(model, {target: value}):
                output, _ = model(x, **options)
            assert torch.equal(output, expected)


# Contexts.


def test_nested_edits_and_their_end() -> None:
    module, x = unrolled.LSTM(I, H), torch.randn(T, B, I)
    plain, _ = module(x)
    with (
        unrolled.record(module) as recording,
        unrolled.edit(module, {"l0.f": 0.1}),
        unrolled.edit(module, {"l0.f": 0.9}, steps=2),
    ):
        module(x)
    assert (recording["l0.f"] == 0.1).flatten(1).all(1).tolist() == [1, 1, 0, 1, 1, 1]
    assert (recording["l0.f"][2] == 0.9).all()
    with pytest.raises(RuntimeError, match="input_size"), unrolled.edit(module, {"l0.f": 0.1}):
        module(torch.randn(T, B, I + 1))
    assert torch.equal(module(x)[0], plain)
    assert not module._forward_pre_hooks


def test_unchanged_where_nothing_is_chosen() -> None:
    module, x = unrolled.LSTM(I, H, bidirectional=True), torch.randn(T, B, I)
    plain, _ = module(x)
    with unrolled.edit(module, {"l0.f": 0.1}, rows=slice(0)):
        close(module(x)[0], plain)


def test_edits_of_a_training_layer() -> None:
    module = layer("lstm", variational_dropout=0.5, zoneout={"h": 0.2})
    with unrolled.edit(module, {"l0.f": 0.3}), unrolled.record(module) as recording:
        output, _ = module(torch.randn(T, B, I))
        module.eval()
        module(torch.randn(T, B, I))
    output.sum().backward()
    assert (recording["l0.f"] == 0.3).all()


@pytest.mark.parametrize("model", MODELS)
def test_models_train_under_edits(model: type[nn.Module]) -> None:
    module = model()
    unrolled.adopt(module)
    name = next(name for name in unrolled.names(module) if name.endswith(".h"))
    with unrolled.edit(module, {name: 0.0}, units=0), unrolled.record(module, name) as recording:
        result = module(*inputs(module))
        (result[0] if isinstance(result, tuple) else result).sum().backward()
    assert not recording[name][..., 0].any()
    assert recording[name].any()


def test_checkpointed_models_are_refused_or_right() -> None:
    model, x = unrolled.LSTM(I, H), torch.randn(T, B, I, requires_grad=True)
    with unrolled.edit(model, {"l0.f": 0.5}):
        expected = torch.autograd.grad(model(x)[0].sum(), x)[0]
        output = checkpoint(lambda x: model(x)[0], x, use_reentrant=False)
        assert isinstance(output, Tensor)
        close(torch.autograd.grad(output.sum(), x)[0], expected)


# What is refused.


def test_names_and_changes_that_cannot_be() -> None:
    model = Tagger(unrolled)
    edit = unrolled.edit
    with pytest.raises(ValueError, match=r"edit: no value is called 'lstm\.l0\.forget'"):
        edit(model, {"lstm.l0.forget": 1.0})
    with pytest.raises(ValueError, match=r"l0\.f is changed by 'lstm.\*' and by 'lstm.l0.f'"):
        edit(model, {"lstm.*": 0.0, "lstm.l0.f": 1.0})
    with pytest.raises(TypeError, match="expected a mapping"):
        edit(model, "lstm.l0.f")  # pyright: ignore
    with pytest.raises(TypeError, match="expected a mapping"):
        edit(model, {})
    with pytest.raises(TypeError, match=r"edit: names are strings such as 'lstm\.l0\.f', got 3"):
        edit(model, {3: 0.0})  # pyright: ignore
    with pytest.raises(TypeError, match="expected a number, a tensor, a function"):
        edit(model, {"lstm.l0.f": "zero"})
    with pytest.raises(ValueError, match=r"\(7,\) does not fit the 5 chosen units"):
        edit(model, {"lstm.l0.f": torch.zeros(7)})
    with pytest.raises(IndexError, match=r"lstm.l0.f: units: 5 is not among the 5 units"):
        edit(model, {"lstm.l0.f": 0.0}, units=5)
    with pytest.raises(IndexError, match="a mask of 3 for 5 units"):
        edit(model, {"lstm.l0.f": 0.0}, units=[True, False, True])
    for wrong in (1.5, "all", [0.5], [True, 1]):
        with pytest.raises(TypeError, match="steps: expected an int"):
            edit(model, {"lstm.l0.f": 0.0}, steps=wrong)  # pyright: ignore
    with pytest.raises(ValueError, match="at least one place, and each once"):
        edit(model, {"lstm.l0.f": 0.0}, rows=[1, 1])
    with pytest.raises(ValueError, match="no recurrent modules"):
        edit(nn.Linear(2, 2), {"l0.f": 0.0})
    with pytest.raises(ValueError, match="another name of c_new: edit that"):
        edit(unrolled.Recurrent(_aliased(), I, H), {"l0.again": 0.0})


def _aliased() -> unrolled.Cell:
    @unrolled.cell
    def aliased(x, h):
        c_new = tanh(affine(x, h))
        again = c_new
        h = again * 2
        return locals()

    return aliased


def test_changes_that_do_not_fit_a_call() -> None:
    model, x = unrolled.GRU(I, H), torch.randn(T, B, I)
    with unrolled.edit(model, {"l0.h": 0.0}, rows=4), pytest.raises(IndexError, match="4 is not"):
        model(x)
    with unrolled.edit(model, {"l0.h": 0.0}, rows=0), pytest.raises(IndexError, match="no batch"):
        model(x[:, 0])
    with (
        unrolled.edit(model, {"l0.h": torch.zeros(T, 3, H)}),
        pytest.raises(ValueError, match=r"l0\.h: a tensor \(6, 3, 5\) does not fit"),
    ):
        model(x)
    with (
        unrolled.edit(model, {"l0.h": torch.zeros(T - 1, B, H)}),
        pytest.raises(ValueError, match="does not fit step 5"),
    ):
        model(x)
    with pytest.raises(ValueError, match="7 steps, but the calls had 6"):
        _run(model, {"l0.h": torch.zeros(T + 1, B, H)}, x)
    with pytest.raises(IndexError, match="step 6 was never reached: the calls had 6 steps"):
        _run(model, {"l0.h": 0.0}, x, steps=[2, 6])
    with pytest.raises(IndexError, match="-7 is not among the 6 steps"):
        _run(model, {"l0.h": 0.0}, x, steps=-7)
    with pytest.raises(ValueError, match=r"should return \(4, 5\), got \(4, 4\)"):
        _run(model, {"l0.h": lambda h: h[:, 1:]}, x)
    with pytest.raises(TypeError, match="should return a tensor, got float"):
        _run(model, {"l0.h": lambda h: 1.0}, x)
    cell = unrolled.GRUCell(I, H)
    with unrolled.edit(cell, {"cell.h": 0.0}, steps=-1):
        cell(x[0])
        with pytest.raises(IndexError, match="counts from the end"):
            cell(x[0])


def _run(model: nn.Module, changes: Any, x: Tensor, **options: Any) -> None:
    with unrolled.edit(model, changes, **options):
        model(x)


def test_patches_that_do_not_fit() -> None:
    model, x = unrolled.GRU(I, H), torch.randn(T, B, I)
    with unrolled.record(model, "*.z") as recording:
        model(x)
    with pytest.raises(TypeError, match="patch\\(\\) takes a recording"):
        unrolled.patch({})  # pyright: ignore
    with pytest.raises(TypeError, match="shift should be a number of steps"):
        unrolled.patch(recording, 0.5)  # pyright: ignore
    with pytest.raises(ValueError, match=r"l0\.h: patch: 'l0\.h' was not recorded"):
        unrolled.edit(model, {"l0.h": unrolled.patch(recording)})
    with pytest.raises(ValueError, match=r"l0\.x has 3 units, but l0\.z was recorded with 5"):
        unrolled.edit(model, {"l0.x": unrolled.patch(recording, name="l0.z")})
    with pytest.raises(ValueError, match="4 rows were recorded, but the run has 2"):
        _run(model, {"l0.z": unrolled.patch(recording)}, x[:, :2])
    with pytest.raises(ValueError, match="step 6 of row 0 needs step 6"):
        _run(model, {"l0.z": unrolled.patch(recording)}, torch.cat([x, x]))
    with pytest.raises(ValueError, match="step 0 of row 0 needs step -1"):
        _run(model, {"l0.z": unrolled.patch(recording, 1, steps=0)}, x)
    with pytest.raises(ValueError, match="6 steps, but the calls had 5"):
        _run(model, {"l0.z": unrolled.patch(recording)}, x[1:])
    for shift in (6, -6):
        with pytest.raises(ValueError, match=f"shift={shift} brings no recorded step to any of"):
            _run(model, {"l0.z": unrolled.patch(recording, shift)}, x)


@pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")
@pytest.mark.slow
def test_compiled_calls_are_refused() -> None:
    model, x = nn.Sequential(unrolled.LSTM(I, H)), torch.randn(T, B, I)
    compiled = torch.compile(model, backend="eager")
    plain, _ = compiled(x)
    with unrolled.edit(model, {"0.l0.f": 0.0}):
        with pytest.raises(RuntimeError, match="need plain calls"):
            compiled(x)
        with pytest.raises(RuntimeError, match="need plain calls"):
            torch.export.export(model, (x,))
    close(compiled(x)[0], plain)

    def inside(x: Tensor) -> Tensor:
        with unrolled.edit(model, {"0.l0.f": 0.0}):
            return model(x)[0]

    with pytest.raises(RuntimeError, match="edit: record\\(\\) and edit\\(\\) need plain calls"):
        torch.compile(inside, backend="eager", fullgraph=True)(x)
    with pytest.raises(ValueError, match="is compiled: pass the model that was compiled"):
        unrolled.edit(compiled, {"*.f": 0.0})
    with unrolled.record(model), pytest.raises(RuntimeError, match="need plain calls"):
        compiled(x)
    torch.compiler.reset()


def test_a_language_model_is_steered() -> None:
    model = LanguageModel(unrolled).eval()
    words = torch.randint(7, (T, B))
    plain, _ = model(words)
    with unrolled.edit(model, {"layers.1.l0.h": lambda h: h * 0}, steps=slice(3, None)):
        steered, _ = model(words)
    close(steered[:3], plain[:3])
    close(steered[3:], model.out.bias.expand_as(steered[3:]))
