"""From LLVM IR to machine code that can be called."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import final

from llvmlite import binding

from ... import locks
from ..codegen.ir import Target

_lock = getattr(getattr(binding.ffi.lib, "_lock", None), "_lock", None)
if _lock is not None:  # of llvmlite: held during each call of LLVM, by any user
    locks.known(_lock)

EFFORT = 3
"""How hard LLVM tries, from 0 to 3. At 0 it writes slow code, in a third of the time: for fuzzing,
where code is run once."""


@cache
def _host() -> tuple[str, str, dict[str, bool]]:
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    features = binding.get_host_cpu_features()
    return binding.get_host_cpu_name(), features.flatten(), dict(features)


def host(dtype: str) -> Target:
    """This machine's processor."""
    name, features, known = _host()
    if known.get("avx512f"):
        return Target(dtype, 64, 32, name, features)
    if known.get("avx2") and known.get("fma"):
        return Target(dtype, 32, 16, name, features)
    if known.get("neon"):
        return Target(dtype, 16, 32, name, features)
    return Target(dtype, 16, 16, name, features)


@final
class Machine:
    """The machine code of one module; it lives as long as this object.

    Args:
        text: the module.
        target: the processor.
        symbols: addresses of the functions that the module declares and calls.
    """

    def __init__(self, text: str, target: Target, symbols: Mapping[str, int]) -> None:
        with locks.compiling():
            self._engine = _compiled(text, target, symbols)

    def address(self, name: str) -> int:
        """Where a function of the module stands."""
        return self._engine.get_function_address(name)


def _compiled(text: str, target: Target, symbols: Mapping[str, int]) -> binding.ExecutionEngine:
    _host()
    for name, address in symbols.items():
        binding.add_symbol(name, address)
    triple = binding.Target.from_default_triple()
    machine = triple.create_target_machine(
        cpu=target.cpu, features=target.features, opt=EFFORT, reloc="pic"
    )
    module = binding.parse_assembly(text)
    module.verify()
    # The text says already what a general optimiser would have to find out.
    builder = binding.create_pass_builder(machine, binding.create_pipeline_tuning_options())
    passes = binding.create_new_module_pass_manager()
    passes.add_always_inliner_pass()
    passes.run(module, builder)
    engine = binding.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    return engine
