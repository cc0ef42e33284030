"""The flow of files: order, bounds, duplicates, failures."""

import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from visionquery.images.limits import Limits
from visionquery.images.scan import FoundFile, scan
from visionquery.indexing.pipeline import Failed, Known, Ready, flow, ordered_map
from visionquery.models.catalog import resolve
from visionquery.models.encoder import load_encoder


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


def outcomes(folder, encoder, stored=frozenset()):
    files = [item for item in scan(folder) if isinstance(item, FoundFile)]
    found = flow(files, encoder=encoder, is_stored=lambda i: i in stored, limits=Limits(),
                 threads=2, ahead=4)
    return {outcome.file.relative: outcome for outcome in found}


def test_only_the_first_of_equal_files_is_decoded(pictures, encoder):
    shutil.copy(pictures / "one" / "red.png", pictures / "two" / "same.png")
    found = outcomes(pictures, encoder)
    assert isinstance(found["one/red.png"], Ready)
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
    files = [item for item in scan(pictures) if isinstance(item, FoundFile)]
    (pictures / "one" / "red.png").unlink()
    found = flow(files, encoder=encoder, is_stored=lambda _: False, limits=Limits(), threads=2,
                 ahead=4)
    failed = [outcome for outcome in found if isinstance(outcome, Failed)]
    assert [(f.file.relative, f.image_id) for f in failed] == [("one/red.png", None)]
