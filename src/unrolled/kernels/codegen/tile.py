"""Matrix products: sums for a few rows and a few vectors of units, held in registers.

A tile holds rows times columns of sums, each a vector of units. It reads a row's numbers one by
one and multiplies each with the weights of all its columns; nothing but weights and numbers is
read in its loop. The weights are either laid out for it (`pack`), or a matrix as PyTorch holds it:
of a transposed product, whose units stand side by side there, and of few rows (`dot`), where every
unit's weights are read along its row.
"""

from __future__ import annotations

from typing import NamedTuple

from ..tuning import CHAINS, HIGHEST
from . import mathematics
from .ir import Function, Target


class Tile(NamedTuple):
    """What the text of a tile depends on.

    Attributes:
        columns: how many sums a row of the tile has in memory.
        used: the sums that are added to.
        first: whether each of them begins here, with %start, and not with what the tile holds.
        rows: how many.
        units: how many can be read of each k's weights.
        late: how many products are summed up, from 0 on, before they are added to what the sums
            begin with, which stands in the tile; 0: all are added to that one after the other. Of
            sums of sums the rounding errors add up more slowly.
        ahead: whether weights are fetched meanwhile that are going to be read next, from %ahead on.
    """

    columns: int
    used: tuple[int, ...]
    first: tuple[bool, ...]
    rows: int
    units: int
    late: int = 0
    ahead: bool = False

    @property
    def name(self) -> str:
        """Of the function, without its rows."""
        letters = "".join("s" if first else "t" for first in self.first)
        used = "_".join(map(str, self.used))
        name = f"tile_{self.columns}_{used}_{letters}_{self.units}"
        return f"{name}{f'_late_{self.late}' * bool(self.late)}{'_ahead' * self.ahead}"

    @property
    def parameters(self) -> str:
        """Of the function, but for %rows."""
        return f"{PARAMETERS}{', ptr %ahead' * self.ahead}"


