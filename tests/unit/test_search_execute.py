"""Executing plans on a store in memory: what is relevant, in which order, page by page."""

from dataclasses import replace

import numpy as np
import pytest

from visionquery.errors import InputError, ModelMismatchError
from visionquery.query.plan import Null
from visionquery.search.executor import execute, explain
from visionquery.search.result import DEFAULT_MIN_CONFIDENCE, Response
from visionquery.store.local import LocalStore, create_local
from visionquery.store.memory import MemoryStore
from visionquery.types import Curve, Line


@pytest.fixture
def library(world) -> MemoryStore:
    return world.store(
        world.image("a1", dog=1.0, facts={"taken_at": "2024-05-01T10:00:00"}),
        world.image("b2", dog=0.8, beach=0.6, facts={"taken_at": "2023-01-01T10:00:00"}),
        world.image("c3", dog=0.7, people=0.7, facts={"width": 4000}),
        world.image("d4", car=1.0),
        world.image("e5", beach=0.9, people=0.4, facts={"taken_at": "2024-07-01T10:00:00"}),
    )


# -- order and pages -----------------------------------------------------------------------------
def test_one_probe_ranks_by_cosine(world, library):
    page = world.search("dog", library, limit=10)
    hits = (*page.hits, *page.closest)
    assert [hit.image_id for hit in hits] == ["a1", "b2", "c3", "d4", "e5"]
    assert [hit.rank for hit in hits] == [1, 2, 3, 4, 5]
    assert page.total == len(page.hits) == 3
    top = page.hits[0]
    assert top.score == pytest.approx(1 / np.sqrt(1 + 0.05**2))
    assert (top.path, top.width, top.taken_at) == ("/pile/a1.jpg", 100, "2024-05-01T10:00:00")
    assert top.parts == ()


def test_saturated_confidence_keeps_the_order_of_cosines(world):
    rng = np.random.default_rng(3)
    images = [world.image(f"{i:04}", dog=1.0, car=float(rng.uniform(0, 0.02))) for i in range(200)]
    store = world.store(*images, *(world.image(f"e{i:05}", people=1.0) for i in range(1000)))
    # Presence is not asked: it would be all that is in doubt.
    match_only = replace(world.calibration, text=world.calibration.picture)
    tight = replace(
        world.plan("dog", store), null=Null(0.0, 0.01, 0.0), calibration=match_only
    )
    page = execute(tight, store, limit=200)
    scores = [hit.score or 0.0 for hit in page.hits]
    assert all(hit.confidence == 1.0 for hit in page.hits)
    assert len(set(scores)) > 150
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize(
    "query", ["dog", "dog width:>1", "dog OR width:>1", "-dog", "dog AND car", "dog -car"]
)
def test_order_of_equals_and_pages_do_not_depend_on_rows(world, query):
    images = [world.image(f"{i:02}", dog=1.0, car=(i % 3) / 2) for i in range(12)]
    forward, backward = world.store(*images), world.store(*reversed(images))
    whole = world.ids(query, forward, limit=12)
    assert len(whole) == 12
    assert world.ids(query, backward, limit=12) == whole
    for store in (forward, backward):
        pages = [world.ids(query, store, limit=5, offset=at) for at in (0, 5, 10, 15)]
        assert [one for page in pages for one in page] == whole


def test_what_is_relevant_comes_before_what_is_not(world):
    rng = np.random.default_rng(7)
    store = world.store(
        *(
            world.image(f"{i:04}", dog=float(d), car=float(c), snow=0.3)
            for i, (d, c) in enumerate(rng.uniform(0, 1, (80, 2)))
        )
    )
    for query in ("dog -car", "-car", "dog OR -car", "dog -(car OR snow)"):
        page = world.search(query, store, limit=80)
        assert 0 < page.total == len(page.hits) < 80
        assert min(hit.confidence for hit in page.hits) >= DEFAULT_MIN_CONFIDENCE
        assert max(hit.confidence for hit in page.closest) < DEFAULT_MIN_CONFIDENCE
        pages = [world.search(query, store, limit=7, offset=at) for at in range(0, 80, 7)]
        assert [hit for one in pages for hit in one.hits] == list(page.hits)
        assert [hit for one in pages for hit in one.closest] == list(page.closest)
        assert {one.total for one in pages} == {page.total}


