"""From a tree and what a person wants of its answer to a response."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, get_args

import numpy as np

from visionquery.errors import ImageError, ImageNotFoundError, InputError
from visionquery.images.limits import DEFAULT_LIMITS, Limits
from visionquery.indexing.places import named_scopes
from visionquery.opening import check_pictures
from visionquery.query.ast import And, Arranged, Blend, Filter, Like, Node, Not, Or, Picture
from visionquery.search.result import (
    DEFAULT_MIN_CONFIDENCE,
    Explanation,
    Page,
    Response,
    Sort,
    seen_within,
)
from visionquery.store.base import ImageRecord, Store
from visionquery.store.places import spelled
from visionquery.store.questions import Where
from visionquery.types import KnownImage

if TYPE_CHECKING:
    from visionquery.images.content import Content
    from visionquery.looking import Looking
    from visionquery.models.encoder import Encoder
    from visionquery.query.plan import Plan
    from visionquery.search.background import Background
    from visionquery.search.blending import Images
    from visionquery.search.second_look import Second
    from visionquery.types import Decoded

__all__ = [
    "NO_PICTURES",
    "Wanted",
    "answer",
    "explain",
    "known_image",
    "original",
    "picture_id",
    "planned",
]


NO_PICTURES: Final[Mapping[str, bytes]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted of an answer: its page, the order, where relevance ends (0..1), folders or
    files to answer from (all where there are none), whether every hit is explained, whether
    every image is compared (None: where the store can), whether alike images are folded into one,
    and whether what comes first is spread."""

    limit: int = 20
    offset: int = 0
    sort: Sort | None = None
    min_confidence: float = DEFAULT_MIN_CONFIDENCE
    within: Sequence[str] = ()
    parts: bool = False
    exact: bool | None = None
    fold: bool = False
    spread: bool = False


def answer(
    store: Store,
    encoder: Callable[[], Encoder],
    node: Node,
    text: str,
    wanted: Wanted,
    *,
    without: str | None = None,
    pictures: Mapping[str, bytes] = NO_PICTURES,
    limits: Limits = DEFAULT_LIMITS,
    looking: Looking | None = None,
) -> Response:
    """Return the answer to a tree, which `text` names; the image `without` is left out.

    A term `image:NAME` means the content `pictures[NAME]` where there is one, otherwise a file;
    neither may be above `limits`. `encoder` is called once what is wanted is known to
    make sense. `looking` is a second model, which looks at the best once more: nothing of the store
    is held while it does, and a query of filters alone has nothing for it to compare.

    Raises InputError for what makes no sense, for pictures that are not there, parts of
    images whose files are not, and folders that are not indexed; ImageError, ModelError.
    """
    started = time.perf_counter()
    _check(wanted)
    check_pictures(node, given=pictures)
    scopes = named_scopes(store, wanted.within)
    where = Where(tuple(scopes) if scopes else None, without=without)
    second, unseen = None, 0
    with store.reading():
        _check_texts(node, store)
        plan = planned(store, encoder(), node, pictures, limits)
        if looking is None or not plan.probes:
            page = _page(plan, store, where, wanted)
    if looking is not None and plan.probes:
        second, unseen = _second(plan, store, where, wanted, looking, node, pictures, limits)
        page = _page(plan, store, where, wanted, second=second)
    response = _response(page, text, store.model.name, wanted, time.perf_counter() - started)
    if looking is None or second is None:
        return replace(response, not_reranked=unseen)
    return replace(response, reranked_by=looking.encoder.identity.name, not_reranked=unseen)


def _page(
    plan: Plan, store: Store, where: Where, wanted: Wanted, *, second: Second | None = None
) -> Page:
    from visionquery.search.executor import execute
    from visionquery.search.variety import Variety

    return execute(
        plan,
        store,
        where=where,
        limit=wanted.limit,
        offset=wanted.offset,
        min_confidence=wanted.min_confidence,
        sort=wanted.sort,
        places=wanted.within,
        parts=wanted.parts,
        exact=wanted.exact,
        variety=Variety(wanted.fold, wanted.spread),
        second=second,
    )


