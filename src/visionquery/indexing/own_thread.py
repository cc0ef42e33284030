"""A thread that makes calls for another one."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

__all__ = ["OwnThread"]

Result = TypeVar("Result")


class OwnThread:
    """Makes calls one after another, so that a Ctrl-C falls into the waiting for one and never
    into its middle, where it would leave the locks of a library as they are. A call that never
    returns does not keep the process from ending."""

    def __init__(self) -> None:
        """Start the thread."""
        self._calls: SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = SimpleQueue()
        threading.Thread(target=self._run, daemon=True, name="visionquery-calls").start()

    def call(self, work: Callable[[], Result], *, seconds: float | None = None) -> Result:
        """Return what `work` does, or raise what it raises; TimeoutError after `seconds`."""
        future: Future[Result] = Future()
        self._calls.put((work, future))
        return future.result(seconds)

    def close(self) -> None:
        """End the thread once its calls are made."""
        self._calls.put(None)

    def _run(self) -> None:
        while (asked := self._calls.get()) is not None:
            work, future = asked
            try:
                future.set_result(work())
            except BaseException as error:
                future.set_exception(error)
