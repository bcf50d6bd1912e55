"""From text to functions that can be called."""

import ctypes
import gc
import os
from pathlib import Path

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


def test_a_function_that_is_nowhere() -> None:
    text = """declare i64 @nowhere_at_all()
    define i64 @ask() {
      %answer = call i64 @nowhere_at_all()
      ret i64 %answer
    }"""
    with pytest.raises(RuntimeError, match="Failed to materialize symbols"):
        Machine(text, host("float"), {}).address("ask")


def test_more_modules_than_an_engine_links() -> None:
    """Each is called after others were freed, and goes on to work when its neighbours go."""
    kind = ctypes.CFUNCTYPE(ctypes.c_int64)
    count = 2 * machine.MODULES + 5
    texts = [f"define i64 @number() {{\n  ret i64 {k}\n}}" for k in range(count)]
    machines = [Machine(text, host("float"), {}) for text in texts]
    functions = [kind(known.address("number")) for known in machines]
    assert [function() for function in functions] == list(range(count))
    del machines[::2], functions[::2]
    gc.collect()
    assert [function() for function in functions] == list(range(1, count, 2))


@pytest.mark.broad
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="asks Linux for its memory")
def test_code_takes_little_and_is_freed() -> None:
    """Constants of 64 KiB in each module are there while it is, and nothing else that is large."""

    def resident() -> float:
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def made(count: int) -> list[Machine]:
        machines = [Machine(NUMBERS, host("float"), {}) for _ in range(count)]
        for known in machines:
            number = ctypes.CFUNCTYPE(ctypes.c_int64)(known.address("number"))
            assert number() == 42
        return machines

    made(2 * machine.MODULES)
    before = resident()
    machines = made(64)
    assert 4 < resident() - before < 64 * 0.25
    machines.clear()
    assert resident() - before < 2


NUMBERS = f"""@numbers = internal constant [8192 x i64] [{", ".join(["i64 42"] * 8192)}]
define i64 @number() {{
  %number = load volatile i64, ptr @numbers
  ret i64 %number
}}"""


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
