"""PyTorch modules: layers and steps of the known cells and of any other."""

from .explain import explain
from .gru import GRU, GRUCell
from .lstm import LSTM, LSTMCell
from .recurrent import Recurrent, RecurrentCell
from .rnn import RNN, RNNCell

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "GRUCell",
    "LSTMCell",
    "RNNCell",
    "Recurrent",
    "RecurrentCell",
    "explain",
]
