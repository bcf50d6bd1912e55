"""The machine at hand: its name, its versions, its highest rate of multiply-adds."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Any, final

import torch

from ... import __version__
from ...kernels.codegen.ir import Target
from ...kernels.runtime.jit import Machine, host

PACKAGES = ("llvmlite", "numpy", "onnxruntime", "openvino", "jax")


def machine() -> dict[str, Any]:
    """Return the processor, and the versions of what is measured."""
    target = host("float")
    return {
        "processor": processor(),
        "llvm_name": target.cpu,
        "cores": os.cpu_count(),
        "vector_bits": 8 * target.vector_bytes,
        "system": platform.platform(),
        "versions": {
            "unrolled": __version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            **{name: found for name in PACKAGES if (found := _version(name))},
        },
    }


def processor() -> str:
    """Return the processor's name, as the system has it."""
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


SECONDS, TAKES = 0.02, 4


@final
class Ceiling:
    """The rate of independent chains of multiply-adds on full vectors, in float32."""

    def __init__(self) -> None:
        target = host("float")
        self.chains = 24 if target.registers >= 32 else 12
        self._machine = Machine(_source(target, self.chains), target, {})
        kind = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)
        self._run = kind(self._machine.address("chains"))
        self._numbers = (ctypes.c_float * (target.lanes * self.chains))()
        self._flops = 2 * target.lanes * self.chains
        self._turns = self._count()

    def gflops(self, threads: int) -> float:
        """Measure billions of operations a second on so many threads: the best of a few takes."""
        with ThreadPoolExecutor(threads) as pool:
            return max(self._take(pool, threads) for _ in range(TAKES))

    def _count(self) -> int:
        """Return how many turns take about the time of one take."""
        turns, seconds = 1000, 0.0
        while seconds < SECONDS / 4:
            turns *= 2
            began = time.perf_counter()
            self._run(ctypes.addressof(self._numbers), turns)
            seconds = time.perf_counter() - began
        return int(turns * SECONDS / seconds)

    def _take(self, pool: ThreadPoolExecutor, threads: int) -> float:
        def run() -> tuple[float, float]:
            numbers = type(self._numbers)()
            began = time.perf_counter()
            self._run(ctypes.addressof(numbers), self._turns)
            return began, time.perf_counter()

        spans = [each.result() for each in [pool.submit(run) for _ in range(threads)]]
        seconds = max(end for _, end in spans) - min(began for began, _ in spans)
        return threads * self._turns * self._flops / seconds / 1e9


def _source(target: Target, chains: int) -> str:
    """Write LLVM IR: c = a * c + a in every chain, all numbers kept in registers."""
    vector = target.vector
    fma = f"@llvm.fma.v{target.lanes}f32"

    def each(line: str) -> list[str]:
        return [line.replace("#", str(chain)) for chain in range(chains)]

    return "\n".join(
        [
            f"declare {vector} {fma}({vector}, {vector}, {vector})",
            "define void @chains(ptr %numbers, i64 %turns) {",
            "entry:",
            *each(f"  %p# = getelementptr {vector}, ptr %numbers, i64 #"),
            *each(f"  %f# = load {vector}, ptr %p#, align 4"),
            "  br label %loop",
            "loop:",
            "  %turn = phi i64 [0, %entry], [%next, %loop]",
            *each(f"  %c# = phi {vector} [%f#, %entry], [%n#, %loop]"),
            *each(f"  %n# = call {vector} {fma}({vector} %f0, {vector} %c#, {vector} %f0)"),
            "  %next = add i64 %turn, 1",
            "  %more = icmp slt i64 %next, %turns",
            "  br i1 %more, label %loop, label %done",
            "done:",
            *each(f"  store {vector} %n#, ptr %p#, align 4"),
            "  ret void",
            "}",
        ]
    )
