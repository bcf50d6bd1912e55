"""From LLVM IR to machine code that can be called."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from typing import final

import llvmlite
from llvmlite import binding

from ... import locks
from ..codegen.ir import Target
from ..tuning import EFFORT, MODULES
from . import code_cache

_lock = getattr(getattr(binding.ffi.lib, "_lock", None), "_lock", None)
if _lock is not None:  # of llvmlite: held during each call of LLVM, by any user
    locks.known(_lock)

VERSIONS = (
    llvmlite.__version__,
    str(binding.llvm_version_info),
    binding.get_default_triple(),
)
"""Of what makes code of a text, and the system for which it is made; see `code_cache.FORMAT`."""


@cache
def _host() -> tuple[str, str, dict[str, bool]]:
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    features = binding.get_host_cpu_features()
    return binding.get_host_cpu_name(), features.flatten(), dict(features)


def host(dtype: str) -> Target:
    """Return this machine's processor."""
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

    Of all that LLVM makes on the way, nothing is kept but the code.

    Args:
        text: the module.
        target: the processor.
        symbols: addresses of the functions that the module declares and calls.
    """

    def __init__(self, text: str, target: Target, symbols: Mapping[str, int]) -> None:
        with locks.compiling():
            _host()
            self._engine, self._name = _engines.place()
            library = binding.JITLibraryBuilder().add_object_img(_object(text, target))
            library.add_current_process()  # of its libraries, `fma` where a processor has none
            for name, address in symbols.items():
                library.import_symbol(name, address)
            self._held = [library.link(self._engine, self._name)]

    def address(self, name: str) -> int:
        """Return where a function of the module stands."""
        function = self._engine.lookup(self._name, name)
        self._held.append(function)  # to drop it would free the module
        return function[name]


def _object(text: str, target: Target) -> bytes:
    """Return the module as an object file, from the disk if it was compiled before."""
    key = code_cache.key(text, target.cpu, target.features, str(EFFORT), *VERSIONS)
    code = code_cache.read(key)
    if code is None:
        code = _compiled(text, target)
        code_cache.write(key, code)
    return code


def _compiled(text: str, target: Target) -> bytes:
    """Return the module as an object file."""
    machine = _target_machine(target.cpu, target.features, EFFORT)
    with binding.create_context() as context, binding.parse_assembly(text, context) as module:
        module.verify()
        # The text says already what a general optimiser would have to find out.
        builder = binding.create_pass_builder(machine, binding.create_pipeline_tuning_options())
        passes = binding.create_new_module_pass_manager()
        passes.add_always_inliner_pass()
        passes.run(module, builder)
        return machine.emit_object(module)


@cache
def _target_machine(cpu: str, features: str, effort: int) -> binding.TargetMachine:
    triple = binding.Target.from_default_triple()
    return triple.create_target_machine(cpu=cpu, features=features, opt=effort, reloc="pic")


@final
class _Engines:
    """LLVM's linkers of code in memory, each for some modules.

    One takes 150 KiB, and keeps 10 KiB of every module that it has ever linked; it goes with the
    last of them.
    """

    def __init__(self) -> None:
        self._engine: binding.LLJIT | None = None
        self._modules = 0

    def place(self) -> tuple[binding.LLJIT, str]:
        """Return the engine that links the next module, and the module's name in it."""
        if self._engine is None or self._modules == MODULES:
            # JITLink has all of a module in one piece; there is none for Windows
            self._engine = binding.create_lljit_compiler(use_jit_link=os.name == "posix")
            self._modules = 0
        self._modules += 1
        return self._engine, f"module {self._modules}"


_engines = _Engines()
