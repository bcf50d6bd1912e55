"""Random cells and calls: compiled kernels are held against the definition.

One seed is one cell and one call. ``python -m tests.fuzz --help`` says what can be run.
"""
