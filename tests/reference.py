"""Eighteen recurrent cells in plain NumPy, as their papers state them, with exact gradients.

A cell is a function of one step, `cell(x, states, p)`: the input x (B, I), the previous states by
name (B, H) and the parameters by name. It returns every named value of the step, and the next
states are among them. Everything also accepts complex arrays, where comparisons look at the real
part alone: `gradients` lets a derivative travel in the imaginary part.

The parameters follow PyTorch: `weight_ih` and `bias_ih` read x, `weight_hh` and `bias_hh` read h,
`weight_{v}h` and `bias_{v}h` read another value v. Blocks of H rows stand one above the other, one
for each line of the cell that reads the value, in the order its decorator tells.
"""

import numpy as np

CELLS = {}  # name -> cell(x, states, p)
STATES = {}  # name -> the names of the states; the first is the output
SHAPES = {}  # name -> parameter -> axes; an axis is a sum of sizes: "HHHH" is 4H long

STEP = 1e-30  # of the complex-step method; so small that nothing but round-off is left


def recurrent(states, *, unbiased="", vectors="", norms="", projected=False, **reads):
    """Enter a cell into the tables; `ih="r z n"` means `weight_ih` has the blocks r, z and n."""

    def enter(cell):
        shapes = {}
        for pair, lines in reads.items():
            width = {"ih": "I", "hh": "P" if projected else "H"}.get(pair, "H")
            biased = [line for line in lines.split() if line not in unbiased.split()]
            shapes[f"weight_{pair}"] = ("H" * len(lines.split()), width)
            if biased:
                shapes[f"bias_{pair}"] = ("H" * len(biased),)
        if projected:
            shapes["weight_hr"] = ("P", "H")
        for vector in vectors.split():
            shapes[vector] = ("H",)
        for line in norms.split():
            shapes[f"norm_weight_{line}"] = shapes[f"norm_bias_{line}"] = ("H",)
        name = cell.__name__
        CELLS[name], STATES[name], SHAPES[name] = cell, tuple(states.split()), shapes
        return cell

    return enter


# What the cells are made of


def affine(p, **reads):
    """Sum W v + b over the values read: `affine(p, ih=x, hh=h)`; all blocks side by side."""
    return sum(v @ p[f"weight_{pair}"].T + p[f"bias_{pair}"] for pair, v in reads.items())


def blocks(count, a):
    return np.split(a, count, axis=-1)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def logsigmoid(z):
    """Compute log σ(z) = min(z, 0) - log(1 + exp(-|z|)), which never overflows."""
    return np.where(z.real < 0, z, 0) - np.log1p(np.exp(np.where(z.real < 0, z, -z)))


def relu(z):
    return np.where(z.real > 0, z, 0)


def maximum(a, b):
    return np.where(a.real > b.real, a, b)


def layer_norm(v, p, line):
    centred = v - v.mean(axis=-1, keepdims=True)
    deviation = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)
    return centred / deviation * p[f"norm_weight_{line}"] + p[f"norm_bias_{line}"]


# The cells


@recurrent("h", ih="h", hh="h")
def rnn_tanh(x, states, p):
    """Elman (1990)."""
    return {"h": np.tanh(affine(p, ih=x, hh=states["h"]))}


@recurrent("h", ih="h", hh="h")
def rnn_relu(x, states, p):
    """Elman (1990), rectified."""
    return {"h": relu(affine(p, ih=x, hh=states["h"]))}


@recurrent("h c", ih="i f g o", hh="i f g o")
def lstm(x, states, p):
    """Gers et al. (2000)."""
    h, c = states["h"], states["c"]
    a_i, a_f, a_g, a_o = blocks(4, affine(p, ih=x, hh=h))
    i, f, g, o = sigmoid(a_i), sigmoid(a_f), np.tanh(a_g), sigmoid(a_o)
    c = f * c + i * g
    h = o * np.tanh(c)
    return {"i": i, "f": f, "g": g, "o": o, "c": c, "h": h}


@recurrent("h", ih="r z n", hh="r z n")
def gru(x, states, p):
    """Cho et al. (2014), with the reset gate after the product, as cuDNN has it."""
    h = states["h"]
    x_r, x_z, x_n = blocks(3, affine(p, ih=x))
    h_r, h_z, h_n = blocks(3, affine(p, hh=h))
    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
    n = np.tanh(x_n + r * h_n)
    h = (1 - z) * n + z * h
    return {"r": r, "z": z, "n": n, "h": h}


@recurrent("h", ih="r z n", hh="r z", rhh="n")
def gru_reset_before(x, states, p):
    """Cho et al. (2014)."""
    h = states["h"]
    x_r, x_z, x_n = blocks(3, affine(p, ih=x))
    h_r, h_z = blocks(2, affine(p, hh=h))
    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
    rh = r * h
    n = np.tanh(x_n + affine(p, rhh=rh))
    h = (1 - z) * n + z * h
    return {"r": r, "z": z, "rh": rh, "n": n, "h": h}


