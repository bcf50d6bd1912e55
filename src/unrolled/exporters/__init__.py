"""Trained modules as programs of other languages: C, JavaScript, ONNX, plain PyTorch."""
