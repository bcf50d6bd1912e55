"""Networks as C: compiled without a warning, equal to the module, and safe in odd hands."""

import ctypes
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from tests.fuzz.cases import case
from torch import nn

import unrolled
from unrolled.cells import CELLS
from unrolled.errors import UserError
from unrolled.exporters import export
from unrolled.exporters.c_functions import functions
from unrolled.structures import EncoderDecoder, ManyToMany, ManyToOne, Symbols, Vectors

STRICT = ("-Wall", "-Wextra", "-Werror", "-pedantic")
STEPS, STATE = 12, 200_000
pytestmark = [
    pytest.mark.broad,
    pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed"),
]


@unrolled.cell
def odd(x, int, k, λ):
    """Names that C has for itself, or does not know."""
    for_ = unrolled.sigmoid(unrolled.affine(x, k))
    real = for_ * int + unrolled.mean(k) * λ
    int = unrolled.where(real > 0.1, real, 0.5 * int)
    k, λ = unrolled.tanh(unrolled.affine(real) + λ), k
    return locals()


def compiled(folder: Path, names: Sequence[str], *flags: str) -> Any:
    """The library of some exported files."""
    library = folder / "all.so"
    files = [str(folder / f"{name}.c") for name in names]
    build = ["gcc", "-std=c99", "-O1", *STRICT, *flags, "-shared", "-fPIC", *files]
    done = subprocess.run(
        [*build, "-o", library, "-lm"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return ctypes.CDLL(str(library))


def ran(library: Any, name: str, x: numpy.ndarray, y: numpy.ndarray) -> numpy.ndarray:
    """What the program answers to a sequence, from fresh memory full of NaN."""
    state = ctypes.create_string_buffer(b"\xff" * STATE, STATE)
    y[...] = numpy.nan
    getattr(library, f"{name}_reset")(state)
    places = (each.ctypes.data_as(ctypes.c_void_p) for each in (x, y))
    first, last = places
    assert getattr(library, f"{name}_run")(state, first, len(x), last) == 0
    assert state.raw[-8:] == b"\xff" * 8
    return y


def layer(cell: Any, **options: Any) -> unrolled.Recurrent:
    options = {"proj_size": 3, **options} if cell.projects else options
    return unrolled.Recurrent(cell, 3, 5, **options)


@pytest.mark.parametrize("dtype", ["float", "double"])
def test_all_cells_compute_what_the_module_computes(dtype: str, tmp_path: Path) -> None:
    kind = {"float": torch.float32, "double": torch.float64}[dtype]
    modules = {name: layer(cell, num_layers=2).to(kind) for name, cell in CELLS.items()}
    modules["odd"] = layer(odd, bias=False, zoneout=0.1).to(kind).eval()
    modules["learned"] = layer(unrolled.cells.gru, learn_initial_states=True).to(kind)
    nn.init.normal_(modules["learned"].initial_h_l0)
    if dtype == "double":
        modules |= {f"random{seed}": layer(case(seed)[0].cell()).double() for seed in range(12)}
    for name, module in modules.items():
        export(module, tmp_path, name=name, dtype=dtype)
    library = compiled(tmp_path, list(modules))
    x = torch.randn(STEPS, 1, 3, dtype=kind)
    for name, module in modules.items():
        exact = module.double()(x.double())[0][:, 0].detach().numpy()
        eager = module.to(kind)(x)[0][:, 0].detach().numpy()
        found = ran(library, name, x[:, 0].numpy().copy(), numpy.empty_like(eager))
        bound = 8 * numpy.abs(eager - exact).max() + 4 * torch.finfo(kind).eps
        numpy.testing.assert_allclose(found, exact, rtol=1e-5, atol=float(bound), err_msg=name)


def test_structures_and_both_directions(tmp_path: Path) -> None:
    gru, lstm = unrolled.cells.gru, unrolled.cells.lstm
    both = {"bidirectional": True, "num_layers": 2}
    modules: dict[str, nn.Module] = {
        "tags": ManyToMany(gru, Symbols(11), 9, Symbols(5), num_layers=2),
        "kind": ManyToOne(lstm, Symbols(11), 9, Symbols(5), bidirectional=True),
        "numbers": ManyToOne(gru, Vectors(3), 9, Vectors(2)),
        "stack": unrolled.LSTM(3, 8, **both),
        "stock": nn.GRU(3, 8, **both),
        "cell": nn.LSTMCell(3, 8),
    }
    for name, module in modules.items():
        module.double().eval()
        options = {"max_steps": STEPS} if name in ("kind", "stack", "stock") else {}
        export(module, tmp_path, name=name, dtype="double", **options)
    library = compiled(tmp_path, list(modules))
    x, symbols = torch.randn(STEPS, 1, 3).double(), torch.randint(11, (STEPS, 1))
    for name, module in modules.items():
        read = symbols if name in ("tags", "kind") else x
        if name == "cell":
            h = c = torch.zeros(1, 8).double()
            told = []
            for step in x:
                h, c = module(step, (h, c))
                told.append(h)
            expected = torch.stack(told)[:, 0].detach().numpy()
        else:
            answer = module(read)[0]
            expected = (answer[0] if answer.dim() == 2 else answer[:, 0]).detach().numpy()
        given = read[:, 0].numpy().astype("int32" if read is symbols else "float64")
        found = ran(library, name, given, numpy.empty_like(expected))
        numpy.testing.assert_allclose(found, expected, rtol=0, atol=1e-12, err_msg=name)
    state = ctypes.create_string_buffer(STATE)
    pointer = x[:, 0].numpy().ctypes.data_as(ctypes.c_void_p)
    assert library.stack_run(state, pointer, STEPS + 1, state) == -1


def test_symbols_that_are_none_and_probabilities(tmp_path: Path) -> None:
    model = ManyToMany(unrolled.cells.gru, Symbols(4), 6, Symbols(3)).double().eval()
    export(model, tmp_path, name="m", dtype="double")
    library = compiled(tmp_path, ["m"])
    state, y = ctypes.create_string_buffer(STATE), (ctypes.c_double * 3)()
    library.m_reset(state)
    before = state.raw
    for symbol in (-1, 4, 2**31 - 1, -(2**31)):
        library.m_step(state, symbol, y)
        assert list(y) == [0, 0, 0]
        assert state.raw == before
    library.m_step(state, 2, y)
    expected = model(torch.tensor([[2]]))[0][0, 0].softmax(-1).tolist()
    library.m_softmax(y)
    assert list(y) == pytest.approx(expected)


def test_weights_beside_are_checked(tmp_path: Path) -> None:
    model = unrolled.GRU(3, 5).double()
    export(model, tmp_path, name="m", dtype="double", weights="beside")
    export(unrolled.GRU(3, 6).double(), tmp_path, name="other", dtype="double", weights="beside")
    library = compiled(tmp_path, ["m"])
    library.m_load.argtypes = [ctypes.c_void_p, ctypes.c_ulong]
    good = (tmp_path / "m.bin").read_bytes()
    for bytes_, code in (
        (good[:20], -1), (b"x" + good[1:], -2), (good[:8] + b"\x09" + good[9:], -3),
        ((tmp_path / "other.bin").read_bytes(), -4), (good[:-8], -5), (good + b"\0" * 8, -5),
        (b"", -1), (good, 0),
    ):  # fmt: skip
        buffer = ctypes.create_string_buffer(bytes_, max(1, len(bytes_)))
        assert library.m_load(ctypes.addressof(buffer), len(bytes_)) == code
    assert library.m_load(None, 100) == -1
    x = torch.randn(STEPS, 1, 3).double()
    expected = model(x)[0][:, 0].detach().numpy()
    found = ran(library, "m", x[:, 0].numpy().copy(), numpy.empty_like(expected))
    numpy.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_activations_are_exact_where_they_have_to_be(tmp_path: Path) -> None:
    places = numpy.concatenate(
        [numpy.linspace(-120, 120, 4001), [0.0, -0.0, 1e-30, numpy.inf, -numpy.inf, numpy.nan]]
    )
    exact: Any = {
        "exp": numpy.exp,
        "tanh": numpy.tanh,
        "sigmoid": lambda v: 1 / (1 + numpy.exp(-v)),
    }
    for dtype, fast, bound in (
        ("float", False, 3 * 2**-23), ("double", False, 4 * 2**-52), ("float", True, 2e-4),
    ):  # fmt: skip
        known = functions(dtype, fast)
        text = "\n".join(known[each] for each in ("real_bits", *(f"real_{n}" for n in exact)))
        loops = "\n".join(
            f"void all_{n}(const real *x, real *y, int n) "
            f"{{ for (int k = 0; k < n; k++) y[k] = real_{n}(x[k]); }}"
            for n in exact
        )
        head = f"#include <math.h>\n#include <stdint.h>\ntypedef {dtype} real;\n"
        folder = tmp_path / f"{dtype}{fast}"
        folder.mkdir()
        (folder / "f.c").write_text(f"{head}{text}\n{loops}\n")
        library = compiled(folder, ["f"])
        x = places.astype({"float": "float32", "double": "float64"}[dtype])
        for name, function in exact.items():
            y = numpy.empty_like(x)
            pointers = (each.ctypes.data_as(ctypes.c_void_p) for each in (x, y))
            getattr(library, f"all_{name}")(*pointers, len(x))
            with numpy.errstate(all="ignore"):
                wanted = function(x.astype("longdouble"))
                inside = numpy.isfinite(wanted) & (wanted < numpy.finfo(x.dtype).max)
                told = numpy.abs(y - wanted)[inside] / numpy.maximum(
                    numpy.abs(wanted)[inside], numpy.finfo(x.dtype).tiny
                )
            assert told.max() < bound, (dtype, fast, name)
            assert numpy.isnan(y[-1])
            assert y[-3:-1].tolist() == function(numpy.array([numpy.inf, -numpy.inf])).tolist()


@pytest.mark.parametrize("compiler", [("clang", "-std=c99"), ("g++", "-std=c++17", "-x", "c++")])
def test_other_compilers_warn_of_nothing(compiler: tuple[str, ...], tmp_path: Path) -> None:
    if shutil.which(compiler[0]) is None:
        pytest.skip(f"{compiler[0]} is not installed")
    export(layer(unrolled.cells.slstm), tmp_path, name="a")
    export(unrolled.LSTM(3, 5, bidirectional=True), tmp_path, name="b", max_steps=9)
    model = ManyToMany(unrolled.cells.lstm_layernorm, Symbols(4), 6, Symbols(3))
    export(model, tmp_path, name="c", weights="beside")
    files = [str(tmp_path / f"{name}.c") for name in "abc"]
    done = subprocess.run(
        [*compiler, *STRICT, "-O1", "-c", *files],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


ARM = {
    "arm-linux-gnueabihf-gcc": ("qemu-arm", "/usr/arm-linux-gnueabihf"),
    "aarch64-linux-gnu-gcc": ("qemu-aarch64", "/usr/aarch64-linux-gnu"),
}


@pytest.mark.parametrize("compiler", list(ARM))
def test_processors_of_arm_compute_the_same(compiler: str, tmp_path: Path) -> None:
    runner, root = ARM[compiler]
    if shutil.which(compiler) is None or shutil.which(runner) is None:
        pytest.skip(f"{compiler} or {runner} is not installed")
    module = unrolled.LSTM(3, 5)
    export(module, tmp_path, name="m")
    x = torch.randn(STEPS, 1, 3)
    numbers = ", ".join(f"{value!r}f" for value in x.flatten().tolist())
    (tmp_path / "main.c").write_text(
        f"""#include "m.h"
#include <stdio.h>
int main(void)
{{
    static const float x[] = {{{numbers}}};
    static float y[{STEPS} * M_OUTPUT];
    m_state state;
    m_reset(&state);
    m_run(&state, x, {STEPS}, y);
    for (int k = 0; k < {STEPS} * M_OUTPUT; k++) printf("%.9g\\n", (double)y[k]);
    return 0;
}}
"""
    )
    build = [compiler, "-std=c99", *STRICT, "-O3", "m.c", "main.c", "-o", "main", "-lm"]
    subprocess.run(build, cwd=tmp_path, check=True)
    told = subprocess.run(
        [runner, "-L", root, str(tmp_path / "main")], capture_output=True, text=True, check=True
    )
    expected = module(x)[0][:, 0].detach().flatten().tolist()
    assert list(map(float, told.stdout.split())) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (lambda: nn.Linear(3, 4), {}, "Linear cannot be exported: recurrent layers"),
        (lambda: nn.Sequential(nn.Linear(3, 3), nn.GRU(3, 4)), {}, "export its part '1'"),
        (
            lambda: EncoderDecoder(unrolled.cells.gru, Symbols(3), 4, Symbols(3)),
            {}, "EncoderDecoder cannot be exported",
        ),
        (lambda: unrolled.GRU(3, 4, bidirectional=True), {}, "give max_steps="),
        (lambda: unrolled.GRU(3, 4), {"max_steps": 0}, "max_steps must be from 1 to 1,048,576"),
        (lambda: unrolled.GRU(3, 4), {"dtype": "half"}, "dtype must be float or double"),
        (lambda: unrolled.GRU(3, 4), {"weights": "none"}, "weights must be inside or beside"),
        (lambda: unrolled.GRU(3, 4), {"speed": 3}, "no option 'speed' of this language"),
        (lambda: unrolled.GRU(3, 4), {"name": "2x"}, "'2x' is no name that functions of C"),
        (lambda: unrolled.GRU(3, 4), {"name": "while"}, "'while' is no name"),
        (lambda: unrolled.GRU(3, 4), {"to": "fortran"}, "--to must be one of c"),
    ],
)  # fmt: skip
def test_what_cannot_be_exported_is_named(
    make: Any, options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=message):
        export(make(), tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_files_are_whole_and_not_replaced(tmp_path: Path) -> None:
    module = unrolled.GRU(3, 4)
    files = export(module, tmp_path / "voice")
    assert [each.name for each in files] == ["voice.h", "voice.c"]
    text = files[1].read_text()
    with pytest.raises(UserError, match=r"voice\.h is there already: say --overwrite"):
        export(module, tmp_path / "voice")
    export(unrolled.GRU(3, 5), tmp_path / "voice", overwrite=True)
    assert files[1].read_text() != text
    with torch.no_grad():
        module.weight_hh_l0[0, 0] = torch.nan
    with pytest.raises(UserError, match="W_hr_l0 has 1 numbers that are not finite"):
        export(module, tmp_path / "other")
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="is a file: C is written into a folder"):
        export(unrolled.GRU(3, 5), tmp_path / "file")
    assert not list(tmp_path.rglob("*.partial"))