def test_nothing_good_enough_shows_what_came_near(world, library):
    page = world.search("snow", library, limit=2)
    assert (page.hits, page.total, len(page.closest)) == ((), 0, 2)
    everything = world.search("snow", library, min_confidence=0.0)
    assert (len(everything.hits), everything.total) == (5, 5)


def test_texts_and_pictures_have_their_own_curves(world):
    store = world.store(*(world.image(f"{i:02}", dog=1.0, beach=i / 12) for i in range(12)))
    curves = world.calibration
    for query, own, other in (
        ("dog", "text", "picture"), ("dog 2:beach", "text", "picture"),
        ("like:00", "picture", "text"), ("dog like:00", "picture", "text"),
    ):  # fmt: skip
        made = world.plan(query, store)

        def sure(made=made, **changes):
            changed = replace(made, calibration=replace(curves, **changes))
            return [hit.confidence for hit in execute(changed, store, min_confidence=0.0).hits]

        harder = Curve(match=Line(1.0, 9.0))
        assert sure(**{other: harder}) == sure()
        assert sure(**{own: harder}) != sure()


# -- filters and folders -------------------------------------------------------------------------
def test_a_filter_in_an_alternative_is_certain(world, library):
    page = world.search("car OR width:4000", library)
    assert [hit.image_id for hit in page.hits] == ["c3", "d4"]
    assert page.hits[0].confidence == 1.0


def test_filters_cut_and_negated_ones_too(world, library):
    assert set(world.ids("dog date:2024", library)) == {"a1", "e5"}
    assert set(world.ids("dog -date:2024", library)) == {"b2", "c3", "d4"}
    assert world.ids("dog date:1999", library) == []


def test_holes_and_what_is_not_within_are_never_answers(world, library):
    with library.writing():
        library.forget([(1, "a1.jpg")])
        library.prune()
    assert "a1" not in world.ids("dog", library)
    where = world.where(library, "a1", "b2")
    for query in ("dog", "width:>1", "-snow"):
        assert world.ids(query, library, where=where) == ["b2"]


@pytest.mark.parametrize("query", ["dog", "-dog", "dog -beach", "dog AND beach", "dog OR car"])
def test_a_filter_or_a_folder_never_changes_a_confidence(world, library, query):
    whole = world.confidences(query, library)
    assert len(whole) == 5
    wide = world.confidences(f"({query}) width:4000", library)
    assert wide == {"c3": whole["c3"]}
    for image_id in whole:
        only = world.where(library, image_id)
        assert world.confidences(query, library, where=only) == {image_id: whole[image_id]}


def test_a_filter_never_changes_what_words_of_files_weigh(world):
    images = [world.image(f"{i:02}", dog=1.0, facts={"width": 100 + i}) for i in range(12)]
    store = world.store(*images, names={f"{i:02}": f"zebra{i}/a.jpg" for i in range(3)})
    whole = world.confidences("stripes zebra0 wild", store)
    narrow = world.confidences("stripes zebra0 wild width:100", store)
    assert narrow == {"00": whole["00"]}
    assert whole["00"] > whole["01"]


@pytest.mark.parametrize("query", ["dog", "-dog", "dog AND beach", "like:0070", "dog rex"])
def test_images_that_are_gone_leave_no_trace_in_a_confidence(world, query):
    rng = np.random.default_rng(5)
    images = [
        world.image(f"{i:04}", dog=1.0 if i < 30 else 0.2, beach=x, car=y)
        for i, (x, y) in enumerate(rng.uniform(0, 1, (90, 2)).tolist())
    ]
    names = {f"{i:04}": f"{'rex' * (i % 9 == 0)}{i}.jpg" for i in range(90)}
    never = world.store(*images[30:], names={key: names[key] for key in list(names)[30:]})
    gone = world.store(*images, names=names)
    with gone.writing():
        gone.forget([(1, names[f"{i:04}"]) for i in range(30)])
        gone.prune()
    assert gone.row_count() == 90
    assert world.confidences(query, gone) == pytest.approx(world.confidences(query, never))


