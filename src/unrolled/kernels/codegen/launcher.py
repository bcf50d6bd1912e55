"""The text of the launcher: it asks tensors what they are, and hands their addresses to a kernel.

PyTorch exports the questions as functions of C. To ask all tensors of a launch in Python would cost
as much as a small kernel; here it costs some tens of nanoseconds a tensor, before every launch.
"""

from __future__ import annotations

from ..runtime.abi import (
    FITS,
    FUNCTIONS,
    HEADER,
    PARALLEL,
    SCATTERED,
    WORD,
    WRONG,
    Copy,
    Operand,
    Relocation,
    header,
)
from .ir import Function, Target

NARROW = ("layout", "device", "dtype")
"""Answers of 32 bits; the others have 64."""


def text(target: Target) -> str:
    """Return the module of three functions of the launcher's table, see `runtime.abi`.

    ``prepare`` inspects the operands; if all fit, it writes the addresses that the kernel reads and
    makes the copies before it. ``finish`` makes those after it; ``launch`` does all, runs it, and
    returns the worst that is to be said of an operand.
    """
    declared = [f"declare i32 @{name}(ptr, ptr)" for name in FUNCTIONS.values()]
    declared.append(f"declare void @{PARALLEL}(ptr, ptr, i32, i32)")
    parts = (_inspect(target), _prepare(target), _finish(target), _launch(target))
    return "\n\n".join(["\n".join(declared), *parts])


def _scalar(f: Function, name: str, kind: str = "i64") -> str:
    """Return the value of a scalar of the table."""
    return f.load(kind, f.at("%table", header(name), "i64"))


def _entry(f: Function, start: str, number: str, size: int) -> str:
    """Return where an entry of so many words stands."""
    return f.at(start, f.mul(number, size), "i64")


def _field(f: Function, entry: str, kind: type, name: str) -> str:
    """Return the value of a word of an entry."""
    return f.load("i64", f.at(entry, kind._fields.index(name), "i64"))  # pyright: ignore


def _operand(f: Function, operands: str, number: str, name: str) -> str:
    """Return where a word of an operand stands: the same words of all stand side by side."""
    column = f.mul(_scalar(f, "operands"), Operand._fields.index(name))
    return f.at(operands, f.add(column, number), "i64")


def _starts(f: Function) -> tuple[str, str, str, str]:
    """Return where operands, relocations, and the copies before and after stand."""
    operands = f.at("%table", len(HEADER), "i64")
    relocations = _entry(f, operands, _scalar(f, "operands"), len(Operand._fields))
    before = _entry(f, relocations, _scalar(f, "relocations"), len(Relocation._fields))
    after = _entry(f, before, _scalar(f, "before"), len(Copy._fields))
    return operands, relocations, before, after


def _launch(target: Target) -> str:
    f = Function("define i64 @launch(ptr %table)", target)
    f.do("call void @prepare(ptr %table)")
    with f.when(f.let(f"icmp eq i64 {_scalar(f, 'worst')}, {FITS}")):
        arguments, threads = _scalar(f, "arguments", "ptr"), _scalar(f, "threads")
        alone = f.let(f"icmp sle i64 {threads}, 1")
        with f.when(alone):
            f.do(f"call void {_scalar(f, 'function', 'ptr')}(ptr {arguments})")
        with f.when(f.let(f"xor i1 {alone}, true")):
            count = f.let(f"trunc i64 {threads} to i32")
            several = _scalar(f, "run_shard", "ptr")
            f.do(f"call void @{PARALLEL}(ptr {several}, ptr {arguments}, i32 {count}, i32 0)")
        f.do("call void @finish(ptr %table)")
    f.do(f"ret i64 {_scalar(f, 'worst')}")
    return f.text()


