"""The command line's process is killed at any moment, and the library keeps what it had said."""

import itertools
import json
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from tests.figures import record

from durability.checks import check_catalog
from durability.commands import OPERATIONS, Operation, World, start
from durability.photographs import cut_photographs
from durability.watching import Watch, image_files
from visionquery import Library
from visionquery.images.content import image_id
from visionquery.images.decode import decode
from visionquery.images.limits import Limits
from visionquery.store.local import open_local
from visionquery.store.lock import OWNER_NAME
from visionquery.types import Vector

SAME = 0.9999
SECONDS = 60.0


@dataclass
class Score:
    """What was done so far: kills, runs that ended, images looked at, looks of the reader."""

    kills: int = 0
    ended: int = 0
    images: int = 0
    looks: int = 0


Vectors = dict[str, dict[str, Vector]]
"""The vectors of all images, by their id, by the model's fingerprint: first that of a world's first
model, then that of its second."""


@pytest.fixture
def world(own_settings: Path, tmp_path: Path, request: pytest.FixtureRequest) -> World:
    photographs = tmp_path / "photographs"
    cut_photographs(photographs)
    files = sorted(photographs.rglob("*.jpg"))
    of = {
        image_id(path.read_bytes()): path.relative_to(photographs).as_posix()
        for path in files
    }
    assert len(of) == len(files) == 60
    second = request.getfixturevalue(request.param)
    return World(tmp_path / "killed", photographs, ("pocket", str(second)), of)


def left_in_peace(world: World, home: Path) -> Vectors:
    """Index the photographs by each model, and check the vectors with the encoder itself."""
    found: Vectors = {}
    for number, model in enumerate(world.models):
        with Library.open(home / str(number), model=model, create=True) as library:
            assert library.add(world.photographs).added == len(world.of)
            encoder = library.encoder
        store = open_local(home / str(number))
        vectors = {key: store.vectors(store.find(key))[0] for key in world.of}
        found[store.model.fingerprint] = vectors
        store.close()
        for key in sorted(world.of)[::7]:
            data = (world.photographs / world.of[key]).read_bytes()
            prepared = encoder.prepare(decode(data, limits=Limits()))
            assert encoder.encode_images(prepared[None])[0] @ vectors[key] > SAME
    return found


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.parametrize(
    ("world", "kills", "in_a_row"),
    [
        pytest.param("tiny_model", 12, 3, id="short"),
        pytest.param("lit_tiny", 200, 5, id="long", marks=pytest.mark.slow),
    ],
    indirect=["world"],
)
def test_killed_commands_lose_nothing(
    world: World, kills: int, in_a_row: int, tmp_path: Path
) -> None:
    vectors = left_in_peace(world, tmp_path / "in-peace")
    names = list(vectors)
    chance, score = random.Random(11), Score()
    before, model = frozenset[str](), names[0]
    for operation in itertools.cycle(OPERATIONS):
        kept = before if operation.images is None else operation.images(world)
        following = model if operation.model is None else names[operation.model]
        allowed = {key: vectors[key] for key in (model, following)}
        for _ in range(in_a_row):
            # From a thousandth of a second to the whole of what the command does.
            seconds = 10 ** chance.uniform(-3.0, -0.2)
            if not killed(operation, world, (before, kept), allowed, seconds, score):
                break
        before, model = kept, following
        complete(operation, world, before, {model: vectors[model]}, score)
        if score.kills >= kills:
            break
    record(
        "killed commands", kills=score.kills, ended=score.ended, images=score.images,
        looks=score.looks, lost=0, doubled=0,
    )  # fmt: skip


def killed(
    operation: Operation,
    world: World,
    images_of: tuple[frozenset[str], frozenset[str]],
    vectors: Vectors,
    seconds: float,
    score: Score,
) -> bool:
    """Run a command, kill it some time after it began to write, and check what it left, between
    the images of before and after it. Return whether it was cut off before its end."""
    before, after = images_of
    with Watch(world.library) as watch:
        process = start(operation, world)
        wait_for_writing(process, world.library)
        time.sleep(seconds)
        seen, done = watch.seen, watch.done
        process.send_signal(signal.SIGKILL)
        _, said = process.communicate()
        assert process.returncode in {*operation.codes, -signal.SIGKILL}, said
    score.looks += watch.looks
    is_killed = process.returncode == -signal.SIGKILL
    score.kills += is_killed
    score.ended += not is_killed
    if not (world.library / "catalog.sqlite").exists():
        assert seen is None
        assert not before, "the library is gone"
        return True
    images, now_done = check(world, vectors)
    assert before & after <= images <= before | after, "an image is lost, or there against its will"
    if seen is not None:
        assert seen & after <= images, "an image that a reader saw is lost"
        assert images <= seen | after, "an image that a reader saw go is back"
        assert now_done is None or now_done >= done, "a vector that a reader saw is lost"
    score.images += len(images)
    return is_killed


def wait_for_writing(process: subprocess.Popen[bytes], library: Path) -> None:
    deadline, mark = time.monotonic() + SECONDS, f'"pid": {process.pid},'
    while process.poll() is None:
        assert time.monotonic() < deadline, "it does not begin to write"
        try:
            if mark in (library / OWNER_NAME).read_text("ascii"):
                return
        except FileNotFoundError:
            time.sleep(0.001)


def complete(
    operation: Operation, world: World, after: frozenset[str], vectors: Vectors, score: Score
) -> None:
    """Run a command to its end, and check that the library is as if it had never been disturbed:
    with the images of `after`."""
    process = start(operation, world)
    out, said = process.communicate(timeout=SECONDS)
    assert process.returncode in operation.codes, said
    images, done = check(world, vectors)
    assert images == after
    assert not done
    assert process.returncode or json.loads(out)["images"] == len(images)
    assert not (world.library / OWNER_NAME).exists()
    score.ended += 1
    score.images += len(images)


def check(world: World, vectors: Vectors) -> tuple[frozenset[str], int | None]:
    """Check a library as it is now. Return its images, and how many of them have their vector of a
    next model, None where there is none."""
    check_catalog(world.library)
    store = open_local(world.library)
    try:
        rows = np.flatnonzero(store.alive()).tolist()
        ids = [record.image_id for record in store.records(rows)]
        assert len(set(ids)) == len(ids), "an image is there twice"
        if ids:
            expected = np.stack([vectors[store.model.fingerprint][each] for each in ids])
            assert np.einsum("ij,ij->i", expected, store.vectors(rows)).min() > SAME
        files = image_files(store)
        done = None if store.next_model() is None else int(store.next_done().sum())
    finally:
        store.close()
    assert all(world.of[image_id] == path for path, image_id in files.items())
    assert set(files.values()) <= set(ids), "a file shows an image that is not there"
    return frozenset(ids), done
