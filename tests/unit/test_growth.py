"""How cost may grow with a library: a gate on ratios of times taken in turns, never on seconds, and
on counts that no other load of the machine changes.

`python -m benchmarks.growth` measures the same at sizes that no test has time for.
"""

import hashlib
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from visionquery.query.plan import Null, Plan, Probe, ProbeRef
from visionquery.search.calibrate import DEFAULT_CALIBRATION
from visionquery.search.executor import execute
from visionquery.store.base import Estimates, FileRecord, ImageRecord, NewImage, Scope
from visionquery.store.layout import CATALOG_NAME, segments_name
from visionquery.store.local import LocalStore, create_local, open_local
from visionquery.store.vectors import Segments
from visionquery.types import Facts, Matrix, ModelIdentity

DIM = 512
FEW, MANY = 2_000, 20_000
FEW_SCANNED, MANY_SCANNED = 8_192, 65_536
LIMIT = 20

CODED_SCAN = 0.6
"""The scan of codes beside that of vectors. Measured: 0.33."""

ADD_ONE = 3.0
"""Adding one image to many beside few. Measured: 1.0."""

OPEN = 3.0
"""Opening many beside few. Measured: 1.0."""

SEARCH = 16.0
"""A search of 65,536 beside one of 8,192. Measured: 8 to 13, the larger one leaving the caches."""

STEPS = 1.5
"""Steps of SQLite among many beside few. Measured: adding 1.01, a search 1.14."""

ROUNDS, TRIES = 11, 5

SONY = Facts(4000, 3000, "JPEG", 1, camera="Sony A7", taken_at="2024-05-01T12:00:00")


class TooCostlyError(AssertionError):
    """A cost grew more than it may."""


def hold_ratio(
    name: str,
    costly: Callable[[], object],
    cheap: Callable[[], object],
    most: float,
    *,
    tries: int = TRIES,
) -> float:
    """Return how much longer one action takes than another; raise TooCostlyError when it is more
    than it may be in each of a few tries. Both are run in turn, so that what else the machine does
    meets them alike."""
    ratios: list[float] = []
    for _ in range(tries):
        times = [(seconds(costly), seconds(cheap)) for _ in range(ROUNDS + 1)][1:]
        one, other = (statistics.median(each) for each in zip(*times, strict=True))
        ratios.append(one / other)
        if ratios[-1] <= most:
            return ratios[-1]
    raise TooCostlyError(f"{name}: {min(ratios):.2f} x at best, and {most:g} x is allowed")


def seconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


@dataclass
class Counted:
    """What SQLite was asked: statements, and steps of its machine, which tell how much of a table
    a statement went through."""

    statements: list[str] = field(default_factory=list)
    steps: int = 0

    def watch(self, connection: sqlite3.Connection) -> None:
        connection.set_trace_callback(self.statements.append)
        connection.set_progress_handler(self._step, 1)

    def of(self, action: Callable[[], object]) -> int:
        """Do something, and return the steps that it took."""
        self.statements.clear()
        self.steps = 0
        action()
        return self.steps

    def _step(self) -> int:
        self.steps += 1
        return 0


