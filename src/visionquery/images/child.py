"""One decoding process, seen from its parent: started, asked, and ended when it takes too long."""

import contextlib
import json
import os
import select
import subprocess
import sys
import threading
from collections.abc import Iterator
from io import FileIO
from typing import cast

from visionquery.images.messages import Head, MessageError, receive, send, share, shared

__all__ = ["Child", "ChildEndedError"]

_PROGRAM = """\
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from visionquery.images.worker import serve
serve(*map(int, sys.argv[2:]))
"""
_PIPE_BYTES = 1 << 20
"""Room in a pipe, where the system lets it be chosen: the usual 64 KiB make both sides wait."""

_LAST_WORDS_SECONDS = 1.0
"""How long a process that has closed its pipe may take to say with what code it ended."""

_SET_PIPE_SIZE = 1031
"""F_SETPIPE_SZ, which `fcntl` has a name for on Linux alone."""


class ChildEndedError(Exception):
    """A process ended over a request: with an exit `code` (below 0 a signal), `late` if it was
    ended for taking too long."""

    def __init__(self, code: int, *, late: bool) -> None:
        super().__init__(code)
        self.code, self.late = code, late

    @property
    def counts(self) -> bool:
        """Whether the request had to do with it: an idle process ends by itself, with code 0."""
        return self.late or self.code != 0


class Child:
    """A process that decodes. For one thread at a time."""

    def __init__(self) -> None:
        """Start it; that takes a while, but the first request can be sent at once."""
        options = ["-S", "-E", *(["-B"] if sys.dont_write_bytecode else [])]
        paths = json.dumps([os.path.abspath(place) for place in sys.path])  # noqa: PTH100
        memory = share()
        given = () if memory is None else (memory,)
        self._process = subprocess.Popen(
            [sys.executable, *options, "-c", _PROGRAM, paths, *map(str, given)],
            pass_fds=given,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env=os.environ | {"MALLOC_ARENA_MAX": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        self._requests = cast(FileIO, self._process.stdin)
        self._answers = cast(FileIO, self._process.stdout)
        for pipe in (self._requests, self._answers):
            _widen(pipe)
        self._memory = shared(memory)
        for descriptor in given:
            os.close(descriptor)

    def ask(
        self, request: Head, body: bytes = b"", *, seconds: float, most_bytes: int
    ) -> tuple[Head, bytes | bytearray]:
        """Return the answer to a request. Raises ChildEndedError when none comes, within so many
        seconds or at all; the process is gone then."""
        late = threading.Event()
        try:
            with self._ending_after(seconds, late):
                send(self._requests, request, body, memory=self._memory)
                self._await_answer(seconds, late)
                return receive(self._answers, most_bytes=most_bytes, memory=self._memory)
        except (MessageError, OSError) as error:
            code = self.close(patience=_LAST_WORDS_SECONDS)
            raise ChildEndedError(code, late=late.is_set()) from error

    def _await_answer(self, seconds: float, late: threading.Event) -> None:
        """Wait until an answer begins; without one in time, end the process."""
        if sys.platform == "win32":
            return
        waiting = select.poll()  # unlike select(), for any number of open files
        waiting.register(self._answers, select.POLLIN)
        if not waiting.poll(seconds * 1000):
            late.set()
            self._process.kill()

    @contextlib.contextmanager
    def _ending_after(self, seconds: float, late: threading.Event) -> Iterator[None]:
        """End the process when the block takes too long, where pipes cannot be waited for."""
        if sys.platform != "win32":
            yield
            return

        def end() -> None:
            late.set()
            self._process.kill()

        timer = threading.Timer(seconds, end)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    @property
    def has_ended(self) -> bool:
        """Whether the process is gone."""
        return self._process.poll() is not None

    def close(self, *, patience: float = 0.01) -> int:
        """End the process, if it has not ended within some seconds, and return its exit code."""
        with contextlib.suppress(OSError):
            self._requests.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(patience)
        self._process.kill()
        code = self._process.wait()
        self._answers.close()
        if self._memory is not None:
            self._memory.close()
        return code


def _widen(pipe: FileIO) -> None:
    if sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError):
            fcntl.fcntl(pipe, _SET_PIPE_SIZE, _PIPE_BYTES)
