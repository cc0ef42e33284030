"""Pages of the documentation that a program writes, and that a test compares with what it says."""

import sys
from pathlib import Path


def write_or_check(page: Path, text: str) -> int:
    """Write a page; with `--check` on the command line only compare. Return the exit code: 1 when
    the page is not what the program says."""
    if sys.argv[1:] == ["--check"]:
        return 0 if page.exists() and page.read_text("utf-8") == text else 1
    page.write_text(text, "utf-8")
    return 0
