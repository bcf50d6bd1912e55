"""JAX."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, final

from .problem import Problem
from .rival import Rival, missing


@final
class Jax(Rival):
    """`lax.scan` over the steps, compiled; products with the input are done for all steps at once.

    JAX makes its threads once in a process, so the number of the first problem holds.
    """

    key = "jax"
    name = "JAX"

    def available(self) -> str | None:
        """Needs jax alone."""
        return missing("jax")

    def work(self, problem: Problem, threads: int) -> Callable[[], Any]:
        """A call with arrays of JAX in and out."""
        os.environ.setdefault("NPROC", str(threads))  # from which XLA takes its number of threads
        os.environ.setdefault("JAX_PLATFORMS", "cpu")
        import jax  # pyright: ignore[reportMissingImports]
        from jax import lax  # pyright: ignore[reportMissingImports]

        weights = {
            name.removesuffix("_l0"): jax.numpy.asarray(weight.detach().numpy())
            for name, weight in problem.theirs.named_parameters()
        }
        step = {"rnn": _rnn, "gru": _gru, "lstm": _lstm}[problem.cell]

        @jax.jit
        def layer(x: Any, states: Any) -> Any:
            hoisted = x @ weights["weight_ih"].T + weights["bias_ih"]

            def body(states: Any, each: Any) -> tuple[Any, Any]:
                product = states[0] @ weights["weight_hh"].T + weights["bias_hh"]
                states = step(each, product, *states)
                return states, states[0]

            states, output = lax.scan(body, tuple(state[0] for state in states), hoisted)
            return output, *(state[None] for state in states)

        x = jax.numpy.asarray(problem.feed.data.numpy())
        states = tuple(jax.numpy.asarray(state.numpy()) for state in problem.feed.states)
        return lambda: jax.block_until_ready(layer(x, states))


def _rnn(x: Any, product: Any, h: Any) -> tuple[Any, ...]:
    from jax import numpy as jnp  # pyright: ignore[reportMissingImports]

    return (jnp.tanh(x + product),)


def _gru(x: Any, product: Any, h: Any) -> tuple[Any, ...]:
    from jax import nn  # pyright: ignore[reportMissingImports]
    from jax import numpy as jnp  # pyright: ignore[reportMissingImports]

    (x_r, x_z, x_n), (h_r, h_z, h_n) = jnp.split(x, 3, -1), jnp.split(product, 3, -1)
    z = nn.sigmoid(x_z + h_z)
    n = jnp.tanh(x_n + nn.sigmoid(x_r + h_r) * h_n)
    return ((1 - z) * n + z * h,)


def _lstm(x: Any, product: Any, h: Any, c: Any) -> tuple[Any, ...]:
    from jax import nn  # pyright: ignore[reportMissingImports]
    from jax import numpy as jnp  # pyright: ignore[reportMissingImports]

    i, f, g, o = jnp.split(x + product, 4, -1)
    c = nn.sigmoid(f) * c + nn.sigmoid(i) * jnp.tanh(g)
    return nn.sigmoid(o) * jnp.tanh(c), c
