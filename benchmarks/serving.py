"""What does HTTP add to a search? 100,000 images, a real server process, many clients at once.

    python -m benchmarks.serving [MODEL] [--library DIR] [--requests 10000]

Warm text searches, each with words that none before it had, a page of 100. Beside the library's
own call in a process of its own: one at a time, the two alternating, and by 50 at once, where the
library is called by 50 threads. The clients are bare sockets, so that they cost little beside the
server on the same cores. Targets: p95 below 2 x the library's; none of 50 clients' answers lost; a
server's memory flat over 10,000 requests.
"""

import argparse
import asyncio
import itertools
import json
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from benchmarks.quality.made import fill
from benchmarks.quality.photos import LIT_TINY, photographs
from benchmarks.quality.verdicts import finish, target

from visionquery.library import Library
from visionquery.store.local import create_local

_IMAGES = 100_000
_CLIENTS = 50
_ALTERNATING = 300
_AT_ONCE = 2000
_PAGE = 100
_WORDS = ("dog", "beach", "red car", "child playing", "snow", "two women", "bicycle", "river")


def main() -> None:
    """Measure and print."""
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        library = options.library or made_library(Path(folder) / "library", options.model)
        with serving(library, options.model, Path(folder)) as (port, process_id):
            _measure(library, options.model, port, process_id, options.requests)
    finish()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", default=LIT_TINY)
    parser.add_argument("--library", type=Path, help="one of these images that was made before")
    parser.add_argument("--requests", type=int, default=10_000)
    return parser.parse_args()


def made_library(folder: Path, model: str) -> Path:
    """Make a library of 100,000 images in a folder, and return it."""
    photos = photographs(model)
    store = create_local(folder, photos.encoder.identity)
    fill(store, photos, _IMAGES)
    store.close()
    return folder


@contextmanager
def serving(library: Path, model: str, folder: Path) -> Iterator[tuple[int, int]]:
    """Serve a library in a process of its own; give its port and process id."""
    command = [sys.executable, "-m", "visionquery", "serve", "--port", "0", "--no-browser"]
    with subprocess.Popen(
        [*command, "--library", str(library), "--model", model],
        stderr=subprocess.PIPE, text=True, env={"XDG_CACHE_HOME": str(folder), "PATH": ""},
    ) as process:  # fmt: skip
        assert process.stderr is not None
        for line in process.stderr:
            if found := re.search(r"http://127.0.0.1:(\d+)/", line):
                break
        else:
            sys.exit("the server did not start")
        try:
            yield int(found.group(1)), process.pid
        finally:
            process.terminate()


def _measure(folder: Path, model: str, port: int, process_id: int, requests: int) -> None:
    queries = _endless_queries()
    with Library.open(folder, model=model) as library:
        library.warm_up()
        print(f"{library.image_count:,} images, {model}, pages of {_PAGE}")

        def call(query: str) -> None:
            library.search(query, limit=_PAGE)

        own, http = _alternating(call, port, queries)
        _print("one at a time, library", own)
        _print("one at a time, HTTP", http)
        own_at_once = _by_threads(call, queries)
        http_at_once, lost = asyncio.run(_by_clients(port, queries, _AT_ONCE))
        _print(f"{_CLIENTS} at once, library in threads", own_at_once)
        _print(f"{_CLIENTS} at once, HTTP", http_at_once)
    before = _resident(process_id)
    _, lost_later = asyncio.run(_by_clients(port, queries, requests))
    grown = (_resident(process_id) - before) / before
    print(f"  memory {before / 2**20:.0f} MiB, after {requests:,} requests more {grown:+.1%}")
    target("p95 of HTTP against the library's", _p95(http) / _p95(own), lambda r: r < 2, "< 2")
    ratio = _p95(http_at_once) / _p95(own_at_once)
    target(f"the same, {_CLIENTS} at once", ratio, lambda r: r < 2, "< 2")
    target("answers lost", lost + lost_later, lambda n: n == 0, "0")
    target("growth of memory", grown, lambda share: share < 0.05, "< 0.05")


def _endless_queries() -> Iterator[str]:
    for number in itertools.count():
        for word in _WORDS:
            yield f"{word} {number}"


def _alternating(
    call: Callable[[str], None], port: int, queries: Iterator[str]
) -> tuple[list[float], list[float]]:
    async def run() -> tuple[list[float], list[float]]:
        own, http = [], []
        client = await _Client.open(port)
        for turn in range(_ALTERNATING + 20):
            started = time.perf_counter()
            call(next(queries))
            own.append(time.perf_counter() - started)
            http.append((await client.search(next(queries)))[0])
            if turn == 20:  # what came before was to warm up
                own, http = [], []
        return own, http

    return asyncio.run(run())


def _by_threads(call: Callable[[str], None], queries: Iterator[str]) -> list[float]:
    asked = [next(queries) for _ in range(_AT_ONCE)]
    seconds: list[float] = []

    def work(mine: Sequence[str]) -> None:
        for query in mine:
            started = time.perf_counter()
            call(query)
            seconds.append(time.perf_counter() - started)

    threads = [
        threading.Thread(target=work, args=(asked[number::_CLIENTS],))
        for number in range(_CLIENTS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seconds


async def _by_clients(
    port: int, queries: Iterator[str], requests: int
) -> tuple[list[float], int]:
    """Return the seconds of each answer, and how many answers were not whole and right."""
    seconds: list[float] = []
    lost = 0

    async def work() -> None:
        nonlocal lost
        client = await _Client.open(port)
        for _ in range(requests // _CLIENTS):
            query = next(queries)
            took, answer = await client.search(query)
            seconds.append(took)
            lost += answer.get("query") != query or not answer["results"] + answer["closest"]
        client.close()

    await asyncio.gather(*(work() for _ in range(_CLIENTS)))
    return seconds, lost


class _Client:
    """A connection that is kept, and the least that HTTP needs."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, port: int) -> "_Client":
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=2**24))

    async def search(self, query: str) -> tuple[float, dict]:
        """Return how long an answer took, in seconds, and the answer."""
        started = time.perf_counter()
        path = f"/api/v1/search?q={quote(query)}&limit={_PAGE}"
        self._writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = int(re.search(rb"content-length: (\d+)", head).group(1))
        body = await self._reader.readexactly(length)
        return time.perf_counter() - started, json.loads(body)

    def close(self) -> None:
        self._writer.close()


def _resident(process_id: int) -> int:
    text = Path(f"/proc/{process_id}/status").read_text("ascii")
    return 1024 * int(re.search(r"VmRSS:\s+(\d+)", text).group(1))


def _p95(seconds: Sequence[float]) -> float:
    return statistics.quantiles(seconds, n=20)[-1]


def _print(name: str, seconds: Sequence[float]) -> None:
    median, p95 = 1000 * statistics.median(seconds), 1000 * _p95(seconds)
    print(f"  {name:34} p50 {median:7.1f} ms   p95 {p95:7.1f} ms")


if __name__ == "__main__":
    main()
