"""Cells as data: operations, nodes, graphs, and what is derived from them."""

from .derivative import derivative
from .graph import Graph
from .node import Node
from .operation import Operation
from .parameters import parameters, weights

__all__ = ["Graph", "Node", "Operation", "derivative", "parameters", "weights"]
