"""Gradient norms against autograd's, and what gradient_flow refuses."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence
from torch.utils.checkpoint import checkpoint

import unrolled
from unrolled.cells import CELLS

from .models import Ending
from .subjects import ALL, B, H, I, Loop, T, layer, units, unroll, weights


def expected(cell: Any, module: Any, x: Tensor, loss: Any, suffix: str = "_l0") -> Tensor:
    """The gradients (T, B, S), by autograd through a plain loop."""
    order = list(range(len(x)))
    states, outputs = unroll(
        cell, weights(module, suffix), x, units(cell), order[:: -1 if "rev" in suffix else 1]
    )
    loss(outputs).backward()
    return torch.stack([each.grad for each in states])  # pyright: ignore


@pytest.mark.parametrize("name", [*ALL][::3])
def test_norms_of_cells(name: str) -> None:
    cell, x = ALL[name], torch.randn(T, B, I, dtype=torch.float64)
    module = layer(cell)
    mask = torch.randn(T, B, module.output_size, dtype=torch.float64)
    gradients = expected(cell, module, x, lambda y: (y * mask).sum())
    flow = unrolled.gradient_flow(module, x, loss=lambda out: (out[0] * mask).sum())
    torch.testing.assert_close(flow.norms["l0"], gradients.norm(dim=-1))
    parts = gradients.split([units(cell)[size] for size in cell.graph.states.values()], -1)
    for (state, norms), part in zip(flow.state_norms["l0"].items(), parts, strict=True):
        torch.testing.assert_close(norms, part.norm(dim=-1))
        torch.testing.assert_close(flow.gradient("l0")[state], part)
    loop = Loop(cell)
    loop.cell.load_state_dict({k.removesuffix("_l0"): v for k, v in module.state_dict().items()})
    flow = unrolled.gradient_flow(loop, x, loss=lambda out: (out * mask).sum())
    torch.testing.assert_close(flow.norms["cell"], gradients.norm(dim=-1))


def test_both_directions() -> None:
    cell, x = CELLS["lstm"], torch.randn(T, B, I, dtype=torch.float64)
    module = layer(cell, bidirectional=True)
    flow = unrolled.gradient_flow(module, x, loss=lambda out: out[0].square().sum())
    for place in ("l0", "l0_reverse"):
        gradients = expected(cell, module, x, lambda y: y.square().sum(), f"_{place}")
        torch.testing.assert_close(flow.norms[place], gradients.norm(dim=-1))


class Tagger(nn.Module):
    """A model with layers deep inside, in the style of PyTorch's users."""

    def __init__(self, library: Any) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, I, dtype=torch.float64)
        options = {"batch_first": True, "bidirectional": True, "dtype": torch.float64}
        self.encoder = nn.ModuleDict({"lstm": library.LSTM(I, H, num_layers=2, **options)})
        self.head = nn.Linear(2 * H, 4, dtype=torch.float64)

    def forward(self, ids: Tensor) -> Tensor:
        y, _ = self.encoder["lstm"](self.embedding(ids))
        y += 1  # in place
        return self.head(torch.relu_(y))


def test_torch_modules_are_adopted_for_the_duration() -> None:
    ids = torch.randint(11, (B, T))
    flows = []
    for library in (nn, unrolled):
        torch.manual_seed(5)
        model = Tagger(library)
        flows.append(unrolled.gradient_flow(model, ids, loss=lambda y: y.square().sum()))
        assert type(model.encoder["lstm"]) is library.LSTM
        assert all(parameter.grad is None for parameter in model.parameters())
    assert flows[0].layers == tuple(
        f"encoder.lstm.{place}" for place in ("l0", "l0_reverse", "l1", "l1_reverse")
    )
    for name, norms in flows[0].norms.items():
        assert norms.shape == (B, T)  # as the layer is batch_first
        assert bool((norms > 0).all())
        torch.testing.assert_close(norms, flows[1].norms[name])


