"""What a cell is written in, and everything that is made of its equations alone."""

from .cell import Cell, cell
from .derivative import derivative
from .error import CellError
from .graph import Graph
from .node import Node
from .operation import Operation
from .parameters import parameters, weights

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
