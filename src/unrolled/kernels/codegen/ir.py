"""Writing LLVM IR: names for values, loops, and memory access, line by line."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple, final

Integer = str | int
"""An i64: the name of a value, or a number that is known when the text is written."""


@final
@dataclass(frozen=True)
class Target:
    """What the text is written for.

    Attributes:
        dtype: "float" or "double".
        vector_bytes: the width of a vector register.
        registers: how many vector registers there are.
        cpu: LLVM's name of the processor.
        features: LLVM's list of what it can do, such as ``+avx2,+fma``.
    """

    dtype: str
    vector_bytes: int
    registers: int
    cpu: str = ""
    features: str = ""

    @property
    def bytes(self) -> int:
        """The size of one number."""
        return 4 if self.dtype == "float" else 8

    @property
    def lanes(self) -> int:
        """How many numbers a vector register holds."""
        return self.vector_bytes // self.bytes

    @property
    def has_avx512(self) -> bool:
        """Whether the instructions of AVX-512 can be used."""
        return self.vector_bytes == 64 and "+avx512f" in self.features

    @property
    def vector(self) -> str:
        """The type of a vector."""
        return f"<{self.lanes} x {self.dtype}>"

    @property
    def integers(self) -> str:
        """The type of a vector of integers as wide as the numbers."""
        return f"<{self.lanes} x i{8 * self.bytes}>"

    @property
    def mask(self) -> str:
        """The type of a vector of conditions."""
        return f"<{self.lanes} x i1>"

    def number(self, value: float) -> str:
        """Return a number as LLVM reads it: the bits of its double."""
        if self.dtype == "float":
            value = struct.unpack("f", struct.pack("f", value))[0]
        return f"0x{struct.unpack('Q', struct.pack('d', value))[0]:016X}"

    def splat(self, value: float) -> str:
        """Return a vector constant with one value in all lanes."""
        return f"splat ({self.dtype} {self.number(value)})"

    def integer_splat(self, value: int) -> str:
        """Return a vector constant of integers."""
        return f"splat (i{8 * self.bytes} {value})"


class Loop(NamedTuple):
    """A loop that is being written."""

    at: str  # the index
    carried: list[str]  # the values at the start of the body; replaced by those for the next turn


@final
class Function:
    """The body of one LLVM function, written from top to bottom."""

    def __init__(self, head: str, target: Target) -> None:
        self.head = head
        self.target = target
        self.lines: list[str] = ["entry:"]
        self.label = "entry"
        self.count = 0

    def name(self, stem: str = "") -> str:
        """Return a name that was not used before."""
        self.count += 1
        return f"%{stem or 'v'}{self.count}"

    def do(self, text: str) -> None:
        """Write an instruction without a value."""
        self.lines.append(f"  {text}")

    def let(self, text: str, stem: str = "") -> str:
        """Write an instruction with a value; return the value's name."""
        name = self.name(stem)
        self.do(f"{name} = {text}")
        return name

    # Arithmetic of whole numbers, which are values or known now.

    def add(self, a: Integer, b: Integer) -> str:
        """Return a + b."""
        return self.let(f"add nsw i64 {a}, {b}")

    def sub(self, a: Integer, b: Integer) -> str:
        """Return a - b."""
        return self.let(f"sub nsw i64 {a}, {b}")

    def mul(self, a: Integer, b: Integer) -> str:
        """Return a * b."""
        return self.let(f"mul nsw i64 {a}, {b}")

    def div(self, a: Integer, b: Integer) -> str:
        """Return a / b, rounded towards 0."""
        return self.let(f"sdiv i64 {a}, {b}")

    def least(self, a: Integer, b: Integer) -> str:
        """Return the lesser of two."""
        return self.let(f"call i64 @llvm.smin.i64(i64 {a}, i64 {b})")

    # Blocks.

    def begin(self, label: str) -> None:
        """Start the block of a label."""
        self.lines.append(f"{label}:")
        self.label = label

    @contextmanager
    def loop(
        self,
        stem: str,
        start: Integer,
        stop: Integer,
        step: Integer = 1,
        carried: Sequence[tuple[str, str]] = (),
    ) -> Iterator[Loop]:
        """Write a loop while an i64 is below `stop`; `carried` are (type, first value)."""
        self.count += 1
        names = {part: f"{stem}.{part}{self.count}" for part in ("head", "body", "done")}
        before = self.label
        self.do(f"br label %{names['head']}")
        self.begin(names["head"])
        index = self.name(stem)
        phis = [self.name(f"{stem}.c") for _ in carried]
        place = len(self.lines)  # the phis go here, once the values of the next turn are known
        more = self.let(f"icmp slt i64 {index}, {stop}")
        self.do(f"br i1 {more}, label %{names['body']}, label %{names['done']}")
        self.begin(names["body"])
        inside = Loop(index, list(phis))
        yield inside
        following = self.add(index, step)
        self.do(f"br label %{names['head']}")
        phi_lines = [f"  {index} = phi i64 [{start}, %{before}], [{following}, %{self.label}]"]
        for phi, (kind, first), last in zip(phis, carried, inside.carried, strict=True):
            phi_lines.append(f"  {phi} = phi {kind} [{first}, %{before}], [{last}, %{self.label}]")
        self.lines[place:place] = phi_lines
        self.begin(names["done"])
        inside.carried[:] = phis

    @contextmanager
    def when(self, condition: str) -> Iterator[None]:
        """Write what is done only where a condition holds; values made in it end with it."""
        self.count += 1
        then, done = f"then{self.count}", f"done{self.count}"
        self.do(f"br i1 {condition}, label %{then}, label %{done}")
        self.begin(then)
        yield
        self.do(f"br label %{done}")
        self.begin(done)

    @contextmanager
    def cases(self, value: str, numbers: Sequence[int]) -> Iterator[Iterator[int]]:
        """Write what is done for some values of an i64; the first stands for every other."""
        self.count += 1
        names = {number: f"case{self.count}.{number}" for number in numbers}
        done = f"done{self.count}"
        others = " ".join(f"i64 {number}, label %{name}" for number, name in names.items())
        self.do(f"switch i64 {value}, label %{names[numbers[0]]} [{others}]")

        def each() -> Iterator[int]:
            for number, name in names.items():
                self.begin(name)
                yield number
                self.do(f"br label %{done}")

        yield each()
        self.begin(done)

    def text(self) -> str:
        """Return the whole function."""
        return "\n".join([f"{self.head} {{", *self.lines, "}"])

    # Addresses and memory.

    def at(self, base: str, index: Integer, kind: str | None = None) -> str:
        """Return the address of an element."""
        return self.let(
            f"getelementptr inbounds {kind or self.target.dtype}, ptr {base}, i64 {index}"
        )

    def row(self, base: str, number: Integer, stride: Integer) -> str:
        """Return the address of a row's first element."""
        return self.at(base, self.mul(number, stride))

    def load(self, kind: str, address: str) -> str:
        """Load a value, aligned as its elements are."""
        align = {"ptr": 8, "i64": 8}.get(kind, self.target.bytes)
        return self.let(f"load {kind}, ptr {address}, align {align}")

    def store(self, kind: str, value: str, address: str) -> None:
        """Store a value."""
        self.do(f"store {kind} {value}, ptr {address}, align {self.target.bytes}")

    def store_pointer(self, value: str, address: str) -> None:
        """Store an address."""
        self.do(f"store ptr {value}, ptr {address}, align 8")

    def first_lanes(self, count: int) -> str | None:
        """Return the mask of the first lanes; None for all."""
        lanes = self.target.lanes
        if count >= lanes:
            return None
        return f"<{', '.join(f'i1 {int(lane < count)}' for lane in range(lanes))}>"

    def mask(self, count: str) -> str:
        """Return the mask of the first lanes, as many as the i64 `count` says."""
        lanes = self.target.lanes
        kind = f"<{lanes} x i64>"
        one = self.let(f"insertelement {kind} poison, i64 {count}, i64 0")
        zeros = f"<{lanes} x i32> zeroinitializer"
        everywhere = self.let(f"shufflevector {kind} {one}, {kind} poison, {zeros}")
        numbers = ", ".join(f"i64 {lane}" for lane in range(lanes))
        return self.let(f"icmp slt {kind} <{numbers}>, {everywhere}")

    def load_lanes(self, address: str, mask: str | None) -> str:
        """Load a vector; 0 in the lanes that the mask leaves out."""
        kind = self.target.vector
        if mask is None:
            return self.load(kind, address)
        suffix = f"v{self.target.lanes}f{8 * self.target.bytes}"
        return self.let(
            f"call {kind} @llvm.masked.load.{suffix}.p0(ptr {address}, i32 {self.target.bytes}, "
            f"{self.target.mask} {mask}, {kind} zeroinitializer)"
        )

    def store_lanes(self, value: str, address: str, mask: str | None) -> None:
        """Store a vector, but for the lanes that the mask leaves out."""
        kind = self.target.vector
        if mask is None:
            self.store(kind, value, address)
            return
        suffix = f"v{self.target.lanes}f{8 * self.target.bytes}"
        self.do(
            f"call void @llvm.masked.store.{suffix}.p0({kind} {value}, ptr {address}, "
            f"i32 {self.target.bytes}, {self.target.mask} {mask})"
        )

    def broadcast(self, value: str) -> str:
        """Return a vector with a number in all lanes."""
        target = self.target
        one = self.let(f"insertelement {target.vector} poison, {target.dtype} {value}, i64 0")
        zeros = f"<{target.lanes} x i32> zeroinitializer"
        return self.let(f"shufflevector {target.vector} {one}, {target.vector} poison, {zeros}")