def test_lower_layers_against_autograd() -> None:
    torch.manual_seed(2)
    model, ids = Tagger(unrolled), torch.randint(11, (B, T))
    flow = unrolled.gradient_flow(model, ids, loss=lambda y: y.sum(), of="encoder.lstm.l1")
    assert flow.layers == ("encoder.lstm.l1",)
    whole = unrolled.gradient_flow(model, ids, loss=lambda y: y.sum())
    first = nn.LSTM(I, H, batch_first=True, bidirectional=True, dtype=torch.float64)
    second = nn.LSTM(2 * H, H, batch_first=True, bidirectional=True, dtype=torch.float64)
    state = model.encoder["lstm"].state_dict()
    first.load_state_dict({k: v for k, v in state.items() if "_l0" in k})
    second.load_state_dict({k.replace("_l1", "_l0"): v for k, v in state.items() if "_l1" in k})
    y, _ = first(model.embedding(ids))
    y.retain_grad()
    z, _ = second(y)
    model.head(torch.relu(z + 1)).sum().backward()
    last = whole.state_norms["encoder.lstm.l0"]["h"][:, T - 1]
    torch.testing.assert_close(last, y.grad[:, T - 1, :H].norm(dim=-1))  # pyright: ignore


def test_packed_rows_are_those_of_each_sequence() -> None:
    module, x = layer(CELLS["lstm"], bidirectional=True), torch.randn(T, B, I, dtype=torch.float64)
    lengths = [5, 7, 2]

    def loss(out: Any) -> Tensor:
        return (out[0].data if isinstance(out[0], PackedSequence) else out[0]).square().sum()

    packed = pack_padded_sequence(x, lengths, enforce_sorted=False)
    flow = unrolled.gradient_flow(module, packed, loss=loss)
    padded = unrolled.gradient_flow(
        module, {"input": x, "lengths": lengths}, loss=lambda out: out[0].square().sum()
    )
    for row, length in enumerate(lengths):
        alone = unrolled.gradient_flow(module, x[:length, row : row + 1], loss=loss)
        for name in ("l0", "l0_reverse"):
            torch.testing.assert_close(flow.norms[name][:length, row], alone.norms[name][:, 0])
            assert not flow.norms[name][length:, row].any()
            torch.testing.assert_close(flow.norms[name], padded.norms[name])


def test_long_sequences_come_in_pieces() -> None:
    module, x = layer(CELLS["gru"]), torch.randn(150, 2, I, dtype=torch.float64)
    gradients = expected(CELLS["gru"], module, x, lambda y: y[-1].sum())
    flow = unrolled.gradient_flow(module, x)
    torch.testing.assert_close(flow.norms["l0"], gradients.norm(dim=-1), rtol=1e-9, atol=0)
    lengths = [150, 70]
    ragged = unrolled.gradient_flow(module, {"input": x, "lengths": lengths})
    alone = unrolled.gradient_flow(module, x[:70, 1:])
    torch.testing.assert_close(ragged.norms["l0"][:70, 1], alone.norms["l0"][:, 0])


def test_gradients_smaller_than_float32_can_hold() -> None:
    module = unrolled.RNN(I, H)
    with torch.no_grad():
        module.weight_hh_l0.mul_(0.1)
    flow = unrolled.gradient_flow(module, torch.randn(120, 1, I))
    assert 0 < flow.norms["l0"][0, 0] < 1e-100


