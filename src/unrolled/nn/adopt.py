"""PyTorch's recurrent modules turned into ours in place, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from inspect import unwrap
from typing import Any, NamedTuple, final

from torch import nn

from .. import _torch
from ..display import bounded, page, paragraph, table
from . import devices, stock
from .gru import GRU, GRUCell
from .lstm import LSTM, LSTMCell
from .recurrent import Recurrent, RecurrentCell
from .rnn import RNN, RNNCell
from .weights import Weighted

KINDS: dict[type[nn.Module], type[Weighted]] = {
    nn.RNN: RNN,
    nn.LSTM: LSTM,
    nn.GRU: GRU,
    nn.RNNCell: RNNCell,
    nn.LSTMCell: LSTMCell,
    nn.GRUCell: GRUCell,
}
"""By class of PyTorch, ours."""

COMPUTING = (
    "forward",
    "__call__",
    "check_input",
    "check_hidden_size",
    "check_forward_args",
    "get_expected_hidden_size",
    "permute_hidden",
)
"""Methods that decide what PyTorch's modules compute."""


class Origin(NamedTuple):
    """What an adopted module was; pickled and copied with it."""

    kind: type[nn.Module]
    added: tuple[str, ...]  # attributes that it did not have


@final
@dataclass(frozen=True)
class Adoption:
    """What `adopt` and `release` did to a model.

    Attributes:
        model: the model itself.
        changed: for each module that was changed, by its dotted name, what it was and is.
        left: for each recurrent module that was left alone, why.
        notes: what runs the changed modules, and what that costs, if they are not on the CPU.
    """

    model: nn.Module
    changed: Mapping[str, str]
    left: Mapping[str, str]
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        rows = self._rows()
        width = max((len(name) for name, _ in rows), default=0)
        lines = [f"  {name:{width}}  {text}" for name, text in rows]
        return bounded(self._head(), [*lines, *(f"  note: {note}" for note in self.notes)])

    def _repr_html_(self) -> str:
        rows = table(("module", "what was done"), self._rows())
        return page(paragraph(self._head()), rows, *(paragraph(n, "Note:") for n in self.notes))

    def _head(self) -> str:
        return f"{len(self.changed)} changed, {len(self.left)} left alone"

    def _rows(self) -> list[tuple[str, str]]:
        left = ((name, f"left: {why}") for name, why in self.left.items())
        return [(name or "(model)", text) for name, text in (*self.changed.items(), *left)]


def adopt(model: nn.Module) -> Adoption:
    """Turn every `torch.nn.RNN`, `LSTM`, `GRU` and their cells inside a model into ours.

    The modules stay the same objects with the same parameters, hooks, names and mode; they compute
    with this library from now on, until `release`. So optimizers, tied weights, state dicts and
    whatever refers to a module go on as before. Modules that are ours already stay as they are.

    Left alone, and reported: subclasses with a `forward` of their own that does not call on
    ``super().forward``, modules whose weights are made of others (`parametrize`, `weight_norm`,
    pruning), quantized and scripted modules, those whose `forward` was replaced or that were
    compiled in place, and those with options that no layer can have. If anything else goes wrong,
    the model is as it was before.

    Args:
        model: any module, or a recurrent module itself.

    Returns:
        What was changed and what was left alone, by dotted name.

    Raises:
        TypeError: unless `model` is a module.
        ValueError: for a model without recurrent modules.

    >>> import torch, unrolled
    >>> model = torch.nn.ModuleDict({"encoder": torch.nn.LSTM(3, 4), "read": torch.nn.Linear(4, 1)})
    >>> unrolled.adopt(model)
    1 changed, 0 left alone
      encoder  torch.nn.LSTM -> unrolled.LSTM
    >>> model["encoder"]
    LSTM(3, 4)
    """
    left: dict[str, str] = {}
    changed = {}
    ours = False
    for name, module in _modules(model, "adopt"):
        if isinstance(module, Weighted):
            ours = True
        elif (reason := obstacle(module)) is not None:
            left[name] = reason
        elif _base(type(module)) is not None:
            changed[name] = module
    if not (changed or left or ours):
        raise ValueError(
            f"{type(model).__name__} has no recurrent modules: expected a model with torch.nn.RNN, "
            "LSTM, GRU or their cells"
        )
    titles: dict[str, str] = {}
    try:
        for name, module in changed.items():
            titles[name] = _become(module)
    except BaseException:
        for name in titles:
            _return(changed[name])
        raise
    return Adoption(model, titles, left, _notes(changed.values()))


