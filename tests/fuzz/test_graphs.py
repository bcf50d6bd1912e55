from collections import Counter

import pytest

from fuzz.graphs import FINE, sweep
from fuzz.graphs_cases import case
from fuzz.graphs_judge import judge

SEEDS = range(60)


@pytest.mark.broad
def test_strangers_do_no_harm() -> None:
    outcomes = Counter()
    for seed in SEEDS:
        kind, text = case(seed)
        verdict = judge(text)
        assert verdict.outcome in FINE, (seed, kind, verdict)
        outcomes[verdict.outcome] += 1
    assert outcomes["refused"] >= 10
    assert outcomes["kernel"] >= 10


@pytest.mark.slow
def test_workers_judge_seeds() -> None:
    counts = sweep(range(5))
    assert sum(counts.values()) == 5
    assert {outcome for _, outcome in counts} <= set(FINE)