class Grown:
    """A library of made images on disk, with more to come."""

    def __init__(self, folder: Path, rows: int) -> None:
        self.rows = rows
        self.folder = folder
        self._random = np.random.default_rng(rows)
        self._next = rows
        create_local(folder, ModelIdentity("made", "made", DIM, "made")).close()
        Segments(folder / segments_name(1), DIM).append(0, self.vectors(rows))
        fill_catalog(folder / CATALOG_NAME, rows)
        self.store: LocalStore = open_local(folder)
        biases = self._random.normal(0.2, 0.03, (rows, 1)).astype(np.float32)
        with self.store.writing():
            self.store.write_measures(0, biases)
        self.root = self.store.roots()[0].root_id

    def reopen(self) -> None:
        self.store.close()
        self.store = open_local(self.folder)

    def vectors(self, count: int) -> Matrix:
        rows = self._random.standard_normal((count, DIM), dtype=np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def add_one(self) -> None:
        image = NewImage(hashed(self._next).hex(), self.vectors(1)[0], SONY)
        file = FileRecord(self.root, f"new/{self._next}.jpg", 1, 1, image.image_id)
        self._next += 1
        with self.store.writing():
            self.store.write([image], [file])

    def remove_one(self) -> None:
        self._next += 1
        with self.store.writing():
            self.store.forget([(self.root, path_of(self._next % self.rows))])
            assert self.store.prune() == 1

    def open(self) -> None:
        store = open_local(self.folder)
        store.row_count()
        store.close()

    def search(self) -> None:
        page = execute(
            Plan(
                vectors=self.vectors(1),
                probes=(Probe("made", is_text=True),),
                filters=(),
                expression=ProbeRef(0),
                null=Null(mean=0.0, std=0.03, bias=0.2),
                calibration=DEFAULT_CALIBRATION,
                fingerprint=self.store.model.fingerprint,
            ),
            self.store,
            limit=LIMIT,
        )
        assert len(page.hits) + len(page.closest) == LIMIT


def fill_catalog(catalog: Path, rows: int) -> None:
    """Put images and files into an empty catalog, as `Store.write` does, in a hundredth of the
    time."""
    connection = sqlite3.connect(catalog, isolation_level=None)
    connection.create_function("hashed", 1, hashed)
    connection.create_function("path_of", 1, path_of)
    connection.execute("BEGIN")
    connection.execute("INSERT INTO roots (root_id, location) VALUES (1, CAST('/photos' AS BLOB))")
    connection.execute(
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?) "
        "INSERT INTO images (row, image_id, width, height, format, size_bytes, camera, taken_at, "
        "keywords) SELECT i, hashed(i), 4000, 3000, 'JPEG', 1, 'Sony A7', '2024-05-01', '[]' "
        "FROM n",
        (rows,),
    )
    connection.execute(
        "INSERT INTO files (root_id, path, size_bytes, mtime_ns, row, folded) "
        "SELECT 1, CAST(path_of(row) AS BLOB), 1, 1, row, path_of(row) FROM images"
    )
    connection.execute("INSERT INTO words (rowid, text) SELECT row, path_of(row) FROM images")
    connection.execute("DELETE FROM stale_words")
    connection.execute("UPDATE library SET rows = ?", (rows,))
    connection.execute("COMMIT")
    connection.close()


def hashed(number: int) -> bytes:
    return hashlib.blake2b(str(number).encode(), digest_size=16).digest()


def path_of(number: int) -> str:
    return f"trip {number // 500}/IMG_{number:07}.jpg"


@contextmanager
def counting(library: Grown) -> Iterator[Counted]:
    """Count what a library asks of SQLite, over a connection of its own."""
    counted, connect = Counted(), sqlite3.connect

    def watched(*asked: Any, **named: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*asked, **named)
        counted.watch(connection)
        return connection

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite3, "connect", watched)
        library.reopen()
        yield counted
    library.reopen()


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grown]:
    yield from grown(tmp_path_factory, FEW)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grown]:
    yield from grown(tmp_path_factory, MANY)


@pytest.fixture(scope="module")
def few_scanned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grown]:
    yield from grown(tmp_path_factory, FEW_SCANNED)


@pytest.fixture(scope="module")
def many_scanned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grown]:
    yield from grown(tmp_path_factory, MANY_SCANNED)


def grown(tmp_path_factory: pytest.TempPathFactory, rows: int) -> Iterator[Grown]:
    library = Grown(tmp_path_factory.mktemp(f"grown-{rows}"), rows)
    yield library
    library.store.close()


