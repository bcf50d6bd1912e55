"""Compiled kernels give what the eager definition gives, values and gradients."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

import unrolled
from graph.drawn import cells
from kernels import comparison
from pairs import in_turn, pairwise
from samples import Sample, quiet
from unrolled import (
    abs,
    affine,
    exp,
    log,
    maximum,
    mean,
    minimum,
    normalize,
    project,
    relu,
    scalar,
    sigmoid,
    sqrt,
    tanh,
    vector,
    where,
)
from unrolled.cells import CELLS
from unrolled.equations import Cell
from unrolled.graph.graph import Graph
from unrolled.graph.rewrite import variational_dropout, without_bias, zoneout
from unrolled.kernels.planning.schedule import UnsupportedError
from unrolled.kernels.runtime import code, kernel, launch
from unrolled.kernels.runtime.recurrence import recurrences

from ..comparison import (
    KINDS,
    SIZES,
    WAYS,
    assert_close,
    assert_equal,
    by_definition,
    by_kernel,
    call,
    cast,
    compare,
    flat,
    inferred,
    kernels,
    leaves,
    outcome,
    probes,
)

EPSILON = torch.finfo(torch.float32).eps


each_cell = pytest.mark.parametrize("cell", CELLS.values(), ids=str)
each_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.mark.parametrize(("cell", "way", "kind"), pairwise(CELLS.values(), WAYS, KINDS), ids=str)
def test_values_and_gradients_in_float64(cell: Cell, way: str, kind: str) -> None:
    compare(cell.graph, way, kind=kind)


@each_cell
@pytest.mark.parametrize("way", ["reverse", "ragged"])
def test_steps_computed_again(cell: Cell, way: str) -> None:
    """Nothing but states is stored, whatever is recorded."""
    compare(cell.graph, way, kind="recompute")
    compare(cell.graph, way, probes(cell.graph), kind="recompute")
    training = kernels(cell.graph, kind="recompute").many.training((cell.output,))
    assert training.width == 0


@pytest.mark.parametrize("way", ["forward", "ragged reverse"])
@each_cell
def test_kernels_in_float32_are_as_exact_as_the_definition(cell: Cell, way: str) -> None:
    """Each cell with kernels of one kind."""
    kind = KINDS[list(CELLS.values()).index(cell) % len(KINDS)]
    numbers, options = call(cell.graph, way)
    numbers = cast(numbers, torch.float32)
    record = [cell.output]
    truth = outcome(by_definition(cell.graph), cast(numbers, torch.float64), record, **options)
    eager = outcome(by_definition(cell.graph), numbers, record, **options)
    run = by_kernel(cell.graph, dtype=torch.float32, kind=kind)
    found = outcome(run, numbers, record, **options)
    for name, value in truth.items():
        error, allowed = (
            (result[name] - value).square().mean().sqrt() for result in (found, eager)
        )
        assert found[name].dtype is torch.float32
        assert error <= 1.5 * allowed + 0.5 * EPSILON * value.abs().max(), name


@each_kind
@each_cell
def test_everything_in_the_loop_can_be_recorded(cell: Cell, kind: str) -> None:
    """Gates, what activations are applied to, and states that are not the output."""
    for way in ("forward", "ragged reverse"):
        compare(cell.graph, way, probes(cell.graph, kind), kind)


def rewritten(name: str) -> Graph:
    graph = CELLS["gru" if name == "gru without bias" else "lstm_peephole"].graph
    return {
        "zoneout": lambda: zoneout(graph, ["c"]),
        "variational dropout": lambda: variational_dropout(graph),
        "gru without bias": lambda: without_bias(graph),
    }[name]()


@pytest.mark.parametrize("way", ["reverse", "ragged", "ragged reverse"])
@pytest.mark.parametrize("name", ["zoneout", "variational dropout", "gru without bias"])
def test_variants_of_cells(name: str, way: str) -> None:
    compare(rewritten(name), way)


# Sizes.


VARIED = ["lstm", "gru_reset_before", "lstm_layernorm", "lstm_projected", "slstm"]


@pytest.mark.parametrize("hidden", [1, 33])
@each_cell
def test_odd_numbers_of_units(cell: Cell, hidden: int) -> None:
    """Each cell with kernels of one kind at one size, of another kind at the other."""
    kind = KINDS[(list(CELLS.values()).index(cell) + (hidden == 1)) % len(KINDS)]
    sizes = {"input": 1, "hidden": hidden, "projection": 1 + hidden // 5, "one": 1}
    compare(cell.graph, "ragged reverse", sizes=sizes, kind=kind)


@each_kind
def test_many_units(kind: str) -> None:
    sizes = {"input": 5, "hidden": 650, "projection": 7, "one": 1}
    compare(CELLS["lstm"].graph, steps=2, rows=7, sizes=sizes, kind=kind)


@pytest.mark.parametrize(("cell", "kind"), in_turn(CELLS.values(), KINDS), ids=str)
def test_numbers_of_rows(cell: Cell, kind: str) -> None:
    """One chunk of rows and several, tiles of all heights."""
    for rows in (1, 2, 3, 4, 33, 70):
        compare(cell.graph, steps=2, rows=rows, kind=kind)


@each_kind
def test_long_and_short_rows(kind: str) -> None:
    lengths = [5] * 31 + [4] * 3 + [2] * 33 + [1, 0, 0]
    for way in ("ragged", "ragged reverse"):
        compare(CELLS["lstm_peephole"].graph, way, lengths=lengths, kind=kind)


@pytest.mark.parametrize("way", ["forward", "reverse"])
@pytest.mark.parametrize("name", VARIED)
def test_a_single_step(name: str, way: str) -> None:
    for kind in KINDS:
        compare(CELLS[name].graph, way, steps=1, kind=kind)


@pytest.mark.parametrize(
    ("name", "lengths", "way"),
    pairwise(VARIED, [[1, 0], [2, 2], [4, 2, 2, 1, 1, 1, 1], [7]], ["ragged", "ragged reverse"]),
    ids=str,
)
def test_lengths(name: str, lengths: list[int], way: str) -> None:
    for kind in KINDS:
        compare(CELLS[name].graph, way, lengths=lengths, kind=kind)


# Threads.


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two threads, however little there is to do; the number is restored after each test."""
    monkeypatch.setattr(code, "WORTH_A_THREAD", 1)
    monkeypatch.setattr(kernel, "WORTH_BARRIERS", 1)
    torch.set_num_threads(2)


