"""The command ``unrolled draw``: pictures with the numbers of a model or a run."""
