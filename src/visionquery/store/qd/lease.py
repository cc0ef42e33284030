"""The one writer's place of a library that many machines can reach.

A point says who writes: a process of a machine, since when, and when it last said so. It is taken
by a write that Qdrant makes only where the point is still as it was read, and looked at once more
after a moment, for servers that know no such writes (before 1.16). A thread renews it; after a
minute without that, or when its process, of this machine, is gone, another may take it. The clocks
of the machines are taken to agree to within seconds.
"""

import os
import platform
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

from visionquery.errors import EngineError, LibraryBusyError
from visionquery.store.qd.conditions import NOTHING, Condition, one_of
from visionquery.store.qd.engine import Engine, Point
from visionquery.store.qd.spelling import key_of

__all__ = ["LEASE", "Lease", "held"]

LEASE = key_of("lease")

_LASTS_SECONDS = 60
_RENEWED_SECONDS = 15
_SETTLES_SECONDS = 0.3


class Lease:
    """The writer's place, held by this process under the number `nonce`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._nonce = secrets.token_hex(8)
        self._since = datetime.now().astimezone().isoformat(timespec="seconds")

    def take(self) -> None:
        """Take the place. Raises LibraryBusyError when another process has it."""
        before = self._known()
        if before is not None and not _is_free(before):
            raise _busy(self._engine.address.shown, before)
        self._say(NOTHING if before is None else one_of("nonce", [before["nonce"]]))
        if self._engine.address.folder is None:
            time.sleep(_SETTLES_SECONDS)
        self.check()

    def check(self) -> None:
        """Raise LibraryBusyError when another process has taken the place, EngineError when it is
        gone."""
        now = self._known()
        if now is None:
            raise EngineError(
                f"The library {self._engine.address.shown} lost the note of who writes to it: run "
                "the command again."
            )
        if now["nonce"] != self._nonce:
            raise _busy(self._engine.address.shown, now)

    def renew(self, ended: threading.Event) -> None:
        """Say that the place is still held, until told that it is not any more."""
        while not ended.wait(_RENEWED_SECONDS):
            try:
                self._say(one_of("nonce", [self._nonce]))
            except EngineError:
                continue  # Who writes meets the same, and says so.

    def give_up(self) -> None:
        """Give the place up, where nobody has taken it meanwhile."""
        now = self._known()
        if now is not None and now["nonce"] == self._nonce:
            self._engine.remove(self._engine.address.collection, [LEASE])

    def _say(self, only_if: Condition) -> None:
        payload = {
            "kind": "lease",
            "nonce": self._nonce,
            "pid": os.getpid(),
            "host": platform.node(),
            "since": self._since,
            "renewed": time.time(),
        }
        self._engine.put(
            self._engine.address.collection, [Point(LEASE, payload)], only_if=only_if
        )

    def _known(self) -> dict[str, Any] | None:
        found = self._engine.get(self._engine.address.collection, [LEASE])
        return found[LEASE].payload if found else None


@contextmanager
def held(engine: Engine) -> Iterator[Lease]:
    """Hold the writer's place until the block ends."""
    lease, ended = Lease(engine), threading.Event()
    lease.take()
    renewing = threading.Thread(target=lease.renew, args=(ended,), daemon=True)
    renewing.start()
    try:
        yield lease
    finally:
        ended.set()
        renewing.join()
        # What cannot be given up now ends by itself; the error on the way out says more.
        with suppress(EngineError):
            lease.give_up()


def _is_free(known: dict[str, Any]) -> bool:
    if abs(time.time() - known["renewed"]) > _LASTS_SECONDS:
        return True
    if known["host"] != platform.node() or os.name == "nt":  # where kill would end it
        return False
    try:
        os.kill(known["pid"], 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _busy(place: str, known: dict[str, Any]) -> LibraryBusyError:
    elsewhere = "" if known["host"] == platform.node() else f" on {known['host']}"
    return LibraryBusyError(
        f"Process {known['pid']}{elsewhere} has been writing to the library {place} since "
        f"{known['since'].replace('T', ' ')}: wait until it has finished, or stop it, then run the "
        "command again.",
        pid=known["pid"],
        host=known["host"],
        since=known["since"],
    )
