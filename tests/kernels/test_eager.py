import copy
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import reference
import unrolled
from graph.drawn import cells
from samples import SIZES, Sample, batch_sizes, execute, quiet, ragged, sample
from unrolled import affine, mean, normalize, scalar, sigmoid, sqrt, tanh, vector, where
from unrolled.cells import CELLS
from unrolled.equations import Cell
from unrolled.graph import derivative
from unrolled.graph.graph import Graph
from unrolled.kernels.eager import Program, run

EXACT: Any = {"rtol": 1e-12, "atol": 1e-12}


# Values.


@pytest.mark.parametrize("name", reference.CELLS)
def test_every_value_of_the_reference_is_recorded(name: str) -> None:
    graph = CELLS[name].graph
    given_ = sample(graph)
    weights = {key: value.numpy() for key, value in given_.weights.items()}
    states = {key: value.numpy() for key, value in given_.states.items()}
    _, final, trace = reference.forward(name, given_.inputs["x"].numpy(), states, weights)
    values, last = execute(graph, given_)
    assert set(trace[0]) <= set(values)
    for key in trace[0]:
        expected = np.stack([step[key] for step in trace])
        np.testing.assert_allclose(values[key], expected, rtol=1e-12, atol=1e-12, err_msg=key)
    for key, value in final.items():
        np.testing.assert_allclose(last[key], value, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("cell", CELLS.values(), ids=str)
def test_what_activations_are_applied_to_is_recorded(cell: Cell) -> None:
    values, _ = execute(cell.graph, sample(cell.graph))
    functions = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu, "exp": torch.exp}
    for name, node in cell.graph.values.items():
        if f"{name}_pre" in values:
            after = functions[node.operation.value](values[f"{name}_pre"])
            torch.testing.assert_close(values[name], after, **EXACT)


@pytest.mark.parametrize("cell", CELLS.values(), ids=str)
def test_what_is_recorded_changes_nothing(cell: Cell) -> None:
    given_ = sample(cell.graph)
    values, last = execute(cell.graph, given_)
    nothing, same = execute(cell.graph, given_, [])
    assert nothing == {}
    for name, value in values.items():
        alone, _ = execute(cell.graph, given_, [name])
        assert list(alone) == [name]
        assert alone[name].equal(value)
    assert all(same[state].equal(last[state]) for state in last)


def test_values_that_do_not_depend_on_states_or_rows() -> None:
    @unrolled.cell
    def parts(x, h):
        k = sqrt(2)
        s = scalar() * k
        v = tanh(vector())
        m = mean(x)
        z = sigmoid(affine(x))
        n = normalize(z) * m
        h = z * h + n + v * s
        return locals()

    given_ = sample(parts.graph, steps=3)
    w, x = given_.weights, given_.inputs["x"]
    values, last = execute(parts.graph, given_)
    z = torch.sigmoid(x @ w["weight_ih"].T + w["bias_ih"])
    root = torch.tensor(2.0, dtype=torch.float64).sqrt()
    name = next(name for name in w if name.startswith("scalar"))
    vector_name = next(name for name in w if name.startswith("vector"))
    expected = {
        "k": root.expand(3, 2, 1),
        "s": (w[name] * root).expand(3, 2, 1),
        "v": w[vector_name].tanh().expand(3, 2, 3),
        "m": x.mean(-1, keepdim=True),
        "z": z,
    }
    expected["n"] = torch.nn.functional.layer_norm(z, (3,)) * expected["m"]
    h, steps = given_.states["h"], []
    for t in range(3):
        h = z[t] * h + expected["n"][t] + expected["v"][t] * expected["s"][t]
        steps.append(h)
    expected["h"] = torch.stack(steps)
    for name, value in expected.items():
        torch.testing.assert_close(values[name], value, **EXACT)
    torch.testing.assert_close(last["h"], h, **EXACT)


def test_rows_that_a_part_of_a_cell_leaves_out() -> None:
    """A graph may use fewer rows than the weights have: those of values that nobody asked for."""

    @quiet
    def whole(x, h):
        h = tanh(affine(x, h))
        readout = affine(x, h)
        return locals()

    graph = whole.graph
    part = Graph("part", graph.inputs, graph.states, {"h": graph.values["h"]})
    given_ = sample(graph)
    expected, _ = execute(graph, given_, ["h"])
    values, _ = execute(part, given_, ["h"])
    torch.testing.assert_close(values["h"], expected["h"], **EXACT)


def test_states_that_do_not_depend_on_states() -> None:
    @quiet
    def shifted(x, h, c, d):
        c = tanh(affine(x))
        d = tanh(vector())
        h = c + d
        return locals()

    given_ = sample(shifted.graph)
    values, last = execute(shifted.graph, given_)
    assert last["c"].equal(values["c"][-1])
    assert last["d"].shape == (2, 3)
    assert values["d"].shape == (4, 2, 3)


