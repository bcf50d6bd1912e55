"""What a kernel is handed: where it is declared, and that nothing is run if it does not fit."""

import itertools
import struct
from collections import Counter
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from kernels import comparison
from kernels.comparison import KINDS, compare
from unrolled.cells import CELLS
from unrolled.kernels.codegen import fields
from unrolled.kernels.codegen import launcher as launcher_text
from unrolled.kernels.codegen.arguments import Arguments
from unrolled.kernels.codegen.ir import Function
from unrolled.kernels.runtime import abi, launcher
from unrolled.kernels.runtime.abi import (
    ANY,
    FITS,
    HEADER,
    SCATTERED,
    WORD,
    WRONG,
    ArgumentBlock,
    Buffer,
    Role,
    Rows,
)
from unrolled.kernels.runtime.code import Code
from unrolled.kernels.runtime.jit import host
from unrolled.kernels.runtime.launch import Place, Template
from unrolled.kernels.runtime.launcher import Form, Table, dtype_number, slow

from .loop import Loop


def peephole() -> Loop:
    return Loop("lstm_peephole")


def buffers(loop: Loop) -> list[Buffer]:
    return [field.buffer for field in loop.kernel.block.fields]


# Words.


def test_scalars_come_first_then_two_words_for_each_buffer() -> None:
    block = ArgumentBlock(["rows", "steps"])
    old, new = Buffer(Role.OLD, "h"), Buffer(Role.NEW, "h")
    first = block.declare(old, Rows.STEP, 20, 17)
    second = block.declare(new, Rows.BATCH, 17, 17)
    assert (block.scalar("rows"), block.scalar("steps")) == (0, 1)
    assert [block.address(first), block.starts(first)] == [2, 3]
    assert [block.address(second), block.starts(second)] == [4, 5]
    assert block.size == 6


def test_a_buffer_is_declared_by_the_first_who_uses_it() -> None:
    block = ArgumentBlock([])
    buffer = Buffer(Role.OLD, "h")
    assert buffer not in block
    first = block.declare(buffer, Rows.STEP, 20, 17)
    assert block.declare(buffer, Rows.STEP, 20, 17) is first
    assert block.field(buffer) is first
    assert block.fields == [first]
    assert buffer in block
    assert Buffer(Role.NEW, "h") not in block


def test_buffers_in_words() -> None:
    assert [str(Buffer(Role.INPUT, "x")), str(Buffer(Role.STORE))] == ["input x", "store"]


# Another order.


X, H, Y = Buffer(Role.INPUT, "x"), Buffer(Role.OLD, "h"), Buffer(Role.NEW, "h")


def sums(order: tuple[Buffer, ...], scalars: list[str]) -> tuple[Code, ArgumentBlock]:
    """A kernel: each row of Y becomes that of X plus three times that of H, two numbers wide."""
    block, target = ArgumentBlock(scalars), host("double")
    for buffer in order:
        block.declare(buffer, Rows.BATCH, stride=2, width=2)
    texts = []
    for name in ("run", "run_shard"):
        f = Function(f"define void @{name}(ptr %arguments)", target)
        read = Arguments(f, block)
        x, h, y = (read.address(buffer) for buffer in (X, H, Y))
        count = f.let(f"mul i64 {read.scalar('rows')}, 2")
        with f.loop("i", "0", count) as loop:
            a, b = (f.load("double", f.at(base, loop.at)) for base in (x, h))
            total = f.let(f"fadd double {a}, {f.let(f'fmul double {b}, 3.0')}")
            f.do(f"store double {total}, ptr {f.at(y, loop.at)}, align 8")
        f.do("ret void")
        texts.append(f.text())
    return Code("\n\n".join(texts), target), block


def test_the_order_of_buffers_and_operands_changes_nothing(inspector: str) -> None:
    given = {X: torch.rand(4, 2), H: torch.rand(4, 2), Y: torch.full((4, 2), torch.nan)}
    given = {buffer: tensor.double() for buffer, tensor in given.items()}
    expected = given[X] + 3 * given[H]
    places = {buffer: Place(buffer) for buffer in given}
    for number, order in enumerate(itertools.permutations(given)):
        code, block = sums(order, ["rows", "unread"] if number % 2 else ["unread", "rows"])
        known = {"rows": 3, "unread": 9}
        for operands in itertools.permutations(given):
            given[Y].fill_(torch.nan)
            forms = {buffer: Form(str(buffer), (4, 2)) for buffer in operands}
            template = Template("sums", code, block, forms, places, {}, torch.float64, 1, known)
            template.at().run([given[buffer] for buffer in operands])
            torch.testing.assert_close(given[Y][:3], expected[:3], rtol=1e-15, atol=0)
            assert given[Y][3].isnan().all()