def _prepare(target: Target) -> str:
    f = Function("define void @prepare(ptr %table)", target)
    f.do("call void @inspect(ptr %table)")
    with f.when(f.let(f"icmp eq i64 {_scalar(f, 'worst')}, {FITS}")):
        operands, relocations, before, _ = _starts(f)
        arguments = _scalar(f, "arguments", "ptr")
        with f.loop("r", 0, _scalar(f, "relocations")) as loop:
            entry = _entry(f, relocations, loop.at, len(Relocation._fields))
            operand = _field(f, entry, Relocation, "operand")
            address = _address(f, operands, operand, _field(f, entry, Relocation, "offset"))
            word = f.at(arguments, _field(f, entry, Relocation, "word"), "i64")
            f.do(f"store i64 {address}, ptr {word}, align 8")
        arrived = _scalar(f, "arrived")
        with f.when(f.let(f"icmp sge i64 {arrived}, 0")):
            f.do(f"store i64 0, ptr {f.at(arguments, arrived, 'i64')}, align 8")
        _copies(f, operands, before, _scalar(f, "before"))
    f.do("ret void")
    return f.text()


def _finish(target: Target) -> str:
    f = Function("define void @finish(ptr %table)", target)
    operands, _, _, after = _starts(f)
    _copies(f, operands, after, _scalar(f, "after"))
    f.do("ret void")
    return f.text()


def _address(f: Function, operands: str, operand: str, offset: str) -> str:
    """Return the address of a byte of an operand."""
    address = f.load("i64", _operand(f, operands, operand, "address"))
    return f.let(f"add i64 {address}, {offset}")


def _copies(f: Function, operands: str, start: str, count: str) -> None:
    with f.loop("c", 0, count) as loop:
        entry = _entry(f, start, loop.at, len(Copy._fields))
        source, source_at, target, target_at, size, times = (
            _field(f, entry, Copy, name) for name in Copy._fields
        )
        source = f.let(f"inttoptr i64 {_address(f, operands, source, source_at)} to ptr")
        first = _address(f, operands, target, target_at)
        with f.loop("t", 0, times) as turn:
            target = f.let(f"add i64 {first}, {f.mul(turn.at, size)}")
            target = f.let(f"inttoptr i64 {target} to ptr")
            sizes = f"i64 {size}, i1 false"
            f.do(f"call void @llvm.memcpy.p0.p0.i64(ptr {target}, ptr {source}, {sizes})")


def _inspect(target: Target) -> str:
    """Return the function that fills in the addresses of operands, and the worst verdict."""
    f = Function("define internal void @inspect(ptr %table)", target)
    answers = {name: f.let("alloca i64, align 8", name) for name in FUNCTIONS}
    worst, verdict = f.at("%table", header("worst"), "i64"), f.let("alloca i64, align 8")
    f.do(f"store i64 {FITS}, ptr {worst}, align 8")
    operands = f.at("%table", len(HEADER), "i64")
    with f.loop("i", 0, _scalar(f, "operands")) as loop:
        f.do(f"store i64 {WRONG}, ptr {verdict}, align 8")
        words = {name: _operand(f, operands, loop.at, name) for name in Operand._fields}
        _judge(f, answers, words, verdict)
        known, said = f.load("i64", worst), f.load("i64", verdict)
        f.do(f"store i64 {f.let(f'call i64 @llvm.smax.i64(i64 {known}, i64 {said})')}, ptr {worst}")
    f.do("ret void")
    return f.text()


