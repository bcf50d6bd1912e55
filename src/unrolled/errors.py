"""Errors that a user can meet, each with a message that says what to do."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import final


class CellError(ValueError):
    """A cell whose equations do not make sense, or that is not known."""


@final
class CellWarning(UserWarning):
    """Equations that can be computed, but hardly mean what they say: such as a value that nothing
    uses. docs/extending.md lists the cases, and how to silence a warning.
    """


@final
class DrawError(ValueError):
    """A picture that cannot be made."""


@final
class UserError(Exception):
    """A request that cannot be met: the command line prints the message and ends with code 2."""


@contextmanager
def refusing(action: str, kind: type[Exception] = UserError) -> Iterator[None]:
    """Raise an error that a user can meet in place of the system's, while entered.

    Args:
        action: what cannot be done if the system refuses, such as ``write FILE``.
        kind: class of the error.

    Raises:
        UserError: or ``kind``, for an `OSError`: that the action cannot be done, and why.

    >>> with refusing("read a.txt"):
    ...     raise FileNotFoundError(2, "No such file or directory")
    Traceback (most recent call last):
    unrolled.errors.UserError: cannot read a.txt: No such file or directory
    """
    try:
        yield
    except OSError as error:
        raise kind(f"cannot {action}: {error.strerror or error}") from error
