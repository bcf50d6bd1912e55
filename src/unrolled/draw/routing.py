"""Lines through the grid: level and upright pieces on tracks between the cells.

Every column and every row of the grid has a middle, where elements stand, and tracks on both
sides. A line may run along a track or through the middle of an empty cell, never through an
element. Two lines of different values may cross, but never run on top of each other. Lines are
found one after the other as cheapest paths over length, bends and crossings (A*); the lines of one
value branch off from what is there of it. Tracks that stay empty are dropped later, so there can
be plenty.

Inside, a vertex is one number, and a border of vertices that nothing may enter stands around the
grid: hundreds of ways are looked for until a picture is good.
"""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import accumulate, pairwise
from typing import NamedTuple, final

Vertex = tuple[int, int]
RIGHT, UP, LEFT, DOWN = range(4)
STEPS: tuple[Vertex, ...] = ((1, 0), (0, 1), (-1, 0), (0, -1))
BEND, CROSSING = 2.0, 3.0
FAR = 1e9


class Demand(NamedTuple):
    """A line that is wanted.

    Attributes:
        net: which value it carries.
        sides: through which sides of the target it may come in, with a price for each.
        bend: the price of a bend, `BEND` or more.
    """

    net: str
    source: Vertex
    target: Vertex
    leave: dict[int, float]
    sides: dict[int, float]
    bend: float = BEND


class Full(Exception):  # noqa: N818
    """There is no way for a line: more tracks are needed."""