@recurrent("h c", ih="i f g o", hh="i f g o", vectors="p_i p_f p_o")
def lstm_peephole(x, states, p):
    """Gers & Schmidhuber (2000), Graves (2013); the output gate sees the new c."""
    h, c = states["h"], states["c"]
    a_i, a_f, a_g, a_o = blocks(4, affine(p, ih=x, hh=h))
    i, f, g = sigmoid(a_i + p["p_i"] * c), sigmoid(a_f + p["p_f"] * c), np.tanh(a_g)
    c = f * c + i * g
    o = sigmoid(a_o + p["p_o"] * c)
    h = o * np.tanh(c)
    return {"i": i, "f": f, "g": g, "c": c, "o": o, "h": h}


@recurrent("h c", ih="f g o", hh="f g o")
def lstm_coupled(x, states, p):
    """Greff et al. (2017)."""
    h, c = states["h"], states["c"]
    a_f, a_g, a_o = blocks(3, affine(p, ih=x, hh=h))
    f, g, o = sigmoid(a_f), np.tanh(a_g), sigmoid(a_o)
    i = 1 - f
    c = f * c + i * g
    h = o * np.tanh(c)
    return {"f": f, "i": i, "g": g, "o": o, "c": c, "h": h}


@recurrent("h c", ih="i f g o", hh="i f g o", norms="i f g o h")
def lstm_layernorm(x, states, p):
    """Ba et al. (2016), each gate normalized by itself."""
    h, c = states["h"], states["c"]
    a_i, a_f, a_g, a_o = blocks(4, affine(p, ih=x, hh=h))
    i = sigmoid(layer_norm(a_i, p, "i"))
    f = sigmoid(layer_norm(a_f, p, "f"))
    g = np.tanh(layer_norm(a_g, p, "g"))
    o = sigmoid(layer_norm(a_o, p, "o"))
    c = f * c + i * g
    h = o * np.tanh(layer_norm(c, p, "h"))
    return {"i": i, "f": f, "g": g, "o": o, "c": c, "h": h}


@recurrent("h c", ih="i f g o", hh="i f g o", projected=True)
def lstm_projected(x, states, p):
    """Sak et al. (2014)."""
    h, c = states["h"], states["c"]
    a_i, a_f, a_g, a_o = blocks(4, affine(p, ih=x, hh=h))
    i, f, g, o = sigmoid(a_i), sigmoid(a_f), np.tanh(a_g), sigmoid(a_o)
    c = f * c + i * g
    h = (o * np.tanh(c)) @ p["weight_hr"].T
    return {"i": i, "f": f, "g": g, "o": o, "c": c, "h": h}


@recurrent("h c", ih="i g o", hh="i g o")
def lstm_1997(x, states, p):
    """Hochreiter & Schmidhuber (1997): no forget gate."""
    h, c = states["h"], states["c"]
    a_i, a_g, a_o = blocks(3, affine(p, ih=x, hh=h))
    i, g, o = sigmoid(a_i), np.tanh(a_g), sigmoid(a_o)
    c = c + i * g
    h = o * np.tanh(c)
    return {"i": i, "g": g, "o": o, "c": c, "h": h}


@recurrent("h", ih="f n", hh="f", fhh="n")
def mgu(x, states, p):
    """Zhou et al. (2016)."""
    h = states["h"]
    x_f, x_n = blocks(2, affine(p, ih=x))
    f = sigmoid(x_f + affine(p, hh=h))
    fh = f * h
    n = np.tanh(x_n + affine(p, fhh=fh))
    h = (1 - f) * h + f * n
    return {"f": f, "fh": fh, "n": n, "h": h}


@recurrent("h", ih="n z", hh="n z")
def ugrnn(x, states, p):
    """Collins et al. (2017)."""
    h = states["h"]
    a_n, a_z = blocks(2, affine(p, ih=x, hh=h))
    n, z = np.tanh(a_n), sigmoid(a_z)
    h = z * h + (1 - z) * n
    return {"n": n, "z": z, "h": h}


@recurrent("h", ih="s n", hh="s n")
def janet(x, states, p, beta=1.0):
    """Van der Westhuizen & Lasenby (2018)."""
    h = states["h"]
    s, a_n = blocks(2, affine(p, ih=x, hh=h))
    n = np.tanh(a_n)
    h = sigmoid(s) * h + (1 - sigmoid(s - beta)) * n
    return {"s": s, "n": n, "h": h}


