"""Tables: records with named columns, read from files of any size."""

from .opening import open_table
from .table import Record, Table

__all__ = ["Record", "Table", "open_table"]
