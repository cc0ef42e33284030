"""From a tree to a response: explanations, orders, and what makes no sense to ask."""

import pytest

from visionquery.asking import Wanted, answer, explain
from visionquery.errors import InputError
from visionquery.query.grammar import parse
from visionquery.search.background import Background, keep_background
from visionquery.search.result import DEFAULT_MIN_CONFIDENCE, Explanation, Response
from visionquery.store.memory import MemoryStore


@pytest.fixture
def store(world) -> MemoryStore:
    made = world.store(
        world.image("a1", dog=1.0, facts={"taken_at": "2024-05-01T10:00:00"}),
        world.image("b2", dog=0.8, beach=0.6, facts={"taken_at": "2023-01-01T10:00:00"}),
        world.image("c3", dog=0.7, people=0.7, facts={"width": 4000}),
        world.image("d4", car=1.0, facts={"keywords": ("wet dog",)}),
        world.image("e5", beach=0.9, people=0.4),
        world.image("f6", snow=1.0),
    )
    zero = world.encoder().encode_texts(["dog"])[0] * 0
    with made.writing():
        keep_background(made, Background(world.null, zero, zero, images=6, measured_rows=0))
    return made


@pytest.fixture
def ask(world, store):
    def asked(query: str, **wanted) -> Response:
        return answer(store, world.encoder, parse(query), query, Wanted(**wanted))

    return asked


@pytest.fixture
def why(world, store):
    def explained(image_id: str, query: str, min_confidence=DEFAULT_MIN_CONFIDENCE) -> Explanation:
        node = parse(query)
        return explain(
            store, world.encoder, image_id, node, query, min_confidence=min_confidence
        )

    return explained


QUERIES = [
    "dog", "dog -people", "dog AND people", "dog OR car", "-dog", "beach -(car OR people)",
    '"wet dog"', "snow", "like:a1", "width:>1", "dog OR width:4000",
]  # fmt: skip


# -- explanations --------------------------------------------------------------------------------
@pytest.mark.parametrize("query", QUERIES[:-2])
def test_the_rank_is_that_of_a_full_search(ask, why, query) -> None:
    everything = ask(query, limit=100, min_confidence=0.0).hits
    assert len(everything) == 6
    for hit in everything:
        explained = why(hit.image_id, query)
        assert explained.rank == hit.rank
        assert explained.images == 6
        assert explained.hit.confidence == pytest.approx(hit.confidence)
        assert explained.hit.score == hit.score


@pytest.mark.parametrize("query", QUERIES)
def test_an_image_is_relevant_when_it_is_in_the_answer(ask, why, query) -> None:
    for least in (DEFAULT_MIN_CONFIDENCE, 0.6):
        found = {hit.image_id for hit in ask(query, limit=100, min_confidence=least).hits}
        for image_id in ("a1", "b2", "c3", "d4", "e5", "f6"):
            assert why(image_id, query, least).is_relevant == (image_id in found)


@pytest.mark.parametrize("query", QUERIES)
def test_explaining_changes_no_answer(ask, query) -> None:
    plain, explained = (ask(query, min_confidence=0.0, parts=parts) for parts in (False, True))
    assert [(hit.image_id, hit.confidence) for hit in plain.hits] == [
        (hit.image_id, hit.confidence) for hit in explained.hits
    ]
    assert all(hit.parts for hit in explained.hits)
    assert not any(hit.parts for hit in plain.hits)


def test_the_parts_are_those_of_the_query_in_its_order(why) -> None:
    parts = why("b2", "dog AND like:a1 -beach date:2023 -width:4000").hit.parts
    assert [(part.text, part.kind, part.excluded) for part in parts if part.kind != "picture"] == [
        ("dog", "description", False),
        ("beach", "description", True),
        ("date:2023", "filter", False),
        ("width:4000", "filter", True),
    ]
    (picture,) = [part for part in parts if part.kind == "picture"]
    assert picture.text == "like:a1"
    dog, beach, date, width = (part for part in parts if part.kind != "picture")
    assert dog.score == pytest.approx(0.8, abs=0.01)
    assert dog.confidence > 0.5
    assert beach.confidence > 0.5  # It is what the query excludes.
    assert (date.confidence, width.confidence) == (1.0, 0.0)
    assert date.score is None


