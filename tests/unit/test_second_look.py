"""A second look with a second model of colours: the best first, each encoded once for good."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from visionquery import Library
from visionquery.errors import InputError, UnknownModelError
from visionquery.search.result import Response
from visionquery.testing.tiny_model import make_tiny_model

EACH = 9
COLOURS = ("red", "green", "blue", "yellow", "black")


@pytest.fixture(scope="module")
def other_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second model, whose vectors do not compare with those of the first."""
    return make_tiny_model(tmp_path_factory.mktemp("other-model"), seed=1)


@pytest.fixture
def album(tmp_path: Path, paint) -> Path:
    """Nine pictures of each of five colours."""
    for index, colour in enumerate(COLOURS):
        for number in range(EACH):
            paint(tmp_path / "album" / f"{colour}-{number}.png", colour, 100 * index + number)
    return tmp_path / "album"


@pytest.fixture
def library(tmp_path: Path, tiny_model: Path, album: Path) -> Iterator[Library]:
    with Library.open(
        tmp_path / "library", model=tiny_model, create=True, looks=tmp_path / "looks"
    ) as opened:
        opened.add(album)
        yield opened


def encodes(done: int, total: int) -> None:
    pytest.fail(f"something is encoded, {done} of {total}")


def names(response: Response) -> list[str]:
    return [Path(hit.path or "").name for hit in (*response.hits, *response.closest)]


def test_the_best_are_judged_by_both_and_the_rest_comes_after(library, other_model):
    first = library.search("red", limit=100, min_confidence=0)
    refined = library.search("red", limit=100, min_confidence=0, rerank=other_model, candidates=24)
    assert (refined.reranked_by, refined.not_reranked, refined.model) == ("tiny-1", 0, "tiny")
    assert (first.reranked_by, first.not_reranked) == (None, 0)
    assert sorted(names(refined)) == sorted(names(first))
    assert sorted(names(refined)[:24]) == sorted(names(first)[:24])
    assert names(refined)[24:] == names(first)[24:]
    assert {name.split("-")[0] for name in names(refined)[:EACH]} == {"red"}
    assert [hit.confidence for hit in refined.hits[24:]] == [
        hit.confidence for hit in first.hits[24:]
    ]
    assert [hit.confidence for hit in refined.hits[:24]] != [
        hit.confidence for hit in first.hits[:24]
    ]


@pytest.mark.parametrize(
    "query",
    ["red", "red OR blue", "red -blue", "-red", "red path:green", "2:red AND white", "ext:png red",
     "path:green OR red"],
)  # fmt: skip
def test_pages_are_of_one_order(library, other_model, query):
    asked = {"min_confidence": 0.0, "rerank": other_model, "candidates": 24}
    whole = library.search(query, limit=100, **asked)
    paged = [
        library.search(query, limit=7, offset=start, **asked) for start in range(0, whole.total, 7)
    ]
    assert [name for page in paged for name in names(page)] == names(whole)
    assert [hit.rank for page in paged for hit in page] == list(range(1, whole.total + 1))
    assert {page.total for page in paged} == {whole.total}


@pytest.mark.parametrize("query", ["red", "red OR blue", "red -blue", "red path:red"])
def test_what_is_relevant_comes_first_and_is_counted(library, other_model, query):
    for least in (0.1, 0.5, 0.9):
        response = library.search(
            query, limit=100, min_confidence=least, rerank=other_model, candidates=24
        )
        assert all(hit.confidence >= least for hit in response.hits)
        assert all(hit.confidence < least for hit in response.closest)
        assert response.total == len(response.hits)


def test_a_second_run_and_another_library_encode_nothing(
    library, other_model, tmp_path, tiny_model, album
):
    seen: list[tuple[int, int]] = []
    first = library.search("red", rerank=other_model, on_look=lambda *at: seen.append(at))
    assert seen[0] == (0, 45)
    assert seen[-1] == (45, 45)
    again = library.search("red", rerank=other_model, on_look=encodes)
    assert names(again) == names(first)
    assert [hit.confidence for hit in again] == [hit.confidence for hit in first]
    with Library.open(
        tmp_path / "other", model=tiny_model, create=True, looks=tmp_path / "looks"
    ) as other:
        other.add(album)
        answer = other.search("red", rerank=other_model, on_look=encodes)
        assert names(answer) == names(first)


def test_a_broken_cache_costs_a_look_and_nothing_else(library, other_model, tmp_path):
    before = library.search("red", rerank=other_model)
    (file,) = (tmp_path / "looks").glob("*.sqlite")
    file.write_bytes(b"nothing of the kind" * 1000)
    seen: list[int] = []
    after = library.search("red", rerank=other_model, on_look=lambda done, _: seen.append(done))
    assert max(seen) == 45
    assert names(after) == names(before)


