from collections.abc import Mapping
from typing import Any

import pytest

from unrolled.draw.symbols import SYMBOL
from unrolled.equations.traps import VALUES
from unrolled.graph.derivative import DERIVATIVE
from unrolled.graph.notation import NOTATION
from unrolled.graph.operation import ACTIVATIONS, CONDITIONS, LEAVES, POINTWISE, Operation
from unrolled.graph.storage import ARGUMENTS
from unrolled.kernels.codegen.pointwise import LLVM
from unrolled.kernels.eager import EAGER
from unrolled.printing.c import RULES as C
from unrolled.printing.formula import RULES

ONLY_IN_DERIVATIVES = {Operation.TRANSPOSED, Operation.OUTER}


@pytest.mark.parametrize(
    ("table", "without"),
    [
        *((EAGER, set()), (LLVM, set()), (NOTATION, set()), (RULES, set())),
        *((SYMBOL, set()), (C, set())),
        (DERIVATIVE, ONLY_IN_DERIVATIVES),
        (ARGUMENTS, {Operation.AFFINE}),  # as many as its layer has blocks
    ],
    ids=[
        "EAGER",
        "LLVM",
        "NOTATION",
        "RULES",
        "SYMBOL",
        "C",
        "DERIVATIVE",
        "ARGUMENTS",
    ],
)
def test_every_operation_stands_in_every_table(
    table: Mapping[Operation, Any], without: set[Operation]
) -> None:
    assert set(table) == set(Operation) - without


def test_only_leaves_have_nothing_to_call() -> None:
    assert {operation for operation, function in EAGER.items() if function is None} == LEAVES


def test_kernels_have_instructions_for_what_is_pointwise() -> None:
    assert {operation for operation, rule in LLVM.items() if rule is not None} == POINTWISE


def test_numbers_are_known_of_what_is_pointwise() -> None:
    assert set(VALUES) == POINTWISE - {Operation.SELECT}  # which passes one of its branches on


def test_kinds_of_operations_do_not_overlap() -> None:
    assert ACTIVATIONS < POINTWISE
    assert CONDITIONS < POINTWISE
    assert not ACTIVATIONS & CONDITIONS
    assert not LEAVES & POINTWISE


def test_values_are_their_names_in_files() -> None:
    assert all(operation.value == operation.name.lower() for operation in Operation)