def everything(cell: Cell, way: str, kind: str = "many", **shape: Any) -> dict[str, Tensor]:
    numbers, options = call(cell.graph, way, **shape)
    run = by_kernel(cell.graph, kind=kind)
    return outcome(run, numbers, probes(cell.graph, kind), **options)


@pytest.mark.parametrize(
    ("name", "kind", "way", "rows"),
    pairwise(VARIED, KINDS, ["forward", "ragged reverse"], [3, 7]),
)
def test_two_runs_give_the_same_bits(name: str, kind: str, way: str, rows: int, two: None) -> None:
    """On any number of threads; on another number the order of sums may be another."""
    shape = {"rows": rows, "lengths": [5, 3, 3, 2, 1, 1, 0][:rows]}
    known = everything(CELLS[name], way, kind, **shape)
    for threads in (2, 4, 1):
        torch.set_num_threads(threads)
        found = everything(CELLS[name], way, kind, **shape)
        assert_equal(everything(CELLS[name], way, kind, **shape), found)
        assert_close(found, known, 1e-13)
        if kind == "few":  # every row's sums are its own
            values = (
                {k: v for k, v in result.items() if not k.startswith("gradient")}
                for result in (found, known)
            )
            assert_equal(*values)


@pytest.mark.parametrize("way", ["forward", "ragged reverse"])
@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_the_number_of_threads_changes_no_bit(name: str, way: str, two: None) -> None:
    """Where no tile is lower than three rows; below, a row's sums are grown in several chains."""
    shape = {"rows": 24, "lengths": [6] * 6 + [3] * 12}  # of each thread in each step: 3, 6, ...
    found = everything(CELLS[name], way, **shape)
    for threads in (1, 4):
        torch.set_num_threads(threads)
        other = everything(CELLS[name], way, **shape)
        loop = [key for key in found if key.startswith(("value", "last"))]
        assert_equal({k: other[k] for k in loop}, {k: found[k] for k in loop})


