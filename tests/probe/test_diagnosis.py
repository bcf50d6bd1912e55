"""Networks built to vanish, to explode, to saturate, to hold dead units, and to be healthy."""

import json
import math
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import init
from torch.nn.utils.rnn import pack_padded_sequence

import unrolled
from unrolled.cells import CELLS
from unrolled.probe.finding import VANISHING

I = 4  # noqa: E741
SIZES = [(8, 20), (33, 60), (64, 40)]

pytestmark = pytest.mark.broad


@torch.no_grad()
def orthogonal(module: Any, gain: float = 1.0, forget: float | None = None) -> Any:
    """Recurrent weights orthogonal gate by gate, biases 0, of LSTMs the forget gate's as given."""
    for name, parameter in module.named_parameters():
        if name.startswith("weight_hh"):
            for block in parameter.split(parameter.shape[1]):
                init.orthogonal_(block, gain)
        elif name.startswith("weight"):
            init.xavier_uniform_(parameter)
        else:
            parameter.zero_()
            if forget is not None and name.startswith("bias_ih"):
                H = module.hidden_size
                parameter[H : 2 * H] = forget
    return module


@torch.no_grad()
def scaled(module: Any, factor: float, part: str = "") -> Any:
    for name, parameter in module.named_parameters():
        if part in name:
            parameter.mul_(factor)
    return module


def codes(module: nn.Module, steps: int, rows: int = 4) -> set[str]:
    return unrolled.diagnose(module, torch.randn(steps, rows, I)).codes


HEALTHY: dict[str, Callable[[int], nn.Module]] = {
    "lstm": lambda H: orthogonal(unrolled.LSTM(I, H), forget=1.0),
    "its own weights": lambda H: _forgetting(unrolled.LSTM(I, H), 1.0),
    "torch's lstm": lambda H: orthogonal(nn.LSTM(I, H, num_layers=2), forget=1.0),
    "gru": lambda H: orthogonal(unrolled.GRU(I, H)),
    "fresh gru": lambda H: unrolled.GRU(I, H),
    "rnn": lambda H: orthogonal(unrolled.RNN(I, H)),
    "both ways": lambda H: orthogonal(unrolled.LSTM(I, H, bidirectional=True), forget=1.0),
}
VANISHES: dict[str, Callable[[int], nn.Module]] = {
    "orthogonal": lambda H: orthogonal(unrolled.RNN(I, H), gain=0.4),
    "small": lambda H: scaled(unrolled.RNN(I, H), 0.3, "weight_hh"),
    "torch's": lambda H: scaled(nn.RNN(I, H), 0.1, "weight_hh"),
    "relu": lambda H: scaled(unrolled.RNN(I, H, nonlinearity="relu"), 0.2, "weight_hh"),
    "closed lstm": lambda H: _forgetting(unrolled.LSTM(I, H), -5.0),
    "closed orthogonal lstm": lambda H: orthogonal(unrolled.LSTM(I, H), forget=-5.0),
    "closed peephole": lambda H: _forgetting(
        unrolled.Recurrent(CELLS["lstm_peephole"], I, H), -5.0
    ),
    "closed gru": lambda H: _forgetting(scaled(unrolled.GRU(I, H), 0.5, "weight_hh"), -6.0),
}
EXPLODES: dict[str, Callable[[int], nn.Module]] = {
    "relu": lambda H: _identity(unrolled.RNN(I, H, nonlinearity="relu"), 2.0),
    "torch's relu": lambda H: _identity(nn.RNN(I, H, nonlinearity="relu"), 1.6),
    "independent": lambda H: _independent(unrolled.Recurrent(CELLS["indrnn"], I, H), 2.0),
    "infinite": lambda H: _identity(unrolled.RNN(I, H, nonlinearity="relu"), 1e4),
}
SATURATES: dict[str, Callable[[int], nn.Module]] = {
    "lstm": lambda H: scaled(unrolled.LSTM(I, H), 50),
    "gru": lambda H: scaled(unrolled.GRU(I, H), 50),
    "rnn": lambda H: scaled(unrolled.RNN(I, H), 50),
    "torch's lstm": lambda H: scaled(nn.LSTM(I, H), 50),
    "peephole": lambda H: scaled(unrolled.Recurrent(CELLS["lstm_peephole"], I, H), 50),
    "closed input gate": lambda H: _gate(unrolled.LSTM(I, H), 0, -8.0),
}


