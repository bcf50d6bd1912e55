"""Lines through the grid: level and upright pieces on tracks between the cells.

Every column and every row of the grid has a middle, where elements stand, and tracks on both
sides. A line may run along a track or through the middle of an empty cell, never through an
element. Two lines of different values may cross, but never run on top of each other. Lines are
found one after the other as cheapest paths over length, bends and crossings (A*); the lines of one
value branch off from what is there of it. Tracks that stay empty are dropped later, so there can
be plenty.
"""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import accumulate, count, pairwise
from typing import NamedTuple, final

Vertex = tuple[int, int]
RIGHT, UP, LEFT, DOWN = range(4)
STEPS: tuple[Vertex, ...] = ((1, 0), (0, 1), (-1, 0), (0, -1))
BEND, CROSSING = 2.0, 3.0


class Demand(NamedTuple):
    """A line that is wanted.

    Attributes:
        net: which value it carries.
        sides: through which sides of the target it may come in, with a price for each.
    """

    net: str
    source: Vertex
    target: Vertex
    leave: dict[int, float]
    sides: dict[int, float]


class Full(Exception):  # noqa: N818
    """There is no way for a line: more tracks are needed."""


@final
class Router:
    """Finds lines on a grid of tracks.

    Args:
        widths: the length of the piece from each upright track to the next.
        heights: the same for level tracks.
        blocked: vertices where elements stand.
    """

    def __init__(self, widths: list[float], heights: list[float], blocked: set[Vertex]) -> None:
        self.xs = [0.0, *accumulate(widths)]
        self.ys = [0.0, *accumulate(heights)]
        self.blocked = blocked
        # The vertices before the sides of elements, where only what ends there turns.
        self.ports = {(x + dx, y + dy): (x, y) for x, y in blocked for dx, dy in STEPS}
        self.level: dict[Vertex, str] = {}  # whose line runs through a vertex from side to side
        self.upright: dict[Vertex, str] = {}
        self.pieces: dict[tuple[Vertex, Vertex], str] = {}
        self.trees: dict[str, dict[Vertex, list[Vertex]]] = {}  # the way from the source
        self.ends: dict[Vertex, dict[int, str]] = {}  # sides of elements that are in use
        self.crossings = 0
        self.bends = 0

    def connect(self, demand: Demand) -> list[Vertex]:
        """Return the vertices of a line from its source to its target, along what is there of its
        net.

        Raises:
            Full: there is no way.
        """
        tree = self.trees.setdefault(demand.net, {demand.source: [demand.source]})
        path = self._search(demand, tree)
        whole = [*tree[path[0]][:-1], *path]
        self._take(demand, path, whole)
        return whole

    def _starts(
        self, demand: Demand, tree: dict[Vertex, list[Vertex]]
    ) -> list[tuple[float, Vertex, int]]:
        """Return where a line can begin: at its source, or at any vertex of its net."""
        starts = []
        for vertex in tree:
            if vertex == demand.source:
                used = self.ends.get(vertex, {})
                if demand.net not in used.values():  # a value leaves through one side
                    starts += [
                        (price, vertex, side)
                        for side, price in demand.leave.items()
                        if side not in used
                    ]
            elif self._own(vertex, demand.net):
                starts += [
                    (BEND / 2, vertex, side)
                    for side in range(4)
                    if self._may_turn(vertex, side, demand)
                ]
        return starts

    def _own(self, vertex: Vertex, net: str) -> bool:
        """Return whether a line of a net may bend or branch at a vertex."""
        return self.level.get(vertex, net) == net and self.upright.get(vertex, net) == net

    def _may_turn(self, vertex: Vertex, side: int, demand: Demand) -> bool:
        """Return whether a line may turn here: before an element only into it or out of it."""
        element = self.ports.get(vertex)
        if element is None:
            return True
        if element == demand.source:
            used = self.ends.get(element, {})
            return used.get(side_of(element, vertex), demand.net) == demand.net and (
                demand.net not in used.values() or side_of(element, vertex) in used
            )
        into = (vertex[0] + STEPS[side][0], vertex[1] + STEPS[side][1])
        return into == element == demand.target

    def _search(self, demand: Demand, tree: dict[Vertex, list[Vertex]]) -> list[Vertex]:
        net, target = demand.net, demand.target
        queue: list[tuple[float, int, float, Vertex, int]] = []
        came: dict[tuple[Vertex, int], tuple[Vertex, int] | None] = {}
        best: dict[tuple[Vertex, int], float] = {}
        numbers = count()

        def extend(
            vertex: Vertex, side: int, before: float, extra: float, origin: tuple[Vertex, int]
        ) -> None:
            """Go on from a vertex through a side, if that is cheaper than the known way there."""
            following, price = self._step(vertex, side, demand, tree)
            if following is None:
                return
            cost, state = before + price + extra, (following, side)
            if cost < best.get(state, 1e9) - 1e-9:
                best[state], came[state] = cost, origin
                guess = cost + self._guess(following, target)
                heappush(queue, (guess, next(numbers), cost, following, side))

        for price, vertex, side in self._starts(demand, tree):
            extend(vertex, side, 0.0, price, (vertex, -1))
        while queue:
            _, _, cost, vertex, side = heappop(queue)
            if cost > best[vertex, side]:
                continue
            if vertex == target:
                return self._trace(came, (vertex, side))
            turns = range(4) if self._own(vertex, net) else (side,)
            for turn in turns:
                if (turn + 2) % 4 == side:
                    continue
                if turn != side and not self._may_turn(vertex, turn, demand):
                    continue
                extend(vertex, turn, cost, BEND if turn != side else 0.0, (vertex, side))
        raise Full(f"no way for {net} to {target}")

    def _step(
        self, vertex: Vertex, side: int, demand: Demand, tree: dict[Vertex, list[Vertex]]
    ) -> tuple[Vertex | None, float]:
        """Return the next vertex in a direction and the price of going there, None without one."""
        nxt = (vertex[0] + STEPS[side][0], vertex[1] + STEPS[side][1])
        if not (0 <= nxt[0] < len(self.xs) and 0 <= nxt[1] < len(self.ys)):
            return None, 0.0
        if self.pieces.get(_piece(vertex, nxt)) is not None:
            return None, 0.0
        cost = self._guess(vertex, nxt)
        if nxt == demand.target:
            entered = (side + 2) % 4
            if entered not in demand.sides or entered in self.ends.get(nxt, {}):
                return None, 0.0
            return nxt, cost + demand.sides[entered]
        if nxt in self.blocked or nxt in tree:
            return None, 0.0
        along, against = (
            (self.level, self.upright) if side in (LEFT, RIGHT) else (self.upright, self.level)
        )
        if nxt in along:
            return None, 0.0
        return nxt, cost + (CROSSING if nxt in against else 0.0)

    def _guess(self, vertex: Vertex, target: Vertex) -> float:
        (a, b), (c, d) = vertex, target
        return abs(self.xs[a] - self.xs[c]) + abs(self.ys[b] - self.ys[d])

    def _trace(
        self, came: dict[tuple[Vertex, int], tuple[Vertex, int] | None], state: tuple[Vertex, int]
    ) -> list[Vertex]:
        path = [state[0]]
        step = came[state]
        while step is not None and step[1] >= 0:
            path.append(step[0])
            step = came[step]
        assert step is not None
        path.append(step[0])
        return path[::-1]

    def _take(self, demand: Demand, path: list[Vertex], whole: list[Vertex]) -> None:
        """Mark a new line's pieces as used and add them to its net."""
        net, tree = demand.net, self.trees[demand.net]
        before = len(whole) - len(path)
        for index, vertex in enumerate(path):
            if vertex not in tree and vertex != demand.target:
                tree[vertex] = whole[: before + index + 1]
        for a, b in pairwise(path):
            self.pieces[_piece(a, b)] = net
        for index, vertex in enumerate(path[1:-1], 1):
            self._mark(net, vertex, path[index - 1])
            self._mark(net, vertex, path[index + 1])
        if path[0] != demand.source:
            self._mark(net, path[0], path[1])
            self.bends += 1
        else:
            self.ends.setdefault(path[0], {})[side_of(path[0], path[1])] = net
        self.ends.setdefault(demand.target, {})[side_of(path[-1], path[-2])] = net

    def _mark(self, net: str, vertex: Vertex, neighbour: Vertex) -> None:
        mine, other = (
            (self.level, self.upright) if vertex[1] == neighbour[1] else (self.upright, self.level)
        )
        if vertex not in mine:
            mine[vertex] = net
            if other.get(vertex, net) != net:
                self.crossings += 1
            elif vertex in other:
                self.bends += 1


def _piece(a: Vertex, b: Vertex) -> tuple[Vertex, Vertex]:
    return (a, b) if a < b else (b, a)


def side_of(vertex: Vertex, neighbour: Vertex) -> int:
    """Return the side of a vertex at which its neighbour lies: RIGHT, UP, LEFT or DOWN."""
    return STEPS.index((neighbour[0] - vertex[0], neighbour[1] - vertex[1]))
