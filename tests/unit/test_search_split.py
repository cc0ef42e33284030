"""An answer depends on the images alone: not on the store, the batches, the roots or the order."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from visionquery.query.grammar import parse
from visionquery.search import candidates, judging
from visionquery.search.background import kept_background, refresh_background
from visionquery.search.executor import execute
from visionquery.search.planner import plan
from visionquery.store import codes, meaning
from visionquery.store.base import FileRecord, NewImage, Store
from visionquery.store.local import create_local
from visionquery.store.memory import MemoryStore
from visionquery.store.questions import EVERYWHERE
from visionquery.store.vectors import Segments
from visionquery.types import Facts, ModelIdentity

DIM = 24
COUNT = 240
IDENTITY = ModelIdentity("letters", "f1", DIM, "letters")
KINDS = ("dog", "beach", "car", "snow")
QUERIES = [
    "dog", "dog AND beach", "dog AND beach AND car", "dog OR snow", "dog -beach", "-dog",
    "(dog OR car) -(snow OR beach)", "dog date:2024", "dog -date:2024", "harbour lights",
    '"harbour lights"', "dog -harbour", "like:00ab", "like:00ab 2:dog", "dog path:b/", "zebra",
    "width:200..400", "dog OR width:>450", "beach without people",
]  # fmt: skip


def vector_of(text: str) -> np.ndarray:
    return np.random.default_rng(list(text.encode())).normal(0.15, 1, DIM)


def unit(rows: Sequence[np.ndarray]) -> np.ndarray:
    matrix = np.stack(rows)
    return (matrix / np.linalg.norm(matrix, axis=1, keepdims=True)).astype(np.float32)


class LetterEncoder:
    """A text is the sum of vectors that follow from its words."""

    identity = IDENTITY
    logit_scale = 10.0
    calibration = None
    image_side = 2

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        return unit([np.sum([vector_of(word) for word in text.split()], axis=0) for text in texts])


def images() -> list[NewImage]:
    rng = np.random.default_rng(7)
    made = []
    for number in range(COUNT):
        shown = vector_of(KINDS[number % 4]) * rng.uniform(0, 1.2) + rng.normal(0, 1, DIM)
        keywords = ("harbour",) if number % 9 == 0 else ()
        caption = "lights of the harbour" if number % 31 == 0 else None
        facts = Facts(
            100 + 2 * number, 100, "JPEG", 10, taken_at=f"20{20 + number % 6}-01-01T00:00:00",
            caption=caption, keywords=keywords,
        )  # fmt: skip
        made.append(NewImage(f"{number:04x}", unit([shown])[0], facts))
    return made


def fill(store: Store, new: list[NewImage], *, batch: int, roots: Sequence[str]) -> Store:
    with store.writing():
        ids = {root: store.add_root(root).root_id for root in roots}
        for start in range(0, len(new), batch):
            part = new[start : start + batch]
            files = []
            for image in part:
                place = f"/pile/{'ab'[int(image.image_id, 16) % 2]}/{image.image_id}.jpg"
                root = max((each for each in roots if place.startswith(each)), key=len)
                path = place[len(root) + 1 :]
                files.append(FileRecord(ids[root], path, 10, 1, image.image_id))
            store.write(part, files)
        refresh_background(store, LetterEncoder())
    return store


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Store]]:
    new = images()
    shuffled = [new[i] for i in np.random.default_rng(1).permutation(COUNT)]
    folder = tmp_path_factory.mktemp("split")
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setitem(Segments.__init__.__kwdefaults__, "rows_per_segment", 32)
        local = [create_local(folder / name, IDENTITY) for name in ("one", "two")]
        for store in local:
            stack.callback(store.close)
        made = [
            fill(MemoryStore(IDENTITY), new, batch=COUNT, roots=["/pile"]),
            fill(MemoryStore(IDENTITY), shuffled, batch=7, roots=["/pile"]),
            fill(local[0], shuffled[::-1], batch=50, roots=["/pile"]),
            fill(local[1], new[::-1], batch=13, roots=["/pile/a", "/pile/b"]),
        ]
        assert len(list((folder / "one").rglob("*.f32"))) == 8
        yield made


@pytest.mark.parametrize("query", QUERIES)
def test_the_answer_is_the_same_however_the_images_came(stores: list[Store], query: str) -> None:
    pages = [
        execute(
            plan(
                parse(query), encoder=LetterEncoder(), store=store,
                background=kept_background(store), read_picture=Path.read_bytes,
            ),
            store, limit=COUNT, min_confidence=0.0,
        )
        for store in stores
    ]  # fmt: skip
    first, *others = pages
    assert first.hits
    for other in others:
        assert [hit.image_id for hit in other.hits] == [hit.image_id for hit in first.hits]
        assert [hit.rank for hit in other.hits] == [hit.rank for hit in first.hits]
        np.testing.assert_allclose(
            [hit.confidence for hit in other.hits],
            [hit.confidence for hit in first.hits],
            atol=1e-6,
        )


@pytest.fixture(scope="module")
def coded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A library whose images are looked at by their codes first."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(Segments.__init__.__kwdefaults__, "rows_per_segment", 32)
        patch.setattr(codes, "_ROWS_PER_STEP", 16)
        store = create_local(tmp_path_factory.mktemp("coded") / "library", IDENTITY)
        yield fill(store, images()[::-1], batch=50, roots=["/pile"])
        store.close()


@pytest.mark.parametrize("limit", [1, 7, COUNT])
@pytest.mark.parametrize("query", QUERIES)
def test_codes_change_nothing_but_the_rounding_of_scales(
    stores: list[Store], coded: Store, query: str, limit: int
) -> None:
    asked = {"limit": limit, "min_confidence": 0.1}
    true, found = (
        execute(
            plan(
                parse(query), encoder=LetterEncoder(), store=store,
                background=kept_background(store), read_picture=Path.read_bytes,
            ),
            store, **asked,
        )
        for store in (stores[0], coded)
    )  # fmt: skip
    assert coded.estimates(unit([vector_of("dog")])).error > 0
    assert found.exact
    assert abs(found.total - true.total) <= 2
    expected = {hit.image_id: hit for hit in (*true.hits, *true.closest)}
    shown = {hit.image_id: hit for hit in (*found.hits, *found.closest)}
    if not set(" :-").intersection(query):
        assert list(shown) == list(expected)
    # Of a query of several parts, images of like rank may change places with the scales.
    assert len(shown.keys() & expected.keys()) >= len(expected) - 1
    for image_id in shown.keys() & expected.keys():
        assert shown[image_id].score == pytest.approx(expected[image_id].score, abs=1e-6)
        assert shown[image_id].confidence == pytest.approx(
            expected[image_id].confidence, abs=0.01
        )


@pytest.mark.parametrize("query", QUERIES)
def test_what_codes_pass_over_is_never_among_the_best(coded: Store, query: str) -> None:
    asked = plan(
        parse(query), encoder=LetterEncoder(), store=coded,
        background=kept_background(coded), read_picture=Path.read_bytes,
    )  # fmt: skip
    for least in (-np.inf, -2.0, 0.0, 3.0):
        found = candidates.find(asked, coded, EVERYWHERE, count=5, least=least)
        rows = np.flatnonzero(coded.alive())
        every = judging.judged(found.known, rows, coded.scores(asked.vectors, rows))
        order = judging.ranked(every, least)
        best = judging.ranked(found.best, least)
        assert np.sort(best)[-5:].tolist() == np.sort(order)[-5:].tolist()
        relevant = rows[(every.odds >= least) & (every.odds > -np.inf)]
        assert found.relevant.tolist() == relevant.tolist()


@pytest.mark.parametrize("query", QUERIES)
def test_an_answer_that_passes_images_over_says_so(coded: Store, query: str) -> None:
    asked = plan(
        parse(query), encoder=LetterEncoder(), store=coded,
        background=kept_background(coded), read_picture=Path.read_bytes,
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(meaning, "COMPARED_ALL", 10)
        patch.setattr(candidates, "_OF_ONE", 20)
        patch.setattr(candidates, "_OF_SEVERAL", 20)
        page = execute(asked, coded, limit=5, min_confidence=0.0, exact=False)
    true = execute(asked, coded, limit=5, min_confidence=0.0, exact=True)
    assert true.exact
    assert page.exact == (not asked.probes)
    same = {hit.image_id for hit in page.hits} & {hit.image_id for hit in true.hits}
    assert len(same) >= 4
    assert len(page.hits) == len(true.hits) == 5