def test_what_is_written_is_never_a_copy() -> None:
    """Kernels read copies of tensors that are not contiguous; into one nobody would look."""
    loop = Loop("rnn_tanh")
    launch = loop.launch()
    for buffer, tensor in loop.tensors.items():
        if tensor.dim() < 2:
            continue
        given = {**loop.tensors, buffer: tensor.mT.contiguous().mT}
        if buffer.role is not Role.PAIR:
            launch.run(list(given.values()))
            continue
        with pytest.raises(RuntimeError, match="pair h is written, and should be contiguous"):
            launch.run(list(given.values()))


def test_a_scalar_that_nobody_gives_is_an_error() -> None:
    code, block = sums((X, H, Y), ["rows", "unread"])
    forms = {buffer: Form(str(buffer), (4, 2)) for buffer in (X, H, Y)}
    places = {buffer: Place(buffer) for buffer in forms}
    with pytest.raises(RuntimeError, match="sums: nothing gives the scalar unread"):
        Template("sums", code, block, forms, places, {}, torch.float64, 1, {"rows": 3})
    loop = Loop("rnn_tanh")
    with pytest.raises(RuntimeError, match="nothing says where the rows of steps stand"):
        loop.template().at()


def test_buffers_of_a_kernel_in_the_opposite_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its scalars, too."""
    loop = peephole()
    known = loop.kernel.block

    def turned(scalars: list[str]) -> ArgumentBlock:
        block = ArgumentBlock(scalars[::-1])
        for buffer, _, rows, stride, width in reversed(known.fields):
            block.declare(buffer, rows, stride, width)
        return block

    monkeypatch.setattr(fields, "ArgumentBlock", turned)
    other = peephole()
    assert other.kernel.block.scalars == known.scalars[::-1]
    assert buffers(other) == buffers(loop)[::-1]
    other.tensors = {buffer: tensor.clone() for buffer, tensor in loop.tensors.items()}
    for threads, shards in ((1, (1, 0, 4)), (2, (3, 0, 1, 3, 4)), (2, (0,))):
        for each in (loop, other):
            each.forget()
            each.launch(threads, shards).run(each.given)
            each.check()
        for name in loop.step.states:
            assert other.state(name).equal(loop.state(name))


@pytest.mark.broad
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["lstm_peephole", "gru_reset_before", "lstm_layernorm"])
def test_nobody_else_counts_words(name: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also kernels of training and of weight gradients read them where the block says."""
    room = 200
    monkeypatch.setattr(comparison, "known", {})
    monkeypatch.setattr(ArgumentBlock, "address", lambda self, field: 3 * (room - field.place))
    monkeypatch.setattr(ArgumentBlock, "starts", lambda self, field: 3 * (room - field.place) - 1)
    monkeypatch.setattr(ArgumentBlock, "scalar", lambda self, s: 3 * self.scalars.index(s) + 1)
    monkeypatch.setattr(ArgumentBlock, "size", 3 * room + 2)
    compare(CELLS[name].graph, "forward", kind=kind)
    compare(CELLS[name].graph, "ragged reverse", kind=kind)


