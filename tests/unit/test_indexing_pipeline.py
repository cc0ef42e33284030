"""The flow of files: order, bounds, duplicates, failures."""

import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from visionquery import Library
from visionquery.errors import ImageError, ModelError
from visionquery.images import content
from visionquery.images.limits import Limits
from visionquery.images.scan import FoundFile, scan
from visionquery.indexing.ahead import ordered_map
from visionquery.indexing.bounds import Bounds, bounds_for
from visionquery.indexing.outcomes import Encoded, Failed, Known, Loaded
from visionquery.indexing.pipeline import flow
from visionquery.models.catalog import resolve
from visionquery.models.encoder import Encoder, ImageTower, load_encoder
from visionquery.types import Decoded, Matrix


def test_order_is_kept_whatever_finishes_first():
    with ThreadPoolExecutor(4) as pool:
        slow_first = ordered_map(pool, lambda n: (time.sleep(0.002 * (9 - n)), n)[1], range(10),
                                 ahead=4)
        assert list(slow_first) == list(range(10))


def test_look_ahead_is_bounded():
    drawn = 0

    def numbers():
        nonlocal drawn
        for number in range(100):
            drawn += 1
            yield number

    with ThreadPoolExecutor(2) as pool:
        results = ordered_map(pool, lambda n: n, numbers(), ahead=5)
        assert next(results) == 0
        assert drawn == 5
        results.close()


def test_work_not_begun_is_cancelled_when_the_caller_stops():
    closed, begun = threading.Event(), []

    def work(number: int) -> int:
        begun.append(number)
        if number > 0:
            closed.wait(5)
        return number

    with ThreadPoolExecutor(1) as pool:
        results = ordered_map(pool, work, range(50), ahead=10)
        assert next(results) == 0
        results.close()
        closed.set()
    assert set(begun) <= {0, 1}


@pytest.fixture(scope="module")
def encoder(tiny_model):
    return load_encoder(resolve(str(tiny_model)))


BOUNDS = bounds_for(0)


def read(file: FoundFile) -> Loaded[FoundFile] | Failed[FoundFile]:
    try:
        return Loaded(file, content.load(file.path, limits=Limits()), 0.0)
    except ImageError as error:
        return Failed(file, str(error), may_pass=True)


def run(files, encoder, *, is_stored=lambda _: False, read=read, bounds=BOUNDS, threads=2):
    return flow(files, read=read, weigh=lambda file: file.size_bytes, is_stored=is_stored,
                encoder=encoder, limits=Limits(), threads=threads, bounds=bounds)


def files_in(folder):
    return [item for item in scan(folder) if isinstance(item, FoundFile)]


def outcomes(folder, encoder, stored=frozenset()):
    found = run(files_in(folder), encoder, is_stored=lambda image_id: image_id in stored)
    return {outcome.item.relative: outcome for outcome in found}


def test_only_the_first_of_equal_files_is_decoded(pictures, encoder):
    shutil.copy(pictures / "one" / "red.png", pictures / "two" / "same.png")
    found = outcomes(pictures, encoder)
    assert isinstance(found["one/red.png"], Encoded)
    assert isinstance(found["two/same.png"], Known)
    assert found["two/same.png"].image_id == found["one/red.png"].image_id


def test_what_is_stored_is_not_decoded(pictures, encoder):
    first = outcomes(pictures, encoder)
    again = outcomes(pictures, encoder, stored={o.image_id for o in first.values()})
    assert all(isinstance(outcome, Known) for outcome in again.values())


def test_copies_of_a_broken_file_all_fail_with_its_reason(pictures, encoder):
    for name in ("one/bad.png", "two/bad.png"):
        (pictures / name).write_bytes(b"no picture")
    found = outcomes(pictures, encoder)
    first, second = found["one/bad.png"], found["two/bad.png"]
    assert isinstance(first, Failed)
    assert isinstance(second, Failed)
    assert first.reason == second.reason


def test_a_vanished_file_is_no_verdict(pictures, encoder):
    files = files_in(pictures)
    (pictures / "one" / "red.png").unlink()
    failed = [outcome for outcome in run(files, encoder) if isinstance(outcome, Failed)]
    assert [(f.item.relative, f.may_pass) for f in failed] == [("one/red.png", True)]


@pytest.fixture
def many(tmp_path):
    """A folder of 40 small pictures."""
    for number in range(40):
        colour = tuple(np.random.default_rng(number).integers(0, 256, 3).tolist())
        Image.new("RGB", (80, 60), colour).save(tmp_path / f"{number:02}.png")
    return tmp_path


