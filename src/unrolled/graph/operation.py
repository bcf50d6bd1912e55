"""The operations that equations are made of.

Every consumer of equations (eager, derivative, printing, and later kernels and pictures) has one
table from operation to rule; a test holds that every operation stands in every table.
"""

from enum import Enum

EPSILON = 1e-5
"""Added to the variance by layer norm; PyTorch's default."""


class Operation(Enum):
    """An operation of a node on its arguments.

    The comment after each operation gives its arguments and, after a colon, its attribute.
    """

    # Leaves.
    CONSTANT = "constant"  # (): float
    INPUT = "input"  # (): name
    STATE = "state"  # (): name; the value before the step
    LEARNED = "learned"  # (): Learned; a vector or a scalar

    # Pointwise.
    ADD = "add"  # (a, b)
    SUB = "sub"  # (a, b)
    MUL = "mul"  # (a, b)
    DIV = "div"  # (a, b)
    NEG = "neg"  # (a)
    SIGMOID = "sigmoid"  # (a)
    TANH = "tanh"  # (a)
    RELU = "relu"  # (a)
    EXP = "exp"  # (a)
    LOG = "log"  # (a)
    SQRT = "sqrt"  # (a)
    ABS = "abs"  # (a)
    MINIMUM = "minimum"  # (a, b)
    MAXIMUM = "maximum"  # (a, b)
    LESS = "less"  # (a, b); a condition
    LESS_EQUAL = "less_equal"  # (a, b); a condition
    SELECT = "select"  # (condition, a, b)

    # Over the units of one row.
    SUM = "sum"  # (a); of size one
    DIMENSION = "dimension"  # (a); the number of units of a
    BROADCAST = "broadcast"  # (a, like); a of size one, spread over the units of like
    NORMALIZE = "normalize"  # (a): epsilon; zero mean, unit variance

    # Learned layers.
    AFFINE = "affine"  # (source, ...): Layer; the sum of W source + b
    TRANSPOSED = "transposed"  # (gradient): Term; W^T gradient
    OUTER = "outer"  # (gradient, source): Term; one row's part of the gradient of W


LEAVES = frozenset({Operation.CONSTANT, Operation.INPUT, Operation.STATE, Operation.LEARNED})
CONDITIONS = frozenset({Operation.LESS, Operation.LESS_EQUAL})
ACTIVATIONS = frozenset({Operation.SIGMOID, Operation.TANH, Operation.RELU, Operation.EXP})
UNARY = ACTIVATIONS | {Operation.NEG, Operation.LOG, Operation.SQRT, Operation.ABS}
ARITHMETIC = frozenset({Operation.ADD, Operation.SUB, Operation.MUL, Operation.DIV})
BINARY = ARITHMETIC | CONDITIONS | {Operation.MINIMUM, Operation.MAXIMUM}
POINTWISE = UNARY | BINARY | {Operation.SELECT}