def release(model: nn.Module) -> Adoption:
    """Turn modules of this library into PyTorch's: those that `adopt` changed, and all with a twin.

    They keep the parameters, hooks and mode that they have now. What PyTorch has no layer for is
    left alone, and reported: other cells, zoneout, variational dropout, learned initial states;
    and modules whose weights are parametrized, that are of a subclass, or that are watched now.

    Raises:
        TypeError: unless `model` is a module.
        ValueError: for a model without any module of this library.

    >>> import torch, unrolled
    >>> model = torch.nn.Sequential(torch.nn.GRU(3, 4))
    >>> adopted, released = unrolled.adopt(model), unrolled.release(model)
    >>> model[0]
    GRU(3, 4)
    >>> type(model[0]) is torch.nn.GRU
    True
    """
    changed, left = {}, {}
    for name, module in _modules(model, "release"):
        if isinstance(module, Weighted):
            if (reason := _twinless(module)) is not None:
                left[name] = reason
            else:
                changed[name] = _return(module)
    if not (changed or left):
        raise ValueError(f"{type(model).__name__} has no modules of unrolled: nothing to release")
    return Adoption(model, changed, left)


def _notes(modules: Iterable[nn.Module]) -> tuple[str, ...]:
    """Return what runs modules that are not on the CPU, and what that costs, once for each kind."""
    found = {}
    for module in modules:
        for device in {parameter.device for parameter in module.parameters()}:
            if (cost := devices.cost(module, device)) is not None:
                found[f"{type(module).__name__} {cost}"] = None
    return tuple(found)


def adoptable(module: nn.Module) -> bool:
    """Return whether `adopt` would change a module."""
    known = _base(type(module)) is not None and not isinstance(module, Weighted)
    return known and obstacle(module) is None


def _base(kind: type) -> type[nn.Module] | None:
    """Return the class of PyTorch that a class is, or is a subclass of."""
    return next((known for known in KINDS if issubclass(kind, known)), None)


def _ours(kind: type[nn.Module]) -> type[Weighted]:
    """Return what takes the place of one of PyTorch's recurrent classes, or of a subclass."""
    return KINDS[_base(kind) or kind]


def obstacle(module: nn.Module) -> str | None:
    """Return why `adopt` leaves a recurrent module alone; None if it does not, or if it is none."""
    kind = type(module)
    names = {known.__name__ for known in KINDS}
    if _torch.is_scripted(module):
        name = getattr(module, "original_name", "")
        known = name in names
        return f"a scripted {name}: adopt the Python model that it was made from" if known else None
    if kind.__module__.startswith("torch.ao.nn") and kind.__name__ in names:
        return f"{kind.__module__}.{kind.__name__}: quantized"
    base = _base(kind)
    if base is None:
        return None
    if nn.utils.parametrize.is_parametrized(module):
        return "its weights are parametrized"
    if own := _own(kind, base):
        return f"a subclass with its own {own}: {kind.__module__}.{kind.__qualname__}"
    if "forward" in module.__dict__:
        return "its forward was replaced"
    if _torch.is_compiled(module):
        return "it was compiled in place: adopt before compiling"
    try:
        if kind not in KINDS:
            _joined(kind)
        expected = _twin(module)._parameters
    except Exception as error:  # options that were changed since, or a module that was never made
        return f"{type(error).__name__}: {error}"
    made = [name for name in expected if name not in module._parameters]
    return f"its weights are made of others: {made[0]}" if made else None


def _own(kind: type[nn.Module], base: type[nn.Module]) -> str | None:
    """Return what a subclass of PyTorch's class computes in its own way, or calls as ours do.

    A `forward` that calls on ``super().forward`` is no such thing: it finds ours there.
    """
    further = {name for name in {*dir(_ours(kind))} - {*dir(base)} if not name.startswith("__")}
    for parent in kind.__mro__[: kind.__mro__.index(base)]:
        for name, value in vars(parent).items():
            if name in further or (name in COMPUTING and not _calls_on(name, value)):
                return name
    return None


def _calls_on(name: str, method: Any) -> bool:
    """Return whether a method is a `forward` that calls on that of a class behind its own."""
    names = getattr(getattr(unwrap(method), "__code__", None), "co_names", ())
    return name == "forward" and {"super", "forward"} <= set(names)


def _modules(model: nn.Module, user: str) -> list[tuple[str, nn.Module]]:
    if not isinstance(model, nn.Module):
        raise TypeError(f"{user}() takes a torch.nn.Module, got {type(model).__name__}")
    return list(model.named_modules())


def _title(kind: type) -> str:
    if kind in (*KINDS.values(), Recurrent, RecurrentCell):
        return f"unrolled.{kind.__name__}"
    return f"{'torch.nn' if kind in KINDS else kind.__module__}.{kind.__qualname__}"


