"""Keep a library up to date: wait for changes, index them, and look at everything now and then."""

import math
import os
import queue
import stat
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from visionquery.errors import InputError, LibraryBusyError
from visionquery.images.scan import scan
from visionquery.indexing.places import holds, scopes_at
from visionquery.indexing.report import IndexReport
from visionquery.indexing.survey import survey
from visionquery.indexing.watching import (
    Event,
    Heard,
    Listener,
    is_remote,
    place_to_index,
    together,
)
from visionquery.store.base import Store
from visionquery.store.places import below

__all__ = ["Pace", "keep", "now_and_uptime"]

_ASLEEP_SECONDS = 60.0
"""How far the two clocks drift apart before the machine counts as having slept."""

_LIMITS = ("limit reached", "os error 24", "os error 28")
"""What the system says when it has no watches, or no watchers, to give: EMFILE, ENOSPC."""

Add = Callable[[Sequence[str]], IndexReport]
OnNote = Callable[[str], None]
Clocks = Callable[[], tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds of waiting: changes are indexed when none came for `settle`, or some for `longest`;
    places are looked for every `check`; the whole of them is looked at every `look`, and every
    `poll` where the system tells of no changes; a busy library is tried again after `retry`."""

    settle: float = 2.0
    longest: float = 30.0
    check: float = 2.0
    look: float = 3600.0
    poll: float = 60.0
    retry: float = 5.0


def now_and_uptime() -> tuple[float, float]:
    """Return the seconds of a clock that stops while the machine sleeps, and of one that goes
    on."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic(), time.time() if boot is None else time.clock_gettime(boot)


def keep(
    store: Store,
    add: Add,
    places: Sequence[str],
    *,
    pace: Pace,
    polling: bool,
    on_report: Callable[[IndexReport], None],
    on_note: OnNote,
    stop: threading.Event,
    clocks: Clocks = now_and_uptime,
) -> None:
    """Bring a store up to date with absolute places by `add`, and keep it so until `stop` is set.

    With `polling` nobody listens: the places are looked at every `pace.poll` seconds. A place that
    is not there is waited for, and so is a busy library; every other error of `add` ends it.
    """
    keeper = _Keeper(store, add, places, pace, polling, on_report, on_note, clocks)
    try:
        while not stop.is_set():
            keeper.step()
    finally:
        keeper.close()


@dataclass(slots=True)
class _Watched:
    """A place: `identity` is what the system knows it by, None while it is not there, which is
    `missed` once it was said; `polled` tells that nobody listens; `next_look` is when the whole of
    it is looked at."""

    place: str
    identity: tuple[int, int] | None = None
    listener: Listener | None = None
    missed: bool = False
    polled: bool = False
    next_look: float = math.inf


class _Keeper:
    """What is to be indexed (`_due`), and since when: `_first` and `_last` are the times of the
    first and the last change that has not been indexed yet."""

    def __init__(
        self,
        store: Store,
        add: Add,
        places: Sequence[str],
        pace: Pace,
        polling: bool,
        on_report: Callable[[IndexReport], None],
        on_note: OnNote,
        clocks: Clocks,
    ) -> None:
        self._store, self._add, self._pace, self._polling = store, add, pace, polling
        self._on_report, self._on_note, self._clocks = on_report, on_note, clocks
        self._said: queue.Queue[Heard] = queue.Queue()
        self._watched = {place: _Watched(place) for place in places}
        self._due: set[str] = set()
        self._told: set[str] = set()
        self._first = self._last = -math.inf
        self._not_before = -math.inf
        self._now, self._uptime = clocks()
        self._next_check = self._now
        for watched in self._watched.values():
            if _identity(watched.place) is None:
                watched.missed = True
                on_note(f"{watched.place} is not there now: waiting for it.")

    def close(self) -> None:
        """Stop to listen."""
        for watched in self._watched.values():
            _let_go(watched)

    def step(self) -> None:
        """Do what is to be done now, then wait for what comes next."""
        before, slept = self._now, self._uptime - self._now
        self._now, self._uptime = self._clocks()
        if self._uptime - self._now - slept > _ASLEEP_SECONDS:
            for watched in self._watched.values():
                watched.next_look = min(watched.next_look, before)
        if self._now >= self._next_check:
            self._next_check = self._now + self._pace.check
            for watched in self._watched.values():
                self._tend(watched)
        if self._due and self._now >= self._ready_at():
            self._run()
        self._hear()

    def _ready_at(self) -> float:
        settled = min(self._last + self._pace.settle, self._first + self._pace.longest)
        return max(settled, self._not_before)

    def _tend(self, watched: _Watched) -> None:
        """See whether a place has come or gone, and look at it when that is due."""
        identity = _identity(watched.place)
        if identity != watched.identity:
            _let_go(watched)
            self._told.clear()
            watched.identity = identity
            if identity is None:
                self._on_note(
                    f"{watched.place} is gone: waiting for it. What is known of it stays."
                )
            elif watched.missed:
                self._on_note(f"{watched.place} is there again.")
            watched.missed = identity is None
        if identity is None:
            return
        if watched.listener is None and not watched.polled:
            self._take_up(watched)
        elif self._now >= watched.next_look:
            watched.next_look = self._now + self._until_next_look(watched)
            if self._differs(watched.place):
                self._due.add(watched.place)

    def _take_up(self, watched: _Watched) -> None:
        if self._polling or is_remote(watched.place):
            self._poll(watched)
        else:
            watched.listener = Listener(watched.place, self._said)

    def _poll(self, watched: _Watched) -> None:
        watched.polled = True
        watched.next_look = self._now + self._pace.poll
        self._due.add(watched.place)

    def _until_next_look(self, watched: _Watched) -> float:
        return min(self._pace.poll, self._pace.look) if watched.polled else self._pace.look

    def _differs(self, place: str) -> bool:
        """Whether names, sizes or times at a place are not those that are known."""
        roots = {root.root_id: root for root in self._store.roots()}
        scopes = scopes_at(self._store, place)
        found = (survey(self._store, roots[scope.root_id], scope) for scope in scopes)
        if not scopes:
            return next(scan(place), None) is not None
        return any(each.new or each.changed or each.gone for each in found)

    def _run(self) -> None:
        """Index what is due and still there."""
        places = together(self._covered(place) for place in self._due if os.path.lexists(place))
        self._due.clear()
        self._first = self._last = -math.inf
        if not places:
            return
        try:
            report = self._add(places)
        except LibraryBusyError:
            self._due.update(places)
            self._not_before = self._clocks()[0] + self._pace.retry
            self._tell("Another process is writing to the library: waiting until it has finished.")
        except InputError:  # Something went away since: what is around it tells the rest.
            self._due |= self._watched.keys() - set(places)
        else:
            for note in report.notes:
                self._tell(note)
            self._on_report(report)

    def _covered(self, place: str) -> str:
        """A place itself where it lies in a root of the store that is here as a whole, else the
        watched place around it: one without pictures is no root."""
        here = self._store.locate(place)
        for root in self._store.roots():
            if here is not None and root.root_id == here.root_id and root.whole:
                return place
        return next((w for w in self._watched if below(place, w) is not None), place)

    def _tell(self, note: str) -> None:
        if note not in self._told:
            self._told.add(note)
            self._on_note(note)

    def _hear(self) -> None:
        """Wait until something is said, or to be done, and take it all in."""
        wake = min(self._next_check, self._ready_at() if self._due else math.inf)
        try:
            heard = self._said.get(timeout=max(0.0, wake - self._clocks()[0]))
            while True:
                self._take_in(heard)
                heard = self._said.get_nowait()
        except queue.Empty:
            return

    def _take_in(self, heard: Heard) -> None:
        watched = self._watched[heard.place]
        now = self._clocks()[0]
        if heard.failure is not None:
            began = watched.next_look < math.inf
            _let_go(watched)
            # One that breaks off is replaced when the place is tended next.
            if not began and not isinstance(heard.failure, FileNotFoundError):
                self._do_without(watched, str(heard.failure))
        if heard.ready:
            watched.next_look = now + self._pace.look
            self._put(heard.place, now)
        for event in heard.events:
            self._note_event(event, watched, now)

    def _note_event(self, event: Event, watched: _Watched, now: float) -> None:
        if below(event.path, self._store.location) is not None:
            return
        place = place_to_index(
            event, watched.place, is_known=lambda path: holds(self._store, path)
        )
        if place is not None:
            self._put(place, now)

    def _put(self, place: str, now: float) -> None:
        self._due.add(place)
        self._first = now if self._first == -math.inf else self._first
        self._last = now

    def _do_without(self, watched: _Watched, reason: str) -> None:
        """Poll a place to which the system does not listen."""
        self._poll(watched)
        advice = ""
        if any(limit in reason for limit in _LIMITS):
            advice = (
                " The system's limit for watching folders is reached; to raise it: sudo sysctl "
                "fs.inotify.max_user_watches=1048576 fs.inotify.max_user_instances=1024"
            )
        self._tell(
            f"{watched.place} cannot be listened to, so it is looked at every "
            f"{self._pace.poll:g} seconds ({reason}).{advice}"
        )


def _identity(place: str) -> tuple[int, int] | None:
    """What tells a folder from another at its place, as when a disk is mounted there; of a file
    its folder counts, as a new version may be another file."""
    try:
        status = Path(place).stat()
        if not stat.S_ISDIR(status.st_mode):
            status = Path(place).parent.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _let_go(watched: _Watched) -> None:
    if watched.listener is not None:
        watched.listener.close()
    watched.listener, watched.polled, watched.next_look = None, False, math.inf