@recurrent("h", ih="h", vectors="u")
def indrnn(x, states, p):
    """Li et al. (2018)."""
    return {"h": relu(affine(p, ih=x) + p["u"] * states["h"])}


@recurrent("h", ih="z n")
def min_gru(x, states, p):
    """Feng et al. (2024)."""
    h = states["h"]
    a_z, n = blocks(2, affine(p, ih=x))
    z = sigmoid(a_z)
    h = (1 - z) * h + z * n
    return {"z": z, "n": n, "h": h}


@recurrent("h c", ih="m i f g o", hh="m", mh="i f g o", unbiased="m")
def multiplicative_lstm(x, states, p):
    """Krause et al. (2016); m has no bias, so the four blocks of `bias_ih` are the gates'."""
    h, c = states["h"], states["c"]
    weight_xm, weight_xgates = np.split(p["weight_ih"], [c.shape[-1]])
    m = (x @ weight_xm.T) * (h @ p["weight_hh"].T)
    a_i, a_f, a_g, a_o = blocks(4, x @ weight_xgates.T + p["bias_ih"] + affine(p, mh=m))
    i, f, g, o = sigmoid(a_i), sigmoid(a_f), np.tanh(a_g), sigmoid(a_o)
    c = f * c + i * g
    h = o * np.tanh(c)
    return {"m": m, "i": i, "f": f, "g": g, "o": o, "c": c, "h": h}


@recurrent("h z", ih="z", hh="z", zh="z")
def cornn(x, states, p, dt=0.042, gamma=2.7, epsilon=4.7):
    """Rusch & Mishra (2021): h are positions, z velocities."""
    h, z = states["h"], states["z"]
    z = z + dt * (np.tanh(affine(p, ih=x, hh=h, zh=z)) - gamma * h - epsilon * z)
    h = h + dt * z
    return {"z": z, "h": h}


@recurrent("h c n m", ih="a b z o", hh="a b z o")
def slstm(x, states, p):
    """Beck et al. (2024), one head; m keeps the exponential gates in range."""
    h, c, n, m = (states[s] for s in "hcnm")
    a, a_b, a_z, a_o = blocks(4, affine(p, ih=x, hh=h))
    b, z, o = logsigmoid(a_b), np.tanh(a_z), sigmoid(a_o)
    m_new = maximum(b + m, a)
    i, f = np.exp(a - m_new), np.exp(b + m - m_new)
    c = f * c + i * z
    n = f * n + i
    h = o * c / n
    return {"a": a, "b": b, "z": z, "o": o, "m": m_new, "i": i, "f": f, "c": c, "n": n, "h": h}


# Their sizes, their runs over time, and their gradients


def state_size(cell, state):
    """Say which size a state has, "hidden" or "projection"."""
    return "projection" if state == "h" and "weight_hr" in SHAPES[cell] else "hidden"


def parameters(cell, I, H, P, rng):  # noqa: E741
    """Draw parameters from ±0.5, but the weights of layer norms from 1 ± 0.5."""
    size = {"I": I, "H": H, "P": P}
    p = {}
    for name, axes in SHAPES[cell].items():
        p[name] = rng.uniform(-0.5, 0.5, [sum(size[s] for s in axis) for axis in axes])
        if name.startswith("norm_weight_"):
            p[name] += 1
    return p


def forward(cell, x, initial, p):
    """Run over x (T, B, I): the outputs (T, B, size), the final states, and each step's values."""
    states, trace = initial, []
    for x_t in x:
        trace.append(CELLS[cell](x_t, states, p))
        states = {s: trace[-1][s] for s in STATES[cell]}
    return np.stack([values[STATES[cell][0]] for values in trace]), states, trace


def gradients(cell, x, initial, p, cotangents):
    """Differentiate L = Σ outputs · cot_y + Σ over states of Σ final · cot_final, exactly.

    `cotangents` is (cot_y, {state: cot_final}). The complex-step method moves one number at a time
    by iε; the imaginary part of L is then ε times the derivative. Returns dx, dinitial and dp.
    """
    x = x.astype(complex)
    initial = {s: v.astype(complex) for s, v in initial.items()}
    p = {name: v.astype(complex) for name, v in p.items()}
    cot_y, cot_final = cotangents

    def loss():
        outputs, finals, _ = forward(cell, x, initial, p)
        return (outputs * cot_y).sum() + sum((finals[s] * cot_final[s]).sum() for s in finals)

    def gradient(array):
        derivative = np.empty(array.shape)
        for index in np.ndindex(array.shape):
            array[index] += 1j * STEP
            derivative[index] = loss().imag / STEP
            array[index] -= 1j * STEP
        return derivative

    return (
        gradient(x),
        {s: gradient(v) for s, v in initial.items()},
        {name: gradient(v) for name, v in p.items()},
    )
