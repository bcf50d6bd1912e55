import copy
import json
import pickle

import pytest
import torch

import unrolled
from samples import execute, sample
from unrolled import affine, minimum, sigmoid, tanh
from unrolled.cells import CELLS
from unrolled.equations import Cell
from unrolled.errors import CellError
from unrolled.graph import derivative
from unrolled.printing.latex import latex
from unrolled.printing.python import python


@unrolled.cell
def tuned(x, h, *, rate=0.5, scale=2):
    """A leaky unit.

    More about it.
    """
    h = rate * h + (1 - rate) * tanh(affine(x, h) * scale)
    return locals()


def test_what_a_cell_knows() -> None:
    cell = CELLS["lstm_projected"]
    assert cell.name == "lstm_projected"
    assert cell.states == ("h", "c")
    assert cell.output == "h"
    assert cell.projects
    assert not CELLS["lstm"].projects
    assert (
        cell.summary
        == cell.doc
        == "LSTM whose hidden state is projected to fewer units " + ("(Sak et al. 2014).")
    )
    assert repr(cell) == "Cell(lstm_projected: x, h, c)"
    assert cell.python() == python(cell.graph, cell.summary)
    assert cell.latex() == latex(cell.graph)
    assert cell._repr_latex_() == f"$\\displaystyle {cell.latex()}$"
    assert list(cell.derivative.values) == list(derivative(cell.graph).values)


def test_docstrings() -> None:
    @unrolled.cell
    def undocumented(x, h):
        h = tanh(affine(x, h))
        return locals()

    assert undocumented.doc == undocumented.summary == ""
    assert tuned.summary == "A leaky unit."
    assert tuned.doc == "A leaky unit.\n\nMore about it."


def test_hyperparameters_have_defaults() -> None:
    assert tuned.hyperparameters == {"rate": 0.5, "scale": 2}
    assert CELLS["cornn"].hyperparameters == {"dt": 0.042, "gamma": 2.7, "epsilon": 4.7}
    assert CELLS["lstm"].hyperparameters == {}


def test_calling_changes_hyperparameters() -> None:
    slow = CELLS["cornn"](dt=0.1)
    assert slow.hyperparameters == {"dt": 0.1, "gamma": 2.7, "epsilon": 4.7}
    assert slow.name == "cornn"
    assert slow.doc == CELLS["cornn"].doc
    assert slow != CELLS["cornn"]
    assert "    dt = 0.1\n" in slow.python()
    again = slow(gamma=1.0)
    assert again.hyperparameters == {"dt": 0.1, "gamma": 1.0, "epsilon": 4.7}
    assert again(dt=0.042, gamma=2.7) == CELLS["cornn"]
    assert CELLS["cornn"].hyperparameters["dt"] == 0.042


def test_a_hyperparameter_means_what_it_says() -> None:
    given = sample(tuned.graph)
    values, _ = execute(tuned(rate=0.9, scale=1).graph, given, ["h"])
    w = given.weights
    x, h = given.inputs["x"][0], given.states["h"]
    linear = x @ w["weight_ih"].T + w["bias_ih"] + h @ w["weight_hh"].T + w["bias_hh"]
    torch.testing.assert_close(values["h"][0], 0.9 * h + 0.1 * torch.tanh(linear))


@pytest.mark.parametrize(
    ("cell", "given", "message"),
    [
        (
            CELLS["cornn"],
            {"beta": 1.0},
            "cornn takes dt, gamma, epsilon, got beta; a layer is made by "
            "unrolled.Recurrent(cornn, input_size, hidden_size)",
        ),
        (CELLS["cornn"], {}, "cornn takes dt, gamma, epsilon, got nothing; a layer is made by"),
        (CELLS["lstm"], {"dt": 1.0}, "lstm takes no hyperparameters, got dt; a layer is made by"),
        (CELLS["lstm"], {}, "lstm takes no hyperparameters, got nothing; a layer is made by"),
    ],
)
def test_calling_with_something_else(cell: Cell, given: dict[str, float], message: str) -> None:
    with pytest.raises(CellError) as caught:
        cell(**given)
    assert str(caught.value).startswith(message)


