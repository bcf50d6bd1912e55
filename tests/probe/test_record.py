"""Recordings against a plain loop, and what recording must not change."""

import contextlib
import copy
import pickle
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import unrolled
from pairs import pairwise
from unrolled.cells import CELLS
from unrolled.kernels.runtime.torch_state import eager_only
from unrolled.probe.names import places

from .models import (
    LENGTHS,
    MODELS,
    B,
    Ending,
    Forecaster,
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
from .plain import lengthwise, loop, weights


@pytest.fixture(autouse=True)
def double() -> Iterator[None]:
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


def flat(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    return [tensor for part in value if part is not None for tensor in flat(part)]


def check(module: Any, recording: unrolled.Recording, x: Tensor, hx: Any, lengths: Any) -> None:
    """A layer's recording has the values of a loop over its equations."""
    data, graph = x, module._runner.graph
    for number in range(module.num_layers):
        outputs = []
        for way, suffix in enumerate(module._suffixes[number]):
            first = parts(module, hx, number * len(module._suffixes[number]) + way)
            values, _ = lengthwise(
                graph, weights(module, suffix), data, first, lengths, reverse=way == 1
            )
            for name, value in values.items():
                close(recording[f"{suffix[1:]}.{name}"], value)
            outputs.append(values[graph.output])
        data = torch.cat(outputs, -1)


# Every cell, every name.


@pytest.mark.broad
@pytest.mark.parametrize(
    ("name", "form", "backend"),
    pairwise(CELLS, ["dense", "packed", "lengths"], ["kernel", "eager"]),
)
def test_every_value_of_every_cell(name: str, form: str, backend: str) -> None:
    module = layer(name, num_layers=2, bidirectional=True)
    x, hx = torch.randn(T, B, I), initial(module, 4, B)
    lengths = [T] * B if form == "dense" else LENGTHS
    given = packed(x, lengths) if form == "packed" else x
    options = {"lengths": lengths} if form == "lengths" else {}
    with torch.set_grad_enabled(backend == "eager"):
        if backend == "eager":
            with eager_only(), unrolled.record(module) as recording:
                module(given, hx, **options)
        else:
            assert unrolled.explain(module, given, hx, **options).startswith("compiled kernel")
            with unrolled.record(module) as recording:
                module(given, hx, **options)
    assert list(recording) == unrolled.names(module)
    check(module, recording, x, hx, lengths)
    assert all(value.tolist() == lengths for value in recording.lengths.values())


@pytest.mark.parametrize("name", CELLS)
def test_every_value_of_every_step(name: str) -> None:
    module = step(name)
    x, hx = torch.randn(T, B, I), initial(module, B)
    first = parts(module, tuple(s[None] for s in hx) if isinstance(hx, tuple) else hx[None], 0)
    with unrolled.record(module) as recording:
        for x_t in x:
            hx = module(x_t, hx)
    values, _ = loop(module.graph, weights(module, ""), x, first)
    assert set(recording) == {f"cell.{name}" for name in values}
    for value, expected in values.items():
        close(recording[f"cell.{value}"], expected)


@pytest.mark.parametrize("name", ["lstm", "min_gru"])
def test_recorded_values_do_not_depend_on_gradients(name: str) -> None:
    module, x = layer(name, bidirectional=True), torch.randn(T, B, I)
    found = []
    for grad in (True, False):
        with torch.set_grad_enabled(grad), unrolled.record(module) as recording:
            module(x)
        found.append(recording)
    for value in found[0]:
        close(found[0][value], found[1][value])
        assert not found[0][value].requires_grad


# Bits.


@pytest.mark.broad
@pytest.mark.parametrize(
    ("name", "dtype", "keep_graph", "grad"),
    pairwise(CELLS, [torch.float32, torch.float64], [True, False], [True, False]),
)
def test_output_and_gradients_are_the_same_to_the_bit(
    name: str, dtype: torch.dtype, keep_graph: bool, grad: bool
) -> None:
    module = layer(name, num_layers=2, bidirectional=True, zoneout=0.1).to(dtype)
    x, found = torch.randn(T, B, I, dtype=dtype), []
    hx = initial(module.to(dtype), 4, B)
    hx = tuple(s.to(dtype) for s in hx) if isinstance(hx, tuple) else hx.to(dtype)
    for watched in (False, True):
        module.zero_grad()
        torch.manual_seed(1)
        with torch.set_grad_enabled(grad):
            if watched:
                with unrolled.record(module, keep_graph=keep_graph):
                    results = flat(module(x, hx, lengths=LENGTHS))
            else:
                results = flat(module(x, hx, lengths=LENGTHS))
        if grad:
            results[0].sum().backward()
        gradients = [p.grad for p in module.parameters()] if grad and not keep_graph else []
        found.append([*results, *gradients])
    for plain, watched in zip(*found, strict=True):
        assert torch.equal(plain, watched)


@pytest.mark.parametrize("grad", [True, False])
@pytest.mark.parametrize("name", CELLS)
def test_steps_are_the_same_to_the_bit(name: str, grad: bool) -> None:
    module, found = step(name), []
    x, first = torch.randn(T, B, I), initial(module, B)
    for watched in (False, True):
        hx: Any = first
        with torch.set_grad_enabled(grad), contextlib.ExitStack() as stack:
            if watched:
                stack.enter_context(unrolled.record(module))
            for x_t in x:
                hx = module(x_t, hx)
        found.append(flat(hx))
    for plain, watched in zip(*found, strict=True):
        assert torch.equal(plain, watched)


@pytest.mark.parametrize("model", MODELS)
def test_models_compute_the_same_while_they_are_recorded(model: type[nn.Module]) -> None:
    module = model()
    unrolled.adopt(module)
    given, found = inputs(module), []
    for watched in (False, True):
        torch.manual_seed(1)
        if watched:
            with unrolled.record(module) as recording:
                found.append(flat(module(*given)))
        else:
            found.append(flat(module(*given)))
    for plain, other in zip(*found, strict=True):
        assert torch.equal(plain, other)
    assert list(recording) == unrolled.names(module)


# Models.


def test_a_tagger_with_packed_input() -> None:
    model = Tagger(unrolled).eval()
    words, lengths = inputs(model)
    with unrolled.record(model) as recording:
        model(words, lengths)
    x = model.embedding(words).transpose(0, 1).detach()
    hx = tuple(torch.zeros(4, B, H) for _ in range(2))
    with unrolled.record(model.lstm) as alone, torch.no_grad():
        model.lstm(packed(x, LENGTHS))
    for name in alone:
        assert recording[f"lstm.{name}"].shape[:2] == (B, T)
        close(recording[f"lstm.{name}"], alone[name])
    model.lstm.batch_first = False
    with unrolled.record(model.lstm) as alone, torch.no_grad():
        model.lstm(packed(x, LENGTHS))
    check(model.lstm, alone, x, hx, LENGTHS)


def test_a_translator_with_a_loop_over_a_cell() -> None:
    model, x = Translator(unrolled), torch.randn(T, B, I)
    with unrolled.record(model) as recording:
        model(x, steps=7)
    check_names = {"encoder.l0.r", "encoder.l0_reverse.h", "decoder.f_pre", "decoder.x"}
    assert check_names <= set(recording)
    assert recording["decoder.f"].shape == (7, B, H)
    first = {state: recording.initial[f"decoder.{state}"] for state in "hc"}
    decoder = model.decoder
    values, _ = loop(decoder.graph, weights(decoder, ""), recording["decoder.x"], first)
    for name, value in values.items():
        close(recording[f"decoder.{name}"], value)
    assert recording.lengths["decoder"].tolist() == [7] * B
    assert [call.shape for call in recording.calls("decoder.f")] == [(1, B, H)] * 7


def test_calls_that_follow_each_other_are_joined_in_time() -> None:
    model = LanguageModel(unrolled).eval()
    words, states = torch.randint(7, (9, B)), None
    with unrolled.record(model, "layers.1.*") as parts_, torch.no_grad():
        for chunk in words.split(4):
            _, states = model(chunk, states)
    with unrolled.record(model, "layers.1.*") as whole, torch.no_grad():
        model(words)
    for name in whole:
        close(parts_[name], whole[name])
        assert [call.shape[0] for call in parts_.calls(name)] == [4, 4, 1]


@pytest.mark.parametrize("on_disk", [False, True])
def test_calls_of_any_rows_are_joined_in_time(on_disk: bool, tmp_path: Path) -> None:
    model, sizes = unrolled.GRU(I, H, batch_first=True), [(3, B), (2, 1), (4, 0), (5, B + 2)]
    given = [torch.randn(rows, steps, I) for steps, rows in sizes]
    with unrolled.record(model, to=tmp_path / "a" if on_disk else None) as recording:
        outputs = [model(x)[0] for x in given]
        outputs.append(model(given[0], lengths=[1, 3, 0, 2])[0])
    found = recording["l0.h"]
    assert found.shape == (B + 2, 17, H)
    valid, expected = torch.zeros(B + 2, 17, dtype=torch.bool), torch.zeros(B + 2, 17, H)
    start = 0
    for number, output in enumerate(outputs):
        rows, steps = output.shape[:2]
        expected[:rows, start : start + steps] = output
        lengths = torch.tensor([1, 3, 0, 2] if number == 4 else [steps] * rows)
        valid[:rows, start : start + steps] = torch.arange(steps) < lengths[:, None]
        start += steps
    assert torch.equal(found, expected)
    assert torch.equal(recording.valid["l0"], valid)
    assert torch.equal(recording.lengths["l0"], valid.sum(1))
    together = torch.cat([*(y.transpose(0, 1).flatten(0, 1) for y in outputs)])
    assert torch.equal(found.transpose(0, 1)[valid.T], together[(together != 0).any(1)])
    for call, output in zip(recording.calls("l0.h"), outputs, strict=True):
        assert torch.equal(call, output)
    assert repr(recording).endswith("l0: 17 steps, 6 rows)")
    if not on_disk:
        recording.save(tmp_path / "a")
    again = unrolled.Recording.load(tmp_path / "a")
    same(again, recording)
    assert torch.equal(again["l0.h"], found)
    assert torch.equal(again.valid["l0"], valid)


def test_a_loop_whose_rows_end_is_recorded_as_a_layer() -> None:
    layer, sizes = unrolled.LSTM(I, H), [4, 4, 3, 1, 1, 0]
    model = Ending(unrolled.LSTMCell(I, H))
    state = {k.removesuffix("_l0"): v for k, v in layer.state_dict().items()}
    model.cell.load_state_dict(state)
    x = torch.randn(T, B, I)
    with unrolled.record(model) as recording:
        output = model(x, sizes)
    with unrolled.record(layer) as expected:
        layer(x, lengths=[5, 3, 3, 2])
    for name in expected:
        close(recording[name.replace("l0", "cell")], expected[name])
    assert torch.equal(recording["cell.h"], output)
    assert torch.equal(recording.lengths["cell"], expected.lengths["l0"])
    assert torch.equal(recording.valid["cell"], expected.valid["l0"])


def test_calls_with_and_without_a_batch_are_joined() -> None:
    model, x = unrolled.GRU(I, H, batch_first=True), torch.randn(B, T, I)
    with unrolled.record(model, keep_graph=True) as recording:
        outputs = [model(x)[0], model(x[1])[0]]
    assert torch.equal(recording["l0.h"][:, :T], outputs[0])
    assert torch.equal(recording["l0.h"][0, T:], outputs[1])
    assert recording.valid["l0"].sum(1).tolist() == [2 * T, T, T, T]
    loss = recording["l0.h"].square().sum()
    expected = sum(y.square().sum() for y in outputs)
    for ours, mine in zip(
        torch.autograd.grad(loss, list(model.parameters()), retain_graph=True),
        torch.autograd.grad(expected, list(model.parameters())),
        strict=True,
    ):
        close(ours, mine)


@pytest.mark.parametrize("batch_first", [True, False])
def test_layouts(batch_first: bool) -> None:
    model = unrolled.LSTM(I, H, batch_first=batch_first)
    x = torch.randn(T, B, I)
    given = x.transpose(0, 1) if batch_first else x
    with unrolled.record(model) as recording:
        output, _ = model(given)
        assert torch.equal(recording["l0.h"], output)
        assert torch.equal(recording["l0.x"], given)
    with unrolled.record(model) as recording:
        output, _ = model(given, lengths=LENGTHS)
    assert torch.equal(recording["l0.h"], output)
    with unrolled.record(model) as recording:
        output, _ = model(x[:, 0])
    assert recording["l0.f"].shape == (T, H)
    assert torch.equal(recording["l0.h"], output)
    cell = unrolled.LSTMCell(I, H)
    with unrolled.record(cell) as recording:
        cell(x[0, 0])
        cell(x[1, 0])
    assert recording["cell.f"].shape == (2, H)


def test_rows_without_a_step() -> None:
    model = unrolled.LSTM(I, H, 2)
    for lengths in ([0, 2, 0, 1], [0, 0, 0, 0]):
        with unrolled.record(model) as recording:
            output, _ = model(torch.randn(T, B, I), lengths=lengths)
        assert torch.equal(recording["l1.h"], output)
        assert recording["l0.f"].shape == (T, B, H)
        assert recording.lengths["l0"].tolist() == lengths
    with unrolled.record(model) as recording:
        output, _ = model(torch.randn(T, 0, I))
    assert torch.equal(recording["l1.h"], output)
    assert recording["l0.f"].shape == (T, 0, H)


def test_zoneout_and_variational_dropout() -> None:
    model = layer("lstm", zoneout={"c": 0.3}, variational_dropout=0.4)
    x = torch.randn(T, B, I)
    with unrolled.record(model) as recording:
        output, (_, c) = model(x)
    assert torch.equal(recording["l0.h"], output)
    assert torch.equal(recording["l0.c"][-1], c[0])
    close(recording["l0.f"], recording["l0.f_pre"].sigmoid())


def test_states_of_rows_stand_as_they_were_given() -> None:
    model = unrolled.LSTM(I, H)
    h, c = torch.randn(1, B, H), torch.randn(1, B, H)
    with unrolled.record(model, "*.h") as recording:
        model(packed(torch.randn(T, B, I), LENGTHS), (h, c))
    assert torch.equal(recording.initial["l0.h"], h[0])
    assert torch.equal(recording.initial["l0.c"], c[0])


# The graph.


@pytest.mark.parametrize("backend", ["kernel", "eager"])
@pytest.mark.parametrize("name", ["lstm", "min_gru", "slstm", "gru_reset_before"])
def test_a_loss_on_a_gate_can_be_trained(name: str, backend: str) -> None:
    module, x = layer(name), torch.randn(T, B, I)
    hx = initial(module, 1, B)
    names = [name for name in unrolled.names(module) if name != "l0.x"]
    first = parts(module, hx, 0)
    values, _ = loop(module.graph, weights(module, "_l0"), x, first)
    weight = {n: torch.randn(values[n.removeprefix("l0.")].shape) for n in names}
    loss = sum((values[n.removeprefix("l0.")] * weight[n]).sum() for n in names)
    expected = torch.autograd.grad(loss, list(module.parameters()))
    if backend == "eager":
        with eager_only(), unrolled.record(module, keep_graph=True) as recording:
            module(x, hx)
    else:
        with unrolled.record(module, keep_graph=True) as recording:
            module(x, hx)
    loss = sum((recording[n] * weight[n]).sum() for n in names)
    for found, known in zip(
        torch.autograd.grad(loss, list(module.parameters())), expected, strict=True
    ):
        torch.testing.assert_close(found, known, rtol=1e-8, atol=1e-8)


def test_checkpointing_records_once() -> None:
    model, x = unrolled.LSTM(I, H), torch.randn(T, B, I, requires_grad=True)
    with unrolled.record(model) as recording:
        output = checkpoint(lambda x: model(x)[0], x, use_reentrant=False)
        assert isinstance(output, Tensor)
        output.sum().backward()
    assert recording["l0.h"].shape == (T, B, H)


# Selection, contexts and copies.


def test_selection() -> None:
    model = Translator(unrolled)
    for names, expected in (
        ("*.f", ["decoder.f"]),
        (["encoder.*.[rz]", "decoder.h"], 5),
        ("encoder.l0_reverse.n_pre", ["encoder.l0_reverse.n_pre"]),
    ):
        with unrolled.record(model, names) as recording:
            assert len(recording) == 0
            model(torch.randn(T, B, I))
        assert len(recording) == (len(expected) if isinstance(expected, list) else expected)
        assert not isinstance(expected, list) or list(recording) == expected
    with unrolled.record(model) as recording:
        model(torch.randn(T, B, I))
    assert list(recording.select("decoder.[ig]")) == ["decoder.i", "decoder.g"]
    with pytest.raises(KeyError, match=r"matches 'decoder\.q'"):
        recording.select("decoder.q")
    with pytest.raises(KeyError, match=r"'decoder\.q' was not recorded"):
        recording["decoder.q"]
    assert "decoder.q" not in recording
    assert "decoder.i" in recording


def test_what_the_caller_changes_in_place_stays_recorded() -> None:
    model, x = unrolled.RNN(I, H), torch.randn(T, B, I)
    with torch.no_grad(), unrolled.record(model) as recording:
        output, _ = model(x)
        known = output.clone()
        output.zero_()
        x.zero_()
    assert torch.equal(recording["l0.h"], known)
    assert recording["l0.x"].any()


def test_recordings_nest_and_end() -> None:
    model, x = unrolled.LSTM(I, H), torch.randn(T, B, I)
    with unrolled.record(model, "*.f") as outer:
        model(x)
        with unrolled.record(model, "*.[fc]") as inner:
            model(x)
    model(x)
    assert outer["l0.f"].shape[0] == 2 * T
    assert inner["l0.c"].shape[0] == T
    with pytest.raises(RuntimeError, match="input_size"), unrolled.record(model) as broken:
        model(torch.cat([model(x)[0], x], -1))
    model(x)
    assert broken["l0.f"].shape[0] == T
    assert model._probes == ()


def test_one_module_at_two_paths() -> None:
    shared = unrolled.GRU(I, I)
    model = nn.ModuleDict({"first": shared, "second": nn.Sequential(shared)})
    x = torch.randn(T, B, I)
    with unrolled.record(model, "second.0.l0.h") as recording:
        shared(shared(x)[0])
    assert list(recording) == ["first.l0.h"]
    assert torch.equal(recording["second.0.l0.h"], recording["first.l0.h"])
    assert recording["first.l0.h"].shape[0] == 2 * T


def test_each_thread_records_its_own_calls() -> None:
    model = unrolled.LSTM(I, H)
    found: dict[int, unrolled.Recording] = {}

    def work(steps: int) -> None:
        x = torch.randn(steps, B, I, dtype=torch.float64)
        with torch.no_grad(), unrolled.record(model) as recording:
            for _ in range(5):
                model(x)
        found[steps] = recording

    threads = [threading.Thread(target=work, args=(steps,)) for steps in range(2, 8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {steps: len(r["l0.f"]) for steps, r in found.items()} == {n: 5 * n for n in range(2, 8)}


def test_copies_that_are_made_while_recording_are_not_recorded() -> None:
    model, x = unrolled.LSTM(I, H), torch.randn(T, B, I)
    with unrolled.record(model) as recording:
        twins = [copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
        for twin in twins:
            assert torch.equal(twin(x)[0], twin(x)[0])
    assert len(recording) == 0


# Memory and disk.


def test_the_limit_is_not_exceeded() -> None:
    model = unrolled.LSTM(I, H)
    needed = T * B * H * 8
    with unrolled.record(model, "*.f", limit=2 * needed) as recording:
        model(torch.randn(T, B, I))
        model(torch.randn(T, B, I))
        with pytest.raises(MemoryError, match=r"l0 needs 960 bytes, 1,920 are held.*to="):
            model(torch.randn(T, B, I))
    assert recording["l0.f"].shape[0] == 2 * T


def run_calls(model: Any) -> None:
    for count in (B, B, 2):
        x = torch.randn(T, count, I)
        model.encoder(x)
        model.encoder(x, lengths=[2] * count)
        state = None
        for x_t in torch.randn(T, count, H):
            state = model.decoder(x_t, state)


def same(found: unrolled.Recording, expected: unrolled.Recording) -> None:
    assert list(found) == list(expected)
    assert repr(found) == repr(expected)
    for name in expected:
        for ours, theirs in zip(found.calls(name), expected.calls(name), strict=True):
            assert torch.equal(ours, theirs)
    for name, state in expected.initial.items():
        assert torch.equal(found.initial[name], state)


def test_a_recording_on_disk_is_read_again(tmp_path: Path) -> None:
    model = Translator(unrolled)
    torch.manual_seed(1)
    with unrolled.record(model) as expected:
        run_calls(model)
    torch.manual_seed(1)
    with unrolled.record(model, to=tmp_path / "a") as streamed:
        run_calls(model)
        assert streamed.calls("decoder.f")
    expected.save(tmp_path / "b")
    for found in (streamed, *(unrolled.Recording.load(tmp_path / name) for name in "ab")):
        same(found, expected)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_a_stream_of_chunks_is_one_long_sequence(tmp_path: Path) -> None:
    model = unrolled.GRU(I, H)
    x, state = torch.randn(40, B, I), None
    with torch.no_grad():
        with unrolled.record(model, "*.z", to=tmp_path / "z"):
            for chunk in x.split(7):
                _, state = model(chunk, state)
        with unrolled.record(model, "*.z") as expected:
            model(x)
    found = unrolled.Recording.load(tmp_path / "z")
    close(found["l0.z"], expected["l0.z"])
    assert found.lengths["l0"].tolist() == [40] * B


def test_nothing_half_written_is_left(tmp_path: Path) -> None:
    model = unrolled.GRU(I, H)
    x = torch.randn(500, 50, I)
    with pytest.raises(RuntimeError, match="input_size"):  # noqa: SIM117
        with unrolled.record(model, to=tmp_path / "z") as recording:
            model(model(x)[0])
    assert not list(tmp_path.iterdir())
    with pytest.raises(RuntimeError, match="ended with an error"):
        recording["l0.h"]
    with unrolled.record(model, to=tmp_path / "z", limit=100), pytest.raises(MemoryError):
        model(torch.randn(T, B, I))
    with pytest.raises(FileExistsError, match="exists"):
        unrolled.record(model, to=tmp_path / "z")
    with pytest.raises(FileNotFoundError, match="no folder"):
        unrolled.record(model, to=tmp_path / "none" / "z")


def test_damaged_files_are_found(tmp_path: Path) -> None:
    model = unrolled.GRU(I, H)
    with unrolled.record(model, "*.h", to=tmp_path / "z"):
        model(torch.randn(T, B, I))
    with pytest.raises(FileNotFoundError, match="is no recording"):
        unrolled.Recording.load(tmp_path)
    (tmp_path / "z" / "00000.bin").write_bytes(b"short")
    with pytest.raises(ValueError, match=r"expected 960 bytes of l0\.h, found 5"):
        unrolled.Recording.load(tmp_path / "z")
    (tmp_path / "z" / "recording.json").write_text("{}")
    with pytest.raises(ValueError, match="no complete recording"):
        unrolled.Recording.load(tmp_path / "z")


# What is refused.


def test_bad_names_and_models() -> None:
    model = Tagger(unrolled)
    with pytest.raises(ValueError, match=r"'lstm\.l0\.forget'; nearest: lstm\.l0"):
        unrolled.record(model, "lstm.l0.forget")
    with pytest.raises(ValueError, match="record: no value is called 'nothing'"):
        unrolled.record(model, ["lstm.*", "nothing"])
    with pytest.raises(ValueError, match="no value is called"):
        unrolled.record(model, [])
    with pytest.raises(TypeError, match="strings"):
        unrolled.record(model, [3])  # pyright: ignore
    for names in (None, 3):
        with pytest.raises(TypeError, match=f"record: names are strings such as .*, got {names}"):
            unrolled.record(model, names)  # pyright: ignore
    with pytest.raises(TypeError, match="limit should be a number of bytes, got '1 GB'"):
        unrolled.record(model, limit="1 GB")  # pyright: ignore
    with pytest.raises(ValueError, match="Linear has no recurrent modules"):
        unrolled.record(nn.Linear(2, 2))
    with pytest.raises(ValueError, match=r"PyTorch's \(lstm\): call unrolled.adopt"):
        unrolled.record(Tagger())
    with pytest.raises(TypeError, match=r"expected a torch\.nn\.Module"):
        unrolled.record("model")  # pyright: ignore
    with pytest.raises(ValueError, match="has no graph"):
        unrolled.record(model, keep_graph=True, to="somewhere")

    class Own(nn.GRU):
        def forward(self, input: Any, hx: Any = None) -> Any:
            return nn.GRU.forward(self, -input, hx)

    with pytest.raises(ValueError, match=r"can be seen into \(0: a subclass with its own forward"):
        unrolled.record(nn.Sequential(Own(I, H)))
    mixed = nn.ModuleDict({"ours": unrolled.GRU(I, H), "theirs": nn.GRU(I, H)})
    with pytest.raises(ValueError, match=r"theirs is a torch\.nn\.GRU: call unrolled\.adopt"):
        unrolled.record(mixed, "theirs.l0.h")


def test_torch_func_is_refused() -> None:
    model = unrolled.GRU(I, H)
    with unrolled.record(model), pytest.raises(RuntimeError, match=r"torch\.func"):
        torch.func.vmap(lambda x: model(x)[0])(torch.randn(2, T, B, I))


def test_a_name_whose_module_was_not_called() -> None:
    model = nn.ModuleDict({"a": unrolled.GRU(I, H), "b": unrolled.GRU(I, H)})
    with unrolled.record(model) as recording:
        model["a"](torch.randn(T, B, I))
    with pytest.raises(KeyError, match=r"b\.l0 was not called"):
        recording["b.l0.h"]
    assert all(name.startswith("a.") for name in recording)
    assert "b.l0.h" not in recording


def test_places() -> None:
    found = places(Forecaster(unrolled))
    assert [place.name for place in found] == ["core.rnn.l0", "core.rnn.l1"]
    assert [place.input_size for place in found] == [I, H]
    assert [place.layer for place in found] == [0, 1]
    assert not any(place.reverse for place in found)
