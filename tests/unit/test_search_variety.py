"""Folded and spread answers, page by page, on stores in memory and on disk."""

from pathlib import Path

import numpy as np
import pytest

from visionquery.search.result import Page
from visionquery.search.variety import FOLDED, SPREAD, Variety
from visionquery.store.local import create_local
from visionquery.store.memory import MemoryStore

FOLD, SPREAD_OUT = Variety(fold=True), Variety(spread=True)
BOTH = Variety(fold=True, spread=True)
TIME = "2024-05-01T10:00:{:02}"


@pytest.fixture(scope="module")
def some(world) -> MemoryStore:
    """Eighty images of which a few are much the same, some relevant and some not."""
    rng = np.random.default_rng(5)
    return world.store(
        *(
            world.image(
                f"{i:04}",
                dog=float(d),
                car=float(c),
                snow=float(s),
                facts={"taken_at": TIME.format(i % 60) if i % 3 else None},
            )
            for i, (d, c, s) in enumerate(rng.uniform(0, 1, (80, 3)))
        )
    )


def ids(page: Page) -> list[str]:
    return [image for hit in page.hits for image in (hit.image_id, *hit.folded)]


@pytest.mark.parametrize("variety", [FOLD, SPREAD_OUT, BOTH], ids=str)
@pytest.mark.parametrize("query", ["dog", "dog -car", "dog width:>1", "width:>1", "dog OR car"])
def test_pages_go_on_where_others_end(world, some, variety, query) -> None:
    plain = world.search(query, some, limit=100)
    whole = world.search(query, some, limit=100, variety=variety)
    assert sorted(ids(whole)) == sorted(hit.image_id for hit in plain.hits)
    assert whole.total == plain.total
    assert whole.folded_away == plain.total - len(whole.hits)
    assert bool(whole.folded_away) is variety.fold
    assert [hit.image_id for hit in whole.closest] == [hit.image_id for hit in plain.closest]
    pages = [
        world.search(query, some, limit=3, offset=at, variety=variety)
        for at in range(0, 90, 3)
    ]
    assert [hit for page in pages for hit in page.hits] == list(whole.hits)
    assert [hit for page in pages for hit in page.closest] == list(whole.closest)
    assert {page.folded_away for page in pages} == {whole.folded_away}
    everything = [*whole.hits, *whole.closest]
    assert [hit.rank for hit in everything] == list(range(1, len(everything) + 1))


@pytest.mark.parametrize("sort", ["date", "path"])
@pytest.mark.parametrize("query", ["dog", "width:>1"])
def test_a_sorted_answer_is_folded_in_its_order(world, some, sort, query) -> None:
    plain = world.search(query, some, limit=100, sort=sort)
    whole = world.search(query, some, limit=100, sort=sort, variety=FOLD)
    order = {hit.image_id: hit.rank for hit in plain.hits}
    leaders = [order[hit.image_id] for hit in whole.hits]
    assert leaders == sorted(leaders)
    assert sorted(ids(whole)) == sorted(order)
    assert all(
        [order[hit.image_id], *map(order.__getitem__, hit.folded)]
        == sorted([order[hit.image_id], *map(order.__getitem__, hit.folded)])
        for hit in whole.hits
    )
    second = world.search(query, some, limit=2, offset=2, sort=sort, variety=FOLD)
    assert second.hits == whole.hits[2:4]


def test_equal_images_fold_behind_the_one_with_the_least_id(world) -> None:
    images = [world.image(f"{i:02}", dog=1.0) for i in range(5)]
    for store in (world.store(*images), world.store(*reversed(images))):
        page = world.search("dog", store, min_confidence=0.0, variety=FOLD)
        assert [(hit.image_id, hit.folded) for hit in page.hits] == [
            ("00", ("01", "02", "03", "04"))
        ]
        assert (page.total, page.folded_away, page.closest) == (5, 4, ())


def test_what_is_not_relevant_is_neither_folded_nor_spread(world) -> None:
    store = world.store(*(world.image(f"{i:02}", car=1.0) for i in range(5)))
    for variety in (FOLD, SPREAD_OUT, BOTH):
        page = world.search("dog", store, limit=3, variety=variety)
        assert (page.hits, page.total, page.folded_away) == ((), 0, 0)
        assert [hit.image_id for hit in page.closest] == ["00", "01", "02"]
        assert not any(hit.folded for hit in page.closest)


def test_spreading_keeps_the_best_first_and_hits_as_they_are(world, some) -> None:
    plain = world.search("dog", some, limit=100)
    shown = world.search("dog", some, limit=100, variety=SPREAD_OUT)
    assert shown.hits[0] == plain.hits[0]
    assert [hit.image_id for hit in shown.hits] != [hit.image_id for hit in plain.hits]
    known = {hit.image_id: hit for hit in plain.hits}
    for hit in shown.hits:
        assert (hit.score, hit.confidence) == (
            known[hit.image_id].score,
            known[hit.image_id].confidence,
        )


def test_what_lies_past_the_first_thousand_comes_unfolded(world, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    parts = np.sort(rng.uniform(0.0, 0.4, FOLDED + 50))
    images = [world.image(f"{i:06}", dog=1.0, car=float(c)) for i, c in enumerate(parts)]
    store = create_local(tmp_path / "library", world.identity)
    world.fill(store, images)
    wanted = {"min_confidence": 0.0, "variety": FOLD}
    page = world.search("dog", store, limit=2000, **wanted)
    store_ids = ids(page)
    assert sorted(store_ids) == sorted(image.image_id for image in images)
    assert page.total == FOLDED + 50
    last = [hit for hit in page.hits if int(hit.image_id) >= FOLDED]
    assert len(last) == 50
    assert not any(hit.folded for hit in last)
    assert len(page.hits) == page.total - page.folded_away < 200
    assert world.search("dog", store, limit=7, offset=40, **wanted).hits == page.hits[40:47]
    far = world.search("dog", store, limit=80, sort="path", **wanted)
    assert far.hits == world.search("dog", store, limit=2000, sort="path", **wanted).hits[:80]
    listed = world.search("width:>1", store, limit=2000, **wanted)
    assert sorted(ids(listed)) == sorted(store_ids)
    assert world.search("width:>1", store, limit=9, offset=30, **wanted).hits == listed.hits[30:39]
    beyond = world.search("dog", store, limit=SPREAD, offset=2000, **wanted)
    assert beyond.hits == beyond.closest == ()
    store.close()


def test_pages_of_likely_images_go_on_too(world, some) -> None:
    wanted = {"exact": False, "variety": FOLD}
    whole = world.search("dog", some, limit=60, **wanted)
    pages = [world.search("dog", some, limit=4, offset=at, **wanted) for at in range(0, 60, 4)]
    assert [hit for page in pages for hit in page.hits] == list(whole.hits)
    assert whole.folded_away > 0
