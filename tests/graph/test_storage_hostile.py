"""Stored cells that tracing would never make: each is refused in words, or works as traced."""

import json
from collections.abc import Callable
from typing import Any

import pytest

import unrolled
from samples import quiet
from unrolled import affine, layer_norm, mean, sigmoid, tanh, where
from unrolled.cells import CELLS
from unrolled.equations import Cell
from unrolled.errors import CellError
from unrolled.graph import limits, parameters
from unrolled.graph.storage import from_json, to_json
from unrolled.printing.python import python


def stored(name: str = "gru") -> dict[str, Any]:
    return json.loads(json.dumps(CELLS[name].to_json()))


def node(data: dict[str, Any], operation: str, number: int = 0) -> list[Any]:
    return [node for node in data["graph"]["nodes"] if node[0] == operation][number]


def row(row: Any, key: str = "row") -> Callable[[Any], None]:
    def change(data: dict[str, Any]) -> None:
        node(data, "affine")[2]["blocks"][0][key] = row

    return change


def layer(**fields: Any) -> Callable[[Any], None]:
    return lambda data: node(data, "affine")[2].update(fields)


def head(**fields: Any) -> Callable[[Any], None]:
    return lambda data: data["graph"].update(fields)


def number(value: Any) -> Callable[[Any], None]:
    def change(data: dict[str, Any]) -> None:
        node(data, "constant")[2] = value

    return change


def renamed(old: str, new: str) -> Callable[[Any], None]:
    """Give one name to what had another, wherever it stands."""

    def change(data: dict[str, Any]) -> None:
        graph = data["graph"]
        for key in ("inputs", "states", "values"):
            graph[key] = {new if n == old else n: v for n, v in graph[key].items()}
        for each in graph["nodes"]:
            each[2] = new if each[2] == old else each[2]

    return change


def learned(name: str) -> Callable[[Any], None]:
    """A learned vector times the first value that is a product."""

    def change(data: dict[str, Any]) -> None:
        attribute = {"kind": "Learned", "name": name, "size": "hidden", "init": None}
        nodes = data["graph"]["nodes"]
        for each in nodes:
            each[1] = [index + 1 for index in each[1]]
        nodes.insert(0, ["learned", [], attribute])
        data["graph"]["values"] = {n: k + 1 for n, k in data["graph"]["values"].items()}
        node(data, "mul")[1][0] = 0

    return change


def spread(data: dict[str, Any]) -> None:
    node(data, "mul")[0] = "broadcast"


def second_input(data: dict[str, Any]) -> None:
    data["graph"]["inputs"]["y"] = "input"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (row(3), "weight_ih has 3 blocks of rows"),
        (row(10**9), "Expected `int` <"),
        (row(10**30), "not a cell: "),
        (row(True), "Expected `int`, got `bool`"),
        (row(7, "bias"), "bias_ih has 3 blocks of rows"),
        (row(2, "bias"), "bias_ih has rows twice"),
        (row("hidden", "size"), "other columns than what it reads"),
        (layer(size="one"), "a learned layer has H or P units"),
        (layer(size="projection"), "sizes that cannot agree"),
        (layer(name="z"), "two learned parts are called W_iz"),
        (layer(name="a b"), "no name of a variable"),
        (layer(name="n" * 101), "at most 100"),
        (head(name="class"), "'class' is no name of a variable"),
        (head(name="x" * 10_000), "length"),
        (head(backward=True), "a derivative is no cell"),
        (head(inputs={"x": "hidden"}), "other columns"),
        (second_input, "a cell has one input"),
        (number(1e39), "not finite in float32"),
        (number(float("nan")), "the number nan is not finite"),
        (number(-float("inf")), "the number -inf is not finite"),
        (number(10**400), "not a cell: "),
        (renamed("h", "weight h"), "no name of a variable"),
        (renamed("h", "ﬁ"), "no name of a variable"),
        (renamed("h", "\ud800"), "no text"),
        (renamed("n", "W_ir"), "two values are called W_ir"),
        (learned("weight_hh"), "two learned arrays are called weight_hh"),
        (learned("W_ir"), "two learned parts are called W_ir"),
        (learned("n"), "two values are called n"),
        (spread, "broadcast has its place in derivatives|only a value of one unit"),
    ],
)
def test_what_tracing_never_makes(change: Callable[[Any], None], message: str) -> None:
    data = stored()
    change(data)
    with pytest.raises(CellError, match=message) as caught:
        Cell.from_json(data)
    assert len(str(caught.value).encode()) < 1_000


