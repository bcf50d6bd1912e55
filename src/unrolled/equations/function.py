"""The function in which somebody writes a cell: a Python function, or what is called like one."""

from __future__ import annotations

import dis
import functools
import inspect
from numbers import Real
from typing import TYPE_CHECKING, Any, final

from ..errors import CellError
from ..graph.node import advice
from ..locks import cached_property

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import CodeType


@final
class CellFunction:
    """What a cell's equations are written in, and what Python knows of it.

    Functions, lambdas and bound methods, objects with ``__call__`` and `functools.partial` of any
    of these are all alike: what counts is the signature that is left to call.

    Attributes:
        name: the function's; of an object without a name that of its class.
        doc: the docstring, of an object that of its ``__call__`` or of its class.
        code: of the Python function that is run in the end, None if there is none.
        line: the first one of the function, 0 if it has no code.
        file: where that stands.

    Raises:
        CellError: for something that cannot be called with symbols.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._call = function
        inner = _inner(function)
        self._function = inspect.unwrap(_method(inner))
        kind = type(inner).__name__
        self.name: str = _named(function) or _named(inner) or kind
        self._check(inner)
        self.doc = inspect.cleandoc(self._function.__doc__ or inner.__doc__ or "")
        self.code: CodeType | None = getattr(self._function, "__code__", None)
        self.line = self.code.co_firstlineno if self.code else 0
        self.file = self.code.co_filename if self.code else "<unknown>"

    def _check(self, inner: Any) -> None:
        wrong = None
        if inspect.isclass(inner):
            wrong = f"is a class: make a cell of an object of it, unrolled.cell({self.name}(...))"
        elif hasattr(inner, "parameters") and hasattr(inner, "forward"):
            wrong = (
                "is a module: a cell is a function of symbols; what it is to learn is made in it, "
                "by affine(), vector() or scalar()"
            )
        elif not callable(inner):
            wrong = "is no function"
        if wrong is not None:
            raise CellError(f"{self.name} {wrong}")

    def __call__(self, *symbols: Any, **hyperparameters: float) -> Any:
        """Return what the function returns."""
        return self._call(*symbols, **hyperparameters)

    @property
    def registry(self) -> dict[Any, Any]:
        """In what Python notes which warnings of the function's module it has shown."""
        module = getattr(self._function, "__globals__", {})
        return module.setdefault("__warningregistry__", {})

    @property
    def module(self) -> str:
        """The name of the module in which the function stands."""
        return str(getattr(self._function, "__module__", None) or "<unknown>")

    @cached_property
    def symbols(self) -> list[str]:
        """The names of the input and of the states.

        Raises:
            CellError: if there are none, or arguments that a cell cannot have.
        """
        names = []
        for parameter in self._parameters:
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                raise CellError(f"{self.name}: *{parameter.name} has no place in a cell")
            if parameter.kind is parameter.KEYWORD_ONLY:
                continue
            if parameter.default is not parameter.empty:
                name, default = parameter.name, parameter.default
                raise CellError(
                    f"{self.name}: {name}={default!r} makes {name} a state with a default, which "
                    "states do not have; a hyperparameter is keyword-only: "
                    f"(..., *, {name}={default!r})"
                )
            names.append(parameter.name)
        if len(names) < 2:
            raise CellError(
                f"{self.name}({', '.join(names)}) needs an input and at least one state, "
                "such as (x, h)"
            )
        return names

    @cached_property
    def hyperparameters(self) -> dict[str, float]:
        """The keyword-only arguments that are numbers, with their defaults.

        Whatever else a `functools.partial` fixes, such as an activation, stays fixed.

        Raises:
            CellError: for a keyword-only argument without a number.
        """
        fixed = _fixed(self._call)
        found = {}
        for parameter in self._parameters:
            name, default = parameter.name, parameter.default
            if parameter.kind is not parameter.KEYWORD_ONLY:
                continue
            if isinstance(default, Real) and not isinstance(default, bool):
                found[name] = default
            elif name not in fixed or advice(default):
                raise CellError(
                    f"{self.name}: the hyperparameter {name} needs a number as its default"
                    + advice(default)
                )
        return found

    def assignments(self, name: str) -> list[int]:
        """Return the lines in which the function assigns to a variable."""
        return [line for line, kind, other in self._accesses if (kind, other) == ("store", name)]

    @property
    def assigned_last(self) -> dict[str, int]:
        """The turn at which the function assigns to each variable for the last time."""
        stores = [name for _, kind, name in self._accesses if kind == "store"]
        return {name: turn for turn, name in enumerate(stores)}

    def is_assigned_first(self, name: str) -> bool:
        """Return whether the function assigns to an argument before it reads it, and reads it."""
        kinds = [kind for _, kind, other in self._accesses if other == name]
        return kinds[:1] == ["store"] and "load" in kinds

    @cached_property
    def _accesses(self) -> list[tuple[int, str, str]]:
        """For each access to a variable: the line, "load" or "store", and its name."""
        line, found = self.line, []
        for instruction in dis.get_instructions(self.code) if self.code else ():
            position = getattr(instruction, "positions", None)  # since Python 3.11
            line = (position.lineno if position else instruction.starts_line) or line
            if instruction.opname.startswith(ACCESSES):
                # Newer Pythons join two accesses: STORE_FAST_LOAD_FAST.
                kinds = [part for part in instruction.opname.split("_") if part in KINDS]
                value = instruction.argval
                names = value if isinstance(value, tuple) else (value,)
                pairs = zip(kinds, names, strict=False)
                found += [(line, kind.lower(), name) for kind, name in pairs]
        return found

    @cached_property
    def _parameters(self) -> list[inspect.Parameter]:
        try:
            return list(inspect.signature(self._call).parameters.values())
        except (TypeError, ValueError):
            raise CellError(
                f"{self.name} has no signature to read: write a Python function, such as (x, h)"
            ) from None


KINDS = ("LOAD", "STORE")
ACCESSES = ("LOAD_FAST", "LOAD_DEREF", "LOAD_CLOSURE", "STORE_FAST", "STORE_DEREF")
"""What the names of the instructions begin with that load or store a variable of a function."""


def _inner(function: Any) -> Any:
    """Return what a `functools.partial` calls in the end."""
    while isinstance(function, functools.partial):
        function = function.func
    return function


def _method(inner: Any) -> Any:
    """Return the Python function of an object that is called."""
    is_plain = hasattr(inner, "__code__") or hasattr(inner, "__wrapped__") or inspect.isclass(inner)
    return inner if is_plain or not callable(inner) else type(inner).__call__


def _named(function: Any) -> str | None:
    name = getattr(function, "__name__", None)
    return name if isinstance(name, str) else None


def _fixed(function: Any) -> Mapping[str, Any]:
    """Return the keyword arguments that partials have fixed."""
    fixed: dict[str, Any] = {}
    while isinstance(function, functools.partial):
        fixed = {**function.keywords, **fixed}
        function = function.func
    return fixed