def test_a_cell_that_is_called_with_sizes_says_what_makes_a_layer() -> None:
    with pytest.raises(CellError, match=r"got 10, 20; a layer is made by unrolled\.Recurrent"):
        CELLS["lstm"](10, 20)


@pytest.mark.parametrize("cell", CELLS.values(), ids=str)
def test_json(cell: Cell) -> None:
    again = Cell.from_json(json.loads(json.dumps(cell.to_json())))
    assert again == cell
    assert hash(again) == hash(cell)
    assert (again.name, again.doc, again.states) == (cell.name, cell.doc, cell.states)
    assert again.python() == cell.python()


@pytest.mark.parametrize("cell", CELLS.values(), ids=str)
def test_copies(cell: Cell) -> None:
    assert copy.deepcopy(cell) is cell
    again = pickle.loads(pickle.dumps(cell))
    assert again == cell
    assert again.doc == cell.doc


def test_a_cell_from_a_file_has_no_function() -> None:
    again = Cell.from_json(CELLS["cornn"].to_json())
    with pytest.raises(CellError, match="cornn was read from a file: it has equations but no"):
        again(dt=0.1)
    assert Cell.from_json(CELLS["cornn"](dt=0.1).to_json()) == CELLS["cornn"](dt=0.1)


def test_equality_is_of_equations() -> None:
    def one(x, h):
        """One text."""
        h = tanh(affine(x, h))
        return locals()

    def other(x, h):
        h = sigmoid(affine(x, h))
        return locals()

    first, second = unrolled.cell(one), unrolled.cell(one)
    other.__name__ = "one"
    third = unrolled.cell(other)
    assert first == second
    assert len({first, second}) == 1
    assert first != third
    assert first != "one"
    assert first != CELLS["rnn_tanh"]


# The derivative


@pytest.mark.parametrize("cell", CELLS.values(), ids=str)
def test_a_derivative_prints_as_a_cell_does(cell: Cell) -> None:
    backward = cell.derivative
    states = ", ".join(f"d_{state}" for state in cell.states)
    assert (
        repr(backward)
        == f"Derivative({cell.name}_backward: {', '.join(['x', *cell.states])}, {states})"
    )
    equations = derivative(cell.graph)
    equations.tell(backward.author)  # hyperparameters stand by their names
    assert backward.latex() == latex(equations)
    code = backward.python()
    assert f"def {cell.name}_backward(" in code
    assert f'"""One step of {cell.name}, backwards."""' in code
    assert str(backward) == f"{backward.latex()}\n\n{code}"
    assert backward._repr_latex_() == f"$\\displaystyle {backward.latex()}$"


def test_a_derivative_names_the_hyperparameters_of_its_cell() -> None:
    @unrolled.cell
    def leaky(x, h, *, dt=0.042, tau=0.5, alpha=1.0):
        u = tanh(affine(x, h))
        h = (1 - dt) * h + dt / tau * (u - alpha * h) + minimum(u, alpha) / tau
        return locals()

    text = leaky.derivative.text()
    assert "0.0" not in text
    assert "· dt/τ" in text
    assert "· (1 − dt)" in text
    assert "/τ" in text
    code = leaky.derivative.python()
    assert "    dt = 0.042\n    tau = 0.5\n" in code
    assert "d_h * (1 - dt)" in code
    again = pickle.loads(pickle.dumps(leaky.derivative))
    assert again.text() == text
    assert again.python() == code


def test_a_derivative_is_a_graph() -> None:
    backward = CELLS["gru"].derivative
    again = pickle.loads(pickle.dumps(backward))
    assert str(again) == str(backward)
    assert again.values == backward.values
    assert copy.deepcopy(backward) is backward
    assert python(backward) == python(derivative(CELLS["gru"].graph))
    with pytest.raises(CellError, match="gru_backward is already a derivative"):
        derivative(backward)


def test_a_derivative_without_code_prints_its_formula() -> None:
    @unrolled.cell
    def named(x, h, d_h):
        d_h = tanh(affine(x, h, d_h))
        h = sigmoid(affine(d_h)) * h
        return locals()

    text = str(named.derivative)
    assert text.startswith(named.derivative.latex())
    assert text.endswith("# no code: named_backward: 2 arguments of its code would be called d_h\n")
    with pytest.raises(CellError, match="2 arguments of its code would be called d_h"):
        named.derivative.python()
