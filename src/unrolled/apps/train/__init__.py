"""Training recurrent networks: data, loop, checkpoints, sampling, display."""
