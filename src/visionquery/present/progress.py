"""Progress on stderr: a live bar on a terminal, a plain line now and then elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from visionquery.indexing.report import Progress
from visionquery.present.text import count, duration, size

__all__ = ["download_progress", "index_progress"]

_SECONDS_BETWEEN_LINES = 10.0

OnProgress = Callable[[Progress], None]
OnDownload = Callable[[str, int, int], None]


@contextmanager
def index_progress(stream: TextIO, *, quiet: bool) -> Iterator[OnProgress]:
    """Give a callback that shows an indexing run's state on `stream`."""
    if quiet:
        yield lambda progress: None
    elif stream.isatty():
        with _bar(stream) as update:
            yield lambda progress: update(
                "Indexing", progress.done, progress.total, _rate_and_eta(progress)
            )
    else:
        lines = _Lines(stream)
        yield lambda progress: lines.show(
            f"{progress.done:,} of {count(progress.total, 'file')}, {_rate_and_eta(progress)}",
            is_last=progress.done == progress.total,
            is_empty=progress.total == 0,
        )


@contextmanager
def download_progress(stream: TextIO, *, quiet: bool) -> Iterator[OnDownload]:
    """Give a callback `(file, done_bytes, total_bytes)` that shows a download on `stream`."""
    if quiet:
        yield lambda file, done, total: None
    elif stream.isatty():
        with _bar(stream) as update:
            yield lambda file, done, total: update(
                file, done, total, f"{size(done)} of {size(total)}"
            )
    else:
        lines = _Lines(stream)
        yield lambda file, done, total: lines.show(
            f"{file}: {size(done)} of {size(total)}", is_last=done == total, is_empty=total == 0
        )


def _rate_and_eta(progress: Progress) -> str:
    if not progress.done or progress.seconds <= 0:
        return ""
    rate = progress.done / progress.seconds
    left = (progress.total - progress.done) / rate
    images = f"{progress.encoded / progress.seconds:.1f} images/s"
    return f"{images}, {duration(left)} left" if left else images


class _Lines:
    """Write at most a line every few seconds, and the last one always."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._next = time.monotonic() + _SECONDS_BETWEEN_LINES

    def show(self, line: str, *, is_last: bool, is_empty: bool) -> None:
        if is_empty or (time.monotonic() < self._next and not is_last):
            return
        self._next = time.monotonic() + _SECONDS_BETWEEN_LINES
        print(line, file=self._stream, flush=True)  # noqa: T201


@contextmanager
def _bar(stream: TextIO) -> Iterator[Callable[[str, int, int, str], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=32),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[facts]}"),
    )
    with Bar(*columns, console=Console(file=stream), transient=True) as bar:
        task = bar.add_task("", total=None, facts="")
        yield lambda name, done, total, facts: bar.update(
            task, description=name, completed=done, total=total or 1, facts=facts
        )