# -- an answer without a background, without images ----------------------------------------------
def test_without_a_null_the_own_scores_calibrate(world):
    rng = np.random.default_rng(1)
    crowd = [
        world.image(f"bb{i:04}", car=1.0, dog=float(x), snow=float(y))
        for i, (x, y) in enumerate(rng.uniform(0, 0.3, (300, 2)))
    ]
    shown = [world.image(f"d{i}", dog=1.0, beach=i / 50) for i in range(3)]
    store = world.store(*crowd, *shown)
    plans = [world.plan(query, store, background=None) for query in ("dog", "snow -car")]
    page = execute(plans[0], store)
    assert [hit.image_id for hit in page.hits] == ["d0", "d1", "d2"]
    assert np.isfinite([hit.confidence for hit in execute(plans[1], store).closest]).all()


def test_an_empty_store_answers_with_nothing(world):
    store = world.store()
    for query in ("dog", "date:2024", "dog -people", "-dog", "dog AND car", "dog OR date:2024"):
        for sort in (None, "relevance", "date", "path"):
            page = world.search(query, store, sort=sort, parts=True)
            assert (page.hits, page.closest, page.total) == ((), (), 0)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_a_small_library_answers_with_its_match_and_only_that(world, count):
    images = [world.image("aa", dog=1.0), world.image("bb", beach=1.0), world.image("cc", car=1.0),
              world.image("dd", people=1.0)][:count]
    store = world.store(*images)
    assert world.relevant("dog", store) == ["aa"]
    assert world.relevant("a dog AND dog", store) == ["aa"]
    assert world.relevant("snow", store) == []
    assert world.relevant("zebra", store) == []
    assert sorted(world.relevant("-snow", store)) == [image.image_id for image in images]
    assert "aa" not in world.relevant("-dog", store)


# -- what a page costs, and what is refused ------------------------------------------------------
def test_only_the_records_of_the_page_are_read(world):
    read = []

    class CountingStore(MemoryStore):
        def records(self, rows):
            read.extend(rows)
            return super().records(rows)

    store = CountingStore(world.identity)
    world.fill(store, [world.image(f"{i:04}", dog=1.0, car=i / 100) for i in range(100)])
    world.search("dog", store, limit=7, offset=20)
    assert len(set(read)) == 7


@pytest.mark.parametrize("query", ["dog", "width:>1"])
@pytest.mark.parametrize("sort", ["date", "path"])
def test_a_sorted_page_reads_its_records_alone(world, tmp_path, monkeypatch, query, sort):
    read = []
    plain = LocalStore.records
    monkeypatch.setattr(
        LocalStore, "records", lambda store, rows: read.extend(rows) or plain(store, rows)
    )
    store = create_local(tmp_path / "library", world.identity)
    world.fill(store, [world.image(f"{i:04}", dog=1.0) for i in range(100)])
    page = world.search(query, store, sort=sort, limit=7, offset=20)
    assert len(page.hits) == len(read) == 7
    store.close()


def test_a_plan_of_another_model_is_refused(world, library):
    other = world.encoder(identity=replace(world.identity, fingerprint="f2"))
    made = world.plan("dog", library, encoder=other)
    for run in (lambda: execute(made, library), lambda: explain(made, library, 0, text="dog")):
        with pytest.raises(ModelMismatchError) as caught:
            run()
        assert (caught.value.library_model, caught.value.asked_model) == ("f1", "f2")


@pytest.mark.parametrize(
    "wanted", [{"limit": 0}, {"offset": -1}, {"min_confidence": 1.5}, {"min_confidence": -0.1}]
)
def test_pages_without_meaning_are_refused(world, library, wanted):
    with pytest.raises(InputError):
        world.search("dog", library, **wanted)


def test_a_response_is_its_hits(world, library):
    page = world.search("dog", library)
    response = Response("dog", "words", True, 0.1, page.hits, page.closest, page.total, 0.2)
    assert list(response) == list(page.hits)
    assert len(response) == 3
    assert response
    assert not replace(response, hits=())
