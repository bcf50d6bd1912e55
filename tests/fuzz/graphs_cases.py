"""Stored cells as strangers could write them: mutated ones, and ones that ask for too much.

One seed is one text. Mutations know the form of a stored cell, or only its bytes; the hostile ones
are made from scratch, most of them valid in form.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from typing import Any, NamedTuple

from unrolled.cells import CELLS
from unrolled.graph.operation import Operation
from unrolled.graph.storage import ARGUMENTS

SIZES = ("input", "hidden", "projection", "one")
NUMBERS = (
    *(0, 1, -1, 2, 7, 100, 10**4, 10**9, 10**30, 2**63, -(2**31), True, False, None),
    *(0.0, -0.0, 0.5, -2.5, 1e-320, 1e-5, 1e30, 3.5e38, 1e39, 1e308),
    *(float("nan"), float("inf"), float("-inf")),
)
NAMES = (
    *("", "x", "h", "c", "i", "f", "n", "v1", "h_next", "hh", "hr", "ih", "ch", "h_h", "_", "__h"),
    *("weight_ih", "bias_hh", "weight_hr", "W_ii", "W_hr", "b_hi", "forward", "training", "d_h"),
    *("d_x", "returned_h", "hoisted_0", "zoneout_h", "mask_ih", "edit_h", "h_new", "f_pre"),
    *("sum", "exp", "len", "tanh", "normalize", "abs", "lambda", "class", "None", "a b", "a.b"),
    *("é", "ﬁ", "σ", "x" * 99, "y" * 5000, '"""', "\ud800", "<script>", "\n", "1a", "gru", "_l0"),
)
JUNK = (*NUMBERS, *NAMES, *SIZES, [], {}, [[]], {"kind": "Term"}, ["tanh", [0], None])
FUNCTIONS = ("sigmoid", "tanh", "relu", "abs", "neg", "exp", "normalize", "sum", "dimension")
PAIRS = ("add", "sub", "mul", "div", "minimum", "maximum")


class Case(NamedTuple):
    """One text and how it was made."""

    kind: str
    text: str


def case(seed: int) -> Case:
    """Return the case of a seed."""
    draw = random.Random(seed)
    kinds: list[tuple[str, int, Callable[[random.Random], str]]] = [
        ("mutated", 45, _mutated),
        ("drawn", 12, _drawn),
        ("bytes", 15, _bytes),
        ("hostile", 28, _hostile),
    ]
    (kind, _, make), *_ = draw.choices(kinds, [weight for _, weight, _ in kinds])
    return Case(kind, make(draw))


def _text(data: Any) -> str:
    return json.dumps(data, separators=(",", ":"))


def _known(draw: random.Random) -> dict[str, Any]:
    """A valid stored cell: a known one, or a random one."""
    if draw.random() < 0.4:
        return json.loads(_drawn(draw))
    return copy.deepcopy(CELLS[draw.choice(sorted(CELLS))].to_json())


# Mutations.


def _mutated(draw: random.Random) -> str:
    data = _known(draw)
    for _ in range(draw.choice((1, 1, 1, 2, 3, 5))):
        try:
            draw.choice(MUTATIONS)(data, draw)
        except (LookupError, TypeError, ValueError, AttributeError):
            continue  # an earlier mutation took away what this one changes
    return _text(data)


def _places(data: Any) -> list[tuple[Any, Any]]:
    """Every container and key of nested data."""
    found: list[tuple[Any, Any]] = []
    stack = [data]
    while stack:
        container = stack.pop()
        keys = list(container) if isinstance(container, dict) else range(len(container))
        for key in keys:
            found.append((container, key))
            if isinstance(container[key], (dict, list)):
                stack.append(container[key])
    return found


def _replace(data: Any, draw: random.Random) -> None:
    container, key = draw.choice(_places(data))
    container[key] = draw.choice(JUNK)


def _delete(data: Any, draw: random.Random) -> None:
    container, key = draw.choice(_places(data))
    del container[key]


def _repeat(data: Any, draw: random.Random) -> None:
    lists = [place for place in _places(data) if isinstance(place[0], list)]
    container, key = draw.choice(lists)
    container.insert(key, copy.deepcopy(container[key]))


def _exchange(data: Any, draw: random.Random) -> None:
    """Two values of one type change places."""
    places = _places(data)
    one, key = draw.choice(places)
    same = [(o, k) for o, k in places if type(o[k]) is type(one[key])]
    other, place = draw.choice(same)
    one[key], other[place] = copy.deepcopy(other[place]), copy.deepcopy(one[key])


def _add_key(data: Any, draw: random.Random) -> None:
    dicts = [o[k] for o, k in _places(data) if isinstance(o[k], dict)]
    draw.choice(dicts)[draw.choice(NAMES)] = draw.choice(JUNK)


