"""Codes: bounds that hold for any vectors, guesses that find the nearest, and what is not coded."""

import multiprocessing
import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from visionquery.store import codes, scanning
from visionquery.store.base import NewImage
from visionquery.store.kernels import in_parallel, largest
from visionquery.store.local import create_local, open_local
from visionquery.store.local_store import LocalStore
from visionquery.store.vectors import Segments
from visionquery.types import Facts, Matrix, ModelIdentity

Mask = NDArray[np.bool_]

DIM = 20
STEP, SEGMENT = 16, 64
MODEL = ModelIdentity("m", "f", DIM, "m")
FACTS = Facts(640, 480, "JPEG", 100)


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalStore]:
    monkeypatch.setattr(codes, "_ROWS_PER_STEP", STEP)
    monkeypatch.setitem(Segments.__init__.__kwdefaults__, "rows_per_segment", SEGMENT)
    store = create_local(tmp_path / "library", MODEL)
    yield store
    store.close()


def unit(rows: NDArray[np.float64]) -> Matrix:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def some(count: int, seed: int = 0) -> Matrix:
    return unit(np.random.default_rng(seed).normal(0.2, 1, (count, DIM)))


def write(store: LocalStore, vectors: Matrix) -> None:
    with store.writing():
        first = store.row_count()
        new = [NewImage(f"{first + i:08x}", vector, FACTS) for i, vector in enumerate(vectors)]
        store.write(new, [])


def names(store: LocalStore, ending: str) -> list[str]:
    folder = Path(store.location)
    return sorted(path.name for path in folder.glob(f"vectors-*/*.{ending}"))


# -- bounds --------------------------------------------------------------------------------------
@pytest.mark.parametrize("count", [1, STEP - 1, STEP, SEGMENT, SEGMENT + STEP + 3, 3 * SEGMENT])
def test_no_estimate_is_further_off_than_it_says(library: LocalStore, count: int) -> None:
    vectors = some(count)
    write(library, vectors)
    for probes in (some(1, 1), some(2, 2), some(5, 3), np.eye(DIM, dtype=np.float32)):
        about = library.estimates(probes)
        off = np.abs(about.cosines - probes @ vectors.T)
        assert off.max() <= about.error + 1e-6
        assert (about.error > 0) == (count >= STEP)
        assert (off > about.usual_error + 1e-6).mean() < 0.001


def test_bounds_hold_for_vectors_that_codes_fit_badly(library: LocalStore) -> None:
    one_hot = np.eye(DIM, dtype=np.float32)
    equal = unit(np.ones((STEP, DIM)))
    nearly = unit(np.ones((STEP, DIM)) + np.random.default_rng(5).normal(0, 1e-4, (STEP, DIM)))
    vectors = np.vstack([one_hot, -one_hot, equal, nearly, some(30)])
    write(library, vectors)
    probes = np.vstack([one_hot[:3], equal[:1], nearly[:2]])
    about = library.estimates(probes)
    assert np.abs(about.cosines - probes @ vectors.T).max() <= about.error + 1e-6


def test_spans_are_parts_of_the_whole(library: LocalStore) -> None:
    write(library, some(SEGMENT * 2 + 21))
    probes = some(2, 1)
    whole = library.estimates(probes).cosines
    spans = [(0, 5), (SEGMENT - 3, SEGMENT + 4), (SEGMENT * 2 + 10, SEGMENT * 2 + 21)]
    rows = np.concatenate([np.arange(*span) for span in spans])
    found = library.estimates(probes, spans=spans).cosines
    np.testing.assert_allclose(found, whole[:, rows], atol=1e-6)


def nearest(library: LocalStore, probe: Matrix, count: int, among: Mask) -> NDArray[np.intp]:
    with library._open.scanned() as scanned:
        return scanning.nearest(scanned, probe[0], count, among=among)


# -- guesses -------------------------------------------------------------------------------------
@pytest.mark.parametrize("count", [SEGMENT, 5 * SEGMENT, 5 * SEGMENT + 37])
def test_signs_find_the_nearest(library: LocalStore, count: int) -> None:
    vectors = some(count)
    write(library, vectors)
    assert len(names(library, "sign")) == count // SEGMENT
    found, wanted = 0, 0
    for seed in range(20):
        probe = some(1, 100 + seed)
        among = np.random.default_rng(seed).random(count) < 0.8
        rows = nearest(library, probe, 12, among)
        assert among[rows].all()
        assert len(rows) == 12
        true = np.where(among, (probe @ vectors.T)[0], -2)
        best = np.argsort(-true)[:5]
        found, wanted = found + len(set(best) & set(rows.tolist())), wanted + 5
    assert found >= 0.95 * wanted


def test_guesses_are_without_bias(library: LocalStore) -> None:
    vectors = some(20 * SEGMENT)
    write(library, vectors)
    probe = some(1, 7)[0]
    with library._open.scanned() as scanned:
        guesses = scanning._guesses(scanned, probe)
    off = guesses - vectors @ probe
    assert abs(off.mean()) < 0.01
    assert np.corrcoef(guesses, vectors @ probe)[0, 1] > 0.7


# -- what is not coded ---------------------------------------------------------------------------
def test_few_rows_have_no_codes(library: LocalStore) -> None:
    write(library, some(STEP - 1))
    assert names(library, "i8") == []
    write(library, some(1, 1))
    assert names(library, "i8") == ["000000.i8"]
    assert names(library, "sign") == []