def shape(products: int, units: int, target: Target) -> tuple[int, int]:
    """Return the rows and blocks of units of a tile, so that its sums stay in registers.

    Besides the sums, a number of each row and one weight have to be held. Blocks are few where
    many would stand empty.
    """
    if products == 0:
        return HIGHEST, 1
    vectors = -(-units // target.lanes)

    def cost(blocks: int) -> float:
        columns = blocks * products
        rows = _rows(columns, target)
        reads, sums = rows + columns, rows * columns
        return -(-vectors // blocks) * blocks * max(1.0, reads / sums)

    # Of equal costs the widest: fewer groups.
    blocks = min(range(max(1, 4 // products), 0, -1), key=cost)
    return _rows(blocks * products, target), blocks


def _rows(columns: int, target: Target) -> int:
    return max(1, min(HIGHEST, (target.registers - 1) // (columns + 1)))


PARAMETERS = (
    "ptr %tile, ptr %start, i64 %step, ptr %source, i64 %stride, ptr %weight, i64 %pitch, "
    "i64 %length"
)


LINE = 64
"""Bytes that a processor fetches at once."""


def tiles(tile: Tile, target: Target) -> str:
    """Write all heights of a tile, and what covers %rows rows with tiles of about equal height."""
    heights = range(1, tile.rows + 1)
    parts = [_tile(tile._replace(rows=height), target) for height in heights]
    head = f"define internal void @{tile.name}({tile.parameters}, i64 %rows) noinline"
    f = Function(head, target)
    more = f.add("%rows", tile.rows - 1)
    count = f.div(more, tile.rows)
    low = f.div("%rows", f.let(f"call i64 @llvm.smax.i64(i64 {count}, i64 1)"))
    higher = f.sub("%rows", f.mul(low, count))
    with f.loop("i", 0, count, carried=[("i64", "0")]) as loop:
        (row,) = loop.carried
        taller = f.let(f"zext i1 {f.let(f'icmp slt i64 {loop.at}, {higher}')} to i64")
        height = f.add(low, taller)
        into = f.row("%tile", row, tile.columns * target.lanes)
        start = f.row("%start", row, "%step")
        source = f.row("%source", row, "%stride")
        arguments = (
            f"ptr {into}, ptr {start}, i64 %step, ptr {source}, i64 %stride, ptr %weight, "
            "i64 %pitch, i64 %length"
        )
        if tile.ahead:
            arguments += f", ptr {_ahead(f, tile, loop.at)}"
        with f.cases(height, heights) as case:
            for number in case:
                f.do(f"call void @{tile.name}_{number}({arguments})")
        loop.carried[0] = f.add(row, height)
    f.do("ret void")
    return "\n\n".join([*parts, f.text()])


def _ahead(f: Function, tile: Tile, number: str) -> str:
    """Return what a tile fetches: the first ones share what is ahead, a line for each k.

    The others fetch what they read: nothing more is left to be done.
    """
    shares = max(1, len(tile.used) * f.target.vector_bytes // LINE)
    begin = f.mul(number, "%length")
    begin = f.mul(begin, LINE // f.target.bytes)
    share = f.at("%ahead", begin)
    is_one = f.let(f"icmp slt i64 {number}, {shares}")
    return f.let(f"select i1 {is_one}, ptr {share}, ptr %weight")


def _tile(tile: Tile, target: Target) -> str:
    """Write one height of a tile."""
    head = f"define internal void @{tile.name}_{tile.rows}({tile.parameters}) noinline"
    f = Function(head, target)
    sources = [f.row("%source", "%stride", row) for row in range(tile.rows)]
    if not tile.late:
        grown = _grown(f, tile, _begun(f, tile), sources, "%weight", "%length")
        _store(f, tile, grown)
    else:
        kind = target.vector
        with f.loop("part", 0, "%length", tile.late) as part:
            left = f.sub("%length", part.at)
            length = f.least(left, tile.late)
            weight = f.row("%weight", part.at, "%pitch")
            none = [target.splat(0)] * (tile.rows * len(tile.used))
            own = [f.at(source, part.at) for source in sources]
            grown = _grown(f, tile, none, own, weight, length)
            pairs = zip(_begun(f, tile), grown, strict=True)
            _store(f, tile, [f.let(f"fadd {kind} {first}, {rest}") for first, rest in pairs])
    f.do("ret void")
    return f.text()


def _begun(f: Function, tile: Tile) -> list[str]:
    """Return what the sums begin with."""
    kind, lanes = f.target.vector, f.target.lanes
    sums = []
    for row in range(tile.rows):
        start = f.row("%start", "%step", row)
        for column, first in zip(tile.used, tile.first, strict=True):
            place = row * tile.columns + column
            base, offset = (start, column) if first else ("%tile", place)
            sums.append(f.load(kind, f.at(base, offset * lanes)))
    return sums


def _store(f: Function, tile: Tile, sums: list[str]) -> None:
    for place, total in enumerate(sums):
        row, column = divmod(place, len(tile.used))
        into = (row * tile.columns + tile.used[column]) * f.target.lanes
        f.store(f.target.vector, total, f.at("%tile", into))


def _grown(
    f: Function, tile: Tile, sums: list[str], sources: list[str], weight: str, length: str
) -> list[str]:
    """Return the sums with all products; few sums are grown in several chains."""
    kind = f.target.vector
    chains = min(4, -(-CHAINS // len(sums)))
    none = [f.target.splat(0)] * len(sums)
    chained = [sums, *[none] * (chains - 1)]
    whole = f.mul(f.div(length, chains), chains)
    carried = [(kind, value) for chain in chained for value in chain]
    with f.loop("k", 0, whole, chains, carried=carried) as loop:
        for chain in range(chains):
            k = f.let(f"add nuw nsw i64 {loop.at}, {chain}") if chain else loop.at
            begin = chain * len(sums)
            _turn(f, tile, loop.carried, begin, sources, weight, k)
    grown = loop.carried[: len(sums)]
    for chain in range(1, chains):
        for place in range(len(sums)):
            other = loop.carried[chain * len(sums) + place]
            grown[place] = f.let(f"fadd {kind} {grown[place]}, {other}")
    if chains == 1:
        return grown
    with f.loop("k", whole, length, carried=[(kind, value) for value in grown]) as loop:
        _turn(f, tile, loop.carried, 0, sources, weight, loop.at)
    return loop.carried


def _turn(
    f: Function,
    tile: Tile,
    sums: list[str],
    begin: int,
    sources: list[str],
    weight: str,
    k: str,
) -> None:
    """Add one number of each row, times the weights of the columns."""
    target = f.target
    if tile.ahead:
        line = f.mul(k, LINE // target.bytes)
        f.do(f"call void @llvm.prefetch.p0(ptr {f.at('%ahead', line)}, i32 0, i32 2, i32 1)")
    numbers = [f.broadcast(f.load(target.dtype, f.at(source, k))) for source in sources]
    base = f.row(weight, k, "%pitch")
    for column in range(len(tile.used)):
        address = f.at(base, column * target.lanes)
        vector = f.load_lanes(address, f.first_lanes(tile.units - column * target.lanes))
        for row, number in enumerate(numbers):
            place = begin + row * len(tile.used) + column
            sums[place] = mathematics.fmuladd(f, number, vector, sums[place])


def dot(length: int, valid: int, target: Target) -> str:
    """Write sums for one vector of units of which `valid` exist: weights are read along their rows.

    The sums of a unit grow in the lanes of one vector; at last they are added up across it.
    """
    kind, lanes = target.vector, target.lanes
    f = Function(f"define internal void @{dot_name(length, valid)}({DOT}) noinline", target)
    with f.loop("r", 0, "%rows") as loop:
        source = f.row("%source", loop.at, "%stride")
        sums = [target.splat(0)] * lanes
        whole = length // lanes * lanes
        if whole:
            carried = [(kind, value) for value in sums]
            with f.loop("k", 0, whole, lanes, carried=carried) as inner:
                inner.carried[:] = _along(f, inner.carried, source, inner.at, length, valid, lanes)
            sums = inner.carried
        if length % lanes:
            sums = _along(f, sums, source, str(whole), length, valid, length % lanes)
        begin = f.load(kind, f.row("%start", loop.at, "%step"))
        into = f.row("%tile", loop.at, "%width")
        f.store(kind, f.let(f"fadd {kind} {begin}, {across(f, sums)}"), into)
    f.do("ret void")
    return f.text()


DOT = (
    "ptr %tile, i64 %width, ptr %start, i64 %step, ptr %source, i64 %stride, ptr %weight, i64 %rows"
)


def dot_name(length: int, valid: int) -> str:
    """Return the name of such a function."""
    return f"dot_{length}_{valid}"


def _along(
    f: Function, sums: list[str], source: str, k: str, length: int, valid: int, count: int
) -> list[str]:
    """Return the sums with one vector of `count` products more for each unit."""
    mask = f.first_lanes(count)
    numbers = f.load_lanes(f.at(source, k), mask)
    base = f.at("%weight", k)
    grown = []
    for unit, total in enumerate(sums):
        row = f.at(base, min(unit, valid - 1) * length)
        grown.append(mathematics.fmuladd(f, numbers, f.load_lanes(row, mask), total))
    return grown


def across(f: Function, sums: list[str]) -> str:
    """Return the vector whose lanes are the sums over the lanes of as many vectors.

    In each round two vectors become one: half as many lanes are left of each.
    """
    lanes, kind = f.target.lanes, f.target.vector
    # Each vector is a list of (which sum, of how many lanes it is the total) in memory order.
    held = [([unit] * lanes, value) for unit, value in enumerate(sums)]
    size = lanes
    while len(held) > 1:
        half = len(held) // 2
        size //= 2
        held = [_paired(f, a, b, size) for a, b in zip(held[:half], held[half:], strict=True)]
    ((owners, total),) = held
    places = ", ".join(f"i32 {owners.index(unit)}" for unit in range(lanes))
    return f.let(f"shufflevector {kind} {total}, {kind} poison, <{lanes} x i32> <{places}>")


def _paired(
    f: Function, a: tuple[list[int], str], b: tuple[list[int], str], size: int
) -> tuple[list[int], str]:
    """Add half of each run of 2 * size lanes to the other half, of two vectors in one."""
    (owners, first), (others, second) = a, b
    lanes, kind = len(owners), f.target.vector
    low, high, held = [], [], []
    for begin in range(0, lanes, 2 * size):
        for offset, which in ((0, owners), (lanes, others)):
            low += [offset + begin + lane for lane in range(size)]
            high += [offset + begin + size + lane for lane in range(size)]
            held += [which[begin]] * size
    shuffled = []
    for places in (low, high):
        mask = ", ".join(f"i32 {place}" for place in places)
        shuffled.append(
            f.let(f"shufflevector {kind} {first}, {kind} {second}, <{lanes} x i32> <{mask}>")
        )
    return held, f.let(f"fadd {kind} {shuffled[0]}, {shuffled[1]}")
