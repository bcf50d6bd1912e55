"""Gated cells without a cell state of their own."""

from ..equations import cell
from ..equations.language import affine, sigmoid, tanh


@cell
def gru(x, h):
    """Gated recurrent unit, reset after the product; `torch.nn.GRU` (after Cho et al. 2014)."""
    r = sigmoid(affine(x, h))  # reset gate
    z = sigmoid(affine(x, h))  # update gate
    n = tanh(affine(x) + r * affine(h))  # candidate
    h = (1 - z) * n + z * h
    return locals()


@cell
def gru_reset_before(x, h):
    """Gated recurrent unit as first published, reset before the product (Cho et al. 2014)."""
    r = sigmoid(affine(x, h))
    z = sigmoid(affine(x, h))
    rh = r * h
    n = tanh(affine(x, rh))
    h = (1 - z) * n + z * h
    return locals()


@cell
def mgu(x, h):
    """Minimal gated unit (Zhou et al. 2016): one gate both forgets and resets."""
    f = sigmoid(affine(x, h))
    fh = f * h
    n = tanh(affine(x, fh))
    h = (1 - f) * h + f * n
    return locals()


@cell
def ugrnn(x, h):
    """Update gate recurrent network (Collins et al. 2017)."""
    n = tanh(affine(x, h))
    z = sigmoid(affine(x, h))
    h = z * h + (1 - z) * n
    return locals()


@cell
def janet(x, h, *, beta=1.0):
    """Just another network: an LSTM with only a forget gate (van der Westhuizen & Lasenby 2018).

    beta is how much less the unit writes than it forgets, before the sigmoid.
    """
    s = affine(x, h)
    n = tanh(affine(x, h))
    h = sigmoid(s) * h + (1 - sigmoid(s - beta)) * n
    return locals()


@cell
def min_gru(x, h):
    """Minimal GRU (Feng et al. 2024): gate and candidate read the input alone."""
    z = sigmoid(affine(x))
    n = affine(x)
    h = (1 - z) * h + z * n
    return locals()