def test_zeros_of_both_signs() -> None:
    @quiet
    def zeros(x, h):
        h = 1 / (h * 0.0) + 0 * affine(x) - 1 / (h * -0.0)
        return locals()

    values, _ = execute(zeros.graph, sample(zeros.graph, steps=1))
    assert (values["h"] == float("inf")).all()


# Time.


@pytest.mark.parametrize("cell", CELLS.values(), ids=str)
def test_reverse_is_forward_on_the_reversed_sequence(cell: Cell) -> None:
    given_ = sample(cell.graph)
    turned = given_._replace(inputs={"x": given_.inputs["x"].flip(0)})
    values, last = execute(cell.graph, given_, reverse=True)
    expected, final = execute(cell.graph, turned)
    for name, value in expected.items():
        torch.testing.assert_close(values[name].flip(0), value, **EXACT)
    for state, value in final.items():
        torch.testing.assert_close(last[state], value, **EXACT)


LENGTHS = [[5, 3, 3, 1, 0, 0], [4, 4], [2, 1, 1], [1, 0]]


def check_ragged(graph: Graph, lengths: list[int], reverse: bool) -> None:
    """Every row runs as if it were alone; a row without steps keeps its states."""
    given_ = sample(graph, steps=max(lengths), rows=len(lengths))
    inputs = {name: ragged(value, lengths) for name, value in given_.inputs.items()}
    counts = batch_sizes(lengths)
    values, last = execute(
        graph, given_._replace(inputs=inputs), batch_sizes=counts, reverse=reverse
    )
    places = torch.tensor([0, *np.cumsum(counts)[:-1]])
    for row, length in enumerate(lengths):
        states = {state: value[row : row + 1] for state, value in given_.states.items()}
        if length == 0:
            assert all(last[state][row].equal(value[0]) for state, value in states.items())
            continue
        alone = {n: v[:length, row : row + 1] for n, v in given_.inputs.items()}
        expected, final = execute(graph, Sample(given_.weights, alone, states), reverse=reverse)
        for name, value in expected.items():
            torch.testing.assert_close(values[name][places[:length] + row], value[:, 0], **EXACT)
        for state, value in final.items():
            torch.testing.assert_close(last[state][row], value[0], **EXACT)


@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize("name", ["lstm", "min_gru", "slstm", "lstm_projected"])
def test_ragged_rows_run_as_if_alone(name: str, lengths: list[int], reverse: bool) -> None:
    check_ragged(CELLS[name].graph, lengths, reverse)


@settings(max_examples=30)
@given(cells(), st.lists(st.integers(0, 4), min_size=1, max_size=5), st.booleans())
def test_ragged_rows_of_random_cells(cell: Cell, lengths: list[int], reverse: bool) -> None:
    if any(lengths):
        check_ragged(cell.graph, sorted(lengths, reverse=True), reverse)


@pytest.mark.parametrize("name", ["lstm", "gru_reset_before", "lstm_layernorm", "indrnn"])
def test_derivatives_of_ragged_rows(name: str) -> None:
    """The loop of derivatives, backwards over ragged rows, against PyTorch's gradients."""
    graph, lengths = CELLS[name].graph, [4, 3, 1, 0]
    given_ = sample(graph, steps=4, rows=4)
    given_ = given_._replace(inputs={"x": ragged(given_.inputs["x"], lengths)})
    for part in given_:
        for value in part.values():
            value.requires_grad_()
    counts = batch_sizes(lengths)
    values, last = execute(graph, given_, list(graph.states), batch_sizes=counts)
    into = torch.randn_like(values["h"])
    final = {state: torch.randn_like(value) for state, value in last.items()}
    loss = (values["h"] * into).sum() + sum((last[s] * final[s]).sum() for s in last)
    loss.backward()
    old = {}
    for state, value in values.items():
        steps = value.detach().split(counts)
        before = [steps[t - 1][:n] if t else given_.states[state][:n] for t, n in enumerate(counts)]
        old[state] = torch.cat(before).detach()
    weights = {key: value.detach() for key, value in given_.weights.items()}
    inputs = {"x": given_.inputs["x"].detach(), **old, "returned_h": into}
    seeds = {f"d_{state}": value for state, value in final.items()}
    gradients, first = execute(
        derivative(graph, ["h"]),
        Sample(weights, inputs, seeds),
        batch_sizes=counts,
        reverse=True,
    )
    torch.testing.assert_close(gradients["d_x"], given_.inputs["x"].grad, **EXACT)
    for state, value in given_.states.items():
        torch.testing.assert_close(first[f"d_{state}"], value.grad, **EXACT)
    whole = {key: value.grad for key, value in given_.weights.items()}
    for key, value in unrolled.equations.weights(graph, whole).items():
        torch.testing.assert_close(gradients[f"d_{key}"].sum(0), value, **EXACT)


