"""Errors that a user can meet, each with a message that says what to do."""

from typing import final


class CellError(ValueError):
    """A cell whose equations do not make sense, or that is not known."""


@final
class DrawError(ValueError):
    """A picture that cannot be made."""


@final
class UserError(Exception):
    """A request that cannot be met: the command line prints the message and ends with code 2."""
