import pytest
import torch

from unrolled.apps.train import model
from unrolled.apps.train.model import CharacterModel, build
from unrolled.apps.train.settings import Settings
from unrolled.apps.train.states import detach
from unrolled.cells import CELLS, find
from unrolled.errors import UserError


@pytest.mark.parametrize("name", CELLS)
def test_states_carry_a_text_cut_anywhere(name: str) -> None:
    torch.manual_seed(0)
    network = CharacterModel(CELLS[name], symbols=7, hidden=6, layers=2)
    ids = torch.randint(7, (9, 3))
    whole, _ = network(ids)
    first, states = network(ids[:4])
    second, _ = network(ids[4:], detach(states))
    assert whole.shape == (9, 3, 7)
    torch.testing.assert_close(torch.cat([first, second]), whole)


def test_dropout_acts_in_training_alone() -> None:
    network = CharacterModel(find("lstm"), symbols=7, hidden=16, layers=1, dropout=0.5)
    ids = torch.randint(7, (5, 2))
    assert not torch.equal(network(ids)[0], network(ids)[0])
    network.eval()
    assert torch.equal(network(ids)[0], network(ids)[0])


def test_detached_states_have_no_history() -> None:
    _, states = CharacterModel(find("lstm"), symbols=3, hidden=4)(torch.zeros(2, 1).long())
    assert not any(state.requires_grad for state in detach(states))


def test_a_model_beyond_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("can't allocate memory")

    monkeypatch.setattr(model, "Recurrent", fail)
    with pytest.raises(UserError, match=r"model of --hidden 9 --layers 2: can't allocate memory"):
        build(Settings(hidden=9, layers=2), find("lstm"), "ab")