def test_the_sum_of_the_last_output_is_the_loss_by_default() -> None:
    x = torch.randn(T, B, I, dtype=torch.float64)
    module = layer(CELLS["lstm"])
    given = unrolled.gradient_flow(module, x, loss=lambda out: out[0][-1].sum())
    torch.testing.assert_close(unrolled.gradient_flow(module, x).norms, given.norms)
    both = layer(CELLS["lstm"], bidirectional=True)
    given = unrolled.gradient_flow(
        both, x, loss=lambda out: out[0][-1, :, :H].sum() + out[0][0, :, H:].sum()
    )
    torch.testing.assert_close(unrolled.gradient_flow(both, x).norms, given.norms)
    head = nn.Sequential(module, _First(), nn.Linear(H, 2, dtype=torch.float64))
    given = unrolled.gradient_flow(head, x, loss=lambda out: out[-1].sum())
    torch.testing.assert_close(unrolled.gradient_flow(head, x).norms, given.norms)
    packed = pack_padded_sequence(x, [7, 4, 2])
    given = unrolled.gradient_flow(module, packed, loss=lambda out: out[1][0].sum())
    torch.testing.assert_close(unrolled.gradient_flow(module, packed).norms, given.norms)
    single = unrolled.gradient_flow(module, x[:, 0])
    assert single.norms["l0"].shape == (T,)
    first = layer(CELLS["lstm"], batch_first=True)
    first.load_state_dict(module.state_dict())
    flow = unrolled.gradient_flow(first, x.transpose(0, 1))
    torch.testing.assert_close(flow.norms["l0"].T, unrolled.gradient_flow(module, x).norms["l0"])
    assert flow.gradient("l0")["c"].shape == (B, T, H)


class _First(nn.Module):
    def forward(self, output: Any) -> Tensor:
        return output[0]


def test_frozen_models_have_gradients_too() -> None:
    module = layer(CELLS["lstm"]).requires_grad_(False)
    x = torch.randn(T, B, I, dtype=torch.float64)
    with torch.no_grad():
        flow = unrolled.gradient_flow(module, x)
    assert bool((flow.norms["l0"] > 0).all())


@pytest.mark.parametrize(
    ("loss", "error", "message"),
    [
        (lambda out: out[0], ValueError, r"should return a scalar, got shape \(7, 3, 5\)"),
        (lambda out: out[0].sum().item(), TypeError, "should return a tensor, got float"),
        (lambda out: torch.zeros(()), ValueError, "does not depend on the states"),
        (lambda out: out[0].detach().sum(), ValueError, "does not depend on the states"),
        (lambda out: torch.ones(1, requires_grad=True), ValueError, "does not depend"),
    ],
)
def test_losses_that_cannot_be(loss: Any, error: type[Exception], message: str) -> None:
    module = layer(CELLS["lstm"])
    with pytest.raises(error, match=message):
        unrolled.gradient_flow(module, torch.randn(T, B, I, dtype=torch.float64), loss=loss)
    assert not module._probes


