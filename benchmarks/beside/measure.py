"""The measuring: build each engine, then ask all of them in turn."""

import math
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.beside.driver import Driver, EngineFailedError
from benchmarks.beside.engine import Choice
from numpy.typing import NDArray

__all__ = ["LIMIT", "Figures", "Plan", "build_all", "search_all"]

LIMIT = 20
_SAMPLE = 10_000
_SAMPLINGS = 2
_RECALL_WANTED = 0.95
_LITTLE = 0.005
_WARMING = 8
_PAUSE_SECONDS = 0.03
"""Threads of a matrix product wait busily for the next one this long after an answer."""
_BATCHES, _BATCH = 3, 100
_ENOUGH = 5


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured: queries [0, timed) are timed, those from there on choose the effort."""

    work: Path
    rows: int
    timed: int
    right: NDArray[np.intp]
    build_seconds: float
    search_seconds: float


@dataclass(slots=True)
class Figures:
    """What was found out about one engine; NaN where nothing was."""

    choice: Choice
    reason: str = ""
    build_seconds: float = math.nan
    disk_bytes: float = math.nan
    opened: dict[str, float] = field(default_factory=dict)
    effort: int | None = None
    searches: list[float] = field(default_factory=list)
    recalls: list[float] = field(default_factory=list)
    memory: dict[str, int] = field(default_factory=dict)
    add_seconds: list[float] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain data."""
        choice = {"name": self.choice.name, "settings": self.choice.settings}
        return {**asdict(self), "choice": choice}


def build_all(plan: Plan, choices: list[Choice]) -> list[Figures]:
    """Build every engine that is installed, one after another, in processes that end then."""
    everything = []
    for choice in choices:
        figures = Figures(choice)
        everything.append(figures)
        if not choice.is_installed():
            figures.reason = f"not installed: pip install {choice.pip}"
            continue
        print(f"building {choice.name}", file=sys.stderr)
        try:
            figures.build_seconds = _build(plan, choice)
            figures.disk_bytes = _size(plan.work / choice.name)
        except EngineFailedError as error:
            figures.reason = str(error)
            shutil.rmtree(plan.work / choice.name, ignore_errors=True)
    return everything


def _build(plan: Plan, choice: Choice) -> float:
    """Build in time, or raise; small parts first show when it is hopeless."""
    if plan.rows > 2 * _SAMPLE:
        place = plan.work / f"{choice.name}.sample"
        part = min(_built(plan, choice, _SAMPLE, place) for _ in range(_SAMPLINGS))
        at_least = part * plan.rows / _SAMPLE
        if at_least > plan.build_seconds:
            raise EngineFailedError(f"skipped: building takes {at_least / 60:.0f} min or more")
    return _built(plan, choice, plan.rows, plan.work / choice.name)


def _built(plan: Plan, choice: Choice, rows: int, folder: Path) -> float:
    driver = Driver(choice.name, plan.work)
    try:
        answer = driver.ask("build", rows=rows, folder=str(folder), seconds=plan.build_seconds)
    finally:
        driver.close()
        if folder.name.endswith(".sample"):
            shutil.rmtree(folder, ignore_errors=True)
    return float(answer["seconds"])


def search_all(plan: Plan, everything: list[Figures]) -> None:
    """Open every engine that was built, ask them in turn, and add to each at the end."""
    drivers: dict[str, Driver] = {}
    by_name = {each.choice.name: each for each in everything if not each.reason}
    try:
        for name, figures in by_name.items():
            print(f"opening {name}", file=sys.stderr)
            _read_through(plan.work / name)
            drivers[name] = Driver(name, plan.work)
            _guarded(figures, lambda f=figures, d=drivers[name]: _open(plan, f, d))
        _take_turns(plan, by_name, drivers)
        for name, figures in by_name.items():
            _guarded(figures, lambda f=figures, d=drivers[name]: _finish(plan, f, d))
    finally:
        for driver in drivers.values():
            driver.close()


def _guarded(figures: Figures, action: Callable[[], None]) -> None:
    if figures.reason:
        return
    try:
        action()
    except EngineFailedError as error:
        figures.reason = str(error)


def _open(plan: Plan, figures: Figures, driver: Driver) -> None:
    driver.ask("memory")  # the interpreter and NumPy are there
    answer = driver.ask("open", limit=LIMIT)
    efforts = answer.pop("efforts")
    figures.opened = answer
    if efforts:
        figures.effort = _enough_effort(plan, driver, efforts)
        driver.ask("effort", effort=figures.effort)
    for query in range(plan.timed, plan.timed + _WARMING):
        seconds, _ = _ask(plan, driver, query)
        if seconds > 1:
            break


def _enough_effort(plan: Plan, driver: Driver, efforts: list[int]) -> int:
    """Return the least effort that finds enough, or finds about as much as any does."""
    recalls: list[float] = []
    for effort in efforts:
        driver.ask("effort", effort=effort)
        asked = [_ask(plan, driver, query) for query in range(plan.timed, len(plan.right))]
        recalls.append(float(np.mean([recall for _, recall in asked])))
        if recalls[-1] >= _RECALL_WANTED:
            break
    wanted = min(_RECALL_WANTED, max(recalls) - _LITTLE)
    return next(
        effort for effort, recall in zip(efforts, recalls, strict=False) if recall >= wanted
    )


def _take_turns(plan: Plan, by_name: dict[str, Figures], drivers: dict[str, Driver]) -> None:
    order = np.random.default_rng(3)
    names = list(by_name)
    for query in range(plan.timed):
        order.shuffle(names)
        for name in names:
            figures = by_name[name]
            spent = sum(figures.searches)
            if spent > plan.search_seconds and len(figures.searches) >= _ENOUGH:
                continue
            time.sleep(_PAUSE_SECONDS)
            _guarded(figures, lambda f=figures, d=drivers[name], q=query: _search(plan, f, d, q))


def _search(plan: Plan, figures: Figures, driver: Driver, query: int) -> None:
    seconds, recall = _ask(plan, driver, query)
    figures.searches.append(seconds)
    figures.recalls.append(recall)


def _ask(plan: Plan, driver: Driver, query: int) -> tuple[float, float]:
    answer = driver.ask("search", query=query, limit=LIMIT)
    right = len(np.intersect1d(answer["rows"], plan.right[query]))
    return float(answer["seconds"]), right / LIMIT


def _finish(plan: Plan, figures: Figures, driver: Driver) -> None:
    figures.memory = driver.ask("memory")
    for number in range(_BATCHES):
        start = number * _BATCH
        answer = driver.ask(
            "add", first_row=plan.rows + start, start=start, count=_BATCH, limit=LIMIT
        )
        figures.add_seconds.append(answer["seconds"])
        if not answer["found"]:
            print(f"{figures.choice.name}: what was added is not found", file=sys.stderr)


def _read_through(folder: Path) -> None:
    """Read all files once, so that the system's cache has them whatever went on meanwhile."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                while file.read(2**24):
                    pass


def _size(folder: Path) -> int:
    """Return the room that is taken on disk: blocks, so that holes in files do not count."""
    return sum(512 * path.stat().st_blocks for path in folder.rglob("*") if path.is_file())