def test_rows_that_came_later_are_compared_too(library: LocalStore) -> None:
    write(library, some(SEGMENT))
    late = some(5, 9)
    write(library, late)
    assert (library.estimates(late).cosines.argmax(axis=1) == np.arange(SEGMENT, SEGMENT + 5)).all()
    among = np.ones(SEGMENT + 5, dtype=np.bool_)
    assert SEGMENT + 2 in nearest(library, late[2:3], 3, among)


def test_codes_of_a_killed_writer_are_made_anew(library: LocalStore) -> None:
    write(library, some(2 * STEP))
    bytes_file = Path(library.location, "vectors-1", "000000.i8")
    with bytes_file.open("ab") as file:
        file.write(b"\x7f" * DIM * STEP)
    write(library, some(STEP, 3))
    probes = some(3, 4)
    about = library.estimates(probes)
    assert np.abs(about.cosines - library.scores(probes)).max() <= about.error + 1e-6
    assert bytes_file.stat().st_size == 3 * STEP * DIM


def test_a_failed_write_leaves_codes_for_the_next(library: LocalStore) -> None:
    new = [NewImage(f"{i:08x}", each, FACTS) for i, each in enumerate(some(2 * STEP))]

    def work() -> None:
        with library.writing():
            library.write(new, [])
            raise RuntimeError("meanwhile")

    with pytest.raises(RuntimeError, match="meanwhile"):
        work()
    assert names(library, "i8") == []
    assert library.estimates(some(1)).error == 0
    with library.writing():
        pass
    assert library.estimates(some(1)).error > 0


def test_many_rows_are_coded_while_a_writer_goes_on(
    library: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("visionquery.store.generations._MOST_NOT_CODED", SEGMENT)
    with library.writing():
        vectors = some(SEGMENT + 1)
        new = [NewImage(f"{i:08x}", each, FACTS) for i, each in enumerate(vectors)]
        library.write(new[:SEGMENT], [])
        assert names(library, "sign") == ["000000.sign"]
        library.write(new[SEGMENT:], [])
        assert library.estimates(some(1)).cosines.shape == (1, SEGMENT + 1)


def test_another_opening_sees_codes_as_they_come(library: LocalStore) -> None:
    write(library, some(STEP))
    other = open_local(Path(library.location))
    assert other.estimates(some(1)).error > 0
    write(library, some(SEGMENT, 1))
    assert other.estimates(some(1)).cosines.shape == (1, SEGMENT + STEP)
    np.testing.assert_array_equal(
        other.estimates(some(1)).cosines, library.estimates(some(1)).cosines
    )
    other.close()


def test_a_move_makes_codes_of_its_own(library: LocalStore) -> None:
    write(library, some(SEGMENT))
    following = ModelIdentity("n", "g", 12, "n")
    vectors = unit(np.random.default_rng(8).standard_normal((SEGMENT, 12)))
    with library.writing():
        library.begin_next(following)
        library.write_next(range(SEGMENT), vectors)
        library.finish_next()
        assert library.estimates(vectors[:2]).error == 0
    about = library.estimates(vectors[:2])
    assert about.error > 0
    assert np.abs(about.cosines - vectors[:2] @ vectors.T).max() <= about.error + 1e-6
    assert names(library, "sign") == ["000000.sign"]


# -- choosing the largest ------------------------------------------------------------------------
@pytest.mark.parametrize("size", [0, 1, 10, 1000, 200_000])
@pytest.mark.parametrize("count", [0, 1, 20, 900])
def test_largest_holds_the_largest(size: int, count: int) -> None:
    random = np.random.default_rng(size)
    values = np.round(random.standard_normal(size), 2).astype(np.float32)
    for share in (0.0, 0.001, 0.5, 1.0):
        among = random.random(size) < share
        places = largest(values, count, among=among)
        assert (np.diff(places) > 0).all()
        assert among[places].all()
        possible = np.sort(values[among])[::-1]
        least = possible[min(count, len(possible)) - 1] if count and len(possible) else np.inf
        assert np.sort(values[places])[::-1].tolist() == possible[possible >= least].tolist()


def test_sorted_values_are_no_trap() -> None:
    values = np.arange(300_000, dtype=np.float32)
    every = np.ones(len(values), dtype=np.bool_)
    for order in (values, values[::-1]):
        places = largest(order, 20, among=every)
        assert set(order[places].astype(int).tolist()) == set(range(299_980, 300_000))


def test_work_in_parallel_is_done_once_and_its_error_is_raised() -> None:
    done: list[int] = []
    in_parallel(done.append, list(range(100)))
    assert sorted(done) == list(range(100))

    def fail(piece: int) -> None:
        if piece == 40:
            raise ValueError("piece 40")

    with pytest.raises(ValueError, match="piece 40"):
        in_parallel(fail, list(range(100)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system that forks")
def test_work_in_parallel_goes_on_in_a_forked_process() -> None:
    in_parallel(lambda _: None, list(range(100)))
    child = multiprocessing.get_context("fork").Process(
        target=in_parallel, args=(lambda _: None, list(range(100)))
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking where there are threads
        child.start()
    child.join(20)
    assert child.exitcode == 0
