"""Progress on stderr: a live bar on a terminal, a plain line now and then elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, TextIO

from visionquery.present.text import count, duration, size

if TYPE_CHECKING:
    from visionquery.indexing.report import Progress

__all__ = ["copy_progress", "download_progress", "index_progress", "step_progress"]

_SECONDS_BETWEEN_LINES = 10.0

OnProgress = Callable[["Progress"], None]
OnDownload = Callable[[str, int, int], None]


@contextmanager
def index_progress(
    stream: TextIO, *, quiet: bool, name: str = "Indexing", noun: str = "file"
) -> Iterator[OnProgress]:
    """Give a callback that shows a run's state on `stream`: what it does, and to what."""
    with _shown(stream, quiet=quiet) as show:
        yield lambda progress: show(
            name,
            progress.done,
            progress.total,
            f"{progress.done:,} of {count(progress.total, noun)}{_rate_and_eta(progress)}",
        )


@contextmanager
def copy_progress(
    stream: TextIO, *, quiet: bool
) -> Iterator[Callable[[str, "Progress"], None]]:
    """Give a callback that shows the state of a copy on `stream`: what is done, and how far."""
    with _shown(stream, quiet=quiet) as show:
        yield lambda what, progress: show(
            what,
            progress.done,
            progress.total,
            f"{progress.done:,} of {count(progress.total, 'file')}, "
            f"{count(progress.encoded, 'image')} copied{_rate_and_eta(progress)}",
        )


@contextmanager
def download_progress(stream: TextIO, *, quiet: bool) -> Iterator[OnDownload]:
    """Give a callback `(file, done_bytes, total_bytes)` that shows a download on `stream`."""
    with _shown(stream, quiet=quiet) as show:
        yield lambda file, done, total: show(
            file, done, total, f"{size(done)} of {size(total)}"
        )


@contextmanager
def step_progress(stream: TextIO, *, quiet: bool, noun: str) -> Iterator[OnDownload]:
    """Give a callback `(what, done, total)` that shows work in several steps on `stream`."""
    with _shown(stream, quiet=quiet) as show:
        yield lambda what, done, total: show(
            what, done, total, f"{done:,} of {count(total, noun)}"
        )


def _rate_and_eta(progress: "Progress") -> str:
    if not progress.done or progress.seconds <= 0:
        return ""
    left = (progress.total - progress.done) * progress.seconds / progress.done
    rate = f", {progress.encoded / progress.seconds:.1f} images/s" if progress.encoded else ""
    return f"{rate}, {duration(left)} left" if left else rate


_Show = Callable[[str, int, int, str], None]
"""Name, done, total, and the same in words."""


@contextmanager
def _shown(stream: TextIO, *, quiet: bool) -> Iterator[_Show]:
    """Give the way of showing that suits the stream. Nothing appears before there is something
    to wait for."""
    with ExitStack() as stack:
        if quiet:
            yield lambda *_: None
        elif stream.isatty():
            yield _Bar(stream, stack).show
        else:
            yield _Lines(stream).show


class _Lines:
    """A line every few seconds, and the last one always."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._next = time.monotonic() + _SECONDS_BETWEEN_LINES

    def show(self, name: str, done: int, total: int, words: str) -> None:
        if total == 0 or (time.monotonic() < self._next and done != total):
            return
        self._next = time.monotonic() + _SECONDS_BETWEEN_LINES
        self._stream.write(f"{name}: {words}\n")
        self._stream.flush()


class _Bar:
    """A live bar, drawn from the first update on and gone when the stack closes."""

    def __init__(self, stream: TextIO, stack: ExitStack) -> None:
        self._stream = stream
        self._stack = stack
        self._update: Callable[..., None] | None = None

    def show(self, name: str, done: int, total: int, words: str) -> None:
        if total == 0:
            return
        if self._update is None:
            self._update = self._start()
        self._update(description=name, completed=done, total=total, facts=words)

    def _start(self) -> Callable[..., None]:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=32),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[facts]}", style="dim"),
        )
        console = Console(file=self._stream, highlight=False)
        bar = self._stack.enter_context(Progress(*columns, console=console, transient=True))
        return partial(bar.update, bar.add_task("", facts=""))
