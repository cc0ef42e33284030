"""The first station of a run: files are read ahead by threads that wait for disks."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Generic, TypeVar

from visionquery.indexing.outcomes import Failed, Loaded, Several
from visionquery.indexing.workers import Room

__all__ = ["Reading", "reading_pool"]

Item = TypeVar("Item")

_FIRST_AT_ONCE, _MOST_AT_ONCE = 8, 32


class Reading(Generic[Item]):
    """Reads the files of items, several at a time, and hands their contents on in order.

    A disk reads best what is asked of it in turn, and one behind a network makes every file wait:
    so few are read at once until somebody waits for them. An item that turns out to be several is
    replaced by these, which are read like any others.
    """

    def __init__(
        self,
        pool: ThreadPoolExecutor,
        items: Iterable[Item],
        read: Callable[[Item], Loaded[Item] | Failed[Item] | Several[Item]],
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
        self._begun: deque[tuple[Item, Future[Loaded[Item] | Failed[Item] | Several[Item]]]]
        self._begun = deque()
        self._inner: Reading[Item] | None = None

    @property
    def ended(self) -> bool:
        """Whether everything was handed on."""
        return self._upcoming is None and not self._begun and self._inner is None

    def go_on(self) -> None:
        """Begin to read what there is room for."""
        if self._inner is not None:
            self._inner.go_on()
        while (item := self._upcoming) is not None and len(self._begun) < self._at_once:
            if not self._room.take(self._weigh(item)):
                return
            self._begin(item)

    def hurry(self) -> None:
        """Read twice as many files at once from now on: somebody waits."""
        if self._inner is not None:
            self._inner.hurry()
        elif len(self._begun) == self._at_once:
            self._at_once = min(2 * self._at_once, _MOST_AT_ONCE)

    def take(self) -> Loaded[Item] | Failed[Item] | None:
        """Return the next content, None when it is not there yet."""
        while True:
            if self._inner is not None:
                if not self._inner.ended:
                    return self._inner._next()
                self._inner = None
            if not self._begun or not self._begun[0][1].done():
                return None
            item, future = self._begun.popleft()
            content = future.result()
            if not isinstance(content, Several):
                return content
            self._room.give(self._weigh(item))
            self._inner = Reading(
                self._pool, content.items, self._read, self._weigh, self._room, self._woken
            )

    def _next(self) -> Loaded[Item] | Failed[Item] | None:
        """Return the next content of those that others wait for: they have the room, so that the
        first must be read though there is none."""
        self.go_on()
        if not self._begun and self._inner is None and self._upcoming is not None:
            self._room.exceed(self._weigh(self._upcoming))
            self._begin(self._upcoming)
        return self.take()

    def _begin(self, item: Item) -> None:
        future = self._pool.submit(self._read, item)
        future.add_done_callback(lambda _: self._woken.set())
        self._begun.append((item, future))
        self._upcoming = next(self._items, None)


@contextmanager
def reading_pool() -> Iterator[ThreadPoolExecutor]:
    """Give threads enough for `Reading`. What they have not begun on leaving is cancelled."""
    with ThreadPoolExecutor(_MOST_AT_ONCE, thread_name_prefix="visionquery-read") as pool:
        try:
            yield pool
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
