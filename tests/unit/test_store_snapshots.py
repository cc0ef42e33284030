"""Readers see one state: whatever a writer does meanwhile, what they are told fits together."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from tests.figures import record

from visionquery.query.ast import Filter, OneOf
from visionquery.store.base import Scope, Store
from visionquery.store.local import create_local, open_local
from visionquery.testing.store_examples import HOME, MODEL, example_image, fill

_image = cache(example_image)
PROBES = np.stack([_image(f"probe {i}").vector for i in range(2)])
WRITER = """
import itertools, random, sys, threading
from pathlib import Path
from visionquery.store.local import open_local
from visionquery.testing.store_examples import example_image, fill
store = open_local(Path(sys.argv[1]))
chance, there, stop = random.Random(3), [], threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
for number in itertools.count():
    if number == 1:
        print("begun", flush=True)
    if stop.is_set():
        break
    names = [f"{number} {i}" for i in range(chance.randrange(1, 6))]
    kinds = ["jpg", "png"]
    images = {f"{n}.{chance.choice(kinds)}": example_image(n, taken_at="2024") for n in names}
    fill(store, images)
    there += images
    gone = [there.pop(chance.randrange(len(there))) for _ in range(max(0, len(there) - 30))]
    with store.writing():
        store.forget([(1, path) for path in gone])
        store.prune()
print(number)
store.close()
"""
READER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_store_snapshots import look
print(look(Path(sys.argv[2]), float(sys.argv[3])))
"""


@pytest.mark.parametrize(
    "seconds", [pytest.param(2, id="short"), pytest.param(60, id="long", marks=pytest.mark.slow)]
)
def test_readers_see_one_state_while_one_writes(tmp_path: Path, seconds: int) -> None:
    folder = tmp_path / "library"
    store = create_local(folder, MODEL)
    fill(store, {"first.jpg": example_image("first")})
    reader = [READER, str(Path(__file__).parent), str(folder), str(seconds)]
    with run(WRITER, str(folder)) as writer, run(*reader) as process:
        assert writer.stdout is not None
        writer.stdout.readline()  # the first images are there
        with ThreadPoolExecutor(3) as pool:
            together = [pool.submit(watch, store, seconds) for _ in range(2)]
            apart = pool.submit(look, folder, seconds)
            states = [each.result() for each in (*together, apart)]
        told, _ = process.communicate(timeout=seconds + 60)
        written, _ = writer.communicate(timeout=60)
    assert (process.returncode, writer.returncode) == (0, 0)
    assert min(*states, int(told), int(written)) > 5, "readers should have seen many states"
    record("readers beside a writer", seconds=seconds, states=sum(states) + int(told), wrong=0)
    store.close()


def run(program: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def look(folder: Path, seconds: float) -> int:
    """Open a library of one's own and watch it."""
    store = open_local(folder)
    try:
        return watch(store, seconds)
    finally:
        store.close()


def watch(store: Store, seconds: float) -> int:
    """Check state after state for some seconds; return how many there were."""
    seen = set()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with store.reading():
            before = store.row_count(), store.image_count(), tuple(store.files(Scope(1)))
            check(store)
            assert before == (store.row_count(), store.image_count(), tuple(store.files(Scope(1))))
            seen.add(before)
    return len(seen)


def check(store: Store) -> None:
    """Check that all answers are of one state, and that every vector is its image's."""
    alive = store.alive()
    assert (len(alive), alive.sum()) == (store.row_count(), store.image_count())
    assert sorted(store.ordered("path")) == sorted(store.ordered("date")) == [*alive.nonzero()[0]]
    # Images that were forgotten and not pruned yet have no file.
    records = [each for each in store.records(alive.nonzero()[0].tolist()) if each.paths]
    rows = np.array([record.row for record in records])
    names = [Path(record.paths[0]).relative_to(HOME).as_posix() for record in records]
    images = [_image(name.rpartition(".")[0]) for name in names]
    assert [record.image_id for record in records] == [image.image_id for image in images]
    vectors = np.stack([image.vector for image in images])
    assert np.array_equal(store.vectors(rows.tolist()), vectors)
    scores = store.scores(PROBES)
    assert scores.shape == (len(PROBES), len(alive))
    np.testing.assert_allclose(scores[:, rows], PROBES @ vectors.T, atol=1e-5)
    assert {path for path, file in store.files(Scope(1)).items() if file.image_id} == set(names)
    assert np.array_equal(store.within([Scope(1)]).nonzero()[0], rows)
    is_jpg = [name.endswith("jpg") for name in names]
    assert store.matching(Filter("ext", OneOf(("jpg",))))[rows].tolist() == is_jpg
    assert sum(count for _, count in store.facets().types) == len(rows)
    assert store.holding(names[-1].rpartition(".")[0])[rows[-1]]