def _judge(f: Function, answers: dict[str, str], words: dict[str, str], verdict: str) -> None:
    """Store what is said of one operand, whose words stand there, and its address."""
    tensor = words["tensor"]  # PyTorch's functions take where its handle stands

    def ask(*names: str) -> tuple[str, list[str]]:
        """Return whether PyTorch answers all of some questions, and the answers."""
        failed, values = "0", []
        for name in names:
            kind = "i32" if name in NARROW else "i64"
            code = f.let(f"call i32 @{FUNCTIONS[name]}(ptr {tensor}, ptr {answers[name]})")
            failed = f.let(f"or i32 {failed}, {code}")
            value = f.let(f"load {kind}, ptr {answers[name]}, align 4")
            values.append(value if kind == "i64" else f.let(f"sext i32 {value} to i64"))
        return f.let(f"icmp eq i32 {failed}, 0"), values

    itemsize, dtype, numbers, width = (
        f.load("i64", words[name]) for name in ("itemsize", "dtype", "numbers", "width")
    )
    answered, (layout, device, kind) = ask("layout", "device", "dtype")
    plain = f.let(f"icmp eq i64 {f.let(f'or i64 {layout}, {device}')}, 0")
    with f.when(_every(f, answered, plain, _same(f, kind, dtype))):
        answered, values = ask("numel", "dim", "sizes", "strides", "offset", "extent", "address")
        numel, dim, sizes, strides, offset, extent, address = values
        dim = f.let(f"select i1 {answered}, i64 {dim}, i64 0")  # nested tensors do not answer
        reach, contiguous, last = _dimensions(f, dim, sizes, strides)
        empty = f.let(f"icmp eq i64 {numel}, 0")
        end = f.add(f.add(offset, reach), 1)
        inside = f.let(f"icmp sle i64 {f.mul(end, itemsize)}, {extent}")
        base = f.let(f"sub i64 {address}, {f.mul(offset, itemsize)}")
        there = _every(f, inside, f.let(f"icmp ne i64 {base}, 0"))
        free = f.let(f"icmp slt i64 {numbers}, 0")
        fits = _every(f, _same(f, numel, numbers), f.let(f"or i1 {free}, {_same(f, last, width)}"))
        with f.when(_every(f, answered, fits, f.let(f"or i1 {empty}, {there}"))):
            f.do(f"store i64 {address}, ptr {words['address']}, align 8")
            dense = f.let(f"or i1 {empty}, {contiguous}")
            said = f.let(f"select i1 {dense}, i64 {FITS}, i64 {SCATTERED}")
            f.do(f"store i64 {said}, ptr {verdict}, align 8")


def _dimensions(f: Function, dim: str, sizes: str, strides: str) -> tuple[str, str, str]:
    """Return the place of the last number, whether a tensor is contiguous, and its last size."""
    sizes, strides = (f.let(f"inttoptr i64 {p} to ptr") for p in (sizes, strides))
    carried = [("i64", "0"), ("i64", "1"), ("i1", "true"), ("i64", "1")]
    with f.loop("d", 0, dim, carried=carried) as dims:
        reach, dense, contiguous, last = dims.carried
        place = f.sub(f.sub(dim, 1), dims.at)
        size = f.load("i64", f.at(sizes, place, "i64"))
        stride = f.load("i64", f.at(strides, place, "i64"))
        step = f.mul(f.sub(size, 1), stride)
        one = f.let(f"icmp eq i64 {size}, 1")
        beside = f.let(f"icmp eq i64 {stride}, {dense}")
        is_last = f.let(f"icmp eq i64 {dims.at}, 0")
        dims.carried[:] = [
            f.add(reach, step),
            f.mul(dense, size),
            _every(f, contiguous, f.let(f"or i1 {one}, {beside}")),
            f.let(f"select i1 {is_last}, i64 {size}, i64 {last}"),
        ]
    reach, _, contiguous, last = dims.carried
    return reach, contiguous, last


def _same(f: Function, value: str, expected: str) -> str:
    """Return whether a number is the expected one, or any will do."""
    free = f.let(f"icmp slt i64 {expected}, 0")
    return f.let(f"or i1 {free}, {f.let(f'icmp eq i64 {value}, {expected}')}")


def _every(f: Function, *conditions: str) -> str:
    """Return whether all conditions hold."""
    first, *others = conditions
    for other in others:
        first = f.let(f"and i1 {first}, {other}")
    return first


assert WORD == 8, "the launcher reads words of 64 bits"
