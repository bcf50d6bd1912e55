from collections.abc import Iterator
from pathlib import Path

import pytest

from unrolled.apps.draw import models
from unrolled.apps.train.settings import Settings


@pytest.fixture
def small_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Models for pictures that are trained in a moment, and kept under ``tmp_path``."""
    folder = tmp_path / "cache"
    monkeypatch.setattr(models, "folder", lambda: folder)
    monkeypatch.setattr(models, "SETTINGS", Settings(hidden=6, batch=2, window=8, steps=4))
    monkeypatch.setattr(models, "MOMENTS", (0, 4))
    monkeypatch.setattr(models, "LETTERS", 20_000)
    models._moments.cache_clear()
    yield folder
    models._moments.cache_clear()
