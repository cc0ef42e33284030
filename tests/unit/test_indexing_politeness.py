"""Runs that wait for power and for the night, and leave the machine to others."""

import os
import subprocess
import sys
from datetime import datetime, time
from types import SimpleNamespace

import psutil
import pytest

from visionquery.errors import InputError
from visionquery.indexing.politeness import (
    Hours,
    Manners,
    on_battery,
    polite,
    read_hours,
    settle,
    wait_until_free,
)
from visionquery.indexing.report import Progress

NIGHT = Hours(time(22), time(7))


def test_hours_may_pass_midnight() -> None:
    inside = [time(22), time(23, 59), time(0), time(6, 59)]
    outside = [time(7), time(12), time(21, 59)]
    assert all(map(NIGHT.has, inside))
    assert not any(map(NIGHT.has, outside))
    day = read_hours(" 7:30 - 22:00")
    assert (day, str(day)) == (Hours(time(7, 30), time(22)), "07:30-22:00")
    assert [day.has(moment) for moment in (time(7, 29), time(7, 30), time(22))] == [0, 1, 0]


@pytest.mark.parametrize("text", ["", "22-7", "22:00", "22:00-25:00", "1:00-2:00-3:00"])
def test_what_is_no_part_of_a_day_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="22:00-07:00"):
        read_hours(text)
    with pytest.raises(InputError, match="no beginning and no end"):
        read_hours("07:00-07:00")


class Clock:
    """A clock that goes on while somebody sleeps."""

    def __init__(self, hour: float) -> None:
        self.seconds = hour * 3600
        self.notes: list[str] = []

    def now(self) -> datetime:
        minutes = int(self.seconds // 60)
        return datetime(2024, 1, 1 + minutes // 1440, minutes // 60 % 24, minutes % 60)

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    @property
    def options(self) -> dict:
        return {"on_note": self.notes.append, "now": self.now, "sleep": self.sleep}


def test_a_run_waits_for_its_hours_and_says_so_once() -> None:
    clock = Clock(12)
    wait_until_free(Manners(between=NIGHT), **clock.options)
    assert clock.seconds == 22 * 3600
    waiting, going_on = clock.notes
    assert "it is 12:00" in waiting
    assert "22:00-07:00" in waiting
    assert going_on == "Going on."
    wait_until_free(Manners(between=NIGHT), **clock.options)
    assert len(clock.notes) == 2


def test_progress_is_shown_before_it_waits_but_not_at_the_end() -> None:
    clock = Clock(6.75)
    shown: list[int] = []

    def show(progress: Progress) -> None:
        shown.append(progress.done)
        clock.sleep(1800)

    go_on = polite(Manners(between=NIGHT), show, **clock.options)
    go_on(Progress(1, 3, 1, 1.0))
    assert (shown, clock.seconds) == ([1], 22 * 3600), clock.notes
    clock.seconds = 12 * 3600
    go_on(Progress(3, 3, 3, 1.0))
    assert clock.seconds == 12.5 * 3600, "what is done need not wait"


def test_a_run_waits_for_power(monkeypatch) -> None:
    """There need be no battery here: what the sensor would say is put in its place."""
    answers = [False, False, True]

    def sensor() -> object:
        return SimpleNamespace(percent=50, power_plugged=answers.pop(0))

    monkeypatch.setattr(psutil, "sensors_battery", sensor, raising=False)
    clock = Clock(12)
    wait_until_free(Manners(pause_on_battery=True), **clock.options)
    assert answers == []
    assert "battery" in clock.notes[0]
    for nothing in (lambda: None, lambda: SimpleNamespace(power_plugged=None)):
        monkeypatch.setattr(psutil, "sensors_battery", nothing, raising=False)
        assert not on_battery()


def test_without_the_extra_the_battery_cannot_be_watched(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    settle(Manners(between=NIGHT))
    with pytest.raises(InputError, match=r"pip install 'visionquery\[watch\]'"):
        settle(Manners(pause_on_battery=True))


NICE = """
import os, subprocess, sys, threading
from visionquery.indexing.politeness import Manners, settle
end = threading.Event()
threading.Thread(target=end.wait).start()
settle(Manners(nice=True))
threading.Thread(target=end.wait).start()
for thread in sorted(os.listdir("/proc/self/task")):
    print(os.getpriority(os.PRIO_PROCESS, int(thread)), os.sched_getscheduler(int(thread)))
child = "import os; print(os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0))"
sys.stdout.flush()
subprocess.run([sys.executable, "-c", child])
end.set()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads priorities of threads")
def test_nice_holds_for_threads_and_processes_before_and_after() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", NICE], capture_output=True, text=True, check=True
    )
    assert ran.stdout.splitlines() == [f"19 {os.SCHED_IDLE}"] * 4
