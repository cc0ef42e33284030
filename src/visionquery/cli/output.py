"""Where words go: results to stdout, everything else to stderr."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence

from visionquery.present.text import escaped, printable

__all__ = [
    "notes",
    "on_terminal",
    "print_document",
    "print_line",
    "print_lines",
    "print_paths",
    "say",
]


def say(message: str) -> None:
    """Write a note or an error to stderr, whatever bytes a file name brings into it."""
    sys.stderr.write(_safe(message) + "\n")
    sys.stderr.flush()


def notes(*, quiet: bool) -> Callable[[str], None]:
    """Return where notes go: to stderr, or nowhere."""
    return (lambda _: None) if quiet else say


def _safe(message: str) -> str:
    return "\n".join(map(printable, message.split("\n")))


def on_terminal() -> bool:
    """Whether a person is looking at stdout."""
    return sys.stdout.isatty()


def print_lines(text: str) -> None:
    """Write text to stdout, ended by a newline."""
    sys.stdout.write(text + "\n")


def print_paths(paths: Sequence[str], *, null: bool) -> None:
    """Write paths to stdout: raw bytes ended by NUL, or one escaped path a line."""
    if null:
        sys.stdout.buffer.write(b"".join(os.fsencode(path) + b"\0" for path in paths))
    elif paths:
        print_lines("\n".join(map(escaped, paths)))


def print_document(document: Mapping[str, object]) -> None:
    """Write one JSON document to stdout."""
    from visionquery.present.documents import render

    print_lines(render(document))


def print_line(document: Mapping[str, object]) -> None:
    """Write one of several JSON documents to stdout, as a line that a reader has at once."""
    from visionquery.present.documents import render

    print_lines(render(document, in_one_line=True))
    sys.stdout.flush()