@torch.no_grad()
def _gate(module: Any, gate: int, bias: float) -> Any:
    H = module.hidden_size
    module.bias_ih_l0[gate * H : (gate + 1) * H] = bias
    return module


def _forgetting(module: Any, bias: float) -> Any:
    return _gate(module, 1, bias)


@torch.no_grad()
def _identity(module: Any, factor: float) -> Any:
    module.weight_hh_l0.copy_(factor * torch.eye(module.hidden_size))
    return module


@torch.no_grad()
def _independent(module: Any, factor: float) -> Any:
    module.u_l0.fill_(factor)
    return module


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(("hidden", "steps"), SIZES)
@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_networks_are_called_healthy(name: str, hidden: int, steps: int, seed: int) -> None:
    torch.manual_seed(seed)
    diagnosis = unrolled.diagnose(HEALTHY[name](hidden), torch.randn(steps, 4, I))
    assert diagnosis.codes == set(), str(diagnosis)
    assert diagnosis.healthy
    assert diagnosis.verdict.startswith("None of these was found in ")
    assert "healthy" not in str(diagnosis)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(("hidden", "steps"), SIZES)
@pytest.mark.parametrize(
    ("code", "name"),
    [
        *(("vanishing", name) for name in VANISHES),
        *(("exploding", name) for name in EXPLODES),
        *(("saturated", name) for name in SATURATES),
    ],
)
def test_sick_networks_are_found_out(
    code: str, name: str, hidden: int, steps: int, seed: int
) -> None:
    torch.manual_seed(seed)
    made = {"vanishing": VANISHES, "exploding": EXPLODES, "saturated": SATURATES}[code][name]
    found = codes(made(hidden), steps)
    assert code in found
    if code != "saturated":
        assert {"vanishing": "exploding", "exploding": "vanishing"}[code] not in found


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(("hidden", "steps"), [(33, 60), (64, 40)])
def test_large_weights_explode_in_a_tanh_network(hidden: int, steps: int, seed: int) -> None:
    torch.manual_seed(seed)
    assert "exploding" in codes(orthogonal(unrolled.RNN(I, hidden), gain=5.0), steps)


def test_the_forget_bias_of_a_fresh_lstm_is_mentioned() -> None:
    for module in (unrolled.LSTM(I, 32), nn.LSTM(I, 32), nn.LSTM(I, 32, bias=False)):
        diagnosis = unrolled.diagnose(module, torch.randn(30, 4, I))
        assert diagnosis.codes == {"forget-bias"}
        assert "open_gate(model), a bias of 1" in diagnosis.verdict


def test_of_units_nothing_is_said_where_states_are_infinite() -> None:
    torch.manual_seed(0)
    relu = unrolled.RNN(I, 8, nonlinearity="relu")
    with torch.no_grad():
        relu.weight_hh_l0.fill_(1e30)
        relu.bias_ih_l0[:4] = -1e3  # at 0, for the steps before all is infinite
        relu.weight_hh_l0[:4] = 0
    found = unrolled.diagnose(relu, torch.randn(20, 2, I).abs())
    assert found.layers["l0"].dead == [0, 1, 2, 3]
    assert found.codes == {"exploding"}


def test_dead_and_duplicate_units() -> None:
    lstm = orthogonal(unrolled.LSTM(I, 16), forget=1.0)
    with torch.no_grad():
        for parameter in lstm.parameters():
            gates = parameter.unflatten(0, (4, 16))
            if parameter.dim() == 2:
                gates[:, 3] = 0  # neither input nor state reaches unit 3
            gates[:, 9] = gates[:, 5]
    diagnosis = unrolled.diagnose(lstm, torch.randn(30, 4, I))
    assert diagnosis.codes == {"dead-units", "duplicate-units"}
    numbers = {finding.code: finding.numbers for finding in diagnosis.findings}
    assert numbers["dead-units"]["units"] == [3]
    assert numbers["duplicate-units"]["units"] == [9]
    relu = orthogonal(unrolled.RNN(I, 16, nonlinearity="relu"))
    with torch.no_grad():
        relu.bias_ih_l0[[2, 7]] = -100
    for rows in (1, 4):
        assert unrolled.diagnose(relu, torch.randn(40, rows, I)).layers["l0"].dead == [2, 7]


