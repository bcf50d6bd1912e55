"""The error of the one who asks."""

from typing import final


@final
class UserError(Exception):
    """A request that cannot be met: the command line prints the message and ends with code 2."""
