"""The extras of the package."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parent.parent / "pyproject.toml"
DEVELOPERS = {"dev"}


@pytest.fixture(scope="module")
def extras() -> dict[str, list[str]]:
    project: dict[str, Any] = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    return project["optional-dependencies"]


def test_all_brings_what_every_extra_of_users_does(extras: dict[str, list[str]]) -> None:
    (requirement,) = extras["all"]
    found = re.fullmatch(r"unrolled\[(.*)\]", requirement)
    assert found is not None
    assert set(found[1].split(",")) == set(extras) - DEVELOPERS - {"all"}
