"""Files that fail below a writer: it is killed in the middle of a write, there is no room, the disk
is broken, at any of its operations."""

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.figures import record

from durability.checks import check_goes_on, check_left
from durability.faulty import Writers
from durability.steps import SCENARIOS, prepare

SHORT = 24
LONG = 200
CUTS = [pytest.param(SHORT, id="short"), pytest.param(0, id="long", marks=pytest.mark.slow)]
FAULTS = [pytest.param(SHORT, id="short"), pytest.param(LONG, id="long", marks=pytest.mark.slow)]
NO_ROOM = "There is no room left for the library {}: free some space and run the command again"
CHECK_DISK = "Check its disk, try again."


def libraries(
    scenario: str, writers: Writers, home: Path, most: int
) -> Iterator[tuple[int, Path]]:
    """Yield numbers of operations of a scenario, all or about `most`, each with the folder of a
    library in which it has not begun."""
    first, folder = home / "first", home / "library"
    if scenario == "codes":
        prepare(scenario, first).close()
        shutil.copytree(first, folder)
    most //= 1 if scenario == "a life" else 3  # it has many images to look at
    operations = writers.run(scenario, folder).operations
    assert operations > 200
    for at in range(1, operations + 1, max(operations // most, 1) if most else 1):
        shutil.rmtree(folder)
        if first.exists():
            shutil.copytree(first, folder)
        yield at, folder


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("most", CUTS)
def test_cut_off_at_any_operation(
    scenario: str, most: int, writers: Writers, quick: Path
) -> None:
    cuts = images = 0
    for at, folder in libraries(scenario, writers, quick, most):
        ended = writers.run(scenario, folder, mode="cut", at=at)
        assert ended.code == -9, "the writer got past it"
        images += check_left(scenario, folder, done=ended.done)
        images += check_goes_on(scenario, folder)
        cuts += 1
    record("cut off in the middle of an operation", faults=cuts, images=images, lost=0, doubled=0)


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("mode", ["full", "broken", "dead"])
@pytest.mark.parametrize("most", FAULTS)
def test_a_disk_that_is_full_or_broken(
    scenario: str, mode: str, most: int, writers: Writers, quick: Path
) -> None:
    faults = noticed = images = 0
    for at, folder in libraries(scenario, writers, quick, most):
        goes_on = at % 2 == 0
        ended = writers.run(scenario, folder, mode=mode, at=at, goes_on=goes_on)
        assert ended.code == 0
        for sentence in ended.errors:
            assert is_said(sentence, mode, folder), (at, sentence)
        images += check_left(scenario, folder, done=ended.done)
        if goes_on or not ended.errors:
            assert ended.done == len(SCENARIOS[scenario]), (at, ended)
        images += check_goes_on(scenario, folder)
        faults += 1
        noticed += bool(ended.errors)
    assert noticed > faults / 3
    record(f"disk {mode}", faults=faults, noticed=noticed, images=images, lost=0, doubled=0)


def test_a_library_is_made_whole_or_not_at_all(writers: Writers, quick: Path) -> None:
    """Every operation until there is a library: closing its catalog must not hide what failed."""
    folder = quick / "library"
    for at in itertools.count(1):
        ended = writers.run("a life", folder, mode="broken", at=at)
        check_left("a life", folder, done=ended.done)
        if ended.errors and ended.done >= 0:
            break
        check_goes_on("a life", folder)
        shutil.rmtree(folder)
    assert at > 20


def is_said(sentence: str, mode: str, folder: Path) -> bool:
    no_room = NO_ROOM.format(folder) in sentence
    # SQLite does not tell what kept it from making a file, or its shared memory larger.
    by_sqlite = "unable to open database file" in sentence or no_room
    return no_room if mode == "full" else CHECK_DISK in sentence or by_sqlite
