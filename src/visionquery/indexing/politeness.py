"""Indexing that stays out of the way: low priority, and waiting for power or for the night."""

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, time
from pathlib import Path
from time import sleep as sleep_for
from types import ModuleType
from typing import cast

from visionquery.errors import InputError
from visionquery.indexing.report import Progress

__all__ = [
    "Hours",
    "Manners",
    "on_battery",
    "polite",
    "read_hours",
    "settle",
    "wait_until_free",
    "why_to_wait",
]

_LOOK_SECONDS = 15.0
_LOWEST_PRIORITY = 19
_THREADS = Path("/proc/self/task")

OnProgress = Callable[[Progress], None]
OnNote = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Hours:
    """A part of the day, in local time; it may pass midnight. `end` is not in it."""

    start: time
    end: time

    def __str__(self) -> str:
        return f"{self.start:%H:%M}-{self.end:%H:%M}"

    def has(self, moment: time) -> bool:
        """Return whether a time of day lies in it."""
        if self.start < self.end:
            return self.start <= moment < self.end
        return moment >= self.start or moment < self.end


@dataclass(frozen=True, slots=True)
class Manners:
    """What a run has regard for: others on this machine (`nice`), its battery, the time of day."""

    nice: bool = False
    pause_on_battery: bool = False
    between: Hours | None = None


def read_hours(text: str) -> Hours:
    """Return the hours that a text like "22:00-07:00" gives. Raises InputError."""
    try:
        start, end = (datetime.strptime(part.strip(), "%H:%M").time() for part in text.split("-"))
    except ValueError:
        raise InputError(f"{text!r} is no part of a day: give it like 22:00-07:00.") from None
    if start == end:
        raise InputError(f"{text!r} has no beginning and no end: leave it out to run at any time.")
    return Hours(start, end)


def settle(manners: Manners) -> None:
    """Give this process the lowest priority for the processor and for disks, if it is to be
    `nice`; threads and processes that it starts have it too. Raises InputError where the battery
    is to be watched, or Windows to be asked, without the extra `watch`."""
    if manners.pause_on_battery:
        on_battery()
    if not manners.nice:
        return
    if sys.platform == "win32":
        psutil = _psutil()
        process = psutil.Process()
        process.nice(psutil.IDLE_PRIORITY_CLASS)
        process.ionice(psutil.IOPRIO_VERYLOW)
        return
    for thread in _threads():
        try:
            os.setpriority(os.PRIO_PROCESS, thread, _LOWEST_PRIORITY)
            if sys.platform == "linux":
                # That is idle for disks too. Source: task_nice_ioclass in Linux' linux/ioprio.h.
                os.sched_setscheduler(thread, os.SCHED_IDLE, os.sched_param(0))
        except ProcessLookupError:  # A thread that has ended since.
            continue


def polite(
    manners: Manners,
    on_progress: OnProgress,
    *,
    on_note: OnNote,
    now: Callable[[], datetime] = datetime.now,
    sleep: Callable[[float], None] = sleep_for,
) -> OnProgress:
    """Return a callback of progress that waits, after it has passed it on, for as long as a run
    should: between two batches. What the run has on its way is bounded, so it all comes to rest."""

    def go_on(progress: Progress) -> None:
        on_progress(progress)
        if progress.done < progress.total:
            wait_until_free(manners, on_note=on_note, now=now, sleep=sleep)

    return go_on


def wait_until_free(
    manners: Manners,
    *,
    on_note: OnNote,
    now: Callable[[], datetime] = datetime.now,
    sleep: Callable[[float], None] = sleep_for,
) -> None:
    """Wait until nothing speaks against a run; say once why, and when it goes on."""
    reason = why_to_wait(manners, now().time())
    if reason is None:
        return
    on_note(f"Waiting: {reason}. What is finished is kept; Ctrl-C ends it.")
    while why_to_wait(manners, now().time()) is not None:
        sleep(_LOOK_SECONDS)
    on_note("Going on.")


def why_to_wait(manners: Manners, moment: time) -> str | None:
    """Return what speaks against a run at a time of day, None when nothing does."""
    if manners.between is not None and not manners.between.has(moment):
        return f"it is {moment:%H:%M}, and --between says {manners.between}"
    if manners.pause_on_battery and on_battery():
        return "the machine runs on its battery"
    return None


def on_battery() -> bool:
    """Return whether the machine runs on a battery; one without a battery does not. Raises
    InputError without the extra `watch`."""
    sensor = getattr(_psutil(), "sensors_battery", None)  # not on every system
    battery = sensor() if sensor else None
    return battery is not None and battery.power_plugged is False


def _psutil() -> ModuleType:
    try:
        import psutil
    except ImportError as error:
        raise InputError(
            "The extra watch is needed for that: pip install 'visionquery[watch]'."
        ) from error
    return cast(ModuleType, psutil)


def _threads() -> Iterator[int]:
    """The threads of this process: Linux gives each a priority of its own; 0 is the process."""
    try:
        yield from [int(entry.name) for entry in _THREADS.iterdir()]
    except OSError:
        yield 0