@dataclass
class Watched:
    """An encoder whose batches are remembered, running where it says."""

    encoder: Encoder
    provider: str = "CPUExecutionProvider"
    batches: list[int] = field(default_factory=list)
    error: Exception | None = None
    prepared: int = 0
    pause_seconds: float = 0.0

    @property
    def image_side(self) -> int:
        return self.encoder.image_side

    def prepare(self, picture: Decoded) -> NDArray[np.float32]:
        time.sleep(self.pause_seconds)
        self.prepared += 1
        return self.encoder.prepare(picture)

    def image_tower(self) -> ImageTower:
        tower = self.encoder.image_tower()

        def encode(prepared: NDArray[np.float32]) -> Matrix:
            self.batches.append(len(prepared))
            if self.error is not None:
                raise self.error
            return tower.encode(prepared)

        return ImageTower(self.provider, encode)


def vectors(found):
    return {outcome.item.relative: outcome.vector.tobytes() for outcome in found}


def test_order_and_vectors_do_not_depend_on_threads(many, encoder):
    files = files_in(many)
    runs = [list(run(files, encoder, threads=threads)) for threads in (1, 2, 5)]
    for found in runs:
        assert [outcome.item for outcome in found] == files
        assert vectors(found) == vectors(runs[0])


def test_the_first_batches_are_small(many, encoder):
    watched = Watched(encoder)
    list(run(files_in(many), watched, threads=1))
    assert watched.batches == [1, 2, *[4] * 9, 1]


def test_batches_on_a_device_are_large(many, encoder):
    watched = Watched(encoder, provider="CUDAExecutionProvider")
    found = list(run(files_in(many), watched))
    assert sorted(watched.batches) == [8, 32]
    assert vectors(found) == vectors(run(files_in(many), encoder))


def test_nothing_is_opened_when_all_is_known(many, encoder):
    watched = Watched(encoder)
    known = list(run(files_in(many), watched, is_stored=lambda _: True))
    assert len(known) == 40
    assert watched.batches == []


def test_files_that_come_slowly_are_waited_for_together(many, encoder):
    def slow(file: FoundFile) -> Loaded[FoundFile] | Failed[FoundFile]:
        time.sleep(0.05)
        return read(file)

    started = time.perf_counter()
    assert len(list(run(files_in(many), encoder, read=slow))) == 40
    assert time.perf_counter() - started < 40 * 0.05 / 2


def test_files_ahead_are_bounded_in_bytes(many, encoder):
    files = files_in(many)
    bounds = replace(BOUNDS, files=3 * max(file.size_bytes for file in files))
    gate, begun = threading.Event(), []

    def held(file: FoundFile) -> Loaded[FoundFile] | Failed[FoundFile]:
        begun.append(file)
        gate.wait(0.02)
        return read(file)

    found = run(files, encoder, read=held, bounds=bounds)
    first = next(found)
    gate.wait(0.1)
    assert isinstance(first, Encoded)
    assert len(begun) < 20
    assert len(list(found)) == 39


def test_pictures_larger_than_all_room_go_one_by_one(many, encoder):
    tight = Bounds(files=1, rasters=1, prepared=1, computed=1)
    watched = Watched(encoder)
    assert len(list(run(files_in(many), watched, bounds=tight))) == 40
    assert set(watched.batches) == {1}


def test_pictures_are_decoded_while_results_are_written(many, encoder):
    watched = Watched(encoder, pause_seconds=0.03)
    found = run(files_in(many), watched, threads=1)
    for _ in range(3):
        next(found)
    before = watched.prepared
    for _ in range(500):
        if watched.prepared > before:
            break
        time.sleep(0.01)
    assert watched.prepared > before
    found.close()


def test_a_tower_that_fails_ends_the_run(many, encoder):
    threads = threading.active_count()
    with pytest.raises(ModelError, match="broken"):
        list(run(files_in(many), Watched(encoder, error=ModelError("broken"))))
    assert threading.active_count() <= threads


def test_threads_end_with_the_run(many, encoder):
    threads = threading.active_count()
    found = run(files_in(many), encoder)
    next(found)
    found.close()
    assert threading.active_count() <= threads


def test_a_library_made_twice_has_the_same_vectors(many, tiny_model, tmp_path_factory):
    made = []
    for threads in (1, 3):
        place = tmp_path_factory.mktemp("made") / "library"
        with Library.open(place, model=tiny_model, create=True, threads=threads) as library:
            library.add(many)
        made.append([file.read_bytes() for file in sorted(place.rglob("vectors-*/*"))
                     if file.is_file()])
    assert made[0]
    assert made[0] == made[1]
