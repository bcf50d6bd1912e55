"""The signs in boxes and circles, and beside the lines into them."""

from __future__ import annotations

from ..graph.operation import LEAVES, Operation

SYMBOL: dict[Operation, str] = {
    **dict.fromkeys(LEAVES, ""),
    Operation.ADD: "$+$",
    Operation.SUB: "$-$",
    Operation.MUL: "$\\times$",
    Operation.DIV: "$\\div$",
    Operation.NEG: "$-$",
    Operation.SIGMOID: "$\\sigma$",
    Operation.TANH: "$\\mathrm{tanh}$",
    Operation.RELU: "$\\mathrm{relu}$",
    Operation.EXP: "$\\mathrm{exp}$",
    Operation.LOG: "$\\mathrm{log}$",
    Operation.SQRT: "$\\sqrt{\\;\\;}$",
    Operation.ABS: "$|\\cdot|$",
    Operation.MINIMUM: "$\\mathrm{min}$",
    Operation.MAXIMUM: "$\\mathrm{max}$",
    Operation.LESS: "$<$",
    Operation.LESS_EQUAL: "$\\leq$",
    Operation.SELECT: "$\\mathrm{if}$",
    Operation.SUM: "$\\Sigma$",
    Operation.DIMENSION: "$\\mathrm{dim}$",
    Operation.BROADCAST: "$\\mathrm{copy}$",
    Operation.NORMALIZE: "$\\mathrm{norm}$",
    Operation.AFFINE: "$W$",
    Operation.TRANSPOSED: "$W^\\top$",
    Operation.OUTER: "$\\mathrm{outer}$",
}
"""The text in the box or circle of each operation."""

LOG_SIGMOID, MEAN = "$\\log\\,\\sigma$", "$\\mathrm{mean}$"
"""The same for what takes several operations."""

MARKS: dict[Operation, tuple[str, ...]] = {
    Operation.SUB: ("+", "−"),
    Operation.DIV: ("", "÷"),
    Operation.LESS: ("·<", "<·"),
    Operation.LESS_EQUAL: ("·<", "<·"),
    Operation.SELECT: ("?", "✓", "✗"),
}
"""Signs beside the lines into an operation whose arguments cannot be exchanged."""

WITH: dict[Operation, tuple[str, str]] = {
    Operation.ADD: ("$+{}$", "$+{}$"),
    Operation.SUB: ("${}{{-}}$", "$\\cdot-{}$"),
    Operation.MUL: ("$\\times {}$", "$\\times {}$"),
    Operation.DIV: ("${}{{\\div}}$", "$\\div {}$"),
    Operation.MINIMUM: ("$\\min\\,{}$", "$\\min\\,{}$"),
    Operation.MAXIMUM: ("$\\max\\,{}$", "$\\max\\,{}$"),
    Operation.LESS: ("$\\!>{}$", "$\\!<{}$"),
    Operation.LESS_EQUAL: ("$\\!\\geq {}$", "$\\!\\leq {}$"),
}
"""Operations with a number in them, as the first or the second argument.

mathtext leaves room before a comparison, even at the beginning: it is taken back.
"""
LEARNED_PRODUCT = ("$\\odot\\,{}$", "$\\odot\\,{}$")
"""The product with a learned vector."""
