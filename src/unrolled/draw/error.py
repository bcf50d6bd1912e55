"""What cannot be drawn or written."""

from typing import final


@final
class DrawError(ValueError):
    """A picture that cannot be made; the message says why and what to do."""
