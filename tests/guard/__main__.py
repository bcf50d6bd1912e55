"""Run tests in a process in which every tensor ends at a page that cannot be touched.

    python -m tests.guard tests/kernels tests/nn -q

The arguments are pytest's. A kernel that reads past a buffer ends the process.
"""

import sys

from . import run

if __name__ == "__main__":
    sys.exit(run([sys.executable, "-m", "pytest", *sys.argv[1:]]).returncode)