def test_a_batch_without_rows() -> None:
    for name in ("lstm", "lstm_layernorm"):
        values, last = execute(CELLS[name].graph, sample(CELLS[name].graph, rows=0))
        assert values["f"].shape == (4, 0, 3)
        assert last["c"].shape == (0, 3)


# Programs.


@pytest.mark.parametrize("cell", CELLS.values(), ids=str)
def test_programs_are_copied(cell: Cell) -> None:
    for graph in (cell.graph, cell.derivative):
        program = Program(graph, SIZES)
        assert copy.deepcopy(program) is program
        again = pickle.loads(pickle.dumps(program))
        assert again.sizes == program.sizes
        given_ = sample(cell.graph)
        given_ = sample(graph)._replace(weights=given_.weights)
        expected, _ = run(program, *given_, list(program.values))
        found, _ = run(again, *given_, list(program.values))
        assert all(found[name].equal(value) for name, value in expected.items())


def test_a_step_multiplies_once_for_all_gates() -> None:
    """The products with the input stand before the loop, those with the state once within."""
    program = Program(CELLS["lstm"].graph, SIZES)
    linear = torch.nn.functional.linear
    assert sum(step.function is linear for step in program.hoisted) == 1
    assert sum(step.function is linear for step in program.steps) == 1
    program = Program(CELLS["min_gru"].graph, SIZES)
    assert not any(step.function is linear for step in program.steps)


def test_dtypes_are_kept() -> None:
    graph = CELLS["cornn"].graph
    given_ = sample(graph)
    for dtype in (torch.float32, torch.bfloat16):
        small = Sample(*({n: v.to(dtype) for n, v in part.items()} for part in given_))
        values, last = execute(graph, small)
        assert {value.dtype for value in (*values.values(), *last.values())} == {dtype}


def test_meta_tensors() -> None:
    graph = CELLS["lstm_layernorm"].graph
    meta = Sample(*({n: v.to("meta") for n, v in part.items()} for part in sample(graph)))
    values, last = execute(graph, meta)
    assert values["h"].shape == (4, 2, 3)
    assert last["c"].device.type == "meta"


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")
@pytest.mark.parametrize("name", ["lstm", "lstm_layernorm", "slstm", "gru_reset_before"])
def test_transforms_of_functions(name: str) -> None:
    """vmap over rows, and forward-mode derivatives, are what they should be."""
    graph = CELLS[name].graph
    given_ = sample(graph, rows=3)

    def output(x: Tensor) -> Tensor:
        return execute(graph, given_._replace(inputs={"x": x}), ["h"])[0]["h"]

    x, tangent = given_.inputs["x"], torch.randn_like(given_.inputs["x"])
    stack = torch.stack([x, 2 * x])
    mapped = torch.vmap(output)(stack)
    torch.testing.assert_close(mapped[0], output(x), **EXACT)
    torch.testing.assert_close(mapped[1], output(2 * x), **EXACT)
    _, forward = torch.func.jvp(output, (x,), (tangent,))
    _, pull = torch.func.vjp(output, x)
    cotangent = torch.randn_like(forward)
    torch.testing.assert_close((forward * cotangent).sum(), (pull(cotangent)[0] * tangent).sum())


# Fresh memory.


def everything(cell: Cell, **options: Any) -> list[Tensor]:
    """All values, final states and gradients of a cell."""
    given_ = sample(cell.graph)
    if options:
        lengths = [4, 1]
        given_ = given_._replace(inputs={"x": ragged(given_.inputs["x"], lengths)})
        options["batch_sizes"] = batch_sizes(lengths)
    leaves = [value.requires_grad_() for part in given_ for value in part.values()]
    values, last = execute(cell.graph, given_, **options)
    results = [*values.values(), *last.values()]
    loss = sum((value.double() ** 2).sum() for value in results if value.requires_grad)
    return [*results, *torch.autograd.grad(loss, leaves, allow_unused=True, materialize_grads=True)]


@pytest.mark.parametrize("options", [{}, {"reverse": False}, {"reverse": True}], ids=str)
def test_fresh_memory_is_never_read(
    options: dict[str, Any], poisoned: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert torch.empty(2).isnan().all()
    found = {name: everything(cell, **options) for name, cell in CELLS.items()}
    monkeypatch.undo()
    for name, cell in CELLS.items():
        for one, other in zip(found[name], everything(cell, **options), strict=True):
            assert one.equal(other), name


def test_conditions_are_recorded_as_truth_values() -> None:
    @unrolled.cell
    def gated(x, h):
        open_ = h > 0.5
        h = where(open_, affine(x, h), h)
        return locals()

    values, _ = execute(gated.graph, sample(gated.graph))
    assert values["open_"].dtype is torch.bool
