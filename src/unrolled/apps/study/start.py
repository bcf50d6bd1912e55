"""How the weights of a layer start: as PyTorch draws them, or as a paper says."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from ...equations import Cell
from ...errors import UserError
from ...graph import parameters
from ...graph.operation import Operation
from ...nn import Recurrent
from ...probe.gates import keeping


def plain(layer: Recurrent) -> None:
    """As PyTorch draws them: U(-1/sqrt(H), 1/sqrt(H))."""


def identity(layer: Recurrent) -> None:
    """Recurrent weights are the identity, biases 0 (IRNN; Le, Jaitly & Hinton 2015)."""
    for name, parameter in layer.named_parameters():
        with torch.no_grad():
            if name.startswith("weight_hh"):
                nn.init.eye_(parameter)
            elif name.startswith("bias"):
                parameter.zero_()


def forget(layer: Recurrent) -> None:
    """The gate that keeps the memory starts open: a bias of 1 more (Gers et al. 2000)."""
    found = keeping(layer.graph)
    assert found is not None  # as `check` has seen
    counts = {each.name: len(each.rows) for each in parameters(layer.graph)}
    for node in found.gate.arguments:
        blocks = node.attribute.blocks if node.operation is Operation.AFFINE else ()
        for block in blocks:
            if block.bias is not None:
                name = f"bias_{block.group}"
                bias = getattr(layer, f"{name}_l0")
                height = len(bias) // counts[name]
                with torch.no_grad():
                    bias[block.bias * height : (block.bias + 1) * height] += found.sign
                return


STARTS: dict[str, Callable[[Recurrent], None]] = {
    "": plain,
    "identity": identity,
    "forget": forget,
}
"""By their names, as they stand behind a cell's name and a plus sign."""


def check(cell: Cell, start: str) -> None:
    """UserError for a start that there is not, or that the cell cannot have."""
    if start not in STARTS:
        known = ", ".join(f"+{name}" for name in STARTS if name)
        raise UserError(f"{cell.name}+{start}: a start is one of {known}")
    rows = {each.name: each.rows for each in parameters(cell.graph)}
    if start == "identity" and len(rows.get("weight_hh", ())) != 1:
        raise UserError(f"{cell.name}+identity: the cell has not one recurrent matrix")
    if start == "forget" and keeping(cell.graph) is None:
        raise UserError(f"{cell.name}+forget: the cell has no gate that keeps its memory")
