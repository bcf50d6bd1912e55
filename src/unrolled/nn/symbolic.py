"""What torch.fx.symbolic_trace makes of a layer or step: one node, as of a module of torch.nn."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.fx import Proxy

from .. import _torch


def is_symbolic(input: object, hx: object) -> bool:
    """Return whether a call is traced symbolically: one of its tensors is a proxy."""
    return any(isinstance(tensor, Proxy) for tensor in (input, *_flat(hx)))


def leaf(module: nn.Module, input: Any, hx: Any, **options: Any) -> Any:
    """Return a proxy of what a module returns, without looking into it.

    A tracer takes the modules of torch.nn for leaves by where they are defined, and calls others.
    So hooks have been called already when this is: they are in the graph, and the node leaves them
    out.
    """
    tracer: Any = next(each for each in (input, *_flat(hx)) if isinstance(each, Proxy)).tracer
    path = tracer.path_of_module(module)
    arguments = (input,) if hx is None else (input, hx)
    given = {name: value for name, value in options.items() if value is not None}
    if _torch.has_hooks(module):
        held = tracer.create_proxy("get_attr", path, (), {})
        return tracer.create_proxy("call_method", "forward", (held, *arguments), given)
    return tracer.create_proxy("call_module", path, arguments, given)


def _flat(hx: Any) -> tuple[Any, ...]:
    return tuple(hx) if isinstance(hx, (tuple, list)) else (hx,)