def test_an_excluded_part_is_as_sure_as_it_counted(ask) -> None:
    for hit in ask("-dog", min_confidence=0.0, parts=True):
        (part,) = hit.parts
        assert hit.confidence == pytest.approx(1 - part.confidence)


def test_the_words_that_an_image_holds_are_told(why) -> None:
    (part,) = why("d4", "wet dogs running").hit.parts
    assert part.words == ("wet", "dogs")
    (part,) = why("a1", "wet dogs running").hit.parts
    assert part.words == ()


def test_an_image_that_a_filter_leaves_out_has_no_rank(why) -> None:
    explained = why("a1", "dog width:4000", 0.0)
    assert (explained.rank, explained.is_relevant) == (None, False)
    assert explained.hit.parts[-1].confidence == 0.0
    assert why("c3", "dog width:4000").rank == 1


def test_an_image_that_is_not_here_cannot_be_explained(why) -> None:
    with pytest.raises(InputError, match="not in the library"):
        why("99", "dog")


# -- orders and pages ----------------------------------------------------------------------------
@pytest.mark.parametrize("sort", [None, "relevance", "date", "path"])
@pytest.mark.parametrize("query", QUERIES)
def test_pages_joined_are_one_big_page(ask, query, sort) -> None:
    for least in (DEFAULT_MIN_CONFIDENCE, 0.0):
        whole = ask(query, limit=100, sort=sort, min_confidence=least)
        shown = [*whole.hits, *whole.closest]
        joined = []
        for offset in range(0, 8, 2):
            page = ask(query, limit=2, offset=offset, sort=sort, min_confidence=least)
            assert page.total == whole.total
            assert all(hit.rank <= page.total for hit in page.hits)
            joined += [*page.hits, *page.closest]
        assert joined == shown
        assert [hit.rank for hit in joined] == list(range(1, len(joined) + 1))


def test_an_order_holds_what_is_relevant_and_only_that(ask) -> None:
    relevant = {hit.image_id for hit in ask("dog").hits}
    assert relevant == {"a1", "b2", "c3", "d4"}
    newest_first, undated_last = ["a1", "b2"], ["c3", "d4"]
    for sort in ("date", "path"):
        page = ask("dog", sort=sort)
        assert [hit.image_id for hit in page.hits] == newest_first + undated_last
        assert page.closest == ()
    assert ask("dog -date:2024", sort="date").hits[0].image_id == "b2"


def test_where_nothing_is_relevant_the_closest_come_by_relevance(ask) -> None:
    by_relevance = ask("snow", min_confidence=1.0)
    assert by_relevance.hits == ()
    for sort in ("date", "path"):
        page = ask("snow", sort=sort, min_confidence=1.0)
        assert (page.hits, page.total) == ((), 0)
        assert page.closest == by_relevance.closest
        assert page.closest[0].image_id == "f6"


def test_an_order_that_does_not_exist_is_refused(ask) -> None:
    with pytest.raises(InputError, match="relevance, date or path"):
        ask("dog", sort="size")


# -- text in pictures ----------------------------------------------------------------------------
@pytest.mark.parametrize("query", ["text:exit", "dog -text:exit", "dog OR (car text:exit)"])
def test_text_that_was_never_read_is_not_answered_with_nothing(ask, why, store, query) -> None:
    with pytest.raises(InputError, match="index --ocr"):
        ask(query)
    with pytest.raises(InputError, match="index --ocr"):
        why("a1", query)
    with store.writing():
        store.write_texts({0: ""})
    assert ask(query).query == query


def test_text_that_was_read_is_found(ask, store) -> None:
    with store.writing():
        store.write_texts({store.find("f6")[0]: "EMERGENCY EXIT"})
    assert [hit.image_id for hit in ask("text:exit").hits] == ["f6"]
    assert ask("emergency exit").hits[0].image_id == "f6"