def _become(module: nn.Module) -> str:
    """Make a module of PyTorch ours."""
    kind = type(module)
    twin = _twin(module)
    plain = set(nn.Module().__dict__)
    new = {name: value for name, value in twin.__dict__.items() if name not in plain}
    added = tuple(name for name in new if name not in module.__dict__)
    if kind in KINDS:
        _torch.drop_flat_weights(module)
        module.__class__ = type(twin)
    else:
        module.__class__ = _joined(kind)
    module.__dict__.update({name: new[name] for name in added})
    module.__dict__["_origin"] = Origin(kind, added)
    return f"{_title(kind)} -> {_title(type(twin))}"


def _twin(module: Any) -> Weighted:
    """Return a module of ours with the same options, and parameters that take no memory."""
    make: Any = _ours(type(module))
    options: dict[str, Any] = {"bias": module.bias, "device": "meta"}
    if isinstance(module, nn.RNNCellBase):  # it goes by its parameters
        options["bias"] = module.bias_ih is not None or module.bias_hh is not None
    if isinstance(module, nn.RNN):
        options["nonlinearity"] = module.mode.removeprefix("RNN_").lower()
    if isinstance(module, nn.RNNCell):
        options["nonlinearity"] = module.nonlinearity
    if isinstance(module, nn.RNNBase):
        names = ("num_layers", "batch_first", "bidirectional", "proj_size")
        options |= {name: getattr(module, name) for name in names}
    return make(module.input_size, module.hidden_size, **options)


class _Unannounced:
    """Abstract: first among the bases of a class, it keeps it from those who count subclasses."""

    def __init_subclass__(cls, **options: Any) -> None:
        """Tell nobody: a register would hold a second class of one name, or ask for options."""


@cache
def _joined(kind: type[nn.Module]) -> type[nn.Module]:
    """Return a subclass of PyTorch's module in which ours stands before the class of torch.nn."""
    own = {name: getattr(kind, name) for name in ("__module__", "__qualname__", "__doc__")}
    own["__reduce_ex__"] = _reduce
    bases: tuple[type, ...] = (kind, _ours(kind))
    if any("__init_subclass__" in vars(parent) for parent in kind.__mro__[:-1]):
        bases = (_Unannounced, *bases)
    made = type(kind.__name__, bases, own)
    object.__setattr__(
        nn.Module.__new__(kind), "__class__", made
    )  # an error if it cannot become it
    return made


def _reduce(module: Any, protocol: object) -> tuple[Any, ...]:
    """Return how a module of a joined class is pickled and copied."""
    return _remade, (module._origin.kind,), _torch.picklable(module)


def _remade(kind: type[nn.Module]) -> nn.Module:
    """Return an empty module of a joined class."""
    return nn.Module.__new__(_joined(kind))


def _twinless(module: Weighted) -> str | None:
    """Return why a module of ours cannot be PyTorch's; None if it can."""
    if module._probes:
        return "it is watched: leave the context of record() or edit() first"
    if nn.utils.parametrize.is_parametrized(module):
        return "its weights are parametrized: remove that first"
    if "_origin" in module.__dict__:
        return stock.obstacle(module)  # options may have been set since
    kind = type(module)
    if kind not in (*KINDS.values(), Recurrent, RecurrentCell):
        return f"a subclass: {_title(kind)}"
    reason = stock.obstacle(module)
    return f"made as {_title(kind)}: {reason}" if stock.kind(module) is None else reason


def _return(module: Any) -> str:
    """Make a module of ours PyTorch's: again, if it was before."""
    before, mode = type(module), getattr(module, "mode", None)
    origin: Origin = module.__dict__.pop("_origin", None) or _first_origin(module)
    for name in origin.added:
        module.__dict__.pop(name, None)
    module.__class__ = origin.kind
    if isinstance(module, nn.RNNBase):
        module.mode = mode or module.mode  # that of now: the nonlinearity may have been set since
        _torch.renew_flat_weights(module)
    ours = before if before in (Recurrent, RecurrentCell) else _ours(origin.kind)
    return f"{_title(ours)} -> {_title(origin.kind)}"


def _first_origin(module: Any) -> Origin:
    """Return the origin of a module that was made as ours, and give it what its twin has."""
    theirs = stock.made(module)
    added = _twin(theirs).__dict__.keys() - theirs.__dict__.keys()
    for name, value in theirs.__dict__.items():
        module.__dict__.setdefault(name, value)
    return Origin(type(theirs), tuple(sorted(added)))
