import os
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path

# Threads of OpenMP that wait take a core from those that work; it is read as PyTorch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import pytest
import torch
from _pytest.doctest import DoctestModule
from hypothesis import settings

import guard
from code_cache_folder import temporary
from unrolled.draw import search
from unrolled.kernels.runtime import memory

HASTY = 5000
"""How long layouts are improved in tests: what must hold of a picture, holds for every one."""

settings.register_profile("unrolled", deadline=None)
settings.load_profile("unrolled")


def pytest_configure(config: pytest.Config) -> None:
    """Let all workers of this run share what one has compiled."""
    search.WORK = HASTY
    stack = ExitStack()
    stack.enter_context(temporary())
    config.add_cleanup(stack.close)


@pytest.hookimpl(wrapper=True)
def pytest_collect_file() -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    """Look for examples in sources and documents alone: tests have none, and there are many."""
    found = yield
    return [each for each in found if not isinstance(each, DoctestModule)]


GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(autouse=True)
def _small() -> Iterator[None]:
    """Cells this small are slower on several threads; what is drawn is the same in every run."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True, scope="session")
def _exact() -> None:
    """Under guard pages memory is not used again, and a piece of it has just the size asked for."""
    if guard.is_on():
        memory.reserve._alone = None


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compares a text with its golden copy in tests/golden.

    ``UNROLLED_GOLDEN=1 python -m pytest tests`` writes the copies anew; read the difference
    before you commit it.
    """

    def check(name: str, text: str) -> None:
        path = GOLDEN / name
        text = text.rstrip("\n") + "\n"
        if os.environ.get("UNROLLED_GOLDEN"):
            path.write_text(text, encoding="utf-8")
        assert path.read_text(encoding="utf-8") == text

    return check


BROAD = tuple(
    Path(__file__).parent / name
    for name in (
        "apps/bench/test_choice.py",
        "apps/bench/test_command.py",
        "apps/report/test_report.py",
        "apps/report/test_strangers.py",
        "apps/study/test_trial.py",
        "apps/test_cli.py",
        "apps/train/classify/test_command.py",
        "apps/train/pairs/test_command.py",
        "apps/train/series/test_command.py",
        "apps/train/test_language.py",
        "apps/train/test_loop.py",
        "apps/train/test_sample_inputs.py",
        "cells/test_cells.py",
        "draw/test_drawings.py",
        "fuzz/test_files.py",
        "fuzz/test_found.py",
        "fuzz/test_fuzz.py",
        "graph/test_storage.py",
        "kernels/autograd/test_node.py",
        "kernels/autograd/test_operator.py",
        "kernels/codegen/test_pointwise.py",
        "kernels/runtime/test_guard_pages.py",
        "kernels/runtime/test_launch.py",
        "kernels/runtime/test_weight_gradients.py",
        "nn/test_fused.py",
        "nn/test_layer.py",
        "nn/test_memory.py",
        "nn/test_noise.py",
        "nn/test_sequence.py",
        "nn/test_step.py",
        "nn/test_third_party.py",
        "nn/test_under.py",
        "probe/test_flow.py",
        "test_interrupts.py",
        "test_locks.py",
    )
)
"""Modules that go through many configurations and compile kernels for each, or train models."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what the quick run leaves out: broad modules, and of a test all cases between two."""
    for module in BROAD:
        assert module.is_file(), f"BROAD names {module}, which has moved or gone"
    cases: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.path in BROAD:
            item.add_marker("broad")
        elif item.get_closest_marker("broad") is None:
            cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for between in (item for group in cases.values() for item in group[1:-1]):
        between.add_marker("broad")