def test_a_state_has_the_size_that_tracing_gives() -> None:
    @unrolled.cell
    def counted(x, h, n):
        n = n + 1
        h = tanh(affine(x, h)) * n
        return locals()

    data = json.loads(json.dumps(counted.to_json()))
    assert counted.graph.states["n"] == "hidden"
    data["graph"]["states"]["n"] = "one"
    with pytest.raises(CellError, match="the state n has the size one"):
        Cell.from_json(data)


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 1e39, -1e39])
def test_traced_numbers_are_finite_too(value: float) -> None:
    def unbounded(x, h):
        h = tanh(affine(x, h)) * value
        return locals()

    with pytest.raises(CellError, match=r"h = .*: the number .* is not finite in float32"):
        unrolled.cell(unbounded)


def test_learned_parts_of_a_module_s_own_names() -> None:
    data = stored()
    learned("forward")(data)
    with pytest.raises(CellError, match="a module has a forward of its own"):
        unrolled.RecurrentCell(Cell.from_json(data), 2, 3)


def test_rows_of_layers_that_nothing_needs() -> None:
    """Layers that simplification removes leave no rows behind."""

    @quiet
    def dropped(x, h):
        same = affine(h)
        v = where(affine(x) < 0, same, same) + affine(x, h)
        h = tanh(v)
        return locals()

    rows = {parameter.name: len(parameter.rows) for parameter in parameters(dropped.graph)}
    assert rows == {"weight_ih": 1, "weight_hh": 2, "bias_ih": 1, "bias_hh": 2}


def test_stored_equations_are_simplified_as_traced_ones() -> None:
    data = stored("rnn_tanh")
    nodes = data["graph"]["nodes"]
    nodes += [["neg", [3], None], ["neg", [4], None], ["sub", [4, 4], None]]
    data["graph"]["values"] = {"twice": 5, "none": 6, "h": 3}
    again = Cell.from_json(data)
    assert again.graph.values["twice"] is again.graph.values["h"]
    assert Cell.from_json(json.loads(json.dumps(again.to_json()))) == again


@pytest.mark.parametrize("depth", [10, 1_000, 100_000])
def test_deep_data(depth: int) -> None:
    nested: Any = []
    for _ in range(depth):
        nested = [nested]
    for place in ("nodes", "values", "inputs", "name"):
        data = stored()
        data["graph"][place] = nested
        with pytest.raises(CellError, match="not a cell: "):
            Cell.from_json(data)


def test_too_many_nodes() -> None:
    data = stored("rnn_tanh")
    for _ in range(limits.NODES):
        data["graph"]["nodes"].append(["neg", [len(data["graph"]["nodes"]) - 1], None])
        data["graph"]["nodes"].append(["abs", [len(data["graph"]["nodes"]) - 1], None])
    data["graph"]["values"]["h"] = len(data["graph"]["nodes"]) - 1
    with pytest.raises(CellError, match="20,004 nodes; a cell has at most 10,000"):
        Cell.from_json(data)


def doubled(v: Any) -> Any:
    return v * v + v


def halved(v: Any) -> Any:
    closed = v < 0
    return where(closed, v * 2, where(closed, v, v * 3))