def test_images_whose_files_are_gone_keep_their_first_score(library, other_model, album):
    first = library.search("red", limit=100, min_confidence=0)
    for number in (0, 3):
        (album / f"red-{number}.png").unlink()
    refined = library.search("red", limit=100, min_confidence=0, rerank=other_model)
    assert refined.not_reranked == 2
    confidence = {name: hit.confidence for name, hit in zip(names(first), first, strict=True)}
    kept = {
        name
        for name, hit in zip(names(refined), refined, strict=True)
        if hit.confidence == confidence[name]
    }
    assert {"red-0.png", "red-3.png"} <= kept
    assert len(kept) < 10
    for path in album.iterdir():
        path.unlink()
    unseen = library.search("blue", limit=100, rerank=other_model)
    assert unseen.reranked_by == "tiny-1"  # what was looked at once is known for good


def test_where_nothing_can_be_seen_the_first_answer_stays(library, other_model, album):
    first = library.search("red")
    for path in album.iterdir():
        path.unlink()
    refined = library.search("red", rerank=other_model)
    assert (refined.reranked_by, refined.not_reranked) == (None, 45)
    assert refined.hits == first.hits


def test_pictures_are_terms_of_the_second_model_too(library, other_model, album):
    red = library.search("red").hits[0].image_id
    for query in (
        f"like:{red}",
        f"image:{album}/red-1.png",
        f"red -like:{red}",
        f"like:{red}@0,0,50,50",
    ):
        response = library.search(query, min_confidence=0, rerank=other_model)
        assert response.reranked_by == "tiny-1"
        assert len(response) == 20
    assert names(library.search(f"like:{red}", limit=3, rerank=other_model))[0].startswith("red")


def test_an_image_of_the_query_must_be_there_to_be_looked_at(library, other_model, album):
    hit = library.search("red").hits[0]
    Path(hit.path).unlink()
    with pytest.raises(InputError, match="--rerank"):
        library.search(f"like:{hit.image_id}", rerank=other_model)


def test_other_orders_sort_what_is_relevant_after_the_look(library, other_model):
    best = library.search("red", limit=100, rerank=other_model)
    by_path = library.search("red", limit=100, sort="path", rerank=other_model)
    paths = [hit.path for hit in by_path]
    assert paths == sorted(paths)
    assert set(paths) == {hit.path for hit in best}
    assert {hit.path: hit.confidence for hit in by_path} == {
        hit.path: hit.confidence for hit in best
    }


def test_parts_explain_what_both_models_say(library, other_model):
    response = library.search("red -blue", explain=True, rerank=other_model)
    for hit in response:
        asked, excluded = hit.parts
        assert (asked.text, excluded.text, excluded.excluded) == ("red", "blue", True)
    single = library.search("red", explain=True, rerank=other_model).hits[0]
    assert single.parts[0].confidence == pytest.approx(single.confidence)


def test_filters_alone_have_nothing_to_look_at(library, other_model):
    response = library.search("ext:png", rerank=other_model, on_look=encodes)
    assert (response.total, response.reranked_by) == (45, None)


@pytest.mark.parametrize("candidates", [23, 201, 0, "many"])
def test_only_so_many_candidates_are_looked_at(library, other_model, candidates):
    with pytest.raises(InputError, match="24 to 200"):
        library.search("red", rerank=other_model, candidates=candidates)


def test_the_model_must_be_another_one_that_is_there(library, tiny_model, tmp_path):
    with pytest.raises(InputError, match="own model"):
        library.search("red", rerank=tiny_model)
    with pytest.raises(InputError, match="not chosen"):
        library.search("red", rerank="auto")
    with pytest.raises(UnknownModelError):
        library.search("red", rerank=tmp_path / "no-model")


def test_where_images_are_passed_over_the_best_of_the_others_are_looked_at(
    library, other_model, monkeypatch
):
    monkeypatch.setattr("visionquery.store.meaning.COMPARED_ALL", 0)
    response = library.search("red OR blue -green", rerank=other_model, exact=False)
    assert (response.exact, response.reranked_by) == (False, "tiny-1")
    assert {name.split("-")[0] for name in names(response)[: len(response)]} == {"red", "blue"}


def test_an_interrupt_keeps_what_was_seen(library, other_model):
    def stop(done: int, total: int) -> None:
        if done == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        library.search("red", rerank=other_model, on_look=stop)
    left: list[int] = []
    library.search("red", rerank=other_model, on_look=lambda _, total: left.append(total))
    assert left[-1] == 45 - 16  # of those seen, whole batches are kept