def test_the_table_of_the_launcher_in_another_order(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = peephole()
    for module in (abi, launcher, launcher_text):
        monkeypatch.setattr(module, "HEADER", ("unread", *HEADER[::-1]))
    monkeypatch.setattr(launcher, "FIRST", (1 + len(HEADER)) * WORD)
    launcher.functions.cache_clear()
    try:
        loop.launch().run(loop.given)
        loop.check()
        loop.forget()
        loop.launch(2, (2, 0, 2, 4)).run(loop.given)
        loop.check()
    finally:
        launcher.functions.cache_clear()


# What does not fit.


def test_a_buffer_that_is_bound_to_nothing() -> None:
    for buffer in buffers(peephole()):
        loop = peephole()
        del (loop.workspace if buffer in loop.workspace else loop.bindings)[buffer]
        message = f"^lstm_peephole: nothing is bound to the buffer {buffer}$"
        with pytest.raises(RuntimeError, match=message):
            loop.launch()


def test_a_buffer_that_reaches_beyond_its_operand() -> None:
    """By one number. Of a step's rows those count that are taken, and all before them."""
    loop, own = peephole(), Buffer(Role.STORE)
    loop.own_workspace()
    rows = {Role.OLD: 5 * 17, Role.NEW: 9 * 17, Role.INPUT: 5 * 3}
    for buffer in buffers(loop):
        place = loop.bindings[buffer]
        takes = rows.get(buffer.role, loop.tensors[place.operand].numel())
        for before, missing in itertools.product((0, 3), (0, 1)):
            loop.tensors[own] = torch.empty(before + takes - missing, dtype=torch.float64)
            loop.bindings[buffer] = Place(own, before)
            if not missing:
                loop.launch()
                continue
            message = f"the buffer {buffer} takes {takes} numbers, {takes - 1} are there$"
            with pytest.raises(RuntimeError, match=f"^lstm_peephole: {message}"):
                loop.launch()
        loop.bindings[buffer] = place


def test_workspace_that_is_too_small() -> None:
    loop = peephole()
    for buffer, count in loop.workspace.items():
        loop.workspace[buffer] = count - 1
        message = f"the buffer {buffer} takes {count} numbers, {count - 1} are there$"
        with pytest.raises(RuntimeError, match=message):
            loop.launch()
        loop.workspace[buffer] = count
    loop.launch()


def cut(tensor: Tensor, size: int) -> Tensor:
    """The tensor, whose storage has so many bytes left."""
    tensor.untyped_storage().resize_(size)
    return tensor


FAULTS: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "a row less": (lambda t: t[1:], r"shape \("),
    "other columns": (lambda t: t.unsqueeze(-1), r"shape \(.*1\)"),
    "float32": (lambda t: t.float(), r"torch\.float32"),
    "int64": (lambda t: t.long(), r"torch\.int64"),
    "complex": (lambda t: t.to(torch.complex64), r"torch\.complex64"),
    "without memory": (lambda t: t.to("meta"), "device meta"),
    "sparse": (lambda t: t.to_sparse(), r"layout torch\.sparse_coo"),
    "freed": (lambda t: cut(t.clone(), 0), "of a storage that has 0"),
    "a byte less": (lambda t: cut(t.clone(), t.nbytes - 1), "of a storage that has [1-9]"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_tensor_that_does_not_fit(fault: str, inspector: str) -> None:
    """Nothing is written before it is refused; what fits is run as if nothing had been."""
    loop = peephole()
    launch = loop.launch()
    make, what = FAULTS[fault]
    for operand, tensor in loop.tensors.items():
        loop.forget()
        before = [each.clone() for each in loop.given]
        given = [make(v) if buffer == operand else v for buffer, v in loop.tensors.items()]
        shape = ", ".join(map(str, tensor.shape))
        expected = rf"the {operand} should be torch\.float64 of shape \({shape},?\), got .*{what}"
        with pytest.raises(RuntimeError, match=f"^lstm_peephole: {expected}"):
            launch.run(given)
        assert all(a.equal(b) for a, b in zip(loop.given, before, strict=True))
        launch.run(loop.given)
        loop.check()


def test_tensors_are_looked_at_before_every_launch(inspector: str) -> None:
    """Whatever an earlier one has found."""
    loop = peephole()
    launch = loop.launch()
    launch.run(loop.given)
    for tensor in loop.given:
        storage = tensor.untyped_storage()
        content, size = tensor.clone(), storage.nbytes()
        storage.resize_(0)
        with pytest.raises(RuntimeError, match=r"of a storage that has 0$"):
            launch.run(loop.given)
        storage.resize_(size)
        tensor.copy_(content)
    loop.forget()
    launch.run(loop.given)
    loop.check()


def test_the_first_that_does_not_fit_is_named(inspector: str) -> None:
    loop = peephole()
    first, second, *others = loop.given
    _, name, *_ = loop.tensors
    with pytest.raises(RuntimeError, match=f"^lstm_peephole: the {name} should be "):
        loop.launch().run([first, second.float(), *(other.float() for other in others)])


def test_there_are_as_many_tensors_as_operands(inspector: str) -> None:
    loop = peephole()
    launch = loop.launch()
    before = [tensor.clone() for tensor in loop.given]
    for given in (loop.given[:-1], [*loop.given, torch.rand(3)], []):
        with pytest.raises((ValueError, struct.error)):
            launch.run(given)
    assert all(a.equal(b) for a, b in zip(loop.given, before, strict=True))


# What the machine code says of a tensor.


def several() -> dict[str, Tensor]:
    """Tensors of many kinds, of six numbers most of them."""
    plain, wide = torch.rand(2, 3).double(), torch.rand(3, 4).double()
    kinds = {"float32": plain.float(), "int64": plain.long(), "meta": plain.to("meta")}
    kinds |= {"sparse": plain.to_sparse(), "mkldnn": plain.float().to_mkldnn()}
    views = {
        "turned": plain.t(),
        "flat": plain.flatten(),
        "part": plain[:, :2],
        "later": torch.rand(7).double()[1:].view(2, 3),
        "turned part": wide.t()[1:3, 1:],
        "three dimensions": plain.unsqueeze(0),
        "one in the middle": plain.t().unsqueeze(1),
        "expanded": plain[:1].expand(2, 3),
        "larger": plain.expand(4, 2, 3),
        "scalar": plain[0, 0],
        "no rows": plain[:0],
        "no columns": plain[:, :0],
        "negated": torch._neg_view(plain),
        "zeros without memory": torch._efficientzerotensor((2, 3), dtype=torch.float64),
    }
    short = {
        "freed": cut(plain.clone(), 0),
        "a byte less": cut(plain.clone(), 47),
        "freed without rows": cut(plain.clone()[:0], 0),
        "what is left": cut(plain.clone()[:, :2], 40),
        "rest": cut(plain.clone()[1:], 47),
    }
    return {"plain": plain, **kinds, **views, **short}


COUNTS = [(6, 3), (6, 2), (6, 6), (6, 1), (4, 2), (2, 1), (24, 3), (1, 1), (0, 3), (0, 0)]


@pytest.mark.skipif(launcher.functions() is None, reason="torch has no functions of C")
def test_the_machine_code_says_what_python_says() -> None:
    said = Counter[int]()
    for (name, tensor), counts in itertools.product(several().items(), [*COUNTS, (ANY, ANY)]):
        for dtype in (dtype_number(torch.float64), dtype_number(torch.float32), ANY):
            size = tensor.element_size()
            verdict, address = slow(tensor, size, dtype, *counts)
            table = Table([dtype], [size], {}, counts)
            assert table.inspect([tensor]) == verdict, (name, counts, dtype)
            if verdict != WRONG:
                assert list(table._words[table._addresses]) == [address] == [tensor.data_ptr()]
            said[verdict] += 1
    assert min(said[FITS], said[SCATTERED], said[WRONG]) > 10
    assert len(said) == 3


@pytest.mark.parametrize(
    ("name", "counts", "verdict"),
    [
        ("plain", (6, 3), FITS),
        ("plain", (6, 2), WRONG),
        ("three dimensions", (6, 3), FITS),
        ("turned", (6, 2), SCATTERED),
        ("one in the middle", (6, 2), SCATTERED),
        ("later", (6, 3), FITS),
        ("part", (4, 2), SCATTERED),
        ("expanded", (6, 3), SCATTERED),
        ("no rows", (0, 3), FITS),
        ("freed", (6, 3), WRONG),
        ("freed without rows", (0, 3), FITS),
        ("a byte less", (6, 3), WRONG),
        ("what is left", (4, 2), SCATTERED),
        ("rest", (3, 3), WRONG),
        ("float32", (6, 3), WRONG),
        ("int64", (6, 3), WRONG),
        ("meta", (6, 3), WRONG),
        ("sparse", (6, 3), WRONG),
        ("zeros without memory", (6, 3), WRONG),
    ],
)
def test_what_is_said_of_a_tensor(
    name: str, counts: tuple[int, int], verdict: int, inspector: str
) -> None:
    table = Table([dtype_number(torch.float64)], [8], {}, counts)
    assert table.inspect([several()[name]]) == verdict


def test_the_worst_is_said_of_several(inspector: str) -> None:
    kinds = several()
    table = Table([dtype_number(torch.float64)] * 2, [8, 8], {}, [6, 6, 3, 2])
    plain, turned = kinds["plain"], kinds["turned"]
    assert table.inspect([plain, turned.contiguous()]) == FITS
    assert table.inspect([plain, turned]) == SCATTERED
    assert table.inspect([kinds["freed"], turned]) == WRONG
    assert table.inspect([kinds["freed"], turned.contiguous()]) == WRONG
