"""The character model: embedding, recurrent layers of any cell, readout."""

from typing import final

from torch import Tensor, nn

from ... import Recurrent
from ...equations import Cell
from ...errors import UserError
from .settings import Settings
from .states import States

EMBEDDING = 64


@final
class CharacterModel(nn.Module):
    """Predicts the next symbol at every step.

    Dropout acts between the layers and before the readout. A cell with a projection gets one of
    half its hidden size.

    >>> import torch
    >>> from unrolled.cells import find
    >>> model = CharacterModel(find("lstm"), symbols=10, hidden=16)
    >>> logits, (h, c) = model(torch.zeros(5, 3, dtype=torch.int64))
    >>> logits.shape, h.shape
    (torch.Size([5, 3, 10]), torch.Size([1, 3, 16]))
    """

    def __init__(
        self, cell: Cell, symbols: int, hidden: int, layers: int = 1, dropout: float = 0.0
    ) -> None:
        super().__init__()
        width = min(hidden, EMBEDDING)
        self.embedding = nn.Embedding(symbols, width)
        self.recurrent = Recurrent(
            cell,
            width,
            hidden,
            num_layers=layers,
            dropout=dropout if layers > 1 else 0.0,
            proj_size=max(hidden // 2, 1) if cell.projects else 0,
        )
        self.dropout = nn.Dropout(dropout)
        self.readout = nn.Linear(self.recurrent.output_size, symbols)

    def forward(self, ids: Tensor, states: States | None = None) -> tuple[Tensor, States]:
        """Logits (T, B, V) and the last states, from ids (T, B) and the states before them."""
        y, after = self.recurrent(self.embedding(ids), states)
        return self.readout(self.dropout(y)), after

    def carried(self, batch: int) -> dict[str, tuple[int, ...]]:
        """The shapes of the states of ``batch`` rows, by name."""
        layer = self.recurrent
        units = {"hidden": layer.hidden_size, "projection": layer.proj_size, "one": 1}
        return {
            name: (layer.num_layers, batch, units[size])
            for name, size in layer.cell.graph.states.items()
        }


def build(settings: Settings, cell: Cell, vocabulary: str) -> CharacterModel:
    """The model that ``settings`` describe.

    Raises:
        UserError: there is no memory for it.
    """
    hidden, layers = settings.hidden, settings.layers
    try:
        return CharacterModel(cell, len(vocabulary), hidden, layers, settings.dropout)
    except RuntimeError as error:
        message = f"cannot make a model of --hidden {hidden} --layers {layers}: {error}"
        raise UserError(message) from error
