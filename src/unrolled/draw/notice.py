"""Notices beside a result: one line on stderr."""

import sys


def say(words: str) -> None:
    """Tell the user something that is no error."""
    print(f"unrolled: {words}", file=sys.stderr)
