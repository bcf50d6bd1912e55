"""What was pickled under the names that modules had then."""

import importlib
import pickle
from importlib import import_module

import pytest
import torch

import unrolled
from unrolled._moved import MOVED


@pytest.mark.parametrize("name", MOVED)
def test_an_old_name_is_the_module_where_it_stands(name: str) -> None:
    module = import_module(MOVED[name])
    assert import_module(name) is module
    assert module.__name__ == MOVED[name]
    assert module.__spec__ is not None
    assert module.__spec__.name == MOVED[name]
    assert importlib.util.find_spec(MOVED[name]) is module.__spec__


def test_modules_pickled_then_are_read() -> None:
    """Today's pickle in the names of then: in protocol 0 a name is a line of its own."""
    layer = unrolled.LSTM(3, 4)
    data = pickle.dumps(layer, protocol=0)
    then = data
    for old, new in MOVED.items():
        then = then.replace(f"c{new}\n".encode(), f"c{old}\n".encode())
    assert b"cunrolled.equations.storage\n" in then
    assert b"cunrolled.kernels.cache\n" in then
    x = torch.randn(2, 1, 3)
    assert torch.equal(pickle.loads(then)(x)[0], layer(x)[0])