def check_coded_scan(library: Grown, *, tries: int = TRIES) -> float:
    store, probe = library.store, library.vectors(1)

    def coded() -> Estimates:
        return store.estimates(probe)

    def plain() -> Matrix:
        return store.scores(probe)

    return hold_ratio("the scan of codes", coded, plain, CODED_SCAN, tries=tries)


def check_adding_one(many: Grown, few: Grown, *, tries: int = TRIES) -> float:
    return hold_ratio("adding one image", many.add_one, few.add_one, ADD_ONE, tries=tries)


def check_records(many: Grown, few: Grown) -> None:
    """Raise TooCostlyError unless a search asks as many questions about images in both libraries,
    and what it asks SQLite takes as many steps, but for the parts that measures lie in."""
    (few_questions, few_steps), (many_questions, many_steps) = (
        questions(library) for library in (few, many)
    )
    if many_questions != few_questions or many_steps > STEPS * few_steps:
        raise TooCostlyError(
            f"records read: {many_questions} questions and {many_steps} steps among many images, "
            f"{few_questions} and {few_steps} among few"
        )


def questions(library: Grown) -> tuple[int, int]:
    """Return how many questions about images or files a search asks, and the steps of all."""
    with counting(library) as counted:
        # The first one makes what is kept until something changes.
        library.search()
        steps = counted.of(library.search)
    return sum(" FROM images" in one or " FROM files" in one for one in counted.statements), steps


def steps(action: str, library: Grown) -> int:
    """Return the steps of SQLite's machine that an action takes, the least of a few times."""
    with counting(library) as counted:
        return min(counted.of(getattr(library, action)) for _ in range(3))


def test_scan_of_codes_is_faster_than_that_of_vectors(many_scanned: Grown) -> None:
    check_coded_scan(many_scanned)


def test_search_grows_no_faster_than_the_library(many_scanned: Grown, few_scanned: Grown) -> None:
    hold_ratio("a search", many_scanned.search, few_scanned.search, SEARCH)


def test_adding_one_image_does_not_grow(many: Grown, few: Grown) -> None:
    check_adding_one(many, few)


def test_opening_does_not_grow(many: Grown, few: Grown) -> None:
    hold_ratio("opening", many.open, few.open, OPEN)


def test_search_reads_records_of_what_it_shows(many: Grown, few: Grown) -> None:
    check_records(many, few)


def test_adding_one_image_looks_at_no_other(many: Grown, few: Grown) -> None:
    assert steps("add_one", many) <= STEPS * steps("add_one", few)


def test_removing_one_image_looks_at_no_other(many: Grown, few: Grown) -> None:
    assert steps("remove_one", many) <= STEPS * steps("remove_one", few)


def test_gate_closes_for_a_scan_of_vectors(
    many_scanned: Grown, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(self: LocalStore, probes: Matrix) -> Estimates:
        return Estimates(self.scores(probes))

    monkeypatch.setattr(LocalStore, "estimates", slow)
    with pytest.raises(TooCostlyError, match="the scan of codes"):
        check_coded_scan(many_scanned, tries=1)


def test_gate_closes_for_a_writer_that_looks_at_every_file(
    many: Grown, few: Grown, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = LocalStore.write

    def slow(self: LocalStore, images: Sequence[NewImage], files: Sequence[FileRecord]) -> None:
        write(self, images, files)
        self.files(Scope(files[0].root_id))

    monkeypatch.setattr(LocalStore, "write", slow)
    with pytest.raises(TooCostlyError, match="adding one image"):
        check_adding_one(many, few, tries=1)


def test_gate_closes_for_a_search_that_reads_more_records(
    many: Grown, few: Grown, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = LocalStore.records

    def greedy(self: LocalStore, rows: Sequence[int]) -> list[ImageRecord]:
        records(self, range(0, self.row_count(), 100))
        return records(self, rows)

    monkeypatch.setattr(LocalStore, "records", greedy)
    with pytest.raises(TooCostlyError, match="records read"):
        check_records(many, few)
