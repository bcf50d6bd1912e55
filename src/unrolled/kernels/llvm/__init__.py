"""Kernels for the CPU: schedule, LLVM IR as text, machine code."""
