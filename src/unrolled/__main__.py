"""``python -m unrolled``: the command."""

from .apps.cli import main

if __name__ == "__main__":
    main()
