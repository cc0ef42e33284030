"""The command line: a thin skin, one file per command. `main` is the entry point."""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the program on the process's arguments and exit with the documented code."""
    from visionquery.cli.app import run

    sys.exit(run(sys.argv[1:]))
