"""Cells, and the decorator that makes one of a function."""

from ..errors import CellError
from ..graph import Graph, Node, Operation, derivative, parameters, weights
from .cell import Cell, cell

__all__ = [
    "Cell",
    "CellError",
    "Graph",
    "Node",
    "Operation",
    "cell",
    "derivative",
    "parameters",
    "weights",
]
