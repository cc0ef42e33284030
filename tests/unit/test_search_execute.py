"""Planning and executing queries on a store in memory, with an encoder that can be read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from visionquery.errors import InputError, ModelMismatchError
from visionquery.query.grammar import parse
from visionquery.query.plan import AllOf, FilterRef, Negation, Null, Plan, ProbeRef
from visionquery.search.background import Background
from visionquery.search.executor import execute
from visionquery.search.planner import plan
from visionquery.search.result import Page, Response
from visionquery.store.base import FileRecord, ImageRecord, NewImage
from visionquery.store.memory import MemoryStore
from visionquery.types import Decoded, Facts, Matrix, ModelIdentity

WORDS = ("dog", "beach", "car", "people", "snow")
IDENTITY = ModelIdentity("words", "f1", len(WORDS) + 1, "words")
NULL = Null(mean=0.0, std=0.1)


@dataclass
class WordEncoder:
    """One axis for each known word and one for all else; a picture shows its mean colours."""

    identity: ModelIdentity = IDENTITY
    logit_scale: float = 10.0
    image_side: int = 2
    batches: list[list[str]] = field(default_factory=list)

    def prepare(self, decoded: Decoded) -> NDArray[np.float32]:
        return decoded.pixels.transpose(2, 0, 1).astype(np.float32)

    def encode_images(self, prepared: NDArray[np.float32]) -> Matrix:
        means = prepared.mean(axis=(2, 3))
        padded = np.pad(means, ((0, 0), (0, self.identity.embed_dim - 3)))
        return padded / np.linalg.norm(padded, axis=1, keepdims=True)

    def encode_texts(self, texts: Sequence[str]) -> Matrix:
        self.batches.append(list(texts))
        rows = [[float(word in text.split()) for word in WORDS] for text in texts]
        matrix = np.array([[*row, 0.0 if any(row) else 1.0] for row in rows], np.float32)
        return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)


def image(name: str, *, taken_at: str | None = None, width: int = 100, **parts: float) -> NewImage:
    vector = np.array([*(parts.get(word, 0.0) for word in WORDS), 0.05], np.float32)
    vector /= np.linalg.norm(vector)
    return NewImage(name, vector, Facts(width, 50, "JPEG", 10, taken_at=taken_at))


def store_of(*images: NewImage) -> MemoryStore:
    store = MemoryStore(IDENTITY)
    with store.writing():
        root = store.add_root("/photos").root_id
        files = [FileRecord(root, f"{i.image_id}.jpg", 10, 1, i.image_id) for i in images]
        store.write(images, files)
    return store


def no_picture(path: str) -> Decoded:
    raise AssertionError(f"{path} was read")


def planned(text: str, store: MemoryStore, encoder: WordEncoder | None = None) -> Plan:
    zero = np.zeros(IDENTITY.embed_dim, np.float32)
    return plan(
        parse(text),
        encoder=encoder or WordEncoder(),
        store=store,
        background=Background(NULL, zero, zero, images=1),
        read_picture=no_picture,
    )


def ids(page: Page) -> list[str]:
    return [hit.image_id for hit in (*page.hits, *page.closest)]


@pytest.fixture
def library() -> MemoryStore:
    return store_of(
        image("a1", dog=1.0, taken_at="2024-05-01T10:00:00"),
        image("b2", dog=0.8, beach=0.6, taken_at="2023-01-01T10:00:00"),
        image("c3", dog=0.7, people=0.7, taken_at="2024-07-01T10:00:00", width=4000),
        image("d4", car=1.0),
        image("e5", beach=0.9, people=0.4, taken_at="2024-07-01T10:00:00"),
    )


# -- planning ----------------------------------------------------------------------------------
def test_texts_are_encoded_once_in_one_batch(library: MemoryStore) -> None:
    encoder = WordEncoder()
    made = planned("dog OR (dog AND 2:beach) OR -car", library, encoder)
    assert encoder.batches == [["dog", "beach", "car"]]
    assert made.fingerprint == "f1"
    assert made.nulls == (NULL, NULL, NULL)


def test_the_expression_mirrors_the_tree(library: MemoryStore) -> None:
    made = planned("dog -people date:2024 -date:2024", library)
    same = FilterRef(0)
    assert made.expression == AllOf((ProbeRef(0), Negation(ProbeRef(1)), same, Negation(same)))
    assert len(made.filters) == 1


def test_filters_alone_do_not_wake_the_encoder(library: MemoryStore) -> None:
    encoder = WordEncoder()
    made = planned("date:2024 like:a1 OR width:>1", library, encoder)
    assert encoder.batches == []
    assert made.probes.shape == (1, IDENTITY.embed_dim)
    assert planned("date:2024", library, encoder).probes.shape == (0, IDENTITY.embed_dim)


def test_a_single_term_is_exactly_its_vector_even_weighted(library: MemoryStore) -> None:
    expected = WordEncoder().encode_texts(["dog"])
    np.testing.assert_array_equal(planned("3:dog", library).probes, expected)
    stored = library.vectors([0])
    made = planned("like:a", library)
    np.testing.assert_array_equal(made.probes, stored)
    assert made.nulls == (None,)


def test_blends_are_centred_by_modality_and_weighted(library: MemoryStore) -> None:
    text_mean = np.array([0, 0, 0, 0, 0, 0.5], np.float32)
    image_mean = np.array([0.2, 0, 0, 0, 0, 0], np.float32)
    pixels = np.zeros((2, 2, 3), np.uint8)
    pixels[..., 0] = 255
    seen: list[str] = []

    def read(path: str) -> Decoded:
        seen.append(path)
        return Decoded(pixels, Facts(2, 2, "PNG", 1))

    made = plan(
        parse("image:x.png 2:beach"),
        encoder=WordEncoder(),
        store=library,
        background=Background(NULL, text_mean, image_mean, images=1),
        read_picture=read,
    )
    beach = np.array([0, 1, 0, 0, 0, -0.5]) / np.sqrt(1.25)
    expected = np.array([1.0, 0, 0, 0, 0, 0]) + 2 * beach
    expected /= np.linalg.norm(expected)
    np.testing.assert_allclose(made.probes[0], expected, atol=1e-6)
    assert made.nulls == (None,)
    assert seen == ["x.png"]


@pytest.mark.parametrize(("query", "says"), [("like:zz", "not here"), ("like:a", "several")])
def test_like_names_one_image(query: str, says: str) -> None:
    store = store_of(image("a1", dog=1.0), image("a2", car=1.0))
    with pytest.raises(InputError, match=says):
        planned(query, store)


def test_terms_that_cancel_are_refused() -> None:
    opposite = store_of(
        NewImage("0a", -WordEncoder().encode_texts(["dog"])[0], Facts(1, 1, "P", 1))
    )
    with pytest.raises(InputError, match="cancel"):
        planned("dog like:0a", opposite)


# -- executing ---------------------------------------------------------------------------------
def test_one_probe_ranks_by_cosine(library: MemoryStore) -> None:
    page = execute(planned("dog", library), library, limit=10)
    assert ids(page) == ["a1", "b2", "c3", "d4", "e5"]
    assert [hit.rank for hit in (*page.hits, *page.closest)] == [1, 2, 3, 4, 5]
    assert page.total == len(page.hits) == 3
    top = page.hits[0]
    assert top.score == pytest.approx(1 / np.sqrt(1 + 0.05**2))
    assert (top.path, top.width, top.taken_at) == ("/photos/a1.jpg", 100, "2024-05-01T10:00:00")


def test_saturated_confidence_keeps_the_order_of_cosines() -> None:
    rng = np.random.default_rng(3)
    images = [image(f"{i:04}", dog=1.0, car=float(rng.uniform(0, 0.02))) for i in range(200)]
    others = [image(f"e{i:05}", people=1.0) for i in range(1000)]
    store = store_of(*images, *others)
    tight = replace(planned("dog", store), nulls=(Null(0.0, 0.01),))
    page = execute(tight, store, limit=200)
    scores = [hit.score or 0.0 for hit in page.hits]
    assert all(hit.confidence == 1.0 for hit in page.hits)
    assert len(set(scores)) > 150
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("query", ["dog", "dog width:>1", "dog OR width:>1", "-dog"])
def test_order_of_equals_and_pages_do_not_depend_on_rows(query: str) -> None:
    images = [image(f"{i:02}", dog=1.0, car=(i % 3) / 2) for i in range(12)]
    forward, backward = store_of(*images), store_of(*reversed(images))
    whole = ids(execute(planned(query, forward), forward, limit=12))
    assert ids(execute(planned(query, backward), backward, limit=12)) == whole
    for store in (forward, backward):
        made = planned(query, store)
        pages = [ids(execute(made, store, limit=5, offset=at)) for at in (0, 5, 10, 15)]
        assert [one for page in pages for one in page] == whole


def test_negation_pushes_down_and_filters_cut(library: MemoryStore) -> None:
    page = execute(planned("dog -people", library), library)
    assert [hit.image_id for hit in page.hits] == ["a1", "b2"]
    assert ids(execute(planned("dog -people date:2024", library), library))[0] == "a1"
    assert set(ids(execute(planned("dog date:2024", library), library))) == {"a1", "c3", "e5"}
    assert set(ids(execute(planned("dog -date:2024", library), library))) == {"b2", "d4"}


def test_conjunction_means_and_alternative_takes_the_larger(library: MemoryStore) -> None:
    both = execute(planned("dog AND people", library), library)
    assert both.hits[0].image_id == "c3"
    dog, people = (execute(planned(q, library), library) for q in ("dog", "people"))
    single = [
        next(hit for hit in (*page.hits, *page.closest) if hit.image_id == "c3")
        for page in (dog, people)
    ]
    mean = np.sqrt(single[0].confidence * single[1].confidence)
    assert both.hits[0].confidence == pytest.approx(mean)
    assert both.hits[0].score == pytest.approx(
        ((single[0].score or 0) + (single[1].score or 0)) / 2
    )
    either = execute(planned("dog OR car", library), library)
    assert {hit.image_id for hit in either.hits} == {"a1", "b2", "c3", "d4"}


def test_a_filter_in_an_alternative_is_certain(library: MemoryStore) -> None:
    page = execute(planned("car OR width:4000", library), library)
    assert [hit.image_id for hit in page.hits] == ["c3", "d4"]
    assert page.hits[0].confidence == 1.0


def test_filters_alone_come_newest_first_then_by_path(library: MemoryStore) -> None:
    page = execute(planned("width:>1", library), library, limit=4)
    assert ids(page) == ["c3", "e5", "a1", "b2"]
    assert ids(execute(planned("width:>1", library), library, limit=4, offset=4)) == ["d4"]
    assert page.total == 5
    assert {(hit.score, hit.confidence) for hit in page.hits} == {(None, 1.0)}
    assert ids(execute(planned("date:2024 OR date:2023", library), library))[-1] == "b2"


def test_within_and_holes_are_never_answers(library: MemoryStore) -> None:
    with library.writing():
        library.forget([(1, "a1.jpg")])
        library.prune()
    made = planned("dog", library)
    assert "a1" not in ids(execute(made, library))
    mask = np.zeros(library.row_count(), bool)
    mask[[0, 1]] = True
    assert ids(execute(made, library, within=mask)) == ["b2"]
    assert ids(execute(planned("width:>1", library), library, within=mask)) == ["b2"]


def test_nothing_good_enough_shows_what_came_near(library: MemoryStore) -> None:
    page = execute(planned("snow", library), library, limit=2)
    assert (page.hits, page.total, len(page.closest)) == ((), 0, 2)
    all_of_it = execute(planned("snow", library), library, min_confidence=0.0)
    assert (len(all_of_it.hits), all_of_it.total) == (5, 5)


def test_without_a_null_the_own_scores_calibrate() -> None:
    rng = np.random.default_rng(1)
    noise = [
        image(f"aa{i:04}", **dict.fromkeys(WORDS, float(rng.uniform(0.2, 1)))) for i in range(9)
    ]
    crowd = [image(f"bb{i:04}", car=1.0, snow=float(rng.uniform(0, 1))) for i in range(300)]
    store = store_of(*noise, *crowd, image("d0", dog=1.0))
    page = execute(replace(planned("dog", store), nulls=(None,)), store)
    assert page.hits[0].image_id == "d0"
    assert page.total <= 10


def test_an_empty_store_answers_with_nothing() -> None:
    store = MemoryStore(IDENTITY)
    for query in ("dog", "date:2024", "dog -people", "-dog"):
        assert ids(execute(planned(query, store), store)) == []


class CountingStore(MemoryStore):
    """A memory store that counts the records that are read."""

    def __init__(self) -> None:
        super().__init__(IDENTITY)
        self.read = 0

    def records(self, rows: Sequence[int]) -> list[ImageRecord]:
        self.read += len(rows)
        return super().records(rows)


def test_only_the_records_of_the_page_are_read() -> None:
    store = CountingStore()
    with store.writing():
        root = store.add_root("/p").root_id
        images = [image(f"{i:04}", dog=1.0, car=i / 100) for i in range(100)]
        store.write(images, [FileRecord(root, i.image_id, 1, 1, i.image_id) for i in images])
    execute(planned("dog", store), store, limit=7, offset=20)
    assert store.read == 7


def test_a_plan_of_another_model_is_refused(library: MemoryStore) -> None:
    other = WordEncoder(identity=replace(IDENTITY, fingerprint="f2"))
    with pytest.raises(ModelMismatchError) as caught:
        execute(planned("dog", library, other), library)
    assert (caught.value.library_model, caught.value.asked_model) == ("f1", "f2")


@pytest.mark.parametrize(
    "run",
    [
        lambda made, store: execute(made, store, limit=0),
        lambda made, store: execute(made, store, offset=-1),
        lambda made, store: execute(made, store, min_confidence=1.5),
    ],
)
def test_pages_without_meaning_are_refused(
    library: MemoryStore, run: Callable[[Plan, MemoryStore], Page]
) -> None:
    with pytest.raises(InputError):
        run(planned("dog", library), library)


def test_a_response_is_its_hits(library: MemoryStore) -> None:
    page = execute(planned("dog", library), library)
    response = Response("dog", "words", True, 0.1, page.hits, page.closest, page.total)
    assert list(response) == list(page.hits)
    assert len(response) == 3
    assert response
    assert not replace(response, hits=())


def test_confidence_does_not_depend_on_filters_or_folders(library: MemoryStore) -> None:
    def of_c3(query: str, within: NDArray[np.bool_] | None = None) -> float:
        page = execute(planned(query, library), library, within=within, min_confidence=0)
        return next(hit.confidence for hit in page.hits if hit.image_id == "c3")

    only = np.zeros(library.row_count(), bool)
    only[2] = True
    for query in ("dog", "-dog", "dog -beach"):
        assert of_c3(query) == of_c3(f"{query} width:4000") == of_c3(query, only)


def test_two_negations_are_none(library: MemoryStore) -> None:
    plain = execute(planned("dog", library), library)
    twice = execute(planned("-(-dog)", library), library)
    assert plain.hits == twice.hits
