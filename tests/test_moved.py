"""What was pickled under the names that modules had then."""

import copy
import importlib
import pickle
from importlib import import_module
from pathlib import Path

import pytest
import torch

from unrolled._moved import MOVED


@pytest.mark.parametrize("name", MOVED)
def test_an_old_name_is_the_module_where_it_stands(name: str) -> None:
    module = import_module(MOVED[name])
    assert import_module(name) is module
    assert module.__name__ == MOVED[name]
    assert module.__spec__ is not None
    assert module.__spec__.name == MOVED[name]
    assert importlib.util.find_spec(MOVED[name]) is module.__spec__


@pytest.mark.parametrize("path", sorted(Path(__file__).with_name("pickled").iterdir()), ids=str)
def test_modules_pickled_then_are_read(path: Path) -> None:
    """Modules of two earlier revisions, which had made calls, with what the last of these gave."""
    module, expected = pickle.loads(path.read_bytes())
    x = torch.ones(1, 2) if "Cell" in path.name else torch.ones(2, 1, 2)
    for _ in range(3):
        torch.testing.assert_close(module(x), expected)
    again = pickle.loads(pickle.dumps(copy.deepcopy(module)))
    torch.testing.assert_close(again(x), expected)
    module.train()(x)[0].sum().backward()
    assert all(parameter.grad is not None for parameter in module.parameters())