@pytest.mark.broad
@pytest.mark.parametrize(
    "grow",
    [doubled, halved, tanh, lambda v: tanh(v - mean(v)), layer_norm, lambda v: v + sigmoid(v * 2)],
)
def test_print_grows_with_the_graph(grow: Callable[[Any], Any]) -> None:
    """Twice the turns, twice the text: in both directions, and Python can read it."""

    def grown(turns: int) -> Cell:
        @quiet
        def growing(x, h):
            v = affine(x, h)
            for _ in range(turns):
                v = grow(v)
            h = v
            return locals()

        return growing

    lengths = []
    for turns in (100, 200, 400):
        cell = grown(turns)
        texts = [cell.latex(), cell.python(), python(cell.derivative)]
        for text in texts[1:]:
            compile(text, "printed", "exec")
        lengths.append(sum(map(len, texts)))
    first, second = lengths[1] - lengths[0], lengths[2] - lengths[1]
    assert second < 2.2 * first


def test_a_chain_without_names() -> None:
    data = stored("rnn_tanh")
    nodes = data["graph"]["nodes"]
    for _ in range(1_000):
        nodes.append(["tanh", [len(nodes) - 1], None])
        nodes.append(["neg", [len(nodes) - 1], None])
    data["graph"]["values"]["h"] = len(nodes) - 1
    cell = Cell.from_json(data)
    compile(cell.python(), "printed", "exec")
    assert max(map(len, cell.latex().splitlines())) < 1_000
    assert len(repr(cell.graph.values["h"])) < 600


@pytest.mark.parametrize("doc", ['"""', 'a "quote"', "back\\", 'end"', "\0", "a\r\nb", '"""+x+"""'])
def test_descriptions_are_text(doc: str) -> None:
    data = stored("rnn_tanh")
    data["doc"] = doc
    names: dict[str, Any] = {}
    exec(Cell.from_json(data).python(), names)
    assert names["rnn_tanh"].__doc__ == doc.strip().partition("\n")[0]


def test_names_of_functions_are_names_of_values_too() -> None:
    @quiet
    def tanh_(x, exp, sum):
        tanh = unrolled.tanh(affine(x, exp))
        sum = unrolled.exp(tanh) * sum
        exp = tanh - mean(tanh)
        return locals()

    compile(tanh_.python(), "printed", "exec")
    assert "tanh_(" in tanh_.python()
    assert "exp as exp_" in tanh_.python()


@pytest.mark.parametrize("name", sorted(CELLS))
def test_parts_that_files_need_are_all_of_a_graph(name: str) -> None:
    cell = CELLS[name]
    assert Cell.from_json(json.loads(json.dumps(cell.to_json()))) == cell
    assert from_json(to_json(cell.derivative)).values == cell.derivative.values


@unrolled.cell
def named(x, h, *, alpha=0.25):
    u = tanh(affine(x, h))
    h = (1 - alpha) * h + alpha * u
    return locals()


WRITTEN: dict[str, Callable[[Any], Any]] = {
    "has no name": lambda written: written["names"].remove("h"),
    "no value is called": lambda written: written["names"].append("z"),
    "stands beside another": lambda written: written["numbers"].append(written["numbers"][0]),
    "stands nowhere": lambda written: written["hyperparameters"].update(beta=1.0),
    "is not 0": lambda written: written["hyperparameters"].update(alpha=0.5),
    "no number computed": lambda written: written["numbers"][0].__setitem__(2, "__debug__"),
    "no number computed from": lambda written: written["numbers"][0].__setitem__(2, "(alpha)"),
}


@pytest.mark.parametrize("message", WRITTEN)
def test_what_an_author_cannot_have_written_is_refused(message: str) -> None:
    data = json.loads(json.dumps(named.to_json()))
    assert Cell.from_json(data).python() == named.python()
    WRITTEN[message](data["graph"]["written"])
    with pytest.raises(CellError, match=message):
        Cell.from_json(data).python()
