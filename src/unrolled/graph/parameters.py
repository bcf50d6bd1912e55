"""The learned arrays of a cell: names, shapes and start values, as in `torch.nn`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .operation import Operation

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
    weights: dict[str, _Rows] = {}
    biases: dict[str, _Rows] = {}
    projections: dict[str, _Rows] = {}
    for size, block in _blocks(graph):
        arrays = projections if size == "projection" else weights
        arrays.setdefault(f"weight_{block.group}", _Rows(block.size, [])).sizes.append(size)
        if block.bias is not None:
            biases.setdefault(f"bias_{block.group}", _Rows(None, [])).sizes.append(size)
    arrays = {**weights, **biases, **projections}
    vectors = [
        Parameter(node.attribute.name, (node.attribute.size,), None, node.attribute.init)
        for node in graph.learned
    ]
    return (
        *(Parameter(name, tuple(rows.sizes), rows.columns, None) for name, rows in arrays.items()),
        *vectors,
    )


class _Rows(NamedTuple):
    """An array of learned layers while its blocks are counted."""

    columns: Size | None
    sizes: list[Size]  # of the blocks


def _blocks(graph: Graph) -> list[tuple[Size, Block]]:
    """Return all blocks with their layer's size; ih and hh first, each group by its rows."""
    found = [
        (node.attribute.size, block) for node in graph.layers for block in node.attribute.blocks
    ]
    first = ("ih", "hh")
    return sorted(
        found,
        key=lambda pair: (
            pair[1].group not in first,
            first.index(pair[1].group) if pair[1].group in first else 0,
            pair[1].group,
            pair[1].row,
        ),
    )


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
        for index, block in enumerate(node.attribute.blocks):
            found[node.attribute.weight(index)] = rows(f"weight_{block.group}", block.row)
            if block.bias is not None:
                name = node.attribute.weight(index, "b")
                found[name] = rows(f"bias_{block.group}", block.bias)
    for node in graph.learned:
        assert node.operation is Operation.LEARNED
        found[node.attribute.name] = arrays[node.attribute.name]
    return found
