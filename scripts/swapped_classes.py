"""A plugin of pytest for `run_torch_tests.py`: notes which tests make recurrent modules."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

KINDS = ("RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell")

_made: set[str] = set()  # tests that make recurrent modules
_results: dict[str, str] = {}
_unread: list[str] = []
_now: list[str] = []  # the test that runs


def pytest_configure() -> None:
    """Put our classes in the place of PyTorch's, or let PyTorch's say that they are used."""
    if os.environ["SWAPPED_OURS"]:
        _swap()
    _lend_names()
    if os.environ["SWAPPED_OURS"]:
        return
    for base in (nn.RNNBase, nn.RNNCellBase):
        _note(base)


def _swap() -> None:
    import unrolled

    ours = {getattr(nn, kind): getattr(unrolled, kind) for kind in KINDS}
    for kind in KINDS:
        for place in (torch.nn, torch.nn.modules):
            setattr(place, kind, getattr(unrolled, kind))
    from torch.testing._internal.common_modules import module_db

    for info in module_db:
        info.module_cls = ours.get(info.module_cls, info.module_cls)


def _lend_names() -> None:
    """Give the helpers of PyTorch's tests what checkouts of some releases earlier ask of them."""
    from torch.testing._internal import common_cuda, common_mkldnn, common_nn

    if not hasattr(common_nn, "new_module_tests"):
        common_nn.new_module_tests = list(common_nn.get_new_module_tests())
    if not hasattr(common_cuda, "tf32_is_not_fp32"):
        common_cuda.tf32_is_not_fp32 = lambda: False
    if not hasattr(common_mkldnn, "bf32_on_and_off"):  # a test, with other tolerances
        common_mkldnn.bf32_on_and_off = lambda *_: lambda test: test


def _note(base: Any) -> None:
    make = base.__init__

    def noted(self: Any, *args: Any, **options: Any) -> None:
        _made.update(_now)
        make(self, *args, **options)

    base.__init__ = noted


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the chosen tests."""
    only = json.loads(Path(os.environ["SWAPPED_ONLY"]).read_text(encoding="utf-8"))
    if only is not None:
        items[:] = [item for item in items if _name(item.nodeid) in set(only)]


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Note what cannot be read."""
    if report.failed:
        _unread.append(str(report.longrepr)[-500:])


def pytest_runtest_logstart(nodeid: str) -> None:
    """Note which test runs."""
    _now[:] = [_name(nodeid)]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note how a test ended."""
    name = _name(report.nodeid)
    if report.when == "call" or report.outcome != "passed":
        _results[name] = _results.get(name) if _results.get(name) == "failed" else report.outcome


def pytest_sessionfinish() -> None:
    """Write the results."""
    made = _results if os.environ["SWAPPED_OURS"] else {n: _results.get(n, "") for n in _made}
    report = {"results": made, "unread": "; ".join(_unread)}
    Path(os.environ["SWAPPED_TO"]).write_text(json.dumps(report), encoding="utf-8")


def _name(nodeid: str) -> str:
    return nodeid.partition("::")[2]
