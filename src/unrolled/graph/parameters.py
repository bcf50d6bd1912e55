"""The learned arrays of a cell: names, shapes and start values, as in `torch.nn`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .graph import Graph
    from .learned import Block, Size


class Parameter(NamedTuple):
    """One learned array of a layer."""

    name: str  # weight_ih, bias_hh, p_i, ...; a module adds _l0, _l0_reverse, ...
    rows: tuple[Size, ...]  # the blocks of rows, one for each layer that it serves
    columns: Size | None  # None for vectors
    init: float | None  # its value at the start; None: drawn from U(-1/sqrt(H), 1/sqrt(H))

    def shape(self, sizes: Mapping[Size, int]) -> tuple[int, ...]:
        """Return the shape in numbers, given I, H and P."""
        rows = sum(sizes[size] for size in self.rows)
        return (rows,) if self.columns is None else (rows, sizes[self.columns])


def parameters(graph: Graph) -> tuple[Parameter, ...]:
    """Return everything that a cell learns, in the order of `torch.nn`.

    Weights come first (``weight_ih``, ``weight_hh``, then those of other sources), biases in the
    same order, projections, and at last learned vectors and scalars.
    """
    weights: dict[str, Parameter] = {}
    biases: dict[str, Parameter] = {}
    projections: dict[str, Parameter] = {}

    def grow(arrays: dict[str, Parameter], name: str, size: Size, columns: Size | None) -> None:
        """Add a block of rows to an array."""
        known = arrays.get(name, Parameter(name, (), columns, None))
        arrays[name] = known._replace(rows=(*known.rows, size))

    for size, block in _blocks(graph):
        is_projection = size == "projection"
        grow(projections if is_projection else weights, f"weight_{block.group}", size, block.size)
        if block.bias is not None:
            grow(biases, f"bias_{block.group}", size, None)
    vectors = (
        Parameter(node.attribute.name, (node.attribute.size,), None, node.attribute.init)
        for node in graph.learned
    )
    return (*weights.values(), *biases.values(), *projections.values(), *vectors)


def _blocks(graph: Graph) -> list[tuple[Size, Block]]:
    """Return all blocks with their layer's size; ih and hh first, each group by its rows."""

    def place(pair: tuple[Size, Block]) -> tuple[int, str, int]:
        group = pair[1].group
        return {"ih": 0, "hh": 1}.get(group, 2), group, pair[1].row

    layers = (node.attribute for node in graph.layers)
    return sorted(((layer.size, block) for layer in layers for block in layer.blocks), key=place)


def weights(graph: Graph, arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Cut a layer's arrays into the weights that the printed equations name: W_ii, b_ii, ...

    Args:
        graph: of the cell.
        arrays: by parameter name (``weight_ih``); anything that can be sliced by rows.
    """
    counts = {parameter.name: len(parameter.rows) for parameter in parameters(graph)}

    def rows(name: str, row: int) -> Any:  # all blocks of an array have the same number of rows
        height = arrays[name].shape[0] // counts[name]
        return arrays[name][row * height : (row + 1) * height]

    found: dict[str, Any] = {}
    for node in graph.layers:
        layer = node.attribute
        for index, block in enumerate(layer.blocks):
            found[layer.weight(index)] = rows(f"weight_{block.group}", block.row)
            if block.bias is not None:
                found[layer.weight(index, "b")] = rows(f"bias_{block.group}", block.bias)
    return found | {node.attribute.name: arrays[node.attribute.name] for node in graph.learned}
