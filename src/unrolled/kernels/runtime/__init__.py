"""From text to machine code, and from tensors to a launch."""
