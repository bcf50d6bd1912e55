"""The text that asks tensors what they are: a loop over PyTorch's C functions.

A table is a list of 64-bit numbers: how many tensors there are, the worst verdict, then `COLUMNS`.
"""

from __future__ import annotations

from .ir import Function, Target

FITS, SCATTERED, WRONG = range(3)
"""What is said of a tensor: it is as expected; all but contiguous; anything else."""

HEADER = 2
"""Numbers of a table before its columns: how many tensors there are, the worst that is said."""

COLUMNS = ("tensor", "address", "itemsize", "dtype", "count", "width")
"""Of a table, each with a number for every tensor."""

ANY = -1
"""Instead of a dtype or a count that does not matter."""

FUNCTIONS = {
    "layout": "aoti_torch_get_layout",
    "device": "aoti_torch_get_device_type",
    "dtype": "aoti_torch_get_dtype",
    "numel": "aoti_torch_get_numel",
    "dim": "aoti_torch_get_dim",
    "sizes": "aoti_torch_get_sizes",
    "strides": "aoti_torch_get_strides",
    "offset": "aoti_torch_get_storage_offset",
    "extent": "aoti_torch_get_storage_size",
    "address": "aoti_torch_get_data_ptr",
}
"""PyTorch's functions of a tensor and of where the answer goes; they return 0 unless they fail."""

NARROW = ("layout", "device", "dtype")
"""Answers of 32 bits; the others have 64."""


def text(target: Target) -> str:
    """The module: ``inspect`` fills in the addresses of a table, and the worst of all verdicts."""
    f = Function("define void @inspect(ptr %table)", target)
    answers = {name: f.let("alloca i64, align 8", name) for name in FUNCTIONS}

    def ask(tensor: str, *names: str) -> tuple[str, list[str]]:
        """Whether PyTorch answers all of some questions, and the answers."""
        failed, found = "0", []
        for name in names:
            kind = "i32" if name in NARROW else "i64"
            code = f.let(f"call i32 @{FUNCTIONS[name]}(ptr {tensor}, ptr {answers[name]})")
            failed = f.let(f"or i32 {failed}, {code}")
            value = f.let(f"load {kind}, ptr {answers[name]}, align 4")
            found.append(value if kind == "i64" else f.let(f"sext i32 {value} to i64"))
        return f.let(f"icmp eq i32 {failed}, 0"), found

    def same(value: str, expected: str) -> str:
        """Whether a number is the expected one, or any will do."""
        free = f.let(f"icmp slt i64 {expected}, 0")
        return f.let(f"or i1 {free}, {f.let(f'icmp eq i64 {value}, {expected}')}")

    def every(*conditions: str) -> str:
        first, *others = conditions
        for other in others:
            first = f.let(f"and i1 {first}, {other}")
        return first

    count = f.load("i64", "%table")
    worst, verdict = f.at("%table", "1", "i64"), f.let("alloca i64, align 8", "verdict")
    f.do(f"store i64 {FITS}, ptr {worst}, align 8")
    with f.loop("i", "0", count) as loop:
        first = f.at("%table", f.let(f"add nsw i64 {loop.at}, {HEADER}"), "i64")
        places = [first]
        for _ in COLUMNS[1:]:
            places.append(f.at(places[-1], count, "i64"))
        entry, into, *rest = places
        itemsize, dtype, numbers, width = (f.load("i64", place) for place in rest)
        f.do(f"store i64 {WRONG}, ptr {verdict}, align 8")
        answered, (layout, device, kind) = ask(entry, "layout", "device", "dtype")
        plain = f.let(f"icmp eq i64 {f.let(f'or i64 {layout}, {device}')}, 0")
        with f.when(every(answered, plain, same(kind, dtype))):
            answered, found = ask(
                entry, "numel", "dim", "sizes", "strides", "offset", "extent", "address"
            )
            numel, dim, sizes, strides, offset, extent, address = found
            dim = f.let(f"select i1 {answered}, i64 {dim}, i64 0")  # nested tensors do not answer
            sizes, strides = (f.let(f"inttoptr i64 {p} to ptr") for p in (sizes, strides))
            carried = [("i64", "0"), ("i64", "1"), ("i1", "true"), ("i64", "1")]
            with f.loop("d", "0", dim, carried=carried) as dims:
                reach, dense, contiguous, last = dims.carried
                place = f.let(f"sub nsw i64 {f.let(f'sub nsw i64 {dim}, 1')}, {dims.at}")
                size = f.load("i64", f.at(sizes, place, "i64"))
                stride = f.load("i64", f.at(strides, place, "i64"))
                step = f.let(f"mul nsw i64 {f.let(f'sub nsw i64 {size}, 1')}, {stride}")
                one = f.let(f"icmp eq i64 {size}, 1")
                beside = f.let(f"icmp eq i64 {stride}, {dense}")
                is_last = f.let(f"icmp eq i64 {dims.at}, 0")
                dims.carried[:] = [
                    f.let(f"add nsw i64 {reach}, {step}"),
                    f.let(f"mul nsw i64 {dense}, {size}"),
                    every(contiguous, f.let(f"or i1 {one}, {beside}")),
                    f.let(f"select i1 {is_last}, i64 {size}, i64 {last}"),
                ]
            reach, _, contiguous, last = dims.carried
            empty = f.let(f"icmp eq i64 {numel}, 0")
            end = f.let(f"add nsw i64 {f.let(f'add nsw i64 {offset}, {reach}')}, 1")
            inside = f.let(f"icmp sle i64 {f.let(f'mul nsw i64 {end}, {itemsize}')}, {extent}")
            base = f.let(f"sub i64 {address}, {f.let(f'mul nsw i64 {offset}, {itemsize}')}")
            there = every(inside, f.let(f"icmp ne i64 {base}, 0"))
            free = f.let(f"icmp slt i64 {numbers}, 0")
            fits = every(same(numel, numbers), f.let(f"or i1 {free}, {same(last, width)}"))
            with f.when(every(answered, fits, f.let(f"or i1 {empty}, {there}"))):
                f.do(f"store i64 {address}, ptr {into}, align 8")
                dense = f.let(f"or i1 {empty}, {contiguous}")
                said = f.let(f"select i1 {dense}, i64 {FITS}, i64 {SCATTERED}")
                f.do(f"store i64 {said}, ptr {verdict}, align 8")
        known, said = f.load("i64", worst), f.load("i64", verdict)
        f.do(f"store i64 {f.let(f'call i64 @llvm.smax.i64(i64 {known}, i64 {said})')}, ptr {worst}")
    f.do("ret void")
    declared = [f"declare i32 @{name}(ptr, ptr)" for name in FUNCTIONS.values()]
    return "\n".join([*declared, "", f.text()])