def _second(
    plan: Plan,
    store: Store,
    where: Where,
    wanted: Wanted,
    looking: Looking,
    node: Node,
    pictures: Mapping[str, bytes],
    limits: Limits,
) -> tuple[Second | None, int]:
    """Have a second model look at the best images, and return what it brings, None where it could
    look at nothing, and how many of them it could not look at."""
    from visionquery.looking import SeenImages
    from visionquery.search.background import background_of
    from visionquery.search.second_look import SAMPLE_SIZE, Second

    best = replace(
        wanted, limit=looking.candidates, offset=0, sort="relevance", parts=False, fold=False,
        spread=False,
    )  # fmt: skip
    page = _page(plan, store, where, best)
    ids = [hit.image_id for hit in (*page.hits, *page.closest)]
    with store.reading():
        records = store.records(store.sample(SAMPLE_SIZE).tolist())
        count = store.image_count()
    sample = [record.image_id for record in records]
    vectors = looking.vectors(store, [*ids, *sample])
    unseen = sum(image_id not in vectors for image_id in ids)
    seen = [vectors[image_id] for image_id in sample if image_id in vectors]
    if not seen:
        return None, unseen
    bank = looking.bank()
    again = planned(
        store, looking.encoder, node, pictures, limits,
        images=SeenImages(store, looking), background=background_of(bank, np.stack(seen), count),
    )  # fmt: skip
    in_sample = frozenset(sample) & vectors.keys()
    return Second(again, vectors, in_sample, bank, looking.candidates), unseen


def _response(page: Page, text: str, model: str, wanted: Wanted, seconds: float) -> Response:
    return Response(
        query=text,
        model=model,
        exact=page.exact,
        seconds=seconds,
        hits=seen_within(page.hits, wanted.within),
        closest=seen_within(page.closest, wanted.within),
        total=page.total,
        min_confidence=wanted.min_confidence,
        folded_away=page.folded_away,
    )


def explain(
    store: Store,
    encoder: Callable[[], Encoder],
    image_id: str,
    node: Node,
    text: str,
    *,
    min_confidence: float,
    pictures: Mapping[str, bytes] = NO_PICTURES,
    limits: Limits = DEFAULT_LIMITS,
) -> Explanation:
    """Return why a stored image is, or is not, in the answer to a tree, which `text` names.

    `pictures` and `limits` are those of `answer`. Raises as it does, and ImageNotFoundError for an
    image that is not stored.
    """
    from visionquery.search import executor

    check_pictures(node, given=pictures)
    with store.reading():
        _check_texts(node, store)
        rows = store.find(image_id)
        if len(rows) != 1:
            raise ImageNotFoundError(
                "The picture is not in the library, so no search can find it. Add it, or its "
                "folder, with: visionquery index PATH"
            )
        return executor.explain(
            planned(store, encoder(), node, pictures, limits),
            store,
            rows[0],
            text=text,
            min_confidence=min_confidence,
        )


def known_image(store: Store, image_id: str) -> KnownImage:
    """Return what a store knows of the image with an id, which is given whole.

    Raises ImageNotFoundError where there is none.
    """
    record = _record(store, image_id)
    return KnownImage(
        record.image_id, record.facts, record.paths, record.text, record.fragments
    )


def _record(store: Store, image_id: str) -> ImageRecord:
    with store.reading():
        for row in store.rows_of([image_id]).values():
            return store.records([row])[0]
    raise ImageNotFoundError(f"The library has no image {image_id}; it may have been removed.")


def original(store: Store, image_id: str) -> tuple[str, Content]:
    """Return the path and the content of the first file that still holds an image.

    Raises ImageNotFoundError where there is no such image, or no file of it as it was.
    """
    from visionquery.indexing.stored import content_of

    record = _record(store, image_id)
    found = content_of(record, limits=DEFAULT_LIMITS)
    if found is None:
        raise ImageNotFoundError(
            f"The file of image {image_id} is gone or has changed since it was indexed. Plug its "
            "disk in, or bring its folder up to date with: visionquery index PATH"
        )
    return found


