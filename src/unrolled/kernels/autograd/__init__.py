"""Kernels as functions that PyTorch can differentiate, and as its registered operators."""