@each_kind
@pytest.mark.parametrize("rows", [1, 2, 3, 7])
def test_more_threads_than_rows(rows: int, kind: str, two: None) -> None:
    for threads in (2, 3, 5):
        torch.set_num_threads(threads)
        for name in ("lstm_layernorm", "gru_reset_before", "lstm_peephole"):
            compare(CELLS[name].graph, rows=rows, kind=kind)


@pytest.mark.parametrize("way", ["ragged", "ragged reverse"])
def test_threads_with_rows_of_many_lengths(way: str, two: None) -> None:
    lengths = [9, 9, 8, 3, 3, 3, 2, 1, 1, 1, 1, 1, 0]
    for threads in (2, 4):
        torch.set_num_threads(threads)
        compare(CELLS["lstm_layernorm"].graph, way, lengths=lengths)


# Cells of many kinds.


def readout(x, h):
    y = affine(x, h)
    h = tanh(affine(x, h))
    z = affine(x, h)
    return locals()


def unused_gradients(x, h):
    a = affine(x, h)
    b = affine(x, h)
    c = affine(x, h)
    h = where(b > 0, tanh(a), sigmoid(c))
    return locals()


def hoisted_condition(x, h):
    open_ = affine(x) > 0
    h = where(open_, tanh(affine(x, h)), h)
    return locals()


def kept_condition(x, h):
    open_ = 2 * h > tanh(h)
    r = sigmoid(affine(x, h))
    h = where(open_, tanh(affine(x, r * h)), h)
    return locals()


def condition_of_a_layer(x, h):
    h = where(affine(h) > 0.1, tanh(affine(x, h)), h)
    return locals()


def condition_of_means(x, h):
    a = tanh(affine(x, h))
    h = where(mean(h) < mean(a), affine(a), a)
    return locals()


def unread_states(x, h, c, d):
    c = tanh(affine(x))
    d = tanh(vector())
    h = c + d + h
    return locals()


def means(x, h):
    h = tanh(affine(x, h)) * mean(affine(x, h)) * mean(vector() + h)
    return locals()


def scalars(x, h):
    s = scalar() * scalar(2.0) + sqrt(2)
    h = tanh(affine(x, h)) * mean(h + scalar()) * mean(mean(h) + scalar()) * (s * mean(x))
    return locals()


def normalized_states(x, h):
    h = tanh(normalize(h) + affine(x) + normalize(mean(h)))
    return locals()


def projected_states(x, h):
    h = project(tanh(affine(x, h)))
    return locals()


def layers_of_vectors(x, h):
    h = tanh(affine(x, h) + affine(vector()))
    return locals()


def numbers(x, h, c):
    c = 0 * c + 1
    h = tanh(affine(x, h)) * 0.5 + c
    return locals()


def values_as_wide_as_the_input(x, h):
    h = tanh(affine(x, h)) + mean(x * mean(h)) * vector()
    return locals()


def learned_thresholds(x, h):
    h = where(h > vector(), tanh(affine(x, h)), where(tanh(vector()) < h, h, 0.5 * h))
    return locals()


def delayed_states(x, h, c):
    old = h
    h = tanh(affine(x, h) + affine(c))
    c = old
    return locals()


def exchanged_states(x, h, c):
    old = h
    h = c
    c = tanh(old * 0.5 + affine(x))
    return locals()


def states_with_one_value(x, h, c):
    new = tanh(affine(x, h) + c)
    h = new
    c = new
    return locals()


def sizes_mixed(x, h, c):
    p = project(tanh(affine(x, h)))
    c = sigmoid(affine(p) + c) * mean(h)
    h = project(c) * mean(c) + p
    return locals()