def _nodes(data: Any, kind: str | None = None) -> list[Any]:
    return [node for node in data["graph"]["nodes"] if kind in (None, node[0])]


def _argument(data: Any, draw: random.Random) -> None:
    """A node reads another one."""
    place = draw.randrange(len(_nodes(data)))
    node = _nodes(data)[place]
    node[1][draw.randrange(len(node[1]))] = draw.randrange(max(1, place))


def _operation(data: Any, draw: random.Random) -> None:
    draw.choice(_nodes(data))[0] = draw.choice(list(Operation)).value


def _same_arity(data: Any, draw: random.Random) -> None:
    node = draw.choice(_nodes(data))
    count = len(node[1])
    node[0] = draw.choice([o.value for o, many in ARGUMENTS.items() if many == count])


def _number(data: Any, draw: random.Random) -> None:
    draw.choice(_nodes(data, "constant") + _nodes(data, "normalize"))[2] = draw.choice(NUMBERS)


def _layer(data: Any, draw: random.Random) -> None:
    """Rows, biases, groups and sizes of learned layers."""
    layer = draw.choice(_nodes(data, "affine"))[2]
    block = draw.choice(layer["blocks"])
    choices = [
        lambda: block.update(row=draw.choice(NUMBERS)),
        lambda: block.update(row=draw.randrange(6)),
        lambda: block.update(bias=draw.choice((None, *range(6), 10**9))),
        lambda: block.update(group=draw.choice(("ih", "hh", "hr", "hr2", "ch", *NAMES))),
        lambda: block.update(size=draw.choice(SIZES)),
        lambda: layer.update(size=draw.choice(SIZES)),
        lambda: layer.update(name=draw.choice(NAMES)),
        lambda: layer["blocks"].append(copy.deepcopy(block)),
        lambda: layer["blocks"].reverse(),
    ]
    draw.choice(choices)()


def _learned(data: Any, draw: random.Random) -> None:
    known = [node[2] for node in _nodes(data, "learned")]
    if not known or draw.random() < 0.4:
        attribute = {"kind": "Learned", "name": draw.choice(NAMES), "size": draw.choice(SIZES)}
        _insert(data, draw, ["learned", [], {**attribute, "init": draw.choice(NUMBERS)}])
        return
    field = draw.choice(("name", "size", "init"))
    pool = {"name": NAMES, "size": SIZES, "init": NUMBERS}[field]
    draw.choice(known)[field] = draw.choice(pool)


def _insert(data: Any, draw: random.Random, node: list[Any]) -> None:
    """A new leaf that the last node with two arguments reads."""
    nodes = data["graph"]["nodes"]
    for other in nodes:
        other[1] = [index + 1 for index in other[1]]
    nodes.insert(0, node)
    values = data["graph"]["values"]
    for name in values:
        values[name] += 1
    user = draw.choice([other for other in nodes if len(other[1]) == 2 and other[0] != "affine"])
    user[1][draw.randrange(2)] = 0


def _head(data: Any, draw: random.Random) -> None:
    """Inputs, states and their sizes."""
    graph = data["graph"]
    group = graph[draw.choice(("inputs", "states", "values"))]
    name, new = draw.choice(list(group)), draw.choice(NAMES)
    choice = draw.randrange(4)
    if choice == 0:
        group[name] = draw.choice(SIZES)
    elif choice == 1:
        group[new] = draw.choice((*SIZES, 0, 1))
    elif choice == 2:
        group[new] = group.pop(name)
    else:
        group[draw.choice(list(graph["states"]))] = group.pop(name)


def _renamed(data: Any, draw: random.Random) -> None:
    """Everything that goes by one name goes by another."""
    graph = data["graph"]
    old = draw.choice([*graph["inputs"], *graph["states"], *graph["values"]])
    new = draw.choice(NAMES)
    for key in ("inputs", "states", "values"):
        graph[key] = {new if n == old else n: value for n, value in graph[key].items()}
    for node in graph["nodes"]:
        node[2] = new if node[2] == old else node[2]


MUTATIONS = (
    *(_replace, _delete, _repeat, _exchange, _add_key, _operation, _number),
    *(_argument,) * 3,
    *(_same_arity,) * 3,
    *(_layer,) * 4,
    *(_learned,) * 2,
    *(_head,) * 2,
    *(_renamed,) * 2,
)


