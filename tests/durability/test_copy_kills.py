"""A copy whose process is killed at any moment goes on from there, and is whole in the end."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from tests.conformance.qdrant_stores import SERVER
from tests.copies import PAIRS, Places, contents, make_rich
from tests.figures import record

from durability.checks import check_catalog
from visionquery.errors import LibraryNotFoundError
from visionquery.indexing.copied import unfinished_from
from visionquery.opening import made_at, open_at
from visionquery.testing.store_examples import MODEL, example_image, fill

IMAGES = 4000
IMAGES_ON_FOLDERS_OF_POINTS = 40
"""Qdrant's mode without a server waits for the disk with each point."""

SECONDS = 120.0


def start(source: str, target: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "visionquery", "copy", source, target, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
    )


def copied(source: str, target: str) -> tuple[dict[str, int], float]:
    """Copy to the end. Return the document, and how long the process took."""
    began = time.monotonic()
    process = start(source, target)
    out, said = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, said
    return json.loads(out), time.monotonic() - began


def left(place: str, expected: dict[str, object]) -> int:
    """Check what a killed copy left, which says that it is unfinished unless it is whole; return
    how many images it has by then."""
    if "://" not in place and Path(place, "catalog.sqlite").exists():
        check_catalog(Path(place))
    try:
        store = open_at(place)
    except LibraryNotFoundError:
        return 0
    with closing(store):
        held = store.image_count()
        if held and unfinished_from(store) is None:
            assert contents(store) == expected
        return held


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.parametrize(("source", "target"), PAIRS)
@pytest.mark.parametrize(
    "kills", [pytest.param(8, id="short"), pytest.param(100, id="long", marks=pytest.mark.slow)]
)
def test_killed_copies_go_on(
    own_settings: Path, places: Places, source: str, target: str, kills: int
) -> None:
    here = places.new(source)
    is_slow = "qdrant" in (source, target) and not SERVER
    number, kills = (IMAGES_ON_FOLDERS_OF_POINTS, kills // 2) if is_slow else (IMAGES, kills)
    with closing(made_at(here, MODEL)) as store:
        make_rich(store)
        fill(store, {f"{n}.jpg": example_image(f"n{n}") for n in range(number)}, home="/many")
        expected = contents(store)
        images = store.image_count()
    chance = random.Random(7)
    _, seconds = copied(here, places.new(target))
    done, ended = 0, 0
    while done < kills:
        there, before = places.new(target), 0
        for _ in range(4):
            process = start(here, there)
            time.sleep(chance.uniform(0.2, 0.9) * seconds)
            process.send_signal(signal.SIGKILL)
            _, said = process.communicate()
            assert process.returncode in {0, -signal.SIGKILL}, said
            if process.returncode == 0:
                ended += 1
                break
            done += 1
            now = left(there, expected)
            assert now >= before, "what was there is gone"
            before = now
        else:
            report, _ = copied(here, there)
            assert (report["images"], report["already_there"]) == (images, before)
        with closing(open_at(there)) as store:
            assert unfinished_from(store) is None
            assert contents(store) == expected
    record(f"killed copies {source} {target}", kills=done, ended=ended, images=images, lost=0)