OTHERS = [
    quiet(function)
    for function in (
        *(readout, unused_gradients, hoisted_condition, kept_condition, condition_of_a_layer),
        *(condition_of_means, unread_states, means, scalars, normalized_states, projected_states),
        *(layers_of_vectors, numbers, delayed_states, exchanged_states, states_with_one_value),
        *(sizes_mixed, learned_thresholds, values_as_wide_as_the_input),
    )
]
"""Made once: the kernels of a graph serve all tests."""


@pytest.mark.parametrize("way", ["forward", "ragged reverse"])
@pytest.mark.parametrize("cell", OTHERS, ids=str)
def test_other_cells(cell: Cell, way: str) -> None:
    """Each cell with kernels of two kinds."""
    graph = cell.graph
    turn = OTHERS.index(cell)
    compare(graph, way, kind=KINDS[turn % len(KINDS)])
    kind = KINDS[(turn + 1) % len(KINDS)]
    compare(graph, way, probes(graph, kind), kind)


@quiet
def added(x, h, c):
    h = tanh(h) + affine(x)
    c = sigmoid(affine(h)) * c
    return locals()


@each_kind
def test_a_layer_of_what_a_layer_of_the_input_is_added_to(kind: str) -> None:
    """The gradient that comes through the second layer belongs to the first one's result too."""
    for way in ("forward", "ragged reverse"):
        compare(added.graph, way, kind=kind)


def test_long_equations() -> None:
    """Neither their depth nor the number of ways through them is a limit."""

    @unrolled.cell
    def long(x, h):
        a, b, c = affine(x, h), 0.1 * h, affine(x, h)
        for _ in range(1200):
            a = a + h
        for _ in range(40):
            b = b * 0.5 + b * b
            c = c + c
        h = tanh(a) + tanh(b) + tanh(c * 2.0**-40)
        return {"h": h}

    compare(long.graph, steps=2, rows=2, sizes={**SIZES, "hidden": 2})


@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(
    cells(), st.sampled_from(list(WAYS)), st.booleans(), st.sampled_from(KINDS), st.integers(0, 2)
)
def test_random_cells(cell: Cell, way: str, everything: bool, kind: str, size: int) -> None:
    """A cell of which there is no kernel says so before it is run.

    Most are small: what takes time is to compile a text for whole vectors and one for the rest.
    """
    sizes = {**SIZES, "hidden": (3, 2, 17)[size], "projection": 1}
    try:
        recurrences(cell.graph, sizes, torch.float64)
    except UnsupportedError:
        return
    record = probes(cell.graph, kind) if everything else None
    compare(cell.graph, way, record, kind, lengths=[3, 2, 0], sizes=sizes)


# Fresh memory.


