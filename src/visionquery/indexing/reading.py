"""The first station of a run: files are read ahead by threads that wait for disks."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Generic, TypeVar

from visionquery.indexing.outcomes import Failed, Loaded
from visionquery.indexing.workers import Room

__all__ = ["Reading", "reading_pool"]

Item = TypeVar("Item")

_FIRST_AT_ONCE, _MOST_AT_ONCE = 8, 32


class Reading(Generic[Item]):
    """Reads the files of items, several at a time, and hands their contents on in order.

    A disk reads best what is asked of it in turn, and one behind a network makes every file wait:
    so few are read at once until somebody waits for them.
    """

    def __init__(
        self,
        pool: ThreadPoolExecutor,
        items: Iterable[Item],
        read: Callable[[Item], Loaded[Item] | Failed[Item]],
        weigh: Callable[[Item], int],
        room: Room,
        woken: threading.Event,
    ) -> None:
        """Read by `read` what `weigh` says is so many bytes, as long as there is `room`; who
        takes a content gives that room back. `woken` is set when one is there."""
        self._pool = pool
        self._items = iter(items)
        self._read, self._weigh = read, weigh
        self._room, self._woken = room, woken
        self._at_once = _FIRST_AT_ONCE
        self._upcoming = next(self._items, None)
        self._begun: deque[Future[Loaded[Item] | Failed[Item]]] = deque()

    @property
    def ended(self) -> bool:
        """Whether everything was handed on."""
        return self._upcoming is None and not self._begun

    def go_on(self) -> None:
        """Begin to read what there is room for."""
        while (item := self._upcoming) is not None and len(self._begun) < self._at_once:
            if not self._room.take(self._weigh(item)):
                return
            future = self._pool.submit(self._read, item)
            future.add_done_callback(lambda _: self._woken.set())
            self._begun.append(future)
            self._upcoming = next(self._items, None)

    def hurry(self) -> None:
        """Read twice as many files at once from now on: somebody waits."""
        if len(self._begun) == self._at_once:
            self._at_once = min(2 * self._at_once, _MOST_AT_ONCE)

    def take(self) -> Loaded[Item] | Failed[Item] | None:
        """Return the next content, None when it is not there yet."""
        if not self._begun or not self._begun[0].done():
            return None
        return self._begun.popleft().result()


@contextmanager
def reading_pool() -> Iterator[ThreadPoolExecutor]:
    """Give threads enough for `Reading`. What they have not begun on leaving is cancelled."""
    with ThreadPoolExecutor(_MOST_AT_ONCE, thread_name_prefix="visionquery-read") as pool:
        try:
            yield pool
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
