"""What torch.fx.symbolic_trace makes of a layer or step: one node, as of a module of torch.nn."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.fx import Proxy

from .. import _torch


def tracer(module: nn.Module, input: object, hx: object) -> Any:
    """Return what traces a call symbolically; None if nothing does.

    It hands out proxies: of what the model was given, or of parameters where a call is given none.
    """
    held = next((name for name, own in module._parameters.items() if own is not None), None)
    given = (input, *_flat(hx), None if held is None else getattr(module, held))
    return next((each.tracer for each in given if isinstance(each, Proxy)), None)


def leaf(tracer: Any, module: nn.Module, input: Any, hx: Any, **options: Any) -> Any:
    """Return a proxy of what a module returns, without looking into it.

    A tracer takes the modules of torch.nn for leaves by where they are defined, and calls others.
    So hooks have been called already when this is: they are in the graph, and the node leaves them
    out.

    Raises:
        RuntimeError: for a module that is traced by itself.
    """
    path = tracer.path_of_module(module)
    if not path:
        raise RuntimeError(
            f"torch.fx.symbolic_trace takes {type(module).__name__} as one node of the model "
            "around it, which there is none: trace torch.nn.Sequential(layer)"
        )
    arguments = (input,) if hx is None else (input, hx)
    given = {name: value for name, value in options.items() if value is not None}
    if _torch.has_hooks(module):
        held = tracer.create_proxy("get_attr", path, (), {})
        return tracer.create_proxy("call_method", "forward", (held, *arguments), given)
    return tracer.create_proxy("call_module", path, arguments, given)


def _flat(hx: Any) -> tuple[Any, ...]:
    return tuple(hx) if isinstance(hx, (tuple, list)) else (hx,)