def test_a_short_memory_in_a_long_sequence() -> None:
    assert codes(unrolled.GRU(I, 16), 600) == {"short-memory"}
    assert codes(unrolled.GRU(I, 16), 200) == set()


def test_memories_beyond_the_ends_of_tanh_are_no_saturation() -> None:
    lstm = orthogonal(unrolled.LSTM(I, 16), forget=3.0)
    with torch.no_grad():
        lstm.bias_ih_l0[32:48] = torch.tensor([2.0, -2.0]).repeat(8)  # every step adds or takes
    diagnosis = unrolled.diagnose(lstm, torch.randn(60, 4, I))
    beyond = diagnosis.layers["l0"].saturation["tanh(c)"]
    assert (beyond.low + beyond.high).mean() > 0.8
    assert "saturated" not in diagnosis.codes


def test_the_sick_layer_is_named() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = orthogonal(unrolled.LSTM(I, 12, batch_first=True), forget=1.0)
            self.decoder = orthogonal(nn.RNN(12, 12, batch_first=True), gain=0.2)

        def forward(self, x: Tensor) -> Tensor:
            return self.decoder(self.encoder(x)[0])[0]

    model, x = Model(), torch.randn(3, 30, I)
    diagnosis = unrolled.diagnose(model, x)
    assert [(f.layer, f.code) for f in diagnosis.findings] == [("decoder.l0", "vanishing")]
    assert "decoder.l0: vanishing" in diagnosis.verdict
    assert type(model.decoder) is nn.RNN
    assert unrolled.diagnose(model, x, of="encoder").healthy
    finding = diagnosis.findings[0]
    rate = finding.numbers["rate"]
    assert isinstance(rate, float)
    assert rate < VANISHING
    assert f"{rate:.2g}" in finding.text


def test_a_layer_that_reads_what_exploded_is_told_apart() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = EXPLODES["infinite"](8)
            self.second = orthogonal(unrolled.GRU(8, 8))

        def forward(self, x: Tensor) -> Tensor:
            return self.second(self.first(x)[0])[0]

    diagnosis = unrolled.diagnose(Model(), torch.randn(40, 2, I))
    texts = {f.layer: f.text for f in diagnosis.findings if f.code == "exploding"}
    assert texts["first.l0"].startswith("its states are infinite")
    assert texts["second.l0"].startswith("what it reads is infinite")


def test_the_rate_is_that_of_the_exact_jacobians() -> None:
    module = orthogonal(unrolled.LSTM(I, 6), forget=1.0).double()
    x = torch.randn(25, 1, I, dtype=torch.float64)
    measured = unrolled.diagnose(module, x).layers["l0"]
    flow = unrolled.gradient_flow(module, x)
    rows = [flow.jacobian("l0", 24, 24 - k)[:6].norm().log() for k in range(25)]
    torch.testing.assert_close(measured.curve, torch.stack(rows))
    assert measured.overall == pytest.approx(((rows[24] - rows[1]) / 23).exp().item())
    reach = next((k for k in range(2, 25) if rows[k] - rows[1] <= math.log(0.01)), 24)
    rate = ((rows[reach] - rows[1]) / (reach - 1)).exp().item()
    assert measured.rate == pytest.approx(rate)


@pytest.mark.parametrize("gain", [0.2, 0.5, 0.8, 0.9, 1.0])
@pytest.mark.parametrize("name", ["rnn_tanh", "gru", "lstm", "lstm_peephole", "indrnn"])
def test_the_factor_of_a_step_leads_to_the_reach(name: str, gain: float) -> None:
    """Of any fading, however uneven: after so many such steps 1 % is left, and not before."""
    cell = unrolled.Recurrent(CELLS[name], I, 12).double()
    mixed = torch.linspace(0.1, 1.0, 12, dtype=torch.float64).diag()
    with torch.no_grad():
        for weight, parameter in cell.named_parameters():
            if weight.startswith("weight_hh"):
                for block in parameter.split(12):
                    block.copy_(gain * mixed)
    (m,) = unrolled.diagnose(cell, torch.randn(90, 3, I).double()).layers.values()
    assert m.rate is not None
    last = m.back if m.reach is None else m.reach
    left = m.left_after(last)
    assert m.rate ** (last - 1) == pytest.approx(left, rel=1e-9)
    if m.reach is None:
        assert left > 0.01
        return
    assert left <= 0.01 < m.left_after(m.reach - 1)
    ends = math.log(0.01) / math.log(m.rate)  # steps of this factor until 1 % is left
    assert m.reach - 1 >= ends - 1e-9


