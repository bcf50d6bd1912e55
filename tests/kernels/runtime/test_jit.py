"""From text to functions that can be called."""

import ctypes
import gc

import pytest
from llvmlite import binding

from unrolled.kernels.codegen.ir import Target
from unrolled.kernels.runtime import jit as machine
from unrolled.kernels.runtime.jit import Machine, host

ADD = """define i64 @add(i64 %a, i64 %b) {
  %sum = add i64 %a, %b
  ret i64 %sum
}"""


def test_functions_are_called() -> None:
    known = Machine(ADD, host("float"), {})
    add = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)(known.address("add"))
    assert add(40, 2) == 42


def test_modules_may_have_the_same_names() -> None:
    machines = [
        Machine(f"define i64 @number() {{\n  ret i64 {k}\n}}", host("float"), {}) for k in range(5)
    ]
    gc.collect()
    kind = ctypes.CFUNCTYPE(ctypes.c_int64)
    assert [kind(known.address("number"))() for known in machines] == [0, 1, 2, 3, 4]


def test_functions_from_outside() -> None:
    @ctypes.CFUNCTYPE(ctypes.c_int64)
    def answer() -> int:
        return 42

    address = ctypes.cast(answer, ctypes.c_void_p).value
    assert address is not None
    text = """declare i64 @answer_from_outside()
    define i64 @ask() {
      %answer = call i64 @answer_from_outside()
      ret i64 %answer
    }"""
    known = Machine(text, host("float"), {"answer_from_outside": address})
    assert ctypes.CFUNCTYPE(ctypes.c_int64)(known.address("ask"))() == 42


@pytest.mark.parametrize("text", ["define i64 @f() {", "define i64 @f() {\n  ret i32 0\n}"])
def test_wrong_text_is_refused(text: str) -> None:
    with pytest.raises(RuntimeError, match="LLVM IR parsing error"):
        Machine(text, host("float"), {})


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ({"avx512f": True, "avx2": True, "fma": True}, (64, 32)),
        ({"avx512f": False, "avx2": True, "fma": True}, (32, 16)),
        ({"avx2": True, "fma": False}, (16, 16)),
        ({"neon": True}, (16, 32)),
        ({}, (16, 16)),
    ],
    ids=str,
)
def test_processors(
    features: dict[str, bool], expected: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "_host", lambda: ("some", "+features", features))
    assert host("double") == Target("double", *expected, "some", "+features")


def test_this_processor() -> None:
    known = host("float")
    assert known.cpu == binding.get_host_cpu_name()
    assert known.lanes in (4, 8, 16)
    assert host("double").lanes == known.lanes // 2