def picture_id(path: str) -> str:
    """Return the id of the image that a file is. Raises ImageError when it cannot be read."""
    from visionquery.images import content

    return content.load(spelled(path), limits=DEFAULT_LIMITS).image_id


def planned(
    store: Store,
    encoder: Encoder,
    node: Node,
    pictures: Mapping[str, bytes],
    limits: Limits,
    *,
    images: Images | None = None,
    background: Background | None = None,
) -> Plan:
    """Return the plan of a tree for the store's own model, or for the one that has vectors of
    `images` and this background; `pictures` and `limits` are those of `answer`, and so is what is
    raised."""
    from visionquery.search.background import kept_background
    from visionquery.search.planner import plan

    def read(term: Picture | Like) -> Decoded:
        if isinstance(term, Like):
            return _part(term, store, encoder)
        return _picture(term.path, pictures.get(term.path), encoder, limits)

    return plan(
        node,
        encoder=encoder,
        store=store,
        background=background if images else kept_background(store),
        read_picture=read,
        images=images,
    )


def _picture(path: str, content: bytes | None, encoder: Encoder, limits: Limits) -> Decoded:
    from visionquery.images import workers
    from visionquery.images.content import load, of_bytes

    try:
        found = load(spelled(path), limits=limits) if content is None else of_bytes(content)
        return workers.decode(found, min_side=2 * encoder.image_side, limits=limits)
    except ImageError as error:
        raise type(error)(f"The picture {path} cannot be used as a query: {error}.") from error


def _part(term: Like, store: Store, encoder: Encoder) -> Decoded:
    """Decode a part of a stored image, under the limits that it was indexed under."""
    from visionquery.images import workers
    from visionquery.indexing.stored import content_of

    assert term.box is not None, "a whole image has its vector"
    with store.reading():
        (record,) = store.records(store.find(term.image_id))
    place = record.paths[0] if record.paths else "its file"
    found = content_of(record, limits=DEFAULT_LIMITS)
    if found is None:
        raise InputError(
            f"like:{term.image_id}@ needs the picture itself, but {place} is gone or has changed "
            "since it was indexed. Plug its disk in, or bring its folder up to date with: "
            "visionquery index PATH"
        )
    place, content = found
    try:
        return workers.decode_part(content, term.box, min_side=2 * encoder.image_side)
    except ImageError as error:
        raise type(error)(f"The picture {place} cannot be used as a query: {error}.") from error


def _check(wanted: Wanted) -> None:
    for name, value in (("limit", wanted.limit), ("offset", wanted.offset)):
        if not isinstance(value, int):
            raise InputError(f"{name} is {value!r}; it must be a whole number.")
    orders = get_args(Sort)
    if wanted.sort is not None and wanted.sort not in orders:
        raise InputError(f"An answer cannot be sorted by {wanted.sort!r}: give {_listed(orders)}.")
    if wanted.spread and wanted.sort in ("date", "path"):
        raise InputError(
            f"An answer has one order: leave out spread, or the order by {wanted.sort}."
        )


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _check_texts(node: Node, store: Store) -> None:
    """Raise InputError where a query asks for text in pictures and none was ever read: an empty
    answer would say that none of them has it."""
    if _asks_for_text(node) and not store.has_texts():
        raise InputError(
            "text: looks at the text that was read in pictures, and in this library none was read "
            "so far. Read it with: visionquery index --ocr FOLDER"
        )


def _asks_for_text(node: Node) -> bool:
    match node:
        case Filter(field):
            return field == "text"
        case Not(part):
            return _asks_for_text(part)
        case And(parts) | Or(parts):
            return any(map(_asks_for_text, parts))
        case Blend() | Arranged():
            return False