def test_the_growth_of_an_explosion_follows_from_its_factor() -> None:
    rnn = orthogonal(unrolled.Recurrent(CELLS["rnn_relu"], I, 16), gain=2.0)
    diagnosis = unrolled.diagnose(rnn, torch.randn(30, 4, I))
    (finding,) = [each for each in diagnosis.findings if each.code == "exploding"]
    numbers: Any = finding.numbers
    assert numbers["rate"] ** numbers["peak"] == pytest.approx(numbers["growth"])


def test_ragged_input_loops_and_short_sequences() -> None:
    torch.manual_seed(1)
    lstm = orthogonal(unrolled.LSTM(I, 12, bidirectional=True), forget=1.0)
    x = torch.randn(30, 4, I)
    packed = pack_padded_sequence(x, [30, 25, 4, 1])
    assert unrolled.diagnose(lstm, packed).healthy
    assert unrolled.diagnose(lstm, {"input": x, "lengths": [30, 0, 12, 3]}).healthy
    diagnosis = unrolled.diagnose(lstm, x[:2])
    assert "too few in a row" in str(diagnosis)
    assert "Not settled: l0: how far gradients reach" in diagnosis.verdict
    assert not diagnosis.healthy
    assert unrolled.diagnose(lstm, x[:, 0]).healthy

    class Loop(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = nn.RNNCell(I, 12)

        def forward(self, x: Tensor) -> Tensor:
            h = x.new_zeros(x.shape[1], 12)
            for step in x:
                h = self.cell(step, h)
            return h

    loop = scaled(Loop(), 0.1, "weight_hh")
    assert unrolled.diagnose(loop, x).codes == {"vanishing"}


def test_a_diagnosis_as_text_data_and_page() -> None:
    module = scaled(unrolled.LSTM(I, 8), 50)
    diagnosis = unrolled.diagnose(module, torch.randn(20, 4, I))
    data = json.loads(diagnosis.json())
    assert data == diagnosis.to_json()
    assert set(data["codes"]) == diagnosis.codes
    assert data["healthy"] is False
    assert len(data["findings"]) == len(diagnosis.findings)
    assert all(finding["advice"] for finding in data["findings"])
    assert set(data["layers"]) == {"l0"}
    text = str(diagnosis)
    assert "l0: saturated:" in text
    assert max(map(len, text.splitlines())) <= 100
    assert "<th" in diagnosis._repr_html_()
    assert repr(diagnosis).startswith("Diagnosis(")
    json.dumps(unrolled.diagnose(EXPLODES["infinite"](8), torch.randn(40, 2, I)).to_json())


def test_models_that_cannot_be_diagnosed() -> None:
    with pytest.raises(ValueError, match="has no recurrent modules"):
        unrolled.diagnose(nn.Linear(I, 3), torch.randn(3, I))
    with pytest.raises(ValueError, match="no layer is called 'l7'; did you mean l0"):
        unrolled.diagnose(unrolled.GRU(I, 3), torch.randn(3, 1, I), of="l7")
    for x in (torch.full((3, 1, I), torch.nan), {"input": torch.full((3, 1, I), torch.inf)}):
        with pytest.raises(ValueError, match="x holds NaN or infinite numbers"):
            unrolled.diagnose(unrolled.GRU(I, 3), x)
    with pytest.raises(TypeError, match=r"torch\.nn\.Module"):
        unrolled.diagnose(None, torch.randn(3, I))  # pyright: ignore[reportArgumentType]


def test_reach_is_compared_with_need() -> None:
    x = torch.randn(60, 4, I)
    lstm = unrolled.LSTM(I, 16, num_layers=2, bidirectional=True)
    diagnosis = unrolled.diagnose(lstm, x, needs=40)
    assert diagnosis.reaches is False
    short = [finding for finding in diagnosis.findings if finding.code == "out-of-reach"]
    assert [each.layer for each in short] == ["l0", "l1", "l0_reverse", "l1_reverse"]
    assert diagnosis.findings[:4] == short  # the first to be cured
    for each in short:
        measured = diagnosis.layers[each.layer]
        assert each.numbers["reach"] == measured.reach
        assert each.numbers["left"] == measured.left_after(40)
        assert "first alone" not in each.advice  # in a stack it is not enough
    others = {f.advice for f in diagnosis.findings if f.code != "out-of-reach"}
    assert others == {"what helps against out-of-reach"}
    assert unrolled.diagnose(lstm, x, needs=5).reaches
    unrolled.open_gate(lstm, steps=40, of="l1")  # one layer is enough, in its direction
    again = unrolled.diagnose(lstm, x, needs=40)
    assert again.reaches is False
    assert {f.layer for f in again.findings if f.code == "out-of-reach"} == {
        "l0_reverse",
        "l1_reverse",
    }
    unrolled.open_gate(lstm, steps=40, of="*_reverse")
    assert unrolled.diagnose(lstm, x, needs=40).reaches
    assert json.loads(diagnosis.json())["reaches"] is False
    assert unrolled.diagnose(lstm, x).reaches is None


def test_what_a_short_input_leaves_open() -> None:
    gru = unrolled.GRU(I, 16)
    unrolled.open_gate(gru, steps=40)
    diagnosis = unrolled.diagnose(gru, torch.randn(30, 4, I), needs=40)
    assert diagnosis.reaches is None
    assert not diagnosis.codes
    assert not diagnosis.healthy
    (text,) = diagnosis.unsettled
    assert "lets them go 29 steps back; it takes one of more than 40 steps" in text
    assert diagnosis.verdict == f"Not settled: {text}."
    assert diagnosis.to_json()["unsettled"] == [text]
    assert unrolled.diagnose(gru, torch.randn(41, 4, I), needs=40).reaches
    relu = EXPLODES["infinite"](8)
    infinite = unrolled.diagnose(relu, torch.randn(40, 2, I), needs=30)
    assert infinite.reaches is None
    assert "its states are infinite or NaN from step" in infinite.unsettled[0]


@pytest.mark.parametrize(("needs", "error"), [(1, ValueError), (2.0, TypeError), (True, TypeError)])
def test_needs_that_are_no_number_of_steps(needs: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="needs should be"):
        unrolled.diagnose(unrolled.GRU(I, 3), torch.randn(5, 1, I), needs=needs)


def test_sizes_that_float32_cannot_tell_are_not_told() -> None:
    """They are measured in float64; the numbers keep them."""
    rnn = orthogonal(unrolled.RNN(I, 8), gain=0.1)
    (found,) = unrolled.diagnose(rnn, torch.randn(90, 2, I)).findings[:1]
    assert found.code == "vanishing"
    left = found.numbers["left"]
    assert isinstance(left, float)
    assert 0 < left < torch.finfo(torch.float32).tiny
    assert found.text.endswith("at the first step < 10⁻³⁸, below what float32 can tell")
    assert not re.search(r"\de[-+]\d", found.text)


def test_weights_that_are_not_finite_are_the_finding() -> None:
    lstm: Any = unrolled.LSTM(I, 4)
    with torch.no_grad():
        lstm.weight_hh_l0[0, 0] = float("nan")
    found = unrolled.diagnose(lstm, torch.randn(20, 2, I))
    assert found.codes == {"exploding"}  # of NaN no gate is called closed
    (finding,) = found.findings
    assert finding.text.startswith("infinite or NaN: 1 number of weight_hh_l0, and so are its")
    assert "checkpoint" in finding.advice
    assert "nan" not in str(found)
    row = str(found).splitlines()[1].split()
    assert row[4:] == ["–"] * 6  # nothing was measured


def test_figures_of_a_row_agree() -> None:
    """The factor to the power of reach - 1 is what the legend says."""
    torch.manual_seed(0)
    found = unrolled.diagnose(unrolled.GRU(I, 16), torch.randn(60, 4, I))
    measured = found.layers["l0"]
    assert measured.rate is not None
    assert measured.reach is not None
    assert measured.rate ** (measured.reach - 1) <= 0.01
    assert measured.rate ** (measured.reach - 2) > 0.005


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
@pytest.mark.parametrize(
    ("name", "place"), [("weight_hh_l0", (3, 2)), ("weight_ih_l0", (0, 0)), ("bias_hh_l0", (1,))]
)
def test_weights_that_are_not_finite_are_named(
    name: str, place: tuple[int, ...], value: float
) -> None:
    torch.manual_seed(0)
    layers: tuple[Any, ...] = (unrolled.GRU(3, 8), nn.LSTM(3, 8))
    for layer in layers:
        with torch.no_grad():
            getattr(layer, name)[place] = value
        found = unrolled.diagnose(layer, torch.rand(40, 4, 3) + 0.1)
        assert found.codes & {"broken-weights", "exploding"}
        assert f"infinite or NaN: 1 number of {name}" in found.verdict
        chinese = found.translated("zh").verdict
        assert f"无穷大或 NaN：{name} 的 1 个数" in chinese
        assert not found.healthy


class Head(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 2)

    def forward(self, found: Any) -> Tensor:
        return self.linear(found[0])


def test_an_infinite_weight_that_no_state_shows_is_found_wherever_it_is() -> None:
    torch.manual_seed(0)
    model: Any = nn.Sequential(unrolled.GRU(3, 8), Head())
    x = torch.rand(40, 4, 3) + 0.1
    with torch.no_grad():
        model[0].weight_ih_l0[0, :] = math.inf  # a gate that stands at its end
    found = unrolled.diagnose(model, x)
    assert found.codes == {"broken-weights"}
    assert found.layers["0.l0"].infinite is None
    with torch.no_grad():
        model[0].weight_ih_l0[0, :] = 0
        model[1].linear.weight[0, 0] = math.nan
    (finding,) = unrolled.diagnose(model, x).findings
    assert (finding.code, finding.layer) == ("broken-weights", "1.linear")
    assert finding.text == "infinite or NaN: 1 number of weight"


def test_what_is_not_settled_has_no_number() -> None:
    for steps, cells in ((1, "––"), (2, "––"), (3, "0–"), (15, "0–"), (16, "00")):
        found = unrolled.diagnose(unrolled.GRU(3, 8), torch.randn(steps, 1, 3))
        assert not found.codes
        row = next(line for line in str(found).splitlines() if line.startswith("l0 "))
        assert row.split()[-2:] == list(cells), steps
        assert ("units change with the input" in found.verdict) == (cells[0] == "–")
        assert ("units do the same" in found.verdict) == (cells[1] == "–")
        numbers = found.to_json()["layers"]["l0"]
        assert [numbers["dead"] is None, numbers["duplicates"] is None] == [
            each == "–" for each in cells
        ]


def test_weights_outside_of_what_is_asked_for_are_looked_at() -> None:
    stack: Any = unrolled.GRU(3, 8, num_layers=2, bidirectional=True)
    with torch.no_grad():
        stack.weight_hh_l1_reverse[:2, 0] = math.nan
    (finding,) = unrolled.diagnose(stack, torch.randn(20, 2, 3), of="l0").findings
    assert (finding.code, finding.layer) == ("broken-weights", "GRU")
    assert finding.text == "infinite or NaN: 2 numbers of weight_hh_l1_reverse"


class Aside(nn.Module):
    """A layer that is called, one that is not, buffers, and an initial state."""

    def __init__(self, start: float) -> None:
        super().__init__()
        self.read, self.idle = unrolled.RNN(3, 8), unrolled.GRU(3, 8)
        self.later = nn.LazyLinear(2)  # without weights as yet
        self.start: Tensor
        self.register_buffer("start", torch.full((1, 2, 8), start))
        self.register_buffer("scale", torch.ones(3))
        self.register_buffer("mask", torch.full((4, 4), -math.inf).triu(1))
        self.register_buffer("links", torch.eye(3).to_sparse())
        self.register_buffer("small", torch.ones(3).to(torch.float8_e4m3fn))

    def forward(self, x: Tensor) -> Any:
        return self.read(x, self.start.sign() * self.start.abs())


def test_buffers_initial_states_and_layers_that_are_not_called_are_looked_at() -> None:
    torch.manual_seed(0)
    x = torch.randn(20, 2, 3)
    model: Any = Aside(0.0)
    assert not unrolled.diagnose(model, x).codes & {"broken-weights", "broken-states"}
    with torch.no_grad():
        model.idle.bias_ih_l0[3:5] = math.inf
        model.get_buffer("scale")[0] = math.inf
    texts = {
        each.layer: each.text
        for each in unrolled.diagnose(model, x).findings
        if each.code == "broken-weights"
    }
    assert texts == {
        "Aside": "infinite or NaN: 1 number of scale",
        "idle": "infinite or NaN: 2 numbers of bias_ih_l0",
    }


def test_an_infinite_initial_state_is_found_though_tanh_hides_it() -> None:
    class Started(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = unrolled.RNNCell(3, 8)

        def forward(self, x: Tensor) -> Tensor:
            state = torch.zeros(2, 8)
            state[:, 0] = math.inf
            for step in x:
                state = self.cell(step, state)
            return state

    found = unrolled.diagnose(Started(), torch.randn(20, 2, 3))
    assert found.layers["cell"].infinite is None
    (finding,) = (each for each in found.findings if each.code == "broken-states")
    assert finding.text == "infinite or NaN: 2 numbers of the initial h"
    assert "无穷大或 NaN：初始状态 h 的 2 个数" in found.translated("zh").verdict


def test_weights_are_named_though_what_is_read_is_not_finite_either() -> None:
    model: Any = nn.Sequential(nn.Embedding(5, 3), unrolled.GRU(3, 8))
    with torch.no_grad():
        model[0].weight[:] = math.nan
        model[1].bias_hh_l0[3] = math.nan
    found = unrolled.diagnose(model, torch.randint(5, (20, 2)))
    texts = [each.text for each in found.findings if each.code == "broken-weights"]
    assert texts == [
        "infinite or NaN: 1 number of bias_hh_l0",
        "infinite or NaN: 15 numbers of weight",
    ]


@pytest.mark.parametrize("steps", [5, 9])
def test_a_gradient_that_ends_has_no_factor(steps: int) -> None:
    relu: Any = unrolled.RNN(3, steps, nonlinearity="relu")
    with torch.no_grad():
        relu.weight_hh_l0.copy_(0.9 * torch.eye(steps).roll(1, 1).triu())  # a chain of units
    found = unrolled.diagnose(relu, torch.rand(40, 2, 3))
    reach = found.layers["l0"].reach
    assert reach is not None
    assert reach > 2
    row = next(line for line in str(found).splitlines() if line.startswith("l0 ")).split()
    assert row[4:6] == ["–", str(reach)]
    assert f"after {reach} of 39 steps back nothing is left of the gradient" in found.verdict


@pytest.mark.parametrize("gain", [0.99, 0.97, 0.9, 0.5])
def test_the_factor_as_it_is_written_leads_to_the_reach(gain: float) -> None:
    relu: Any = unrolled.RNN(3, 4, nonlinearity="relu")
    with torch.no_grad():
        relu.weight_hh_l0.copy_(gain * torch.eye(4))
        relu.weight_ih_l0.abs_()
    found = unrolled.diagnose(relu, torch.rand(600, 1, 3) + 0.1)
    row = next(line for line in str(found).splitlines() if line.startswith("l0 ")).split()
    assert float(row[4]) ** (int(row[5]) - 1) <= 0.01


def test_a_short_memory_is_told_only_by_an_input_that_is_long_enough() -> None:
    torch.manual_seed(0)
    gru: Any = orthogonal(unrolled.GRU(I, 16))
    for steps in (30, 67):
        verdict = unrolled.diagnose(gru, torch.randn(steps, 4, I)).verdict
        assert "a short memory" not in verdict
        assert (
            "not settled: to find one of less than 3 % it takes an input of more than 67 steps"
            in verdict
        )
    for steps in (68, 120):
        verdict = unrolled.diagnose(gru, torch.randn(steps, 4, I)).verdict
        assert "a short memory (less than 3 % of the input)" in verdict
        assert "not settled" not in verdict
    told = unrolled.diagnose(gru, torch.randn(30, 4, I), needs=3)
    assert told.verdict.endswith("infinite weights. Gradients reach the 3 steps that are needed.")
    assert "a short memory" not in told.verdict
    (short,) = unrolled.diagnose(unrolled.GRU(I, 16), torch.randn(600, 4, I)).findings
    assert short.text.endswith("below 3 % a memory is called short")
