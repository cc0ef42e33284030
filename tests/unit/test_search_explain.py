"""An answer taken apart: the parts of a query, the words found, the rank of any one image."""

import numpy as np
import pytest

from visionquery.search.executor import execute, explain
from visionquery.search.result import Part
from visionquery.store.memory import MemoryStore

QUERIES = [
    "dog", "-dog", "dog -car", "dog AND beach", "dog OR car", "dog -(car OR snow)", "like:0003",
    "like:0003 2:beach", "rex dog", "dog date:2020", "dog OR date:2021", "-dog OR date:2021",
    "-people",
]  # fmt: skip

ROWS = (0, 3, 4, 5, 9, 20, 24, 25, 28, 34, 41, 49)
"""Images to be told of: alike ones (0 and 25, 3 and 28, ...) among them."""


@pytest.fixture(scope="module")
def crowd(world) -> MemoryStore:
    """Fifty images, some of them alike to the last digit."""
    rng = np.random.default_rng(2)
    shows = rng.uniform(0, 1, (25, 4)).tolist() * 2
    images = [
        world.image(
            f"{i:04}", dog=d, beach=b, car=c, snow=s,
            facts={"taken_at": f"20{20 + i % 3}-01-01T00:00:00", "keywords": ("Rex",) * (i == 9)},
        )
        for i, (d, b, c, s) in enumerate(shows)
    ]  # fmt: skip
    return world.store(*images, names={"0004": "rex.jpg", "0005": "sea dogs/rex on ice.jpg"})


def explained(world, query, store, row, **wanted):
    return explain(world.plan(query, store), store, row, text=query, **wanted)


# -- rank ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("min_confidence", [0.0, 0.25])
@pytest.mark.parametrize("query", QUERIES)
def test_the_rank_is_that_of_a_full_search(world, crowd, query, min_confidence):
    page = world.search(query, crowd, limit=100, min_confidence=min_confidence)
    ranks = {hit.image_id: hit.rank for hit in (*page.hits, *page.closest)}
    for row in ROWS:
        found = explained(world, query, crowd, row, min_confidence=min_confidence)
        assert found.rank == ranks.get(found.hit.image_id), (query, row)
        assert (found.images, found.query, found.model) == (50, query, "words")


@pytest.mark.parametrize("min_confidence", [0.25, 0.9])
@pytest.mark.parametrize("query", QUERIES)
def test_it_is_relevant_where_the_search_says_so(world, crowd, query, min_confidence):
    relevant = world.search(query, crowd, limit=100, min_confidence=min_confidence).hits
    confidences = {hit.image_id: hit.confidence for hit in relevant}
    for row in ROWS:
        found = explained(world, query, crowd, row, min_confidence=min_confidence)
        assert found.min_confidence == min_confidence
        assert found.is_relevant == (found.hit.image_id in confidences)
        if found.is_relevant:
            assert found.hit.confidence == confidences[found.hit.image_id]


def test_an_image_that_a_filter_leaves_out_has_no_rank(world, crowd):
    found = explained(world, "dog date:2020", crowd, 1, min_confidence=0.0)
    assert found.rank is None
    assert not found.is_relevant
    assert found.hit.confidence == 0.0
    assert explained(world, "dog date:2021", crowd, 1).rank is not None


def test_filters_alone_make_all_images_equal(world, crowd):
    ranks = {explained(world, "date:2020", crowd, row).rank for row in range(50)}
    assert ranks == {1, None}


# -- parts ---------------------------------------------------------------------------------------
def test_every_part_of_the_query_is_told_in_its_order(world, crowd):
    parts = explained(world, "dog -car date:2020 -width:>5000 like:0003", crowd, 0).hit.parts
    assert [(part.text, part.kind, part.excluded) for part in parts] == [
        ("dog like:0003", "picture", False), ("car", "description", True),
        ("date:2020", "filter", False), ("width:5001..", "filter", True),
    ]  # fmt: skip


@pytest.mark.parametrize(("row", "holds"), [(0, 1.0), (1, 0.0)])
def test_a_filter_is_one_or_nothing(world, crowd, row, holds):
    first, second = explained(world, "date:2020 -date:2020", crowd, row).hit.parts
    assert first == Part("date:2020", "filter", False, holds)
    assert second == Part("date:2020", "filter", True, holds)


def test_a_part_has_the_confidence_and_score_of_a_search_for_it(world, crowd):
    for row in range(0, 50, 7):
        dog, car, picture = explained(world, "dog OR car OR like:0003", crowd, row).hit.parts
        for part, query in ((dog, "dog"), (car, "car"), (picture, "like:0003")):
            alone = explained(world, query, crowd, row).hit
            assert (part.confidence, part.score) == (alone.confidence, alone.score)
            assert not part.excluded
        assert [dog.kind, picture.kind] == ["description", "picture"]


def test_what_is_excluded_says_how_much_of_it_is_believed(world, crowd):
    for row in range(0, 50, 7):
        alone = explained(world, "-car", crowd, row).hit
        (part,) = alone.parts
        assert part.excluded
        assert part.confidence == pytest.approx(1 - alone.confidence, abs=1e-9)
        assert part.score == explained(world, "car", crowd, row).hit.score


def test_two_negations_exclude_nothing(world, crowd):
    (part,) = explained(world, "-(-dog)", crowd, 0).hit.parts
    assert (part.text, part.excluded) == ("dog", False)


def test_a_part_that_stands_twice_is_told_once(world, crowd):
    parts = explained(world, "(dog date:2020) OR (dog date:2021)", crowd, 0).hit.parts
    assert [part.text for part in parts] == ["dog", "date:2020", "date:2021"]


def test_the_words_that_stand_in_its_files_are_told_as_they_were_asked(world, crowd):
    by_row = {
        row: explained(world, 'Rex dog "on ice" OR -rex', crowd, row).hit.parts
        for row in (3, 4, 5, 9)
    }
    assert {row: parts[0].words for row, parts in by_row.items()} == {
        3: (), 4: ("rex",), 5: ("on ice", "rex", "dog"), 9: ("rex",)
    }  # fmt: skip
    assert [parts[1].words for parts in by_row.values()] == [(), ("rex",), ("rex",), ("rex",)]


# -- explaining a page ---------------------------------------------------------------------------
@pytest.mark.parametrize("query", [*QUERIES, "date:2020"])
@pytest.mark.parametrize("sort", [None, "path"])
def test_explaining_a_page_changes_nothing_else(world, crowd, query, sort):
    made = world.plan(query, crowd)
    plain = execute(made, crowd, limit=9, offset=2, sort=sort)
    told = execute(made, crowd, limit=9, offset=2, sort=sort, parts=True)
    assert told.total == plain.total
    for hits, others in ((told.hits, plain.hits), (told.closest, plain.closest)):
        assert len(hits) == len(others)
        for hit, other in zip(hits, others, strict=True):
            assert (hit.image_id, hit.confidence, hit.score, hit.rank) == (
                other.image_id, other.confidence, other.score, other.rank,
            )  # fmt: skip
            assert hit.parts
            assert other.parts == ()
            row = int(hit.image_id)
            assert hit.parts == explained(world, query, crowd, row).hit.parts


def test_an_image_below_a_hole_is_the_one_that_is_told(world):
    store = world.store(*(world.image(f"{i:02}", dog=1.0, car=i / 9) for i in range(9)))
    with store.writing():
        store.forget([(1, "00.jpg"), (1, "03.jpg")])
        store.prune()
    for row in (1, 2, 4, 8):
        found = explained(world, "car", store, row)
        assert found.hit.image_id == f"{row:02}"
        assert found.images == 7
