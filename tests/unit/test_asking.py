"""From a tree to a response: explanations, orders, and what makes no sense to ask."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from visionquery.asking import Wanted, answer, explain, known_image
from visionquery.errors import (
    ImageNotFoundError,
    ImageTooLargeError,
    InputError,
    UnreadableImageError,
)
from visionquery.images import content as contents
from visionquery.images.content import of_bytes
from visionquery.images.decode import decode
from visionquery.images.limits import Limits
from visionquery.images.workers import decode_part
from visionquery.opening import check_pictures, picture_or_id
from visionquery.query.ast import Box, Like
from visionquery.query.grammar import parse
from visionquery.search.background import Background, keep_background
from visionquery.search.result import DEFAULT_MIN_CONFIDENCE, Explanation, Response
from visionquery.store.base import FileRecord, Fragment
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
    with pytest.raises(ImageNotFoundError, match="not in the library"):
        why("99", "dog")


def test_only_an_id_that_no_image_has_is_not_found(ask, store) -> None:
    with pytest.raises(ImageNotFoundError, match="no image with that id"):
        picture_or_id("99", store)
    with pytest.raises(InputError, match="is a folder") as caught:
        picture_or_id(".", store)
    assert not isinstance(caught.value, ImageNotFoundError)
    with pytest.raises(InputError, match="is not here") as caught:
        ask("like:99")
    assert not isinstance(caught.value, ImageNotFoundError)


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


# -- pictures that no file holds -----------------------------------------------------------------
def encoded(pixels: np.ndarray, **options) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", **options)
    return stream.getvalue()


def halves(left: tuple[int, int, int], right: tuple[int, int, int]) -> np.ndarray:
    """A picture of 40 × 20 pixels."""
    pixels = np.zeros((20, 40, 3), np.uint8)
    pixels[:, :20], pixels[:, 20:] = left, right
    return pixels


RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
RED_PICTURE = encoded(halves(RED, RED))


def test_a_picture_may_be_given_as_its_content(world, store) -> None:
    node = parse("image:upload")
    given = {"upload": RED_PICTURE}  # The encoder's first colour is the axis of dogs.
    found = answer(store, world.encoder, node, "?", Wanted(min_confidence=0.0), pictures=given)
    assert [hit.image_id for hit in found.hits[:2]] == ["a1", "b2"]
    assert found.hits[0].score == pytest.approx(1.0, abs=0.01)
    why = explain(
        store, world.encoder, "a1", node, "?", min_confidence=0.0, pictures=given
    )
    assert why.rank == 1
    assert [part.kind for part in why.hit.parts] == ["picture"]


def test_what_is_given_by_no_name_is_a_file(world, store, tmp_path) -> None:
    node = parse("image:upload image:other")
    check_pictures(node, given=("upload", "other"))
    with pytest.raises(InputError, match="no file other"):
        answer(store, world.encoder, node, "?", Wanted(), pictures={"upload": RED_PICTURE})
    with pytest.raises(InputError, match="no file upload"):
        explain(store, world.encoder, "a1", node, "?", min_confidence=0.0)


@pytest.mark.parametrize(
    ("content", "limits", "kind"),
    [
        (b"no picture", Limits(), UnreadableImageError),
        (RED_PICTURE, Limits(max_pixels=799), ImageTooLargeError),
        (RED_PICTURE, Limits(max_bytes=10), ImageTooLargeError),
    ],
)
def test_content_that_cannot_be_used_is_named(
    world, store, tmp_path, content, limits, kind
) -> None:
    says = "The picture upload cannot be used as a query: "
    pictures, node = {"upload": content}, parse("image:upload")
    with pytest.raises(kind, match=says):
        answer(store, world.encoder, node, "?", Wanted(), pictures=pictures, limits=limits)
    with pytest.raises(kind, match=says):
        explain(
            store, world.encoder, "a1", node, "?", min_confidence=0.0, pictures=pictures,
            limits=limits,
        )  # fmt: skip
    file = tmp_path / "picture.png"
    file.write_bytes(content)
    with pytest.raises(kind, match=r"picture\.png cannot be used as a query: "):
        answer(store, world.encoder, parse(f"image:{file}"), "?", Wanted(), limits=limits)


# -- files that hold several images --------------------------------------------------------------
def test_an_answer_says_which_of_a_files_images_it_is(ask, why, store, tmp_path) -> None:
    film, archive = tmp_path / "film.mp4", tmp_path / "z.zip"
    frames = (Fragment("t=1.5", "b2"), Fragment("t=2", "a1"), Fragment("t=9", "a1"))
    with store.writing():
        root = store.add_root(str(tmp_path)).root_id
        members = (Fragment("member=dogs/a.jpg", "a1"),)
        store.write([], [FileRecord(root, film.name, 1, 1, None, None, frames)])
        store.write([], [FileRecord(root, archive.name, 1, 1, None, None, members)])
    fragments = {str(film): "t=2", str(archive): "member=dogs/a.jpg"}
    for place, fragment in ((film, "t=2"), (archive, "member=dogs/a.jpg")):
        hit = ask("dog", within=[str(place)], limit=1).hits[0]
        assert (hit.path, hit.fragment, hit.fragments) == (str(place), fragment, fragments)
    assert known_image(store, "a1").fragments == why("a1", "dog").hit.fragments == fragments
    assert ask("path:dogs/a.jpg").hits[0].image_id == "a1"
    whole = ask("snow", limit=1).hits[0]
    assert (whole.fragment, whole.fragments) == ("", {})


# -- parts of images -----------------------------------------------------------------------------
@pytest.fixture
def seen(world, store, tmp_path) -> tuple[str, list[Path]]:
    """The id of a stored image, red on the left and blue on the right, and its two files."""
    content = encoded(halves(RED, BLUE))
    name, files = contents.image_id(content), [tmp_path / "1.png", tmp_path / "2.png"]
    with store.writing():
        root = store.add_root(str(tmp_path)).root_id
        records = [FileRecord(root, file.name, 10, 1, name) for file in files]
        store.write([world.image(name, snow=1.0)], records)
    for file in files:
        file.write_bytes(content)
    return name, files


def test_a_part_of_an_image_is_looked_for(ask, seen) -> None:
    name, _ = seen
    for box, best, axis in (("0,0,50,100", "a1", 1.0), ("50,0,50,100", "d4", 1.0)):
        found = ask(f"like:{name[:8]}@{box}", min_confidence=0.0, parts=True).hits[0]
        assert found.image_id == best
        assert found.score == pytest.approx(axis, abs=0.01)
        assert [part.kind for part in found.parts] == ["picture"]
    assert ask(f"like:{name}", min_confidence=0.0).hits[0].image_id in (name, "f6")


def test_the_first_file_that_still_has_the_content_is_read(ask, why, seen) -> None:
    name, files = seen
    query = f"like:{name}@0,0,50,100"
    files[0].write_bytes(RED_PICTURE)
    assert ask(query, min_confidence=0.0).hits[0].image_id == "a1"
    files[1].unlink()
    for asked in (lambda: ask(query), lambda: why("a1", query)):
        with pytest.raises(InputError, match=r"1\.png is gone or has changed.*visionquery index"):
            asked()
    assert ask(f"like:{name}", min_confidence=0.0).hits


@pytest.mark.parametrize(
    ("box", "size", "colours"),
    [
        (Box(0, 0, 100, 100), (40, 20), {RED, BLUE}),
        (Box(50, 0, 50, 100), (20, 20), {BLUE}),
        (Box(25, 50, 25, 50), (10, 10), {RED}),
        (Box(99.9, 99.9, 0.1, 0.1), (1, 1), {BLUE}),
        (Box(0, 0, 1e-20, 1e-20), (1, 1), {RED}),
        (Box(66.6667, 0, 33.3334, 100), (13, 20), {BLUE}),
    ],
)
def test_a_part_is_cut_out_of_the_picture(box, size, colours) -> None:
    part = decode_part(of_bytes(encoded(halves(RED, BLUE))), box, min_side=20)
    assert (part.facts.width, part.facts.height) == size
    assert set(map(tuple, part.pixels.reshape(-1, 3).tolist())) == colours


def test_a_part_is_that_of_the_upright_picture() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # A quarter to the right: what was left is on top.
    content = of_bytes(encoded(halves(RED, BLUE), exif=exif))
    part = decode_part(content, Box(0, 0, 100, 25), min_side=99)
    assert (part.facts.width, part.facts.height) == (20, 10)
    assert (part.pixels == RED).all()


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_part_has_the_pixels_that_are_asked_for(kind) -> None:
    rng = np.random.default_rng(0)
    stream = io.BytesIO()
    Image.fromarray(rng.integers(0, 255, (800, 1600, 3), np.uint8)).save(stream, kind)
    data = stream.getvalue()
    assert decode(data, min_side=50).pixels.shape == (50, 100, 3)
    part = decode_part(of_bytes(data), Box(10, 10, 12.5, 25), min_side=50)
    assert part.pixels.shape[:2] == (100, 100)
    assert (part.facts.width, part.facts.height) == (200, 200)


def test_a_whole_image_and_one_of_its_parts_are_two_terms(world, store, seen) -> None:
    name, _ = seen
    box = Box(0, 0, 50, 100)
    assert parse(f"like:{name}@0,0,50,100").terms == (Like(name, box=box),)
    found = answer(
        store, world.encoder, parse(f"like:{name}@0,0,50,100 -like:{name}"), "?",
        Wanted(min_confidence=0.0, parts=True),
    )  # fmt: skip
    shown = [(part.text, part.excluded) for part in found.hits[0].parts]
    assert shown == [(f"like:{name}@0,0,50,100", False), (f"like:{name}", True)]
