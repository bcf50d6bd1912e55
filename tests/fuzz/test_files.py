from .files import findings

COUNT = 250
"""Files: about as many as go through in 20 seconds."""


def test_mutated_files_work_or_are_refused_with_words() -> None:
    seeds = [f"test {number}" for number in range(COUNT)]
    found = {seed: each for seed, each in findings(seeds, 1, ("cell",)) if each is not None}
    assert not found, "\n".join(f"{seed}: {each.kind}\n{each.text}" for seed, each in found.items())