@each_kind
def test_fresh_memory_is_never_read(
    kind: str, poisoned: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor a layout's numbers beyond the last unit, nor what no pass has written."""
    monkeypatch.setattr(comparison, "known", {})  # nor memory that an earlier run has left
    monkeypatch.setattr(launch, "SMALL_WORKSPACE", -1)  # no workspace but from torch
    all_cells = [*CELLS.values(), *OTHERS[KINDS.index(kind) :: 3]]
    found = [[everything(cell, way, kind) for way in WAYS] for cell in all_cells]
    assert "empty" in poisoned
    for cell, results in zip(all_cells, found, strict=True):
        for way, values in zip(WAYS, results, strict=True):
            numbers, options = call(cell.graph, way)
            record = probes(cell.graph, kind)
            assert_close(values, outcome(by_definition(cell.graph), numbers, record, **options))


# Autograd.


AUTOGRAD = ["lstm", "gru_reset_before", "lstm_layernorm", "lstm_peephole", "indrnn"]
FURTHER = ["scalars", "layers_of_vectors", "unread_states"]


@pytest.mark.parametrize("way", ["forward", "ragged reverse"])
@pytest.mark.parametrize(
    "graph",
    [
        *(CELLS[name].graph for name in AUTOGRAD),
        *(each.graph for each in OTHERS if each.name in FURTHER),
    ],
    ids=lambda graph: graph.name,
)
def test_gradients_of_gradients(graph: Graph, way: str) -> None:
    sizes = {**SIZES, "hidden": 2, "input": 2}
    numbers, options = call(graph, way, steps=2, rows=2, lengths=[3, 1, 0], sizes=sizes)
    run = by_kernel(graph, sizes)

    def output(*values: Tensor) -> tuple[Tensor, ...]:
        given = iter(values)
        parts = Sample(*({key: next(given) for key in part} for part in numbers))
        return tuple(inferred(run, parts, [graph.output], **options).values())

    variables = list(flat(leaves(numbers)).values())
    assert torch.autograd.gradcheck(output, variables, fast_mode=True)
    assert torch.autograd.gradgradcheck(output, variables, fast_mode=True)


@pytest.mark.parametrize("name", AUTOGRAD)
def test_gradients_that_can_be_differentiated_are_the_same(name: str) -> None:
    graph = CELLS[name].graph
    numbers, options = call(graph, "ragged reverse")
    results = []
    for create_graph in (False, True):
        given = leaves(numbers)
        values, _ = by_kernel(graph)(*given, ["h"], **options)
        loss = values["h"].square().sum()
        results.append(
            torch.autograd.grad(loss, list(flat(given).values()), create_graph=create_graph)
        )
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", AUTOGRAD)
def test_results_may_be_changed_in_place(name: str, way: str) -> None:
    graph = CELLS[name].graph
    numbers, options = call(graph, way)
    gradients = []
    for change in (False, True):
        given = leaves(numbers)
        results = inferred(by_kernel(graph), given, probes(graph), **options)
        loss = torch.stack([value.sum() for value in results.values()]).sum()
        if change:
            for value in results.values():
                value.mul_(2).add_(1)
        gradients.append(torch.autograd.grad(loss, list(flat(given).values())))
    for one, other in zip(*gradients, strict=True):
        assert one.equal(other)


def test_results_without_gradients_may_be_changed_in_place() -> None:
    graph = CELLS["lstm"].graph
    numbers, _ = call(graph)
    before = {name: value.clone() for name, value in flat(numbers).items()}
    values, last = by_kernel(graph)(*numbers, ["h", "c", "i"])
    expected = values["h"][-1].clone()
    for value in values.values():
        value.zero_()
    assert last["h"].equal(expected)
    for value in last.values():
        value.zero_()
    assert_equal(flat(numbers), before)


def test_only_some_gradients_are_asked_for() -> None:
    graph = CELLS["lstm_peephole"].graph
    numbers, _ = call(graph)
    expected = outcome(by_kernel(graph), numbers, ["h"])
    for name in flat(numbers):
        given = Sample(
            *(
                {n: v.detach().requires_grad_() if n == name else v for n, v in part.items()}
                for part in numbers
            )
        )
        results = inferred(by_kernel(graph), given, ["h"])
        generator = torch.Generator().manual_seed(1)
        into = [torch.randn(v.shape, generator=generator).to(v.dtype) for v in results.values()]
        (found,) = torch.autograd.grad(list(results.values()), [flat(given)[name]], into)
        assert found.equal(expected[f"gradient {name}"])


@pytest.mark.parametrize("result", ["value f", "last c"])
def test_only_some_results_are_used(result: str) -> None:
    graph = CELLS["lstm"].graph
    gradients = []
    for run in (by_definition(graph), by_kernel(graph)):
        given = leaves(call(graph)[0])
        loss = inferred(run, given, ["h", "f"])[result].sum()
        gradients.append(
            torch.autograd.grad(loss, list(flat(given).values()), materialize_grads=True)
        )
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


def test_a_graph_can_be_kept_and_used_again() -> None:
    graph = CELLS["gru"].graph
    given = leaves(call(graph)[0])
    values, _ = by_kernel(graph)(*given, ["h"])
    weight = given.weights["weight_hh"]
    first, second = (
        torch.autograd.grad(values["h"].sum(), weight, retain_graph=True)[0] for _ in range(2)
    )
    assert first.equal(second)


def test_what_was_saved_is_watched() -> None:
    graph = CELLS["lstm"].graph
    given = leaves(call(graph)[0])
    values, _ = by_kernel(graph)(*given, ["h"])
    with torch.no_grad():
        given.weights["weight_hh"].mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        values["h"].sum().backward()


# Memory.


def between_nan(value: Tensor) -> Tensor:
    """The same numbers, each beside one that must not be read."""
    return torch.stack([value, torch.full_like(value, torch.nan)], -1)[..., 0]


def turned(value: Tensor) -> Tensor:
    """The same numbers, the first axis innermost."""
    return value.movedim(0, -1).contiguous().movedim(-1, 0)


@pytest.mark.parametrize("place", [between_nan, turned])
@pytest.mark.parametrize("way", ["forward", "ragged reverse"])
@pytest.mark.parametrize("name", ["lstm_peephole", "lstm_layernorm", "lstm_projected"])
def test_tensors_may_lie_anywhere_in_memory(name: str, way: str, place: Any) -> None:
    graph = CELLS[name].graph
    numbers, options = call(graph, way)
    moved = Sample(*({n: place(v) for n, v in part.items()} for part in numbers))
    assert not any(v.is_contiguous() for v in moved.inputs.values())
    expected = outcome(by_kernel(graph), numbers, probes(graph), **options)
    assert_close(outcome(by_kernel(graph), moved, probes(graph), **options), expected)
    results = {name: v for name, v in expected.items() if not name.startswith("gradient")}
    assert_close(inferred(by_kernel(graph), moved, probes(graph), **options), results)


@pytest.mark.parametrize("way", ["forward", "ragged reverse"])
def test_one_initial_state_for_all_rows(way: str) -> None:
    graph = CELLS["lstm"].graph
    numbers, options = call(graph, way)
    states = {name: value[:1].expand_as(value) for name, value in numbers.states.items()}
    expected = outcome(by_definition(graph), numbers._replace(states=states), ["h"], **options)
    found = outcome(by_kernel(graph), numbers._replace(states=states), ["h"], **options)
    assert_close(found, expected)


OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    **{f.__name__: lambda a, b, f=f: f(a) for f in (exp, log, sqrt, sigmoid, tanh, relu, abs)},
    **{f.__name__: lambda a, b, f=f: f(a, b) for f in (minimum, maximum)},
    **{"+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b},
    **{"/": lambda a, b: a / b, "negative": lambda a, b: -a},
    **{"<": lambda a, b: where(a < b, a, 2), "<=": lambda a, b: where(a <= b, a, 2)},
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_on_special_numbers(name: str) -> None:
    @quiet
    def once(x, h, c, d):
        h = OPERATIONS[name](h, c)
        c = 1.0 * c
        d = tanh(affine(x))
        return {"h": h, "c": c, "d": d}

    graph = once.graph
    special = [0.0, -0.0, 1.0, -1.5, 1e-320, -1e-320, 1e308, torch.inf, -torch.inf, torch.nan]
    sizes = {**SIZES, "hidden": 10}
    numbers, _ = call(graph, steps=1, rows=10, sizes=sizes)
    a = torch.tensor(special, dtype=torch.float64).expand(10, 10)
    numbers = numbers._replace(states={**numbers.states, "h": a, "c": a.t()})
    expected = inferred(by_definition(graph, sizes), numbers, ["h"])["last h"]
    found = inferred(by_kernel(graph, sizes), numbers, ["h"])["last h"]
    torch.testing.assert_close(found, expected, rtol=1e-14, atol=0, equal_nan=True)


@pytest.mark.parametrize("name", ["lstm", "rnn_relu", "slstm"])
def test_what_is_not_finite_comes_out_where_it_does_in_pytorch(name: str) -> None:
    graph = CELLS[name].graph
    numbers, _ = call(graph)
    x = numbers.inputs["x"]
    x[1, 0, 0], x[1, 1, 1], x[1, 2, 2] = torch.nan, torch.inf, -torch.inf
    numbers.states["h"][3, 0] = torch.nan
    numbers.weights["bias_hh"][2] = -torch.inf
    expected = outcome(by_definition(graph), numbers, probes(graph))
    found = outcome(by_kernel(graph), numbers, probes(graph))
    for key, value in expected.items():
        torch.testing.assert_close(
            found[key], value, rtol=1e-10, atol=1e-10, equal_nan=True, msg=key
        )
