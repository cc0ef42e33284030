"""A copy of a library holds all that the library does, wherever either lies."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.copies import PAIRS, Places, contents, make_rich
from tests.engines import Postgres

from visionquery.copying import copy_library
from visionquery.errors import (
    EngineError,
    LibraryBusyError,
    LibraryNotFoundError,
    LibraryReplacedError,
    StoreError,
)
from visionquery.indexing import transfer
from visionquery.indexing.copied import unfinished_from
from visionquery.indexing.report import Progress
from visionquery.opening import made_at, open_at
from visionquery.query.plan import Null
from visionquery.search.background import Background, keep_background, kept_background
from visionquery.store.base import FileRecord, Scope, Store
from visionquery.store.local import LocalStore, create_local
from visionquery.store.vectors import Segments
from visionquery.testing.store_examples import HOME, MODEL, example_image, fill
from visionquery.types import ModelIdentity

OTHER = ModelIdentity(name="other", fingerprint="f2", embed_dim=8, source="other")


@pytest.fixture
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "_FILES_AT_ONCE", 4)
    monkeypatch.setattr(transfer, "_IMAGES_AT_ONCE", 3)


@pytest.fixture
def library(tmp_path: Path) -> str:
    return made(str(tmp_path / "from"))


def made(place: str) -> str:
    with closing(made_at(place, MODEL)) as store:
        make_rich(store)
    return place


def is_same(one: str, other: str) -> bool:
    with closing(open_at(one)) as first, closing(open_at(other)) as second:
        return first.model == second.model and contents(first) == contents(second)


def change(place: str, what: Callable[[Store], None]) -> None:
    with closing(open_at(place)) as store, store.writing():
        what(store)


@pytest.mark.parametrize(("source", "target"), PAIRS)
@pytest.mark.usefixtures("few_at_once")
def test_a_copy_holds_everything(places: Places, source: str, target: str) -> None:
    here, there = made(places.new(source)), places.new(target)
    first = copy_library(here, there)
    assert is_same(here, there)
    assert (first.copied, first.already_there, first.removed) == (first.images, 0, 0)
    again = copy_library(here, there)
    assert (again.copied, again.already_there) == (0, first.images)
    assert is_same(here, there)
    back = places.new("folder")
    copy_library(there, back)
    assert is_same(here, back)


@pytest.mark.parametrize(("source", "target"), PAIRS)
@pytest.mark.usefixtures("few_at_once")
def test_an_older_copy_is_brought_up_to_date(places: Places, source: str, target: str) -> None:
    here, there = made(places.new(source)), places.new(target)
    copy_library(here, there)

    def go_on(store: Store) -> None:
        inner = next(root for root in store.roots() if root.location.endswith("b"))
        outer = next(root for root in store.roots() if root.location == HOME)
        new = example_image("new")
        store.write([new], [FileRecord(outer.root_id, "new.jpg", 1, 2, new.image_id)])
        old = store.files(Scope(outer.root_id, "00.jpg"))["00.jpg"].image_id
        assert old is not None
        store.write_facts({old: example_image("otherwise").facts})
        store.write_texts({store.rows_of([old])[old]: "read since"})
        store.write_measures(0, np.full((2, 1), 0.75, np.float32))
        store.forget([(outer.root_id, f"own/{number}.jpg") for number in range(20, 25)])
        store.move(Scope(inner.root_id), HOME + "/moved/here")
        assert store.prune() == 5

    change(here, go_on)
    report = copy_library(here, there)
    assert is_same(here, there)
    assert (report.copied, report.removed) == (1, 5)


@pytest.mark.usefixtures("few_at_once")
def test_a_root_inside_another_comes_and_goes(tmp_path: Path) -> None:
    here, there = str(tmp_path / "a"), str(tmp_path / "b")
    with closing(create_local(Path(here), MODEL)) as store:
        fill(store, {"x.jpg": example_image("x"), "in/y.jpg": example_image("y")})
        fill(store, {"y.jpg": example_image("z")}, home="/elsewhere")
    copy_library(here, there)

    def into_it(store: Store) -> None:
        store.move(_scope(store, "/elsewhere"), HOME + "/in")
        store.prune()

    change(here, into_it)
    copy_library(here, there)
    assert is_same(here, there)


def _scope(store: Store, location: str) -> Scope:
    return next(Scope(r.root_id) for r in store.roots() if r.location == location)


@pytest.mark.usefixtures("few_at_once")
def test_a_folder_that_is_no_longer_whole_is_so_in_the_copy(tmp_path: Path) -> None:
    here, there = str(tmp_path / "a"), str(tmp_path / "b")
    with closing(create_local(Path(here), MODEL)) as store:
        fill(store, {"x.jpg": example_image("x"), "in/y.jpg": example_image("y")})
    copy_library(here, there)

    def by_single_files(store: Store) -> None:
        store.forget([(root.root_id, "x.jpg") for root in store.roots()])
        store.forget([(root.root_id, "in/y.jpg") for root in store.roots()])
        store.prune()
        root, image = store.add_root(HOME, whole=False), example_image("x")
        store.write([image], [FileRecord(root.root_id, "x.jpg", 1, 2, image.image_id)])

    change(here, by_single_files)
    copy_library(here, there)
    assert is_same(here, there)


@pytest.mark.usefixtures("few_at_once")
def test_a_copy_that_is_cut_off_anywhere_goes_on_from_there(library: str, tmp_path: Path) -> None:
    images = copy_library(library, tmp_path / "whole").images
    for stop in range(1, 20):
        there = str(tmp_path / str(stop))
        shown = 0

        def show(what: str, progress: Progress, stop: int = stop) -> None:
            nonlocal shown
            shown += 1
            if shown == stop:
                raise KeyboardInterrupt

        try:
            copy_library(library, there, on_progress=show)
        except KeyboardInterrupt:
            with closing(open_at(there)) as left:
                assert unfinished_from(left) == library
                done = left.image_count()
            assert copy_library(library, there).already_there == done
        else:
            break
        assert is_same(library, there)
        with closing(open_at(there)) as left:
            assert (unfinished_from(left), left.image_count()) == (None, images)
    assert stop > 10


@pytest.mark.parametrize("method", ["write", "write_texts", "write_measures", "prune", "set_note"])
def test_a_failure_between_two_steps_is_made_up_for(
    library: str, tmp_path: Path, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StoreError("The disk is full.")

    with monkeypatch.context() as broken:
        broken.setattr(f"visionquery.store.local_store.LocalStore.{method}", fail)
        with pytest.raises(StoreError, match="full"):
            copy_library(library, tmp_path / "to")
    copy_library(library, tmp_path / "to")
    assert is_same(library, str(tmp_path / "to"))


@pytest.mark.usefixtures("few_at_once")
def test_changes_meanwhile_are_brought_over(library: str, tmp_path: Path) -> None:
    changes = iter(range(1000))

    def meanwhile(what: str, progress: Progress) -> None:
        number = next(changes)
        if number % 3 == 0 and number < 12:
            with closing(open_at(library)) as store:
                fill(store, {f"{number:02}-new.jpg": example_image(f"new {number}")})
                with store.writing():
                    root = _scope(store, HOME).root_id
                    store.forget([(root, f"{number:02}.jpg")])
                    store.prune()

    copy_library(library, tmp_path / "to", on_progress=meanwhile)
    assert next(changes) > 12
    assert is_same(library, str(tmp_path / "to"))


def test_a_library_that_never_rests_is_not_called_copied(library: str, tmp_path: Path) -> None:
    changes = iter(range(1000))

    def meanwhile(what: str, progress: Progress) -> None:
        with closing(open_at(library)) as store:
            number = next(changes)
            fill(store, {f"{number}.png": example_image(f"png {number}")}, home="/always")

    with pytest.raises(StoreError, match="when nobody changes the library"):
        copy_library(library, tmp_path / "to", on_progress=meanwhile)
    with closing(open_at(str(tmp_path / "to"))) as store:
        assert unfinished_from(store) == library
    copy_library(library, tmp_path / "to")
    assert is_same(library, str(tmp_path / "to"))


@pytest.mark.usefixtures("few_at_once")
def test_a_library_that_is_compacted_meanwhile_is_copied_by_the_next_run(
    library: str, tmp_path: Path
) -> None:
    def meanwhile(what: str, progress: Progress) -> None:
        with closing(open_at(library)) as store, store.writing():
            assert store.compact().holes == 2

    with pytest.raises(LibraryReplacedError, match="run the command again to go on"):
        copy_library(library, tmp_path / "to", on_progress=meanwhile)
    copy_library(library, tmp_path / "to")
    assert is_same(library, str(tmp_path / "to"))


@pytest.mark.usefixtures("few_at_once")
def test_a_connection_that_breaks_is_said_and_the_next_run_goes_on(
    library: str, postgres: Postgres
) -> None:
    there = postgres.address()

    def break_off(what: str, progress: Progress) -> None:
        postgres.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid != pg_backend_pid() AND usename IS NOT NULL"
        )

    with pytest.raises(EngineError):
        copy_library(library, there, on_progress=break_off)
    with closing(open_at(there)) as left:
        assert (unfinished_from(left), left.image_count()) == (library, 2)  # of the first root
    assert copy_library(library, there).already_there == 2
    assert is_same(library, there)


def test_a_vector_that_differs_is_found(library: str, tmp_path: Path) -> None:
    there = tmp_path / "to"
    copy_library(library, there)
    vectors = Segments(there / "vectors-1", MODEL.embed_dim)
    (path, _), *_ = vectors.files(1)
    data = bytearray(path.read_bytes())
    data[0] ^= 1  # the last bit of a number
    path.write_bytes(data)
    with pytest.raises(StoreError, match="another vector of image"):
        copy_library(library, there)


def test_a_copy_knows_what_was_measured(library: str, tmp_path: Path) -> None:
    zeros = np.zeros(8, np.float32)
    known = Background(Null(0.1, 0.2, 0.3), zeros, zeros, images=3, measured_rows=4)
    change(library, lambda store: keep_background(store, known))
    copy_library(library, tmp_path / "to")
    with closing(open_at(str(tmp_path / "to"))) as store:
        kept = kept_background(store)
        assert kept is not None
        assert (kept.null, kept.images) == (known.null, known.images)
        # All before it are measured; the next run measures from there on.
        assert not np.isnan(store.measures()[: kept.measured_rows]).any()
        assert np.isnan(store.measures()[kept.measured_rows]).any()


def test_what_is_no_place_for_a_copy_is_left_alone(library: str, tmp_path: Path) -> None:
    def refused(source: object, target: object, words: str) -> None:
        with pytest.raises(StoreError, match=words):
            copy_library(str(source), str(target))

    refused(library, library, "no place for a copy")
    refused(library, Path(library) / "inside", "no place for a copy")
    refused(library, tmp_path, "no place for a copy")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").touch()
    refused(library, tmp_path / "full", "something else")
    another = made(str(tmp_path / "another"))
    refused(library, another, "another library")
    copy_library(another, tmp_path / "of-another")
    refused(library, tmp_path / "of-another", "a copy of another library")
    with closing(create_local(tmp_path / "empty", OTHER)):
        refused(library, tmp_path / "empty", "of the model other")
    with pytest.raises(LibraryNotFoundError):
        copy_library(tmp_path / "nowhere", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_copy_that_was_changed_is_not_undone(library: str, tmp_path: Path) -> None:
    there = tmp_path / "to"
    copy_library(library, there)
    change(str(there), lambda store: store.compact() and None)
    copy_library(library, there)
    with closing(open_at(str(there))) as store:
        fill(store, {"mine.jpg": example_image("mine")}, home="/mine")
    with pytest.raises(StoreError, match="was changed since"):
        copy_library(library, there)


def test_an_unfinished_copy_is_not_copied(library: str, tmp_path: Path) -> None:
    def stop(what: str, progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy_library(library, tmp_path / "to", on_progress=stop)
    with pytest.raises(StoreError, match="unfinished copy"):
        copy_library(tmp_path / "to", tmp_path / "third")


def test_a_copy_that_is_written_to_is_busy(library: str, tmp_path: Path) -> None:
    copy_library(library, tmp_path / "to")
    with (
        closing(open_at(str(tmp_path / "to"))) as store,
        store.writing(),
        pytest.raises(LibraryBusyError),
    ):
        copy_library(library, tmp_path / "to")


def test_what_is_not_copied_is_said(library: str, tmp_path: Path) -> None:
    def begin(store: Store) -> None:
        store.begin_next(OTHER)
        root = _scope(store, HOME).root_id
        store.forget([(root, "own/20.jpg")])  # and nothing pruned

    change(library, begin)
    report = copy_library(library, tmp_path / "to")
    assert len(report.notes) == 2
    assert "other" in report.notes[0]
    assert report.notes[1].startswith("1 images")


@pytest.mark.usefixtures("few_at_once")
def test_no_step_takes_more_than_a_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(create_local(tmp_path / "from", MODEL)) as store:
        fill(store, {f"{number}.jpg": example_image(str(number)) for number in range(40)})
    sizes: list[int] = []

    def watched(method: Callable[..., object]) -> Callable[..., object]:
        def call(store: Store, first: Any, *rest: object, **named: Any) -> object:
            sizes.append(named["limit"] if isinstance(first, Scope) else len(first))
            return method(store, first, *rest, **named)

        return call

    for name in ("files", "records", "vectors", "rows_of", "measures", "write"):
        monkeypatch.setattr(LocalStore, name, watched(getattr(LocalStore, name)))
    copy_library(tmp_path / "from", tmp_path / "to")
    assert max(sizes) <= 4