@final
class Router:
    """Finds lines on a grid of tracks.

    Args:
        widths: the length of the piece from each upright track to the next.
        heights: the same for level tracks.
        blocked: vertices where elements stand.

    Attributes:
        crossings: of lines of different values.
        bends: of all lines, branches included.
        length: of all lines, what several share counted once.
        work: steps that were made in the search for them.
    """

    def __init__(self, widths: list[float], heights: list[float], blocked: set[Vertex]) -> None:
        self.xs = [0.0, *accumulate(widths)]
        self.ys = [0.0, *accumulate(heights)]
        self.columns = len(self.xs) + 2
        size = self.columns * (len(self.ys) + 2)
        self.moves = (1, self.columns, -1, -self.columns)
        self.blocked = bytearray(size)
        self._wall(size)
        # The vertices before the sides of elements, where only what ends there turns.
        self.ports: dict[int, int] = {}
        for vertex in blocked:
            middle = self._index(vertex)
            self.blocked[middle] = 1
            for move in self.moves:
                self.ports[middle + move] = middle
        # Whose line runs through a vertex from side to side, and upwards.
        self.through: tuple[list[str | None], list[str | None]] = ([None] * size, [None] * size)
        self.pieces: set[tuple[int, int]] = set()
        self.trees: dict[str, dict[int, list[int]]] = {}  # the way from the source
        self.ends: dict[int, dict[int, str]] = {}  # sides of elements that are in use
        self.crossings = 0
        self.bends = 0
        self.length = 0.0
        self.work = 0

    def _wall(self, size: int) -> None:
        """Block the border."""
        for at in range(self.columns):
            self.blocked[at] = self.blocked[size - 1 - at] = 1
        for at in range(0, size, self.columns):
            self.blocked[at] = self.blocked[at + self.columns - 1] = 1

    def _index(self, vertex: Vertex) -> int:
        return (vertex[1] + 1) * self.columns + vertex[0] + 1

    def _vertex(self, index: int) -> Vertex:
        row, column = divmod(index, self.columns)
        return column - 1, row - 1

    def connect(self, demand: Demand) -> list[Vertex]:
        """Return the vertices of a line from its source to its target, along what is there of its
        net.

        Raises:
            Full: there is no way.
        """
        source, target = self._index(demand.source), self._index(demand.target)
        tree = self.trees.setdefault(demand.net, {source: [source]})
        path = self._search(demand, source, target, tree)
        whole = [*tree[path[0]][:-1], *path]
        self._take(demand.net, source, target, path, whole)
        return [self._vertex(index) for index in whole]

    def _starts(
        self, demand: Demand, source: int, target: int, tree: dict[int, list[int]]
    ) -> list[tuple[float, int, int]]:
        """Return where a line can begin: at its source, or at any vertex of its net."""
        starts = []
        used = self.ends.get(source, {})
        left = demand.net in used.values()  # a value leaves through one side
        for vertex in tree:
            if vertex == source:
                if not left:
                    starts += [
                        (price, vertex, side)
                        for side, price in demand.leave.items()
                        if side not in used
                    ]
            elif self._own(vertex, demand.net):
                starts += [
                    (BEND / 2, vertex, side)
                    for side in range(4)
                    if self._may_turn(vertex, side, demand.net, source, target)
                ]
        return starts

    def _own(self, vertex: int, net: str) -> bool:
        """Return whether a line of a net may bend or branch at a vertex."""
        level, upright = self.through
        return level[vertex] in (None, net) and upright[vertex] in (None, net)

    def _may_turn(self, vertex: int, side: int, net: str, source: int, target: int) -> bool:
        """Return whether a line may turn here: before an element only into it or out of it."""
        element = self.ports.get(vertex)
        if element is None:
            return True
        if element == source:
            used = self.ends.get(element, {})
            mine = self.moves.index(vertex - element)
            return used.get(mine, net) == net and (net not in used.values() or mine in used)
        return vertex + self.moves[side] == element == target

    def _guesses(self, target: int) -> tuple[list[float], list[float]]:
        """Return the distance of every column and every row from that of the target."""
        x, y = self._vertex(target)
        across, along = self.xs[x], self.ys[y]
        return (
            [FAR, *(abs(at - across) for at in self.xs), FAR],
            [FAR, *(abs(at - along) for at in self.ys), FAR],
        )

    def _search(
        self, demand: Demand, source: int, target: int, tree: dict[int, list[int]]
    ) -> list[int]:
        net, bend, columns, moves = demand.net, demand.bend, self.columns, self.moves
        blocked, pieces, through = self.blocked, self.pieces, self.through
        across, along = self._guesses(target)
        widths = [FAR, *(b - a for a, b in pairwise(self.xs)), FAR]
        heights = [FAR, *(b - a for a, b in pairwise(self.ys)), FAR]
        goal_row, goal_column = divmod(target, columns)
        taken = self.ends.get(target, {})
        entries = {s: price for s, price in demand.sides.items() if s not in taken}
        queue: list[tuple[float, int, float, int, int]] = []
        came: dict[int, int] = {}
        best: dict[int, float] = {}
        number = 0

        def extend(vertex: int, side: int, cost: float, origin: int) -> None:
            """Go on from a vertex through a side, if that is cheaper than the known way there."""
            nonlocal number
            following = vertex + moves[side]
            if blocked[following] and following != target:
                return
            piece = (vertex, following) if vertex < following else (following, vertex)
            if piece in pieces:
                return
            row, column = divmod(piece[0], columns)
            cost += heights[row] if side & 1 else widths[column]
            if following == target:
                entered = (side + 2) & 3
                if entered not in entries:
                    return
                cost += entries[entered]
            else:
                if following in tree or through[side & 1][following] is not None:
                    return
                if through[1 - (side & 1)][following] is not None:
                    cost += CROSSING
            state = following * 4 + side
            if cost < best.get(state, FAR) - 1e-9:
                best[state], came[state] = cost, origin
                row, column = divmod(following, columns)
                number += 1
                turns = BEND * _turns(side, column - goal_column, row - goal_row)
                guess = cost + across[column] + along[row] + turns
                heappush(queue, (guess, number, cost, following, side))

        for price, vertex, side in self._starts(demand, source, target, tree):
            extend(vertex, side, price, -1 - vertex)
        while queue:
            _, _, cost, vertex, side = heappop(queue)
            state = vertex * 4 + side
            if cost > best[state]:
                continue
            if vertex == target:
                self.work += number
                return _trace(came, state)
            extend(vertex, side, cost, state)
            if not self._own(vertex, net):
                continue
            for turn in ((side + 1) & 3, (side + 3) & 3):
                if self._may_turn(vertex, turn, net, source, target):
                    extend(vertex, turn, cost + bend, state)
        self.work += number
        raise Full(f"no way for {net} to {demand.target}")

    def _take(self, net: str, source: int, target: int, path: list[int], whole: list[int]) -> None:
        """Mark a new line's pieces as used and add them to its net."""
        tree = self.trees[net]
        before = len(whole) - len(path)
        for index, vertex in enumerate(path):
            if vertex not in tree and vertex != target:
                tree[vertex] = whole[: before + index + 1]
        for a, b in pairwise(path):
            self.pieces.add((a, b) if a < b else (b, a))
            (x, y), (u, v) = self._vertex(a), self._vertex(b)
            self.length += abs(self.xs[x] - self.xs[u]) + abs(self.ys[y] - self.ys[v])
        for index, vertex in enumerate(path[1:-1], 1):
            self._mark(net, vertex, path[index - 1])
            self._mark(net, vertex, path[index + 1])
        if path[0] != source:
            self._mark(net, path[0], path[1])
            self.bends += 1
        else:
            self.ends.setdefault(path[0], {})[self.moves.index(path[1] - path[0])] = net
        self.ends.setdefault(target, {})[self.moves.index(path[-2] - path[-1])] = net

    def _mark(self, net: str, vertex: int, neighbour: int) -> None:
        axis = int(abs(vertex - neighbour) != 1)
        mine, other = self.through[axis], self.through[1 - axis]
        if mine[vertex] is None:
            mine[vertex] = net
            if other[vertex] not in (None, net):
                self.crossings += 1
            elif other[vertex] is not None:
                self.bends += 1


def _turns(side: int, right: int, up: int) -> int:
    """Return how often a line must bend at least that runs to a side, so far right of its target
    and so far above it.
    """
    if side & 1:
        ahead, aside = (up if side == DOWN else -up), right
    else:
        ahead, aside = (right if side == LEFT else -right), up
    if aside == 0:
        return 0 if ahead >= 0 else 3
    return 1 if ahead >= 0 else 2


def _trace(came: dict[int, int], state: int) -> list[int]:
    """Return the vertices of a way, from the state in which it arrives."""
    path = [state // 4]
    while (state := came[state]) >= 0:
        path.append(state // 4)
    path.append(-1 - state)
    return path[::-1]


def side_of(vertex: Vertex, neighbour: Vertex) -> int:
    """Return the side of a vertex at which its neighbour lies: RIGHT, UP, LEFT or DOWN."""
    return STEPS.index((neighbour[0] - vertex[0], neighbour[1] - vertex[1]))
