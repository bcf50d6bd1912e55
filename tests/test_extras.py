"""The extras of the package."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
DEVELOPERS = {"dev"}


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def extras(project: dict[str, Any]) -> dict[str, list[str]]:
    return project["optional-dependencies"]


def _name(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", requirement)[0].lower().replace("_", "-")


def test_all_brings_what_every_extra_of_users_does(extras: dict[str, list[str]]) -> None:
    (requirement,) = extras["all"]
    found = re.fullmatch(r"unrolled\[(.*)\]", requirement)
    assert found is not None
    assert set(found[1].split(",")) == set(extras) - DEVELOPERS - {"all"}


def test_constraints_have_a_version_of_every_package(
    project: dict[str, Any], extras: dict[str, list[str]]
) -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {_name(line) for line in lines if "==" in line}
    wanted = {_name(each) for group in extras.values() for each in group}
    assert (wanted | {_name(each) for each in project["dependencies"]}) - pinned == {"unrolled"}


def test_the_oldest_python_is_said_alike(project: dict[str, Any]) -> None:
    oldest = project["requires-python"].removeprefix(">=")
    said = [each.rpartition(" ")[2] for each in project["classifiers"] if ":: Python :: 3." in each]
    assert said[0] == oldest
    assert f"Python {oldest} to {said[-1]}" in (ROOT / "README.md").read_text(encoding="utf-8")
