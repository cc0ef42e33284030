"""Blocking work off the event loop: a few threads, and a bounded number of requests before them.

A request whose caller has gone (a search that was typed on) is dropped before it costs anything.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from fastapi import Request

from visionquery.errors import LibraryReplacedError
from visionquery.server.problems import RefusedError

__all__ = ["Workers"]

Result = TypeVar("Result")

_CALLER_GONE = 499


class Workers:
    """`threads` that work, and at most `max_waiting` requests that wait for one, first come first
    served."""

    def __init__(
        self, name: str, *, threads: int, max_waiting: int, renew: Callable[[], None]
    ) -> None:
        """Start threads. After `renew`, work is done once more for which another process had
        replaced the library."""
        self._renew = renew
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=f"visionquery-{name}")
        self._free = asyncio.Semaphore(threads)
        self._max_waiting = max_waiting
        self._waiting = 0

    async def run(self, request: Request, work: Callable[[], Result]) -> Result:
        """Return what `work` returns, on one of the threads, or raise what it raises.

        Raises RefusedError when too many wait already, or the caller went while waiting.
        """
        if self._waiting >= self._max_waiting:
            raise RefusedError(
                503, "Overloaded", "The server has too much to do; ask again soon.", retry_after=1
            )
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
        try:
            if await request.is_disconnected():
                raise RefusedError(_CALLER_GONE, "CallerGone", "The caller closed the connection.")
            attempt = partial(self._attempt, work)
            return await asyncio.get_running_loop().run_in_executor(self._pool, attempt)
        finally:
            self._free.release()

    def _attempt(self, work: Callable[[], Result]) -> Result:
        try:
            return work()
        except LibraryReplacedError:
            self._renew()
            return work()

    def close(self) -> None:
        """Let what is being done end, and take nothing more."""
        self._pool.shutdown(wait=True, cancel_futures=True)
