"""Long short-term memory and its variants: cells with a cell state c."""

from ..equations import cell
from ..equations.language import (
    affine,
    exp,
    layer_norm,
    log_sigmoid,
    maximum,
    project,
    sigmoid,
    tanh,
    vector,
)


@cell
def lstm(x, h, c):
    """Long short-term memory (Hochreiter & Schmidhuber 1997; forget gate: Gers et al. 2000)."""
    i = sigmoid(affine(x, h))  # input gate
    f = sigmoid(affine(x, h))  # forget gate
    g = tanh(affine(x, h))  # candidate
    o = sigmoid(affine(x, h))  # output gate
    c = f * c + i * g
    h = o * tanh(c)
    return locals()


@cell
def lstm_1997(x, h, c):
    """Long short-term memory as first published (Hochreiter & Schmidhuber 1997): never forgets."""
    i = sigmoid(affine(x, h))
    g = tanh(affine(x, h))
    o = sigmoid(affine(x, h))
    c = c + i * g
    h = o * tanh(c)
    return locals()


@cell
def lstm_peephole(x, h, c):
    """LSTM whose gates see the cell state (Gers & Schmidhuber 2000; Graves 2013)."""
    p_i, p_f, p_o = vector(), vector(), vector()
    i = sigmoid(affine(x, h) + p_i * c)
    f = sigmoid(affine(x, h) + p_f * c)
    g = tanh(affine(x, h))
    c = f * c + i * g
    o = sigmoid(affine(x, h) + p_o * c)
    h = o * tanh(c)
    return locals()


@cell
def lstm_coupled(x, h, c):
    """LSTM that writes as much as it forgets (CIFG; Greff et al. 2017)."""
    f = sigmoid(affine(x, h))
    i = 1 - f
    g = tanh(affine(x, h))
    o = sigmoid(affine(x, h))
    c = f * c + i * g
    h = o * tanh(c)
    return locals()


@cell
def lstm_layernorm(x, h, c):
    """LSTM with layer norm on each gate's sum and on the cell state (after Ba et al. 2016)."""
    i = sigmoid(layer_norm(affine(x, h)))
    f = sigmoid(layer_norm(affine(x, h)))
    g = tanh(layer_norm(affine(x, h)))
    o = sigmoid(layer_norm(affine(x, h)))
    c = f * c + i * g
    h = o * tanh(layer_norm(c))
    return locals()


@cell
def lstm_projected(x, h, c):
    """LSTM whose hidden state is projected to fewer units (Sak et al. 2014)."""
    i = sigmoid(affine(x, h))
    f = sigmoid(affine(x, h))
    g = tanh(affine(x, h))
    o = sigmoid(affine(x, h))
    c = f * c + i * g
    h = project(o * tanh(c))
    return locals()


@cell
def multiplicative_lstm(x, h, c):
    """LSTM whose gates read m, the hidden state seen through the input (Krause et al. 2016)."""
    m = affine(x, bias=False) * affine(h, bias=False)
    i = sigmoid(affine(x, m))
    f = sigmoid(affine(x, m))
    g = tanh(affine(x, m))
    o = sigmoid(affine(x, m))
    c = f * c + i * g
    h = o * tanh(c)
    return locals()


@cell
def slstm(x, h, c, n, m):
    """LSTM with exponential gating (sLSTM of xLSTM; Beck et al. 2024), one head.

    n normalises the cell state; m keeps the exponents small and leaves h unchanged. The gates'
    logarithms are a (input) and b (forget).
    """
    a = affine(x, h)
    b = log_sigmoid(affine(x, h))
    z = tanh(affine(x, h))
    o = sigmoid(affine(x, h))
    m_new = maximum(b + m, a)
    i = exp(a - m_new)
    f = exp(b + m - m_new)
    c = f * c + i * z
    n = f * n + i
    h = o * c / n
    m = m_new
    return locals()
