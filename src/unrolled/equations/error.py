"""What is wrong with a cell."""


class CellError(ValueError):
    """The equations of a cell do not make sense, or no such cell is known."""