def test_models_and_names_that_cannot_be() -> None:
    x = torch.randn(T, B, I, dtype=torch.float64)
    with pytest.raises(ValueError, match="has no recurrent modules"):
        unrolled.gradient_flow(nn.Linear(3, 3), x)
    with pytest.raises(TypeError, match=r"torch\.nn\.Module"):
        unrolled.gradient_flow(lambda x: x, x)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match=r"no layer is called 'l9'; did you mean l0"):
        unrolled.gradient_flow(layer(CELLS["gru"]), x, of="l9")
    with pytest.raises(
        TypeError, match="loss= should be a function of the model's output, got int"
    ):
        unrolled.gradient_flow(layer(CELLS["gru"]), x, loss=3)  # pyright: ignore
    with pytest.raises(ValueError, match="of= names no layer"):
        unrolled.gradient_flow(layer(CELLS["gru"]), x, of=[])

    class Unused(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gru = layer(CELLS["gru"])

        def forward(self, x: Tensor) -> Tensor:
            return x

    with pytest.raises(ValueError, match=r"the model did not call gru\.l0"):
        unrolled.gradient_flow(Unused(), x)

    class Numbers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gru = layer(CELLS["gru"])

        def forward(self, x: Tensor) -> list[float]:
            return self.gru(x)[0].sum((0, 2)).tolist()

    with pytest.raises(ValueError, match="holds no tensor of floating-point numbers: pass loss="):
        unrolled.gradient_flow(Numbers(), x)


class _Calls(nn.Module):
    """A layer that is called with one batch after the other."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.gru = layer(CELLS["gru"], **options)

    def forward(self, *batches: Tensor) -> list[Tensor]:
        return [self.gru(batch)[0] for batch in batches]


@pytest.mark.parametrize("batch_first", [False, True])
def test_calls_of_any_rows(batch_first: bool) -> None:
    model = _Calls(batch_first=batch_first, bidirectional=True)
    batches = [torch.randn(3, B, I, dtype=torch.float64) for B in (2, 3, 0, 1)]
    given = [x.transpose(0, 1) if batch_first else x for x in batches]

    def loss(outputs: list[Tensor]) -> Tensor:
        return torch.stack([output.square().sum() for output in outputs]).sum()

    flow = unrolled.gradient_flow(model, tuple(given), loss=loss)
    for name in ("gru.l0", "gru.l0_reverse"):
        norms = flow.norms[name].T if batch_first else flow.norms[name]
        assert norms.shape == (12, 3)
        for start, x in zip((0, 3, 9), (given[0], given[1], given[3]), strict=True):
            alone = unrolled.gradient_flow(model, x, loss=loss)
            expected = alone.norms[name].T if batch_first else alone.norms[name]
            rows = expected.shape[1]
            torch.testing.assert_close(norms[start : start + 3, :rows], expected)
            assert not norms[start : start + 3, rows:].any()
    own = unrolled.gradient_flow(model, given[1], loss=loss)
    places = ("gru.l0", 5, 4, 2)
    torch.testing.assert_close(flow.jacobian(*places), own.jacobian("gru.l0", 2, 1, 2))
    assert flow.distance("gru.l0", row=2).shape == (3,)
    with pytest.raises(ValueError, match=r"should be a step of row 2 from 3 to 5, got 1"):
        flow.jacobian("gru.l0", 1, 0, 2)
    with pytest.raises(ValueError, match="are not those that the step before it returned"):
        flow.jacobian("gru.l0", 4, 2, 0)


@pytest.mark.parametrize("library", [nn, unrolled])
def test_a_loop_whose_rows_end_is_a_ragged_layer(library: Any) -> None:
    module = layer(CELLS["lstm"])
    model = Ending(library.LSTMCell(I, H, dtype=torch.float64))
    model.cell.load_state_dict({k.removesuffix("_l0"): v for k, v in module.state_dict().items()})
    x, sizes, lengths = torch.randn(T, B, I, dtype=torch.float64), [3, 3, 2, 1, 1, 1, 0], [6, 3, 2]
    given = {"input": x, "lengths": lengths}
    flow, expected = (
        unrolled.gradient_flow(model, (x, sizes)),
        unrolled.gradient_flow(module, given),
    )
    torch.testing.assert_close(flow.norms["cell"], expected.norms["l0"])
    assert flow.loss == pytest.approx(expected.loss)  # of each row's last step
    for row in range(B):
        for method in ("distance", "spectra", "influence", "ablation"):
            found = getattr(flow, method)("cell", row=row)
            torch.testing.assert_close(found, getattr(expected, method)("l0", row=row))
    memory, whole = flow.memory("cell"), expected.memory("l0")
    torch.testing.assert_close(memory.lengths, whole.lengths)
    ours, theirs = unrolled.diagnose(model, (x, sizes)), unrolled.diagnose(module, given)
    mine, known = ours.to_json()["layers"]["cell"], theirs.to_json()["layers"]["l0"]
    assert mine["curve"] == pytest.approx(known["curve"])
    assert mine["keep"] == pytest.approx(known["keep"])
    assert mine["saturation"]["f"] == pytest.approx(known["saturation"]["f"])
    assert ours.codes == theirs.codes


def test_a_forecast_by_samples() -> None:
    class DeepAR(nn.Module):
        """Reads with B rows and goes on with several samples of each (Salinas et al. 2020)."""

        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(1, H, 2, batch_first=True)
            self.out = nn.Linear(H, 1)

        def forward(self, x: Tensor, samples: int) -> Tensor:
            _, states = self.lstm(x)
            states = tuple(state.repeat_interleave(samples, 1) for state in states)
            y, found = x.new_zeros(len(x) * samples, 1, 1), []
            for _ in range(4):
                y, states = self.lstm(y, states)
                y = self.out(y)
                found.append(y)
            return torch.cat(found, 1)

    model, x = DeepAR(), torch.randn(2, 5, 1)
    assert set(unrolled.diagnose(model, (x, 3)).layers) == {"lstm.l0", "lstm.l1"}
    flow = unrolled.gradient_flow(model, (x, 3), loss=lambda y: y[:, -1].sum())
    norms = flow.norms["lstm.l1"]
    assert norms.shape == (6, 9)
    assert ((norms > 0).sum(1) == torch.tensor([9, 9, 4, 4, 4, 4])).all()
    assert flow.distance("lstm.l1", row=5).shape == (4,)


@pytest.mark.parametrize("user", [unrolled.diagnose, unrolled.gradient_flow, unrolled.open_gate])
@pytest.mark.parametrize("library", [nn, unrolled])
def test_cells_without_units(library: Any, user: Any) -> None:
    model = nn.ModuleDict({"empty": library.LSTMCell(I, 0)})
    given = () if user is unrolled.open_gate else (torch.randn(B, I),)
    with pytest.raises(ValueError, match=f"{user.__name__}: empty has no units: name other layers"):
        user(model, *given)
    assert type(model["empty"]) is library.LSTMCell


@pytest.mark.parametrize("library", [nn, unrolled])
def test_inputs_without_a_step(library: Any) -> None:
    model = nn.ModuleDict({"rnn": library.GRU(I, H, bidirectional=True)})["rnn"]
    for watch in (unrolled.diagnose, unrolled.gradient_flow):
        with pytest.raises(
            ValueError, match=f"{watch.__name__}: no row takes a step in l0, l0_rev"
        ):
            watch(model, torch.randn(T, 0, I))
    cell = library.LSTMCell(I, H)
    for watch in (unrolled.diagnose, unrolled.gradient_flow):
        with pytest.raises(ValueError, match=f"{watch.__name__}: no row takes a step in cell"):
            watch(cell, torch.randn(0, I))
    if library is unrolled:
        for watch in (unrolled.diagnose, unrolled.gradient_flow):
            with pytest.raises(ValueError, match="no row takes a step"):
                watch(model, {"input": torch.randn(T, B, I), "lengths": [0] * B})


def test_layers_without_a_row_are_left_out() -> None:
    class Experts(nn.Module):
        """Rows go to one of two layers (a mixture of experts)."""

        def __init__(self) -> None:
            super().__init__()
            self.experts = nn.ModuleList([unrolled.GRU(I, H), unrolled.GRU(I, H)])

        def forward(self, x: Tensor, count: int) -> Tensor:
            first, second = self.experts
            return torch.cat([first(x[:, :count])[0], second(x[:, count:])[0]], 1)

    flow = unrolled.gradient_flow(Experts(), (torch.randn(T, B, I), B))
    assert flow.layers == ("experts.0.l0",)
    assert set(unrolled.diagnose(Experts(), (torch.randn(T, B, I), 0)).layers) == {"experts.1.l0"}


@pytest.mark.parametrize("library", [nn, unrolled])
def test_checkpointed_layers(library: Any) -> None:
    class Model(nn.Module):
        def __init__(self, checkpointed: bool) -> None:
            super().__init__()
            torch.manual_seed(3)
            self.checkpointed = checkpointed
            self.rnn = library.LSTM(I, H, 2)

        def forward(self, x: Tensor) -> Tensor:
            if not self.checkpointed:
                return self.rnn(x)[0]
            output = checkpoint(lambda x: self.rnn(x)[0], x, use_reentrant=False)
            assert isinstance(output, Tensor)
            return output

    x = torch.randn(T, B, I)
    found, expected = (unrolled.gradient_flow(Model(checkpointed), x) for checkpointed in (1, 0))
    for name in expected.layers:
        torch.testing.assert_close(found.norms[name], expected.norms[name])
    assert found.passage("rnn.l1").units["input"] == H  # of adopted layers too
