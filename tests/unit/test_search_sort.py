"""The order of an answer: by relevance, date or path; and its pages, whatever the order."""

from itertools import pairwise

import numpy as np
import pytest

from visionquery.store.local import create_local
from visionquery.store.memory import MemoryStore

ORDERS = [None, "relevance", "date", "path"]


@pytest.fixture(scope="module")
def albums(world) -> MemoryStore:
    """Sixty images, a third of them dogs; many are alike, and of one day or of none."""
    rng = np.random.default_rng(4)
    images, names = [], {}
    for i in range(60):
        shows = {"dog": 1.0, "beach": (i % 4) / 4} if i % 3 == 0 else {"car": 1.0, "snow": i % 5}
        day = None if i % 7 == 0 else f"20{10 + i % 4}-0{1 + i % 2}-01T00:00:00"
        images.append(world.image(f"{i:02}", facts={"taken_at": day}, **shows))
        names[f"{i:02}"] = f"album {rng.integers(5)}/{rng.integers(10**6)}.jpg"
    return world.store(*images, names=names)


def test_by_path_only_what_is_relevant_is_ordered(world, albums):
    relevant = set(world.relevant("dog", albums))
    assert relevant == {f"{i:02}" for i in range(0, 60, 3)}
    page = world.search("dog", albums, sort="path", limit=100)
    assert {hit.image_id for hit in page.hits} == relevant
    assert (page.closest, page.total) == ((), 20)
    paths = [hit.path for hit in page.hits]
    assert paths == sorted(paths)
    assert paths != [hit.path for hit in world.search("dog", albums, limit=20).hits]
    assert [hit.rank for hit in page.hits] == list(range(1, 21))


def test_by_date_the_newest_come_first_and_the_undated_last(world, albums):
    hits = world.search("dog", albums, sort="date", limit=100).hits
    assert len(hits) == 20
    dates = [hit.taken_at or "" for hit in hits]
    assert dates == sorted(dates, reverse=True)
    assert dates[-1] == ""
    assert dates[0] > "2013"
    for first, second in pairwise(hits):
        if first.taken_at == second.taken_at:
            assert first.path < second.path


def test_the_order_does_not_change_a_hit(world, albums):
    by_relevance = world.search("dog -snow", albums, limit=100).hits
    for sort in ("date", "path"):
        hits = world.search("dog -snow", albums, sort=sort, limit=100).hits
        assert {(hit.image_id, hit.confidence, hit.score) for hit in hits} == {
            (hit.image_id, hit.confidence, hit.score) for hit in by_relevance
        }


@pytest.mark.parametrize("sort", ["date", "path"])
def test_where_nothing_is_relevant_the_closest_come_by_relevance(world, albums, sort):
    plain = world.search("people", albums, limit=10)
    assert plain.hits == ()
    assert world.search("people", albums, limit=10, sort=sort) == plain
    assert world.search("people", albums, limit=4, offset=3, sort=sort) == world.search(
        "people", albums, limit=4, offset=3
    )


def test_a_lower_bar_orders_more(world, albums):
    hits = world.search("dog", albums, sort="path", limit=100, min_confidence=0.0).hits
    assert len(hits) == 60
    assert [hit.path for hit in hits] == sorted(hit.path for hit in hits)


@pytest.mark.parametrize("query", ["date:2010", "width:>1", "-date:2010", "ext:jpg OR date:2011"])
def test_filters_alone_give_the_newest_first(world, albums, query):
    usual = world.search(query, albums, limit=100)
    assert usual == world.search(query, albums, sort="date", limit=100)
    assert usual == world.search(query, albums, sort="relevance", limit=100)
    assert len(usual.hits) == usual.total > 10
    assert {(hit.score, hit.confidence) for hit in usual.hits} == {(None, 1.0)}
    by_path = world.search(query, albums, sort="path", limit=100)
    paths = [hit.path for hit in by_path.hits]
    assert paths == sorted(paths)
    assert {hit.image_id for hit in by_path.hits} == {hit.image_id for hit in usual.hits}


@pytest.mark.parametrize("sort", ORDERS)
@pytest.mark.parametrize(
    "query",
    ["dog", "dog date:2011", "-dog", "dog -beach", "dog OR date:2012", "width:>1", "people",
     "dog AND beach", "like:00"],
)  # fmt: skip
def test_pages_one_after_another_are_one_long_page(world, albums, query, sort):
    whole = world.search(query, albums, sort=sort, limit=100)
    everything = [*whole.hits, *whole.closest]
    for size in (6, 17):
        pages = [
            world.search(query, albums, sort=sort, limit=size, offset=at)
            for at in range(0, len(everything) + size, size)
        ]
        assert [hit for page in pages for hit in (*page.hits, *page.closest)] == everything
        assert [hit for page in pages for hit in page.hits] == list(whole.hits)
        assert {page.total for page in pages} == {whole.total}
        assert (pages[-1].hits, pages[-1].closest) == ((), ())


@pytest.mark.parametrize("sort", ORDERS)
def test_the_order_of_images_that_are_alike_does_not_depend_on_rows(world, sort, tmp_path):
    images = [world.image(f"{i:02}", dog=1.0, car=(i % 2) / 9) for i in range(20)]
    same_name = {image.image_id: f"{image.image_id}/x.jpg" for image in images}
    forward = world.store(*images, names=same_name)
    backward = create_local(tmp_path / "library", world.identity)
    world.fill(backward, images[::-1], names=same_name)
    for query in ("dog", "dog OR width:>1", "width:>1", "-dog"):
        found = [world.ids(query, store, sort=sort, limit=7, offset=5)
                 for store in (forward, backward)]
        assert found[0] == found[1], query
    backward.close()


@pytest.mark.parametrize("sort", ["date", "path"])
def test_of_several_paths_the_one_in_the_folders_asked_for_counts(world, sort):
    """Each image is in `a` and `b`, in opposite orders."""
    images = [world.image(f"{i:02}", dog=1.0) for i in range(20)]
    store = world.store(*images, names={f"{i:02}": f"a/{i:02}.jpg" for i in range(20)})
    world.fill(store, images, names={f"{i:02}": f"b/{50 - i}.jpg" for i in range(20)})
    ids = [image.image_id for image in images]
    for query in ("dog", "width:>1"):
        assert world.ids(query, store, sort=sort, limit=20) == ids
        for folders, expected in {
            ("/pile/a",): ids,
            ("/pile/b",): ids[::-1],
            ("/pile/b", "/pile/a"): ids,
            ("/pile",): ids,
            ("/elsewhere",): ids,
        }.items():
            wanted = {"sort": sort, "places": list(folders)}
            assert world.ids(query, store, limit=20, **wanted) == expected
            assert world.ids(query, store, limit=5, offset=9, **wanted) == expected[9:14]


@pytest.mark.parametrize("query", ["dog", "width:>1"])
def test_only_some_rows_are_sorted_when_only_some_are_asked_for(world, albums, query):
    whole = world.ids(query, albums, sort="date", limit=100)
    half = [image_id for image_id in whole if albums.find(image_id)[0] % 2 == 0]
    where = world.where(albums, *half)
    assert world.ids(query, albums, sort="date", limit=100, where=where) == half
    assert world.ids(query, albums, sort="date", limit=4, offset=3, where=where) == half[3:7]
