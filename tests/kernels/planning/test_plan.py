from collections.abc import Callable

import pytest

import unrolled
from samples import quiet
from unrolled import affine, mean, project, scalar, sigmoid, tanh, vector
from unrolled.cells import CELLS
from unrolled.equations import Cell
from unrolled.graph.graph import Graph
from unrolled.graph.operation import Operation
from unrolled.graph.rewrite import without_bias
from unrolled.kernels.planning.plan import Phase, Plan

ONCE, HOISTED, STEP = Phase


def products(graph: Graph) -> dict[str, tuple[tuple[int, ...], tuple[int | None, ...]]]:
    """The widths and the blocks of the bias of each product."""
    return {group: (p.widths, p.bias) for group, p in Plan(graph).products.items()}


def banks(graph: Graph) -> list[tuple[str, list[tuple[str, int]]]]:
    """The names of the layers of each bank, with the first row of each of its products."""
    plan = Plan(graph)
    return sorted(
        (
            " ".join(layer.attribute.name for layer in bank),
            [(b.group, b.row) for b in bank[0].attribute.blocks],
        )
        for bank in set(plan.banks.values())
    )


def test_all_gates_of_an_lstm_are_one_bank() -> None:
    graph = CELLS["lstm"].graph
    assert products(graph) == {"ih": ((4,), (0, 1, 2, 3)), "hh": ((4,), (0, 1, 2, 3))}
    assert banks(graph) == [("i f g o", [("ih", 0), ("hh", 0)])]


def test_the_candidate_of_a_gru_is_apart() -> None:
    graph = CELLS["gru"].graph
    assert products(graph) == {"ih": ((2, 1), (0, 1, 2)), "hh": ((2, 1), (0, 1, 2))}
    assert banks(graph) == [("n", [("hh", 2)]), ("n", [("ih", 2)]), ("r z", [("ih", 0), ("hh", 0)])]


def test_a_second_stage() -> None:
    graph = CELLS["gru_reset_before"].graph
    assert products(graph) == {
        "ih": ((2, 1), (0, 1, 2)),
        "hh": ((2,), (0, 1)),
        "rhh": ((1,), (0,)),
    }
    assert banks(graph) == [("n", [("ih", 2), ("rhh", 0)]), ("r z", [("ih", 0), ("hh", 0)])]


def test_rows_without_bias() -> None:
    graph = CELLS["multiplicative_lstm"].graph
    assert products(graph) == {
        "ih": ((1, 4), (None, 0, 1, 2, 3)),
        "hh": ((1,), (None,)),
        "mh": ((4,), (0, 1, 2, 3)),
    }
    assert banks(graph) == [
        *(("i f g o", [("ih", 1), ("mh", 0)]), ("m", [("hh", 0)]), ("m", [("ih", 0)])),
    ]


def test_only_the_input_is_read() -> None:
    graph = CELLS["min_gru"].graph
    assert products(graph) == {"ih": ((2,), (0, 1))}
    assert banks(graph) == [("z n", [("ih", 0)])]


def test_without_bias() -> None:
    assert products(without_bias(CELLS["lstm"].graph)) == {
        "ih": ((4,), (None,) * 4),
        "hh": ((4,), (None,) * 4),
    }


def test_layers_in_another_order_in_each_weight_are_no_bank() -> None:
    @unrolled.cell
    def crossed(x, h):
        a, b, c = affine(x), affine(x, h), affine(h)
        h = tanh(a) * b + c
        return locals()

    assert banks(crossed.graph) == [
        *(("a", [("ih", 0)]), ("b", [("ih", 1), ("hh", 0)]), ("c", [("hh", 1)])),
    ]


def test_a_projection_is_a_product_of_its_own() -> None:
    plan = Plan(CELLS["lstm_projected"].graph)
    assert plan.products["hr"].size == "projection"
    assert plan.products["hr"].bias == (None,)
    assert plan.phases[plan.products["hr"].source] is STEP


@pytest.mark.parametrize("cell", CELLS.values(), ids=str)
def test_every_row_is_multiplied_once(cell: Cell) -> None:
    for graph in (cell.graph, cell.derivative):
        plan = Plan(graph)
        assert all(sum(p.widths) == len(p.bias) for p in plan.products.values())
        assert set(plan.banks) == set(graph.layers)
        taken = [
            (block.group, block.row)
            for bank in set(plan.banks.values())
            for block in bank[0].attribute.blocks
        ]
        assert len(set(taken)) == len(taken)


def test_a_derivative_may_leave_rows_out() -> None:
    """What a gradient does not need of the forward step is a part that nothing takes."""

    @unrolled.cell
    def partly(x, h):
        a = sigmoid(affine(x))
        b = affine(x)
        c = sigmoid(affine(x))
        d = affine(x)
        h = a * h + c + tanh(affine(h)) + b + d
        return locals()

    product = Plan(partly.derivative).products["ih"]
    assert (product.widths, product.bias) == ((1, 1, 1, 1), (0, None, 2, None))


# Phases.


def phases(cell: Cell) -> dict[str, Phase]:
    plan = Plan(cell.graph)
    return {name: plan.phases[node] for name, node in cell.graph.values.items()}


def test_what_reads_only_the_input_is_hoisted() -> None:
    assert phases(CELLS["min_gru"]) == {"z": HOISTED, "n": HOISTED, "h": STEP}
    assert set(phases(CELLS["lstm"]).values()) == {STEP}


def test_what_reads_nothing_is_known_once() -> None:
    @unrolled.cell
    def parts(x, h):
        a = tanh(vector()) * scalar()
        b = affine(vector()) + a
        c = b * mean(x)
        d = c + h
        h = tanh(d)
        return locals()

    assert phases(parts) == {"a": ONCE, "b": ONCE, "c": HOISTED, "d": STEP, "h": STEP}


def test_a_state_that_does_not_depend_on_states() -> None:
    @quiet
    def shifted(x, h, c):
        c = tanh(affine(x))
        h = project(c)
        return locals()

    assert phases(shifted) == {"c": HOISTED, "h": HOISTED}


def test_phases_follow_arguments() -> None:
    for cell in CELLS.values():
        plan = Plan(cell.derivative)
        for node, phase in plan.phases.items():
            assert all(plan.phases[argument] <= phase for argument in node.arguments)
            if node.operation is Operation.STATE:
                assert phase is STEP


# Text.


def test_the_printed_plan(golden: Callable[[str, str], None]) -> None:
    golden("gru_plan.txt", str(Plan(CELLS["gru"].graph)))


def test_the_printed_plan_names_every_product_and_value() -> None:
    for cell in CELLS.values():
        text = str(Plan(cell.graph))
        assert text.startswith(f"{cell.name}\n  ")
        assert text.count("    product  ") == len(Plan(cell.graph).products)
        assert text.count("    value    ") == len(cell.graph.values)


def test_phases_without_work_are_not_printed() -> None:
    text = str(Plan(CELLS["gru"].graph))
    assert "once:" not in text.replace("at once:", "")
    assert "for all steps at once:" in text
    assert "in every step:" in text
