"""Threads for a line of work: those that compute, of which none is idle while anything waits,
and room in bytes for what they hold."""

import heapq
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from types import TracebackType
from typing import Any, Self, TypeVar

__all__ = ["Room", "Workers"]

Result = TypeVar("Result")


@dataclass(slots=True)
class Room:
    """Room for `most` bytes. One thing larger than that fits where nothing else is."""

    most: int
    taken: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def take(self, size_bytes: int) -> bool:
        """Take room if there is enough, and return whether there was."""
        with self._changed:
            fits = self.taken == 0 or self.taken + size_bytes <= self.most
            self.taken += size_bytes if fits else 0
            return fits

    def exceed(self, size_bytes: int) -> None:
        """Take room that there may not be, for the one thing without which nothing goes on."""
        with self._changed:
            self.taken += size_bytes

    def give(self, size_bytes: int) -> None:
        """Give back what was taken."""
        with self._changed:
            self.taken -= size_bytes
            self._changed.notify_all()

    @contextmanager
    def claiming(self) -> Iterator[Callable[[int], None]]:
        """Give a function that waits for room; called again, it first gives back what it had (who
        has a part and waits for more could wait for ever). On leaving all is given back."""
        claimed = 0

        def claim(size_bytes: int) -> None:
            nonlocal claimed
            self.give(claimed)  # what is done a second time begins anew
            with self._changed:
                claimed = 0
                while self.taken and self.taken + size_bytes > self.most:
                    self._changed.wait()
                self.taken += size_bytes
                claimed = size_bytes

        try:
            yield claim
        finally:
            self.give(claimed)


class Workers:
    """Threads that compute. A task that is urgent goes before all that are not; else the order
    is that of submission. A context manager: on leaving, what is not begun is cancelled."""

    def __init__(self, threads: int) -> None:
        """Start threads."""
        self._tasks: list[tuple[int, int, Callable[[], None], Future[Any]]] = []
        self._numbers = count()
        self._changed = threading.Condition()
        self._idle = 0
        self._closed = False
        self._threads: list[threading.Thread] = []
        self.grow(threads)

    def grow(self, threads: int) -> None:
        """Start more threads."""
        for _ in range(threads):
            thread = threading.Thread(target=self._run, name="visionquery-worker")
            self._threads.append(thread)
            thread.start()

    def submit(self, work: Callable[[], Result], *, urgent: bool = False) -> Future[Result]:
        """Have something done, and return its future."""
        future: Future[Result] = Future()

        def task() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(work())
            except BaseException as error:  # whatever it is, it belongs to who asks for the result
                future.set_exception(error)

        with self._changed:
            heapq.heappush(self._tasks, (not urgent, next(self._numbers), task, future))
            self._changed.notify()
        return future

    @property
    def starve(self) -> bool:
        """Whether a thread has nothing to do."""
        with self._changed:
            return self._idle > len(self._tasks)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._changed:
            self._closed = True
            for *_, future in self._tasks:
                future.cancel()
            self._tasks.clear()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._idle += 1
                while not self._tasks and not self._closed:
                    self._changed.wait()
                self._idle -= 1
                if self._closed:
                    return
                *_, task, _ = heapq.heappop(self._tasks)
            task()
            del task  # with all that it holds
