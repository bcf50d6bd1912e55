"""Cells with one state and no gates."""

from ..equations import cell
from ..equations.language import affine, relu, tanh, vector


@cell
def rnn_tanh(x, h):
    """Simple recurrent network (Elman 1990); `torch.nn.RNN` with tanh."""
    h = tanh(affine(x, h))
    return locals()


@cell
def rnn_relu(x, h):
    """Simple recurrent network with rectified units; `torch.nn.RNN` with relu."""
    h = relu(affine(x, h))
    return locals()


@cell
def indrnn(x, h):
    """Independently recurrent network (Li et al. 2018): each unit reads only itself."""
    u = vector()
    h = relu(affine(x) + u * h)
    return locals()


@cell
def cornn(x, h, z, *, dt=0.042, gamma=2.7, epsilon=4.7):
    """Coupled oscillators (Rusch & Mishra 2021): positions h, velocities z.

    Implicit-explicit Euler steps of length dt; gamma is the oscillators' frequency, epsilon
    their damping.
    """
    z = z + dt * (tanh(affine(x, h, z)) - gamma * h - epsilon * z)
    h = h + dt * z
    return locals()
