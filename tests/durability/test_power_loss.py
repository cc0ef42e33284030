"""Power is lost at any moment of a writer's work, and the disk holds what it was asked to sync, and
of the rest any part."""

import json
import random
import shutil
from pathlib import Path

import pytest
from tests.figures import record

from durability.checks import check_goes_on, check_left
from durability.faulty import Writers
from durability.power import Disk, Operation, operations
from durability.steps import SCENARIOS

FORMS = [pytest.param(60, id="short"), pytest.param(1500, id="long", marks=pytest.mark.slow)]


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("states", FORMS)
def test_what_was_acknowledged_is_there_after_a_loss_of_power(
    scenario: str, states: int, writers: Writers, quick: Path
) -> None:
    home, log = quick / "home", quick / "log"
    home.mkdir()
    assert writers.run(scenario, home / "library", log=log, below=home).code == 0
    states //= 1 if scenario == "a life" else 3  # it has many images to look at
    check_losses(scenario, home, list(operations(log)), states, quick / "after")


@pytest.mark.parametrize("states", FORMS)
def test_what_a_killed_writer_did_not_sync_is_synced_by_the_next(
    states: int, writers: Writers, quick: Path
) -> None:
    home, log = quick / "home", quick / "log"
    home.mkdir()
    writers.run("a life", home / "library", log=log, below=home)
    # Right after a file was made: the next writer finds it, and nothing says that its name is sure.
    created = [each for each in operations(log) if each.kind == "create"]
    ours = (b"f32", b"unfinished.sqlite")
    kills = [each.where + 1 for each in created if each.data.endswith(ours)]
    assert len(kills) >= 3
    for number, at in enumerate(kills):
        shutil.rmtree(home)
        log.unlink()
        home.mkdir()
        killed = writers.run("a life", home / "library", mode="cut", at=at, log=log, below=home)
        assert killed.code == -9
        assert writers.run("a life", home / "library", log=log, below=home).code == 0
        done = list(operations(log))
        check_losses("a life", home, done, states // len(kills), quick / "after", seed=number)


def check_losses(
    scenario: str, home: Path, done: list[Operation], states: int, after: Path, *, seed: int = 0
) -> None:
    """Lose power after some of the operations, about so often, and check what is left."""
    chance = random.Random(seed)
    first = next(n for n, each in enumerate(done) if each.kind == "ack")
    often = states / (len(done) - (0 if scenario == "a life" else first))
    disk = Disk(home)
    acknowledged = -1
    losses = images = 0
    for number, operation in enumerate(done):
        disk.do(operation)
        if operation.kind == "ack":
            kind, value = json.loads(operation.data)
            acknowledged = value if kind == "done" else acknowledged
        if scenario != "a life" and acknowledged < 0:
            continue  # the library is being made in several steps
        for again in range(int(often + chance.random())):
            disk.after_loss(after, seed=1000 * number + again)
            images += check_after(scenario, after / "library", acknowledged)
            losses += 1
            shutil.rmtree(after)
    assert losses > states / 2
    record("power lost", states=losses, images=images, lost=0, doubled=0)


def check_after(scenario: str, folder: Path, acknowledged: int) -> int:
    if not folder.exists():
        assert acknowledged == -1, "the library is gone"
        return 0
    return check_left(scenario, folder, done=acknowledged) + check_goes_on(scenario, folder)
