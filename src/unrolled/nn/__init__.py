"""PyTorch modules: layers and steps of the known cells and of any other."""

from .adopt import Adoption, adopt, release
from .explain import explain
from .gru import GRU, GRUCell
from .lstm import LSTM, LSTMCell
from .recurrent import Recurrent, RecurrentCell
from .rnn import RNN, RNNCell

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Adoption",
    "GRUCell",
    "LSTMCell",
    "RNNCell",
    "Recurrent",
    "RecurrentCell",
    "adopt",
    "explain",
    "release",
]
