from typing import Any

import pytest
import torch
from torch import Tensor


@pytest.fixture
def poisoned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every fresh tensor that Python asks for is full of NaN; returns who asked."""
    asked: list[str] = []

    def poison(owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def fresh(*arguments: Any, **options: Any) -> Tensor:
            asked.append(name)
            made = original(*arguments, **options)
            return made.fill_(float("nan")) if made.is_floating_point() else made

        monkeypatch.setattr(owner, name, fresh)

    poison(torch, "empty")
    poison(torch, "empty_like")
    poison(Tensor, "new_empty")
    return asked
