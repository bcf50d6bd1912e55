"""Steps of cells as C, compiled and compared with the same steps as Python."""

import ctypes
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy
import pytest
from tests.fuzz.cases import case

import unrolled
from unrolled.cells import CELLS
from unrolled.equations import Cell
from unrolled.graph.parameters import parameters, weights
from unrolled.printing.c import c, spelled

SIZES: Any = {"input": 3, "hidden": 4, "projection": 2, "one": 1}


@unrolled.cell
def strange(x, while_, π):
    """A state that C calls otherwise, and */ in its words."""
    double = unrolled.tanh(unrolled.affine(x, while_))
    while_ = double * unrolled.vector() + π
    π = unrolled.mean(double) * unrolled.scalar() + while_
    return locals()


def cells() -> dict[str, Cell]:
    return {**CELLS, "strange": strange, **{f"c{n}": case(n)[0].cell(f"c{n}") for n in range(20)}}


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
def test_steps_of_c_are_steps_of_python(tmp_path: Path) -> None:
    files = []
    for name, cell in cells().items():
        files.append(tmp_path / f"{name}.c")
        files[-1].write_text(cell.c(), encoding="utf-8")
    defined = ["-DINPUT=3", "-DHIDDEN=4", "-DPROJECTION=2"]
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-Wno-unused-parameter"]
    library = tmp_path / "all.so"
    done = subprocess.run(
        ["gcc", *flags, *defined, "-O0", "-shared", "-fPIC", *files, "-o", library, "-lm"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    compiled = ctypes.CDLL(str(library))
    random = numpy.random.default_rng(0)
    for name, cell in cells().items():
        graph = cell.graph
        arrays = {p.name: random.uniform(-1, 1, p.shape(SIZES)) for p in parameters(graph)}
        known = {each: numpy.ascontiguousarray(a) for each, a in weights(graph, arrays).items()}
        x = random.uniform(-1, 1, 3)
        states = {s: random.uniform(-1, 1, SIZES[size]) for s, size in graph.states.items()}
        space: dict[str, Any] = {}
        exec(cell.python(), space)
        function = next(v for k, v in space.items() if callable(v) and k.startswith(cell.name))
        expected = function(x, **states, **known)
        expected = expected if len(states) > 1 else (expected,)
        order = [each for node in graph.layers for each in node.attribute.names]
        order += [node.attribute.name for node in graph.learned]
        given = [x, *states.values(), *(known[each] for each in order)]
        step = getattr(compiled, f"{spelled([cell.name])[cell.name]}_step")
        step(*(array.ctypes.data_as(ctypes.c_void_p) for array in given))
        for state, wanted in zip(states, expected, strict=True):
            numpy.testing.assert_allclose(states[state], wanted, rtol=1e-12, err_msg=name)


def test_lines_are_those_of_the_equations() -> None:
    text = unrolled.cells.lstm.c()
    assert "        const real f = real_sigmoid(f_sum[k]);\n" in text
    assert "        c[k] = f * c[k] + i * g;\n        h[k] = o * real_tanh(c[k]);\n" in text
    assert "W_hi[k * HIDDEN + j] * h[j]" in text


def test_names_that_c_has_are_spelled_otherwise() -> None:
    text = c(strange.graph, strange.doc)
    assert "void strange_step(const real *x, real *while_, real *u3c0" in text
    assert "and * / in its words" in text
    assert text.isascii()