def _bytes(draw: random.Random) -> str:
    text = bytearray(_text(_known(draw)).encode())
    for _ in range(draw.choice((1, 1, 2, 4))):
        place, length = draw.randrange(len(text)), draw.randrange(1, 30)
        match draw.randrange(5):
            case 0:
                text[place] = draw.randrange(256)
            case 1:
                del text[place : place + length]
            case 2:
                text[place:place] = text[place : place + length]
            case 3:
                text[place:place] = draw.choice((b"[", b"{", b"9", b"-", b"e9", b'"', b"NaN", b","))
            case _:
                text[place] ^= 1 << draw.randrange(8)
    return text.decode(errors="surrogateescape")


# Cells from scratch.


class _Writer:
    """Writes the nodes of a stored cell."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.rows: dict[str, list[int]] = {}
        self.groups: dict[int, str] = {}
        self.x = self.add("input", [], "x")
        self.h = self.add("state", [], "h")
        self.c = self.add("state", [], "c")
        self.groups = {self.x: "ih", self.h: "hh", self.c: "ch"}

    def add(self, operation: str, arguments: list[int], attribute: Any = None) -> int:
        self.nodes.append([operation, arguments, attribute])
        return len(self.nodes) - 1

    def layer(self, sources: list[tuple[int, str]], bias: bool = True) -> int:
        """A learned layer of some sources with their sizes."""
        blocks = []
        for source, size in sources:
            group = self.groups.setdefault(source, f"v{source}h")
            rows = self.rows.setdefault(group, [0, 0])
            kept = rows[1] if bias else None
            blocks.append(
                {"kind": "Block", "group": group, "row": rows[0], "bias": kept, "size": size}
            )
            rows[0], rows[1] = rows[0] + 1, rows[1] + bias
        attribute = {"kind": "Layer", "name": f"l{len(self.nodes)}", "size": "hidden"}
        return self.add(
            "affine", [source for source, _ in sources], {**attribute, "blocks": blocks}
        )

    def learned(self, size: str, init: float | None = None) -> int:
        name = f"p{len(self.nodes)}"
        return self.add(
            "learned", [], {"kind": "Learned", "name": name, "size": size, "init": init}
        )

    def data(self, h: int, c: int, values: dict[str, int] | None = None) -> dict[str, Any]:
        graph = {
            "name": "stranger",
            "inputs": {"x": "input"},
            "states": {"h": "hidden", "c": "hidden"},
            "backward": False,
            "nodes": self.nodes,
            "values": {**(values or {}), "h": h, "c": c},
        }
        return {"doc": "A cell of a stranger.", "graph": graph}


def _drawn(draw: random.Random) -> str:
    """A random cell, mostly valid."""
    new = _Writer()
    pool = [
        new.h,
        new.c,
        new.layer([(new.x, "input")]),
        new.layer([(new.x, "input"), (new.h, "hidden")]),
    ]
    ones: list[int] = []
    for _ in range(draw.randrange(1, 30)):
        a, b = draw.choice(pool), draw.choice(pool[-5:])
        kind = draw.randrange(12)
        if kind < 4:
            pool.append(new.add(draw.choice(("sigmoid", "tanh", "relu", "abs", "neg")), [a]))
        elif kind < 8:
            pool.append(new.add(draw.choice(("add", "sub", "mul", "minimum", "maximum")), [a, b]))
        elif kind == 8:
            condition = new.add(draw.choice(("less", "less_equal")), [a, b])
            pool.append(new.add("select", [condition, draw.choice(pool), b]))
        elif kind == 9:
            pool.append(new.add("normalize", [a], draw.choice((1e-5, 0.1, 1e-3))))
        elif kind == 10:
            other = new.learned(draw.choice(("hidden", "one")), draw.choice((None, 0.5, 1.0)))
            pool.append(new.add("mul", [b, other]))
        elif draw.random() < 0.5:
            pool.append(new.layer([(b, "hidden")], bias=draw.random() < 0.7))
        else:
            total = new.add("sum", [a])
            ones.append(new.add("div", [total, new.add("dimension", [a])]))
            pool.append(new.add(draw.choice(("add", "sub", "mul")), [b, draw.choice(ones)]))
        if draw.random() < 0.1:
            pool.append(new.add("mul", [b, new.add("constant", [], draw.choice((0.5, -1.0, 2.0)))]))
    names = {f"u{place}": draw.choice(pool) for place in range(draw.randrange(4))}
    return _text(new.data(new.add("tanh", [pool[-1]]), draw.choice(pool), names))


def _doubling(draw: random.Random) -> Any:
    new = _Writer()
    node, count = new.layer([(new.x, "input"), (new.h, "hidden")]), draw.choice((20, 60, 300, 3000))
    operation = draw.choice(PAIRS)
    for _ in range(count):
        node = new.add(operation, [node, node])
    return new.data(new.add("tanh", [node]), new.c)


def _conditions(draw: random.Random) -> Any:
    """Conditions are never named: each stands in two places of the next."""
    new = _Writer()
    node, zero = new.layer([(new.x, "input")]), new.add("constant", [], 0.0)
    for _ in range(draw.choice((10, 40, 1000))):
        condition = new.add("less", [node, zero])
        inner = new.add("select", [condition, new.h, node])
        node = new.add("select", [condition, inner, new.c])
    return new.data(node, new.c)


def _means(draw: random.Random) -> Any:
    """A mean reads its argument twice."""
    new = _Writer()
    node = new.layer([(new.x, "input")])
    for _ in range(draw.choice((10, 40, 500))):
        part = new.add("div", [new.add("sum", [node]), new.add("dimension", [node])])
        node = new.add(draw.choice(("sub", "mul")), [new.h, part])
    return new.data(node, new.c)


def _chain(draw: random.Random) -> Any:
    new = _Writer()
    node = new.layer([(new.x, "input"), (new.h, "hidden")])
    cheap = draw.random() < 0.6  # the others have an activation at each link
    names: dict[str, int] = {}
    for place in range(draw.choice((30, 100, 2000, 9000, 100_000) if cheap else (30, 60, 1000))):
        if cheap:
            node = new.add("add", [new.c, node]) if place % 2 else new.add("neg", [node])
        else:
            node = new.add(draw.choice(FUNCTIONS[:4]), [node])
        if draw.random() < 0.05:
            names[f"u{place}"] = node
    return new.data(node, new.c, names)


def _many_layers(draw: random.Random) -> Any:
    new = _Writer()
    total = new.c
    for _ in range(draw.choice((20, 100, 2000, 6000))):
        total = new.add("add", [total, new.layer([(new.x, "input"), (new.h, "hidden")])])
    return new.data(new.add("tanh", [total]), new.c)


def _wide_layer(draw: random.Random) -> Any:
    """One layer of many sources."""
    new = _Writer()
    parts = [
        new.add("mul", [new.h, new.add("constant", [], place + 2.0)])
        for place in range(draw.choice((10, 100, 3000, 20_000)))
    ]
    return new.data(
        new.layer([(part, "hidden") for part in parts]),
        new.add("tanh", [new.layer([(new.x, "input")])]),
    )


def _rows(draw: random.Random) -> Any:
    data = _known(draw)
    layers = _nodes(data, "affine")
    row = draw.choice((1, 2, 3, 50, 9_999, 10**4, 10**9, 10**30, -1))
    for node in draw.sample(layers, draw.randrange(1, len(layers) + 1)) if layers else ():
        for block in node[2]["blocks"]:
            block[draw.choice(("row", "bias"))] = row
            row += 1
    return data


def _sizes(draw: random.Random) -> Any:
    """Consistently another size: of layers, of what a weight reads, of states or the input."""
    data = _known(draw)
    old, new = draw.sample(SIZES, 2)
    text = _text(data).replace(f'"size":"{old}"', f'"size":"{new}"')
    if draw.random() < 0.5:
        text = text.replace(f':"{old}"', f':"{new}"')
    return json.loads(text)


def _derived(draw: random.Random) -> Any:
    """A derivative, or a part of one, as a cell."""
    from unrolled.graph.storage import to_json

    data = to_json(CELLS[draw.choice(sorted(CELLS))].derivative)
    if draw.random() < 0.7:
        data["backward"] = False
    if draw.random() < 0.5:
        data["inputs"] = dict(list(data["inputs"].items())[:1])
    return {"doc": "", "graph": data}


def _doc(draw: random.Random) -> Any:
    data = _known(draw)
    ends = ('"""', "\\", '"', '\\"', '"""\nimport os\nx = """', "\ud800", "\0", "x" * 10**6, "${a}")
    data["doc"] = draw.choice(ends) * draw.randrange(1, 3)
    return data


def _nested(draw: random.Random) -> Any:
    return "deep"


def _names(draw: random.Random) -> Any:
    data = _known(draw)
    for _ in range(draw.randrange(1, 4)):
        _renamed(data, draw)
    return data


HOSTILE = (
    *(_doubling, _conditions, _means, _chain, _many_layers, _wide_layer, _rows, _sizes, _derived),
    *(_doc, _nested, _names),
)


def _hostile(draw: random.Random) -> str:
    make = draw.choice(HOSTILE)
    if make is _nested:
        depth = draw.choice((50, 1_000, 100_000))
        inner = draw.choice(("[", '{"a":')) * depth
        text = _text(_known(draw))
        place = draw.choice([k for k, letter in enumerate(text) if letter in ":,["])
        return text[: place + 1] + inner + text[place + 1 :]
    return _text(make(draw))
