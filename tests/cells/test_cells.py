"""Every known cell against the papers' equations in NumPy, and against its own differences."""

import importlib
import pkgutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

import reference
import unrolled
from unrolled import cells
from unrolled.cells import CELLS
from unrolled.equations import Cell
from unrolled.errors import CellError

T, B, I, H, P = 4, 2, 2, 3, 2  # noqa: E741


def layer(cell: Cell, size: int = I, hidden: int = H) -> unrolled.Recurrent:
    projection = P if cell.projects else 0
    return unrolled.Recurrent(cell, size, hidden, proj_size=projection, dtype=torch.float64)


def test_every_cell_of_the_reference_is_known() -> None:
    assert set(reference.CELLS) <= set(CELLS)


@pytest.mark.parametrize("name", reference.CELLS)
def test_reference(name: str) -> None:
    """Outputs, final states, and the gradients of everything, to 1e-10."""
    rng = np.random.default_rng(0)
    module = layer(CELLS[name])
    assert module.cell.states == reference.STATES[name]
    p = reference.parameters(name, I, H, P, rng)
    module.load_state_dict({f"{key}_l0": torch.from_numpy(value) for key, value in p.items()})
    x = rng.uniform(-1, 1, (T, B, I))
    size = {"hidden": H, "projection": P}
    initial = {
        state: rng.uniform(0.2, 1, (B, size[reference.state_size(name, state)]))
        for state in reference.STATES[name]
    }
    y, final, _ = reference.forward(name, x, initial, p)
    cot_y = rng.uniform(-1, 1, y.shape)
    cot_final = {state: rng.uniform(-1, 1, value.shape) for state, value in final.items()}
    dx, dinitial, dp = reference.gradients(name, x, initial, p, (cot_y, cot_final))

    own_x = torch.from_numpy(x).requires_grad_()
    own = {state: torch.from_numpy(value).requires_grad_() for state, value in initial.items()}
    hx = tuple(value[None] for value in own.values())
    output, last = module(own_x, hx if len(hx) > 1 else hx[0])
    last = last if isinstance(last, tuple) else (last,)
    close(output, y, "output")
    loss = (output * torch.from_numpy(cot_y)).sum()
    for (state, value), mine in zip(final.items(), last, strict=True):
        close(mine[0], value, state)
        loss = loss + (mine[0] * torch.from_numpy(cot_final[state])).sum()
    loss.backward()
    close(own_x.grad, dx, "x")
    for state, gradient in dinitial.items():
        close(own[state].grad, gradient, state)
    for key, gradient in dp.items():
        close(getattr(module, f"{key}_l0").grad, gradient, key)


def close(own: Tensor | None, expected: np.ndarray, name: str) -> None:
    assert own is not None, name
    own = own.detach().numpy()
    np.testing.assert_allclose(own, expected, rtol=1e-10, atol=1e-10, err_msg=name)


@pytest.mark.parametrize("cell", CELLS.values(), ids=str)
def test_first_and_second_derivatives(cell: Cell) -> None:
    """Against differences; relu stays away from its kink."""
    module = layer(cell, 1, P + 1 if cell.projects else 2)
    names = [name for name, _ in module.named_parameters()]
    generator = torch.Generator().manual_seed(3)

    def uniform(low: float, high: float, shape: tuple[int, ...]) -> Tensor:
        values = torch.empty(shape, dtype=torch.float64).uniform_(low, high, generator=generator)
        return values.requires_grad_()

    low = 0.1 if "relu" in cell.python() else -0.6
    x = uniform(low, 0.6, (2, 1, 1))
    units = {"hidden": module.hidden_size, "projection": P}
    states = [uniform(0.3, 0.9, (1, 1, units[size])) for size in cell.graph.states.values()]
    values = [uniform(low, 0.6, tuple(value.shape)) for value in module.parameters()]

    def run(x: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        hx, weights = rest[: len(states)], dict(zip(names, rest[len(states) :], strict=True))
        given = hx if len(hx) > 1 else hx[0]
        output, last = torch.func.functional_call(module, weights, (x, given))
        return (output, *last) if isinstance(last, tuple) else (output, last)

    everything = (x, *states, *values)
    assert gradcheck(run, everything, fast_mode=True)
    assert gradgradcheck(run, everything, fast_mode=True)


# Finding cells.


def test_known_cells_are_attributes() -> None:
    assert cells.lstm is CELLS["lstm"]
    assert unrolled.cells.gru is cells.find("gru")
    assert set(CELLS) < set(dir(cells))
    assert all(name == cell.name for name, cell in CELLS.items())


def test_every_cell_names_its_source() -> None:
    for cell in CELLS.values():
        assert any(year in cell.summary for year in ("19", "20")) or "torch.nn" in cell.summary
        assert cell.summary.endswith(".")


@pytest.mark.parametrize(
    ("name", "near"),
    [("lstn", "lstm"), ("gur", "gru"), ("rnn_tan", "rnn_tanh"), ("min-gru", "min_gru")],
)
def test_an_unknown_name_with_near_ones(name: str, near: str) -> None:
    with pytest.raises(CellError) as caught:
        cells.find(name)
    message = str(caught.value)
    assert message.startswith(f"no cell is called {name!r}; did you mean ")
    assert near in message.partition("? ")[0].partition("mean ")[2].split(" or ")
    assert message.endswith(f"known cells: {', '.join(sorted(CELLS))}")


def test_an_unknown_name_without_near_ones() -> None:
    with pytest.raises(CellError, match="no cell is called 'transformer'; known cells: cornn, gru"):
        cells.find("transformer")


def test_an_unknown_attribute() -> None:
    with pytest.raises(AttributeError, match="no cell is called 'lstn'; did you mean lstm"):
        _ = cells.lstn
    assert not hasattr(cells, "lstn")


def test_a_cell_in_a_new_file_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry reads every module of the folder: a new cell is one edit."""
    folder = tmp_path / "more_cells"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        Path(cells.__file__).read_text().replace("from ..", "from unrolled.")
    )
    (folder / "news.py").write_text(
        "from unrolled import affine, cell, tanh\n"
        "@cell\n"
        "def newest(x, h):\n"
        '    """A new cell (2026)."""\n'
        "    h = tanh(affine(x, h))\n"
        "    return locals()\n"
        "number = 3\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    try:
        found = importlib.import_module("more_cells")
        assert list(found.CELLS) == ["newest"]
        assert found.newest is found.find("newest")
        assert found.newest.summary == "A new cell (2026)."
    finally:
        for name in [name for name in sys.modules if name.startswith("more_cells")]:
            del sys.modules[name]


def test_every_module_is_read() -> None:
    found = {
        name
        for module in pkgutil.iter_modules(cells.__path__)
        for name, value in vars(importlib.import_module(f"unrolled.cells.{module.name}")).items()
        if isinstance(value, Cell)
    }
    assert found == set(CELLS)
